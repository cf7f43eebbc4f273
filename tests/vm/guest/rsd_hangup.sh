# rsd_hangup.sh VERSION - on the data path kernel pptp-rsd's pppd ends with its call: it sees a hang-up, and does not wait for
# answers of a client that has gone; and its ip-down may take its time
. "$REPO/tests/vm/lib.sh"
VERSION=${1:-2.4.9}
. "$REPO/tests/vm/guest/datapath_lib.sh"
. "$REPO/tests/vm/guest/rsd_lib.sh"
plan 17

hangs_up() { grep -q 'Modem hangup' $WORK/server-pppd.log; }
# asks_once: 3 s later it would ask again
asks_once() { [ "$(grep -c 'sent \[LCP TermReq' $WORK/server-pppd.log)" -le 1 ]; }
# hangs_up_after TEXT SIGNAL NUMBER: this signal ends the client's pppd, and the server's is the NUMBERth that ends
hangs_up_after() {
  rm -f $WORK/server-pppd.log $WORK/down
  call "$1" plugin
  check "$1: the tunnel comes up" tunnel_up client "$1" 30
  check "$1: and carries" ping_peer client "$(far_end "$1")"
  kill "-$2" "${PPPD[$1]}"
  check "$1: the server's pppd sees a hang-up" wait_for 30 hangs_up
  check "$1: ip-down runs to its end" wait_for 30 grep -qx done $WORK/down
  check "$1: and pppd has ended" wait_for 30 have_ended "$3"
  check "$1: without asking twice for the end of the link" asks_once
  pppd_wait "$1" 30
}

network
rsd_files
write_file server /etc/ppp/ip-down <<< "#!/bin/sh
sleep 6
echo done > $WORK/down"
on server chmod 755 /etc/ppp/ip-down
rsd_start kernel
hangs_up_after "SIGTERM" TERM 1
hangs_up_after "SIGKILL" KILL 2

# Its pppd ends first, and waits for the script when the client's end of the call comes.
rm $WORK/down
call ends plugin
check_here "the server's pppd ends the call: the tunnel comes up" tunnel_up client ends 30
kill -TERM "$(on server pptp-rsctl --json sessions | sed -n 's/.*"pppd":\([0-9]*\).*/\1/p')"
check "the server's pppd ends the call: ip-down runs to its end" wait_for 30 grep -qx done $WORK/down
check "the server's pppd ends the call: and pppd has ended" wait_for 30 have_ended 3
pppd_wait ends 30
same "all have told what has passed" 3 "$(grep -Ec 'session [0-9]+ ended: .* bytes-received=[1-9][0-9]* bytes-sent=[1-9][0-9]* reason=' $WORK/rsd.log)"
note "$(grep -E 'call over|has ended after' $WORK/rsd.log)"
check_here "SIGTERM ends the server" rsd_stop
finish
