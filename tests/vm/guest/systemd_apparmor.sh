# systemd_apparmor.sh [radius] - the service with AppArmor's profile enforced: calls come up as without it, and what a server has no
# business with is refused; with RADIUS, if that is wanted
. "$REPO/tests/vm/lib.sh"
. "$REPO/tests/vm/guest/systemd_lib.sh"
plan $((22 + 6 * $#))

loaded() { apparmor_parser --replace --write-cache $PROFILE 2> $WORK/parser || { cat $WORK/parser; return 1; }; }
label() { local label; read -r label < "/proc/$1/attr/current"; same_text "$2 (enforce)" "$label"; }
pppds_labelled() {
  local pid pids
  pids=$(processes)
  for pid in $pids; do
    case $(cat "/proc/$pid/comm") in pppd) label "$pid" pptp-rsd//pppd || return 1 ;; *) label "$pid" pptp-rsd || return 1 ;; esac
  done
}
denied() { { dmesg; journalctl -q --no-pager -o cat; } | grep 'apparmor="DENIED"' | sort -u; }
nothing_denied() { local all; all=$(denied); [ -z "$all" ] || { echo "$all"; return 1; }; }

# carried PATH
carried() {
  served_on "$1"
  echo logwtmp >> $CONFIG
  rm -f $WORK/ip-*
  check "$1: the service starts" service start
  check "$1: it is confined" label "$(main_pid)" pptp-rsd
  check_here "$1: a call with MPPE-128 comes up" open_call "$1"
  check "$1: the server lists it" listed "$1"
  check "$1: pppds and engines are confined as well" pppds_labelled
  check "$1: ip-up does what it wants" script_ran
  check "$1: pings pass after a reload" eval 'service reload && passes'
  check "$1: the service stops" service stop
  check "$1: ip-down has run" script_undone
}

# radius: users, addresses and accounts are those of FreeRADIUS on this machine
radius_files() {
  local file=/etc/radiusclient
  mkdir -p $WORK/radius $file && cp "$REPO"/tests/radius/* $WORK/radius && cp $WORK/radius/{servers,dictionary.client,port-id-map} $file &&
    sed "s|/run/radius/seq|/run/radius.seq|; s|/run/radius|$file|" $WORK/radius/radiusclient.conf > $file/radiusclient.conf
  printf '%s\n' 'plugin radius.so' 'plugin radattr.so' "radius-config-file $file/radiusclient.conf" >> $OPTIONS
  write_file client /etc/ppp/chap-secrets <<< 'alice * secret *'
}
radius() {
  radius_files
  daemon server $WORK/freeradius.log env RADIUS_WORK=$WORK/radius /usr/sbin/freeradius -f -s -l stdout -d $WORK/radius
  wait_for 90 says $WORK/freeradius.log 'Ready to process requests' || bail "FreeRADIUS does not start" $WORK/freeradius.log
  check "RADIUS: the service starts" service start
  check_here "RADIUS: a call comes up, whose user only RADIUS knows" open_call radius
  check "RADIUS: radattr has written its file" grep -qx 'Framed-IP-Address 192.168.77.77' /run/radattr.ppp0
  check "RADIUS: it has an account" wait_for 60 accounted Start
  check "RADIUS: the service stops" service stop
  check "RADIUS: the account is closed" wait_for 60 accounted Stop
  end_daemon "$DAEMON"
}
accounted() { grep -q "Acct-Status-Type = $1" $WORK/radius/accounting; }

installed && network_of_guest || bail "the service cannot be installed"
check "the profile is loaded" loaded
carried tun
# Rarer wishes
: > /var/log/wtmp
printf '%s\n' proxyarp 'ms-dns 10.20.0.1' multilink >> $OPTIONS
carried kernel
sed -i /multilink/d $OPTIONS
[ "${1-}" != radius ] || radius
check "nothing of this was denied" nothing_denied
# As a file of its configuration, which it would read and complain about.
/usr/sbin/pptp-rsd --check -c /etc/shadow > $WORK/shadow 2>&1
check "the server cannot read /etc/shadow" grep -q 'ermission denied' $WORK/shadow
aa-exec -p pptp-rsd//pppd -- /usr/sbin/pppd file /etc/shadow notty dryrun > $WORK/shadow 2>&1
check "nor can its pppd" grep -q '/etc/shadow: Permission denied' $WORK/shadow
finish
