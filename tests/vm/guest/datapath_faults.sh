# datapath_faults.sh PATH VERSION - the processes and devices of a data path (tun, pty) die one after the other: pppd hangs
# up, redials if it was told to, and nothing stays behind
. "$REPO/tests/vm/lib.sh"
DATAPATH=${1:?which data path} VERSION=${2:-2.4.9}
. "$REPO/tests/vm/guest/datapath_lib.sh"

# Seconds that a busy machine may take for what is done at once; nothing else would end these calls.
AT_ONCE=10

manager() { on client ss -Htnp "dport = :1723" | sed -n 's/.*pid=\([0-9]*\).*/\1/p' | sort -u; }

# after TEXT SECONDS COMMAND...: the tunnel is up; the command, and pppd hangs up (16) within this time
after() {
  local begun
  check_here "$1: the tunnel was up" open_tunnel t
  begun=$(now)
  "${@:3}" || bail "$1: ${*:3} failed"
  pppd_wait t 30
  between "$1: pppd ends soon, seconds" 0 "$2" "$(elapsed_since "$begun")"
  same "$1: with status 16 (hang-up)" 16 "$STATUS"
  [ "$STATUS" != running ] || pppd_stop t KILL
  nothing_stays "$1"
}
nothing_stays() {
  wait_for 30 no_server_interface
  on server /bin/sh -c 'rm -f /run/ppp*.pid'
  leftovers_none "$1: no process, socket, interface or file is left behind"
}

kill_engine() { kill -KILL "$(engine)"; }
kill_manager() { kill -KILL "$(manager)"; }
kill_pptpctrl() { kill -KILL "$(pptpctrl)"; }
delete_interface() { on client ip link del "$(interface_of t)"; }

# killed: pppd itself, with a signal that it cannot answer
killed() {
  local engine
  check_here "pppd killed: the tunnel was up" open_tunnel t
  engine=$(engine)
  check "pppd killed: there is an engine" test -e "/proc/$engine"
  pppd_stop t KILL
  check "pppd killed: the engine ends" wait_for 30 gone "$engine"
  on client /bin/sh -c 'rm -f /run/ppp*.pid'
  forget_killed client "${PPPD[t]}"
  nothing_stays "pppd killed"
}

# terminated: the engine outlives signals that are meant for pppd
terminated() {
  local signal
  check_here "signals to the engine: the tunnel was up" open_tunnel t
  for signal in TERM INT HUP; do kill -s $signal "$(engine)"; done
  sleep 0.5
  check "signals to the engine: it goes on" ping_tunnel client t
  check_here "signals to the engine: SIGTERM ends pppd" close_tunnel t
  nothing_stays "signals to the engine"
}

# redialled: with persist, a dead engine is replaced
another_engine() { local e; e=$(engine); [ -n "$e" ] && [ "$e" != "$1" ]; }
redialled() {
  local engine
  check_here "persist: the tunnel was up" open_tunnel t persist holdoff 1 maxfail 0
  engine=$(engine)
  kill -KILL "$engine"
  check "persist: there is another engine" wait_for 30 another_engine "$engine"
  check "persist: the tunnel is up again" wait_for 30 ping_tunnel client t
  check_here "persist: SIGTERM ends pppd" close_tunnel t
  nothing_stays "persist"
}

# confined: what the engine is, while it works
field() { awk -v f="$2:" '$1 == f { print $2 }' "/proc/$1/status"; }
pppds_things() { readlink /proc/"$1"/fd/* | grep -E '/dev/ppp|/dev/tty|\.pid|\.tdb|\.log'; }
confined() {
  local engine
  check_here "the engine: the tunnel was up" open_tunnel t
  engine=$(engine)
  same "the engine: it is nobody's child" 1 "$(field "$engine" PPid)"
  same "the engine: it has no capabilities" 0000000000000000 "$(field "$engine" CapEff)"
  same "the engine: it is under seccomp" 2 "$(field "$engine" Seccomp)"
  same "the engine: it holds nothing of pppd's" "" "$(pppds_things "$engine")"
  check_here "the engine: SIGTERM ends pppd" close_tunnel t
}

plan $((4 * 4 + 4 + 4 + 5 + 6))
network
plain_server
leftovers_before
confined
after "engine killed" $AT_ONCE kill_engine
after "call manager killed" $AT_ONCE kill_manager
after "server's end killed" $AT_ONCE kill_pptpctrl
after "interface deleted" $AT_ONCE delete_interface
killed
terminated
redialled
finish
