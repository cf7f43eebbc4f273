# rsd.sh VERSION PATH:CALLS... - pptp-rsd with this pppd and its data path (kernel, tun, pty), MPPE-128 required: Debian's
# pptp-linux and the plugin call at the same time, so many times
. "$REPO/tests/vm/lib.sh"
VERSION=${1:?which pppd}
shift
. "$REPO/tests/vm/guest/datapath_lib.sh"
. "$REPO/tests/vm/guest/rsd_lib.sh"

calls_up() { call "$1-linux" pptp-linux && call "$1-plugin" plugin && tunnel_up client "$1-linux" 30 && tunnel_up client "$1-plugin" 30; }

# calls_down NAME: the clients end. The server's pppd on the data path kernel takes 3 s more, which nobody waits for here.
calls_down() {
  local client
  for client in linux plugin; do kill "${PPPD[$1-$client]}"; done
  for client in linux plugin; do pppd_wait "$1-$client" 30 && status_is 5 || return 1; done
  drop_route
}

# transfers NAME: two megabytes each way, the way of this call
transfers() { transfer client server "$(far_end "$1")" $WORK/file && transfer server client "$(address_of "$1")" $WORK/file; }

# both_listed PATH: the server says so
both_listed() { same_text "$1 $1" "$(on server pptp-rsctl sessions | awk 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "PATH") n = i; next } { print $n }' | xargs)"; }

# both_told: who they are, how they are encrypted, and what has just passed
both_told() {
  local part json
  json=$(on server pptp-rsctl --json sessions)
  for part in '"user":"alice"' '"interface":"ppp[0-9]+"' '"mppe":"MPPE-128 stateless"' '"bytes-received":2[0-9]{6},' '"bytes-sent":2[0-9]{6},'; do
    [ "$(grep -Eo "$part" <<< "$json" | wc -l)" = 2 ] || { echo "not twice $part: $json"; return 1; }
  done
}

# first PATH: all there is to see of one call of each client
first() {
  local client
  check_here "$1: pptp-linux and the plugin bring up tunnels" calls_up "$1"
  check "$1: both with MPPE of 128 bits" [ "$(grep -c 'MPPE 128-bit stateless compression enabled' $WORK/server-pppd.log)" = 2 ]
  check "$1: pptp-rsctl lists both" soon both_listed "$1"
  for client in linux plugin; do
    check "$1: $client: pings pass both ways" carries "$1-$client"
    check "$1: $client: 2 MB of TCP arrive whole at both ends" transfers "$1-$client"
  done
  check "$1: pptp-rsctl tells of both what has passed" soon both_told
  check_here "$1: both end" calls_down "$1"
}

again() {
  calls_up "$1$2" && ping_peer client "$(far_end "$1$2-linux")" 1 && ping_peer client "$(far_end "$1$2-plugin")" 1 && calls_down "$1$2"
}

# served PATH COUNT: by one server
served() {
  local n idle
  rm -f $WORK/server-pppd.log
  rsd_start "$1"
  idle=$(descriptors)
  first "$1"
  # An engine stays for the next calls.
  [ "$1" = kernel ] || { wait_for 30 have_ended 2; idle=$(descriptors); }
  for ((n = 2; n <= $2; n++)); do check_here "$1: calls $n" again "$1" "$n"; done
  check "$1: each of the server's pppds has ended" wait_for 30 have_ended $((2 * $2))
  check "$1: then the server has the descriptors that it had" wait_for 30 has_descriptors "$idle"
  check "$1: and no zombie" no_zombie
  check_here "$1: SIGTERM ends it" rsd_stop
}
has_descriptors() { same_text "$1" "$(descriptors)"; }
no_zombie() { not grep -q Z <<< "$(ps -o stat= --ppid "$RSD")"; }

planned() { local path sum=1; for path; do sum=$((sum + 12 + ${path#*:})); done; plan $sum; }

planned "$@"
random_file $WORK/file 2000000
network
rsd_files
leftovers_before
for path; do
  started=$(now)
  served "${path%:*}" "${path#*:}"
  note "$path in $(elapsed_since "$started") s"
done
leftovers_none "no process, socket, interface or file is left behind"
finish
