# datapath_lib.sh - what the scripts about data paths share. Source it after lib.sh, with DATAPATH (kernel, tun, pty or
# auto) and VERSION set.
#
#   plain_server                  # pptpd without MPPE
#   open_tunnel t [OPTIONS...]    # pppd "t" on host "client", up
#   check "it is what was asked for" same_text "$DATAPATH" "$(carrier t)"

# plain_server [PPPD OPTION LINES...]: pptpd that wants no encryption, and speaks IPv6
plain_server() { MPPE=nomppe pptpd_start +ipv6 "$@"; }

# plain_options: what its clients say
plain_options() {
  echo plugin pptp-rs.so pptp_server "$SERVER" pptp_datapath "$DATAPATH" user alice noauth +ipv6 nobsdcomp nodeflate novj \
    ipcp-accept-local ipcp-accept-remote debug
}

# dial NAME [OPTIONS...]
dial() { pppd_start client "$VERSION" "$1" $(plain_options) "${@:2}"; }

# open_tunnel NAME [OPTIONS...]: dials and waits
open_tunnel() { dial "$@" && tunnel_up client "$1" 30; }

# close_tunnel NAME: SIGTERM, and status 5
close_tunnel() { pppd_stop "$1"; status_is 5; }
status_is() { [ "$STATUS" = "$1" ] || { echo "exit status $STATUS instead of $1"; return 1; }; }

# pptpctrl: the process of pptpd's that has the call
pptpctrl() { ps -o pid= --ppid "$PPTPD" | head -n 1 | tr -d ' '; }
no_server_interface() { [ -z "$(on server ip -o link show type ppp)" ]; }

not() { ! "$@"; }
same_text() { [ "$1" = "$2" ] || { echo "wanted: $1"; echo "got:    $2"; return 1; }; }

# bound HOST PORT: somebody there gets datagrams on this port
bound() { [ -n "$(on "$1" ss -Huln "sport = :$2")" ]; }

# engine: the processes on host "client" that have a raw GRE socket
engine() { on client ss -Hawnp | awk '/:(47|gre) / && match($0, /pid=[0-9]+/) { print substr($0, RSTART + 4, RLENGTH - 4) }' | sort -u; }

# carrier NAME: which data path its packets take, by what the kernel shows
carrier() {
  local interface engine
  interface=$(interface_of "$1") engine=$(engine)
  if on client test -e "/sys/class/net/$interface/tun_flags"; then echo tun
  elif has_terminal $engine; then echo pty
  elif [ -z "$engine" ] && module_in_use pptp; then echo kernel
  else echo "$interface is on no known path"; fi
}

# has_terminal PID...: one of these processes has the engine's end of a pty
has_terminal() {
  local pid
  for pid; do ! readlink "/proc/$pid/fd/"* | grep -q '/ptmx$' || return 0; done
  return 1
}

# peer_link_local NAME: the server's IPv6 address on this tunnel
peer_link_local() { sed -n 's/^remote LL address //p' "$(log_of "$1")" | tail -n 1; }

# ping6_tunnel NAME
ping6_tunnel() { answered client 3 -6 "$(peer_link_local "$1")%$(interface_of "$1")"; }

# transfer FROM TO ADDRESS FILE: sends the file by TCP from one host to the other's address; compares what arrives
transfer() {
  local port=7001 receiver
  daemon "$2" $WORK/received perl -MIO::Socket::INET -e '
    my $listener = IO::Socket::INET->new(LocalAddr => $ARGV[0], LocalPort => $ARGV[1], Listen => 1, ReuseAddr => 1) or die "listen: $@";
    my $peer = $listener->accept or die "accept: $!";
    my $bytes;
    print $bytes while $peer->sysread($bytes, 65536);' "$3" $port
  receiver=$DAEMON
  wait_for 30 listening "$2" $port || return 1
  timeout 300 nsenter --target "${HOST[$1]}" --net -- perl -MIO::Socket::INET -e '
    my $peer = IO::Socket::INET->new(PeerAddr => $ARGV[0], PeerPort => $ARGV[1]) or die "connect: $@";
    my $bytes;
    while (sysread STDIN, $bytes, 65536) { print $peer $bytes or die "send: $!" }
    close $peer or die "close: $!"' "$3" $port < "$4" || { end_daemon "$receiver"; return 1; }
  wait_for 30 ended "$receiver" || { end_daemon "$receiver"; return 1; }
  wait "$receiver"
  cmp "$4" $WORK/received
}

