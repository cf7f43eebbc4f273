/*
 * A pppd of straw: it exports what pppd exports, loads the plugin as pppd does (RTLD_NOW), and does with it what its
 * arguments say. Everything that happens is a line on standard output.
 *
 *   host PLUGIN WORD...
 *
 * A word that is none of the commands is an option for the plugin, with its value behind it if it takes one:
 *   @list      all options: name, form, privileged or not, "fixed" if what root's files say is final, help
 *   @values    the options that were given, as pppd's "dump" shows them
 *   @check @connect @establish @disestablish @disconnect @cleanup @close   the channel's functions
 *   @holdoff   what the hold-off hook says; @needless: pppd needs no hold-off; @hungup: the link was hung up
 *   @hook      (before PLUGIN is loaded, so it comes first) another plugin's hold-off hook is there and says 7
 *   @sizes     MRU and MTU
 *   @listen    how long LCP waits for the peer to speak first
 *   @mru=N @mtu=N   the user gave pppd's own option
 *   @secret    whether the password is still there
 *   @term @hup      a signal has come that pppd has not acted on
 *   @ipup @ipdown   IPCP is up, or goes down; @close=N: this end has ended the link, with this reason
 *   @select=S  waits for so many seconds, as pppd does; @detach: goes on in another process; @exit: pppd ends
 *   @fds       the number of open descriptors
 *   @remote=N  the user gave a remote number
 *   @device    what the channel's descriptor is
 *   @child     forks, as for a script: the child calls the channel's close and says @fds
 *   @wait=S    sleeps; @run=C  runs a command of the shell's
 *   @timer     what the plugin set a timer for, and calls it
 *   @open      opens /dev/ppp; the next commands use that descriptor
 *   @newunit=N @getunit @setflags=N @getflags @getidle @compress @attach @attchan=N @statistics @closeppp   on it
 *   @pair      descriptor 90 is one end of a pair, on which nobody offers a call
 *   @socket    descriptor 91 is a PPTP socket that a server brings; @receives: what comes of it of what a peer can send
 *   @mschap    whose MS-CHAPv1 and v2 it is, and whether there are keys
 *   @v1 @v2    the next commands are about that version, which has to be the plugin's:
 *   @name=N @password=P   what the next commands are called with
 *   @challenge      asks for a challenge
 *   @respond=I,HEX  answers a challenge with this number
 *   @verify=HEX,HEX whether that is the answer to this challenge
 *   @success=I,T @failure=T   a message of the server's
 *   @both      a client and a server of it with each other
 *   @keys      the keys for MPPE
 *   @random=N  calls all functions of both versions N times with anything
 *   @vj        whether IPCP offers header compression; @multilink @mppe @demand: the user gave that option
 *   @radius=N  RADIUS allows keys of so many bits alone
 *
 * With FAKE_PPPOX set, PPTP sockets (AF_PPPOX) and /dev/ppp exist: they are local sockets that any address can be bound
 * and connected to, and /dev/null. With SECRET_LOG set, every process that connects to something writes to this file whether the password
 * is still there.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <net/if.h>
#include <linux/ppp_defs.h>
#include <linux/ppp-ioctl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pppd/pppd.h>
#if __has_include(<pppd/pppdconf.h>)
#include <pppd/options.h>
#define PPPD_2_5 1
#endif
#include <pppd/fsm.h>
#include <pppd/ccp.h>
#include <pppd/ipcp.h>
#include <pppd/lcp.h>
#include <pppd/mppe.h>

/* ---- what pppd exports, as far as the plugin looks for it */

struct channel *the_channel;
int (*holdoff_hook)(void);
lcp_options lcp_wantoptions[NUM_PPP] = {{.mru = 1500}}, lcp_allowoptions[NUM_PPP] = {{.mru = 16384}};
int asked_to_quit, need_holdoff = 1, holdoff = 30, hungup, listen_time;
char passwd[MAXSECRETLEN] = "open sesame";
unsigned char mppe_send_key[32] = "key", mppe_recv_key[32] = "key";
char *current_option;
bool demand, multilink;
fsm lcp_fsm[NUM_PPP];
fsm ccp_fsm[NUM_PPP];
ccp_options ccp_wantoptions[NUM_PPP], ccp_hisoptions[NUM_PPP];
ipcp_options ipcp_gotoptions[NUM_PPP], ipcp_hisoptions[NUM_PPP];
ipcp_options ipcp_wantoptions[NUM_PPP] = {{.neg_vj = 1}}, ipcp_allowoptions[NUM_PPP] = {{.neg_vj = 1}};
static void (*timer)(void *), (*ccp_timer)(void *);
static int timer_seconds, ccp_timer_seconds;

