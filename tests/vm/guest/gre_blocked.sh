# gre_blocked.sh VERSION - a firewall that lets the control connection through and no GRE: each data path says so, in one line
. "$REPO/tests/vm/lib.sh"
VERSION=${1:-2.4.9}
. "$REPO/tests/vm/guest/datapath_lib.sh"
PATHS="kernel tun pty"

# blocks_gre HOST DEVICE: what comes in by IP protocol 47 is dropped without a word
blocks_gre() {
  modprobe -a sch_ingress cls_u32 act_gact && on "$1" tc qdisc add dev "$2" clsact &&
    on "$1" tc filter add dev "$2" ingress protocol ip u32 match ip protocol 47 0xff action drop
}
gre_dropped() { on "$1" tc -s filter show dev "$2" ingress | sed -n 's/.*dropped \([0-9]*\).*/\1/p' | head -n 1; }
one_line_names_gre() { same_text 1 "$(grep -c 'GRE (IP protocol 47).*nf_conntrack_pptp' "$(log_of "$1")")"; }

plan $((1 + 3 * 2))
network
plain_server
check_here "GRE is blocked" blocks_gre client eth0
for DATAPATH in $PATHS; do dial "$DATAPATH"; done
# After ten seconds of silence.
for DATAPATH in $PATHS; do
  wait_for 60 one_line_names_gre "$DATAPATH"
done
for DATAPATH in $PATHS; do
  check "$DATAPATH: the call is up" logged "$DATAPATH" 'PPTP call to .* is up'
  check "$DATAPATH: one line names GRE and the module that a firewall needs" one_line_names_gre "$DATAPATH"
  # Nobody would answer its farewell.
  pppd_stop "$DATAPATH" KILL
done
note "$(gre_dropped client eth0) packets were dropped"
finish
