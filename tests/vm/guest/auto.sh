# auto.sh VERSION - `pptp_datapath auto` on kernels that have less and less, and forced data paths that are not possible.
# The modules are taken away while the guest runs.
. "$REPO/tests/vm/lib.sh"
DATAPATH=auto VERSION=${1:-2.4.9}
. "$REPO/tests/vm/guest/datapath_lib.sh"

# withhold MODULE: unloads it, and nothing can load it any more
withhold() {
  local file
  wait_for 30 unload "$1" || bail "cannot unload $1"
  file=$(find "/lib/modules/$(uname -r)/kernel" -name "$1.ko*")
  rm "$file" && depmod -a || bail "cannot withhold $1"
}
unload() { ! module_loaded "$1" || rmmod "$1"; }
module_loaded() { grep -q "^$1 " /proc/modules; }

# chooses PATH TEXT PATTERN OPTIONS...: with these options it takes this data path, and gives its reasons in one line
chooses() {
  check_here "$2: the tunnel comes up" open_tunnel t "${@:4}"
  same "$2: its data path is $1" "$1" "$(carrier t)"
  check "$2: it carries pings" ping_tunnel client t
  check "$2: one line says what and why" one_choice "^data path $1$3"
  check_here "$2: SIGTERM ends it" close_tunnel t
}
one_choice() {
  logged t "$1" && same_text 1 "$(grep -c '^data path' "$(log_of t)")"
}

# refuses STATUS TEXT PATTERN OPTIONS...: pppd ends with this status before it calls, and says why in one line
refuses() {
  run_pppd 20 client "$VERSION" t $(plain_options) "${@:4}"
  check_here "$2: status $1" status_is "$1"
  check "$2: a line says why" logged t "$3"
  check "$2: nobody was called" not logged t 'PPTP call to'
}
# nothing_more: as leftovers_none, modules apart
nothing_more() {
  leftovers_list > $WORK/leftovers.after
  sed -i '/^module/d' $WORK/leftovers.before $WORK/leftovers.after
  diff $WORK/leftovers.before $WORK/leftovers.after
}

plan $((5 + 6 + 5 + 3 + 5 + 3 + 5 + 5 + 3 + 3 + 3 + 1))
network
plain_server
pptpd_stop
leftovers_before
plain_server
chooses kernel "all modules" ''
wait_for 30 unload pptp
chooses kernel "pptp.ko not loaded" ''
check "pptp.ko not loaded: it is now" module_loaded pptp

withhold pptp
chooses tun "no pptp.ko" ': .*kernel: .*pptp\.ko'
refuses 4 "kernel without pptp.ko" "pptp_datapath.*'kernel' is not possible: .*pptp\\.ko" pptp_datapath kernel
chooses pty "no pptp.ko, multilink" ': .*kernel: .*tun: .*multilink' multilink
refuses 2 "tun with multilink" 'multilink' pptp_datapath tun multilink
pptpd_stop
pptpd_start
chooses tun "no pptp.ko, MPPE required" ': .*kernel: .*pptp\.ko' require-mppe-128
pptpd_stop

plain_server
withhold tun
chooses pty "no pptp.ko, no tun.ko" ': .*kernel: .*pptp\.ko.*tun: '
refuses 4 "tun without tun.ko" "pptp_datapath.*'tun' is not possible: .*tun" pptp_datapath tun
withhold ppp_async
refuses 4 "pty without ppp_async.ko" "pptp_datapath.*'pty' is not possible: .*ppp_async" pptp_datapath pty
refuses 4 "nothing at all" 'kernel: .*pptp\.ko.*tun: .*pty: .*ppp_async'
pptpd_stop
on server /bin/sh -c 'rm -f /run/ppp*.pid'
wait_for 30 nothing_more > /dev/null
check_here "no process, socket, interface or file is left behind" nothing_more
finish
