#!/bin/bash
# bench.sh [RUNS] - connect time next to pptp-linux, in one guest; `make bench` builds what this needs
set -euo pipefail
repo=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
# User-Mode Linux switches between its kernel and its processes all the time; where the two run on different processors of
# the host, each switch costs several times as much, and the times say more about the host's scheduler than about pppd.
processor=$(taskset -cp $$ | sed 's/.*[^0-9]//')
exec taskset -c "$processor" "$repo/tests/vm/run.sh" -t 400 "$repo/tests/vm/guest/bench_connect.sh" "${1:-7}"
