# mppe_impaired.sh PATH VERSION MODE [MEGABYTES] - encryption on a network that loses and reorders packets, with real pptpd,
# whose end is the kernel's ppp_mppe: all that comes in time is delivered, as it was sent, and nothing else. So many
# megabytes go down, and a fifth of that up, where pptpd is slower.
. "$REPO/tests/vm/lib.sh"
DATAPATH=${1:?which data path} VERSION=${2:-2.4.9} mode=${3:-128} megabytes=${4:-50}
. "$REPO/tests/vm/guest/datapath_lib.sh"
. "$REPO/tests/vm/guest/mppe_lib.sh"
# GRE packets that are longer than this carry the datagrams of the streams.
STREAM=1400
# Per cent that are lost; how many of those that arrive pptpd passes on at least, however seldom it runs.
case $mode in
  *-stateful) lost_up=1 lost_down=1 least_up=60 checks=18 ;;
  *) lost_up=5 lost_down=5 least_up=80 checks=19 ;;
esac

# harmed FROM TO ADDRESS LOST MEGABYTES RATE: a stream through a network that harms what FROM sends, recorded where it arrives
harmed() {
  wire_start "$2"
  # The recording begins with packets that can be decrypted.
  ping_tunnel client t && netem "$1" eth0 delay 15ms reorder 25% loss $4% limit 100000 || return 1
  counted_stream "$1" "$2" "$3" $(($5 * 1000000 / 1400)) "$6" || bail "the stream does not end" "$(log_of t)"
  wire_stop || return 1
  wire_frames > $WORK/frames
  on "$1" tc qdisc del dev eth0 root
}

# octets_passed_on: by pptpd to the server's kernel, which counts them when it has decrypted them
octets_passed_on() { on server cat /sys/class/net/ppp0/statistics/rx_bytes; }

# counter NAME: of the engine's
counter() { sed -n "s/.*counters: .*\<$1=\([0-9]*\).*/\1/p" "$(log_of t)" | tail -n 1; }
# resets_asked sent|rcvd, resets_acknowledged sent|rcvd: by the client, or received there
resets_asked() { grep -c "^$1 \[CCP ResetReq" "$(log_of t)"; }
resets_acknowledged() { grep -c "^$1 \[CCP ResetAck" "$(log_of t)"; }

# arrived FROM RECEIVER: how many of the frames that FROM has sent have come and can be decrypted
arrived() {
  case $mode in
    *-stateful) sent_by "$1" < $WORK/frames | decryptable_frames $STREAM "$2" ;;
    *) sent_by "$1" < $WORK/frames | encrypted_frames $STREAM ;;
  esac
}

# content TEXT HOST NONSENSE_BEFORE: what the stream that has just ended brought
content() {
  same "$1: nothing on the wire is in clear" 0 "$(clear_frames < $WORK/frames)"
  same "$1: nothing comes twice, misordered or changed" "0 0 0" "$MISORDERED $REPEATED $WRONG"
  same "$1: nor does anything that makes no sense" "$3" "$(nonsense "$2")"
}

plan $checks
network
# Otherwise pptpd's socket overflows when packets come in bursts.
sysctl -qw net.core.rmem_default=16000000
pptpd_with "$mode"
check_here "the tunnel comes up" open_tunnel t $(asking_for "$mode") noipv6 pptp_reorder_ms 60 pptp_reorder_packets 1000
same "its data path is $DATAPATH" "$DATAPATH" "$(carrier t)"
check "both ends encrypt" enabled t "$mode"
# What sends stops when its own queue is full, and loses nothing.
on client ip link set "$(interface_of t)" txqueuelen 1000
on server ip link set ppp0 txqueuelen 1000

before=$(nonsense server) octets=$(octets_passed_on)
check_here "up: the stream passes" harmed client server $TUNNEL_SERVER $lost_up $((megabytes / 5)) 2000
content up server "$before"
arrived=$(arrived client kernel)
passed_on=$((($(octets_passed_on) - octets) / 1400))
# What is missing is lost in pptpd, which gives up what it has waited for too long while it was not running.
between "up: of $arrived frames that arrive and can be decrypted so many are delivered" \
  $((arrived * least_up / 100)) "$arrived" "$RECEIVED"
# Some kilobytes are pings, and the stream's end.
[[ $mode == *-stateful ]] ||
  between "up: of $passed_on frames that pptpd passes on all are delivered" $((passed_on - 10)) "$passed_on" "$RECEIVED"
same "up: each request for a reset is answered" "$(resets_asked rcvd)" "$(resets_acknowledged sent)"

before=$(nonsense client)
check_here "down: the stream passes" harmed server client "$(address_of t)" $lost_down "$megabytes" 100000
content down client "$before"
arrived=$(arrived server engine)

check "afterwards all is well" ping_tunnel client t
check_here "SIGTERM ends it" close_tunnel t
note "$(grep -o 'counters: .*' "$(log_of t)" | tail -n 1)"
note "resets: asked for $(resets_asked sent), by the server $(resets_asked rcvd)"
# What came later than the engine waits.
stale=$(counter stale)
between "down: of $arrived frames so many came too late" 0 $((arrived / 25)) "${stale:-0}"
case $mode in
  *-stateful)
    # A frame that is too late leaves a gap, too; after it nothing can be decrypted before a reset, and how much that is
    # cannot be told from the wire.
    between "down: of $arrived frames that can be decrypted so many are delivered" \
      $((${stale:-0} == 0 ? arrived : arrived * 4 / 5)) "$arrived" "$RECEIVED"
    between "the client has asked for resets" 5 10000 "$(resets_asked sent)"
    ;;
  *)
    same "down: all the others are delivered" $((arrived - ${stale:-0})) "$RECEIVED"
    same "nobody has asked for a reset" "0 0" "$(resets_asked sent) $(resets_asked rcvd)"
    ;;
esac
finish
