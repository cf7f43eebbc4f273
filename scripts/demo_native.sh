#!/bin/bash
# demo_native.sh [inside] - pptp-rsd and a client in two network namespaces of this machine, without PPP in any kernel: a stock
# pppd at each end, with the plugin and its data path "tun". Needs root and /dev/net/tun; touches nothing outside.
set -euo pipefail
repo=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
built=${CARGO_TARGET_DIR:-$repo/target}/release
plugin=$built/libpptp_rs.so
version=$("$repo/scripts/pppd-version.sh")

. "$repo/scripts/demo_lib.sh"

if [ "${1:-}" != inside ]; then
  say "" "pptp-rs without PPP in the kernel: its own server and a client, in two network namespaces of this machine" ""
  missing=''
  [ "$(id -u)" = 0 ] || missing='root'
  [ -c /dev/net/tun ] || missing="$missing /dev/net/tun"
  if [ -n "$missing" ]; then
    say "  not shown: this needs${missing:+ $missing}"
    exit 0
  fi
  [ -e "$plugin" ] || { echo "demo: $plugin is missing; make demo builds it" >&2; exit 1; }
  # Namespaces of processes, mounts and networks, which all end with this script.
  exec unshare --mount --net --pid --fork --kill-child "$(readlink -f "${BASH_SOURCE[0]}")" inside
fi

work=/run/demo
give_up() {
  say "" "RESULT: it does not work without PPP in the kernel: $1"
  for log in $work/*.log; do
    [ ! -s "$log" ] || { say "--- ${log##*/}"; tail -n 30 "$log"; }
  done
  exit 1
}
# wait_until SECONDS COMMAND...
wait_until() {
  local left=$(($1 * 20))
  shift
  until "$@" > /dev/null 2>&1; do
    [ $((left -= 1)) -gt 0 ] || return 1
    sleep 0.05
  done
}

# ---------------------------------------------------------------- the two ends
client() { "$@"; }
server() { nsenter --target "$holder" --net --mount -- "$@"; }
on() { "$@"; }
# in_background LOG COMMAND...: at the server's end; its number is $!
in_background() { nsenter --target "$holder" --net --mount -- "${@:2}" > "$work/$1" 2>&1 & }
# file END PATH: from standard input, and shown
file() {
  "$1" sh -c 'cat > "$1"' sh "$2"
  shown "$1" cat "$2"
}
# own_files: /run and /etc/ppp of one end, with the secret that both know
own_files() {
  mount -t tmpfs tmpfs /etc/ppp
  mount -t tmpfs tmpfs /run
  mkdir /etc/ppp/peers
  : > /etc/ppp/options
  (umask 077 && echo 'alice * "open sesame" *' > /etc/ppp/chap-secrets)
}
# present: what runs, what is open and what lies at either end; pppd's database of connections stays
present() {
  local end
  for end in client server; do
    $end sh -c 'ip -o link | cut -d : -f 2; ss -Hna -A tcp,udp,raw exclude time-wait
      find /run ! -type d ! -path "/run/demo/*" ! -name pppd2.tdb ! -path /run/pppd/lock'
  done
  ps -e -o comm= | grep -E 'ppp|pptp|iperf' || :
}
nothing_left() { [ "$(present)" = "$before" ]; }

mount -t proc proc /proc
own_files
mkdir $work
# The plugin and the programs, as if they were installed.
cp -a "/usr/lib/pppd/$version" $work/plugins
cp "$plugin" $work/plugins/pptp-rs.so
mount --bind $work/plugins "/usr/lib/pppd/$version"
PATH=$built:$PATH

# The server is in the namespaces of a process that only sleeps.
export -f own_files
unshare --net --mount bash -c 'own_files && touch /run/apart && exec sleep infinity' &
holder=$!
wait_until 5 server test -e /run/apart || give_up "no namespaces for the server"
ip link add eth0 type veth peer name eth0 netns $holder
client ip addr add 10.99.0.2/24 dev eth0
server ip addr add 10.99.0.1/24 dev eth0
for end in client server; do
  $end ip link set eth0 up
  $end ip link set lo up
