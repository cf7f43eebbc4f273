# bench_connect.sh [RUNS] - how long connecting takes: ours and pptp-linux, in turn, to the same pptpd in the same kernel;
# then connect() alone against a server that answers at once
. "$REPO/tests/vm/lib.sh"
runs=${1:-7}
version=$(native_version)
plan 4

# median, least and greatest of the numbers on standard input
summary() { sort -n | awk '{ v[NR] = $1 } END { printf "%.3f (%.3f to %.3f)\n", NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2, v[1], v[NR] }'; }
median() { summary < "$1" | cut -d ' ' -f 1; }
# seconds between two of EPOCHREALTIME's values
between_times() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f\n", b - a }'; }

# The script runs when addresses are set: the moment from which a user can use the tunnel.
network
# It tells through a pipe: a script that looked again and again would take the only processor from what it measures.
mkfifo $WORK/ip-up
exec 9<> $WORK/ip-up
printf '#!/bin/bash\necho "$EPOCHREALTIME" > %s/ip-up\n' $WORK | write_file client /etc/ppp/ip-up
on client chmod 755 /etc/ppp/ip-up
pptpd_start
install -m 644 "$GUEST_BUILD/plugin/$version/connect-time.so" "/usr/lib/pppd/$version/"

# one CLIENT N: seconds from pppd's start to ip-up, to the file $WORK/CLIENT.times
one() {
  local name=$1-$2 begun ended extra=()
  # The part that is connect()'s, in a plugin that both could have; it costs two lines of log.
  [ "$1" != plugin ] || extra=(plugin connect-time.so)
  begun=$EPOCHREALTIME
  pppd_start client "$version" "$name" $(client_options "$1") "${extra[@]}" user alice require-mppe-128 noauth nobsdcomp nodeflate
  read -r -t 30 -u 9 ended || { cat "$(log_of "$name")"; return 1; }
  between_times "$begun" "$ended" >> "$WORK/$1.times"
  echo "$begun $ended" > "$WORK/$name.ends"
  pppd_stop "$name"
  # pptpd's pppd ends a moment later; the next run must not compete with it.
  wait_for 10 no_interface server
}
no_interface() { [ -z "$(on "$1" ip -o link show type ppp)" ]; }

both() {
  local n
  # The first of each loads files into the cache and does not count.
  for n in 0 $(seq "$runs"); do
    one plugin "$n" && one pptp-linux "$n" || return 1
    [ "$n" != 0 ] || rm -f $WORK/plugin.times $WORK/pptp-linux.times
  done
}
check "both connect $runs times" both

times_of() { sed -n 's/.*connect-time: '"$2"' //p' "$(log_of "$1")"; }
connect_took() { between_times "$(times_of "$1" begin)" "$(times_of "$1" end)"; }

# Where ours goes: before connect(), in it, and after it (LCP, authentication, CCP, IPCP, ip-up).
for n in $(seq "$runs"); do
  read -r begun ended < $WORK/plugin-$n.ends
  between_times "$begun" "$(times_of "plugin-$n" begin)" >> $WORK/before.times
  connect_took "plugin-$n" >> $WORK/connect.times
  between_times "$(times_of "plugin-$n" end)" "$ended" >> $WORK/after.times
done
rm -f $WORK/plugin-*.log $WORK/pptp-linux-*.log
ours=$(median $WORK/plugin.times) theirs=$(median $WORK/pptp-linux.times)
ratio=$(awk -v a="$ours" -v b="$theirs" 'BEGIN { printf "%.2f", a / b }')
echo
echo "pppd's start to ip-up, seconds: median of $runs (least to greatest), pppd $version, pptpd, MS-CHAPv2, MPPE-128"
echo "  pptp-rs      $(summary < $WORK/plugin.times)"
echo "    pppd and its options, until connect()   $(summary < $WORK/before.times)"
echo "    connect(): call manager, control        $(summary < $WORK/connect.times)"
echo "    LCP, MS-CHAPv2, CCP, IPCP, ip-up        $(summary < $WORK/after.times)"
echo "  pptp-linux   $(summary < $WORK/pptp-linux.times)"
echo "  ratio        $ratio"
between "ours takes at most 0.35 of pptp-linux's time" 0.01 0.35 "$ratio"

pptpd_stop
server_start
no_connections() { [ "$(connections)" = 0 ]; }
stub() {
  local n
  for n in 0 $(seq "$runs"); do
    pppd_start client "$version" "stub-$n" $(client_options plugin) plugin connect-time.so noauth
    # Meanwhile nothing else runs: all processes would compete with what is measured.
    read -r -t 0.7 -u 9
    wait_for 20 says "$(log_of "stub-$n")" 'connect-time: end' || { cat "$(log_of "stub-$n")"; return 1; }
    wait_for 5 says "$(log_of "stub-$n")" 'Connect: ' || { cat "$(log_of "stub-$n")"; return 1; }
    pppd_stop "stub-$n" KILL
    [ "$n" = 0 ] || connect_took "stub-$n" >> $WORK/stub.times
    rm "$(log_of "stub-$n")"
    wait_for 10 no_interface client && wait_for 10 no_connections || return 1
  done
}
check "a server that answers at once is called $runs times" stub
echo
echo "connect() alone, against a server that answers at once: $(summary < $WORK/stub.times) s"
between "connect() takes at most 50 ms there" 0.0001 0.050 "$(median $WORK/stub.times)"
finish
