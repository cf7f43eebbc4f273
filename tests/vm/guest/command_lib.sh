# command_lib.sh - what the scripts about the command pptp share. Source it after lib.sh, with VERSION set.
#
#   install_command               # before there are hosts
#   network
#   collect_syslog
#   prepare_client

COMMAND=$GUEST_BUILD/command/pptp

# install_command: over pptp-linux's, also for the pppd of the other tree
install_command() {
  local tree
  tree=$(tree_for "$VERSION") || bail "there is no pppd $VERSION"
  # A copy, which keeps working whatever is built meanwhile.
  install -m 755 "$COMMAND" $WORK/pptp || bail "there is no $COMMAND: make plugins builds it"
  mount --bind $WORK/pptp /usr/sbin/pptp
  [ "$tree" = / ] || { touch "$tree/usr/sbin/pptp" && mount --bind $WORK/pptp "$tree/usr/sbin/pptp"; }
}

# collect_syslog: what comes to /dev/log is a line of $WORK/syslog
collect_syslog() {
  daemon client $WORK/syslogd.log perl -MIO::Socket::UNIX -MSocket -e '
    unlink "/dev/log";
    my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "/dev/log") or die "/dev/log: $!";
    while (defined $socket->recv(my $line, 4096)) {
      open my $log, ">>", $ARGV[0] or die;
      print $log "$line\n";
    }' $WORK/syslog
  : > $WORK/syslog
  wait_for 30 test -S /dev/log || bail "there is no log daemon" $WORK/syslogd.log
}

# syslogged PATTERN (extended regular expression): such a line came, or comes soon
syslogged() { wait_for 30 grep -Eq -- "$1" $WORK/syslog || { echo "no line like: $1"; cat $WORK/syslog; return 1; }; }

# prepare_client: what Debian's packages put there
prepare_client() {
  write_file client /etc/ppp/options.pptp < "$GUEST_BUILD/command/options.pptp"
  # pppd keeps it: what programs on its pty write to standard error.
  on client touch /etc/ppp/connect-errors
}

# host_routes: how many routes there are to the server alone
host_routes() { on client ip route show table main exact "$SERVER" | wc -l; }
has_host_route() { [ "$(host_routes)" = 1 ]; }

# launch NAME ARGUMENTS...: pptp, which becomes pppd
launch() {
  daemon client "$(log_of "$1")" pptp "${@:2}"
  PPPD[$1]=$DAEMON
}
