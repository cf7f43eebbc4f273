# server_mode.sh VERSION - a PPTP server hands its pppd a connected kernel socket, with the arguments that accel-pptp's
# server uses; the client is pptp-linux, so that the other end is not this plugin
. "$REPO/tests/vm/lib.sh"
version=${1:-2.4.9}
plan 11

network
client_secrets
write_file server /etc/ppp/chap-secrets <<< 'alice pptpd "open sesame" *'
printf '%s\n' 'name pptpd' auth refuse-pap refuse-chap refuse-mschap require-mschap-v2 require-mppe-128 nobsdcomp nodeflate \
  debug "logfile $WORK/server-pppd.log" | write_file server /etc/ppp/options.server
write_file server /etc/ppp/ip-up << END
#!/bin/sh
env | grep _CALL_ID > $WORK/ids.new
mv $WORK/ids.new $WORK/ids
END
on server chmod 755 /etc/ppp/ip-up
# What the server starts is one file: this writes down the arguments and becomes pppd, in its tree if it has one.
pppd_program server "$version"
printf '#!/bin/sh\necho "$@" >> %s/arguments\nexec %s "$@"\n' $WORK "${PROGRAM[*]}" > $WORK/server-pppd
chmod 755 $WORK/server-pppd
leftovers_before
server_start --program $WORK/server-pppd \
  --pppd "local file /etc/ppp/options.server 115200 $TUNNEL_SERVER:192.168.77.10 ipparam $CLIENT_ADDRESS plugin pptp.so"

pppd_start client "$version" vpn $(client_options pptp-linux) $(session_options)
check "pppd $version as a server brings up the tunnel" tunnel_up client vpn 30
check "with the arguments that accel-pptp's server uses" grep -Eqx "local file /etc/ppp/options.server 115200 [0-9.:]+ ipparam $CLIENT_ADDRESS plugin pptp.so pptp_client $CLIENT_ADDRESS pptp_sock [0-9]+ nodetach" $WORK/arguments
check "the kernel's PPTP socket carries it" module_in_use pptp
check "ip-up has run" wait_for 30 test -e $WORK/ids
same "it is told the id of the call that the socket knows, and no other" PPTP_LOCAL_CALL_ID "$(sed 's/=[1-9][0-9]*$//' $WORK/ids)"
check "MPPE with 128 bits is on" grep -q 'MPPE 128-bit stateless compression enabled' $WORK/server-pppd.log
check "the server answers the client's pings" ping_peer client $TUNNEL_SERVER
check "the client answers the server's pings" ping_peer server 192.168.77.10

on server /bin/sh -c 'kill "$(head -n 1 /run/ppp0.pid)"'
check "SIGTERM ends the server's pppd with status 5" wait_for 30 server_saw 'pppd ended status=5'
check "its interface is gone" interface_gone server ppp0
pppd_wait vpn 30
server_stop
# Not the plugin's: pptp-linux leaves its route to the server.
on client ip route del $SERVER dev eth0 2> /dev/null
leftovers_none "no process, socket, interface or file is left behind"
finish
