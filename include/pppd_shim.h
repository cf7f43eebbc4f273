/*
 * pppd as the plugin sees it. Hand-written; bindgen makes Rust of this header alone, so nothing of pppd's own headers,
 * which differ from version to version, reaches the Rust side.
 *
 * Everything here is called from pppd's only thread. Texts are NUL-terminated and stay the caller's, unless said
 * otherwise.
 */
#ifndef PPPD_SHIM_H
#define PPPD_SHIM_H

#include <stddef.h>

/* What pppd calls; defined on the Rust side (pptp_rs.h). */
struct pptp_callbacks;

/* How a word of the options is recognised, and whether a value follows it. */
enum pptp_option_form {
	PPTP_OPTION_FLAG,
	PPTP_OPTION_VALUE,
	/* any word that no option has for its name: pptp_callbacks.match_word decides */
	PPTP_OPTION_WILD,
};

/* Who may give an option. */
enum pptp_option_right {
	PPTP_OPTION_FOR_EVERYONE,
	/* root, or a file that root wrote */
	PPTP_OPTION_PRIVILEGED,
};

/* One option. name, help and value live as long as pppd. */
struct pptp_option {
	const char *name;
	const char *help;
	enum pptp_option_form form;
	enum pptp_option_right right;
	/* where pppd finds the value to print (options "dump" and "dryrun"); NULL for a flag */
	char **value;
};

/* Options there is room for. */
#define PPTP_OPTIONS_ROOM 63

/* An option of LCP as pppd has it. */
struct pptp_lcp_option {
	/* NULL behind the last one */
	const char *name;
	/* where it was given; NULL when it was not */
	const char *source;
};

/* ---- set-up */

/* Becomes the channel of pppd: callbacks is read now and at every call, so it lives as long as pppd. */
void pptp_host_install(const struct pptp_callbacks *callbacks);
/* Fills a place of the option table; place < PPTP_OPTIONS_ROOM. Places that are not filled end the table. */
void pptp_host_set_option(size_t place, const struct pptp_option *option);
/* Takes the place of the hold-off hook; returns what was there, or NULL. */
typedef int (*pptp_holdoff_hook)(void);
pptp_holdoff_hook pptp_host_replace_holdoff_hook(pptp_holdoff_hook hook);

/* ---- options */

/* Name of the option that is being parsed; pppd's, valid during the callback. */
const char *pptp_host_current_option(void);
/* Says what is wrong with an option: to the log, and to stderr while pppd starts. */
void pptp_host_option_error(const char *text);
/* The place-th of LCP's own options, in pppd's order. */
struct pptp_lcp_option pptp_host_lcp_option(size_t place);

/* ---- log */

void pptp_host_debug(const char *text);
void pptp_host_info(const char *text);
void pptp_host_notice(const char *text);
void pptp_host_warn(const char *text);
void pptp_host_error(const char *text);

/* ---- state */

/* Nonzero: pppd got SIGTERM or SIGINT, respectively SIGHUP, and has not acted on it. */
int pptp_host_got_sigterm(void);
int pptp_host_got_sighup(void);
/* pppd ends when the callback is over, also when it persists. */
void pptp_host_quit(void);
/* Ends pppd now, with its own cleaning up: the channel's functions are called. */
void pptp_host_die(int status);
/* The exit status that pppd would have if it ended now. */
void pptp_host_set_status(int status);
/* Nonzero: the link ended because the channel did ("Modem hangup"). */
int pptp_host_hung_up(void);
/* Nonzero: pppd means to wait pptp_host_holdoff() seconds before it connects again. */
int pptp_host_needs_holdoff(void);
int pptp_host_holdoff(void);
/* The exit status that pppd would have if it ended now. */
int pptp_host_status(void);
/* LCP speaks when the peer has, or after so many milliseconds; for the link that is being connected. */
void pptp_host_listen_first(int milliseconds);
/* What "Connect: ppp0 <--> ..." shows. */
void pptp_host_set_channel_name(const char *text);
/* Number or address of the peer; NULL or empty: none yet. */
const char *pptp_host_remote_number(void);
void pptp_host_set_remote_number(const char *text);
/* The receive unit that LCP asks for, and the largest transmit unit it lets the peer ask for, in bytes. */
int *pptp_host_wanted_mru(void);
int *pptp_host_allowed_mru(void);
/* Nonzero: this plugin is pppd's channel, no other that was loaded later. One may have put functions in front of ours. */
int pptp_host_is_channel(void);
/* Nonzero: several links are to be one bundle. */
int pptp_host_multilink(void);
/* Nonzero: the interface is made first, and the call when there are packets for it. */
int pptp_host_on_demand(void);
/* Nonzero: the tunnel is to take the default route. */
int pptp_host_wants_default_route(void);
/* Nonzero: MPPE is required. */
int pptp_host_wants_mppe(void);
/* pppd's CCP would ask for MPPE, with all key lengths that it knows. A plugin that logs the peer in may take some away. */
void pptp_host_ask_for_mppe(void);
int pptp_host_asks_for_mppe_40(void);
int pptp_host_asks_for_mppe_128(void);
/* Adds to the record of logins (logwtmp(3)). */
void pptp_host_record_login(const char *line, const char *user, const char *host);
/* IPCP neither offers nor accepts header compression. */
void pptp_host_refuse_header_compression(void);
/* LCP does not ask for a map of characters to be escaped. */
void pptp_host_ask_for_no_asyncmap(void);
/* Nonzero: LCP asks, and no frame of the peer's has answered it or asked. */
int pptp_host_lcp_is_unheard(void);
/* LCP's state (RFC 1661 §4.2, from 0 on). */
int pptp_host_lcp_state(void);
/* Nonzero: this end has begun to end the link. */
int pptp_host_is_terminating(void);
/* Why this end has ended a link, this one or one before; NULL: it has not. */
const char *pptp_host_close_reason(void);
/* pptp_callbacks.timer is called once after so many seconds; not at all for 0. Takes the place of what was set before. */
void pptp_host_set_timer(int seconds);
/* Memory of pppd's with a password or a key in it. */
struct pptp_secret {
	/* NULL behind the last one */
	void *start;
	size_t length;
};
struct pptp_secret pptp_host_secret(size_t place);

