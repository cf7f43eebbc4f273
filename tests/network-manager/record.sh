#!/bin/bash
# record.sh > argv - how NetworkManager starts pppd for a PPTP connection, one argument a line: what the real nm-pptp-service of this
# Debian does when it is asked to connect. Nothing is installed. The packages are unpacked into a temporary directory; the service
# runs on a D-Bus of its own, in mount and network namespaces of its own, where a stub that writes down its arguments lies over pppd.
# Needs root, dbus-daemon, busctl, unshare, apt-get and dpkg.
#
# The number in "nm-pptp-service-NUMBER" is the service's process id.
set -euo pipefail

# What the editor of connections writes for MPPE-128 and MS-CHAPv2 alone.
connection=(gateway 10.99.0.1 user alice refuse-eap yes refuse-pap yes refuse-chap yes refuse-mschap yes
  require-mppe-128 yes lcp-echo-failure 5 lcp-echo-interval 30)

if [ "${1-}" != inside ]; then
  directory=$(mktemp -d)
  trap 'rm -rf "$directory"' EXIT
  (cd "$directory" && apt-get -q download network-manager-pptp libnm0 >&2 && for p in *.deb; do dpkg -x "$p" tree; done)
  echo "# $(cd "$directory" && echo network-manager-pptp_*.deb), recorded by tests/network-manager/record.sh"
  unshare --mount --net --propagation private "${BASH_SOURCE[0]}" inside "$directory"
  exit
fi

directory=$2 tree=$2/tree
mount -t tmpfs tmpfs /run
ip link set lo up
cat > /run/pppd << 'STUB'
#!/bin/sh
printf '%s\n' "$@" > /run/arguments.new
mv /run/arguments.new /run/arguments
STUB
chmod 755 /run/pppd
mount --bind /run/pppd /usr/sbin/pppd
mkdir /run/dbus
cat > /run/bus.conf << 'CONF'
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow own="*"/> <allow send_destination="*"/> <allow receive_sender="*"/>
  </policy>
</busconfig>
CONF
dbus-daemon --config-file=/run/bus.conf --nofork >&2 &
bus=$!
until [ -e /run/dbus/system_bus_socket ]; do sleep 0.05; done
library=$(dirname "$(find "$tree" -name libnm.so.0)")
LD_LIBRARY_PATH=$library "$tree/usr/lib/NetworkManager/nm-pptp-service" >&2 &
service=$!
trap 'kill "$service" "$bus"' EXIT
call=(busctl --system call org.freedesktop.NetworkManager.pptp /org/freedesktop/NetworkManager/VPN/Plugin
  org.freedesktop.NetworkManager.VPN.Plugin Connect 'a{sa{sv}}' 3
  connection 3 id s vpn uuid s 11111111-2222-3333-4444-555555555555 type s vpn
  vpn 3 service-type s org.freedesktop.NetworkManager.pptp
  data 'a{ss}' $((${#connection[@]} / 2)) "${connection[@]}" secrets 'a{ss}' 1 password "open sesame"
  ipv4 1 method s auto)
for _ in {1..100}; do
  "${call[@]}" 2> /run/call.log && break
  sleep 0.1
done
for _ in {1..100}; do
  [ ! -e /run/arguments ] || { cat /run/arguments; exit; }
  sleep 0.1
done
cat /run/call.log >&2
exit 1
