#!/bin/bash
# ports.sh - compile for other processors and C libraries, and run what can be run here: unit tests under qemu's user mode, and tunnels
# with a pppd of 32 bits. Half an hour on two processors; `make test` does without.
#
#   scripts/ports.sh [compile|tests|tunnel]...      default: all three, in this order
#
# It installs nothing but, for the tunnels, a small Debian for i386 in $PPTP_RS_CACHE (as root), and says what else is missing.
# What it makes lies in target/ports ($CARGO_TARGET_DIR/ports).
set -euo pipefail
repo=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
cache=${PPTP_RS_CACHE:-/var/cache/pptp-rs}
tree=$cache/i386
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$repo/target}/ports CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0
# What other machines may get wrong the first of a test's random cases show; qemu takes its time for each.
export PROPTEST_CASES=${PROPTEST_CASES:-16}
native=$(rustc -vV | sed -n 's/^host: //p')
cd "$repo"

# What is compiled: the programs and, but for musl, the plugin against the headers of this machine's pppd.
# target                          C compiler               unit tests run by               and of which packages
ports='
aarch64-unknown-linux-gnu         aarch64-linux-gnu-gcc    qemu-aarch64-static             pptp-core,pptp-io
armv7-unknown-linux-gnueabihf     arm-linux-gnueabihf-gcc  qemu-arm-static                 pptp-core,pptp-io
i686-unknown-linux-gnu            i686-linux-gnu-gcc       -                               pptp-core,pptp-io,pptp-datapath
x86_64-unknown-linux-musl         musl-gcc                 -                               pptp-core,pptp-io
s390x-unknown-linux-gnu           s390x-linux-gnu-gcc      qemu-s390x-static               pptp-core'

# What qemu's user mode does not do: system call filters, forks that share memory, and requests of devices and raw sockets.
# The kernel is this machine's, so their other side is shown by the targets that it runs by itself.
not_under_qemu=(confine children start tun gre_socket imports host_route)

die() { echo "ports: $*" >&2; exit 1; }

# each_port FUNCTION
each_port() {
  local target compiler runner packages
  while read -r -u 3 target compiler runner packages; do
    [ -z "$target" ] || "$1" "$target" "$compiler" "$runner" "$packages"
  done 3<<< "$ports"
}

check_tools() {
  missing=()
  each_port check_port
  [ -e "/lib/ld-linux.so.2" ] || missing+=("/lib/ld-linux.so.2 (apt install libc6-i386 lib32gcc-s1)")
  [ ${#missing[@]} = 0 ] || { printf 'ports: missing: %s\n' "${missing[@]}" >&2; exit 1; }
}

check_port() {
  [ -d "$(rustc --print target-libdir --target "$1")" ] || missing+=("the target $1 (rustup target add $1)")
  command -v "$2" > /dev/null || missing+=("$2 (apt install $(package_of "$2"))")
  [ "$3" = - ] || command -v "$3" > /dev/null || missing+=("$3 (apt install qemu-user-static)")
}

package_of() {
  case $1 in
    musl-gcc) echo musl-tools ;;
    *) echo "gcc-${1%-gcc} $(case $1 in aarch64*) echo libc6-dev-arm64-cross ;; arm*) echo libc6-dev-armhf-cross ;; i686*) echo libc6-dev-i386-cross ;; *) echo "libc6-dev-${1%%-*}-cross" ;; esac)" ;;
  esac
}

# for_target TARGET COMPILER RUNNER COMMAND...: with the environment that cargo wants for it
for_target() {
  local name=${1^^}
  name=CARGO_TARGET_${name//-/_}
  local environment=("${name}_LINKER=$2")
  # For a static program Rust has all of musl itself, and musl-gcc does not know static PIE.
  case $1 in *-musl) environment=() ;; esac
  [ "$3" = - ] || environment+=("${name}_RUNNER=$3 -L /usr/${2%-gcc}")
  env "${environment[@]}" "${@:4}"
}

compile() {
  local plugin='the plugin and '
  for_target "$1" "$2" "$3" cargo build --quiet --target "$1" --package pptp-rsd --package pptp-setup --package pptp-command --bins
  case $1 in
    # A static program loads no plugins, and pppd's headers for glibc include some that musl does not have.
    *-musl) plugin= ;;
    *) for_target "$1" "$2" "$3" cargo build --quiet --target "$1" --lib ;;
  esac
  echo "  compiled for $1: ${plugin}all programs"
}

run_tests() {
  local skipped=() part said
  if [ "$3" != - ]; then
    for part in "${not_under_qemu[@]}"; do skipped+=(--skip "$part::"); done
  fi
  said=$(mktemp)
  # shellcheck disable=SC2086  # several words
  for_target "$1" "$2" "$3" cargo test --target "$1" --no-fail-fast --lib --package=${4//,/ --package=} -- "${skipped[@]}" > "$said" 2>&1 ||
    { cat "$said" >&2; die "unit tests fail on $1"; }
  echo "  unit tests on $1 (${4//,/, }): $(awk '/^test result/ { passed += $4; left += $12 } END { print passed " pass" (left ? ", " left " are left out" : "") }' "$said")"
  rm "$said"
}

make_tree() {
  [ ! -d "$tree/usr/lib/pppd" ] || return 0
  [ "$(id -u)" = 0 ] || die "making $tree needs root"
  local suite log=$cache/debootstrap-i386.log
  suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
  mkdir -p "$cache"
  rm -rf --one-file-system "$tree.new"
  debootstrap --arch=i386 --variant=minbase --include=ppp "$suite" "$tree.new" > "$log" 2>&1 || die "debootstrap failed ($log)"
  mv "$tree.new" "$tree"
}

tunnel() {
  make_tree
  [ "$native" = x86_64-unknown-linux-gnu ] || die "tunnels with programs of 32 bits need an x86-64 machine"
  cargo build --quiet --target "$native" --lib
  for artefact in i686-unknown-linux-gnu/debug/{libpptp_rs.so,pptp-rsd} x86_64-unknown-linux-musl/debug/pptp-rsd; do
    [ -e "$CARGO_TARGET_DIR/$artefact" ] || die "$artefact is missing: scripts/ports.sh compile"
  done
  scripts/ports_tunnel.sh "$tree" "$CARGO_TARGET_DIR"
}

[ $# != 0 ] || set -- compile tests tunnel
check_tools
for what; do
  case $what in
    compile) each_port compile ;;
    tests) each_port run_tests ;;
    tunnel) tunnel ;;
    *) die "unknown argument: $what (compile, tests or tunnel)" ;;
  esac
done
