# rsd_radius.sh VERSION - pptp-rsd on the data path kernel, whose pppds ask FreeRADIUS: the keys that it gives are ppp_mppe's,
# negotiated by pppd and by the plugin; and under pptpd scripts and RADIUS server see the same
. "$REPO/tests/vm/lib.sh"
VERSION=${1:-2.4.9} DATAPATH=kernel
. "$REPO/tests/vm/guest/datapath_lib.sh"
. "$REPO/tests/vm/guest/mppe_lib.sh"
. "$REPO/tests/vm/guest/rsd_lib.sh"
ADDRESS=192.168.77.77

# radius_start: on host "server", for this test's pppds
radius_start() {
  # Where the hosts see it, wherever the repository is.
  mkdir $WORK/radius && cp "$REPO"/tests/radius/* $WORK/radius
  on server ln -s $WORK/radius /run/radius
  daemon server $WORK/radius.log env RADIUS_WORK=$WORK/radius /usr/sbin/freeradius -f -s -l stdout -d $WORK/radius
  RADIUS=$DAEMON
  wait_for 30 says $WORK/radius.log 'Ready to process requests' || bail "FreeRADIUS does not start" $WORK/radius.log
}

# server_options [OPTION...]: pppd's, with no password anywhere
server_options() {
  printf '%s\n' 'name pptpd' auth refuse-pap refuse-chap refuse-mschap require-mschap-v2 nobsdcomp nodeflate debug \
    "logfile $WORK/server-pppd.log" 'plugin radius.so' 'plugin radattr.so' 'radius-config-file /run/radius/radiusclient.conf' \
    "$@" | write_file server /etc/ppp/options.server
  rm -f $WORK/server-pppd.log
}

# files_for PASSWORD: the client's, and scripts that record what they are told
files_for() {
  write_file client /etc/ppp/chap-secrets <<< "alice * $1 *"
  : | write_file server /etc/ppp/chap-secrets
  write_file server /etc/ppp/ip-up << END
#!/bin/sh
{ echo "\$1 \$4 \$5 \$6"; env | grep -Ev '^(DEVICE|LLLOCAL|LLREMOTE|ORIG_UID|PPPD_PID|PPPLOGNAME|PWD|SHLVL|SPEED|_)=' | sort; } > $WORK/ip-up.new
mv $WORK/ip-up.new $WORK/ip-up
END
  on server chmod 755 /etc/ppp/ip-up
}

# accounts STATUS: how many records of this kind there are
accounts() { grep -c "Acct-Status-Type = $1" $WORK/radius/accounting 2> /dev/null; }
accounted() { [ "$(accounts "$1")" = "$2" ]; }
# last_account: the attributes of the last record but times and numbers
last_account() {
  awk 'BEGIN { RS = "" } { last = $0 } END { print last }' $WORK/radius/accounting |
    grep -Ev '^[A-Z][a-z][a-z] |Acct-Session-Id|Timestamp|Acct-Delay-Time|Acct-Unique|NAS-Port-Type'
}
# call_ids SESSION TEXT: the ids of a session's call by the server's log, this end's and the peer's, as \1 and \2 of the text
call_ids() { sed -n "s/.*session $1:.* is started, call id \([0-9]*\), peer's call id \([0-9]*\),.*/$2/p" $WORK/rsd.log; }
octets() { awk -v n="Acct-$1-Octets" '$1 == n { last = $3 } END { print last }' $WORK/radius/accounting; }

# session NAME: one call, whole
session() {
  wire_start client
  call "$1" plugin
  check "$1: the tunnel comes up" tunnel_up client "$1" 30
  same "$1: the client's address is RADIUS's" $ADDRESS "$(address_of "$1" | cut -d / -f 1)"
  check "$1: MPPE with 128 bits is on" grep 'MPPE 128-bit stateless compression enabled' $WORK/server-pppd.log
  check "$1: it is the kernel's" module_in_use ppp_mppe
  check "$1: pings pass both ways" carries "$1"
  check "$1: 500 kB of TCP arrive whole at the client" transfer server client $ADDRESS $WORK/file
  check "$1: what passes is recorded" wire_stop
  same "$1: nothing is in clear" 0 "$(wire_frames | clear_frames)"
  check "$1: radattr has written its file" grep -qx "Framed-IP-Address $ADDRESS" <(on server cat /run/radattr.ppp0)
  check "$1: RADIUS is told of the beginning" wait_for 30 accounted Start $((++calls))
  last_account > $WORK/account.$1
  check "$1: ip-up has run" wait_for 30 test -e $WORK/ip-up
  mv $WORK/ip-up $WORK/ip-up.$1
  # Not the client: without its answer pppd takes six seconds to end.
  on server /bin/sh -c 'kill "$(head -n 1 /run/ppp0.pid)"'
  check "$1: RADIUS is told of the end" wait_for 30 accounted Stop $calls
  between "$1: and of the bytes" 500000 1000000 "$(octets Output)"
  pppd_wait "$1" 30
  # The unit that the next one gets is the first again.
  wait_for 30 no_server_interface
}

plan 33
calls=0
random_file $WORK/file 500000
network
rsd_files
files_for secret
radius_start
server_options require-mppe-128
rsd_start kernel
session pppd
server_options 'pptp_mppe required,128' 'pptp_mschap internal'
session plugin
write_file client /etc/ppp/chap-secrets <<< 'alice * wrong *'
call refused plugin
pppd_wait refused 30
same "who does not know the password is refused" 19 "$STATUS"
rsd_stop
# The same options file under pptpd, whose pppd is on a terminal.
server_options require-mppe-128
files_for secret
daemon server $WORK/pptpd-daemon.log /usr/sbin/pptpd --fg --conf /run/pptpd.conf --pidfile /run/pptpd.pid
PPTPD=$DAEMON
wait_for 30 listening server 1723 || bail "pptpd does not listen" $WORK/pptpd-daemon.log
call pptpd plugin
check "pptpd: the tunnel comes up" tunnel_up client pptpd 30
check "pptpd: RADIUS is told of the beginning" wait_for 30 accounted Start $((++calls))
same "RADIUS is told what pptpd has it told" "$(last_account)" "$(cat $WORK/account.pppd)"
check "pptpd: ip-up has run" wait_for 30 test -e $WORK/ip-up
same "ip-up is told what pptpd has it told" "$(cat $WORK/ip-up)" "$(grep -v '^PPTP_' $WORK/ip-up.pppd)"
same "ip-up is told of the tunnel besides" "PPTP_CLIENT=$CLIENT_ADDRESS PPTP_DATAPATH=kernel $(call_ids 1 'PPTP_LOCAL_CALL_ID=\1 PPTP_MPPE=128 stateless PPTP_PEER_CALL_ID=\2') PPTP_ROLE=server" \
  "$(grep '^PPTP_' $WORK/ip-up.pppd | paste -sd ' ')"
pppd_stop pptpd
pptpd_stop
finish
