#!/bin/bash
# demo.sh - bring up real tunnels in a guest and show them; `make demo` builds what this needs
set -euo pipefail
repo=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
version=$("$repo/scripts/pppd-version.sh")
built=${CARGO_TARGET_DIR:-$repo/target}/release
for needed in libpptp_rs.so pptp-rsd pptp-rsctl; do
  [ -e "$built/$needed" ] || { echo "demo: $built/$needed is missing; make demo builds it" >&2; exit 1; }
done

echo
echo "pptp-rs: real PPTP tunnels in a guest of its own (User-Mode Linux: needs no rights, touches nothing outside)"
echo
status=0
# This build, not one for the tests that may lie around from before.
GUEST_BUILD=/nonexistent "$repo/tests/vm/run.sh" -t 120 \
  -f "$built/libpptp_rs.so=/usr/lib/pppd/$version/pptp-rs.so" \
  -f "$built/pptp-rsd=/usr/local/bin/pptp-rsd" -f "$built/pptp-rsctl=/usr/local/bin/pptp-rsctl" "$repo/tests/vm/guest/demo.sh" || status=$?
case $status in
  0) ;;
  124 | 125 | 126) echo "RESULT: it does not work: the guest did not run to its end (status $status)" ;;
esac
exit $status