void die(int code) { printf("dies with %d\n", code); exit(code); }

/* MS-CHAP: what was registered, and pppd's own functions, which are right or, with BAD_MSCHAP, wrong; with BAD_KEYS,
   those of version 1 are right but for one key. */
#if __has_include(<pppd/chap-new.h>)
#include <pppd/chap-new.h>
#else
#include <pppd/chap.h>
#endif
int mppe_keys_set;
static struct chap_digest_type *digests[2], *digest;
void chap_register_digest(struct chap_digest_type *type) { digests[type->code == CHAP_MICROSOFT_V2] = type; }
#ifdef PPPD_2_5
void mppe_set_keys(unsigned char *send, unsigned char *receive, int length)
{
	memcpy(mppe_send_key, send, length), memcpy(mppe_recv_key, receive, length), mppe_keys_set = length;
}
void mppe_clear_keys(void) { mppe_keys_set = 0; }
int mppe_get_send_key(unsigned char *key, int length) { return memcpy(key, mppe_send_key, length), mppe_keys_set ? length : 0; }
int mppe_get_recv_key(unsigned char *key, int length) { return memcpy(key, mppe_recv_key, length), mppe_keys_set ? length : 0; }
#endif

static void own_keys(const char *send, const char *receive)
{
	memcpy(mppe_send_key, send, 16), memcpy(mppe_recv_key, receive, 16), mppe_keys_set = 20;
}

void ChapMS(unsigned char *challenge, char *secret, int length, unsigned char *response)
{
	static const char right[24] = "\x54\xf2\x2a\xc5\xaa\x6c\x5c\xbf\x7e\x60\x53\x18\x21\x85\x20\x87\xd6\x81\xf1\xcc\x9e\x1b\xb3\x6e";
	static const char key[16] = "\xa8\x94\x78\x50\xcf\xc0\xac\xc1\xd1\x78\x9f\xb6\x2d\xdc\xdd\xb0", none[16];
	(void)challenge, (void)secret, (void)length;
	memset(response, 0, 49);
	memcpy(response + 24, right, 24);
	response[48] = 1;
	own_keys(key, getenv("BAD_KEYS") ? none : key);
}

void ChapMS2(unsigned char *challenge, unsigned char *peer, char *user, char *secret, int length, unsigned char *response,
	unsigned char *authenticator, int side)
{
	static const char right[24] = "\x82\x30\x9e\xcd\x8d\x70\x8b\x5e\xa0\x8f\xaa\x39\x81\xcd\x83\x54\x42\x33\x11\x4a\x3d\x85\xd6\xdf";
	(void)challenge, (void)user, (void)secret, (void)length, (void)side;
	memset(response, 0, 49);
	memcpy(response, peer, 16);
	memcpy(response + 24, right, 24);
	strcpy((char *)authenticator, "407A5589115FD0D6209F510FE9C04566932CDA56");
	if (getenv("BAD_MSCHAP"))
		response[24] = 0;
	own_keys("\xd5\xf0\xe9\x52\x1e\x3e\xa9\x58\x96\x45\xe8\x60\x51\xc8\x22\x26",
		"\x8b\x7c\xdc\x14\x9b\x99\x3a\x1b\xa1\x18\xcb\x15\x3f\x56\xdc\xcb");
}

static option_t lcp_table[] = {
	{.name = "mru"}, {.name = "asyncmap"}, {.name = "mtu"}, {.name = NULL},
};
struct protent lcp_protent = {.options = lcp_table};

