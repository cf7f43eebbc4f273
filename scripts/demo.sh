#!/bin/bash
# demo.sh - bring up a real tunnel in a guest and show it; `make demo` builds what this needs
set -euo pipefail
repo=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
version=$("$repo/scripts/pppd-version.sh")
plugin=${CARGO_TARGET_DIR:-$repo/target}/release/libpptp_rs.so
[ -e "$plugin" ] || { echo "demo: $plugin is missing; make demo builds it" >&2; exit 1; }

echo
echo "pptp-rs: a real PPTP tunnel in a guest of its own (User-Mode Linux: needs no rights, touches nothing outside)"
echo
status=0
# This build, not one for the tests that may lie around from before.
GUEST_BUILD=/nonexistent "$repo/tests/vm/run.sh" -t 120 \
  -f "$plugin=/usr/lib/pppd/$version/pptp-rs.so" "$repo/tests/vm/guest/demo.sh" || status=$?
case $status in
  0) ;;
  124 | 125 | 126) echo "RESULT: it does not work: the guest did not run to its end (status $status)" ;;
esac
exit $status
