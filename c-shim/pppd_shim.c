/*
 * The only file that includes pppd's headers. It has no logic and allocates nothing: it turns pppd's macros, globals
 * and structures into the functions of pppd_shim.h.
 */
#include "pppd_compat.h"

#include <arpa/inet.h>
#include <linux/ppp_defs.h>

#include "pppd_shim.h"
#include "pptp_rs.h"

/* One more than there is room for: the last is always the end of the table. */
static option_t options[PPTP_OPTIONS_ROOM + 1];

static struct channel channel = {.options = options};

static const struct pptp_callbacks *callbacks;

static const enum opt_type types[] = {
	[PPTP_OPTION_FLAG] = o_special_noarg,
	[PPTP_OPTION_VALUE] = o_special,
	[PPTP_OPTION_WILD] = o_wild,
};

/* pppd hands the word itself to a wild option, not the one behind it. */
static const unsigned int form_flags[] = {
	[PPTP_OPTION_WILD] = OPT_NOARG,
};

/* What root's files set stays set: a user who may run a setuid pppd must not send root's peer elsewhere. */
static const unsigned int right_flags[] = {
	[PPTP_OPTION_FOR_EVERYONE] = OPT_PRIO | OPT_PRIVFIX,
	[PPTP_OPTION_PRIVILEGED] = OPT_PRIO | OPT_PRIVFIX | OPT_PRIV,
};

void pptp_host_install(const struct pptp_callbacks *table)
{
	callbacks = table;
	channel.check_options = table->check_options;
	channel.connect = table->connect;
	channel.disconnect = table->disconnect;
	channel.establish_ppp = table->establish;
	channel.disestablish_ppp = table->disestablish;
	channel.cleanup = table->cleanup;
	channel.close = table->close;
	the_channel = &channel;
}

void pptp_host_set_option(size_t place, const struct pptp_option *option)
{
	options[place] = (option_t) {
		.name = (char *)option->name,
		.type = types[option->form],
		.addr = option->form == PPTP_OPTION_WILD ? (void *)callbacks->match_word : (void *)callbacks->parse_option,
		.description = (char *)option->help,
		.flags = form_flags[option->form] | right_flags[option->right] | (option->value ? OPT_A2STRVAL : 0),
		.addr2 = option->value,
	};
}

pptp_holdoff_hook pptp_host_replace_holdoff_hook(pptp_holdoff_hook hook)
{
	pptp_holdoff_hook before = holdoff_hook;
	holdoff_hook = hook;
	return before;
}

const char *pptp_host_current_option(void) { return current_option; }
void pptp_host_option_error(const char *text) { compat_option_error("%s", text); }

struct pptp_lcp_option pptp_host_lcp_option(size_t place)
{
	const option_t *option = &lcp_protent.options[place];
	return (struct pptp_lcp_option) {.name = option->name, .source = option->source};
}

void pptp_host_debug(const char *text) { dbglog("%s", text); }
void pptp_host_info(const char *text) { info("%s", text); }
void pptp_host_notice(const char *text) { notice("%s", text); }
void pptp_host_warn(const char *text) { warn("%s", text); }
void pptp_host_error(const char *text) { error("%s", text); }

int pptp_host_got_sigterm(void) { return compat_got_sigterm(); }
int pptp_host_got_sighup(void) { return compat_got_sighup(); }
void pptp_host_quit(void) { asked_to_quit = 1; }
void pptp_host_die(int code) { die(code); }
void pptp_host_set_status(int code) { compat_set_status(code); }
int pptp_host_status(void) { return compat_status(); }
int pptp_host_hung_up(void) { return hungup; }
int pptp_host_needs_holdoff(void) { return need_holdoff; }
int pptp_host_holdoff(void) { return holdoff; }
void pptp_host_listen_first(int milliseconds) { listen_time = milliseconds; }
void pptp_host_set_channel_name(const char *text) { compat_set_channel_name(text); }
const char *pptp_host_remote_number(void) { return compat_remote_number(); }
void pptp_host_set_remote_number(const char *text) { compat_set_remote_number(text); }
int *pptp_host_wanted_mru(void) { return &lcp_wantoptions[0].mru; }
int *pptp_host_allowed_mru(void) { return &lcp_allowoptions[0].mru; }

