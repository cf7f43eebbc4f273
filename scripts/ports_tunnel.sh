#!/bin/bash
# ports_tunnel.sh TREE BUILD - encrypted tunnels in which a program of 32 bits takes part, in namespaces of this machine. Needs root,
# /dev/net/tun, iperf3 and a kernel that runs 32-bit x86. Part of scripts/ports.sh.
#   TREE    the root directory of a Debian for i386 with ppp
#   BUILD   built for i686 (plugin, pptp-rsd), for x86_64 with musl (pptp-rsd, static), for this machine (plugin): TARGET/debug/{libpptp_rs.so,pptp-rsd}
#
# The server's end is the tree: pptp-rsd of 32 bits, or of 64 with musl, and for each call the tree's pppd. The client's end is the
# tree, or this machine.
set -euo pipefail
tree=$(readlink -f "$1") build=$(readlink -f "$2")
if [ "${3:-}" != inside ]; then
  [ "$(id -u)" = 0 ] || { echo "ports: tunnels need root" >&2; exit 1; }
  # Namespaces of processes, mounts and networks, which all end with this script.
  exec unshare --mount --net --pid --fork --kill-child "$(readlink -f "${BASH_SOURCE[0]}")" "$tree" "$build" inside
fi
version=$(ls "$tree/usr/lib/pppd")
native=x86_64-unknown-linux-gnu i386=i686-unknown-linux-gnu musl=x86_64-unknown-linux-musl

give_up() {
  echo "ports: $1" >&2
  tail -n 40 /run/ports/*.log >&2 || :
  exit 1
}
# wait_until SECONDS COMMAND...
wait_until() {
  local left=$(($1 * 10))
  shift
  until "$@" > /dev/null 2>&1; do
    [ $((left -= 1)) -gt 0 ] || return 1
    sleep 0.1
  done
}
# own_files ROOT: its /run and /etc/ppp, with the secret that both ends know
own_files() {
  mount -t tmpfs tmpfs "$1/run"
  mount -t tmpfs tmpfs "$1/etc/ppp"
  : > "$1/etc/ppp/options"
  (umask 077 && echo 'alice * "open sesame" *' > "$1/etc/ppp/chap-secrets")
}
# plugin_in ROOT PLUGIN
plugin_in() {
  mkdir "$1/run/plugins"
  cp -a "$1/usr/lib/pppd/$version/." "$1/run/plugins"
  cp "$2" "$1/run/plugins/pptp-rs.so"
  mount --bind "$1/run/plugins" "$1/usr/lib/pppd/$version"
}
# The tree at the client's end and at the server's, and this machine, each with files of its own.
machine() {
  own_files "$1"
  plugin_in "$1" "$build/$2/debug/libpptp_rs.so"
  [ "$1" = / ] || { mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc"; }
}
server() { nsenter --target "$holder" --net --mount -- "$@"; }

mount -t proc proc /proc
export -f own_files plugin_in machine
export build version
unshare --net --mount bash -c 'machine "$1" "$2" && touch "$1/run/apart" && exec sleep infinity' _ "$tree" "$i386" &
holder=$!
machine / "$native"
machine "$tree" "$i386"
mkdir /run/ports
wait_until 5 server test -e "$tree/run/apart" || give_up "no namespaces for the server"
ip link add eth0 type veth peer name eth0 netns $holder
ip addr add 10.98.0.2/24 dev eth0
server ip addr add 10.98.0.1/24 dev eth0
for link in eth0 lo; do ip link set $link up; server ip link set $link up; done
server sh -c "cat > $tree/etc/ppp/pptpd.conf" << CONF
option /etc/ppp/options.pptpd
localip 192.168.98.1
remoteip 192.168.98.10-99
datapath tun
CONF
server sh -c "cat > $tree/etc/ppp/options.pptpd" << OPTIONS
name vpn
require-mschap-v2
require-mppe-128
OPTIONS

# tunnel SERVER CLIENT ROOT: one, with traffic both ways, and its end
tunnel() {
  local log=/run/ports/client.log pppd status=0 iperf
  # An engine of the one before may be about to end.
  server cp --remove-destination "$build/$1/debug/pptp-rsd" "$tree/run/pptp-rsd"
  nsenter --target "$holder" --net --mount -- chroot "$tree" /run/pptp-rsd --fg --conf /etc/ppp/pptpd.conf > /run/ports/pptp-rsd.log 2>&1 &
  local rsd=$!
  wait_until 20 grep -q listening /run/ports/pptp-rsd.log || give_up "pptp-rsd ($1) does not listen"
  chroot "$3" /usr/sbin/pppd plugin pptp-rs.so pptp_server 10.98.0.1 user alice require-mppe-128 noauth pptp_datapath tun nodetach > $log 2>&1 &
  pppd=$!
  wait_until 60 grep -q 'remote IP address' $log || give_up "$2 cannot connect to $1"
  wait_until 5 grep -q 'MPPE 128-bit stateless' $log || give_up "the tunnel between $2 and $1 is not encrypted"
  wait_until 10 ping -n -c 1 -W 1 192.168.98.1 || give_up "no answer through the tunnel between $2 and $1"
  ping -n -q -c 5 -i 0.2 -s 1300 192.168.98.1 > /run/ports/ping.log || give_up "packets are lost between $2 and $1"
  server iperf3 --server --bind 192.168.98.1 --one-off > /run/ports/iperf.log 2>&1 &
  iperf=$!
  wait_until 10 server sh -c 'ss -ltn | grep -q :5201' || give_up "iperf3 does not listen"
  iperf3 --client 192.168.98.1 --time 3 --bidir > /run/ports/traffic.log 2>&1 || give_up "no traffic between $2 and $1"
  [ "$(grep -c receiver /run/ports/traffic.log)" = 2 ] || give_up "no traffic between $2 and $1"
  wait $iperf || :
  kill -TERM $pppd
  wait $pppd || status=$?
  [ $status = 5 ] || give_up "pppd of $2 ended with status $status"
  kill -TERM $rsd
  wait $rsd || :
  echo "  tunnel: pptp-rsd $1, its pppd i386 · pppd $2 · MPPE-128 · TCP both ways"
}

for daemon in $i386 $musl; do
  tunnel $daemon $i386 "$tree"
  tunnel $daemon $native /
done