done
before=$(present)

# ---------------------------------------------------------------- what is shown
say "  server   10.99.0.1   pptp-rsd, and for each call stock pppd $version with pptp-rs.so"
say "  client   10.99.0.2   stock pppd $version with pptp-rs.so"
if [ -e /dev/ppp ]; then
  say "  kernel   Linux $(uname -r): has PPP, of which no use is made"
  paths=('datapath tun' 'pptp_datapath tun')
else
  say "  kernel   Linux $(uname -r): has no PPP"
  paths=()
fi

file server /etc/ppp/pptpd.conf << CONF
option /etc/ppp/options.pptpd
localip 192.168.99.1
remoteip 192.168.99.10-99${paths[0]:+
${paths[0]}}
CONF
file server /etc/ppp/options.pptpd << OPTIONS
name vpn
require-mschap-v2
require-mppe-128
OPTIONS
typed server "pptp-rsd --fg --conf /etc/ppp/pptpd.conf &"
in_background pptp-rsd.log pptp-rsd --fg --conf /etc/ppp/pptpd.conf
rsd=$!
wait_until 5 grep -q listening $work/pptp-rsd.log || give_up "pptp-rsd does not listen"
news $work/pptp-rsd.log

file client /etc/ppp/peers/demo << PEER
plugin pptp-rs.so
pptp_server 10.99.0.1
user alice
require-mppe-128
noauth${paths[1]:+
${paths[1]}}
PEER
typed client "pppd call demo nodetach &"
started=$(date +%s%N)
pppd call demo nodetach > $work/client.log 2>&1 &
pppd=$!
wait_until 20 grep -q 'remote IP address' $work/client.log || give_up "the tunnel did not come up"
took=$((($(date +%s%N) - started) / 1000000))
news $work/client.log
say "" "  server, meanwhile:"
news $work/pptp-rsd.log
interface=$(awk '/^Using interface/ { print $3 }' $work/client.log)
grep -q 'MPPE 128-bit stateless' $work/client.log || give_up "the tunnel is not encrypted"
wait_until 5 ping -n -c 1 -W 1 192.168.99.1 || give_up "no answer through the tunnel"
shown client ping -n -c 3 -i 0.3 192.168.99.1 || give_up "no answer through the tunnel"

# gigabits ARGS...: what iperf3 measures for the receiver
gigabits() { iperf3 --client 192.168.99.1 --time 3 --format g "$@" 2>&1 | awk '/receiver/ { for (i = 2; i <= NF; i++) if ($i == "Gbits/sec") print $(i - 1) }'; }
in_background iperf3.log iperf3 --server --bind 192.168.99.1
iperf=$!
server bash -c 'until ss -ltn | grep -q :5201; do sleep 0.05; done' || give_up "iperf3 does not listen"
up=$(gigabits) down=$(gigabits --reverse)
[ -n "$up" ] && [ -n "$down" ] || give_up "no throughput could be measured"
kill $iperf

shown server pptp-rsctl sessions || give_up "pptp-rsctl cannot ask the server"
typed server "pptp-rsctl stats | grep -v ' 0\$'"
server pptp-rsctl stats | grep -v ' 0$' | indented

typed server "kill %pptp-rsd"
kill $rsd
status=0
wait $rsd || status=$?
[ $status = 0 ] || give_up "pptp-rsd ended with status $status"
news $work/pptp-rsd.log
wait $pppd || status=$?
say "" "  client, meanwhile:"
news $work/client.log
if ! wait_until 10 nothing_left; then
  diff <(echo "$before") <(present) > $work/left.log || :
  give_up "something is left after the end"
fi

say "" "  connected in           $took ms (pppd's start to addresses on $interface)"
say "  throughput             $up Gbit/s up, $down Gbit/s down (MPPE-128; one TCP flow, both ends on this machine)"
say "  after SIGTERM          pptp-rsd's exit status 0, the client's pppd's $status; no process, socket, interface or file left"
say "" "RESULT: it works without PPP in the kernel. A stock pppd with pptp-rs.so reached pptp-rsd, encrypted, and both directions carried traffic."