int pptp_host_is_channel(void) { return the_channel->establish_ppp == channel.establish_ppp; }
int pptp_host_multilink(void) { return multilink; }
int pptp_host_on_demand(void) { return demand; }
int pptp_host_wants_mppe(void) { return ccp_wantoptions[0].mppe != 0; }
void pptp_host_ask_for_mppe(void) { ccp_wantoptions[0].mppe = MPPE_OPT_40 | MPPE_OPT_128; }
int pptp_host_asks_for_mppe_40(void) { return ccp_wantoptions[0].mppe & MPPE_OPT_40; }
int pptp_host_asks_for_mppe_128(void) { return ccp_wantoptions[0].mppe & MPPE_OPT_128; }
void pptp_host_record_login(const char *line, const char *user, const char *host) { logwtmp ? logwtmp(line, user, host) : (void)0; }
int pptp_host_wants_default_route(void) { return ipcp_wantoptions[0].default_route; }
void pptp_host_refuse_header_compression(void) { ipcp_wantoptions[0].neg_vj = ipcp_allowoptions[0].neg_vj = 0; }
void pptp_host_ask_for_no_asyncmap(void) { lcp_wantoptions[0].neg_asyncmap = 0; }
int pptp_host_lcp_is_unheard(void) { return lcp_fsm[0].state == REQSENT; }
int pptp_host_lcp_state(void) { return lcp_fsm[0].state; }
int pptp_host_is_terminating(void) { return compat_in_phase(PHASE_TERMINATE); }
const char *pptp_host_close_reason(void) { return lcp_fsm[0].term_reason; }

static void run_timer(void *unused)
{
	(void)unused;
	callbacks->timer();
}

void pptp_host_set_timer(int seconds)
{
	compat_untimeout(run_timer, NULL);
	if (seconds > 0)
		compat_timeout(run_timer, NULL, seconds, 0);
}

struct pptp_secret pptp_host_secret(size_t place)
{
	static const struct pptp_secret secrets[] = {{passwd, sizeof(passwd)}, COMPAT_SECRETS};
	return place < sizeof(secrets) / sizeof(*secrets) ? secrets[place] : (struct pptp_secret) {0};
}

static struct chap_digest_type digests[] = {
	[PPTP_MSCHAP_V1] = {.code = CHAP_MICROSOFT},
	[PPTP_MSCHAP_V2] = {.code = CHAP_MICROSOFT_V2},
};

void pptp_host_register_mschap(enum pptp_mschap version)
{
	const struct pptp_digest *functions = version == PPTP_MSCHAP_V1 ? &callbacks->mschap : &callbacks->mschap2;
	struct chap_digest_type *digest = &digests[version];
	digest->generate_challenge = functions->challenge;
	digest->verify_response = functions->verify;
	digest->make_response = functions->respond;
	digest->check_success = functions->success;
	digest->handle_failure = functions->failure;
	chap_register_digest(digest);
}

int pptp_host_chapms(unsigned char *challenge, char *secret, int secret_length, unsigned char *response)
{
	if (!ChapMS)
		return 0;
	ChapMS(challenge, secret, secret_length, response);
	return 1;
}

int pptp_host_chapms2(unsigned char *challenge, unsigned char *peer_challenge, char *user, char *secret, int secret_length,
	unsigned char *response, unsigned char *authenticator)
{
	if (!ChapMS2)
		return 0;
	ChapMS2(challenge, peer_challenge, user, secret, secret_length, response, authenticator, MS_CHAP2_AUTHENTICATEE);
	return 1;
}

