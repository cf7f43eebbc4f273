#!/bin/bash
# bench_native.sh [WORD...] - the data path without a guest: two engines back to back in network namespaces, then frames through
# a pty, then encryption in memory. Prints a line for each figure, PASS or MISS where a bar is set, and fails if one is missed.
#
# WORDs go to the benchmark of the tunnel: tcp, mppe, udp, calls, idle (none: all), rounds=N, seconds=N. Needs root, and most of the
# processor: whatever else runs shows in the figures.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."

. scripts/bench_lib.sh
need perf linux-perf

work=$(mktemp -d)
children=()
clean() {
    exec 9>&- || true
    for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
    rm -rf "$work"
}
trap clean EXIT

# Private memory, in KiB, of a call manager that has one call.
manager_memory() {
    local programs=${CARGO_TARGET_DIR:-target}/release port=17230 manager=''
    "$programs/fake-pptp-server" --listen 127.0.0.1:$port >"$work/journal" &
    children+=($!)
    for _ in $(seq 100); do
        (: <>/dev/tcp/127.0.0.1/$port) 2>/dev/null && break
        sleep 0.05
    done
    mkfifo "$work/input"
    # The call lasts as long as its input is open.
    BENCH_WORK=$work "$programs/callmgr-probe" --dir "$work/managers" --port $port <"$work/input" >"$work/said" &
    children+=($!)
    exec 9>"$work/input"
    for _ in $(seq 100); do
        grep -q '^connected' "$work/said" && break
        sleep 0.05
    done
    grep -q '^connected' "$work/said" || die "the call manager has no call: $(cat "$work/said")"
    for process in /proc/[0-9]*; do
        [ "$(cat "$process/comm" 2>/dev/null || true)" = pptp-callmgr ] || continue
        # By the environment that it has inherited: others may run on this machine.
        grep -qsF "BENCH_WORK=$work" "$process/environ" && manager=$process
    done
    [ -n "$manager" ] || die "there is no call manager"
    awk '/^Private_/ { sum += $2 } END { print sum }' "$manager/smaps_rollup" >"$work/memory"
}

cargo build --quiet --release --package pptp-callmgr --package pptp-testkit --bins
manager_memory

status=0
echo "load before: $(cut -d ' ' -f 1-3 /proc/loadavg), $(nproc) processors"
# A missed bar is an error to cargo: the rest is measured all the same.
cargo bench --quiet --package pptp-datapath --bench tunnel -- "manager=$(cat "$work/memory")" "$@" || status=1
cargo bench --quiet --package pptp-datapath --bench pty_relay || status=1
cargo bench --quiet --package pptp-core --bench mppe || status=1
echo "load after: $(cut -d ' ' -f 1-3 /proc/loadavg)"
exit $status
