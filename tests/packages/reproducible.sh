#!/bin/bash
# reproducible.sh - a tarball of the sources, unpacked at another place, builds and installs, and its packages are the same bytes as
# those that were built here (make deb rpm). For this machine's pppd only: each costs a build.
set -euo pipefail
repo=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)
packages=$(readlink -m "${PACKAGES:-$repo/target/packages}")
pppd=$("$repo/scripts/pppd-version.sh")
elsewhere=$(mktemp -d "${TMPDIR:-/tmp}/pptp-rs-elsewhere.XXXXXX")
trap 'rm -rf "$elsewhere"' EXIT
unset CARGO_TARGET_DIR PACKAGES
die() { echo "FAILED: $*" >&2; exit 1; }

# What is not committed yet is built here, so it has to be in the tarball.
changes=$(git -C "$repo" stash create)
[ -z "$changes" ] || export SOURCE_DATE_EPOCH=$(git -C "$repo" log -1 --format=%ct)
mkdir "$elsewhere/pptp-rs"
git -C "$repo" archive "${changes:-HEAD}" | tar -x -C "$elsewhere/pptp-rs"
cd "$elsewhere/pptp-rs"

# Packages are made of what this builds, for this machine's headers.
unset PPPD_INCLUDE_DIR
make build
make install install-pptp DESTDIR="$elsewhere/installed"
for file in "/usr/lib/pppd/$pppd/pptp-rs.so" /usr/sbin/pptp-rsd /usr/sbin/pptp-rsctl /usr/sbin/pptp-rs-setup /usr/sbin/pptp /etc/pptp-rsd.conf \
  /etc/ppp/pptp-rsd-options /etc/apparmor.d/usr.sbin.pptp-rsd /usr/lib/systemd/system/pptp-rsd.service /usr/share/man/man8/pptp-rs.8; do
  [ -e "$elsewhere/installed$file" ] || die "make install does not install $file"
done
[ "$(readlink "$elsewhere/installed/usr/lib/pppd/$pppd/pptp.so")" = pptp-rs.so ] || die "pptp.so is no link"

echo localip 10.77.0.1 >> "$elsewhere/installed/etc/pptp-rsd.conf"
make install DESTDIR="$elsewhere/installed"
tail -n 1 "$elsewhere/installed/etc/pptp-rsd.conf" | grep -qx 'localip 10.77.0.1' || die "make install overwrites the configuration"
make uninstall uninstall-pptp DESTDIR="$elsewhere/installed"
[ "$(find "$elsewhere/installed" ! -type d)" = "$elsewhere/installed/etc/pptp-rsd.conf" ] || {
  find "$elsewhere/installed" ! -type d
  die "make uninstall leaves something else than a changed file in /etc"
}

scripts/package.sh all here
different=0
for file in target/packages/*.deb target/packages/*.rpm "target/packages/build/ppp$pppd/release"/*; do
  if cmp "$file" "$packages/${file#target/packages/}"; then
    sha256sum "$file"
  else
    different=1
  fi
done
[ $different = 0 ] || die "built elsewhere, packages are not the same"