void pptp_host_set_mppe_keys(unsigned char *send, unsigned char *receive) { compat_set_mppe_keys(send, receive); }
int pptp_host_mppe_keys(unsigned char *send, unsigned char *receive) { return compat_mppe_keys(send, receive); }
void pptp_host_clear_mppe_keys(void) { compat_clear_mppe_keys(); }

int pptp_host_mschap_directions(void) { return __builtin_popcount(auth_done[0] & (COMPAT_MSCHAP_V1 | COMPAT_MSCHAP_V2)); }
int pptp_host_mschap_v1_directions(void) { return __builtin_popcount(auth_done[0] & COMPAT_MSCHAP_V1); }

static void open_ccp(int unit) { (void)unit; callbacks->ccp.open(); }
static void close_ccp(int unit, char *reason) { (void)unit; (void)reason; callbacks->ccp.close(); }
static void lower_ccp(int unit) { (void)unit; callbacks->ccp.lower_down(); }
static void reject_ccp(int unit) { (void)unit; callbacks->ccp.protocol_reject(); }
static void take_ccp(int unit, unsigned char *packet, int length) { (void)unit; callbacks->ccp.packet(packet, length); }

/* A frame that could not be decrypted. */
static void take_compressed(int unit, unsigned char *frame, int length)
{
	(void)unit;
	(void)frame;
	(void)length;
	callbacks->ccp.undecryptable();
}

/* CCP is opened in the network phase, when there are keys: what happens before does not matter to it. */
static void ignore_ccp(int unit) { (void)unit; }

void pptp_host_take_ccp(void)
{
	ccp_protent.lowerup = ignore_ccp;
	ccp_protent.lowerdown = lower_ccp;
	ccp_protent.open = open_ccp;
	ccp_protent.close = close_ccp;
	ccp_protent.input = take_ccp;
	ccp_protent.datainput = take_compressed;
	ccp_protent.protrej = reject_ccp;
}

int pptp_host_ccp_is_enabled(void) { return ccp_protent.enabled_flag; }

void pptp_host_send_ccp(const unsigned char *packet, size_t length)
{
	unsigned char frame[PPP_MRU + PPP_HDRLEN] = {PPP_ALLSTATIONS, PPP_UI, PPP_CCP >> 8, PPP_CCP & 0xff};
	if (length > sizeof(frame) - PPP_HDRLEN)
		return;
	memcpy(frame + PPP_HDRLEN, packet, length);
	output(0, frame, length + PPP_HDRLEN);
}

int pptp_host_set_compression(unsigned char *option_and_key, int length, int transmit)
{
	return ccp_test(0, option_and_key, length, transmit);
}

void pptp_host_set_ccp_flags(int is_open, int is_up) { ccp_flags_set(0, is_open, is_up); }
int pptp_host_ccp_has_lost(void) { return ccp_fatal_error(0); }

static void run_ccp_timer(void *unused)
{
	(void)unused;
	callbacks->ccp.timer();
}

void pptp_host_set_ccp_timer(int seconds, int microseconds)
{
	compat_untimeout(run_ccp_timer, NULL);
	if (seconds >= 0)
		compat_timeout(run_ccp_timer, NULL, seconds, microseconds);
}

/* pppd looks here, after CCP was opened, whether MPPE was asked for. */
void pptp_host_hold_networks(int hold) { ccp_gotoptions[0].mppe = hold; }
void pptp_host_start_networks(void) { continue_networks(0); }

void pptp_host_close_link(const char *text)
{
	/* pppd keeps it, to send it again. */
	static char reason[128];
	strlcpy(reason, text, sizeof(reason));
	lcp_close(0, reason);
}

int pptp_host_mtu(void) { return compat_mtu(0); }
void pptp_host_set_mtu(int mtu) { compat_set_mtu(0, mtu); }

/* What is put in front of a network protocol's functions. pppd passes no pointer, so each protocol has some of its own. */
struct watched {
	struct protent *protocol;
	void (*open)(int);
	void (*lowerdown)(int);
	void (*input)(int, unsigned char *, int);
};

static struct watched ipv4, ipv6;

