# rsd_vrf.sh VERSION PATH... - pptp-rsd on host "server", whose clients are reached by a VRF alone, with this pppd and, one after
# the other, these data paths (kernel, tun, pty); Debian's pptp-linux calls
. "$REPO/tests/vm/lib.sh"
VERSION=${1:?which pppd}
shift
. "$REPO/tests/vm/guest/datapath_lib.sh"
. "$REPO/tests/vm/guest/rsd_lib.sh"

join_vrf() {
  modprobe vrf && on server ip link add red type vrf table 10 && on server ip link set red up && on server ip link set eth0 master red
}
out_of_reach() { not on server ping -n -q -c 1 -W 1 10.99.0.2; }

# served PATH
served() {
  rsd_start "$1"
  call "$1" pptp-linux
  check_here "$1: the tunnel comes up" tunnel_up client "$1" 30
  check "$1: pings pass both ways" carries "$1"
  kill "${PPPD[$1]}"
  check_here "$1: the client ends" pppd_wait "$1" 30
  check_here "$1: SIGTERM ends the server" rsd_stop
  drop_route
}

plan $((2 + 4 * $#))
network
rsd_files
on server /bin/sh -c 'echo vrf red >> /run/pptpd.conf'
check "the client is reached by the VRF" join_vrf
check "and by nothing else" out_of_reach
for path; do served "$path"; done
finish
