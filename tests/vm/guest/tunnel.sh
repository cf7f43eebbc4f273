# tunnel.sh VERSION - stock pppd of this version and Debian's pptpd, MS-CHAPv2 and MPPE-128 over the kernel's PPTP
. "$REPO/tests/vm/lib.sh"
version=${1:-2.4.9}
plan 14

network
pptpd_start
leftovers_before
started=$(now)
pppd_start client "$version" vpn $(client_options) $(session_options)
check "pppd $version: the tunnel comes up" tunnel_up client vpn 30
note "IPCP was open after $(elapsed_since "$started") s"
check "the kernel's PPTP socket carries it" module_in_use pptp
check "the client proved who it is with CHAP" logged vpn 'CHAP authentication succeeded'
check "the server asked for MS-CHAPv2" grep -q 'auth chap MS-v2' $WORK/pptpd-pppd.log
check "MPPE with 128 bits is on at the client" logged vpn 'MPPE 128-bit stateless compression enabled'
check "MPPE with 128 bits is on at the server" grep -q 'MPPE 128-bit stateless compression enabled' $WORK/pptpd-pppd.log

interface=$(interface_of vpn)
address=$(on client ip -4 -o address show dev "$interface" | awk '{ print $4 }')
mtu=$(on client cat "/sys/class/net/$interface/mtu")
check "the server answers the client's pings" ping_peer client $TUNNEL_SERVER
check "the client answers the server's pings" ping_peer server "$address"
between "the interface's MTU leaves room for what is around it in 1500 bytes" 1400 1460 "$mtu"
check "a full packet gets through" answered client 2 -M do -s $((mtu - 28)) $TUNNEL_SERVER
same "and nothing outside was fragmented" 0 "$(on client awk '/^Ip: [0-9]/ { print $20 }' /proc/net/snmp)"

pppd_stop vpn
same "SIGTERM ends pppd with status 5" 5 "$STATUS"
check "its interface is gone" interface_gone client "$interface"
leftovers_none "no process, socket, interface or file is left behind"
finish
