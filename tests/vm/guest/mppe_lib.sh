# mppe_lib.sh - what the scripts about encryption share. Source it after datapath_lib.sh.
#
#   pptpd_with 128                # a session with 128 bits, stateless
#   wire_start client             # what comes and goes as GRE
#   open_tunnel t $(asking_for 128)
#   check "it is on" enabled t 128
#   counted_stream server client "$(address_of t)" 10000 1000
#   check "the recording is whole" wire_stop
#   same "nothing in clear" 0 "$(wire_frames | clear_frames)"
#
# MODE is 128, 40, 128-stateful or 40-stateful.

# pptpd_with MODE
pptpd_with() {
  case $1 in
    *-stateful) MPPE=require-mppe-${1%-*} pptpd_start mppe-stateful ;;
    *) MPPE=require-mppe-$1 pptpd_start ;;
  esac
}
# asking_for MODE: the client's options. pppd itself asks for stateless encryption alone.
asking_for() {
  case $1 in
    *-stateful) echo pptp_mppe "required,${1%-*},stateful" ;;
    *) echo "require-mppe-$1" ;;
  esac
}
# enabled NAME MODE: both ends say so
enabled() {
  local text
  case $2 in
    *-stateful) text="MPPE ${2%-*}-bit stateful compression enabled" ;;
    *) text="MPPE $2-bit stateless compression enabled" ;;
  esac
  logged "$1" "$text" && grep "$text" $WORK/pptpd-pppd.log
}

# wire_start HOST: records the beginning of each packet of GRE at this host's end of the cable, in $WORK/wire
wire_start() {
  daemon "$1" $WORK/wire.log tcpdump --immediate-mode -Z root -U -B 32768 -s 100 -i eth0 -w $WORK/wire 'proto gre'
  WIRE=$DAEMON WIRE_HOST=$1
  wait_for 30 grep -q 'listening on' $WORK/wire.log || bail 'tcpdump does not start' $WORK/wire.log
}
# wire_catches_up: all that has passed before is recorded, when a last packet is: of GRE, to nobody, and not of PPTP's version
wire_catches_up() {
  local mark=mark-$RANDOM$RANDOM
  on "$WIRE_HOST" perl -MSocket -e '
    my ($interface, $mark) = @ARGV;
    socket my $link, 17, SOCK_RAW, 0 or die "packet socket: $!"; # AF_PACKET
    my $nobody = pack "H12", "020000000099";
    my $packet = pack("n2 a*", 0, 0, $mark);
    my $ip = pack "C2 n3 C2 n N2", 0x45, 0, 20 + length $packet, 0, 0, 1, 47, 0, 0, 0;
    send $link, $nobody . pack("H12 n", "020000000098", 0x800) . $ip . $packet, 0,
      pack("S n i S C2 a8", 17, 0x800, $interface, 0, 0, 6, $nobody) or die "send: $!"' \
    "$(on "$WIRE_HOST" cat /sys/class/net/eth0/ifindex)" "$mark" || return 1
  wait_for 30 grep -q "$mark" $WORK/wire
}

# wire_stop: when all is recorded that has passed; fails if the recorder did not keep up. What passes while it ends may be
# missing.
wire_stop() {
  local before=-1 size
  size=$(stat -c %s $WORK/wire)
  while [ "$size" != "$before" ]; do
    sleep 0.5
    before=$size size=$(stat -c %s $WORK/wire)
  done
  wire_catches_up || return 1
  end_daemon $WIRE
  # A check runs this in a shell of its own, whose child the recorder is not.
  wait_for 30 grep -q 'dropped by kernel' $WORK/wire.log || return 1
  awk '
    /packets captured/ { captured = $1 }
    /received by filter/ { received = $1 }
    /dropped by kernel/ { dropped = $1 }
    END {
      if (captured != 0 && dropped == 0 && captured + 5 >= received) exit 0
      print captured, "of", received, "packets recorded"
      exit 1
    }' $WORK/wire.log
}

# wire_frames: a line for each PPP frame of the recording, in its order: who sent it ("client" or "server"), seconds,
# GRE's sequence number, protocol, first two octets of the information (MPPE's header), octets of the packet, and what is in
# the first four octets of a datagram of UDP that is in clear; all decimal
wire_frames() {
  perl -e '
    my ($client) = map { pack "C4", split /\./ } @ARGV;
    local $/;
    my $file = <STDIN>;
    for (my $at = 24; $at < length $file;) {
      my ($seconds, $microseconds, $kept, $length) = unpack "V4", substr $file, $at, 16;
      my $packet = substr $file, $at + 16 + 14, $kept - 14;
      $at += 16 + $kept;
      my ($flags, undef, $size, undef, @numbers) = unpack "n n n n N N", substr $packet, 20;
      next unless $flags & 0x1000;
      my $frame = substr $packet, 20 + ($flags & 0x80 ? 16 : 12);
      $frame =~ s/^\xff\x03//;
      my $protocol = ord $frame;
      $protocol = unpack("n", $frame) unless $protocol & 1;
      my $information = substr $frame, ord $frame & 1 ? 1 : 2;
      my $number = $protocol == 0x21 ? unpack "N", substr $information, 28, 4 : 0;
      printf "%s %d.%06d %d %d %d %d %d\n", substr($packet, 12, 4) eq $client ? "client" : "server", $seconds, $microseconds,
        $numbers[0], $protocol, unpack("n", $information . "\0\0"), $size, $number || 0;
    }' "$CLIENT_ADDRESS" < $WORK/wire
}

