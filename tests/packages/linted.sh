#!/bin/bash
# linted.sh - lintian and rpmlint have nothing to say about the packages but what is explained in packaging/.
set -euo pipefail
repo=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)
packages=${PACKAGES:-$repo/target/packages}
ls "$packages"/*.deb "$packages"/*.rpm
# As another user: lintian does not like root.
output=$(lintian --allow-root --tag-display-limit 0 --fail-on error,warning "$packages"/*.deb 2>&1) && [ -z "$output" ] || { echo "$output"; exit 1; }
output=$(rpmlint -c "$repo/packaging/rpm/rpmlint.toml" "$packages"/*.rpm 2>&1) || { echo "$output"; exit 1; }
echo "$output" | grep -E ' 0 errors, 0 warnings' || { echo "$output"; exit 1; }