#define LOGGER(name) \
	void name(CONST char *format, ...) \
	{ \
		va_list arguments; \
		va_start(arguments, format); \
		say(#name, format, arguments); \
		va_end(arguments); \
	}

static void say(const char *who, const char *format, va_list arguments)
{
	printf("%s: ", who);
	vprintf(format, arguments);
	putchar('\n');
	fflush(stdout);
}

static void tell(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	fflush(stdout);
}

static int establish_channel(int fd)
{
	tell("host establishes %s", fd >= 0 ? "the channel" : "nothing");
	return getenv("FAIL_ESTABLISH") ? -1 : 100;
}

/* The plugin has two timers; the first that is ever set is the channel's. */
static void set_timer(void (*function)(void *), int seconds)
{
	static void (*channels)(void *);
	if (!channels)
		channels = function;
	if (function == channels)
		timer = seconds < 0 ? NULL : function, timer_seconds = seconds < 0 ? 0 : seconds;
	else
		ccp_timer = seconds < 0 ? NULL : function, ccp_timer_seconds = seconds;
}

/* pppd has its own where the C library has none. */
size_t strlcpy(char *to, const char *from, size_t size) { return snprintf(to, size, "%s", from); }

static void (*on_ip_up)(void *, int), (*on_ip_down)(void *, int), (*on_exit_of_pppd)(void *, int), (*on_other)(void *, int);
char linkname[4096] = "office";

#ifdef PPPD_2_5
#define CONST const
void ppp_timeout(void (*function)(void *), void *argument, int s, int us) { (void)argument, (void)us; set_timer(function, s); }
void ppp_untimeout(void (*function)(void *), void *argument) { (void)argument; set_timer(function, -1); }
static int got_term, got_hup, exit_status = 8;
bool ppp_signaled(int sig) { return sig == SIGTERM ? got_term : sig == SIGHUP ? got_hup : 0; }
void ppp_set_status(ppp_exit_code_t code) { exit_status = code; }
const char *ppp_peer_authname(char *buffer, size_t size) { (void)buffer, (void)size; return ""; }
const char *ppp_ifname(void) { return ""; }
void ppp_add_notify(ppp_notify_t type, ppp_notify_fn *function, void *argument)
{
	(void)argument;
	*(type == NF_IP_UP ? &on_ip_up : type == NF_IP_DOWN ? &on_ip_down : type == NF_EXIT ? &on_exit_of_pppd : &on_other) = function;
}
void ppp_script_setenv(char *name, char *value, int global) { (void)global; tell("environment %s=%s", name, value); }
void ppp_script_unsetenv(char *name) { tell("environment without %s", name); }
ppp_exit_code_t ppp_status(void) { return exit_status; }
static ppp_phase_t phase;
bool in_phase(ppp_phase_t which) { return phase == which; }
static char remote_number[64];
const char *ppp_get_remote_number(void) { return remote_number; }
void ppp_set_remote_number(const char *number)
{
	tell("remote number %s", number);
	snprintf(remote_number, sizeof(remote_number), "%s", number);
}
int ppp_set_pppdevnam(const char *name) { tell("channel name %s", name); return 0; }
int ppp_generic_establish(int fd) { return establish_channel(fd); }
void ppp_generic_disestablish(int fd) { (void)fd; tell("host disestablishes"); }
void ppp_option_error(char *format, ...)
#else
#define CONST
void timeout(void (*function)(void *), void *argument, int s, int us) { (void)argument, (void)us; set_timer(function, s); }
void untimeout(void (*function)(void *), void *argument) { (void)argument; set_timer(function, -1); }
int got_sigterm, got_sighup;
volatile int status = 8;
#define got_term got_sigterm
#define got_hup got_sighup
#define exit_status status
char ppp_devnam[MAXPATHLEN], remote_number[MAXNAMELEN], peer_authname[MAXNAMELEN], ifname[32];
int phase;
struct notifier *ip_up_notifier, *ip_down_notifier, *ipv6_up_notifier, *ipv6_down_notifier, *exitnotify;
void add_notifier(struct notifier **list, notify_func function, void *argument)
{
	(void)argument;
	*(list == &ip_up_notifier ? &on_ip_up : list == &ip_down_notifier ? &on_ip_down : list == &exitnotify ? &on_exit_of_pppd : &on_other) =
		function;
}
void script_setenv(char *name, char *value, int global) { (void)global; tell("environment %s=%s", name, value); }
void script_unsetenv(char *name) { tell("environment without %s", name); }
int generic_establish_ppp(int fd) { return establish_channel(fd); }
void generic_disestablish_ppp(int fd) { (void)fd; tell("host disestablishes"); }
void option_error(char *format, ...)
#endif
{
	va_list arguments;
	va_start(arguments, format);
	say("option error", format, arguments);
	va_end(arguments);
}

LOGGER(dbglog)
LOGGER(info)
LOGGER(notice)
LOGGER(warn)
LOGGER(error)

static void tell_bytes(const char *what, const unsigned char *bytes, int count)
{
	char text[512] = "";
	for (int i = 0; i < count; ++i)
		sprintf(text + 2 * i, "%02x", bytes[i]);
	tell("%s %s", what, text);
}

#include "negotiation.h"

/* ---- PPTP sockets where the kernel has none */

static int fake(int family) { return family == 24 && getenv("FAKE_PPPOX"); }

int socket(int family, int type, int protocol)
{
	return fake(family) ? syscall(SYS_socket, AF_UNIX, type, 0) : syscall(SYS_socket, family, type, protocol);
}

/* What the plugin, not this program, calls. */
int open64(const char *path, int flags, ...)
{
	va_list arguments;
	va_start(arguments, flags);
	int mode = va_arg(arguments, int);
	va_end(arguments);
	return syscall(SYS_openat, AT_FDCWD, fake(24) && !strcmp(path, "/dev/ppp") ? "/dev/null" : path, flags, mode);
}

int bind(int fd, const struct sockaddr *address, socklen_t length)
{
	return fake(address->sa_family) ? 0 : syscall(SYS_bind, fd, address, length);
}

#define SERVERS_SOCKET 91
static int servers_peer = -1;

static void make_servers_socket(void)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0 || dup2(ends[0], SERVERS_SOCKET) < 0)
		tell("socket: %s", strerror(errno)), exit(99);
	close(ends[0]);
	servers_peer = ends[1];
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *length)
{
	if (fd == SERVERS_SOCKET && level == SOL_SOCKET && name == SO_DOMAIN)
		return *(int *)value = 24, 0;
	return syscall(SYS_getsockopt, fd, level, name, value, length);
}

