#!/bin/bash
# bench_server.sh [WORD...] - the server: calls a second, latency and memory next to Debian's pptpd with a stub in place of pppd, then
# many sessions with real pppds on both ends, in network namespaces. Prints a line for each figure, PASS or MISS where a bar is
# set, and fails if one is missed.
#
# WORDs: daemon, sessions (none: both), rounds=N, sessions=N. Needs root, and most of the processor: whatever else runs shows in the
# figures.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."

. scripts/bench_lib.sh
need gcc gcc
need pppd ppp
need pptpd pptpd

programs=$(readlink -m "${CARGO_TARGET_DIR:-target}")/release
cargo build --quiet --release --package pptp-testkit --bin pptp-load
cargo build --quiet --release
gcc -O2 -Wall -Wextra -static -nostdlib -ffreestanding -fno-stack-protector -o "$programs/bench-stub" crates/pptp-rsd/benches/server/stub.c

echo "load before: $(cut -d ' ' -f 1-3 /proc/loadavg), $(nproc) processors"
status=0
cargo bench --quiet --package pptp-rsd --bench server -- \
    "load=$programs/pptp-load" "stub=$programs/bench-stub" "plugin=$programs/libpptp_rs.so" "$@" || status=1
echo "load after: $(cut -d ' ' -f 1-3 /proc/loadavg)"
exit $status