# random_file FILE BYTES
random_file() { head -c "$2" /dev/urandom > "$1"; }

# address_of NAME: the client's own address in the tunnel
address_of() { on client ip -4 -o address show dev "$(interface_of "$1")" | awk '{ print $4 }'; }

# script_writes HOST NAME VARIABLES...: pppd's script of this name writes down these of its variables: one line for each
# time that it runs, in $WORK/NAME.HOST
script_writes() {
  local host=$1 name=$2 word
  shift 2
  {
    printf '#!/bin/sh\necho'
    for word; do printf ' "%s=$%s"' "$word" "$word"; done
    printf ' >> %s/%s.%s\n' $WORK "$name" "$host"
  } | write_file "$host" "/etc/ppp/$name"
  on "$host" chmod 755 "/etc/ppp/$name"
}

# no_socket HOST: transfer has left none there that waits for an acknowledgement, as it does where the file has come to
no_socket() { [ -z "$(on "$1" ss -Htan exclude time-wait "sport = :7001")" ]; }

# udp_stream FROM TO ADDRESS SECONDS: 100 numbered packets a second; says how many "sent received misordered repeated"
udp_stream() {
  local port=7002 receiver sent
  # It ends by itself, when nothing comes any more.
  daemon "$2" $WORK/stream perl -MIO::Socket::INET -e '
    my ($address, $port) = @ARGV;
    my $socket = IO::Socket::INET->new(Proto => "udp", LocalAddr => $address, LocalPort => $port) or die "bind: $@";
    my ($packet, $last, $received, $misordered, $repeated, %seen) = ("", 0, 0, 0, 0);
    $SIG{ALRM} = sub { print "$received $misordered $repeated\n"; exit };
    alarm 30;
    while (defined $socket->recv($packet, 2048)) {
      alarm 5;
      my $number = unpack "N", $packet;
      $received++;
      $misordered++ if $number < $last;
      $repeated++ if $seen{$number}++;
      $last = $number;
    }' "$3" $port
  receiver=$DAEMON
  wait_for 30 bound "$2" $port
  sent=$(on "$1" perl -MIO::Socket::INET -e '
    my ($address, $port, $seconds) = @ARGV;
    my $socket = IO::Socket::INET->new(Proto => "udp", PeerAddr => $address, PeerPort => $port) or die "connect: $@";
    my ($end, $number) = (time + $seconds, 0);
    while (time < $end) {
      $socket->send(pack("N", ++$number) . "x" x 400);
      select undef, undef, undef, 0.01;
    }
    print $number' "$3" $port "$4")
  wait "$receiver"
  echo "$sent $(cat $WORK/stream)"
}

# counters_add_up NAME: every packet that was received was delivered, or died in exactly one way
counters_add_up() {
  grep 'counters: ' "$(log_of "$1")" | tail -n 1 | awk '
    {
      for (i = 1; i <= NF; i++) if (split($i, pair, "=") == 2) count[pair[1]] = pair[2]
      ends = "delivered ack-only waiting malformed wrong-call unnumbered implausible stale duplicate empty abandoned"
      # Those that are zero are not told.
      for (i = split(ends, name, " "); i > 0; i--) sum += count[name[i]]
      if (count["received"] != sum || sum == 0) { print count["received"], "received,", sum, "accounted for:", $0; failed = 1 }
      seen = 1
    }
    END { exit failed || !seen }'
}
