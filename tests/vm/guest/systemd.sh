# systemd.sh DATAPATH... - pptp-rsd as a service under real systemd, with these data paths (tun, pty, kernel): the unit with all that
# it forbids, reload, stop, crash, watchdog, sockets
. "$REPO/tests/vm/lib.sh"
. "$REPO/tests/vm/guest/systemd_lib.sh"
# engines PATHS...: how many of them have one
engines() { local path count=0; for path; do [ "$path" = kernel ] || ((++count)); done; echo $count; }

plan $((24 + 15 * $# + $(engines "$@")))

has_user() { getent passwd pptp-rs | grep -q ':/usr/sbin/nologin$'; }
verified() { [ -z "$(systemd-analyze verify --man=no /usr/lib/systemd/system/pptp-rsd.service 2>&1 | grep pptp-rsd)" ]; }
# In tenths, as the unit itself says
exposed_little() { systemd-analyze security --no-pager --offline=true --threshold=38 /usr/lib/systemd/system/pptp-rsd.service > /dev/null; }
# In an empty tree, as an image is made
into_tree() {
  local tree=$WORK/tree
  mkdir -p $tree/etc && systemd-sysusers --root=$tree /usr/lib/sysusers.d/pptp-rs.conf && grep -q '^pptp-rs:' $tree/etc/passwd &&
    cp /etc/passwd /etc/group $tree/etc && systemd-tmpfiles --root=$tree --create /usr/lib/tmpfiles.d/pptp-rs.conf && [ -d $tree/run/pptp-rs ]
}

# confined: as the unit says
confined() {
  local status
  status=$(cat "/proc/$(main_pid)/status")
  [[ $status == *$'CapEff:\t0000000001003004\n'*$'CapBnd:\t00000000210035ef\n'*$'Seccomp:\t2\n'* ]] || { grep -E 'Cap|Seccomp' <<< "$status"; return 1; }
}
usual_limit() { local pid; pid=$(pgrep -x pppd -P "$(main_pid)") && grep -Eq '^Max open files +1024 +' "/proc/$pid/limits"; }
engines_of_user() {
  local pid users
  for pid in $(processes); do [ "$(cat "/proc/$pid/comm")" = pppd ] || users="${users-} $(stat -c %U "/proc/$pid")"; done
  [ -n "${users-}" ] && [ -z "${users// pptp-rs/}" ] || { echo "users:${users-}"; return 1; }
}

reloaded() { local before; before=$(main_pid); echo 'max-per-address 7' >> $CONFIG && service reload && state active && same_text "$before" "$(main_pid)"; }
reload_fails() {
  echo 'max-starting x' >> $CONFIG
  ! systemctl reload pptp-rsd && state active
  local status=$?
  sed -i '$d' $CONFIG
  return $status
}
completed() {
  . "$REPO/packaging/pptp-rsctl.bash"
  COMP_WORDS=(pptp-rsctl show '') COMP_CWORD=2
  _pptp_rsctl && same_text 1 "${COMPREPLY[*]}"
}

# carried PATH: all that a service is for
carried() {
  served_on "$1"
  rm -f $WORK/ip-*
  check "$1: the service starts and is ready" service start
  check_here "$1: a call with MPPE-128 comes up" open_call "$1"
  check "$1: pings pass" passes
  check "$1: the server lists it" listed "$1"
  check "$1: ip-up sets a route, a rule, a firewall and a variable of the kernel" script_ran
  check "$1: a reload keeps the process" reloaded
  check "$1: a reload with a mistake fails" reload_fails
  check "$1: the call has seen nothing of this" passes
  check "$1: the unit's limits hold" confined
  check "$1: pppd has as many descriptors as usual" usual_limit
}

# told: of the call that there is
told() {
  check "the journal has the server's lines" in_journal 'session 1: 10.99.0.2: '
  check "and pppd's" in_journal 'MPPE 128-bit stateless'
  check "bash completes the call's number" completed
}

stopped() {
  check "$1: the service stops" service stop
  check "$1: with success" same_text success "$(property Result)"
  check_here "$1: the client is told" hung_up "$1" 'stopped the control connection: shutting down'
  check "$1: ip-down has run" script_undone
  check "$1: no process is left" no_processes
}

# new_server OLD: another one is ready
new_server() { [ "$(property ActiveState)" = active ] && [ "$(main_pid)" != "$1" ]; }
restarted_after() {
  local before
  before=$(main_pid)
  kill -s "$1" "$before" && wait_for 60 new_server "$before" || { systemctl status --no-pager pptp-rsd; return 1; }
}

sockets() {
  mkdir -p /run/systemd/system
  printf '%s\n' '[Socket]' 'ListenStream=1723' 'Service=pptp-rsd.service' > /run/systemd/system/pptp-rsd.socket
  systemctl daemon-reload && systemctl start pptp-rsd.socket && state inactive || { journalctl --no-pager -u pptp-rsd -n 20; return 1; }
}

check "the packages' files are installed" installed
check "there is a user pptp-rs" has_user
check "they work on an empty tree, too" into_tree
check "/run/pptp-rs is root's alone" same_text "root 700" "$(stat -c '%U %a' /run/pptp-rs)"
check "systemd has nothing to say about the unit" verified
check "its exposure is at most what it says itself" exposed_little
network_of_guest

for path; do
  carried "$path"
  [ "$path" = kernel ] || check "$path: the engines run as pptp-rs" engines_of_user
  [ "$path" != "$1" ] || told
  stopped "$path"
done

rm -f $WORK/ip-*
check "the service starts again" service start
check_here "and a call comes up" open_call crash
check_here "a crash: systemd starts another server" restarted_after KILL
check_here "a crash: the client sees it" hung_up crash 'Modem hangup'
check "a crash: ip-down has run" script_undone
check_here "and it serves" open_call again
check "and carries" passes
pppd_stop again

# Long enough for a machine with other things to do.
drop_in 'WatchdogSec=5' 'TimeoutAbortSec=1'
check "with a short watchdog it starts" service restart
sleep 6
check "it is not killed while it lives" same_text 0 "$(property NRestarts)"
check_here "a server that hangs is replaced" restarted_after STOP
check "because of the watchdog" in_journal 'Watchdog timeout'
service stop
no_drop_in

check "systemd listens for it" sockets
check_here "a call starts the service and comes up" open_call socket
check "and carries" passes
check "the service is active" state active
systemctl stop pptp-rsd.socket
service stop
finish
