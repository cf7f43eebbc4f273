# lib.sh - what the guest scripts share. Source it first:
#
#   . "$REPO/tests/vm/lib.sh"
#   plan 3
#   network                       # hosts "client" (10.99.0.2) and "server" (10.99.0.1), one veth pair
#   pptpd_start
#   pppd_start client 2.4.9 a $(client_options) $(session_options)
#   check "the tunnel comes up" wait_for 30 link_up client a
#   check "the server answers through it" ping_peer client 192.168.77.1
#   pppd_stop a && check "pppd ends with status 5" [ "$STATUS" = 5 ]
#   finish
#
# Sections: results, waiting, hosts, pppd, pptpd, the test kit's server, leftovers. Everything that a test writes goes
# below $WORK, the one directory that all hosts share, or $OUT.
set -u
SERVER=10.99.0.1 CLIENT_ADDRESS=10.99.0.2
TUNNEL_SERVER=192.168.77.1
WORK=/run/work
mkdir -p $WORK

# ---------------------------------------------------------------- results (the Test Anything Protocol)
planned=0 counted=0 failed=0

plan() { planned=$1; echo "1..$1"; }

pass() { counted=$((counted + 1)); echo "ok $counted - $1"; }

# flunk TEXT [DETAIL]
flunk() {
  counted=$((counted + 1)) failed=$((failed + 1))
  echo "not ok $counted - $1"
  [ -z "${2-}" ] || sed 's/^/# /' <<< "$2"
  return 1
}

# check TEXT COMMAND...: one test; what a failing command printed is shown.
check() {
  local text=$1 said
  shift
  if said=$("$@" 2>&1); then pass "$text"; else flunk "$text" "$said"; fi
}

# check_here TEXT COMMAND...: the same for a command that sets variables or starts processes for later, which "check"
# would do in a subshell.
check_here() {
  local text=$1
  shift
  if "$@" > $WORK/check 2>&1; then pass "$text"; else flunk "$text" "$(cat $WORK/check)"; fi
}

# same TEXT WANTED GOT
same() { if [ "$2" = "$3" ]; then pass "$1"; else flunk "$1" "wanted: $2"$'\n'"got:    $3"; fi; }

# between TEXT LOW HIGH VALUE: decimal fractions allowed.
between() {
  if awk -v l="$2" -v h="$3" -v v="$4" 'BEGIN { exit !(v != "" && v + 0 >= l && v + 0 <= h) }'; then pass "$1 ($4)"
  else flunk "$1" "$4 is not between $2 and $3"; fi
}

# bail TEXT [FILE]: the guest cannot go on
bail() { echo "Bail out! $1"; [ -z "${2-}" ] || sed 's/^/# /' "$2"; exit 1; }

note() { sed 's/^/# /' <<< "$*"; }

# show_log NAME...: the logs of these pppd, as notes.
show_log() { local name; for name; do echo "# --- log of $name"; sed 's/^/#   /' "$(log_of "$name")"; done; }

# finish: ends the script. Every failed test and every test that was planned and not reached fails the guest.
finish() {
  if [ "$failed" != 0 ]; then
    local log
    for log in $WORK/*.log $OUT/*.log; do
      case $log in */boot.log | *'*'*) continue ;; esac
      echo "# --- $log (its last 60 lines)"; tail -n 60 "$log" | sed 's/^/#   /'
    done
  fi
  if [ "$counted" != "$planned" ]; then echo "# planned $planned tests, ran $counted"; failed=$((failed + 1)); fi
  echo "# $((counted - failed > 0 ? counted - failed : 0)) of $planned tests passed"
  [ "$failed" = 0 ]
  exit
}

# ---------------------------------------------------------------- waiting
# Starting a process is dear in User-Mode Linux, and what waits would slow down what it waits for: the functions that
# are called again and again start none where bash can do it.
mkfifo $WORK/pause
nap() { read -r -t 0.05 <> $WORK/pause || :; }

