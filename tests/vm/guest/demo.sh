# demo.sh - what `make demo` shows of the kernel's data path: a tunnel to pptpd, and one to pptp-rsd in its place
. "$REPO/tests/vm/lib.sh"
. "$REPO/scripts/demo_lib.sh"
version=$(native_version)

give_up() {
  local log
  say "" "RESULT: it does not work: $1"
  for log in $WORK/{pptpd,rsd}-demo.log $WORK/pptpd.log $WORK/rsd.log $WORK/pptpd-pppd.log; do
    [ ! -s "$log" ] || { say "--- $log"; tail -n 40 "$log"; }
  done
  exit 1
}
# megabits ARGS...: what iperf3 measures for the receiver
megabits() { on client iperf3 --client $TUNNEL_SERVER --time 3 --format m "$@" 2>&1 | awk '/receiver/ { for (i = 2; i <= NF; i++) if ($i == "Mbits/sec") print $(i - 1) }'; }

# connect NAME: pppd's start to addresses; sets TOOK
connect() {
  local started
  typed client "pppd call demo nodetach"
  started=$(now)
  pppd_start client "$version" "$1" call demo
  tunnel_up client "$1" 30 > /dev/null || give_up "the tunnel did not come up"
  TOOK=$(elapsed_since "$started")
  grep -q 'MPPE 128-bit stateless compression enabled' "$(log_of "$1")" || give_up "the data was not encrypted"
}
# end_pptpd: it leaves a file
end_pptpd() { pptpd_stop; on server rm -f /run/pptpd.pid; }
# measure: sets SPEED
measure() {
  local server up down
  daemon server $WORK/iperf.log iperf3 --server --bind $TUNNEL_SERVER
  server=$DAEMON
  wait_for 30 listening server 5201 || give_up "iperf3 does not listen"
  up=$(megabits) down=$(megabits --reverse)
  end_daemon "$server"
  [ -n "$up" ] && [ -n "$down" ] || give_up "no throughput could be measured"
  SPEED="$up Mbit/s up, $down Mbit/s down"
}

network || give_up "the network did not start"
say "  client   10.99.0.2   stock pppd $version with pptp-rs.so"
say "  server   $SERVER   pptpd $(dpkg-query -W -f '${Version}' pptpd 2> /dev/null), Debian's own; then pptp-rsd"
say "  kernel   Linux $(uname -r) as User-Mode Linux; pptp.ko and ppp_mppe.ko carry the data"

write_file client /etc/ppp/peers/demo << PEER
plugin pptp-rs.so
pptp_server $SERVER
user alice
require-mppe-128
noauth
nobsdcomp nodeflate
PEER
shown client cat /etc/ppp/peers/demo
pptpd_start || give_up "pptpd did not start"
end_pptpd
leftovers_before

# Everything is read from the host's disk once, which is not what connecting takes.
on client pppd plugin pptp-rs.so --version > /dev/null 2>&1
typed server "pptpd --fg --conf /run/pptpd.conf &"
pptpd_start || give_up "pptpd did not start"
connect pptpd-demo
news "$(log_of pptpd-demo)"
shown client ping -n -c 3 -i 0.3 $TUNNEL_SERVER || give_up "no answer through the tunnel"
shown client ip -br address show dev "$(interface_of pptpd-demo)"
measure
to_pptpd="$SPEED" took_pptpd=$TOOK
pppd_stop pptpd-demo
[ "$STATUS" = 5 ] || give_up "pppd ended with status $STATUS instead of 5"
end_pptpd

say "" "  The same with pptp-rsd, which reads pptpd's file:"
shown server cat /run/pptpd.conf
typed server "pptp-rsd --fg --conf /run/pptpd.conf &"
daemon server $WORK/rsd.log pptp-rsd --fg --conf /run/pptpd.conf
rsd=$DAEMON
wait_for 30 listening server 1723 || give_up "pptp-rsd does not listen"
news $WORK/rsd.log
connect rsd-demo
news "$(log_of rsd-demo)"
say "" "  server, meanwhile:"
news $WORK/rsd.log
shown client ping -n -c 3 -i 0.3 $TUNNEL_SERVER || give_up "no answer through the tunnel"
measure
shown server pptp-rsctl sessions || give_up "pptp-rsctl cannot ask the server"
typed server "kill %pptp-rsd"
end_daemon "$rsd" || give_up "pptp-rsd ended with status $?"
news $WORK/rsd.log
pppd_wait rsd-demo 30 || give_up "pppd did not end with its server"
say "" "  client, meanwhile:"
news "$(log_of rsd-demo)"
leftovers_none "nothing is left behind" > $WORK/left || give_up "after the end something is left: $(cat $WORK/left)"

say "" "  connected in           $took_pptpd s to pptpd, $TOOK s to pptp-rsd (pppd's start to addresses)"
say "  throughput, pptpd      $to_pptpd (MPPE-128, one emulated processor for both ends)"
say "  throughput, pptp-rsd   $SPEED"
say "  after the end          pppd's exit status 5 after SIGTERM, $STATUS after its server's; no process, socket, interface or file left"
say "" "RESULT: it works. A stock pppd with pptp-rs.so reached a real pptpd and pptp-rsd, encrypted, and both directions carried traffic."
