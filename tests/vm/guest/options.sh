# options.sh VERSION - options where users write them: a file of line options behind the plugin, a peers file of root's that
# another user calls, and a firewall mark that routing goes by
. "$REPO/tests/vm/lib.sh"
version=${1:-2.4.9}
plan 12

network
pptpd_start
printf '%s\n' lock crtscts 115200 modem noauth '# a comment' local require-mppe-128 nobsdcomp nodeflate 'user alice' |
  write_file client /etc/ppp/options.pptp
pppd_start client "$version" vpn $(client_options) file /etc/ppp/options.pptp
check "pppd $version takes a file with options of terminal lines" tunnel_up client vpn 30
pppd_stop vpn
run_pppd 20 client "$version" word $(client_options) noauth 115200 bogus
same "a word behind a bare speed is not swallowed" 2 "$STATUS"
check "but named" logged word "unrecognized option 'bogus'"

# A user who may run pppd, and a peer that root has written for everybody.
{ printf '%s\n' "plugin pptp-rs.so" "pptp_server $SERVER" "pptp_port 1723" noauth; } | write_file client /etc/ppp/peers/office
on client chmod 644 /etc/ppp/peers/office
pppd_program client "$version"
tree=$(tree_for "$version")
chmod 4755 "${tree%/}/usr/sbin/pppd"
as_user() { on client setpriv --reuid 1000 --regid 1000 --clear-groups "${PROGRAM[@]}" "$@" > $WORK/user.log 2>&1; }
# chroot(2) is root's: for the pppd in a tree, the user begins inside it.
[ "$tree" = / ] || as_user() { on client /usr/sbin/chroot --userspec=1000:1000 --groups= "$tree" /usr/sbin/pppd "$@" > $WORK/user.log 2>&1; }
refused() { as_user "$@"; [ $? = 2 ]; }
for option in "pptp_server 192.0.2.9" "pptp_port 1724"; do
  check "a user cannot change root's ${option% *}" refused call office $option nodetach
  # 2.5.2 has freed the name of the file by then, so what it prints for it may be anything.
  check "and is told so" env LC_ALL=C grep -aq "${option% *} option set in .*cannot be overridden" $WORK/user.log
done
check "a user cannot mark packets" refused call office pptp_mark 7 nodetach
check "and is told what it takes" grep -q 'pptp_mark option requires root privilege' $WORK/user.log

# Only what is marked reaches the server.
on client ip route add "$SERVER" dev eth0 table 100
on client ip rule add pref 100 fwmark 7 lookup 100
on client ip rule add pref 101 to "$SERVER" prohibit
unreachable() { ! on client ping -n -c 1 -W 1 "$SERVER"; }
check "without the mark the server is out of reach" unreachable
run_pppd 30 client "$version" unmarked $(client_options) $(session_options) pptp_connect_timeout 3
same "also for PPTP" 8 "$STATUS"
pppd_start client "$version" marked $(client_options) $(session_options) pptp_mark 7
check "with pptp_mark the control connection and the tunnel's packets get there" tunnel_up client marked 30
pppd_stop marked
finish
