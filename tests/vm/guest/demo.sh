# demo.sh - what `make demo` shows: one tunnel, from pppd's first line to its last
. "$REPO/tests/vm/lib.sh"
version=$(native_version)

say() { printf '%s\n' "$@"; }
give_up() {
  local log
  say "" "RESULT: it does not work: $1"
  for log in "$(log_of demo)" $WORK/pptpd.log $WORK/pptpd-pppd.log; do
    [ ! -s "$log" ] || { say "--- $log"; tail -n 40 "$log"; }
  done
  exit 1
}
# shown HOST COMMAND...: with its output, as it would look in a terminal
shown() {
  say "" "  $1\$ ${*:2}"
  on "$@" 2>&1 | sed 's/^/  /'
  return "${PIPESTATUS[0]}"
}
# megabits ARGS...: what iperf3 measures for the receiver
megabits() { on client iperf3 --client $TUNNEL_SERVER --time 3 --format m "$@" 2>&1 | awk '/receiver/ { for (i = 2; i <= NF; i++) if ($i == "Mbits/sec") print $(i - 1) }'; }

{ network && pptpd_start; } || give_up "the network or pptpd did not start"
say "  client   10.99.0.2   stock pppd $version with pptp-rs.so"
say "  server   $SERVER   pptpd $(dpkg-query -W -f '${Version}' pptpd 2> /dev/null), Debian's own"
say "  kernel   Linux $(uname -r) as User-Mode Linux; pptp.ko and ppp_mppe.ko carry the data"

write_file client /etc/ppp/peers/demo << PEER
plugin pptp-rs.so
pptp_server $SERVER
user alice
require-mppe-128
noauth
nobsdcomp nodeflate
PEER
leftovers_before
say "" "  client\$ cat /etc/ppp/peers/demo"
on client sed 's/^/  /' /etc/ppp/peers/demo

# Everything is read from the host's disk once, which is not what connecting takes.
on client pppd plugin pptp-rs.so --version > /dev/null 2>&1
say "" "  client\$ pppd call demo nodetach"
started=$(now)
pppd_start client "$version" demo call demo
tunnel_up client demo 20 > /dev/null || give_up "the tunnel did not come up"
took=$(elapsed_since "$started")
sed 's/^/  /' "$(log_of demo)"
interface=$(interface_of demo)

shown client ping -n -c 3 -i 0.3 $TUNNEL_SERVER || give_up "no answer through the tunnel"
shown client ip -br address show dev "$interface"

daemon server $WORK/iperf.log iperf3 --server --bind $TUNNEL_SERVER
server=$DAEMON
wait_for 5 listening server 5201 || give_up "iperf3 does not listen"
up=$(megabits) down=$(megabits --reverse)
end_daemon "$server"
[ -n "$up" ] && [ -n "$down" ] || give_up "no throughput could be measured"
grep -q 'MPPE 128-bit stateless compression enabled' "$(log_of demo)" $WORK/pptpd-pppd.log || give_up "the data was not encrypted"

pppd_stop demo
[ "$STATUS" = 5 ] || give_up "pppd ended with status $STATUS instead of 5"
leftovers_none "nothing is left behind" > $WORK/left || give_up "after the end something is left: $(cat $WORK/left)"

say "" "  connected in           $took s (pppd's start to addresses on $interface)"
say "  throughput             $up Mbit/s up, $down Mbit/s down (MPPE-128, one emulated processor for both ends)"
say "  after SIGTERM          pppd's exit status 5; no process, socket, interface or file left"
say "" "RESULT: it works. A stock pppd with pptp-rs.so reached a real pptpd, encrypted, and both directions carried traffic."
