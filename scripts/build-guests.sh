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
target=${CARGO_TARGET_DIR:-$repo/target}
out=${GUEST_BUILD:-$repo/target/guest}
cd "$repo"
# shellcheck source=scripts/release-env.sh
. scripts/release-env.sh

# begin_with_first DIRECTORY OTHER: what is compiled into this directory for the first time begins with what is in the other,
# so that whatever does not depend on pppd's headers is compiled once
begin_with_first() { [ -d "$1" ] || [ ! -d "$2" ] || cp -a "$2" "$1"; }
first=

# build_plugin ROOT: against the headers below this root directory
build_plugin() {
  local root=${1%/} directory version
  for directory in "$root"/usr/lib/pppd/[0-9]*; do
    version=${directory##*/}
    [ -d "$directory" ] || continue
    # A target directory for each: the headers are an input that cargo would otherwise rebuild for, each time.
    [ -z "$first" ] || begin_with_first "$target/pppd-$version" "$first"
    first=${first:-$target/pppd-$version}
    PPPD_INCLUDE_DIR=$root/usr/include CARGO_TARGET_DIR=$target/pppd-$version cargo build --release --lib --quiet
    install -D -m 644 "$target/pppd-$version/release/libpptp_rs.so" "$out/plugin/$version/pptp-rs.so"
    gcc -O2 -Wall -Wextra -shared -fPIC -I"$root/usr/include" -o "$out/plugin/$version/connect-time.so" tests/vm/connect_time.c
    echo "built $out/plugin/$version/pptp-rs.so"
  done
}

install_programs() {
  local program
  begin_with_first "$target/release" "$first/release"
  build_programs
  cargo build --release --package pptp-testkit --bins --quiet
  for program in crates/pptp-testkit/src/bin/* pptp-rsd pptp-rsctl pptp-rs-setup; do
    program=${program##*/} program=${program%.rs}
    install -D -m 755 "$target/release/$program" "$out/bin/$program"
    echo "built $out/bin/$program"
  done
}

build_command() {
  install -D -m 755 "$target/release/pptp" "$out/command/pptp"
  install -m 644 /etc/ppp/options.pptp "$out/command/options.pptp"
  echo "built $out/command/pptp"
}

build_plugin /
for tree in "$cache"/debian*; do
  [ ! -d "$tree/usr/include/pppd" ] || build_plugin "$tree"
done
install_programs
build_command
