# command.sh VERSION - the command pptp in the place of pptp-linux's, with stock pppd of this version, which has no plugin: the files and
# command lines that others have written for it, unchanged
CLIENT=command
. "$REPO/tests/vm/lib.sh"
VERSION=${1:-2.4.9} DATAPATH=pty
. "$REPO/tests/vm/guest/datapath_lib.sh"
. "$REPO/tests/vm/guest/command_lib.sh"

# ---------------------------------------------------------------- a peers file as pptpsetup writes it
peers_file() {
  on client pptpsetup --create vpn --server "$SERVER" --username alice --password "open sesame" --encrypt > $WORK/pptpsetup.log
  check "pptpsetup: its file has the command" on client grep -q "^pty \"/usr/sbin/pptp $SERVER --nolaunchpppd\"" /etc/ppp/peers/vpn
  leftovers_before
  local cycle started
  for cycle in {1..5}; do
    started=$(now)
    pppd_start client "$VERSION" vpn call vpn file /etc/ppp/options.pptp
    check "pptpsetup $cycle: the tunnel comes up" tunnel_up client vpn 30
    note "IPCP was open after $(elapsed_since "$started") s"
    [ "$cycle" != 1 ] || looks_right
    pppd_stop vpn
    same "pptpsetup $cycle: SIGTERM ends pppd with status 5" 5 "$STATUS"
  done
  leftovers_none "pptpsetup: after five cycles no process, socket, interface, route or file is left"
}

looks_right() {
  random_file $WORK/file 2000000
  check "pptpsetup: MPPE with 128 bits is on at the client" logged vpn 'MPPE 128-bit stateless compression enabled'
  check "pptpsetup: and at the server" grep -q 'MPPE 128-bit stateless compression enabled' $WORK/pptpd-pppd.log
  check "pptpsetup: it is the kernel's" module_in_use ppp_mppe
  same "pptpsetup: the engine has the call" 1 "$(engine | wc -l)"
  check "pptpsetup: the server has a route of its own" has_host_route
  check "pptpsetup: the server answers" ping_peer client $TUNNEL_SERVER
  check "pptpsetup: 2 MB arrive there as they were sent" transfer client server $TUNNEL_SERVER $WORK/file
  check "pptpsetup: 2 MB arrive here as they were sent" transfer server client "$(address_of vpn)" $WORK/file
  check "pptpsetup: it says that the call is up" syslogged 'pptp\[[0-9]+\]: PPTP call to 10.99.0.1 is up: '
}

# ---------------------------------------------------------------- NetworkManager
# arguments_of_network_manager: sets ARGUMENTS to those that its service was seen to start pppd with. Its plugin, with which pppd
# gets the password over D-Bus, stays away: chap-secrets has it.
arguments_of_network_manager() {
  local word
  ARGUMENTS=()
  while IFS= read -r word; do
    case $word in
      '#'*) ;;
      plugin) read -r word ;;
      *) ARGUMENTS+=("$word") ;;
    esac
  done < "$REPO/tests/network-manager/argv"
}

network_manager() {
  arguments_of_network_manager
  leftovers_before
  pppd_start client "$VERSION" nm "${ARGUMENTS[@]}"
  check "NetworkManager: the tunnel comes up" tunnel_up client nm 30
  check "NetworkManager: MPPE with 128 bits is on" logged nm 'MPPE 128-bit stateless compression enabled'
  check "NetworkManager: the server answers" ping_peer client $TUNNEL_SERVER
  another
  kill "$(pptpctrl)"
  pppd_wait nm 20
  same "NetworkManager: a server that hangs up ends pppd at once" 16 "$STATUS"
  check "NetworkManager: and the log has the reason, under its name" \
    syslogged 'pptp\[[0-9]+\]: nm-pptp-service-[0-9]+: 10.99.0.1 disconnected the call: '
  leftovers_none "NetworkManager: nothing is left"
}

