# share.sh - two pppd to one server use one control connection, and neither needs the other
. "$REPO/tests/vm/lib.sh"
plan 17

no_connections() { [ "$(connections)" = 0 ]; }
seen() { [ "$(calls_seen)" = "$1" ]; }
open() { [ "$(calls_open)" = "$1" ]; }
start() { pppd_start client "$1" "$2" $(client_options) $(session_options) "${@:3}"; }

network
pool_server_start
leftovers_before

start 2.4.9 a && check "the first tunnel comes up" tunnel_up client a 30
start 2.5.2 b && check "the second tunnel comes up, with the other pppd" tunnel_up client b 30
same "they share one TCP connection" 1 "$(connections)"
check "the server saw two calls" wait_for 30 seen 2
check "the first carries traffic" ping_tunnel client a
check "the second carries traffic" ping_tunnel client b

pppd_stop a
same "SIGTERM ends the first with status 5" 5 "$STATUS"
check "the second still carries traffic" ping_tunnel client b
same "on the same TCP connection" 1 "$(connections)"

start 2.4.9 c && check "a third joins" tunnel_up client c 30
same "and shares, too" 1 "$(connections)"
pppd_stop b KILL
check "when the second is killed with SIGKILL, the third still carries traffic" ping_tunnel client c
check "the server is told that the second call is over" wait_for 30 open 1

start 2.4.9 d pptp_share off && check "with pptp_share off a fourth comes up" tunnel_up client d 30
same "on a TCP connection of its own" 2 "$(connections)"
pppd_stop d
pppd_stop c
check "the last one out closes the connection" wait_for 30 no_connections
wait_for 30 open 0
# Whoever is killed with SIGKILL leaves its pidfile; the test kit's server ends its pppd so, too.
on client rm -f /run/ppp1.pid
forget_killed client "${PPPD[b]}"
on server /bin/sh -c 'rm -f /run/ppp*.pid'
leftovers_none "no process, socket, interface or file is left behind"
finish
