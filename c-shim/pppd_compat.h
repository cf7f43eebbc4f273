/*
 * What differs between pppd 2.4.9 and 2.5.x, and nothing else: each name here means the same with both.
 *
 * Most globals below are exported by both pppds but are in no installed header of 2.5.x, or of neither.
 */
#ifndef PPPD_COMPAT_H
#define PPPD_COMPAT_H

#include <pppd/pppd.h>

#if __has_include(<pppd/pppdconf.h>)
#include <pppd/options.h>
#define PPPD_2_5 1
#endif

#include <pppd/fsm.h>
#include <pppd/ccp.h>
#include <pppd/ipcp.h>
#include <pppd/lcp.h>
#include <pppd/chap_ms.h>
#include <pppd/mppe.h>

#include <signal.h>
#include <string.h>

/* The C library's, or pppd's own. musl has none. */
extern void logwtmp(const char *line, const char *name, const char *host) __attribute__((weak));

/* SIGTERM or SIGINT ends pppd although it persists. */
extern int asked_to_quit;

/* The session's keys, where MS-CHAP leaves them for MPPE. A pppd that was built without MPPE has none. */
#ifdef PPPD_2_5
#define COMPAT_KEY_LENGTH 32
#else
#define COMPAT_KEY_LENGTH 16
#endif
extern unsigned char mppe_send_key[COMPAT_KEY_LENGTH] __attribute__((weak));
extern unsigned char mppe_recv_key[COMPAT_KEY_LENGTH] __attribute__((weak));
#define COMPAT_SECRETS {mppe_send_key, COMPAT_KEY_LENGTH}, {mppe_recv_key, COMPAT_KEY_LENGTH}

/* Who has authenticated how. In no header of 2.5.x, but the same in all. */
#define COMPAT_MSCHAP_V1 0x300
#define COMPAT_MSCHAP_V2 0xc00
extern int auth_done[];

/* A pppd may be built without MS-CHAP, or without MPPE. */
extern int mppe_keys_set __attribute__((weak));
#pragma weak ChapMS
#pragma weak ChapMS2

#ifdef PPPD_2_5

#include <pppd/chap.h>
#pragma weak mppe_set_keys
#pragma weak mppe_clear_keys
#pragma weak mppe_get_send_key
#pragma weak mppe_get_recv_key
#define compat_set_mppe_keys(send, receive) (mppe_set_keys ? mppe_set_keys((send), (receive), 16) : (void)0)
#define compat_mppe_keys(send, receive) \
	(mppe_get_send_key && mppe_get_send_key((send), 16) == 16 && mppe_get_recv_key((receive), 16) == 16)
#define compat_clear_mppe_keys() (mppe_clear_keys ? mppe_clear_keys() : (void)0)

extern char *current_option;
extern char passwd[MAXSECRETLEN];
extern int holdoff;
extern int hungup;
extern int listen_time;
extern int need_holdoff;
extern void die(int);
extern void output(int, unsigned char *, int);
extern int ccp_test(int, unsigned char *, int, int);
extern void ccp_flags_set(int, int, int);
extern int ccp_fatal_error(int);
extern void continue_networks(int);
extern bool demand, multilink;
extern bool in_phase(ppp_phase_t);
extern char linkname[];

#define compat_got_sigterm() ppp_signaled(SIGTERM)
#define compat_got_sighup() ppp_signaled(SIGHUP)
#define compat_status() ((int)ppp_status())
#define compat_in_phase in_phase
#define compat_set_variable ppp_script_setenv
#define compat_unset_variable ppp_script_unsetenv
#define compat_set_status(code) ppp_set_status((ppp_exit_code_t)(code))
#define compat_set_channel_name(text) ppp_set_pppdevnam(text)
#define compat_remote_number() ppp_get_remote_number()
#define compat_set_remote_number(text) ppp_set_remote_number(text)
#define compat_option_error ppp_option_error
#define compat_establish ppp_generic_establish
#define compat_disestablish ppp_generic_disestablish
#define compat_timeout ppp_timeout
#define compat_untimeout ppp_untimeout
#define compat_peer_name() ppp_peer_authname(NULL, 0)
#define compat_interface() ppp_ifname()
#define compat_on_ipv4_up(function) ppp_add_notify(NF_IP_UP, (function), NULL)
#define compat_on_ipv6_up(function) ppp_add_notify(NF_IPV6_UP, (function), NULL)
#define compat_on_ipv4_down(function) ppp_add_notify(NF_IP_DOWN, (function), NULL)
#define compat_on_ipv6_down(function) ppp_add_notify(NF_IPV6_DOWN, (function), NULL)
#define compat_on_exit(function) ppp_add_notify(NF_EXIT, (function), NULL)
#define compat_mtu ppp_get_mtu
#define compat_set_mtu ppp_set_mtu

#else

#include <pppd/chap-new.h>
#define compat_set_mppe_keys(send, receive) \
	(&mppe_keys_set ? (memcpy(mppe_send_key, (send), 16), memcpy(mppe_recv_key, (receive), 16), (void)(mppe_keys_set = 1)) : (void)0)
#define compat_mppe_keys(send, receive) \
	(&mppe_keys_set && mppe_keys_set ? (memcpy((send), mppe_send_key, 16), memcpy((receive), mppe_recv_key, 16), 1) : 0)
#define compat_clear_mppe_keys() \
	(&mppe_keys_set ? (memset(mppe_send_key, 0, 16), memset(mppe_recv_key, 0, 16), (void)(mppe_keys_set = 0)) : (void)0)

/* In no header of 2.4.9. */
extern int got_sighup;

#define compat_got_sigterm() (got_sigterm)
#define compat_got_sighup() (got_sighup)
#define compat_status() (status)
#define compat_in_phase(which) (phase == (which))
#define compat_set_variable script_setenv
#define compat_unset_variable script_unsetenv
#define compat_set_status(code) (status = (code))
#define compat_set_channel_name(text) strlcpy(ppp_devnam, (text), sizeof(ppp_devnam))
#define compat_remote_number() (remote_number)
#define compat_set_remote_number(text) \
	(strlcpy(remote_number, (text), sizeof(remote_number)), script_setenv("REMOTENUMBER", remote_number, 0))
#define compat_option_error option_error
#define compat_establish generic_establish_ppp
#define compat_disestablish generic_disestablish_ppp
#define compat_timeout timeout
#define compat_untimeout untimeout
#define compat_peer_name() (peer_authname)
#define compat_interface() (ifname)
/* A pppd may be built without IPv6. */
#pragma weak ipv6_up_notifier
#pragma weak ipv6_down_notifier
#define compat_on_ipv4_up(function) add_notifier(&ip_up_notifier, (function), NULL)
#define compat_on_ipv6_up(function) add_notifier(&ipv6_up_notifier, (function), NULL)
#define compat_on_ipv4_down(function) add_notifier(&ip_down_notifier, (function), NULL)
#define compat_on_ipv6_down(function) add_notifier(&ipv6_down_notifier, (function), NULL)
#define compat_on_exit(function) add_notifier(&exitnotify, (function), NULL)
#define compat_mtu netif_get_mtu
#define compat_set_mtu netif_set_mtu

#endif
#endif
