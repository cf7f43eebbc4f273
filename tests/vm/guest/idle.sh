# idle.sh [SECONDS] - a tunnel that carries nothing lives on the control connection's echoes; with traffic again after it
. "$REPO/tests/vm/lib.sh"
seconds=${1:-120}
plan 6

network
pptpd_start
pppd_start client "$(native_version)" vpn $(client_options plugin) pptp_echo_interval 2 $(session_options)
check "the tunnel comes up" tunnel_up client vpn 30
# What the control connection carries is counted where nothing else goes: TCP segments.
before=$(on client awk '/^Tcp: [0-9]/ { print $12 }' /proc/net/snmp)
sleep "$seconds"
after=$(on client awk '/^Tcp: [0-9]/ { print $12 }' /proc/net/snmp)
check "after $seconds s without traffic it is still up" link_up client vpn
between "an echo request went out every 2 s or so" $((seconds / 4)) $((seconds * 2)) $((after - before))
check "it carries traffic" ping_peer client $TUNNEL_SERVER
same "on the same connection" 1 "$(connections)"
pppd_stop vpn
same "SIGTERM ends pppd with status 5" 5 "$STATUS"
finish