# ---------------------------------------------------------------- the file of docs/migrating.md
guide_file() {
  sed -n '/<!-- tested: pptp-linux before -->/,/^```$/{/^[#a-z]/p}' "$REPO/docs/migrating.md" |
    sed "s/vpn\.example\.com/$SERVER/" | write_file client /etc/ppp/peers/office
  leftovers_before
  pppd_start client "$VERSION" office call office
  check "guide: the tunnel comes up" tunnel_up client office 30
  check "guide: MPPE with 128 bits is on" logged office 'MPPE 128-bit stateless compression enabled'
  check "guide: the server answers" ping_peer client $TUNNEL_SERVER
  pppd_stop office
  leftovers_none "guide: nothing is left"
}

# another: a tunnel to the same server, which leaves the first one what it needs
another() {
  pppd_start client "$VERSION" other call vpn file /etc/ppp/options.pptp
  check "another tunnel: it comes up" tunnel_up client other 30
  same "another tunnel: the server has a route for each" 2 "$(host_routes)"
  pppd_stop other
  check "another tunnel: it takes its own away" wait_for 30 has_host_route
}

# ---------------------------------------------------------------- pppd started by the command
launched() {
  local started
  leftovers_before
  started=$(now)
  launch tunnel "$SERVER" --logstring launched user alice noauth $(mppe) -- nodetach ipparam tunnel
  check "launched: the tunnel comes up" tunnel_up client tunnel 30
  note "IPCP was open after $(elapsed_since "$started") s"
  check "launched: the server answers" ping_peer client $TUNNEL_SERVER
  pppd_stop tunnel
  same "launched: the signal reaches pppd, and its status is the command's" 5 "$STATUS"
  launch tunnel "$SERVER" --nohostroute user alice noauth $(mppe) -- nodetach ipparam tunnel
  check "launched: with --nohostroute it comes up" tunnel_up client tunnel 30
  check "launched: and there is no route to the server" not has_host_route
  pppd_stop tunnel
  leftovers_none "launched: nothing is left"
}

# ---------------------------------------------------------------- what goes wrong
# fails TEXT SERVER PATTERN: pppd ends by itself, sooner than it would give up a peer that is silent, and the log says why
fails() {
  : > $WORK/syslog
  run_pppd 28 client "$VERSION" wrong noauth user alice pty "pptp $2 --nolaunchpppd --logstring wrong"
  same "$1: pppd ends by itself" 16 "$STATUS"
  check "$1: the log says why" syslogged "pptp\[[0-9]+\]: $3"
  same "$1: in one line" 1 "$(grep 'pptp\[[0-9]*\]: ' $WORK/syslog | grep -vc 'call to .* is up')"
  note "$1: after $TOOK s: $(grep -o 'pptp\[.*' $WORK/syslog | tail -n 1)"
}

trouble() {
  leftovers_before
  fails "no server" "$SERVER" 'wrong: cannot connect to 10.99.0.1 port 1723: connection refused'
  fails "no machine" 10.99.0.77 'wrong: cannot connect to 10.99.0.77 port 1723: no route to host'
  fails "no such name" no.such.host.invalid 'wrong: cannot resolve "no.such.host.invalid": '
  fails "no such option" "$SERVER --frob" '--frob is no option of pptp'
  leftovers_none "trouble before a call: nothing is left"
  server_start --on ocrq=reply:result=4
  fails "a busy server" "$SERVER" 'wrong: 10.99.0.1 refused the call: busy \(4\)'
  server_stop KILL
  server_start --on call-up=wait:1s,cdn
  fails "a server that clears the call" "$SERVER" 'wrong: 10.99.0.1 disconnected the call: administrative shutdown \(3\)'
  server_stop KILL
  leftovers_none "trouble with a call: nothing is left"
}

if [ "$VERSION" = "$(native_version)" ]; then plan 60; else plan 54; fi
install_command
network
collect_syslog
prepare_client
pptpd_start
peers_file
guide_file
network_manager
[ "$VERSION" != "$(native_version)" ] || launched
pptpd_stop
trouble
finish
