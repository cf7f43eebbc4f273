# mppe.sh PATH VERSION [KILOBYTES] - MPPE with real pptpd, whose end is the kernel's ppp_mppe: 128 bits and 40 bits.
# On the data path tun the client's end is the engine's.
. "$REPO/tests/vm/lib.sh"
DATAPATH=${1:?which data path} VERSION=${2:-2.4.9} kilobytes=${3:-2000}
. "$REPO/tests/vm/guest/datapath_lib.sh"
plan $((2 * 8))

# in_clear: packets on the wire with what the pings carry
seen_in_clear() { grep -c '7070747020696e20636c656172' < <(od -An -v -tx1 "$1" | tr -d ' \n'); }

# session TEXT PATTERN OPTION...: a tunnel whose two ends have these options
session() {
  local text=$1 pattern=$2 address sniffer
  shift 2
  MPPE=$1 pptpd_start "${@:2}"
  daemon server $WORK/wire timeout 60 perl -e '
    use Socket;
    socket(my $raw, 17, 3, 0x300) or die "packet socket: $!"; # AF_PACKET, SOCK_RAW, all protocols
    $| = 1;
    while (defined recv($raw, my $packet, 65536, 0)) { print $packet if substr($packet, 23, 1) eq "\x2f" }'
  sniffer=$DAEMON
  check_here "$text: the tunnel comes up" open_tunnel t "$@"
  same "$text: its data path is $DATAPATH" "$DATAPATH" "$(carrier t)"
  check "$text: it is on at the client" logged t "$pattern"
  check "$text: it is on at the server" grep -q "$pattern" $WORK/pptpd-pppd.log
  check "$text: pings go through" on client ping -n -q -c 5 -i 0.2 -W 5 -s 64 -p 7070747020696e20636c656172 $TUNNEL_SERVER
  end_daemon "$sniffer"
  same "$text: none of them was to be read on the way" 0 "$(seen_in_clear $WORK/wire)"
  address=$(address_of t)
  random_file $WORK/file $((kilobytes * 1000))
  check "$text: TCP arrives whole at the server" transfer client server $TUNNEL_SERVER $WORK/file
  check "$text: TCP arrives whole at the client" transfer server client "$address" $WORK/file
  close_tunnel t
  pptpd_stop
}

network
session "128 bits" 'MPPE 128-bit stateless compression enabled' require-mppe-128
session "40 bits" 'MPPE 40-bit stateless compression enabled' require-mppe-40

finish
