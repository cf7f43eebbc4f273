# systemd_clients.sh - clients that are services: two share a control connection, and the one that made it is stopped with all of
# its control group
. "$REPO/tests/vm/lib.sh"
. "$REPO/tests/vm/guest/systemd_lib.sh"
plan 12

server_on_host() {
  client_secrets
  write_file client $CONFIG < "$REPO/packaging/pptp-rsd.conf"
  write_file client $OPTIONS < "$REPO/packaging/pptp-rsd-options"
  daemon client $WORK/rsd.log pptp-rsd --fg -c $CONFIG
  RSD=$DAEMON
  wait_for 30 listening client 1723
}

# client NAME: a profile and its unit
client() {
  printf '%s\n' plugin\ pptp-rs.so "pptp_server $SERVER" user\ alice noauth require-mppe-128 nodefaultroute "linkname $1" > "/etc/ppp/peers/$1"
  printf '%s\n' '[Service]' "ExecStart=/usr/sbin/pppd call $1 nodetach" 'KillMode=control-group' 'SuccessExitStatus=5' \
    > "/run/systemd/system/tunnel-$1.service"
  systemctl daemon-reload && systemctl start "tunnel-$1"
}
interface() { sed -n 2p "/run/ppp-$1.pid"; }
up() { [[ $(ip -4 -o address show dev "$(interface "$1")") == *peer* ]]; }
wait_up() { wait_for 30 up "$1" || { journalctl --no-pager -u "tunnel-$1" | tail; return 1; }; }
carries() { ping -n -q -c 3 -i 0.2 -w 15 -I "$(interface "$1")" $INSIDE; }
connections_here() { ss -Htn state established "dport = :1723" | wc -l; }
manager() { ss -Htnp state established 'dport = :1723' | sed -n 's/.*pid=\([0-9]*\).*/\1/p'; }
manager_gone() { gone "$1"; }

network_of_guest
# The other way round: the clients are the guest's own.
SERVER=$CLIENT_ADDRESS
check_here "a server on another host" server_on_host
check "the first service starts" client a
check "its tunnel comes up" wait_up a
MANAGER=$(manager)
same "its call manager is in no service's control group" 0::/ "$(cat "/proc/$MANAGER/cgroup")"
check "the second service starts" client b
check "its tunnel comes up" wait_up b
same "it shares the control connection" 1 "$(connections_here)"
check "systemd stops the first, and its control group" systemctl stop tunnel-a
check "the second's tunnel carries" carries b
same "by the same process" "$MANAGER" "$(manager)"
check "systemd stops the second" systemctl stop tunnel-b
check "then the call manager goes, too" wait_for 30 manager_gone "$MANAGER"
end_daemon "$RSD"
finish