# seconds since the guest started, in hundredths
now() { local uptime _; read -r uptime _ < /proc/uptime; echo "$uptime"; }
elapsed_since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.2f", b - a }'; }
# clock: sets CLOCK to the same as a whole number of hundredths
clock() { local uptime _; read -r uptime _ < /proc/uptime; CLOCK=$((10#${uptime/./})); }

centiseconds() { clock; echo "$CLOCK"; }

# wait_for SECONDS COMMAND...: until it succeeds; fails when the time is over.
wait_for() {
  local end
  clock
  end=$((${1} * 100 + CLOCK))
  shift
  until "$@" > /dev/null 2>&1; do
    clock
    [ "$CLOCK" -lt "$end" ] || { echo "still failing after the time allowed: $*"; return 1; }
    nap
  done
}

# soon COMMAND...: it succeeds now or in a while; what it says when it does not is shown
soon() { wait_for 30 "$@" > /dev/null || "$@"; }

# says FILE TEXT: the file has this text in it
says() { local text=; IFS= read -r -d '' text < "$1"; [[ $text == *"$2"* ]]; } 2> /dev/null

# gone PID: it has ended (a zombie that nobody has waited for counts as there)
gone() { ! [ -e "/proc/$1" ]; }

# ---------------------------------------------------------------- hosts
# A host is a network, mount and UTS namespace with its own /run, /tmp and /etc/ppp, held by a sleeping process.
declare -A HOST

host() {
  mkdir -p $WORK/hosts
  unshare --net --mount --uts --propagation private /bin/bash -c '
    set -e
    mount -t tmpfs -o mode=1777 tmpfs /tmp
    mount -t tmpfs -o mode=755 tmpfs /etc/ppp
    # $WORK stays common; the rest of /run is the own one.
    mkdir /mnt/work && mount --move /run/work /mnt/work 2> /dev/null || mount --bind /run/work /mnt/work
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir -p /run/work /run/lock /run/ppp /etc/ppp/peers
    mount --move /mnt/work /run/work && rmdir /mnt/work
    mount -t sysfs sys /sys
    : > /etc/ppp/options
    umask 077
    : > /etc/ppp/chap-secrets
    : > /etc/ppp/pap-secrets
    hostname "$1"
    # Addresses of the link are usable at once, and do not turn up in the middle of a comparison.
    echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad
    ip link set lo up
    : > "/run/work/hosts/$1"
    exec sleep infinity' host "$1" &
  HOST[$1]=$!
  wait_for 30 test -e "$WORK/hosts/$1" || bail "host $1 did not start"
}

# on HOST COMMAND...
on() { nsenter --target "${HOST[$1]}" --net --mount --uts -- "${@:2}"; }

# daemon HOST LOG COMMAND...: in the background; sets DAEMON to its process id (nsenter becomes the command)
daemon() {
  nsenter --target "${HOST[$1]}" --net --mount --uts -- "${@:3}" > "$2" 2>&1 < /dev/null &
  DAEMON=$!
}

# end_daemon PID [SIGNAL]
end_daemon() { kill -s "${2:-TERM}" "$1" && wait "$1"; } 2> /dev/null

# write_file HOST PATH: from standard input
write_file() { on "$1" /bin/sh -c 'cat > "$1"' sh "$2"; }

# cable HOST1 ADDRESS1/PREFIX HOST2 ADDRESS2/PREFIX [NAME]: a veth pair called NAME (default eth0) on both
cable() {
  local device=${5:-eth0}
  ip link add v-a type veth peer name v-b
  ip link set v-a netns "${HOST[$1]}" name "$device"
  ip link set v-b netns "${HOST[$3]}" name "$device"
  on "$1" ip address add "$2" dev "$device"
  on "$3" ip address add "$4" dev "$device"
  on "$1" ip link set "$device" up
  on "$3" ip link set "$device" up
}

# network [router]: client and server, on one cable, or with a router between them
network() {
  host client
  host server
  if [ "${1-}" = router ]; then
    host router
    cable client "$CLIENT_ADDRESS/24" router 10.99.0.254/24 lan
    cable server 10.98.0.1/24 router 10.98.0.254/24 wan
    on client ip link set lan name eth0 2> /dev/null || :
    SERVER=10.98.0.1
    on client ip route add default via 10.99.0.254
    on server ip route add default via 10.98.0.254
    on router sysctl -qw net.ipv4.ip_forward=1
  else
    cable client "$CLIENT_ADDRESS/24" server "$SERVER/24"
  fi
}

# netem HOST DEVICE ARGS...: delay 20ms, loss 1%, … on what HOST sends there
netem() { modprobe sch_netem && on "$1" tc qdisc replace dev "$2" root netem "${@:3}"; }

# answered HOST COUNT ARGS...: so many pings are. The first ones may not be: what comes before the other end's pppd has taken
# its interface up is dropped there. Without -w, ping waits for a late answer no longer than its interval.
answered() { on "$1" ping -n -q -c "$2" -i 0.2 -w 15 "${@:3}"; }

# ping_peer HOST ADDRESS [COUNT]
ping_peer() { answered "$1" "${3:-3}" "$2"; }

# ping_tunnel HOST NAME: the server answers through this pppd's own interface
ping_tunnel() { answered "$1" 3 -I "$(interface_of "$2")" $TUNNEL_SERVER; }

# ---------------------------------------------------------------- pppd
# pppd of this machine's own distribution, or of the tree that scripts/setup.sh keeps for the other version.
native_version() { local paths=(/usr/lib/pppd/[0-9]*); echo "${paths[0]##*/}"; }

# mount_trees: each other distribution's tree at /mnt/pppd-VERSION, writable like everything here. Done before there are
# hosts, because these take the mounts of the moment along.
mount_trees() {
  local tree version layer
  for tree in "$PPTP_RS_CACHE"/debian*/usr/lib/pppd/*; do
    [ -d "$tree" ] || continue
    version=${tree##*/} tree=${tree%/usr/lib/pppd/*}
    [ "$version" != "$(native_version)" ] || continue
    layer=/mnt/layer-$version
    mkdir -p "/mnt/pppd-$version" "$layer"
    # The writable layer cannot be on an overlay itself.
    mount -t tmpfs tmpfs "$layer" && mkdir "$layer/upper" "$layer/work" && chmod 755 "$layer/upper" &&
      mount -t overlay -o "lowerdir=$tree,upperdir=$layer/upper,workdir=$layer/work" overlay "/mnt/pppd-$version" &&
      mount --rbind /proc "/mnt/pppd-$version/proc" && mount --rbind /dev "/mnt/pppd-$version/dev" &&
      mkdir -p "/mnt/pppd-$version/lib/modules" && mount --rbind /lib/modules "/mnt/pppd-$version/lib/modules" ||
      bail "cannot mount $tree"
  done
}

# tree_for VERSION: prints the root directory of this pppd
tree_for() {
  if [ "$(native_version)" = "$1" ]; then echo /
  elif [ -d "/mnt/pppd-$1/usr" ]; then echo "/mnt/pppd-$1"
  else echo "lib.sh: no pppd $1 here; make setup makes a tree that has it" >&2; return 1; fi
}

# install_built: each built plugin where the pppd that it was built for looks, also under the name of the plugin that it
# replaces, and the test kit's programs
install_built() {
  local built version tree
  for built in "$GUEST_BUILD"/bin/*; do [ ! -e "$built" ] || cp "$built" /usr/local/bin/; done
  for built in "$GUEST_BUILD"/plugin/*/pptp-rs.so; do
    [ -e "$built" ] || continue
    version=${built%/*} version=${version##*/}
    tree=$(tree_for "$version") || continue
    install -m 644 "$built" "$tree/usr/lib/pppd/$version/pptp-rs.so"
    ln -sf pptp-rs.so "$tree/usr/lib/pppd/$version/pptp.so"
  done
}

declare -A PPPD
log_of() { echo "$WORK/$1.log"; }

# pppd_program HOST VERSION: sets PROGRAM to this pppd's command there, which starts in its tree if it has one
pppd_program() {
  local tree
  tree=$(tree_for "$2") || return 1
  PROGRAM=(/usr/sbin/pppd)
  [ "$tree" != / ] || return 0
  PROGRAM=(/usr/sbin/chroot "$tree" /usr/sbin/pppd)
  # /run, /tmp, /sys and /etc/ppp are the host's own; mounted in its namespace, so the hosts stay apart.
  on "$1" /bin/sh -c '
    mountpoint -q "$1/etc/ppp" && exit
    for d in /run /tmp /sys /etc/ppp; do mkdir -p "$1$d" && mount --rbind "$d" "$1$d" || exit 1; done' sh "$tree"
}

# pppd_start HOST VERSION NAME ARGS...: in the background, not detaching; its process id is ${PPPD[NAME]}
pppd_start() {
  pppd_program "$1" "$2" || return 1
  daemon "$1" "$(log_of "$3")" "${PROGRAM[@]}" nodetach ipparam "$3" "${@:4}"
  PPPD[$3]=$DAEMON
}

# pppd_wait NAME SECONDS: until it has ended; sets STATUS to its exit status ("running" when the time is over)
pppd_wait() {
  local pid=${PPPD[$1]}
  STATUS=running
  wait_for "$2" ended "$pid" > /dev/null 2>&1 || return 1
  wait "$pid" 2> /dev/null
  STATUS=$?
}
# ended PID: a child of this shell is no longer running (bash itself reaps it, or keeps it as a zombie until "wait")
ended() {
  local stat=
  read -r stat < "/proc/$1/stat" || return 0
  # "PID (NAME) STATE …"
  [[ $stat == *") Z "* ]]
} 2> /dev/null

# pppd_stop NAME [SIGNAL [SECONDS]]: sends TERM, or that signal, and waits at most 30 s; sets STATUS
pppd_stop() { kill -s "${2:-TERM}" "${PPPD[$1]}"; pppd_wait "$1" "${3:-30}"; } 2> /dev/null

# run_pppd SECONDS HOST VERSION NAME ARGS...: to its end, at most so long; sets STATUS and TOOK (seconds)
run_pppd() {
  local started
  started=$(now)
  pppd_start "${@:2}" || return 1
  pppd_wait "$4" "$1"
  TOOK=$(elapsed_since "$started")
  [ "$STATUS" != running ] || kill -KILL "${PPPD[$4]}"
}

# interface_of NAME: the interface that this pppd made
interface_of() { sed -n 's/.*Using interface \(ppp[0-9]*\).*/\1/p' "$(log_of "$1")" | tail -n 1; }

# link_up HOST NAME: its interface has addresses (IPCP is open)
link_up() {
  says "$(log_of "$2")" 'remote IP address' || return 1
  local interface
  interface=$(interface_of "$2")
  [ -n "$interface" ] && [[ $(on "$1" ip -4 -o address show dev "$interface") == *peer* ]]
}

# tunnel_up HOST NAME SECONDS: waits for link_up, and no longer than this pppd lives
tunnel_up() {
  wait_for "$3" up_or_ended "$1" "$2" && link_up "$1" "$2" || { cat "$(log_of "$2")"; return 1; }
}
up_or_ended() { link_up "$1" "$2" || ended "${PPPD[$2]}"; }

interface_gone() { ! on "$1" ip link show dev "$2"; }

# module_in_use NAME: something holds this kernel module
module_in_use() { awk -v m="$1" '$1 == m { n = $3 } END { exit !(n > 0) }' /proc/modules; }

# logged NAME PATTERN (extended regular expression)
logged() { grep -Eq -- "$2" "$(log_of "$1")" || { echo "no line like: $2"; cat "$(log_of "$1")"; return 1; }; }

# client_options [pptp-linux]: how a client pppd reaches $SERVER; CLIENT=pptp-linux makes that the default. DATAPATH says
# what carries the plugin's packets.
client_options() {
  case ${1:-${CLIENT:-plugin}} in
    plugin) echo plugin pptp-rs.so pptp_server "$SERVER" ${DATAPATH:+pptp_datapath "$DATAPATH"} ;;
    # Words with blanks do not survive $(…), so the command is a file.
    pptp-linux) pptp_linux_script; echo pty "$WORK/pptp-linux" ;;
  esac
}
pptp_linux_script() {
  printf '#!/bin/sh\nexec pptp %s --nolaunchpppd --loglevel 0\n' "$SERVER" > $WORK/pptp-linux
  chmod 755 $WORK/pptp-linux
}

# mppe: what both ends of a test say about encryption
mppe() { echo "${MPPE:-require-mppe-128}"; }

# session_options: what the client of a test asks for; MPPE-128 if it can be, MS-CHAPv2, and its name
session_options() { echo user alice "$(mppe)" noauth nobsdcomp nodeflate ipcp-accept-local ipcp-accept-remote debug; }

# client_secrets [HOST]
client_secrets() { write_file "${1:-client}" /etc/ppp/chap-secrets <<< 'alice * "open sesame" *'; }

# ---------------------------------------------------------------- pptpd
# pptpd_start [PPPD OPTION LINES...]: Debian's real server on host "server", MS-CHAPv2 required, and what mppe says
pptpd_start() {
  write_file server /etc/ppp/chap-secrets <<< 'alice pptpd "open sesame" *'
  { printf '%s\n' 'name pptpd' refuse-pap refuse-chap refuse-mschap require-mschap-v2 "$(mppe)" \
    nodefaultroute nobsdcomp nodeflate novj novjccomp nologfd debug "logfile $WORK/pptpd-pppd.log" "$@"; } | write_file server /etc/ppp/pptpd-options
  write_file server /run/pptpd.conf << CONF
option /etc/ppp/pptpd-options
localip $TUNNEL_SERVER
remoteip 192.168.77.10-99
connections 90
CONF
  client_secrets client
  daemon server $WORK/pptpd.log /usr/sbin/pptpd --fg --conf /run/pptpd.conf --pidfile /run/pptpd.pid
  PPTPD=$DAEMON
  wait_for 30 listening server 1723 || bail "pptpd does not listen" $WORK/pptpd.log
}
pptpd_stop() { end_daemon "$PPTPD"; }

# listening HOST PORT
listening() { [ -n "$(on "$1" ss -Htln "sport = :$2")" ]; }

# ---------------------------------------------------------------- the test kit's server
# server_start ARGS...: crates/pptp-testkit's fake-pptp-server on host "server"; its journal is $WORK/server.log
server_start() {
  daemon server $WORK/server.out fake-pptp-server --listen "$SERVER" --log $WORK/server.log "$@"
  FAKE_SERVER=$DAEMON
  wait_for 30 listening server 1723 || bail "the test kit's server does not listen" $WORK/server.out
}
server_stop() { end_daemon "$FAKE_SERVER" "${1:-TERM}"; }

# server_saw PATTERN (extended regular expression): a line of its journal
server_saw() { grep -Eq -- "$1" $WORK/server.log || { echo "the server saw no: $1"; cat $WORK/server.log; return 1; }; }

# pool_server_start [PPPD OPTIONS...]: many calls on one control connection (pptpd takes one), each with stock pppd on a
# pty; the client of call N gets 192.168.77.N
pool_server_start() {
  client_secrets
  write_file server /etc/ppp/chap-secrets <<< 'alice pptpd "open sesame" *'
  printf '%s\n' 'name pptpd' auth refuse-pap refuse-chap refuse-mschap require-mschap-v2 "$(mppe)" nobsdcomp nodeflate \
    debug "logfile $WORK/server-pppd.log" "$@" | write_file server /etc/ppp/options.server
  server_start --on sccrq=reply:channels=65535 --pty-pppd "$TUNNEL_SERVER:192.168.77.10%n file /etc/ppp/options.server"
}
calls_seen() { grep -c 'got Outgoing-Call-Request' $WORK/server.log; }
calls_open() { on server ip -o link show type ppp | wc -l; }
connections() { on client ss -Htn state established "dport = :1723" | wc -l; }

# ---------------------------------------------------------------- leftovers
# leftovers_before; …; leftovers_none TEXT: what is there that was not there before is a failed test. Compared are
# processes, sockets, interfaces and routes of each host, files, and the users of the kernel's modules.
# Seconds: whoever has to do with a peer that answers nothing takes six to give it up, and looking itself takes long here.
LEFTOVERS_WAIT=30
leftovers_before() {
  leftovers_list > $WORK/leftovers.before
  grep -q '^process .*init.sh' $WORK/leftovers.before || bail "leftovers_list does not work" $WORK/leftovers.before
}

leftovers_none() {
  local end found
  clock
  end=$((CLOCK + LEFTOVERS_WAIT * 100))
  while :; do
    leftovers_list > $WORK/leftovers.after
    if cmp -s $WORK/leftovers.before $WORK/leftovers.after; then pass "$1"; return; fi
    clock
    [ "$CLOCK" -lt "$end" ] || break
    sleep 0.3
  done
  found=$(diff $WORK/leftovers.before $WORK/leftovers.after | grep '^[<>]')
  flunk "$1" "$found"
}

# forget_killed HOST PID...: these pppds had SIGKILL. The sockets on which they were asked would go when somebody asks next.
forget_killed() {
  local host=$1
  shift
  on "$host" rm -f "${@/#//run/pptp-rs/tunnel-}"
  on "$host" rmdir /run/pptp-rs 2> /dev/null
  return 0
}

leftovers_list() {
  local where
  # First and alone: the list must not have the processes that look at it.
  ps -eo pid=,ppid=,stat=,args= > $WORK/processes
  {
    echo "@ processes"
    cat $WORK/processes
    echo "@ modules"
    cat /proc/modules
    for where in "${!HOST[@]}"; do
      on "$where" /bin/sh -c '
        echo "@ sockets $1"; ss -Hanp -A all
        echo "@ addresses $1"; ip -o address
        echo "@ routes $1"; ip route show table all
        echo "@ files $1"; find /run /tmp /etc/ppp /var/tmp /var/log -xdev ! -type d ! -path "/run/work/*"' sh "$where"
    done
  } | awk '
    $1 == "@" { kind = $2; host = $3; next }
    # Kernel threads (children of 2) come and go.
    kind == "processes" && $1 != 2 && $2 != 2 && !/ ps -eo / { print "process", $3 ~ /^Z/ ? "zombie" : "", $4, $5, $6, $7, $8 }
    kind == "modules" && $1 ~ /^(pptp|pppox|ppp_generic|ppp_mppe|ppp_async|ppp_synctty)$/ { print "module", $1, "used by", $3 }
    # A connection in TIME-WAIT belongs to no process any more.
    kind == "sockets" && $1 != "nl" && $1 != "u_dgr" && $2 != "TIME-WAIT" {
      gsub(/,pid=[0-9]*|,fd=[0-9]*/, "", $7)
      print host, "socket", $1, $2, $5, $6, $7
    }
    kind == "addresses" { print host, "address", $2, $3, $4 }
    kind == "routes" { print host, "route", $0 }
    # The database of connections belongs to pppd and stays.
    kind == "files" && $0 !~ /\/pppd2\.tdb$|^\/run\/pppd\/lock$/ { print host, "file", $0 }' | sort
}

export PATH=/usr/local/bin:$PATH
mount_trees
install_built
if [ "${CLIENT:-plugin}" = plugin ] && ! [ -e "/usr/lib/pppd/$(native_version)/pptp-rs.so" ]; then
  bail "there is no plugin in $GUEST_BUILD: make plugins builds it"
fi
