#!/bin/bash
# bench.sh [RUNS] - connect time next to pptp-linux, and TCP over a network that reorders packets, each in a guest;
# `make bench` builds what this needs
set -euo pipefail
repo=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
guest() { "$repo/tests/vm/run.sh" -t 400 "$repo/tests/vm/guest/$1.sh" "${@:2}"; }

status=0
guest bench_connect "${1:-7}" || status=1
for path in tun pty; do guest bench_reorder $path || status=1; done
exit $status
