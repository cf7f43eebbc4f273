#!/bin/bash
# rpms.sh - the .rpm packages ask for their pppd, have the files that they should, and leave nothing when they are erased. The tree
# is a Debian, whose data base of packages rpm does not know: what is asked for is looked at, and --nodeps used to install.
. "$(dirname "$0")/lib.sh"
apt install ppp > "$work/log" 2>&1 || { cat "$work/log"; die "no pppd"; }
rpm_plugin=$packages/pptp-rs-$version-1.ppp$pppd.$(uname -m).rpm
rpm_server=$packages/pptp-rsd-$version-1.$(uname -m).rpm
rpm_compat=$packages/pptp-rs-compat-$version-1.$(uname -m).rpm
plugins=/usr/lib64/pppd/$pppd
# Debian's rpm says that this is not what it is for.
rpm_there() { rpm --root "$root" --dbpath /var/lib/rpm "$@"; }

step "they ask for their pppd and for each other"
rpm -qp --requires "$rpm_plugin" | grep -Fx "ppp >= $pppd"
rpm -qp --requires "$rpm_plugin" | grep -Ex "ppp < ${pppd%.*}.$((${pppd##*.} + 1))"
rpm -qp --requires "$rpm_server" | grep -Fx "pptp-rs = $version"
rpm -qp --recommends "$rpm_compat" | grep -Fx ppp
rpm -qp --provides "$rpm_compat" | grep -Fx 'pptp = 1.10.0'
rpm -qp --provides "$rpm_compat" | grep -Fx 'pptp-linux = 1.10.0'
[ "$(rpm -qp --conflicts "$rpm_compat" | sort | tr '\n' ' ')" = 'pptp pptp-linux ' ] || die "pptp-rs-compat would stand beside pptp"
# It needs nothing but the C library and rpm itself.
! rpm -qp --requires "$rpm_compat" | grep -Ev '^(config|libc\.so\.6|libgcc_s\.so\.1|ld-linux.*|rpmlib|rtld)\(' || die "pptp-rs-compat needs this as well"
# That would install it in the place of a pptp that nobody has asked to replace.
[ -z "$(rpm -qp --obsoletes "$rpm_compat")" ] || die "pptp-rs-compat replaces others by itself"
rpm -qp --provides "$rpm_plugin" | grep -F "pptp-rs = $version-1.ppp$pppd"
! rpm --root "$root" --dbpath /var/lib/rpm --install --test "$rpm_plugin" > "$work/log" 2>&1 || die "rpm does not miss pppd"
grep "ppp >= $pppd is needed" "$work/log" || { cat "$work/log"; die "rpm does not say what it misses"; }
rm -rf "$root/var/lib/rpm"
# Systems of rpm's have these folders.
mkdir -p "$root"/usr/lib/{modules-load.d,sysusers.d,tmpfiles.d} "$root"/usr/share/licenses

step "files, modes and the user"
files > "$work/before"
rpm_there --install --nodeps "$rpm_plugin" "$rpm_server" "$rpm_compat"
rpm_there --verify --nodeps pptp-rs pptp-rsd pptp-rs-compat
is $plugins/pptp-rs.so 755 root:root
[ "$(in_tree readlink $plugins/pptp.so)" = pptp-rs.so ] || die "pptp.so is no link"
for file in /usr/sbin/pptp-rsd /usr/sbin/pptp-rsctl /usr/sbin/pptp-rs-setup /usr/sbin/pptp; do is $file 755 root:root; done
for file in /etc/pptp-rsd.conf /etc/ppp/pptp-rsd-options /etc/apparmor.d/usr.sbin.pptp-rsd /usr/lib/systemd/system/pptp-rsd.service /usr/lib/sysusers.d/pptp-rs.conf \
  /usr/lib/tmpfiles.d/pptp-rs.conf /usr/share/man/man8/pptp-rs.8.gz /usr/share/man/man8/pptp-rsctl.8.gz \
  /usr/share/man/man8/pptp-rs-setup.8.gz /usr/share/man/man8/pptp-rsd.8.gz /usr/share/man/man5/pptp-rsd.conf.5.gz /usr/share/man/man8/pptp.8.gz \
  /etc/ppp/options.pptp /usr/share/licenses/pptp-rs-compat/LICENSE-MIT; do
  is $file 644 root:root
done
is /run/pptp-rs 700 root:root
in_tree getent passwd pptp-rs
in_tree pptp --version
in_tree pptp-rsd --check -c /etc/pptp-rsd.conf
[ "$(rpm_there -q --configfiles pptp-rsd | sort | tr '\n' ' ')" = "/etc/apparmor.d/usr.sbin.pptp-rsd /etc/ppp/pptp-rsd-options /etc/pptp-rsd.conf " ] || die "the configuration files are not marked"
[ "$(rpm_there -q --configfiles pptp-rs-compat)" = /etc/ppp/options.pptp ] || die "pppd's options are not marked"

step "it does not stand beside another pptp"
mkdir "$work/pptp"
printf '%s\n' 'Name: pptp' 'Version: 1.10.0' 'Release: 1' 'Summary: a pptp' 'License: none' 'BuildArch: noarch' %description %files > "$work/pptp/pptp.spec"
rpmbuild -bb --quiet --define "_topdir $work/pptp" "$work/pptp/pptp.spec"
! rpm --root "$root" --dbpath /var/lib/rpm --install --test "$work"/pptp/RPMS/noarch/pptp-*.rpm > "$work/log" 2>&1 || die "both would be installed"
grep conflicts "$work/log" || { cat "$work/log"; die "rpm does not say that they conflict"; }

step "erased: nothing stays"
rpm_there --erase --nodeps pptp-rsd pptp-rs pptp-rs-compat
files > "$work/after"
diff "$work/before" "$work/after" || die "something is left"
passed
