# second_call.sh - two pppd to pptpd, which takes one call on each control connection (it says so: Maximum Channels 1)
# and ends the first when a second is asked for: the second pppd must not take the first one's tunnel away
. "$REPO/tests/vm/lib.sh"
plan 5

network
pptpd_start
pppd_start client 2.4.9 a $(client_options) $(session_options)
check "the first tunnel comes up" tunnel_up client a 30
pppd_start client 2.4.9 b $(client_options) $(session_options)
check "the second tunnel comes up" tunnel_up client b 30
check "the second carries traffic" ping_tunnel client b
check "the first still carries traffic" ping_tunnel client a
same "each has a connection of its own" 2 "$(connections)"
finish