static int receives(const char *frame, int length)
{
	char packet[32] = {0x30, 1, 0x88, 0x0b, 0, length, 0, 17, 0, 0, 0, 1};
	memcpy(packet + 12, frame, length);
	send(servers_peer, packet, 12 + length, 0);
	return recv(SERVERS_SOCKET, packet, sizeof(packet), MSG_DONTWAIT) > 0;
}

static void tell_received(void)
{
	tell("receives%s%s%s", receives("\0\x21\x45", 3) ? " clear" : "", receives("\x80\xfd\x01\1\0\4", 6) ? " negotiations" : "",
		receives("\x80\xfd\x0e\1\0\4", 6) ? " resets" : "");
}

/* This process, as pppd. */
static pid_t host;

/* The call manager's process connects too, and has no standard output: what it finds goes to a file. */
static void report_secret(void)
{
	const char *path = getpid() == host ? NULL : getenv("SECRET_LOG");
	FILE *log = path ? fopen(path, "a") : NULL;
	if (!log)
		return;
	fprintf(log, "%s\n", passwd[0] || mppe_send_key[0] || mppe_recv_key[0] ? "kept" : "gone");
	fclose(log);
}

int connect(int fd, const struct sockaddr *address, socklen_t length)
{
	report_secret();
	return fake(address->sa_family) ? 0 : syscall(SYS_connect, fd, address, length);
}

/* ---- options */

static option_t *find(char *word, int wild)
{
	for (option_t *option = the_channel->options; option->name; ++option) {
		int (*match)(char *, char **, int) = (int (*)(char *, char **, int))option->addr;
		if (wild != (option->type == o_wild))
			continue;
		if (wild ? match(word, NULL, 0) : !strcmp(word, option->name))
			return option;
	}
	return NULL;
}

/* How many words behind it belong to an option, by pppd's rule. */
static int arguments_of(const option_t *option)
{
	return option->type == o_bool || option->type == o_special_noarg || option->flags & OPT_NOARG ? 0 : 1;
}

