#!/bin/bash
# package.sh - make Debian packages or RPMs of the plugin (one for each pppd whose headers are here: this machine's and the one
# in the other release's tree), the server, and the command pptp, in target/packages (or $PACKAGES).
#
#   scripts/package.sh deb|rpm|all [here]      "here": for this machine's pppd only
#
# Run at another place or time they are the same bytes (scripts/release-env.sh), with the same compilers.
set -euo pipefail
repo=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
cache=${PPTP_RS_CACHE:-/var/cache/pptp-rs}
out=${PACKAGES:-$repo/target/packages}
stages=$out/build
what=${1:-all}
roots=(/)
[ "${2:-}" = here ] || roots+=("$cache"/debian*)
cd "$repo"
# shellcheck source=scripts/release-env.sh
. scripts/release-env.sh

version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
revision=1

# Stripped, in a folder of its own for each pppd, laid out like a folder of cargo's.
stage() {
  install -D -m 755 "$1" "$stages/$2"
  strip --strip-unneeded --remove-section=.comment "$stages/$2"
}

# stage_all ROOT: for each pppd below this root directory
stage_all() {
  local pppd program built
  built=$(target_for "$1")
  for pppd in $(pppd_versions "$1"); do
    stage "$built/release/libpptp_rs.so" "ppp$pppd/release/libpptp_rs.so"
    for program in "${installed_programs[@]}"; do
      stage "$target/release/$program" "ppp$pppd/release/$program"
    done
    versions+=("$pppd")
  done
}

# What cargo-deb leaves out: with it "dpkg --verify" and debsums tell which files were changed.
add_md5sums() {
  local tree=$stages/md5sums
  rm -rf "$tree"
  dpkg-deb --raw-extract "$1" "$tree"
  (cd "$tree" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 md5sum) > "$stages/md5sums.list"
  install -m 644 "$stages/md5sums.list" "$tree/DEBIAN/md5sums"
  dpkg-deb --root-owner-group -Zxz --build "$tree" "$1" > /dev/null
}

# deb STAGE PACKAGE VERSION ARGUMENTS...
deb() {
  local made
  made=$(CARGO_TARGET_DIR=$stages/$1 "$cache/tools/bin/cargo-deb" deb --quiet --no-build --no-strip --package "$2" --deb-version "$3" \
    --output "$out/" "${@:4}" | tail -n 1)
  add_md5sums "$made"
}

make_debs() {
  local pppd
  for pppd in "${versions[@]}"; do
    deb "ppp$pppd" pptp-rs "$version-$revision+ppp$pppd" --variant "ppp$pppd"
  done
  deb "ppp${versions[0]}" pptp-rsd "$version-$revision"
  deb "ppp${versions[0]}" pptp-command "$version-$revision"
}

rpm_of() {
  rpmbuild -bb --quiet --define "_topdir $stages/rpm" --define "_rpmdir $out" --define "_rpmfilename %{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm" \
    --define "version_here $version" --define "repo $repo" "${@:2}" "packaging/rpm/$1.spec"
}

make_rpms() {
  local pppd
  for pppd in "${versions[@]}"; do
    rpm_of pptp-rs --define "pppd $pppd" --define "built $stages/ppp$pppd/release"
  done
  rpm_of pptp-rsd --define "built $stages/ppp${versions[0]}/release"
  rpm_of pptp-rs-compat --define "built $stages/ppp${versions[0]}/release"
}

rm -rf "$stages"
mkdir -p "$out"
versions=()
build_here /usr/include --quiet
stage_all /
for root in "${roots[@]:1}"; do
  [ -n "$(pppd_versions "$root")" ] || continue
  begin_with_first "$root"
  build_for "$root/usr/include" "$(target_for "$root")" --quiet
  stage_all "$root"
done
[ ${#versions[@]} != 0 ] || { echo "package: no pppd's headers here" >&2; exit 1; }
case $what in
  deb) rm -f "$out"/*.deb; make_debs ;;
  rpm) rm -f "$out"/*.rpm; make_rpms ;;
  all) rm -f "$out"/*.deb "$out"/*.rpm; make_debs; make_rpms ;;
  *) echo "package: deb, rpm or all" >&2; exit 1 ;;
esac
ls -l "$out"
