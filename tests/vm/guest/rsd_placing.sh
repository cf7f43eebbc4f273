# rsd_placing.sh VERSION PATH... - pptp-rsd on host "client" places a call at the one on host "server" (Incoming-Call-Request), both
# with this pppd and, one after the other, these data paths (kernel, tun, pty); MPPE-128 required
. "$REPO/tests/vm/lib.sh"
VERSION=${1:?which pppd}
shift
. "$REPO/tests/vm/guest/datapath_lib.sh"
. "$REPO/tests/vm/guest/rsd_lib.sh"

# The end that places calls: what the other one demands is in its option file.
pac_files() {
  printf '%s\n' noauth 'user alice' require-mppe-128 nobsdcomp nodeflate noipdefault debug "logfile $WORK/client-pppd.log" |
    write_file client /etc/ppp/options.pac
  pppd_program client "$VERSION"
  printf '#!/bin/sh\nexec %s "$@"\n' "${PROGRAM[*]}" > $WORK/client-pppd
  chmod 755 $WORK/client-pppd
  write_file client /run/pptpd.conf <<< "ppp $WORK/client-pppd"
}

start_both() {
  rsd_start "$1"
  daemon client $WORK/pac.log pptp-rsd -f -c /run/pptpd.conf --datapath "$1"
  PAC=$DAEMON
  wait_for 30 listening client 1723
}
place() { same_text "session 1 is connected to $SERVER:1723" "$(on client pptp-rsctl call "$SERVER" --option-file /etc/ppp/options.pac)"; }
encrypted() { wait_for 30 says $WORK/client-pppd.log "$1" && wait_for 30 says $WORK/server-pppd.log "$1"; }
up() { wait_for 30 says $WORK/client-pppd.log 'remote IP address' && wait_for 30 says $WORK/server-pppd.log 'remote IP address'; }
pings() { ping_peer client 192.168.78.10 && ping_peer server 192.168.77.10; }
transfers() { transfer client server 192.168.78.10 $WORK/file && transfer server client 192.168.77.10 $WORK/file; }
path_on() { on "$1" pptp-rsctl show 1 | awk '$1 == "datapath" { print $2 }'; }
carried() { same_text "$1 $1" "$(path_on client) $(path_on server)"; }
cleared() { on server pptp-rsctl disconnect 1 && wait_for 30 says $WORK/pac.log 'has ended after' && wait_for 30 have_ended 1; }
stop_both() { rsd_stop && end_daemon "$PAC"; }

# placed PATH
placed() {
  rm -f $WORK/*-pppd.log
  start_both "$1"
  check "$1: pptp-rsctl call says which session it is" place
  check "$1: both ends encrypt with 128 bits" encrypted 'MPPE 128-bit stateless compression enabled'
  check "$1: IP is up" up
  check "$1: pings pass both ways" pings
  check "$1: 2 MB of TCP arrive whole at both ends" transfers
  check "$1: both servers say so" soon carried "$1"
  check "$1: the far end clears the call" cleared
  check_here "$1: SIGTERM ends both servers" stop_both
}

plan $((1 + 8 * $#))
random_file $WORK/file 2000000
network
rsd_files
pac_files
leftovers_before
for path; do placed "$path"; done
leftovers_none "no process, socket, interface or file is left behind"
finish