/* Takes an option; returns how many words it was. */
static int parse(char **words)
{
	option_t *option = find(words[0], 0);
	int right;
	if (!option)
		option = find(words[0], 1);
	if (!option) {
		tell("unrecognized option '%s'", words[0]);
		exit(2);
	}
	int count = arguments_of(option);
	if (count && !words[1]) {
		tell("too few parameters for option %s", words[0]);
		exit(2);
	}
	/* For an option in a file, pppd fills as much of this array as the option has arguments, and no more. */
	char *arguments[2] = {(char *)0x10, (char *)0x10};
	if (count)
		arguments[0] = words[1];
	current_option = option->name;
	if (option->type == o_wild)
		right = ((int (*)(char *, char **, int))option->addr)(words[0], arguments, 1);
	else
		right = ((int (*)(char **))option->addr)(arguments);
	if (!right)
		exit(2);
	option->priority = 2;
	return 1 + count;
}

static void list(int given)
{
	static const char *const forms[] = {[o_special_noarg] = "flag", [o_special] = "value", [o_wild] = "wild"};
	for (option_t *option = the_channel->options; option->name; ++option) {
		const char *value = option->flags & OPT_A2STRVAL ? *(char **)option->addr2 : "";
		if (!given)
			tell("%s %s %s%s: %s", option->name, forms[option->type], option->flags & OPT_PRIV ? "privileged" : "everyone",
				(option->flags & OPT_PRIO) && (option->flags & OPT_PRIVFIX) ? " fixed" : "", option->description);
		else if (option->priority)
			tell("%s %s", option->name, value);
	}
}

static int descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = -3;
	while (readdir(directory))
		++count;
	closedir(directory);
	return count;
}

static int others_hook(void) { return 7; }
static void on_term(int sig) { (void)sig; got_term = 1; }
static void on_hup(int sig) { (void)sig; got_hup = 1; }

/* pppd's own handlers set the flags that its plugins read. */
static void handle_signals(void)
{
	struct sigaction action = {.sa_handler = on_term};
	sigaction(SIGTERM, &action, NULL);
	action.sa_handler = on_hup;
	sigaction(SIGHUP, &action, NULL);
}

/* ---- /dev/ppp */

static int ppp = -1;

/* An ioctl on /dev/ppp that reads or writes one number, or neither. */
static void number_ioctl(const char *what, unsigned long request, int number)
{
	if (ioctl(ppp, request, &number) < 0)
		tell("%s: %s", what, strerror(errno));
	else
		tell("%s: %d", what, number);
}

static void read_idle(void)
{
	struct ppp_idle idle = {-1, -1};
	int result = ioctl(ppp, PPPIOCGIDLE, &idle);
	tell("idle: %ld %ld", result < 0 ? -1L : (long)idle.xmit_idle, (long)idle.recv_idle);
}

static void read_statistics(void)
{
	struct ppp_stats statistics = {.p.ppp_obytes = -1};
	struct ifreq request = {.ifr_data = (char *)&statistics};
	int any = socket(AF_INET, SOCK_DGRAM, 0), unit = 0;
	ioctl(ppp, PPPIOCGUNIT, &unit);
	snprintf(request.ifr_name, sizeof(request.ifr_name), "ppp%d", unit);
	tell("statistics: %d", ioctl(any, SIOCDEVPRIVATE, &request) < 0 ? -1 : (int)statistics.p.ppp_obytes);
	close(any);
}

static void compress(void)
{
	struct ppp_option_data option = {0};
	tell("compress: %s", ioctl(ppp, PPPIOCSCOMPRESS, &option) < 0 ? strerror(errno) : "yes");
}

