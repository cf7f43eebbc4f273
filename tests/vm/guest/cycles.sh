# cycles.sh VERSION [COUNT] - connect, one ping, disconnect, again and again; nothing stays
. "$REPO/tests/vm/lib.sh"
version=${1:-2.4.9} count=${2:-20}
plan $((count + 1))

cycle() {
  pppd_start client "$version" "cycle$1" $(client_options) $(session_options) &&
    tunnel_up client "cycle$1" 30 && ping_peer client $TUNNEL_SERVER 1 || return 1
  pppd_stop "cycle$1"
  [ "$STATUS" = 5 ] || { echo "exit status $STATUS instead of 5"; return 1; }
}

network
pptpd_start
leftovers_before
started=$(now)
for n in $(seq "$count"); do
  check_here "cycle $n" cycle "$n"
done
note "$count cycles in $(elapsed_since "$started") s"
leftovers_none "after $count cycles no process, socket, interface or file is left behind"
finish
