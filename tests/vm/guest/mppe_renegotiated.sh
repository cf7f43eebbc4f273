# mppe_renegotiated.sh PATH VERSION - one end begins CCP anew while there is encryption: nothing passes in clear, and the tunnel
# stays or comes back.
. "$REPO/tests/vm/lib.sh"
DATAPATH=${1:?which data path} VERSION=${2:-2.4.9}
. "$REPO/tests/vm/guest/datapath_lib.sh"
. "$REPO/tests/vm/guest/mppe_lib.sh"
OWN="pptp_mppe required,128"
PORT=7004

pppd_of_pptpd() { local p; for p in $(ps -o pid= --ppid "$PPTPD"); do ps -o pid= --ppid "$p"; done | head -n 1; }

# talk FROM ADDRESS: numbered datagrams, some five hundred a second, whether there is a tunnel or not
talk() {
  daemon "$1" "$WORK/talk.$1" perl -MIO::Socket::INET -MTime::HiRes=sleep -e '
    for (my $number = 1; ; $number++) {
      my $socket = IO::Socket::INET->new(Proto => "udp", PeerAddr => $ARGV[0], PeerPort => $ARGV[1]);
      $socket->send(pack("N", $number) . "to be read by nobody else") if $socket;
      sleep 0.001;
    }' "$2" $PORT
  TALKING+=($DAEMON)
}
# listen HOST: writes down the numbers that come
listen() {
  daemon "$1" $WORK/heard perl -MIO::Socket::INET -e '
    $| = 1;
    my $socket = IO::Socket::INET->new(Proto => "udp", LocalPort => $ARGV[0]) or die "bind: $@";
    my $packet;
    while (1) { printf "%d\n", unpack "N", $packet if defined $socket->recv($packet, 2048) }' $PORT
  TALKING+=($DAEMON)
  wait_for 30 bound "$1" $PORT
}
# clear_and_heard: how many of the datagrams that the server has sent in clear have got through
clear_and_heard() {
  awk '
    NR == FNR { if ($1 == "server" && $4 == 33) clear[$7] = 1; next }
    $1 in clear { n++ }
    END { print n + 0 }' $WORK/frames $WORK/heard
}

# What happens.
server_begins() { kill -USR2 "$(pppd_of_pptpd)"; }
client_begins() { kill -USR2 "${PPPD[$1]}"; }
# somebody_begins NAME: a Configure-Request that looks like the server's, which says nothing meanwhile
somebody_begins() {
  local call number
  kill -STOP "${TALKING[2]}"
  sleep 0.2
  wire_catches_up || return 1
  call=$(sed -n 's/.* is up: call id \([0-9]*\),.*/\1/p' "$(log_of "$1")")
  # It has a little more to say: what was on its way, and that nobody listens.
  number=$(wire_frames | sent_by server | awk '$3 > n { n = $3 } END { print n + 100 }')
  on server perl -MSocket -e '
    socket my $raw, PF_INET, SOCK_RAW, 47 or die "socket: $!";
    my $frame = pack "n C2 n C2 N", 0x80fd, 1, 77, 10, 18, 6, 0x01000040;
    my $packet = pack("n n n n N", 0x3001, 0x880b, length $frame, $ARGV[1], $ARGV[2]) . $frame;
    send $raw, $packet, 0, pack_sockaddr_in(0, inet_aton $ARGV[0]) or die "send: $!"' "$CLIENT_ADDRESS" "$call" "$number"
  kill -CONT "${TALKING[2]}"
}
# client_stalled WHAT NAME: it happens while the client's pppd does nothing for 0.3 s. server_stalled: the server's
client_stalled() { stalled "${PPPD[$2]}" "$@"; }
server_stalled() { stalled "$(pppd_of_pptpd)" "$@"; }
stalled() {
  kill -STOP "$1" && "$2" "$3" && sleep 0.3
  kill -CONT "$1"
}

encrypts() { [ "$(grep -c 'MPPE 128-bit stateless compression enabled' "$(log_of "$1")")" -ge "$2" ] && ping_tunnel client "$1"; }

# begun_anew NAME SESSIONS OPTIONS WHAT...: a tunnel, and what happens to it; afterwards it has had so many sessions
begun_anew() {
  local name=$1 sessions=$2 options=$3 clear
  shift 3
  check_here "$name: the tunnel comes up" open_tunnel "$name" $options noipv6 persist holdoff 0
  wire_start client
  TALKING=()
  listen client
  talk client $TUNNEL_SERVER
  talk server "$(address_of "$name")"
  sleep 0.4
  check "$name: it happens" "$@" "$name"
  sleep 0.5
  check "$name: then there is an encrypted tunnel" wait_for 30 encrypts "$name" "$sessions"
  kill "${TALKING[@]}"
  check "$name: what passes is recorded" wire_stop
  wire_frames > $WORK/frames
  clear=$(sent_by client < $WORK/frames | clear_frames)
  note "$name: $DATAPATH, pppd $VERSION: in clear $clear frames of the client's," \
    "$(sent_by server < $WORK/frames | clear_frames) of the server's"
  [[ $* != *somebody* ]] || check "$name: pppd $sees" $seen logged "$name" 'rcvd \[CCP ConfReq id=0x4d'
  same "$name: nothing of the client's is in clear" 0 "$clear"
  same "$name: nothing of the server's that is in clear gets through" 0 "$(clear_and_heard)"
  same "$name: there were so many sessions" "$sessions" "$(grep -c 'Connect: ' "$(log_of "$name")")"
  check_here "$name: SIGTERM ends it" close_tunnel "$name"
}

# The engine goes on with the keys that it has, and pppd ends its own session. The kernel would not go on: neither of
# them gets to see it.
case $DATAPATH in
  kernel) sees="does not see it" seen=not after_forgery=1 ;;
  *) sees="sees it" seen= after_forgery=2 ;;
esac
plan $((8 * 8 + 3))
network
pptpd_with 128
begun_anew server 2 "$OWN" server_begins
begun_anew server-stalled 2 "$OWN" client_stalled server_begins
begun_anew forged 1 "$OWN" somebody_begins
begun_anew forged-stalled 1 "$OWN" client_stalled somebody_begins
begun_anew client 1 "$OWN" client_begins
begun_anew pppd-forged $after_forgery require-mppe-128 client_stalled somebody_begins
begun_anew pppd-client 2 require-mppe-128 client_begins
begun_anew pppd-client-stalled 2 require-mppe-128 server_stalled client_begins
finish
