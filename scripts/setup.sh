#!/bin/bash
# setup.sh - install what building and testing need: quick when everything is there, and safe to run again.
#
#   scripts/setup.sh [build|packages|guests]      "build": what compiling needs; "packages": what making .deb and .rpm needs as
#                                                 well; "guests" (default): all of it, and what the tests need
#
# On Debian 12 and 13 it installs packages with apt (as root) and keeps in $PPTP_RS_CACHE (default /var/cache/pptp-rs):
#   debianNN/         a small tree of the other release, for the pppd that this one does not have
#   clean-SUITE/      a tree of each release with nothing in it, in which packages are installed
#   tools/            cargo-deb, compiled here
#   uml_xstate.so     lets User-Mode Linux start on processors with a large XSAVE area (tests/vm/uml_xstate.c)
# Elsewhere it says what is needed. It never installs Rust: it says how to.
set -euo pipefail
repo=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
cache=${PPTP_RS_CACHE:-/var/cache/pptp-rs}
what=${1:-guests}
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

say() { echo "setup: $*"; }
die() { echo "setup: $*" >&2; exit 1; }

build_packages=(gcc libc6-dev make ppp-dev libclang-dev)
guest_packages=(g++ ppp pptp-linux pptpd user-mode-linux debootstrap freeradius kmod iproute2 iputils-ping procps iperf3 xz-utils
  util-linux mount linux-perf libssl-dev ca-certificates mandoc systemd apparmor nftables)
# rpmbuild is in rpm, dpkg-shlibdeps in dpkg-dev.
package_packages=(dpkg-dev binutils lintian rpm rpmlint)
cargo_deb=3.8.0
# What our packages depend on lies in the clean trees, as .deb: apt needs no network then.
clean_suites=(bookworm trixie)
clean_downloads=(ppp adduser)
tree_packages=ppp,ppp-dev,iproute2,iputils-ping,kmod,procps,strace,pptp-linux,xz-utils,systemd,apparmor,nftables

detect_release() {
  local ID="" VERSION_ID=""
  # shellcheck source=/dev/null
  [ ! -r /etc/os-release ] || . /etc/os-release
  release=$ID$VERSION_ID
  case $release in
    debian12) other=debian13 other_suite=trixie ;;
    debian13) other=debian12 other_suite=bookworm ;;
    *) other='' ;;
  esac
}

explain_other_system() {
  cat >&2 << END
setup: this is not Debian 12 or 13, so nothing is installed for you. You need:
  to build   Rust 1.85 or newer, a C compiler, libclang, and the headers of pppd 2.4.9 or 2.5.x (ppp-dev, ppp-devel)
  to test    besides: pppd, pptp-linux, pptpd, FreeRADIUS, User-Mode Linux (/usr/bin/linux.uml with its modules in
             /usr/lib/uml/modules), kmod, iproute2, ping, ps, iperf3, mandoc
The guests run Debian's pppd and pptpd; a Debian 12 container is the easy way to have them.
END
  exit 1
}

# ------------------------------------------------------------------------------------------ packages
missing_packages() {
  local present package
  present=" $(dpkg-query -W -f '${db:Status-Status}:${Package} ' 2> /dev/null) "
  for package; do
    case $present in *" installed:$package "*) ;; *) echo "$package" ;; esac
  done
}

as_root_or_die() {
  [ "$(id -u)" = 0 ] || die "$1 needs root. Run once: sudo $repo/scripts/setup.sh"
}

# Packages that bring a daemon (pptpd, iperf3, freeradius) would start it; this keeps them still while ours are installed.
without_starting_services() {
  local policy=/usr/sbin/policy-rc.d status=0
  if [ -e $policy ]; then "$@"; return; fi
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  printf '#!/bin/sh\nexit 101\n' > $policy
  chmod 755 $policy
  "$@" || status=$?
  rm -f $policy
  trap - EXIT
  return $status
}

