#!/bin/bash
# bench_server.sh [WORD...] - the server: calls a second, latency and memory next to Debian's pptpd with a stub in place of pppd, then
# many sessions with real pppds on both ends, in network namespaces. Prints a line for each figure, PASS or MISS where a bar is
# set, and fails if one is missed.
#
# WORDs: daemon, sessions (none: both), rounds=N, sessions=N. Needs root, and most of the processor: whatever else runs shows in the
# figures.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."

die() {
    echo "bench_server: $*" >&2
    exit 2
}

# tool → Debian package
need() {
    command -v "$1" >/dev/null || die "$1 is missing: install $2"
}

[ "$(id -u)" = 0 ] || die "network namespaces and TUN devices need root"
[ -c /dev/net/tun ] || die "there is no /dev/net/tun: modprobe tun"
need cargo rustup
need gcc gcc
need ip iproute2
need unshare util-linux
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