/* Whether the word was one of these. */
static int ppp_command(const char *word)
{
	int number = strchr(word, '=') ? atoi(strchr(word, '=') + 1) : 0;
	if (!strcmp(word, "@open")) tell("open: %s", (ppp = open("/dev/ppp", O_RDWR)) < 0 ? strerror(errno) : "yes");
	else if (!strcmp(word, "@closeppp")) close(ppp);
	else if (!strncmp(word, "@newunit=", 9)) number_ioctl("new unit", PPPIOCNEWUNIT, number);
	else if (!strncmp(word, "@setflags=", 10)) number_ioctl("flags set", PPPIOCSFLAGS, number);
	else if (!strncmp(word, "@attchan=", 9)) number_ioctl("attach channel", PPPIOCATTCHAN, number);
	else if (!strcmp(word, "@getunit")) number_ioctl("unit", PPPIOCGUNIT, 0);
	else if (!strcmp(word, "@getflags")) number_ioctl("flags", PPPIOCGFLAGS, 0);
	else if (!strcmp(word, "@attach")) number_ioctl("attach", PPPIOCATTACH, 0);
	else if (!strcmp(word, "@getidle")) read_idle();
	else if (!strcmp(word, "@compress")) compress();
	else if (!strcmp(word, "@statistics")) read_statistics();
	else return 0;
	return 1;
}

/* ---- MS-CHAP; bytes have their number before them */

static char name[512], secret[512];

static void tell_whose(void)
{
	for (int i = 0; i < 2; ++i)
		tell("mschap v%d %s", i + 1, digests[i] ? "plugin" : "pppd");
	tell("keys %s", mppe_keys_set ? "set" : "none");
}

/* Hexadecimal digits, to the end or to another character. */
static const char *take_bytes(const char *digits, unsigned char *counted)
{
	for (counted[0] = 0; sscanf(digits, "%2hhx", &counted[1 + counted[0]]) == 1; digits += 2)
		++counted[0];
	return digits;
}

static void respond(const char *word)
{
	unsigned char challenge[256] = {0}, response[256] = {0};
	take_bytes(strchr(word, ',') + 1, challenge);
	digest->make_response(response, atoi(word), name, challenge, secret, strlen(secret), NULL);
	tell_bytes("response", response + 1, response[0]);
}

static void verify(const char *word)
{
	unsigned char challenge[256], response[256];
	char message[256] = "";
	take_bytes(take_bytes(word, challenge) + 1, response);
	int right = digest->verify_response(1, name, (unsigned char *)secret, strlen(secret), challenge, response, message, sizeof(message));
	tell("verdict %d %s", right, message);
}

static void succeed(char *word)
{
	char *message = strchr(word, ',') + 1;
	if (digest->check_success)
		tell("success %d", digest->check_success(atoi(word), (unsigned char *)message, strlen(message)));
	else
		tell("success unseen");
}

static void try_both(void)
{
	unsigned char challenge[256], response[256];
	char message[256];
	digest->generate_challenge(challenge);
	digest->make_response(response, 2, name, challenge, secret, strlen(secret), NULL);
	tell("client %d", digest->verify_response(2, name, (unsigned char *)secret, strlen(secret), challenge, response, message,
		sizeof(message)));
	if (!digest->check_success)
		return;
	tell("server %d", digest->check_success(2, (unsigned char *)message, strlen(message)));
	tell("server of another time %d", digest->check_success(3, (unsigned char *)message, strlen(message)));
	message[3] ^= 1;
	tell("false server %d", digest->check_success(2, (unsigned char *)message, strlen(message)));
}

/* Bytes that are more often digits and marks of messages than others are. */
static void fill(unsigned char *bytes, int count)
{
	static const char likely[] = "EFRCVMS=0123456789ABCDEF  \\";
	for (int i = 0; i < count; ++i)
		bytes[i] = rand() % 2 ? likely[rand() % (sizeof(likely) - 1)] : rand();
}

static void try_anything(int rounds)
{
	for (int i = 0; i < rounds; ++i) {
		unsigned char challenge[256], response[256], text[1001];
		char message[256];
		int length = rand() % 1001;
		fill(challenge, 256), fill(response, 256), fill(text, 1001);
		text[1000] = 0;
		if (rand() % 2)
			challenge[0] = rand() % 2 ? 8 : 16, response[0] = 49;
		digest = digests[rand() % 2];
		int room = rand() % 257;
		digest->verify_response(rand() % 4, (char *)text, text, rand() % 300, challenge, response, message, room);
		if (room && !memchr(message, 0, room))
			tell("a message without end"), exit(99);
		digest->make_response(response, rand() % 4, (char *)text, challenge, (char *)text, rand() % 300, NULL);
		if (response[0] != 49)
			tell("a response of %d bytes", response[0]), exit(99);
		if (digest->check_success && digest->check_success(rand() % 4, text, length))
			tell("believed anything"), exit(99);
		digest->handle_failure(text, length);
		digest->generate_challenge(challenge);
	}
	tell("tried anything");
}

