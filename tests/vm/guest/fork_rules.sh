# fork_rules.sh [VERSION [PATH]] - the call manager is forked from pppd: what it must not take from pppd, and must not do to it
version=${1:-2.4.9} DATAPATH=${2:-}
. "$REPO/tests/vm/lib.sh"
plan 32

# manager: the process that holds the client's connection to the server
manager() { on client ss -Htnp "dport = :1723" | sed -n 's/.*pid=\([0-9]*\).*/\1/p' | sort -u; }
field() { awk -v f="$2:" '$1 == f { print $2 }' "/proc/$1/status"; }
session() { ps -o sid= -p "$1" | tr -d ' '; }
no_zombies() { ! ps -o stat=,args= --ppid "$1" | grep '^Z'; }
no_connections() { [ "$(connections)" = 0 ]; }
start() { pppd_start client "$version" "$1" $(client_options) $(session_options) "${@:2}"; }
# without the tree that a pppd may be in
standard_descriptors() { readlink "/proc/$1/fd/0" "/proc/$1/fd/1" "/proc/$1/fd/2" | sed 's|^/mnt/pppd-[^/]*||' | sort -u; }
pidfile() { on client head -n 1 "/run/ppp-$1.pid"; }
pidfile_lives() { [ -e "/proc/$(pidfile "$1")" ]; }
# detached COMMAND...: its output and status; at most 30 s, because a process that holds the pipe would block for ever
detached() { timeout 30 /bin/bash -c 'said=$("$@" < /dev/null); status=$?; echo "$said"; exit $status' detached "$@"; }
# pppd's own things among the descriptors of a process
holds_nothing() { ! readlink /proc/"$1"/fd/* | grep -E '/dev/ppp|/dev/pts|/dev/tty|\.pid|\.tdb|\.log'; }
# 1 if the process has a handler for SIGTERM (signal 15 is bit 14)
caught_sigterm() { echo $(((0x$(field "$1" SigCgt) >> 14) & 1)); }
another_manager() { local m; m=$(manager); [ -n "$m" ] && [ "$m" != "$1" ]; }
shared_with_second() { tunnel_up client f 30 && [ "$(connections)" = 1 ]; }
# pppd that redials all the time ends when it is told to
refuses_to_linger() {
  server_stop
  start g persist holdoff 0 maxfail 0
  sleep 3
  ! ended "${PPPD[g]}" || { echo "pppd gave up by itself"; return 1; }
  pppd_stop g
  [ "$STATUS" = 5 ] || { echo "status $STATUS instead of 5"; return 1; }
}
tunnel_options() { echo $(client_options) $(session_options) linkname "$1"; }

network
# Before the trees of other pppd get their views of /sys.
mount -t cgroup2 cgroup2 /sys/fs/cgroup && on client mount -t cgroup2 cgroup2 /sys/fs/cgroup || bail "no cgroup2"
pppd_program client "$version"
in_client=(nsenter --target "${HOST[client]}" --net --mount --uts --)
pool_server_start
leftovers_before

# --- what it is
start a linkname a
check "the tunnel comes up" tunnel_up client a 30
manager=$(manager)
check "pppd has no zombie child" no_zombies "${PPPD[a]}"
same "the manager is nobody's child" 1 "$(field "$manager" PPid)"
check "it is in a session of its own" test "$(session "$manager")" != "$(session "${PPPD[a]}")"
same "its standard descriptors are /dev/null" /dev/null "$(standard_descriptors "$manager")"
check "it holds nothing of pppd's: no /dev/ppp, no file, no pty" holds_nothing "$manager"
same "pppd's handler of SIGTERM is not its own" 0 "$(caught_sigterm "$manager")"
same "it has no capabilities" 0000000000000000 "$(field "$manager" CapEff)"
same "it is under seccomp" 2 "$(field "$manager" Seccomp)"

# --- its death must not run pppd's exit: pidfiles, routes, the database of connections
check "before: the pidfile names pppd" test "$(pidfile a)" = "${PPPD[a]}"
kill -TERM "$manager"
sleep 1
check "it ends with its last pppd only: SIGTERM changes nothing" ping_tunnel client a
kill -KILL "$manager"
pppd_wait a 30
same "when it is killed, pppd sees a hangup (16)" 16 "$STATUS"
start b linkname b persist holdoff 1 maxfail 0
check "with persist the tunnel comes up" tunnel_up client b 30
manager=$(manager)
kill -KILL "$manager"
check "when the manager is killed, persist redials with another one" wait_for 30 another_manager "$manager"
check "the tunnel comes back" wait_for 30 ping_tunnel client b
check "the pidfile was not deleted, and still names pppd" test "$(pidfile b)" = "${PPPD[b]}"
check "pppd has no zombie child after that" no_zombies "${PPPD[b]}"
pppd_stop b
same "SIGTERM ends it in spite of persist" 5 "$STATUS"

# --- detaching
started=$(now)
check 'said=$(pppd … updetach) returns when the tunnel is up' detached "${in_client[@]}" "${PROGRAM[@]}" $(tunnel_options c) updetach
between "and does not wait for the manager" 0 20 "$(elapsed_since "$started")"
check "the detached pppd is the one in the pidfile" pidfile_lives c
check "its tunnel carries traffic" ping_peer client $TUNNEL_SERVER
kill "$(pidfile c)"
check "SIGTERM ends it, and the connection" wait_for 30 no_connections
check "pppd that detaches before it connects returns at once" detached "${in_client[@]}" "${PROGRAM[@]}" $(tunnel_options d)
check "its tunnel comes up" wait_for 30 ping_peer client $TUNNEL_SERVER 1
detached=$(pidfile d)
kill -KILL "$detached"
check "when it is killed with SIGKILL the connection is closed" wait_for 30 no_connections

# --- a service that is stopped takes every process of its control group along
mkdir /sys/fs/cgroup/{first,second}
kill_group() { echo 1 > "/sys/fs/cgroup/$1/cgroup.kill" && pppd_wait e 30; } 2> /dev/null
# start_in GROUP NAME
start_in() {
  { echo "$BASHPID" > "/sys/fs/cgroup/$1/cgroup.procs" && exec "${in_client[@]}" "${PROGRAM[@]}" $(tunnel_options "$2") nodetach; } \
    > "$(log_of "$2")" 2>&1 < /dev/null &
  PPPD[$2]=$!
}
start_in first e
check "a tunnel of one service comes up" tunnel_up client e 30
start_in second f
check "a second service's shares its connection" shared_with_second
kill_group first
sleep 1
same "when the first service is killed with all its processes, the connection stays" 1 "$(connections)"
check "and the second service's tunnel lives on" ping_tunnel client f
pppd_stop f
check_here "SIGTERM with persist and holdoff 0 while the server is down" refuses_to_linger

on client /bin/sh -c 'rm -f /run/ppp*.pid'
forget_killed client "$detached" "${PPPD[e]}"
on server /bin/sh -c 'rm -f /run/ppp*.pid'
server_start
leftovers_none "no process, socket, interface or file is left behind"
finish
