# persist.sh VERSION [PATH] - "persist" dials again after each way in which a tunnel ends, never sooner than "holdoff" says.
. "$REPO/tests/vm/lib.sh"
. "$REPO/tests/vm/guest/faults_lib.sh"
GO=$WORK/go HOLDOFF=2
# What pppd's own timers and a busy machine may add.
SLACK=10

# redials TEXT EVENT ACTIONS [OPTIONS...]: the server does this to the first tunnel; EVENT is how its journal puts it
redials() {
  rm -f "$GO"
  server_start --pty-pppd "$PEER_PPP" --on "call-up@1=wait-file:$GO,$3"
  plugin_start persist maxfail 0 holdoff $HOLDOFF "${@:4}"
  check "pppd $VERSION: $1: it was up" tunnel_up client t 30
  : > "$GO"
  check "pppd $VERSION: $1: it is dialled again" wait_for 30 server_saw '^[^ ]+ #2 accepted'
  local from to
  from=$(journal_time "$2") to=$(journal_time '#2 accepted')
  between "pppd $VERSION: $1: after holdoff" $HOLDOFF $((HOLDOFF + SLACK)) "$(awk -v a="$from" -v b="$to" 'BEGIN { print b - a }')"
  check "pppd $VERSION: $1: it is up again" wait_for 30 up_again 2
  stop_persisting "$1"
}

# up_again N: IPCP came up N times
up_again() { [ "$(grep -c 'local  IP address' "$(log_of t)")" -ge "$1" ] && link_up client t; }

stop_persisting() {
  pppd_stop t
  server_stop KILL
  check_here "pppd $VERSION: $1: SIGTERM ends it with status 5, and nothing is left" ended_well
}
ended_well() { [ "$STATUS" = 5 ] && nothing_left || { echo "status $STATUS"; return 1; }; }

# steps: the seconds between the lines of the journal that are like this, one per line
steps() { grep -E -- "$1" "$JOURNAL" | awk 'NR > 1 { printf "%.2f\n", $1 - last } { last = $1 }'; }
never_sooner() { steps "$1" | awk -v h="$2" '$1 < h { print "a step of", $1; bad = 1 } END { exit bad || NR < 2 }'; }

# not_hammered TEXT RULE: a server that does this to every call is not dialled more often than holdoff allows
tried() { [ "$(grep -c accepted "$JOURNAL")" -ge "$1" ]; }
# failures: how many calls the log gives a reason for the end of
failures() { said t | grep -c .; }
failed_again() { [ "$(failures)" -gt "$1" ]; }
not_hammered() {
  server_start --on "$2"
  plugin_start persist maxfail 0 holdoff $HOLDOFF
  sleep 6
  check "pppd $VERSION: $1: it goes on trying" wait_for 30 tried 3
  check "pppd $VERSION: $1: but never sooner than holdoff" never_sooner accepted $HOLDOFF
  note "$(steps accepted | tr '\n' ' ')"
  # In holdoff, so that the signal does not meet a hang-up: then either may give the status.
  wait_for 30 failed_again "$(failures)"
  sleep 0.5
  stop_persisting "$1"
}

# restarted: the server is killed and comes back
restarted() {
  local text="the server killed and restarted" killed
  pptpd_start
  pppd_start client "$VERSION" t $(client_options) $(session_options) persist maxfail 0 holdoff $HOLDOFF
  check "pppd $VERSION: $text: it was up" tunnel_up client t 30
  killed=$(now)
  pptpd_killed
  check "pppd $VERSION: $text: it notices" wait_for 30 logged t 'Modem hangup'
  sleep 3
  pptpd_start
  check "pppd $VERSION: $text: it is up again" wait_for 30 up_again 2
  note "up again $(elapsed_since "$killed") s after the server was killed"
  pppd_stop t
  pptpd_killed
  check_here "pppd $VERSION: $text: SIGTERM ends it with status 5, and nothing is left" ended_well
}

plan 36
network
pptpd_start
pptpd_killed
baseline
redials "Call-Disconnect-Notify" 'sent Call-Disconnect-Notify' cdn
redials "Stop" 'sent Stop-Control-Connection-Request' stop
redials "the connection closed" '#1 closed' close
redials "echo lost" '#1 EOF' mute-echo $ECHOES
not_hammered "disconnected at once" call-up=cdn
not_hammered "stopped at once" call-up=stop
not_hammered "call refused" ocrq=reply:result=4
not_hammered "connection refused at once" accept=close
restarted
finish
