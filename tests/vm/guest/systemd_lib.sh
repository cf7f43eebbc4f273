# systemd_lib.sh - what the scripts about systemd share. Source it after lib.sh, in a guest whose process 1 is systemd (run.sh
# -s). The server is a service of the guest's own; the clients are on host "client".
#
#   installed                     # as the packages install it
#   network_of_guest
#   served_on tun                 # pptp-rsd's data path
#   service start
#   open_call a                   # MPPE-128
VERSION=$(native_version)
INSIDE=10.20.0.1
CONFIG=/etc/pptp-rsd.conf
OPTIONS=/etc/ppp/pptp-rsd-options
PROFILE=/etc/apparmor.d/usr.sbin.pptp-rsd
. "$REPO/tests/vm/guest/datapath_lib.sh"

# installed: the files of the packages, and what their scripts do. Where the host is busy, ip-down takes longer than pppd lets it
# (child-timeout, 5 s), and than the unit waits.
installed() {
  local files=$REPO/packaging
  install -D -m 755 "$GUEST_BUILD/bin/pptp-rsd" /usr/sbin/pptp-rsd
  install -D -m 644 "$files/pptp-rsd.service" /usr/lib/systemd/system/pptp-rsd.service
  install -D -m 644 "$files/pptp-rsd.conf" $CONFIG
  install -D -m 644 "$files/pptp-rsd-options" $OPTIONS
  install -D -m 644 "$files/apparmor/usr.sbin.pptp-rsd" $PROFILE
  install -D -m 644 "$files/sysusers.d/pptp-rs.conf" /usr/lib/sysusers.d/pptp-rs.conf
  install -D -m 644 "$files/tmpfiles.d/pptp-rs.conf" /usr/lib/tmpfiles.d/pptp-rs.conf
  mkdir -p /run/systemd/system/pptp-rsd.service.d
  echo 'child-timeout 90' >> $OPTIONS
  printf '%s\n' '[Service]' 'TimeoutStopSec=150' > /run/systemd/system/pptp-rsd.service.d/busy.conf
  systemd-sysusers pptp-rs.conf && systemd-tmpfiles --create pptp-rs.conf && systemctl daemon-reload
}

# network_of_guest: host "client" is behind a cable; the guest's own network is the server's
network_of_guest() {
  host client
  HOST[server]=1
  cable client "$CLIENT_ADDRESS/24" server "$SERVER/24"
  (umask 077; echo 'alice * "open sesame" *' > /etc/ppp/chap-secrets)
  client_secrets
  scripts
}

# scripts: an administrator's ip-up and ip-down, which do what such scripts do
scripts() {
  cat > /etc/ppp/ip-up << 'END'
#!/bin/sh
exec > "/run/work/ip-up.$1" 2>&1
set -ex
echo 2 > "/proc/sys/net/ipv4/conf/$1/rp_filter"
ip route add 10.30.0.0/24 dev "$1"
ip rule add from "$5" lookup main priority 77
# The only family that this kernel has
nft add table bridge "$1"
nft add chain bridge "$1" input '{ type filter hook input priority 0; }'
nft add rule bridge "$1" input iifname "$1" counter
echo "$5 $6" > "/run/ip-up.$1"
echo "$5 $6" >> /var/log/ppp/ip-up
logger -t ip-up "$1 is up"
echo done
END
  cat > /etc/ppp/ip-down << 'END'
#!/bin/sh
# Whatever is done to it in the meantime
sleep 1
ip rule del priority 77
nft delete table bridge "$1"
rm "/run/ip-up.$1"
echo "$1 $6" >> /run/work/ip-down
END
  chmod 755 /etc/ppp/ip-{up,down}
}

# served_on DATAPATH: and pppds take longer than the server would
served_on() { { cat "$REPO/packaging/pptp-rsd.conf"; printf '%s\n' "datapath $1" 'drain-timeout 100'; } > $CONFIG; }

# service VERB: what systemd says about it is shown when it fails
service() { systemctl "$1" pptp-rsd || { systemctl status --no-pager -l pptp-rsd; journalctl -u pptp-rsd --no-pager | tail -n 20; return 1; }; }
property() { systemctl show -P "$1" pptp-rsd; }
state() { same_text "$1" "$(property ActiveState)"; }
main_pid() { property MainPID; }
# processes: of the service, the server apart
processes() { grep -vx "$(main_pid)" /sys/fs/cgroup/system.slice/pptp-rsd.service/cgroup.procs; }
no_processes() { [ ! -s /sys/fs/cgroup/system.slice/pptp-rsd.service/cgroup.procs ]; } 2> /dev/null
in_journal() { wait_for 30 journalled "$1" || { journalctl --no-pager -u pptp-rsd | tail -n 30; return 1; }; }
journalled() { journalctl -q --no-pager -o cat -u pptp-rsd | grep -E -- "$1"; }

# drop_in LINES...: in place of the one before
drop_in() {
  mkdir -p /run/systemd/system/pptp-rsd.service.d
  printf '%s\n' '[Service]' "$@" > /run/systemd/system/pptp-rsd.service.d/test.conf
  systemctl daemon-reload
}
no_drop_in() { rm -f /run/systemd/system/pptp-rsd.service.d/test.conf; systemctl daemon-reload; }

# open_call NAME: a client with MPPE-128
open_call() {
  pppd_start client "$VERSION" "$1" plugin pptp-rs.so pptp_server "$SERVER" $(session_options) && tunnel_up client "$1" 30
}
passes() { ping_peer client $INSIDE; }
# script_ran: ip-up has done all it has to do
script_ran() { wait_for 60 grep -qx done $WORK/ip-up.ppp0 || { cat $WORK/ip-up.*; return 1; }; }
# script_undone: and ip-down
script_undone() { [ -e $WORK/ip-up.ppp0 ] && wait_for 60 grep -q "$CLIENT_ADDRESS" $WORK/ip-down && [ ! -e /run/ip-up.ppp0 ]; }
# listed PATH: the server's list has one call, there, encrypted
listed() {
  local list
  list=$(pptp-rsctl --json sessions)
  [[ $list == *'"state":"running"'*"\"datapath\":\"$1\""*'"mppe":"MPPE-128 stateless"'* ]] || { echo "$list"; return 1; }
}
# hung_up NAME LINE: its client has ended because of the server, and says how
hung_up() { pppd_wait "$1" 60 && logged "$1" "$2"; }
