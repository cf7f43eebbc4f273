# faults_up.sh VERSION [PATH] - what ends a tunnel that is up: pppd hangs up at once (status 16) and says why in one line,
# and nothing stays behind. What must not end it: everything odd that real peers do.
. "$REPO/tests/vm/lib.sh"
. "$REPO/tests/vm/guest/faults_lib.sh"
GO=$WORK/go

# tunnel_then ACTIONS [OPTIONS...]: a tunnel to a server that does this once it is told to
tunnel_then() {
  rm -f "$GO"
  server_start --pty-pppd "$PEER_PPP" --on "call-up=wait-file:$GO,$1"
  plugin_start "${@:2}"
  tunnel_up client t 30
}

# ends TEXT SECONDS PATTERN ACTIONS [OPTIONS...]
ends() {
  check_here "pppd $VERSION: $1: it was up" tunnel_then "${@:4}"
  local started BASELINE=with
  started=$(now)
  : > "$GO"
  hung_up "$1" "$2" "$3" "$started"
  server_stop KILL
}

# hung_up TEXT SECONDS PATTERN STARTED
hung_up() {
  pppd_wait t $(($2 + 20))
  TOOK=$(elapsed_since "$4")
  check_here "pppd $VERSION: $1 ($TOOK s)" judge 16 "$2" "$3" t
  [ "$STATUS" != running ] || pppd_stop t KILL
}

disconnected() {
  local result
  local -A words=([0]='no reason given \(0\)' [1]='lost carrier \(1\)' [2]='general error \(2\)'
    [3]='administrative shutdown \(3\)' [4]='on request \(4\)')
  for result in 0 1 2 3 4; do
    ends "disconnected with $result" $AT_ONCE "disconnected.*${words[$result]}" "cdn:result=$result"
  done
  ends "disconnected by the client's id" $AT_ONCE 'disconnected.*\(1\)' cdn:id=theirs:result=1
}

stopped() {
  local reason
  local -A words=([0]='no reason given \(0\)' [1]='general request \(1\)' [3]='shutting down \(3\)')
  for reason in 0 1 3; do
    ends "stopped with $reason" $AT_ONCE "stopped.*${words[$reason]}" "stop:reason=$reason"
  done
}

lost() {
  ends "the connection closed" $AT_ONCE 'closed' close
  ends "the connection reset" $AT_ONCE 'closed|reset' reset
  ends "garbage" $AT_ONCE 'does not speak pptp' garbage:300
  ends "a message of an unknown type" $AT_ONCE 'unknown control message type 99' echo:code=99
  ends "half a message, then the end" $AT_ONCE 'closed' raw:0094,close
  ends "no echo" $((4 + AT_ONCE)) 'echo' mute-echo $ECHOES
  ends "no word any more" $((4 + AT_ONCE)) 'echo' mute $ECHOES
}

# killed TEXT COMMAND...: pptpd and all that it started get SIGKILL while the command runs on the client
killed() {
  local started
  pptpd_start
  pppd_start client "$VERSION" t $(client_options) user alice "$(mppe)" noauth nobsdcomp nodeflate
  check "pppd $VERSION: $1: it was up" tunnel_up client t 30
  daemon client /dev/null "${@:2}"
  sleep 0.5
  pptpd_killed
  started=$(now)
  end_daemon "$DAEMON"
  hung_up "$1" $AT_ONCE 'closed|reset' "$started"
}

# survives TEXT RULES...: a tunnel to a server that does this carries pings, and ends as it should
survives() {
  local rule rules=()
  for rule in "${@:2}"; do rules+=(--on "$rule"); done
  local BASELINE=with
  server_start --pty-pppd "$PEER_PPP" "${rules[@]}"
  plugin_start
  check "pppd $VERSION: $1: it comes up" tunnel_up client t 30
  sleep 0.5
  check "pppd $VERSION: $1: it carries pings" ping_tunnel client t
  pppd_stop t
  check_here "pppd $VERSION: $1: it ends with status 5 and is silent about it" quiet_end
  server_stop KILL
}
quiet_end() {
  [ "$STATUS" = 5 ] && [ -z "$(said t)" ] && clean_protocol && nothing_left || { echo "status $STATUS"; said t; return 1; }
}

# pptpd's files are there when the tests begin.
pptpd_files() { pptpd_start; pptpd_killed; }

plan $((2 * 18 + 3 * 10 + 1))
network
pptpd_files
baseline
disconnected
stopped
lost
killed "the server killed when idle" sleep 20
killed "the server killed under load" ping -q -f -s 1300 $TUNNEL_SERVER
survives "an answer of zeros" sccrq=reply:result=0:framing=0:bearer=0:channels=0:firmware=0
survives "octet by octet" accept=bytewise
survives "slow answers" sccrq=wait:700ms,reply ocrq=wait:700ms,reply
survives "many echo requests" call-up=storm:200
survives "a second answer to the call" ocrq=reply,reply
survives "another call's end" call-up=cdn:id=77
survives "reserved fields that are not 0" sccrq=reply:reserved0=9 ocrq=reply:reserved0=5
survives "messages of the wrong end" call-up=sli,wen,icrp,clear:id=99
survives "an incoming call offered" call-up=icrq:id=9
check "pppd $VERSION: an incoming call offered: it is refused" server_saw 'got Incoming-Call-Reply id=.* peer=9 result=3'
survives "nothing but what is asked for" clear=nothing stop=nothing
finish
