# features.sh PATH VERSION - what pppd does with the interface on this data path (kernel, tun, pty) besides carrying
# packets: dialling on demand, idleness and filters, detaching, redialling, names and numbers, statistics, routes and names
. "$REPO/tests/vm/lib.sh"
DATAPATH=${1:?which data path} VERSION=${2:-2.4.9}
. "$REPO/tests/vm/guest/datapath_lib.sh"
DEMAND="demand 192.168.77.10:$TUNNEL_SERVER"

index_of() { on client cat "/sys/class/net/$1/ifindex"; }
ended_with() { pppd_wait "$1" "$2"; status_is "$3"; }
# first_ping: the first packets of a call, which pppd keeps while it dials. The server's kernel drops those that are there
# before its pppd has taken the interface up, and the client's an answer that is faster than pppd, which sends them a moment
# before it lets the network pass; but the engine sends all of them.
first_ping() {
  on client ping -n -c 1 -i 1 -w 30 $TUNNEL_SERVER > $WORK/first || { cat $WORK/first; return 1; }
  [ "$DATAPATH" != tun ] || all_came
}
# all_came: up to the one that was answered the server has received them all, 84 bytes each, whether it dropped them or not
all_came() {
  local number bytes
  number=$(sed -n 's/.*icmp_seq=\([0-9]*\) .*/\1/p' $WORK/first)
  bytes=$(on server cat /sys/class/net/ppp0/statistics/rx_bytes)
  [ "$bytes" -ge $((number * 84)) ] || { echo "the server has received $bytes bytes"; cat $WORK/first; return 1; }
}
# small, large: pings of 84 and of 1228 bytes
small() { answered client 2 $TUNNEL_SERVER; }
large() { on client ping -n -q -c 2 -i 0.2 -W 2 -s 1200 $TUNNEL_SERVER; }
calls_made() { grep -c 'PPTP call to .* is up' "$(log_of "$1")"; }
made_calls() { [ "$(calls_made "$1")" -ge "$2" ]; }
made_another_call() { made_calls t 2 && link_up client t; }

on_demand() {
  local index
  dial t $DEMAND noipv6 idle 6
  check "demand: the interface is there before any call" wait_for 30 says "$(log_of t)" 'Using interface'
  index=$(index_of "$(interface_of t)") || index=none
  sleep 0.5
  same "demand: nothing has called yet" 0 "$(calls_made t)"
  check "demand: the packet that started the call gets through" first_ping
  same "demand: it is on this data path" "$DATAPATH" "$(carrier t)"
  check "demand: after 6 s without packets it hangs up" wait_for 30 says "$(log_of t)" 'Terminating connection due to lack of activity'
  wait_for 30 no_server_interface
  check "demand: the next packet calls again" first_ping
  same "demand: there were two calls" 2 "$(calls_made t)"
  same "demand: over the same interface" "$index" "$(index_of "$(interface_of t)")"
  check_here "demand: SIGTERM ends it" close_tunnel t
}

idleness() {
  check_here "idle, active-filter: the tunnel comes up" open_tunnel t idle 6 active-filter 'icmp and greater 1000'
  # What the filter does not count as activity, all the time.
  daemon client /dev/null ping -q -i 0.3 -w 60 $TUNNEL_SERVER
  # What it does, for longer than that: one a second.
  on client ping -q -c 9 -s 1200 $TUNNEL_SERVER > /dev/null
  check "active-filter: what it accepts keeps the tunnel up" link_up client t
  check_here "active-filter: what it does not accept does not (12, idle)" ended_with t 30 12
  end_daemon "$DAEMON"
}

passing() {
  check_here "pass-filter: the tunnel comes up" open_tunnel t pass-filter 'not (icmp and greater 1000)'
  check "pass-filter: what it accepts passes" small
  check "pass-filter: what it does not accept is dropped" not large
  check_here "pass-filter: SIGTERM ends it" close_tunnel t
}

# by_itself COMMAND...: its output goes to a pipe that a process which stays would hold open
by_itself() { timeout 30 /bin/bash -c 'said=$("$@" < /dev/null); status=$?; echo "$said"; exit $status' by_itself "$@"; }
detaching() {
  local in_client=(nsenter --target "${HOST[client]}" --net --mount --uts --)
  pppd_program client "$VERSION"
  check 'updetach: said=$(pppd … updetach) returns when the tunnel is up' \
    by_itself "${in_client[@]}" "${PROGRAM[@]}" $(plain_options) linkname d updetach
  check "updetach: it carries pings" ping_peer client $TUNNEL_SERVER
  terminate_detached
  check "updetach: SIGTERM ends it" wait_for 30 nothing_of_it
  # What pppd has made before it detaches must work after it.
  check "demand, detached: pppd returns" by_itself "${in_client[@]}" "${PROGRAM[@]}" $(plain_options) noipv6 $DEMAND linkname d
  check "demand, detached: the packet that starts the call gets through" first_ping
  terminate_detached
  check "demand, detached: SIGTERM ends it" wait_for 30 nothing_of_it
}
terminate_detached() { DETACHED=$(on client head -n 1 /run/ppp-d.pid) && kill "$DETACHED"; }
# With its process it has left its files, whose names the next one uses.
nothing_of_it() { gone "$DETACHED" && [ -z "$(engine)$(on client ip -o link show dev ppp0 2> /dev/null)" ]; }

