# tunnels.sh VERSION - what the client's machine gets to know of a tunnel through the kernel's PPTP: pptp-rsctl tunnels, the
# variables of pppd's scripts, and the line at the end; and the line of a server's pppd that no server asks
. "$REPO/tests/vm/lib.sh"
version=${1:-2.4.9}
plan 13

tunnels() { on client pptp-rsctl "$@"; }
# listed TEXT: with this in it
listed() { tunnels tunnels --json > $WORK/tunnels; grep -q -- "$1" $WORK/tunnels || { cat $WORK/tunnels; return 1; }; }

network
client_secrets
write_file server /etc/ppp/chap-secrets <<< 'alice pptpd "open sesame" *'
printf '%s\n' 'name pptpd' auth require-mschap-v2 require-mppe-128 nobsdcomp nodeflate debug "logfile $WORK/server-pppd.log" |
  write_file server /etc/ppp/options.server
for script in ip-up ip-down; do
  write_file client /etc/ppp/$script <<< "#!/bin/sh
env | grep ^PPTP_ | sort > $WORK/$script.new
mv $WORK/$script.new $WORK/$script"
  on client chmod 755 /etc/ppp/$script
done
pppd_program server "$version"
printf '#!/bin/sh\nexec %s "$@"\n' "${PROGRAM[*]}" > $WORK/server-pppd
chmod 755 $WORK/server-pppd
leftovers_before
same "without a tunnel there is none" "no tunnels" "$(tunnels tunnels)"
server_start --program $WORK/server-pppd \
  --pppd "local file /etc/ppp/options.server $TUNNEL_SERVER:192.168.77.10 plugin pptp.so"

pppd_start client "$version" vpn $(client_options) $(session_options) linkname office
check "pppd $version: the tunnel comes up" tunnel_up client vpn 30
check "the kernel's PPTP socket carries it" module_in_use pptp
check "it answers pings" ping_peer client $TUNNEL_SERVER
interface=$(interface_of vpn)
check "it is listed, with its interface" soon listed "\"interface\":\"$interface\",\"state\":\"running\",\"server\":\"$SERVER\""
check "with its data path and why it was chosen" soon listed '"datapath":"kernel","choice":"data path kernel"'
check "with MPPE and addresses" soon listed '"mppe":"MPPE-128 stateless","uptime":[0-9]*,"local":"192.168.77.10","remote":"'
check "with what has passed, and its name" soon listed '"packets-received":[1-9][0-9]*,"packets-sent":[1-9][0-9]*,"pppd":[0-9]*,"linkname":"office"'
check "ip-up knows it" wait_for 30 grep -qx 'PPTP_MPPE=128 stateless' $WORK/ip-up

# The server's pppd, as it would wait for answers if the client had gone first.
on server /bin/sh -c 'kill "$(head -n 1 /run/ppp0.pid)"'
pppd_wait vpn 30
ended="interface=ppp0 datapath=kernel local=[0-9.]+ remote=[0-9.]+ seconds=[0-9]+ bytes-received=[1-9][0-9]* bytes-sent=[1-9][0-9]* packets-received=[1-9][0-9]* packets-sent=[1-9][0-9]* lost=- reordered=- reason="
check "ip-down knows why it ends" wait_for 30 grep -qx 'PPTP_REASON=the peer has ended the link' $WORK/ip-down
check "the log has its end in one line" grep -Eq "session ended: server=$SERVER address=$SERVER ${ended}the peer has ended the link" "$(log_of vpn)"
check "the server's has, too" wait_for 30 grep -Eq "session ended: client=$CLIENT_ADDRESS address=$CLIENT_ADDRESS ${ended}User request" $WORK/server-pppd.log
server_stop
leftovers_none "no process, socket, interface or file is left behind"
finish
