# record.sh - records the captures of this directory anew, in a guest:
#
#   tests/vm/run.sh -t 300 -o OUTPUT_DIRECTORY tests/captures/record.sh
#   cp OUTPUT_DIRECTORY/*.pcap tests/captures
. "$REPO/tests/vm/lib.sh"
VERSION=${1:-2.4.9}

# record NAME: starts tcpdump at the client's end of the cable, into $WORK: hosts have a /tmp of their own
record() {
  daemon client $WORK/tcpdump.log tcpdump --immediate-mode -Z root -U -s 0 -i eth0 -w "$WORK/$1.pcap" 'tcp port 1723 or proto gre'
  TCPDUMP=$DAEMON
  wait_for 5 grep -q 'listening on' $WORK/tcpdump.log || bail 'tcpdump does not start' $WORK/tcpdump.log
}
recorded() { sleep 0.5; end_daemon $TCPDUMP; }

# conversation NAME CLIENT: connect, three pings, disconnect
conversation() {
  record "$1"
  pppd_start client "$VERSION" "$1" $(client_options "$2") $(session_options) noipv6
  check "$1: the tunnel comes up" tunnel_up client "$1" 20
  check "$1: pings" ping_tunnel client "$1"
  pppd_stop "$1"
  recorded
}

# reordered: as above through a path that delays some packets more than others
reordered() {
  netem client eth0 delay 20ms reorder 40% gap 3
  netem server eth0 delay 20ms reorder 40% gap 3
  record pptp-linux-reordered
  pppd_start client "$VERSION" reordered $(client_options pptp-linux) $(session_options) noipv6
  check "reordered: the tunnel comes up" tunnel_up client reordered 30
  on client ping -q -c 12 -i 0.01 -s 16 $TUNNEL_SERVER
  pppd_stop reordered
  recorded
  on client tc qdisc del dev eth0 root
  on server tc qdisc del dev eth0 root
}

pppd_of_pptpd() { local p; for p in $(ps -o pid= --ppid "$PPTPD"); do ps -o pid= --ppid "$p"; done | head -n 1; }

# hung_up: the server's PPP goes away under the call; then the daemon itself is told to end
hung_up() {
  record pptpd-hangs-up
  pppd_start client "$VERSION" hungup $(client_options pptp-linux) $(session_options) noipv6
  check "hung up: the tunnel comes up" tunnel_up client hungup 20
  # pptpd's child for the connection has pppd for a child
  kill -TERM "$(pppd_of_pptpd)"
  pppd_wait hungup 15
  recorded
}

# idle: no traffic but what keeps the connection alive
idle() {
  record pptp-linux-echo
  pppd_start client "$VERSION" idle $(client_options pptp-linux) $(session_options) noipv6 lcp-echo-interval 0
  check "idle: the tunnel comes up" tunnel_up client idle 20
  sleep 65
  pppd_stop idle
  recorded
}

plan "${PLAN:-6}"
network
pptpd_start
for pass in ${PASSES:-pptp-linux reordered hung_up idle kernel}; do
  case $pass in
    pptp-linux) conversation pptp-linux-pptpd pptp-linux ;;
    kernel) conversation kernel-pptpd plugin ;;
    *) $pass ;;
  esac
done
cp $WORK/*.pcap "$OUT"
ls -l "$OUT"/*.pcap
finish
