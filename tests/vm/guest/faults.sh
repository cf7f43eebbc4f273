# faults.sh VERSION - everything that can go wrong before a call is up: pppd's exit status, the one line that says
# why, how long it takes, and that nothing stays behind.
. "$REPO/tests/vm/lib.sh"
. "$REPO/tests/vm/guest/faults_lib.sh"
SILENT=10.99.0.77

names() {
  fault "an empty name service" 8 $AT_ONCE 'no-such-host\.example' pptp_server no-such-host.example
  cover client "$VERSION" /etc/resolv.conf <<< "nameserver $SILENT"
  fault "a name server that says nothing" 8 $((2 + AT_ONCE)) 'vpn\.example.* 2 s' pptp_server vpn.example pptp_connect_timeout 2
  uncover client "$VERSION" /etc/resolv.conf
}

connecting() {
  fault "connection refused" 8 $AT_ONCE "$SERVER.*refused" pptp_server "$SERVER"
  fault "another port refused" 8 $AT_ONCE "$SERVER.*1999.*refused" pptp_server "$SERVER" pptp_port 1999
  fault "no route to the server" 8 $AT_ONCE '203\.0\.113\.1.*unreachable' pptp_server 203.0.113.1
  fault "a SYN that is never answered" 8 $((2 + AT_ONCE)) "$SILENT.* 2 s" pptp_server $SILENT pptp_connect_timeout 2
}

silence() {
  fault_at accept=mute "a server that accepts and says nothing" 8 $((2 + AT_ONCE)) "$SERVER.* 2 s" pptp_connect_timeout 2
  fault_at sccrq=reply,mute "a server that says nothing to the call" 8 $((2 + AT_ONCE)) "$SERVER.* 2 s" pptp_connect_timeout 2
  fault_at ocrq=reply:peer=1 "a reply for another call" 8 $((2 + AT_ONCE)) "$SERVER.* 2 s" pptp_connect_timeout 2
}

refused_connection() {
  local code
  local -A words=([2]='general error \(2\)' [3]='already exists \(3\)' [4]='not authorized \(4\)'
    [5]='version not supported \(5\)' [9]='unknown code \(9\)')
  for code in 2 3 4 5 9; do
    fault_at "sccrq=reply:result=$code" "control connection refused with $code" 8 $AT_ONCE "refused.*${words[$code]}"
  done
  fault_at sccrq=reply:result=2:error=4 "control connection refused with error 4" 8 $AT_ONCE 'insufficient resources \(4\)'
  fault_at sccrq=reply:result=5:version=0x0200 "another version offered" 8 $AT_ONCE 'version'
}

refused_call() {
  local code
  local -A words=([2]='general error \(2\)' [3]='no carrier \(3\)' [4]='busy \(4\)' [5]='no dial tone \(5\)'
    [6]='time-out \(6\)' [7]='prohibited \(7\)' [99]='unknown code \(99\)')
  for code in 2 3 4 5 6 7 99; do
    fault_at "ocrq=reply:result=$code" "call refused with $code" 8 $AT_ONCE "refused.*${words[$code]}"
  done
  fault_at ocrq=reply:result=2:error=6:cause=34 "call refused with error 6 and cause 34" 8 $AT_ONCE '\(6\).*\(34\)'
}

nonsense() {
  fault_at accept=garbage "garbage at once" 8 $AT_ONCE 'does not speak pptp'
  fault_at sccrq=garbage:4000 "garbage for a reply" 8 $AT_ONCE 'does not speak pptp'
  fault_at sccrq=reply:length=65535 "a huge length" 8 $AT_ONCE 'does not speak pptp'
  fault_at sccrq=reply:length=12 "a length too small" 8 $AT_ONCE 'does not speak pptp'
  fault_at sccrq=reply:magic=0x12345678 "a wrong magic cookie" 8 $AT_ONCE 'does not speak pptp'
  fault_at sccrq=raw:485454502f312e3120343030204261642052657175657374 "a web server" 8 $AT_ONCE 'does not speak pptp'
  fault_at sccrq=half,mute "half a message, then silence" 8 $((2 + AT_ONCE)) "$SERVER.* 2 s" pptp_connect_timeout 2
  fault_at sccrq=half,close "half a message, then the end" 8 $AT_ONCE 'closed'
  fault_at ocrq=garbage "garbage for an answer to the call" 8 $AT_ONCE 'does not speak pptp'
  fault_at ocrq=half:31,mute "all but an octet of the answer" 8 $((2 + AT_ONCE)) "$SERVER.* 2 s" pptp_connect_timeout 2
}

hangups() {
  fault_at accept=close "closed at once" 8 $AT_ONCE 'closed|reset'
  fault_at accept=reset "reset at once" 8 $AT_ONCE 'closed|reset'
  fault_at sccrq=close "closed for a reply" 8 $AT_ONCE 'closed'
  fault_at sccrq=reset "reset for a reply" 8 $AT_ONCE 'closed|reset'
  fault_at ocrq=close "closed for an answer to the call" 8 $AT_ONCE 'closed'
  server_start --on ocrq=exit
  fault "a server that dies" 8 $AT_ONCE 'closed' pptp_server "$SERVER"
  fault_at ocrq=stop:reason=3 "stopped for an answer to the call" 8 $AT_ONCE 'stopped.*shutting down \(3\)'
  # It names a call that the client has not been told of: not an answer.
  fault_at ocrq=cdn:result=3,nothing "disconnected for an answer" 8 $((2 + AT_ONCE)) "$SERVER.* 2 s" \
    pptp_connect_timeout 2
}

# Last, because the module does not come back.
missing_module() {
  fault "pptp.ko missing" 4 $AT_ONCE 'pptp.*module|module.*pptp' pptp_server "$SERVER" pptp_datapath kernel
}

plan 43
network
silent_host $SILENT
cover client "$VERSION" /etc/nsswitch.conf <<< 'hosts: files dns'
# A file that the tests cover and uncover.
write_file client /run/cover-$VERSION-resolv.conf < /dev/null
baseline
names
connecting
silence
refused_connection
refused_call
nonsense
hangups
modprobe -r pptp && find "/lib/modules/$(uname -r)/" -name 'pptp.ko*' -delete && depmod -a
modprobe pppox
baseline
missing_module
finish