/* ---- MS-CHAP */

/* The plugin's functions (pptp_callbacks.mschap, .mschap2) become pppd's MS-CHAP of this version. */
enum pptp_mschap {
	PPTP_MSCHAP_V1,
	PPTP_MSCHAP_V2,
};
void pptp_host_register_mschap(enum pptp_mschap version);
/* What pppd computes by itself as the client: 49 bytes of response; 0: it has no MS-CHAP. It sets pppd's keys. */
int pptp_host_chapms(unsigned char *challenge, char *secret, int secret_length, unsigned char *response);
/* The same of version 2, and 41 bytes of what the server is to say, which is a text. */
int pptp_host_chapms2(unsigned char *challenge, unsigned char *peer_challenge, char *user, char *secret, int secret_length,
	unsigned char *response, unsigned char *authenticator);
/* The keys for MPPE, 16 bytes each. */
void pptp_host_set_mppe_keys(unsigned char *send, unsigned char *receive);
/* The same, out of pppd; 0: there are none. */
int pptp_host_mppe_keys(unsigned char *send, unsigned char *receive);
/* There are no keys for MPPE. */
void pptp_host_clear_mppe_keys(void);
/* In how many directions MS-CHAP of whatever version has succeeded, and version 1 alone. */
int pptp_host_mschap_directions(void);
int pptp_host_mschap_v1_directions(void);

/* ---- CCP */

/* The plugin's functions (pptp_callbacks.ccp) become pppd's CCP. Its option "noccp" goes on being obeyed. */
void pptp_host_take_ccp(void);
/* Nonzero: the option "noccp" was not given. */
int pptp_host_ccp_is_enabled(void);
/* Sends a packet of CCP, from its code on. */
void pptp_host_send_ccp(const unsigned char *packet, size_t length);
/* Gives /dev/ppp an option of CCP, and the key behind it; positive: it can do that. */
int pptp_host_set_compression(unsigned char *option_and_key, int length, int transmit);
/* Tells /dev/ppp whether CCP is open, and up. */
void pptp_host_set_ccp_flags(int is_open, int is_up);
/* Nonzero: what comes cannot be decrypted any more, for good. */
int pptp_host_ccp_has_lost(void);
/* pptp_callbacks.ccp.timer is called once after so much time; not at all for negative seconds. Takes the place of what was
   set before. */
void pptp_host_set_ccp_timer(int seconds, int microseconds);
/* Nonzero: IP waits for CCP when the network phase begins. Zero: it does not. */
void pptp_host_hold_networks(int hold);
/* IP waits no longer. */
void pptp_host_start_networks(void);
/* Ends the link, and with it the call. It calls the lower_down and close of pptp_callbacks.ccp. The text is copied and may be
   cut. */
void pptp_host_close_link(const char *reason);
/* The interface's MTU in bytes; 0: there is no telling. */
int pptp_host_mtu(void);
void pptp_host_set_mtu(int mtu);

/* ---- IP */

/* Lets pptp_callbacks.network_... see what IPCP (0x8021) and IPV6CP (0x8057) get before they get it, that they are up, and that
   they go down. */
void pptp_host_watch_networks(void);
/* Gives the protocol with this number a packet, from its code on. */
void pptp_host_give_packet(int protocol, const unsigned char *packet, size_t length);

/* ---- what was agreed on */

/* As the peer has authenticated itself; empty: it has not. */
const char *pptp_host_peer_name(void);
/* Name of the interface; empty: none yet. */
const char *pptp_host_interface(void);
/* IPCP's addresses, in the machine's byte order; 0: none. */
unsigned int pptp_host_local_address(void);
unsigned int pptp_host_remote_address(void);
/* Nonzero: pppd's own CCP is up. What it says about MPPE (MPPE_OPT_...) in each direction; 0: nothing. */
int pptp_host_ccp_is_up(void);
int pptp_host_receive_mppe(void);
int pptp_host_send_mppe(void);

/* ---- scripts, and the end */

/* A variable of pppd's scripts; NULL for a value: there is none. */
void pptp_host_set_variable(const char *name, const char *value);
/* What the option "linkname" says; empty: it was not given. */
const char *pptp_host_link_name(void);
/* Lets pptp_callbacks.exit know when pppd ends. */
void pptp_host_watch_exit(void);

/* ---- channel */

/* Registers the channel with /dev/ppp; returns the descriptor that pppd reads, or -1. */
int pptp_host_establish(int channel);
void pptp_host_disestablish(int channel);

#endif
