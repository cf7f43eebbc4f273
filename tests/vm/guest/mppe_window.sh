# mppe_window.sh SIDE VERSION - somebody forges the peer's packets on the data path kernel, where the kernel encrypts: it
# takes no packet in clear, and goes on encrypting whatever packet of CCP comes, also while pppd does nothing. SIDE is what the
# plugin is in the tunnel that is attacked: client or server.
. "$REPO/tests/vm/lib.sh"
DATAPATH=kernel SIDE=${1:?client or server} VERSION=${2:-2.4.9}
. "$REPO/tests/vm/guest/datapath_lib.sh"
. "$REPO/tests/vm/guest/mppe_lib.sh"

# attacked: the host whose kernel is attacked. peer: the other, from which the forger sends
case $SIDE in
  client) attacked=client peer=server victim=$CLIENT_ADDRESS ;;
  server) attacked=server peer=client victim=$SERVER ;;
esac

# forge WHAT: sends it as the peer: "clear" (an echo request, 5 times), "rejection" (of CCP, by LCP), or the code of a packet
# of CCP. Its number is higher than the peer's meanwhile; what the peer sends with lower numbers is lost.
forge() {
  on $peer perl -MSocket -e '
    my ($victim, $what, $from, $to) = @ARGV;
    socket my $tap, 17, SOCK_RAW, 0x300 or die "packet socket: $!"; # AF_PACKET, all protocols
    socket my $raw, PF_INET, SOCK_RAW, 47 or die "socket: $!";
    my ($packet, $call, $number);
    # The next one that the peer sends tells call and number.
    do { recv $tap, $packet, 2048, 0; (my ($flags), undef, $call, $number) = unpack "x34 n x2 n n N", $packet }
      until substr($packet, 23, 1) eq "\x2f" and substr($packet, 30, 4) eq inet_aton $victim and unpack("x34 n", $packet) & 0x1000;
    sub sum { my $s = 0; $s += $_ for unpack "n*", $_[0]; $s = ($s & 0xffff) + ($s >> 16) for 1 .. 2; ~$s & 0xffff }
    sub echo {
      my $icmp = pack "C C n n n a40", 8, 0, 0, 77, shift, "in clear";
      substr $icmp, 2, 2, pack "n", sum $icmp;
      my $ip = pack "C C n n n C C n a4 a4", 0x45, 0, 20 + length $icmp, 1, 0, 64, 1, 0, inet_aton($from), inet_aton($to);
      substr $ip, 10, 2, pack "n", sum $ip;
      pack("n", 0x21) . $ip . $icmp;
    }
    $number += 1000; # while this program runs, the peer sends
    my @frames = $what eq "clear" ? map { echo $_ } 1 .. 5 : $what eq "rejection" ? pack "n C2 n n", 0xc021, 8, 77, 6, 0x80fd
      : pack "n C2 n C2 N", 0x80fd, $what, 77, 10, 18, 6, 0x01000040;
    for my $frame (@frames) {
      my $packet = pack("n n n n N", 0x3001, 0x880b, length $frame, $call, ++$number) . $frame;
      send $raw, $packet, 0, pack_sockaddr_in(0, inet_aton $victim) or die "send: $!";
    }' "$victim" "$1" $OF_PEER $OF_VICTIM
}

# echo requests that the attacked kernel has got from forgers: each answer of the peer counts, too
echoes() { on $attacked awk '/^Icmp:/ && $2 ~ /[0-9]/ { print $10 }' /proc/net/snmp; }

# talk FROM TO ADDRESS: datagrams to nobody, some five hundred a second
talk() {
  daemon "$1" "$WORK/talk.$1" perl -MIO::Socket::INET -MTime::HiRes=sleep -e '
    my $socket = IO::Socket::INET->new(Proto => "udp", PeerAddr => $ARGV[0], PeerPort => 9) or die "socket: $@";
    while (1) { $socket->send("to be read by nobody else" x 2); sleep 0.001 }' "$2"
  TALKING+=($DAEMON)
}

# stalled PID WHAT: it is forged while this pppd does nothing, and for 0.3 s after that
stalled() {
  kill -STOP "$1" && forge "$2" && sleep 0.3
  kill -CONT "$1"
}

# sees_reset LOG: whether pppd has got a forged Reset-Request; it is forged once more if not, for the peer's numbers may have
# got past the forger's
sees_reset() {
  grep -q 'rcvd \[CCP ResetReq id=0x4d' "$1" || { forge 14; sleep 0.3; false; }
}

