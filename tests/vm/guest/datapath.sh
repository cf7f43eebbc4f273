# datapath.sh PATH VERSION [CYCLES] - a data path forced (kernel, tun, pty): stock pppd of this version against Debian's
# pptpd without MPPE; IPv4, IPv6 and TCP both ways, then again and again, and nothing stays
. "$REPO/tests/vm/lib.sh"
DATAPATH=${1:?which data path} VERSION=${2:-2.4.9} cycles=${3:-20}
. "$REPO/tests/vm/guest/datapath_lib.sh"
plan $((17 + cycles))

# slab: kilobytes of kernel objects that cannot be given back at will
slab() { awk '$1 == "SUnreclaim:" { print $2 }' /proc/meminfo; }
nothing_runs() {
  [ -z "$(engine)" ] && [ -z "$(on client ip -o link show type ppp; on client ip -o link show type tun)" ] &&
    [ -z "$(on client find /run/pptp-rs -type s 2> /dev/null)" ]
}
cycle() {
  open_tunnel "cycle$1" && ping_peer client $TUNNEL_SERVER 1 && close_tunnel "cycle$1" || return 1
  wait_for 30 nothing_runs || { engine; on client ip -o link; on client ls -l /run/pptp-rs; return 1; }
}

network
plain_server
leftovers_before
started=$(now)
check_here "pppd $VERSION on $DATAPATH: the tunnel comes up" open_tunnel vpn
note "IPCP was open after $(elapsed_since "$started") s"
same "it is on that data path" "$DATAPATH" "$(carrier vpn)"
check "it says so" logged vpn "data path $DATAPATH"
interface=$(interface_of vpn)
address=$(address_of vpn)
mtu=$(on client cat "/sys/class/net/$interface/mtu")
check "the interface is a point-to-point one of PPP's kind" grep -q 'POINTOPOINT.*link/ppp' <<< "$(on client ip -o link show dev "$interface")"
check "the server answers the client's pings" ping_peer client $TUNNEL_SERVER
check "the client answers the server's pings" ping_peer server "$address"
check "the server answers by IPv6" ping6_tunnel vpn
between "the MTU leaves room for what is around it in 1500 bytes" 1400 1460 "$mtu"
check "a full packet gets through" answered client 2 -M do -s $((mtu - 28)) $TUNNEL_SERVER
same "and nothing outside was fragmented" 0 "$(on client awk '/^Ip: [0-9]/ { print $20 }' /proc/net/snmp)"
random_file $WORK/file 2000000
check "2 MB of TCP arrive whole at the server" transfer client server $TUNNEL_SERVER $WORK/file
check "2 MB of TCP arrive whole at the client" transfer server client "$address" $WORK/file
check_here "SIGTERM ends pppd with status 5" close_tunnel vpn
check "its interface is gone" interface_gone client "$interface"
leftovers_none "no process, socket, interface or file is left behind"

# The first cycles have filled the kernel's caches.
before=$(slab) started=$(now)
for n in $(seq "$cycles"); do
  check_here "cycle $n leaves nothing behind" cycle "$n"
done
note "$cycles cycles in $(elapsed_since "$started") s"
leftovers_none "after $cycles cycles no process, socket, interface or file is left behind"
between "and the kernel's memory has not grown, KiB" -100000 1500 $(($(slab) - before))
finish
