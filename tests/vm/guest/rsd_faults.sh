# rsd_faults.sh VERSION - pptp-rsd on the data path kernel: two calls from one address with the same id, which the kernel cannot
# tell apart; a server that is killed with SIGKILL while it has calls, and started again; and one that looks what the machine has,
# which does not say
. "$REPO/tests/vm/lib.sh"
VERSION=${1:-2.4.9}
. "$REPO/tests/vm/guest/datapath_lib.sh"
. "$REPO/tests/vm/guest/rsd_lib.sh"

# twins: on host "client", two connections that each ask for a call, both with the id 777. Prints "result error" of both replies,
# and then, until it is killed, the magic number of each Configure-Request of LCP that comes for this id
twins() {
  daemon client $WORK/twins perl -MIO::Socket::INET -e '
    $| = 1;
    socket my $gre, PF_INET, SOCK_RAW, 47 or die "socket: $!";
    my @held;
    for (1 .. 2) {
      my $server = IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => 1723) or die "connect: $@";
      my $reply;
      $server->send(pack "n n N n n n n N N n n x128", 156, 1, 0x1a2b3c4d, 1, 0, 256, 0, 3, 3, 0, 0);
      $server->recv($reply, 156, MSG_WAITALL);
      $server->send(pack "n n N n n n n N N N N n n n n x64 x64", 168, 1, 0x1a2b3c4d, 7, 0, 777, 1, 300, 1e8, 3, 3, 50, 0, 0, 0);
      $server->recv($reply, 32, MSG_WAITALL);
      printf "%d %d\n", unpack "x16 C C", $reply;
      push @held, $server;
    }
    my $packet;
    while (defined recv $gre, $packet, 2048, 0) {
      next unless unpack("x26 n", $packet) == 777;
      printf "magic %s\n", unpack "H8", $1 if $packet =~ /\xff\x03\xc0\x21\x01.*?\x05\x06(....)/s;
    }' "$SERVER"
  TWINS=$DAEMON
  wait_for 30 both_answered
}
both_answered() { [ "$(grep -c '^[0-9]' $WORK/twins)" = 2 ]; }
answers() { grep '^[0-9]' $WORK/twins | xargs; }
both_served() { [ "$(grep '^magic' $WORK/twins | sort -u | wc -l)" = 2 ]; }

# The kernel has one PPTP socket for an address and an id of that end.
refused_by_the_kernel() {
  rsd_start kernel
  twins
  same "kernel: of two calls with one id from one address the second is refused: general error, bad call id" "1 0 2 5" "$(answers)"
  end_daemon $TWINS
  check_here "kernel: meanwhile another client is served" served other plugin
  check_here "kernel: SIGTERM ends the server" rsd_stop
}
taken_by_the_engine() {
  rsd_start auto
  twins
  same "auto: both are taken" "1 0 1 0" "$(answers)"
  check "auto: one by the kernel, the other by the engine" soon carried_by kernel engine
  check "auto: and each is told by a pppd of its own how to begin" wait_for 30 both_served
  end_daemon $TWINS
  check_here "auto: meanwhile another client is served" served third plugin
}
# carried_by PATH...: what the server's calls are on
carried_by() { same_text "$*" "$(on server pptp-rsctl sessions | grep -Eo '\b(kernel|engine|tun|pty)\b' | sed -E 's/tun|pty/engine/' | sort -r | xargs)"; }

# served NAME CLIENT: a whole call
served() { call "$1" "$2" && tunnel_up client "$1" 30 && carries "$1" && pppd_stop "$1" && status_is 5; }

# killed: the same server, when it has calls of the kernel's alone
killed() {
  check_here "SIGKILL: pptp-linux has a tunnel" up linux pptp-linux
  check_here "SIGKILL: the plugin has a tunnel" up plug plugin
  check "SIGKILL: the kernel carries both" soon carried_by kernel kernel
  script_writes server ip-down IPREMOTE
  end_daemon "$RSD" KILL
  check "SIGKILL: its pppds end with it" wait_for 30 no_server_interface
  check "SIGKILL: and have run their scripts" wait_for 30 scripts_ran 2
  on server rm /etc/ppp/ip-down
  check_here "SIGKILL: pptp-linux's pppd is hung up" ends linux
  check_here "SIGKILL: the plugin's pppd is hung up" ends plug
  drop_route
  rsd_start kernel
  check_here "SIGKILL: another server takes over: pptp-linux is served" served linux2 pptp-linux
  drop_route
  check_here "SIGKILL: and so is the plugin" served plug2 plugin
  check "SIGKILL: pptp-rsctl asks the new one" on server pptp-rsctl stats
  check_here "SIGKILL: SIGTERM ends it" rsd_stop
}