apt_install() {
  local log
  log=$(mktemp)
  if ! { apt-get -q update && without_starting_services apt-get -q -y --no-install-recommends install "$@"; } \
    > "$log" 2>&1 < /dev/null; then
    cat "$log" >&2
    rm -f "$log"
    die "apt-get could not install: $*"
  fi
  rm -f "$log"
}

install_packages() {
  local missing
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} != 0 ] || return 0
  as_root_or_die "installing ${missing[*]}"
  say "installing with apt: ${missing[*]}"
  apt_install "${missing[@]}"
}

# ------------------------------------------------------------------------------------------ Rust
rust_is_new_enough() {
  local version
  command -v cargo > /dev/null && version=$(cd "$repo" && rustc --version 2> /dev/null) || return 1
  version=${version#rustc }
  [ "$(printf '%s\n' 1.85.0 "${version%% *}" | sort -V | head -n 1)" = 1.85.0 ]
}

check_rust() {
  rust_is_new_enough && return
  # rustup puts it there, and a root shell may not have the directory in its path.
  [ ! -x "$HOME/.cargo/bin/cargo" ] || PATH=$HOME/.cargo/bin:$PATH
  rust_is_new_enough && die "Rust is in $HOME/.cargo/bin, which is not in your PATH. Run: . \"$HOME/.cargo/env\""
  if [ "$release" = debian13 ]; then
    as_root_or_die "installing cargo and rustc"
    say "installing with apt: cargo rustc rustfmt rust-clippy"
    apt_install cargo rustc rustfmt rust-clippy
    rust_is_new_enough && return
  fi
  die "Rust 1.85 or newer is needed ($(rustc --version 2> /dev/null || echo 'none is installed')).
  Debian 12's own is too old. Install it with rustup, in a minute:
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y && . \"\$HOME/.cargo/env\"
  On Debian 13: apt install cargo rustc rustfmt rust-clippy"
}

# ------------------------------------------------------------------------------------------ the other release's tree
tree_is_complete() {
  local tree=$1 present package
  [ -d "$tree/usr/lib/pppd" ] || return 1
  present=" $(dpkg-query --admindir="$tree/var/lib/dpkg" -W -f '${db:Status-Status}:${Package} ' 2> /dev/null) "
  for package in ${tree_packages//,/ }; do
    case $present in *" installed:$package "*) ;; *) return 1 ;; esac
  done
}

# The archive that this machine installs from, and its proxy; empty: debootstrap knows one itself.
archive_of_this_machine() {
  apt-get indextargets --format '$(LABEL) $(REPO_URI)' 2> /dev/null | sed -n 's/^Debian \(https\{0,1\}:.*\)/\1/p' | sort | uniq -c |
    sort -rn | awk 'NR == 1 { print $2 }'
}

# bootstrap SUITE DIRECTORY [ARGUMENTS]: with debootstrap, from this machine's archive or, if that has not got it, from Debian's
bootstrap() {
  local archive proxy='' log=$cache/debootstrap.log
  archive=$(archive_of_this_machine)
  eval "$(apt-config shell proxy Acquire::http::Proxy)"
  [ -z "$proxy" ] || export http_proxy="${http_proxy:-$proxy}"
  for mirror in "$archive" ''; do
    # shellcheck disable=SC2086  # no mirror, no argument
    debootstrap --variant=minbase "${@:3}" "$1" "$2" $mirror > "$log" 2>&1 < /dev/null && break
    [ -n "$mirror" ] || { tail -n 20 "$log" >&2; die "debootstrap $1 failed (all of it: $log)"; }
    rm -rf --one-file-system "$2"
  done
}

# in_place_of DIRECTORY NEW: a tree appears when it is complete
in_place_of() {
  [ ! -e "$1" ] || mv "$1" "$new/old"
  mv "$2" "$1"
  rm -rf --one-file-system "$new"
  trap - EXIT
}

