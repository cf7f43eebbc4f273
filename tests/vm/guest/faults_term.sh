# faults_term.sh VERSION - SIGTERM in every phase of connecting: pppd is gone at once, with status 5, with
# "persist" as well, and takes everything along.
. "$REPO/tests/vm/lib.sh"
. "$REPO/tests/vm/guest/faults_lib.sh"
SILENT=10.99.0.77

# terminated TEXT PHASE OPTIONS...: PHASE is a command that succeeds in the phase
terminated() {
  local how
  for how in "" "persist maxfail 0 holdoff 0"; do
    : > "$JOURNAL"
    pppd_start client "$VERSION" t plugin pptp-rs.so $SIMPLE_PPP "${@:3}" $how
    check "pppd $VERSION: $1${how:+, persist}: it comes to that" wait_for 30 $2
    sleep 0.2
    local started
    started=$(now)
    pppd_stop t TERM 20
    TOOK=$(elapsed_since "$started")
    check_here "pppd $VERSION: $1${how:+, persist}: gone with status 5 ($TOOK s)" gone_in_time
    [ "$STATUS" != running ] || pppd_stop t KILL
  done
}
gone_in_time() {
  local verdict=0
  [ "$STATUS" = 5 ] || { echo "status $STATUS"; verdict=1; }
  less_or_equal "$TOOK" $AT_ONCE || verdict=1
  told || verdict=1
  clean_protocol || verdict=1
  nothing_left || verdict=1
  return $verdict
}

# told: one line says that it was a signal, pppd's own or, before there is a link to end, the plugin's
told() {
  [ "$(grep -Ec 'Terminating on signal 15|interrupted by a signal' "$(log_of t)")" = 1 ] &&
    [ -z "$(said t | grep -v 'interrupted by a signal')" ] || { cat "$(log_of t)"; return 1; }
}

resolving() { on client ss -Hun | grep -q ":53\\b"; }
connecting() { on client ss -Htn state syn-sent | grep -q ":1723"; }
up() { link_up client t; }

# at RULE TEXT PHASE OPTIONS...
at() {
  local BASELINE=with
  server_start --on "$1"
  terminated "${@:2}" pptp_server "$SERVER"
  server_stop KILL
}

plan 20
network
silent_host $SILENT
cover client "$VERSION" /etc/nsswitch.conf <<< 'hosts: files dns'
cover client "$VERSION" /etc/resolv.conf <<< "nameserver $SILENT"
baseline
terminated "resolving" resolving pptp_server vpn.example
terminated "connecting" connecting pptp_server $SILENT
at sccrq=mute "waiting for the control connection" "server_saw got.Start-Control-Connection-Request"
at ocrq=mute "waiting for the call" "server_saw got.Outgoing-Call-Request"
server_start --pty-pppd "$PEER_PPP"
BASELINE=with
terminated "connected" up pptp_server "$SERVER"
server_stop KILL
finish