/* Whether the word was one of these. */
static int mschap_command(char *word)
{
	unsigned char challenge[256];
	if (!strcmp(word, "@mschap")) tell_whose();
	else if (!strcmp(word, "@v1")) digest = digests[0];
	else if (!strcmp(word, "@v2")) digest = digests[1];
	else if (!strncmp(word, "@name=", 6)) snprintf(name, sizeof(name), "%s", word + 6);
	else if (!strncmp(word, "@password=", 10)) snprintf(secret, sizeof(secret), "%s", word + 10);
	else if (!strcmp(word, "@challenge")) digest->generate_challenge(challenge), tell_bytes("challenge", challenge + 1, challenge[0]);
	else if (!strncmp(word, "@respond=", 9)) respond(word + 9);
	else if (!strncmp(word, "@verify=", 8)) verify(word + 8);
	else if (!strncmp(word, "@success=", 9)) succeed(word + 9);
	else if (!strcmp(word, "@both")) try_both();
	else if (!strncmp(word, "@failure=", 9)) digest->handle_failure((unsigned char *)word + 9, strlen(word + 9));
	else if (!strcmp(word, "@keys")) {
		tell_bytes("send key", mppe_send_key, mppe_keys_set ? 16 : 0);
		tell_bytes("receive key", mppe_recv_key, mppe_keys_set ? 16 : 0);
	} else if (!strncmp(word, "@random=", 8)) try_anything(atoi(word + 8));
	else return 0;
	return 1;
}

static void make_pair(void)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0 || dup2(ends[0], 90) < 0)
		tell("pair: %s", strerror(errno)), exit(99);
	close(ends[0]);
}

/* The process that started has to stay until the other has ended: tests wait for it. */
static void go_on_elsewhere(void)
{
	int result;
	pid_t child = fork();
	if (!child)
		return;
	waitpid(child, &result, 0);
	exit(WEXITSTATUS(result));
}

/* For something that never comes. */
static void wait_as_pppd_does(int seconds)
{
	int ends[2] = {-1, -1};
	struct timeval left = {.tv_sec = seconds};
	if (pipe(ends) < 0)
		tell("pipe: %s", strerror(errno)), exit(99);
	while (left.tv_sec || left.tv_usec) {
		fd_set set;
		FD_ZERO(&set);
		FD_SET(ends[0], &set);
		select(ends[0] + 1, &set, NULL, NULL, &left);
	}
	close(ends[0]), close(ends[1]);
}

/* Whether the word was one of these. */
static int link_command(char *word)
{
	if (!strcmp(word, "@ipup")) on_ip_up(NULL, 0);
	else if (!strcmp(word, "@ipdown")) on_ip_down(NULL, 0);
	else if (!strncmp(word, "@close=", 7)) phase = PHASE_TERMINATE, lcp_fsm[0].term_reason = word + 7;
	else if (!strncmp(word, "@select=", 8)) wait_as_pppd_does(atoi(word + 8));
	else if (!strcmp(word, "@detach")) go_on_elsewhere();
	else if (!strcmp(word, "@exit")) on_exit_of_pppd(NULL, 0);
	else return 0;
	return 1;
}

