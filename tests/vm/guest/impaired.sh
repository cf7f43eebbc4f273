# impaired.sh PATH VERSION [SECONDS] - a network that loses, reorders, doubles and delays packets, both ways, one harm at a
# time and all together: the tunnel lives, and nothing comes out of it twice or in the wrong order
. "$REPO/tests/vm/lib.sh"
DATAPATH=${1:?which data path} VERSION=${2:-2.4.9} seconds=${3:-15}
. "$REPO/tests/vm/guest/datapath_lib.sh"

harm() { netem client eth0 "$@" && netem server eth0 "$@"; }
heal() { on client tc qdisc del dev eth0 root; on server tc qdisc del dev eth0 root; }
per_cent() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.1f", b ? 100 * a / b : 0 }'; }
# Of echo requests pppd tells with "debug" given twice.
echoes() { grep -c 'rcvd \[LCP EchoRep' "$(log_of "$1")"; }
pings_received() { sed -n 's/.* \([0-9]*\) received.*/\1/p' $WORK/pings; }
no_repeated_ping() { ! grep duplicates $WORK/pings; }

# harmed NAME LEAST REORDER_MS NETEM ARGUMENTS...: a tunnel over such a network; at least so many per cent of a stream arrive
harmed() {
  local name=$1 least=$2 pinger sent received misordered repeated pings
  check_here "$name: the tunnel comes up" open_tunnel "$name" lcp-echo-interval 1 lcp-echo-failure 8 debug pptp_reorder_ms "$3"
  check_here "$name: so is the network" harm "${@:4}"
  daemon client $WORK/pings ping -n -q -i 0.1 -w "$seconds" $TUNNEL_SERVER
  pinger=$DAEMON
  read -r sent received misordered repeated < <(udp_stream server client "$(address_of "$name")" "$seconds")
  wait $pinger
  between "$name: of $sent packets this many per cent arrive" "$least" 100 "$(per_cent "$received" "$sent")"
  same "$name: none twice, none behind a later one" "0 0" "$misordered $repeated"
  pings=$(pings_received)
  between "$name: pings are answered" $((seconds * 2)) $((seconds * 10)) "$pings"
  check "$name: none twice" no_repeated_ping
  between "$name: LCP's echo requests are answered" $((seconds / 3)) $((seconds * 4)) "$(echoes "$name")"
  heal
  sleep 0.5
  check "$name: afterwards all is well" ping_tunnel client "$name"
  check_here "$name: SIGTERM ends it" close_tunnel "$name"
  # On a terminal the engine may find the end when pppd's log is closed.
  [ "$DATAPATH" != tun ] || check "$name: the engine's counters add up" counters_add_up "$name"
  note "$(sed -n 's/.*\(counters: .*\)/\1/p' "$(log_of "$name")" | tail -n 1)"
}

checks=9
[ "$DATAPATH" != tun ] || checks=10
plan $((5 * checks))
network
plain_server
harmed lossy 80 50 loss 10%
harmed reordering 95 20 delay 15ms reorder 25%
harmed doubling 95 50 duplicate 5%
harmed jittery 90 120 delay 100ms 50ms
harmed harmful 60 120 delay 100ms 50ms loss 10% duplicate 5% reorder 25%
finish
