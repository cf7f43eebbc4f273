# mppe.sh PATH VERSION [KILOBYTES [MODE...]] - encryption with real pptpd, whose end is the kernel's ppp_mppe; by default with
# 128 bits and with 40. On the data paths tun and pty the client's end is the engine's.
. "$REPO/tests/vm/lib.sh"
DATAPATH=${1:?which data path} VERSION=${2:-2.4.9} kilobytes=${3:-2000}
. "$REPO/tests/vm/guest/datapath_lib.sh"
. "$REPO/tests/vm/guest/mppe_lib.sh"
modes=("${@:4}")
[ ${#modes[@]} != 0 ] || modes=(128 40)
plan $((${#modes[@]} * 9))

# session MODE
session() {
  local address
  wire_start client
  check_here "$1: the tunnel comes up" open_tunnel t $(asking_for "$1")
  same "$1: its data path is $DATAPATH" "$DATAPATH" "$(carrier t)"
  check "$1: both ends encrypt" enabled t "$1"
  check "$1: pings go through" ping_tunnel client t
  check "$1: what passes is recorded" wire_stop
  wire_frames > $WORK/frames
  between "$1: the pings are encrypted" 3 100 "$(sent_by client < $WORK/frames | encrypted_frames)"
  same "$1: nothing is in clear" 0 "$(clear_frames < $WORK/frames)"
  address=$(address_of t)
  random_file $WORK/file $((kilobytes * 1000))
  check "$1: TCP arrives whole at the server" transfer client server $TUNNEL_SERVER $WORK/file
  check "$1: TCP arrives whole at the client" transfer server client "$address" $WORK/file
  close_tunnel t
}

network
for mode in "${modes[@]}"; do
  pptpd_with "$mode"
  session "$mode"
  pptpd_stop
done
finish