# attack NAME PID LOG: what a forger can do to a tunnel that is up, whose attacked pppd is PID
attack() {
  local name=$1 pid=$2 log=$3 before code
  before=$(echoes)
  TALKING=()
  talk $attacked $OF_PEER
  talk $peer $OF_VICTIM
  check "$name: five packets in clear are forged" forge clear
  sleep 0.5
  same "$name: none of them is taken" 0 "$(($(echoes) - before))"
  wire_start $attacked
  sleep 0.3
  # Configure-Request, -Ack, -Nak, Terminate-Request, Terminate-Ack
  for code in 1 2 3 5 6; do
    check "$name: code $code of CCP is forged while pppd does nothing" stalled "$pid" $code
    sleep 0.2
  done
  check "$name: a Protocol-Reject of CCP is forged" forge rejection
  check "$name: a Reset-Request is forged" forge 14
  check "$name: pppd sees it" wait_for 30 sees_reset "$log"
  same "$name: and nothing else of CCP" 0 "$(grep 'rcvd \[CCP .* id=0x4d' "$log" | grep -c -v ResetReq)"
  # The peer's numbers have to get past the forged ones.
  check "$name: the tunnel still works" wait_for 30 ping_peer $attacked $OF_PEER
  kill "${TALKING[@]}"
  check "$name: what passes is recorded" wire_stop
  wire_frames | sent_by $attacked > $WORK/frames
  note "$name: pppd $VERSION: $(clear_frames < $WORK/frames) frames in clear, $(encrypted_frames < $WORK/frames) encrypted"
  same "$name: nothing was in clear" 0 "$(clear_frames < $WORK/frames)"
  check "$name: all the time something was sent" [ "$(encrypted_frames < $WORK/frames)" -gt 200 ]
}

# client_attacked NAME OPTION...: with pptpd
client_attacked() {
  check_here "$1: the tunnel comes up" open_tunnel "$@" noipv6
  OF_PEER=$TUNNEL_SERVER OF_VICTIM=$(address_of "$1")
  attack "$1" "${PPPD[$1]}" "$(log_of "$1")"
  same "$1: it is the first session" 1 "$(grep -c 'Connect: ' "$(log_of "$1")")"
  check_here "$1: SIGTERM ends it" close_tunnel "$1"
}

# server_attacked NAME OPTION...: the socket is handed over with the arguments that accel-pptp's server uses
server_attacked() {
  local name=$1
  shift
  printf '%s\n' 'name pptpd' auth refuse-pap refuse-chap refuse-mschap require-mschap-v2 nobsdcomp nodeflate noipv6 debug \
    "logfile $WORK/$name-server.log" "plugin pptp.so" "$@" | write_file server /etc/ppp/options.server
  server_start --program $WORK/server-pppd --pppd "local file /etc/ppp/options.server $TUNNEL_SERVER:192.168.77.10"
  pppd_start client 2.4.9 "$name" $(client_options pptp-linux) $(session_options) noipv6
  check "$name: the tunnel comes up" tunnel_up client "$name" 30
  OF_PEER=192.168.77.10 OF_VICTIM=$TUNNEL_SERVER
  attack "$name" "$(on server head -n 1 /run/ppp0.pid)" $WORK/"$name"-server.log
  same "$name: it is the first session" 1 "$(grep -c 'Connect: ' $WORK/"$name"-server.log)"
  pppd_stop "$name"
  same "$name: SIGTERM ends it" 5 "$STATUS"
  wait_for 30 interface_gone server ppp0
  server_stop
  on client ip route del $SERVER dev eth0 2> /dev/null
}

network
case $SIDE in
  client)
    plan $((3 * 18))
    pptpd_with 128
    client_attacked pppd require-mppe-128
    client_attacked own pptp_mppe required,128
    client_attacked optional pptp_mppe optional
    pptpd_stop
    ;;
  server)
    plan $((2 * 18))
    client_secrets
    write_file server /etc/ppp/chap-secrets <<< 'alice pptpd "open sesame" *'
    pppd_program server "$VERSION"
    printf '#!/bin/sh\nexec %s "$@"\n' "${PROGRAM[*]}" > $WORK/server-pppd
    chmod 755 $WORK/server-pppd
    server_attacked pppd require-mppe-128
    server_attacked own 'pptp_mppe required,128'
    ;;
esac
finish
