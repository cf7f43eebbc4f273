#!/bin/bash
# build-guests.sh - build what the guests load, into target/guest (or $GUEST_BUILD):
#   plugin/VERSION/pptp-rs.so        the plugin, for each pppd: this machine's and the one in the other release's tree
#   plugin/VERSION/connect-time.so   a plugin that times connect(), for the benchmark
#   command/pptp                     the command pptp, in a folder of its own: guests use pptp-linux's as well
#   command/options.pptp             pptp-linux's options for pppd
#   bin/                             the programs of the test kit (the fake PPTP server and the like), pptp-rsd, pptp-rsctl and pptp-rs-setup
set -euo pipefail
repo=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
cache=${PPTP_RS_CACHE:-/var/cache/pptp-rs}
out=${GUEST_BUILD:-$repo/target/guest}
cd "$repo"
# shellcheck source=scripts/release-env.sh
. scripts/release-env.sh

kit=()
for program in crates/pptp-testkit/src/bin/*; do
  program=${program##*/}
  kit+=("${program%.rs}")
done

# install_plugins ROOT: for each pppd below this root directory
install_plugins() {
  local root=${1%/} version built
  built=$(target_for "$root")/release/libpptp_rs.so
  for version in $(pppd_versions "$root"); do
    install -D -m 644 "$built" "$out/plugin/$version/pptp-rs.so"
    gcc -O2 -Wall -Wextra -shared -fPIC -I"$root/usr/include" -o "$out/plugin/$version/connect-time.so" tests/vm/connect_time.c
    echo "built $out/plugin/$version/pptp-rs.so"
  done
}

install_programs() {
  local program
  for program in "${kit[@]}" pptp-rsd pptp-rsctl pptp-rs-setup; do
    install -D -m 755 "$target/release/$program" "$out/bin/$program"
    echo "built $out/bin/$program"
  done
  install -D -m 755 "$target/release/pptp" "$out/command/pptp"
  install -m 644 /etc/ppp/options.pptp "$out/command/options.pptp"
  echo "built $out/command/pptp"
}

trees=()
for tree in "$cache"/debian*; do
  [ -z "$(pppd_versions "$tree")" ] || trees+=("$tree")
done

build_here /usr/include --quiet
for tree in "${trees[@]}"; do begin_with_first "$tree"; done
# Linking is the work of one processor, and most of what is left.
build_here /usr/include --quiet --package=pptp-testkit "${kit[@]/#/--bin=}" &
running=($!)
for tree in "${trees[@]}"; do
  build_for "$tree/usr/include" "$(target_for "$tree")" --quiet &
  running+=($!)
done
status=0
for process in "${running[@]}"; do wait "$process" || status=1; done
[ $status = 0 ] || exit $status
for root in / "${trees[@]}"; do install_plugins "$root"; done
install_programs
