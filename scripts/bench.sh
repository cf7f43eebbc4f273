#!/bin/bash
# bench.sh [RUNS] - connect time next to pptp-linux, in one guest; `make bench` builds what this needs
set -euo pipefail
repo=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
exec "$repo/tests/vm/run.sh" -t 400 "$repo/tests/vm/guest/bench_connect.sh" "${1:-7}"