# interrupted: the same while a script runs, for which pppd waits before it ends
interrupted() {
  rsd_start kernel
  check_here "SIGKILL, ip-down: a tunnel comes up" up slow plugin
  write_file server /etc/ppp/ip-down <<< "#!/bin/sh
: > $WORK/begun
until [ -e $WORK/go ]; do sleep 0.1; done
: > $WORK/done"
  on server chmod 755 /etc/ppp/ip-down
  pppd_stop slow
  check "SIGKILL, ip-down: it runs" wait_for 30 waits_for_script
  end_daemon "$RSD" KILL
  # A signal to pppd would have reached the script.
  sleep 0.5
  : > $WORK/go
  check "SIGKILL, ip-down: it runs to its end" wait_for 30 test -e $WORK/done
  wait_for 30 no_server_interface
  # No server takes over, and removes these.
  on server rm /etc/ppp/ip-down /run/pptp-rsd.sock /run/pptpd.pid
}
waits_for_script() { [ -e $WORK/begun ] && grep -A 1 'Waiting for 1 child process' $WORK/server-pppd.log | grep 'script /etc/ppp/ip-down'; }
scripts_ran() { [ "$(grep -c IPREMOTE=192.168.77 $WORK/ip-down.server)" = "$1" ]; }
up() { call "$1" "$2" && tunnel_up client "$1" 30 && carries "$1"; }
ends() { pppd_wait "$1" 30 && note "$1: status $STATUS"; }

# configured DATAPATH: it reads its file again
configured() {
  on server sed -i '/^datapath/d' /run/pptpd.conf
  on server sh -c "echo datapath $1 >> /run/pptpd.conf"
  kill -HUP "$RSD"
}
decided() { [ "$(grep -c "calls are carried by $1" $WORK/reload.log)" = "$2" ]; }
scout() { pgrep -x pptp-rsd-scout; }
asks_for_a_module() { [ -s $WORK/modprobe ]; }

# reloaded: the machine is to say what it has, and does not
reloaded() {
  on server sh -c 'echo datapath tun >> /run/pptpd.conf'
  daemon server $WORK/reload.log pptp-rsd -f -c /run/pptpd.conf
  RSD=$DAEMON
  wait_for 30 listening server 1723 || bail "pptp-rsd does not listen" $WORK/reload.log
  mv /dev/ppp /dev/ppp.away
  mv /usr/sbin/modprobe /usr/sbin/modprobe.away 2> /dev/null
  printf '#!/bin/sh\necho $$ > %s/modprobe.new; mv %s/modprobe.new %s/modprobe; exec sleep 600\n' $WORK $WORK $WORK > /usr/sbin/modprobe
  chmod 755 /usr/sbin/modprobe
  configured auto
  check "reload: a module is asked for" wait_for 30 asks_for_a_module
  kill -STOP "$(scout)"
  check "reload: nobody has to wait for it" on server pptp-rsctl stats
  check "reload: after a while the engines have to do" wait_for 30 decided 'the engines of this server: the kernel does not say within 10 s' 1
  kill "$(cat $WORK/modprobe)"
  kill -CONT "$(scout)"
  check "reload: who looked ends" wait_for 30 not scout
  mv /dev/ppp.away /dev/ppp
  rm /usr/sbin/modprobe
  mv /usr/sbin/modprobe.away /usr/sbin/modprobe 2> /dev/null
  configured tun
  check "reload: what is configured needs no looking" wait_for 30 decided 'the engines of this server$' 2
  configured auto
  check "reload: when the machine says it, the kernel carries them" wait_for 30 decided 'the kernel$' 1
  check_here "reload: and does" served reloaded plugin
  check "reload: there is no zombie" not grep -q Z <<< "$(ps -o stat= --ppid "$RSD")"
  check_here "reload: SIGTERM ends it" rsd_stop
}

plan 31
network
rsd_files
leftovers_before
refused_by_the_kernel
taken_by_the_engine
killed
interrupted
reloaded
leftovers_none "no process, socket, interface or file is left behind"
finish
