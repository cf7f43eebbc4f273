#!/bin/bash
# purge.sh - installed and purged, the packages leave a Debian as it was before, the user and /run included; removed, they leave
# the configuration files. A user pptp-rs who was there before stays.
. "$(dirname "$0")/lib.sh"
quietly() { "$@" > "$work/log" 2>&1 || { cat "$work/log"; die "$*"; }; }

quietly apt install ppp adduser
files > "$work/before"

step "removed: the configuration files stay, nothing else"
quietly apt install "/packages/$deb_plugin" "/packages/$deb_server"
in_tree getent passwd pptp-rs
quietly apt remove pptp-rs pptp-rsd
in_tree test -e /etc/pptp-rsd.conf || die "the configuration is lost"
! in_tree test -e /usr/sbin/pptp-rsd || die "the program stays"

step "purged: nothing stays"
quietly apt purge pptp-rs pptp-rsd
files > "$work/after"
diff "$work/before" "$work/after" || die "something is left"

step "a pptp.so that was there before stays, and no link for another pppd"
echo "accel-pptp's" > "$root/usr/lib/pppd/$pppd/pptp.so"
mkdir "$root/usr/lib/pppd/2.3"
ln -s pptp-rs.so "$root/usr/lib/pppd/2.3/pptp.so"
for what in install "install --reinstall" remove purge; do
  case $what in i*) name=/packages/$deb_plugin ;; *) name=pptp-rs ;; esac
  # shellcheck disable=SC2086
  quietly apt $what "$name"
  grep -qx "accel-pptp's" "$root/usr/lib/pppd/$pppd/pptp.so" || die "$what: accel-pptp's plugin is gone"
done
[ ! -e "$root/usr/lib/pppd/2.3" ] || die "the link of an older version is left"
rm "$root/usr/lib/pppd/$pppd/pptp.so"

step "a user who was there before stays"
in_tree useradd --system pptp-rs
quietly apt install "/packages/$deb_plugin"
quietly apt purge pptp-rs
in_tree getent passwd pptp-rs || die "the administrator's user was removed"
passed
