#!/bin/bash
# pppd-version.sh - print the version of this machine's pppd, which is also the name of its plugin directory
# (nothing when there is no pppd)
#
#   scripts/pppd-version.sh [--plugin-dir]      that directory instead
set -eu
pppd=$(command -v pppd || command -v /usr/sbin/pppd || command -v /sbin/pppd) || exit 0
# "pppd version 2.4.9" or "pppd version 2.5.2 (…)", on either stream
version=$("$pppd" --version 2>&1 < /dev/null | sed -n 's/^pppd version \([0-9][^ ]*\).*/\1/p' | head -n 1)
[ "${1:-}" = --plugin-dir ] || { echo "$version"; exit; }
for directory in /usr/lib/pppd /usr/lib64/pppd /usr/local/lib/pppd /usr/lib/pppd; do
  [ ! -d "$directory/$version" ] || break
done
echo "$directory/$version"