redialling() {
  check_here "persist, unit 7: the tunnel comes up" open_tunnel t unit 7 persist holdoff 1 maxfail 0
  same "unit 7: the interface is ppp7" ppp7 "$(interface_of t)"
  check_here "unit 7 again: the second tunnel comes up" open_tunnel second unit 7
  check "unit 7 again: it has another interface" not same_text ppp7 "$(interface_of second)"
  check_here "unit 7 again: SIGTERM ends it" close_tunnel second
  kill -KILL "$(pptpctrl)"
  check "persist: when the server's end dies it calls again" wait_for 30 made_another_call
  same "persist: the interface is ppp7 again" ppp7 "$(interface_of t)"
  check "persist: it carries pings" ping_tunnel client t
  check_here "persist: SIGTERM ends it" close_tunnel t
}

naming() {
  check_here "ifname: the tunnel comes up" up_as vpn0 ifname vpn0
  check "ifname: the interface has the name" answered client 2 -I vpn0 $TUNNEL_SERVER
  check_here "ifname: SIGTERM ends it" close_tunnel t
  check "ifname: the interface is gone" interface_gone client vpn0
}
# up_as INTERFACE OPTIONS...
up_as() {
  dial t "${@:2}"
  wait_for 30 has_address "$1" || { cat "$(log_of t)"; return 1; }
}
has_address() { [[ $(on client ip -4 -o address show dev "$1") == *peer* ]]; }

# The server's count is the kernel's own.
counting() {
  script_writes client ip-down BYTES_SENT BYTES_RCVD
  script_writes server ip-down BYTES_SENT BYTES_RCVD
  check_here "statistics: the tunnel comes up" open_tunnel t noipv6
  ping_peer client $TUNNEL_SERVER 5 > /dev/null
  # Long trains of segments count as the packets that the peer gets.
  random_file $WORK/file 300000
  check "statistics: 300 kB of TCP pass" transfer client server $TUNNEL_SERVER $WORK/file
  # The last acknowledgement has come when its receiver has forgotten the connection.
  wait_for 30 no_socket server
  check_here "statistics: SIGTERM ends it" close_tunnel t
  wait_for 30 test -s $WORK/ip-down.server
  wait_for 30 test -s $WORK/ip-down.client
  local sent received
  read -r sent received < <(sed 's/BYTES_[A-Z]*=//g' $WORK/ip-down.client)
  same "statistics: what was sent is what the server received, to the byte" "$(server_counted BYTES_RCVD)" "$sent"
  same "statistics: what was received is what the server sent, to the byte" "$(server_counted BYTES_SENT)" "$received"
  check "statistics: pppd got them" not logged t "Couldn't get PPP statistics"
  on client rm /etc/ppp/ip-down
  on server rm /etc/ppp/ip-down
}
server_counted() { sed -n "s/.*$1=\([0-9]*\).*/\1/p" $WORK/ip-down.server; }

# A window that pptpd's acknowledgements open again.
windowing() {
  check_here "pptp_tx_window: the tunnel comes up" open_tunnel t pptp_tx_window on
  check "pptp_tx_window: 300 kB of TCP pass" transfer client server $TUNNEL_SERVER $WORK/file
  check_here "pptp_tx_window: SIGTERM ends it" close_tunnel t
}

routing() {
  script_writes client ip-up DNS1 USEPEERDNS
  check_here "defaultroute, usepeerdns: the tunnel comes up" open_tunnel t defaultroute usepeerdns
  check "defaultroute: it goes through the tunnel" grep -q "dev $(interface_of t)" <<< "$(on client ip route show default)"
  check "defaultroute: what is behind the server is reached" answered client 2 10.55.0.1
  check "usepeerdns: scripts see the server's name server" wait_for 30 says $WORK/ip-up.client 'DNS1=10.55.0.53 USEPEERDNS=1'
  check "usepeerdns: resolv.conf has it" on client grep -qx 'nameserver 10.55.0.53' /etc/ppp/resolv.conf
  check_here "defaultroute: SIGTERM ends it" close_tunnel t
  same "defaultroute: it is gone" "" "$(on client ip route show default)"
  on client rm -f /etc/ppp/ip-up /etc/ppp/resolv.conf
}

plan $((9 + 3 + 4 + 6 + 9 + 4 + 6 + 3 + 7 + 1))
network
on server ip address add 10.55.0.1/32 dev lo
plain_server "ms-dns 10.55.0.53"
leftovers_before
for feature in on_demand idleness passing detaching redialling naming counting windowing routing; do
  $feature
  # pptpd's end of the call ends a moment later.
  wait_for 30 no_server_interface
done
on server /bin/sh -c 'rm -f /run/ppp*.pid'
leftovers_none "no process, socket, interface or file is left behind"
finish
