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

step "a user who was there before stays"
in_tree useradd --system pptp-rs
quietly apt install "/packages/$deb_plugin"
quietly apt purge pptp-rs
in_tree getent passwd pptp-rs || die "the administrator's user was removed"
passed
