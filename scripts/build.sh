#!/bin/bash
# build.sh - the plugin for this machine's pppd and all programs, into target/release. `make build` calls it.
set -euo pipefail
repo=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
cd "$repo"
# shellcheck source=scripts/release-env.sh
. scripts/release-env.sh
build_here "${PPPD_INCLUDE_DIR:-/usr/include}"
