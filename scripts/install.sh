#!/bin/bash
# install.sh - copy what was built to where it belongs, or remove it again. `make install` and `make uninstall` call it.
#
#   scripts/install.sh install|uninstall|install-pptp|uninstall-pptp
#
# DESTDIR, PREFIX (/usr), SYSCONFDIR (/etc), PLUGIN_DIR (where pppd looks for plugins), TARGET (where cargo builds).
# "pptp" is the command that others call like pptp-linux's; it has targets of its own because it would overwrite theirs.
# Files in SYSCONFDIR that exist are the administrator's: they stay, also when everything else is removed.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
what=${1:-install}
root=${DESTDIR:-} prefix=${PREFIX:-/usr} etc=${SYSCONFDIR:-/etc} target=${TARGET:-target}
plugin_dir=${PLUGIN_DIR:-}
sbin=$prefix/sbin share=$prefix/share lib=$prefix/lib

die() { echo "$what: $*" >&2; exit 1; }

programs=(pptp-rsd pptp-rsctl pptp-rs-setup)

# SOURCE DESTINATION, one a line
plain_files() {
  local page
  echo "packaging/sysusers.d/pptp-rs.conf $lib/sysusers.d/pptp-rs.conf"
  echo "packaging/tmpfiles.d/pptp-rs.conf $lib/tmpfiles.d/pptp-rs.conf"
  echo "packaging/modules-load.d/pptp-rs.conf $lib/modules-load.d/pptp-rs.conf"
  echo "packaging/pptp-rsctl.bash $share/bash-completion/completions/pptp-rsctl"
  for page in man/*.[58]; do
    [ "$page" = man/pptp.8 ] || echo "$page $share/man/man${page##*.}/${page##*/}"
  done
  # In folders as here, so that the links between them lead somewhere.
  for page in README.md LICENSE-MIT LICENSE-APACHE CHANGELOG.md docs/*.md; do
    echo "$page $share/doc/pptp-rs/$page"
  done
}

# What names programs, with the folder that they are in.
adapted_files() {
  echo "packaging/pptp-rsd.service $lib/systemd/system/pptp-rsd.service"
}

config_files() {
  echo "packaging/pptp-rsd.conf $etc/pptp-rsd.conf"
  echo "packaging/pptp-rsd-options $etc/ppp/pptp-rsd-options"
  echo "packaging/apparmor/usr.sbin.pptp-rsd $etc/apparmor.d/usr.sbin.pptp-rsd"
}

put() { install -D -m "$1" "$2" "$root$3"; }
adapt() { sed "s,/usr/sbin/pptp-rsd,$sbin/pptp-rsd,g" "$1"; }

check_built() {
  [ -n "$plugin_dir" ] || die "no pppd here; give PLUGIN_DIR=/usr/lib/pppd/VERSION"
  local file
  for file in "$target/release/libpptp_rs.so" "${programs[@]/#/$target/release/}"; do
    [ -e "$file" ] || die "$file is missing; run make build first"
  done
}

install_all() {
  check_built
  local program from to
  put 644 "$target/release/libpptp_rs.so" "$plugin_dir/pptp-rs.so"
  # Files written for accel-pptp say "plugin pptp.so". Its own plugin, if it is here, stays.
  [ -e "$root$plugin_dir/pptp.so" ] || ln -sv pptp-rs.so "$root$plugin_dir/pptp.so"
  for program in "${programs[@]}"; do
    put 755 "$target/release/$program" "$sbin/$program"
  done
  while read -r from to; do put 644 "$from" "$to"; done < <(plain_files)
  while read -r from to; do put 644 <(adapt "$from") "$to"; done < <(adapted_files)
  while read -r from to; do
    if [ -e "$root$to" ]; then
      echo "$to is there and stays as it is"
    else
      put 644 <(adapt "$from") "$to"
    fi
  done < <(config_files)
  [ -n "$root" ] || echo "The user pptp-rs, and /run/pptp-rs: systemd-sysusers pptp-rs.conf; systemd-tmpfiles --create pptp-rs.conf"
}

uninstall_all() {
  [ -n "$plugin_dir" ] || die "no pppd here; give PLUGIN_DIR=/usr/lib/pppd/VERSION"
  local from to program
  rm -f "$root$plugin_dir/pptp-rs.so"
  [ "$(readlink "$root$plugin_dir/pptp.so")" != pptp-rs.so ] || rm -f "$root$plugin_dir/pptp.so"
  for program in "${programs[@]}"; do rm -f "$root$sbin/$program"; done
  while read -r from to; do rm -f "$root$to"; done < <(plain_files; adapted_files)
  local folder
  for folder in "$root$share/doc/pptp-rs/docs" "$root$share/doc/pptp-rs"; do
    [ ! -d "$folder" ] || rmdir --ignore-fail-on-non-empty "$folder"
  done
  # Unchanged ones go, the administrator's stay.
  while read -r from to; do
    ! adapt "$from" | cmp -s - "$root$to" || rm -f "$root$to"
  done < <(config_files)
}

case $what in
  install) install_all ;;
  uninstall) uninstall_all ;;
  install-pptp)
    [ -e "$target/release/pptp" ] || die "$target/release/pptp is missing; run make build first"
    put 755 "$target/release/pptp" "$sbin/pptp"
    put 644 man/pptp.8 "$share/man/man8/pptp.8"
    [ -e "$root$etc/ppp/options.pptp" ] || put 644 packaging/options.pptp "$etc/ppp/options.pptp"
    ;;
  uninstall-pptp)
    rm -f "$root$sbin/pptp" "$root$share/man/man8/pptp.8"
    ! cmp -s packaging/options.pptp "$root$etc/ppp/options.pptp" || rm -f "$root$etc/ppp/options.pptp"
    ;;
  *) die "install, uninstall, install-pptp or uninstall-pptp" ;;
esac
