# bench_reorder.sh PATH [SECONDS] - TCP through a network that delays three packets of four by 10 ms, next to one that delays
# all; with the engine's reordering and without
. "$REPO/tests/vm/lib.sh"
DATAPATH=${1:-tun} VERSION=$(native_version) seconds=${2:-8}
. "$REPO/tests/vm/guest/datapath_lib.sh"
plan 5

# goodput NAME NETEM OPTIONS...: Mbit/s of TCP from the server to the client, appended to $WORK/goodput
goodput() {
  open_tunnel "$1" "${@:3}" && netem server eth0 $2 || return 1
  on client iperf3 --client $TUNNEL_SERVER --reverse --time "$seconds" --omit 1 --format m > $WORK/iperf 2>&1
  awk '/receiver/ { for (i = 2; i <= NF; i++) if ($i == "Mbits/sec") print $(i - 1) }' $WORK/iperf > "$WORK/$1.goodput"
  on server tc qdisc del dev eth0 root
  [ -s "$WORK/$1.goodput" ] || { cat $WORK/iperf; return 1; }
  close_tunnel "$1"
}
measured() { cat "$WORK/$1.goodput"; }
part_of() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", b ? a / b : 0 }'; }

network
plain_server
daemon server $WORK/iperf-server.log iperf3 --server
wait_for 5 listening server 5201 || bail "iperf3 does not listen" $WORK/iperf-server.log
check_here "in order" goodput straight "delay 10ms"
check_here "reordered, with pptp_reorder_ms 20" goodput sorted "delay 10ms reorder 25%" pptp_reorder_ms 20 pptp_reorder_packets 500
check_here "reordered, with pptp_reorder_ms 0" goodput unsorted "delay 10ms reorder 25%" pptp_reorder_ms 0
check_here "reordered, with pptp_reorder_packets 0" goodput unkept "delay 10ms reorder 25%" pptp_reorder_packets 0
straight=$(measured straight) sorted=$(measured sorted)
echo
echo "TCP from the server through the tunnel ($DATAPATH, pppd $VERSION, pptpd), Mbit/s, $seconds s each"
echo "  10 ms, in order                          $straight"
echo "  10 ms, every fourth packet overtakes"
echo "    pptp_reorder_ms 20                     $sorted   ($(part_of "$sorted" "$straight") of it)"
echo "    pptp_reorder_ms 0                      $(measured unsorted)   ($(part_of "$(measured unsorted)" "$straight") of it)"
echo "    pptp_reorder_packets 0                 $(measured unkept)   ($(part_of "$(measured unkept)" "$straight") of it)"
between "with reordering it is at least 0.7 of what it is in order" 0.7 10 "$(part_of "$sorted" "$straight")"
finish
