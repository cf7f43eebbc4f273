#!/bin/bash
# compat.sh - pptp-rs-compat takes the place of pptp-linux: not beside it, and NetworkManager's PPTP is content with it.
. "$(dirname "$0")/lib.sh"

step "NetworkManager's PPTP is content with it"
apt --simulate install network-manager-pptp "/packages/$deb_compat" > "$work/log" 2>&1 || { cat "$work/log"; die "apt-get is not"; }
grep '^Inst pptp-rs-compat ' "$work/log" || die "pptp-rs-compat would not be installed"
grep '^Inst network-manager-pptp ' "$work/log" || die "network-manager-pptp would not be installed"
! grep '^Inst pptp-linux ' "$work/log" || die "pptp-linux comes as well"

step "it does not stand beside pptp-linux"
! apt --simulate install pptp-linux "/packages/$deb_compat" > "$work/log" 2>&1 || die "both would be installed"
grep -i conflict "$work/log" || { cat "$work/log"; die "apt-get does not say that they conflict"; }

step "it is installed, answers, and goes"
apt install "/packages/$deb_compat" > "$work/log" 2>&1 || { cat "$work/log"; die "it cannot be installed"; }
is /usr/sbin/pptp 755 root:root
is /etc/ppp/options.pptp 644 root:root
in_tree pptp --version
apt purge pptp-rs-compat > "$work/log" 2>&1 || { cat "$work/log"; die "purge failed"; }
! in_tree test -e /usr/sbin/pptp || die "it stays"
! in_tree test -e /etc/ppp/options.pptp || die "pppd's options stay"
passed
