# rsd_lib.sh - what the scripts about pptp-rsd share. Source it after lib.sh and datapath_lib.sh, with VERSION set: the server's
# pppd.
#
#   rsd_files                     # MS-CHAPv2 and MPPE-128 required, addresses of its own for both ends of each call
#   rsd_start kernel
#   call linux pptp-linux         # Debian's client calls, with pppd 2.4.9
#   call plug plugin              # the plugin does, with pppd 2.5.2
#   rsd_stop
#
# Host "server" gives the clients of calls 192.168.77.10 and up, and has 192.168.78.10 and up itself.

rsd_files() {
  client_secrets
  write_file server /etc/ppp/chap-secrets <<< 'alice pptpd "open sesame" *'
  printf '%s\n' 'name pptpd' auth refuse-pap refuse-chap refuse-mschap require-mschap-v2 require-mppe-128 nobsdcomp nodeflate \
    'child-timeout 60' debug "logfile $WORK/server-pppd.log" | write_file server /etc/ppp/options.server
  # What the server starts is one file: this becomes pppd, in its tree if it has one.
  pppd_program server "$VERSION"
  printf '#!/bin/sh\nexec %s "$@"\n' "${PROGRAM[*]}" > $WORK/server-pppd
  chmod 755 $WORK/server-pppd
  write_file server /run/pptpd.conf << CONF
option /etc/ppp/options.server
ppp $WORK/server-pppd
localip 192.168.78.10-99
remoteip 192.168.77.10-99
CONF
}

# rsd_start DATAPATH: sets RSD to its process id
rsd_start() {
  daemon server $WORK/rsd.log pptp-rsd -f -c /run/pptpd.conf --datapath "$1"
  RSD=$DAEMON
  wait_for 30 listening server 1723 || bail "pptp-rsd does not listen" $WORK/rsd.log
}

# rsd_stop: SIGTERM, and status 0
rsd_stop() {
  end_daemon "$RSD"
  local status=$?
  [ $status = 0 ] || { echo "exit status $status"; return 1; }
}

# call NAME CLIENT [OPTIONS...]: pptp-linux or the plugin calls
call() {
  local version=2.4.9
  [ "$2" != plugin ] || version=2.5.2
  pppd_start client $version "$1" $(client_options "$2") $(session_options) "${@:3}"
}

# far_end NAME: the server's address in this call
far_end() { sed -n 's/^remote IP address //p' "$(log_of "$1")" | tail -n 1; }

# carries NAME: pings, from both ends
carries() { ping_peer client "$(far_end "$1")" && ping_peer server "$(address_of "$1")"; }

# pppds_ended: how many of the server's
pppds_ended() { grep -c 'pppd [0-9]* has ended after' $WORK/rsd.log; }
have_ended() { [ "$(pppds_ended)" = "$1" ]; }
descriptors() { ls "/proc/$RSD/fd" | wc -l; }

# drop_route: pptp-linux leaves its route to the server
drop_route() { on client ip route del "$SERVER" dev eth0 2> /dev/null || :; }