# sent_by SENDER: those of one end
sent_by() { awk -v sender="$1" '$1 == sender'; }

# clear_frames: how many of those carry in clear what would be encrypted
clear_frames() { awk '$4 >= 33 && $4 <= 250 { n++ } END { print n + 0 }'; }
# encrypted_frames [OCTETS]: how many of those are encrypted and longer than that
encrypted_frames() { awk -v octets="${1:-0}" '$4 == 253 && $6 > octets { n++ } END { print n + 0 }'; }

# decryptable_frames OCTETS RECEIVER: how many of one end's can be decrypted in a stateful session, if they are put in order
# and the first can be. After a gap none can be before the sender has made its tables anew. The "kernel" believes that only
# right after a Reset-Ack; what comes between calls for another. What pptpd has lost cannot be seen here, so whoever has got
# a Reset-Ack is taken to need it.
decryptable_frames() {
  sort -n -k 3 | awk -v octets="$1" -v receiver="$2" '
    $4 == 33021 && int($5 / 256) == 15 { is_acknowledged = 1 }
    $4 != 253 { next }
    {
      count = $5 % 4096
      if (!seen++) last = (count + 4095) % 4096
      if (is_lost == 0 && count != (last + 1) % 4096) is_lost = 1
      if (is_lost && $5 >= 32768 && (is_acknowledged || receiver != "kernel")) is_lost = 0
      is_acknowledged = 0
      if (is_lost == 0) { last = count; n += $6 > octets }
    }
    END { print n + 0 }'
}

# counted_stream FROM TO ADDRESS COUNT RATE: sends so many numbered datagrams of 1400 octets with their IP header, each with
# contents of its own, so many a second; sets, of those that were received, RECEIVED, MISORDERED, REPEATED and WRONG (not as
# they were sent)
counted_stream() {
  local port=7003 receiver contents='my $block = join "", map { pack "N", ($_ * 2654435761) % 4294967296 } 1 .. 4096;
    my $rest = 1400 - 28 - 4;
    sub contents { my $number = shift; pack("N", $number) . substr $block, ($number * 13) % (length($block) - $rest), $rest }'
  daemon "$2" $WORK/stream perl -MIO::Socket::INET -MSocket -e "$contents"'
    my ($address, $port, $last) = @ARGV;
    my $socket = IO::Socket::INET->new(Proto => "udp", LocalAddr => $address, LocalPort => $port) or die "bind: $@";
    setsockopt $socket, SOL_SOCKET, 33, 33554432 or die "SO_RCVBUFFORCE: $!";
    my ($packet, $received, $misordered, $repeated, $wrong, $latest, %seen) = ("", 0, 0, 0, 0, 0);
    while (defined $socket->recv($packet, 2048)) {
      my $number = unpack "N", $packet;
      last if $number == 0 and $received;
      $received++;
      $misordered++ if $number < $latest;
      $repeated++ if $seen{$number}++;
      $wrong++ if $packet ne contents($number);
      $latest = $number;
    }
    print "$received $misordered $repeated $wrong\n"' "$3" $port
  receiver=$DAEMON
  wait_for 30 bound "$2" $port || return 1
  # A small buffer: its own queue is what slows it down. The end is told several times, for it may get lost.
  on "$1" perl -MIO::Socket::INET -MSocket -MTime::HiRes=sleep,time -e "$contents"'
    my ($address, $port, $count, $rate) = @ARGV;
    my $socket = IO::Socket::INET->new(Proto => "udp", PeerAddr => $address, PeerPort => $port) or die "connect: $@";
    setsockopt $socket, SOL_SOCKET, SO_SNDBUF, 40000 or die "SO_SNDBUF: $!";
    my $begin = time;
    for my $number (1 .. $count) {
      defined $socket->send(contents($number)) or die "send: $!";
      sleep 0.002 while $number > $rate * (time - $begin) + 10;
    }
    for (1 .. 200) { sleep 0.1; $socket->send(pack "N", 0) or last }' "$3" $port "$4" "$5"
  wait_for 30 ended $receiver || { end_daemon $receiver; return 1; }
  read -r RECEIVED MISORDERED REPEATED WRONG < $WORK/stream
}

# nonsense HOST: how many packets this host has received that are no sense: broken headers, lengths or checksums
nonsense() {
  on "$1" awk '
    $1 == "Ip:" || $1 == "Udp:" {
      if (!($1 in names)) { names[$1] = $0; next }
      split(names[$1], name)
      for (i = 2; i <= NF; i++) if (name[i] ~ /^(InHdrErrors|InAddrErrors|InUnknownProtos|InErrors)$/) sum += $i
    }
    END { print sum + 0 }' /proc/net/snmp
}