static void command(char *word)
{
	if (ppp_command(word) || mschap_command(word) || negotiation_command(word) || link_command(word))
		return;
	static int device = -1;
	if (!strcmp(word, "@list")) list(0);
	else if (!strcmp(word, "@values")) list(1);
	else if (!strcmp(word, "@check")) the_channel->check_options(), tell("checked");
	else if (!strcmp(word, "@connect")) {
		tell("connecting");
		device = the_channel->connect();
		tell("connected %s", device >= 0 ? "yes" : "no");
	} else if (!strcmp(word, "@establish")) tell("established %d", the_channel->establish_ppp(device));
	else if (!strcmp(word, "@disestablish")) the_channel->disestablish_ppp(device);
	else if (!strcmp(word, "@disconnect")) the_channel->disconnect();
	else if (!strcmp(word, "@cleanup")) the_channel->cleanup(), tell("cleaned up");
	else if (!strcmp(word, "@close")) the_channel->close();
	else if (!strcmp(word, "@holdoff")) tell("holdoff %d", holdoff_hook());
	else if (!strcmp(word, "@needless")) need_holdoff = 0;
	else if (!strcmp(word, "@hungup")) hungup = 1;
	else if (!strcmp(word, "@listen")) tell("listens %d ms", listen_time);
	else if (!strcmp(word, "@sizes")) tell("mru %d mtu %d", lcp_wantoptions[0].mru, lcp_allowoptions[0].mru);
	else if (!strncmp(word, "@mru=", 5)) lcp_wantoptions[0].mru = atoi(word + 5), lcp_table[0].source = "a test";
	else if (!strncmp(word, "@mtu=", 5)) lcp_allowoptions[0].mru = atoi(word + 5), lcp_table[2].source = "a test";
	else if (!strcmp(word, "@secret")) tell("secret %s", passwd[0] ? "kept" : "gone");
	else if (!strcmp(word, "@term")) got_term = 1;
	else if (!strcmp(word, "@hup")) got_hup = 1;
	else if (!strcmp(word, "@fds")) tell("descriptors %d", descriptors());
	else if (!strncmp(word, "@remote=", 8)) snprintf(remote_number, sizeof(remote_number), "%s", word + 8);
	else if (!strcmp(word, "@child")) {
		if (fork() == 0) {
			the_channel->close();
			tell("descriptors %d", descriptors());
			_exit(0);
		}
		wait(NULL);
	} else if (!strcmp(word, "@timer")) {
		tell("timer %d s", timer_seconds);
		if (timer) timer(NULL);
	} else if (!strcmp(word, "@vj")) tell("vj %d %d", ipcp_wantoptions[0].neg_vj, ipcp_allowoptions[0].neg_vj);
	else if (!strcmp(word, "@multilink")) multilink = 1;
	else if (!strcmp(word, "@pair")) make_pair();
	else if (!strcmp(word, "@socket")) make_servers_socket();
	else if (!strcmp(word, "@receives")) tell_received();
	else if (!strcmp(word, "@demand")) demand = 1;
	else if (!strncmp(word, "@run=", 5)) tell("ran %d", system(word + 5));
	else if (!strcmp(word, "@mppe")) ccp_wantoptions[0].mppe = 1;
	else if (!strcmp(word, "@radius=40")) ccp_wantoptions[0].mppe &= ~MPPE_OPT_128;
	else if (!strcmp(word, "@radius=128")) ccp_wantoptions[0].mppe &= ~MPPE_OPT_40;
	else if (!strncmp(word, "@wait=", 6)) usleep(atof(word + 6) * 1e6);
	else if (!strcmp(word, "@device")) {
		char path[64], target[64] = "";
		snprintf(path, sizeof(path), "/proc/self/fd/%d", device);
		if (readlink(path, target, sizeof(target) - 1) < 0)
			snprintf(target, sizeof(target), "closed");
		tell("device %s", strncmp(target, "socket:", 7) ? target : "socket");
	} else tell("no such command: %s", word), exit(99);
}

int main(int count, char **words)
{
	char **word = words + 1;
	const char *version;
	void *plugin, (*init)(void);
	host = getpid();
	if (count > 1 && !strcmp(*word, "@hook")) {
		holdoff_hook = others_hook;
		++word;
	}
	plugin = *word ? dlopen(*word, RTLD_GLOBAL | RTLD_NOW) : NULL;
	if (!plugin) {
		tell("cannot load: %s", dlerror());
		return 99;
	}
	version = dlsym(plugin, "pppd_version");
	init = (void (*)(void))dlsym(plugin, "plugin_init");
	tell("version %s", version ? version : "missing");
	init();
	handle_signals();
	for (++word; *word;) {
		if (**word == '@')
			command(*word++);
		else
			word += parse(word);
	}
	tell("status %d quit %d", exit_status, asked_to_quit);
	if (on_exit_of_pppd)
		on_exit_of_pppd(NULL, 0);
	return 0;
}