make_tree() {
  as_root_or_die "making a $other_suite tree in $cache"
  new=$(mktemp -d "$cache/.$other.XXXXXX")
  say "making a $other_suite tree for its pppd in $cache/$other (360 MB, about half a minute, once)"
  trap 'rm -rf --one-file-system "$new"' EXIT
  bootstrap "$other_suite" "$new/tree" "--include=$tree_packages"
  tree_is_complete "$new/tree" || die "the new tree lacks packages ($cache/debootstrap.log)"
  rm -rf "$new"/tree/var/cache/apt/archives/*.deb
  in_place_of "$cache/$other" "$new/tree"
}

# It says what was downloaded into it.
clean_tree_is_complete() { [ "$(cat "$1/.downloads" 2> /dev/null)" = "${clean_downloads[*]}" ]; }

make_clean_tree() {
  local suite=$1 log=$cache/clean-tree.log
  as_root_or_die "making a $suite tree in $cache"
  new=$(mktemp -d "$cache/.clean.XXXXXX")
  say "making a clean $suite tree in $cache/clean-$suite (250 MB, about half a minute, once)"
  trap 'rm -rf --one-file-system "$new"' EXIT
  bootstrap "$suite" "$new/tree"
  rm -f "$new"/tree/var/cache/apt/archives/*.deb
  cp /etc/resolv.conf "$new/tree/etc/resolv.conf"
  chroot "$new/tree" sh -c "apt-get -q update &&
    apt-get -q -y --no-install-recommends --download-only -o APT::Keep-Downloaded-Packages=true install ${clean_downloads[*]}" \
    > "$log" 2>&1 < /dev/null || { tail -n 20 "$log" >&2; die "no packages for the $suite tree (all of it: $log)"; }
  echo "${clean_downloads[*]}" > "$new/tree/.downloads"
  in_place_of "$cache/clean-$suite" "$new/tree"
}

# compile SOURCE OUTPUT FLAGS...: when it is missing or older
compile() {
  [ "$2" -nt "$1" ] && return
  say "compiling ${1#"$repo"/}"
  gcc -O2 -Wall -Wextra -o "$2.$$" "$1" "${@:3}" || die "gcc failed"
  mv "$2.$$" "$2"
}

lock_cache() {
  if ! [ -d "$cache" ]; then
    mkdir -p "$cache" 2> /dev/null || as_root_or_die "making $cache"
  fi
  # One at a time: the others wait and find the work done.
  exec 9> "$cache/.lock" || die "cannot write to $cache (set PPTP_RS_CACHE to a directory of yours, or use sudo)"
  flock 9
}

# The pinned version, without what makes compiling long: it has little to do.
install_cargo_deb() {
  local log=$cache/cargo-deb.log
  [ "$("$cache/tools/bin/cargo-deb" --version 2> /dev/null)" != "cargo-deb $cargo_deb" ] || return 0
  say "compiling cargo-deb $cargo_deb into $cache/tools (about a minute, once)"
  CARGO_TARGET_DIR=$cache/tools/build CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 \
    cargo install --quiet --debug --locked --force --root "$cache/tools" --version "$cargo_deb" cargo-deb > "$log" 2>&1 < /dev/null ||
    { tail -n 20 "$log" >&2; die "cargo-deb $cargo_deb cannot be compiled (all of it: $log)"; }
  rm -rf "$cache/tools/build"
}

prepare_packages() {
  lock_cache
  install_cargo_deb
}

prepare_guests() {
  local suite
  prepare_packages
  for suite in "${clean_suites[@]}"; do
    clean_tree_is_complete "$cache/clean-$suite" || make_clean_tree "$suite"
  done
  tree_is_complete "$cache/$other" || make_tree
  compile "$repo/tests/vm/uml_xstate.c" "$cache/uml_xstate.so" -shared -fPIC -ldl
}

detect_release
[ -n "$other" ] || explain_other_system
case $what in
  build)
    install_packages "${build_packages[@]}"
    check_rust
    exit
    ;;
  packages)
    install_packages "${build_packages[@]}" "${package_packages[@]}"
    check_rust
    prepare_packages
    ;;
  guests)
    install_packages "${build_packages[@]}" "${package_packages[@]}" "${guest_packages[@]}"
    check_rust
    prepare_guests
    ;;
  *) die "unknown argument: $what (build, packages or guests)" ;;
esac
say "everything is there"
