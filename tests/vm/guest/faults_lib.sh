# faults_lib.sh - what the scripts about faults share. Source it after lib.sh.
#
#   fault_at ocrq=reply:result=4 "a busy server is named" 8 1 'busy \(4\)'
VERSION=${1:-2.4.9} DATAPATH=${2:-}
JOURNAL=$WORK/server.log
: > "$JOURNAL"
# Seconds that a busy machine may take for what is done at once.
AT_ONCE=10
# A server that answers no echo is given up after four seconds, one that a busy machine has held up is not.
ECHOES="pptp_echo_interval 1 pptp_echo_timeout 3"
# What the test kit's server tells its pppd, and what the client's pppd is told.
PEER_PPP="noauth nodefaultroute nobsdcomp nodeflate novj noipv6 $TUNNEL_SERVER:192.168.77.1%n debug logfile $WORK/peer-pppd.log"
SIMPLE_PPP="noauth noipdefault nobsdcomp nodeflate novj noipv6"

# journal_time PATTERN [N]: when the Nth line like this was written, in seconds
journal_time() { grep -E -- "$1" "$JOURNAL" | sed -n "${2:-1}s/ .*//p"; }

# said NAME: the lines in this pppd's log that are not pppd's own, nor the plugin's that the call is up, on what path, and over
said() {
  grep -Ev -e '^Plugin .* loaded\.$' -e '^(using channel|Using interface|Connect:|Exit\.|Modem hangup|Connection terminated)' \
    -e '^(Connect time|Sent [0-9]+ bytes|Terminating on signal|(local|remote) +(IP|LL) address|Hangup)' \
    -e '^(LCP|CCP|IPCP) ' -e '^(MPPE|CHAP) (.* )?(enabled|disabled|succeeded)' -e '^Remote message: ' -e '^Script .* (started|finished)' \
    -e '^(sent|rcvd) \[' -e '^peer from calling number' -e '^(PPTP call to .* is up: |data path |session ended: )' -e '^[[:space:]]*$' "$(log_of "$1")"
}

# one_line NAME PATTERN: it said one line, which is like this
one_line() {
  local lines
  lines=$(said "$1")
  if [ "$(grep -c . <<< "$lines")" = 1 ] && grep -Eq -- "$2" <<< "$lines"; then return; fi
  printf 'wanted one line like: %s\ngot:\n%s\n' "$2" "$lines"
  return 1
}

# clean_protocol: the server found nothing wrong in what the client sent
clean_protocol() { ! grep ' bad ' "$JOURNAL"; }

# baseline: notes what there is without and with the server, for nothing_left to compare with
baseline() {
  leftovers_before
  cp $WORK/leftovers.before $WORK/leftovers.without
  server_start
  leftovers_before
  cp $WORK/leftovers.before $WORK/leftovers.with
  server_stop KILL
  BASELINE=without
}

# nothing_left: as leftovers_none, without a result of its own; the server's pppd may be killed, and leave its file
nothing_left() {
  local end
  clock
  end=$((CLOCK + LEFTOVERS_WAIT * 100))
  while :; do
    leftovers_list > $WORK/leftovers.list
    grep -v 'server file /run/ppp[0-9]*.pid' $WORK/leftovers.list > $WORK/leftovers.after
    if cmp -s $WORK/leftovers.$BASELINE $WORK/leftovers.after; then return 0; fi
    clock
    [ "$CLOCK" -lt "$end" ] || break
    sleep 0.1
  done
  echo "left over:"
  diff $WORK/leftovers.$BASELINE $WORK/leftovers.after | grep '^[<>]'
  return 1
}

less_or_equal() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a <= b) }'; }

# judge STATUS SECONDS PATTERN NAME: the whole verdict about a pppd that has ended ($STATUS, $TOOK)
judge() {
  local verdict=0
  [ "$STATUS" = "$1" ] || { echo "status $STATUS, wanted $1"; verdict=1; }
  less_or_equal "$TOOK" "$2" || { echo "took $TOOK s, allowed are $2"; verdict=1; }
  one_line "$4" "$3" || verdict=1
  clean_protocol || verdict=1
  nothing_left || verdict=1
  return $verdict
}

# fault TEXT STATUS SECONDS PATTERN OPTIONS...: pppd $VERSION with the plugin ends with this status within this time,
# says one line which is like the pattern, sends correct messages and leaves nothing behind
fault() {
  run_pppd $(($3 + 10)) client "$VERSION" t plugin pptp-rs.so $SIMPLE_PPP "${@:5}"
  check_here "pppd $VERSION: $1 ($TOOK s)" judge "$2" "$3" "$4" t
}

# plugin_start OPTIONS...: pppd $VERSION with the plugin on host "client", called "t"
plugin_start() { pppd_start client "$VERSION" t $(client_options plugin) $SIMPLE_PPP "$@"; }

# fault_at RULE TEXT STATUS SECONDS PATTERN [OPTIONS...]: the same with a server that follows the rule
fault_at() {
  local BASELINE=with
  server_start --on "$1"
  fault "${@:2:4}" pptp_server "$SERVER" "${@:6}"
  server_stop KILL
}

# family PID: it and what descends from it
family() { local child; echo "$1"; for child in $(ps -o pid= --ppid "$1"); do family "$child"; done; }

# pptpd_killed: pptpd and all that it started get SIGKILL
pptpd_killed() { kill -KILL $(family "$PPTPD"); wait "$PPTPD"; on server rm -f /run/pptpd.pid; } 2> /dev/null

# silent_host ADDRESS: packets of the client to this address are lost without an answer
silent_host() { on client ip neighbour replace "$1" lladdr 02:00:00:00:00:77 dev eth0 nud permanent; }

# cover HOST VERSION FILE: the host's pppd sees standard input in place of this file
cover() {
  local tree copy
  tree=$(tree_for "$2")
  copy=/run/cover-$2-${3##*/}
  write_file "$1" "$copy"
  on "$1" mount --bind "$copy" "$(on "$1" readlink -f "${tree%/}$3")"
}
uncover() { on "$1" umount "$(on "$1" readlink -f "$(tree_for "$2" | sed 's,/$,,')$3")"; }