static void open_network(const struct watched *network, int unit)
{
	network->open(unit);
	callbacks->network_open(network->protocol->protocol);
}

static void lower_network(const struct watched *network, int unit)
{
	callbacks->network_lower_down(network->protocol->protocol);
	network->lowerdown(unit);
}

static void take_packet(const struct watched *network, int unit, unsigned char *packet, int length)
{
	if (!callbacks->network_packet(network->protocol->protocol, packet, length))
		network->input(unit, packet, length);
}

static void open_ipv4(int unit) { open_network(&ipv4, unit); }
static void open_ipv6(int unit) { open_network(&ipv6, unit); }
static void lower_ipv4(int unit) { lower_network(&ipv4, unit); }
static void lower_ipv6(int unit) { lower_network(&ipv6, unit); }
static void take_ipv4(int unit, unsigned char *packet, int length) { take_packet(&ipv4, unit, packet, length); }
static void take_ipv6(int unit, unsigned char *packet, int length) { take_packet(&ipv6, unit, packet, length); }

static void watch(struct watched *network, const struct watched *front)
{
	struct protent *protocol = front->protocol;
	if (network->protocol)
		return;
	*network = (struct watched) {protocol, protocol->open, protocol->lowerdown, protocol->input};
	protocol->open = front->open;
	protocol->lowerdown = front->lowerdown;
	protocol->input = front->input;
}

static void up_network(void *unused, int argument)
{
	(void)unused;
	(void)argument;
	callbacks->network_up();
}

static void down_network(void *unused, int argument)
{
	(void)unused;
	(void)argument;
	callbacks->network_down();
}

void pptp_host_watch_networks(void)
{
	/* A pppd may be built without IPv6. */
	for (struct protent **each = protocols; *each; each++) {
		if ((*each)->protocol == PPP_IPCP)
			watch(&ipv4, &(struct watched) {*each, open_ipv4, lower_ipv4, take_ipv4});
		else if ((*each)->protocol == PPP_IPV6CP)
			watch(&ipv6, &(struct watched) {*each, open_ipv6, lower_ipv6, take_ipv6});
	}
	if (ipv4.protocol) {
		compat_on_ipv4_up(up_network);
		compat_on_ipv4_down(down_network);
	}
	if (ipv6.protocol) {
		compat_on_ipv6_up(up_network);
		compat_on_ipv6_down(down_network);
	}
}

void pptp_host_give_packet(int protocol, const unsigned char *packet, size_t length)
{
	/* pppd makes its answer in place, and may add an option. */
	unsigned char room[PPP_MRU + 64];
	if (length > PPP_MRU)
		return;
	memcpy(room, packet, length);
	(protocol == PPP_IPCP ? &ipv4 : &ipv6)->input(0, room, length);
}

const char *pptp_host_peer_name(void) { return compat_peer_name(); }
const char *pptp_host_interface(void) { return compat_interface(); }
unsigned int pptp_host_local_address(void) { return ntohl(ipcp_gotoptions[0].ouraddr); }
unsigned int pptp_host_remote_address(void) { return ntohl(ipcp_hisoptions[0].hisaddr); }
int pptp_host_ccp_is_up(void) { return ccp_fsm[0].state == OPENED; }
int pptp_host_receive_mppe(void) { return ccp_gotoptions[0].mppe; }
int pptp_host_send_mppe(void) { return ccp_hisoptions[0].mppe; }

void pptp_host_set_variable(const char *name, const char *value)
{
	if (value)
		compat_set_variable((char *)name, (char *)value, 0);
	else
		compat_unset_variable((char *)name);
}

const char *pptp_host_link_name(void) { return linkname; }

static void end_process(void *unused, int argument)
{
	(void)unused;
	(void)argument;
	callbacks->exit();
}

void pptp_host_watch_exit(void) { compat_on_exit(end_process); }

int pptp_host_establish(int fd) { return compat_establish(fd); }
void pptp_host_disestablish(int fd) { compat_disestablish(fd); }
