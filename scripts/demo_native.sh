#!/bin/bash
# demo_native.sh [inside] - a tunnel between two network namespaces of this machine, without PPP in any kernel: two stock
# pppd, each with the plugin and its data path "tun". Needs root and /dev/net/tun; touches nothing outside.
set -euo pipefail
repo=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
target=${CARGO_TARGET_DIR:-$repo/target}
plugin=$target/release/libpptp_rs.so
server=$target/release/fake-pptp-server

say() { printf '%s\n' "$@"; }

if [ "${1:-}" != inside ]; then
  say "" "pptp-rs without PPP in the kernel: natively, in two network namespaces" ""
  missing=''
  [ "$(id -u)" = 0 ] || missing='root'
  [ -c /dev/net/tun ] || missing="$missing /dev/net/tun"
  if [ -n "$missing" ]; then
    say "  not shown: this needs${missing:+ $missing}"
    exit 0
  fi
  # Namespaces of processes, mounts and networks, which all end with this script.
  exec unshare --mount --net --pid --fork --kill-child "$(readlink -f "${BASH_SOURCE[0]}")" inside
fi

give_up() {
  say "" "RESULT: it does not work without PPP in the kernel: $1"
  for log in "$work"/*.log; do
    [ ! -s "$log" ] || { say "--- ${log##*/}"; tail -n 30 "$log"; }
  done
  exit 1
}
# shown COMMAND...: on the client, with its output, as it would look in a terminal
shown() {
  say "" "  client\$ $*"
  "$@" 2>&1 | sed 's/^/  /'
  return "${PIPESTATUS[0]}"
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
on_server() { nsenter --net=/proc/"$holder"/ns/net "$@"; }
# gigabits ARGS...: what iperf3 measures for the receiver
gigabits() { iperf3 --client 192.168.99.1 --time 3 --format g "$@" 2>&1 | awk '/receiver/ { for (i = 2; i <= NF; i++) if ($i == "Gbits/sec") print $(i - 1) }'; }

mount -t proc proc /proc
mount -t tmpfs tmpfs /etc/ppp
mount -t tmpfs tmpfs /run
work=/run/demo
mkdir $work
install -m 600 /dev/null /etc/ppp/options
cp "$plugin" $work/pptp-rs.so

# The server's network is the namespace of a process that only sleeps.
unshare --net sleep infinity &
holder=$!
own=$(readlink /proc/self/ns/net)
is_apart() { [ "$(readlink /proc/$holder/ns/net)" != "$own" ]; }
wait_until 5 is_apart || give_up "no network namespace"
ip link add client type veth peer name server netns $holder
ip addr add 10.99.0.2/24 dev client
ip link set client up
ip link set lo up
on_server ip addr add 10.99.0.1/24 dev server
on_server ip link set server up
on_server ip link set lo up

on_server "$server" --listen 10.99.0.1 --log $work/server.log \
  --plugin-pppd "plugin $work/pptp-rs.so noauth nodefaultroute 192.168.99.1:192.168.99.2 logfile $work/server-pppd.log" \
  > $work/server-output.log 2>&1 &
wait_until 5 grep -q listening $work/server.log || give_up "the server does not listen"

mkdir /etc/ppp/peers
printf '%s\n' "plugin $work/pptp-rs.so" 'pptp_server 10.99.0.1' noauth > /etc/ppp/peers/demo
say "  client   10.99.0.2   stock pppd with pptp-rs.so"
say "  server   10.99.0.1   the test kit's PPTP server, and stock pppd with pptp-rs.so"
if [ -e /dev/ppp ]; then
  say "  kernel   Linux $(uname -r): has PPP, of which no use is made"
  say 'pptp_datapath tun' >> /etc/ppp/peers/demo
else
  say "  kernel   Linux $(uname -r): has no PPP"
fi
say "" "  client\$ cat /etc/ppp/peers/demo"
sed 's/^/  /' /etc/ppp/peers/demo
say "" "  client\$ pppd call demo updetach"
started=$(date +%s%N)
pppd call demo updetach > $work/client.log 2>&1 || give_up "pppd ended with status $?"
took=$((($(date +%s%N) - started) / 1000000))
sed 's/^/  /' $work/client.log
interface=$(awk '/^Using interface/ { print $3 }' $work/client.log)
wait_until 5 ping -n -c 1 -W 1 192.168.99.1 || give_up "no answer through the tunnel"
shown ping -n -c 3 -i 0.3 192.168.99.1 || give_up "no answer through the tunnel"
shown ip -br address show dev "$interface"

on_server iperf3 --server --bind 192.168.99.1 > $work/iperf3.log 2>&1 &
on_server bash -c "until ss -ltn | grep -q :5201; do sleep 0.05; done" || give_up "iperf3 does not listen"
up=$(gigabits) down=$(gigabits --reverse)
[ -n "$up" ] && [ -n "$down" ] || give_up "no throughput could be measured"

kill -TERM "$(head -n 1 "/run/$interface.pid")"
is_gone() { [ ! -e "/sys/class/net/$interface" ] && ! ip link show dev "$interface"; }
wait_until 10 is_gone || give_up "the interface $interface is left after SIGTERM"

say "" "  connected in           $took ms (pppd's start to addresses on $interface)"
say "  throughput             $up Gbit/s up, $down Gbit/s down (no encryption; one TCP flow, both ends on this machine)"
say "" "RESULT: it works without PPP in the kernel. Two stock pppd talked through the plugin's own engine and TUN devices."
