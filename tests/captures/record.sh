# record.sh - records the captures of this directory anew, in a guest:
#
#   tests/vm/run.sh -t 300 -o OUTPUT_DIRECTORY tests/captures/record.sh
#   cp OUTPUT_DIRECTORY/*.pcap tests/captures
. "$REPO/tests/vm/lib.sh"
DATAPATH=kernel VERSION=${1:-2.4.9}
. "$REPO/tests/vm/guest/datapath_lib.sh"

# record NAME [FILTER]: starts tcpdump at the client's end of the cable, into $WORK: hosts have a /tmp of their own
record() {
  daemon client $WORK/tcpdump.log tcpdump --immediate-mode -Z root -U -s 0 -i eth0 -w "$WORK/$1.pcap" \
    "tcp port 1723 or (proto gre and ${2:-ip})"
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

# encrypted NAME CLIENT TRAFFIC OPTIONS...: a session between two kernels, with this traffic. MPPE is what the server asks for,
# FILTER what is kept of GRE.
encrypted() {
  local name=$1 client=$2 traffic=$3
  shift 3
  pptpd_stop
  pptpd_start mppe-stateful
  record "$name" "${FILTER:-ip}"
  # A packet of GRE must not be a fragment.
  pppd_start client "$VERSION" "$name" $(client_options "$client") $(MPPE="$*" session_options) noipv6 mtu 1460 mru 1460
  check "$name: the tunnel comes up" tunnel_up client "$name" 20
  check "$name: traffic" "$traffic" "$name"
  pppd_stop "$name"
  recorded
}

# ping_quickly COUNT SIZE
ping_quickly() { on client ping -n -q -c "$1" -i 0.004 -W 2 -s "$2" $TUNNEL_SERVER; }

# sizes: one packet of each of these lengths, the greatest as long as the tunnel lets pass; from both ends
sizes() {
  local mtu size
  mtu=$(on client cat "/sys/class/net/$(interface_of "$1")/mtu")
  for size in 29 30 31 32 33 40 64 65 128 255 256 257 511 576 1000 1280 $((mtu - 1)) "$mtu"; do
    on client ping -n -q -c 1 -W 2 -M do -s $((size - 28)) $TUNNEL_SERVER || return 1
  done
}

# datagrams FROM ADDRESS: UDP of different lengths to a port where nobody listens
datagrams() {
  on "$1" perl -MIO::Socket::INET -e '
    for my $length (0, 1, 2, 3, 16, 17, 100, 101, 1000, 1001, 1300) {
      my $socket = IO::Socket::INET->new(Proto => "udp", PeerAddr => $ARGV[0], PeerPort => 9) or die "connect: $@";
      $socket->send(join "", map { chr(($_ * 7) % 251) } 1 .. $length);
    }' "$2"
}

# all_kinds NAME: enough packets for a stateful key to change, of all lengths; UDP, TCP and ICMP
all_kinds() {
  local address
  address=$(address_of "$1")
  ping_quickly 270 1 && sizes "$1" && datagrams client $TUNNEL_SERVER && datagrams server "$address" || return 1
  random_file $WORK/file 5000
  transfer client server $TUNNEL_SERVER $WORK/file && transfer server client "$address" $WORK/file
}

# a_cycle NAME: more packets than coherency counts
a_cycle() { on client ping -n -q -f -c 4200 -s 0 $TUNNEL_SERVER; }
# Of those, some; and all where the count begins again.
SOME='(ip[20] & 0x10 != 0) and (ip[28:4] < 100 or ip[28:4] & 63 = 0 or (ip[28:4] > 4080 and ip[28:4] < 4160))'

# losses NAME: the client loses some of the packets that the server sends, after they are recorded
losses() {
  modprobe -a sch_ingress cls_matchall act_gact || return 1
  on client tc qdisc add dev eth0 ingress &&
    on client tc filter add dev eth0 ingress matchall action pass random determ drop 40 || return 1
  ping_quickly 400 1 > $WORK/pings
  cat $WORK/pings
  on client tc qdisc del dev eth0 ingress
  ping_tunnel client "$1" && logged "$1" 'rcvd \[CCP ResetAck'
}

plan "${PLAN:-19}"
network
pptpd_start
for pass in ${PASSES:-pptp-linux reordered hung_up idle kernel 128 40 cycle 128-stateful 40-stateful losses}; do
  case $pass in
    pptp-linux) conversation pptp-linux-pptpd pptp-linux ;;
    kernel) conversation kernel-pptpd plugin ;;
    128) encrypted mppe-128 pptp-linux all_kinds require-mppe-128 ;;
    40) MPPE=require-mppe-40 encrypted mppe-40 pptp-linux all_kinds require-mppe-40 ;;
    cycle) FILTER=$SOME encrypted mppe-128-cycle pptp-linux a_cycle require-mppe-128 ;;
    128-stateful) encrypted mppe-128-stateful plugin all_kinds pptp_mppe required,128,stateful ;;
    40-stateful) MPPE=require-mppe-40 encrypted mppe-40-stateful plugin all_kinds pptp_mppe required,40,stateful ;;
    losses) encrypted mppe-128-losses plugin losses pptp_mppe required,128,stateful ;;
    *) $pass ;;
  esac
done
cp $WORK/*.pcap "$OUT"
ls -l "$OUT"/*.pcap
finish
