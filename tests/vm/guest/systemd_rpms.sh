# systemd_rpms.sh - the .rpm packages under real systemd, with AppArmor: what their scripts do when they are installed, upgraded under a
# running call, and erased. The system is a Debian and rpm has a data base of its own, so dependencies are not looked at
# (tests/packages/rpms.sh has them), and no macros or triggers of Fedora's or openSUSE's take part.

# What is built for guests stays away: all comes with the packages.
GUEST_BUILD=/nonexistent CLIENT=packages
. "$REPO/tests/vm/lib.sh"
. "$REPO/tests/vm/guest/systemd_lib.sh"
. "$REPO/tests/vm/guest/systemd_packages_lib.sh"
plan 39

ARCH=$(uname -m)
PLUGIN=/usr/lib64/pppd/$VERSION/pptp-rs.so
PRESET=/etc/systemd/system-preset/50-test.preset

# Scripts that fail are warned about, and no error of rpm's.
packages() { quietly rpm --dbpath /run/rpm --nodeps "$@" && ! grep -E 'scriptlet failed|error:' $WORK/said; }
install_packages() { packages --install "$PACKAGES"/pptp-rs-[0-9]*.ppp"$VERSION.$ARCH".rpm "$PACKAGES"/pptp-rsd-*."$ARCH".rpm; }

# built NAME DEFINITIONS...: a package of a newer version
built() {
  rpmbuild -bb --quiet --define "_topdir $NEWER/rpm" --define "_rpmdir $NEWER" --define '_binary_payload w1.gzdio' --define 'version_here 99' \
    --define "repo $NEWER/repo" --define "built $PACKAGES/build/ppp$VERSION/release" "${@:2}" "$NEWER/repo/packaging/rpm/$1.spec"
}
newer() {
  mkdir -p $NEWER/repo && cp -a "$REPO"/{packaging,man,docs,README.md,LICENSE-MIT,LICENSE-APACHE} $NEWER/repo/ &&
    sed -i 's/^Description=/&Newer /' $NEWER/repo/packaging/pptp-rsd.service &&
    sed -i '$s/}/  profile newer {}\n}/' $NEWER/repo/packaging/apparmor/usr.sbin.pptp-rsd &&
    sed -i '1s/^/# Newer\n/' $NEWER/repo/packaging/pptp-rsd{.conf,-options} && quietly built pptp-rs --define "pppd $VERSION" && quietly built pptp-rsd
}
upgrade() { packages --upgrade $NEWER/"$ARCH"/*.rpm; }

open_rpm_call() { pppd_start client "$VERSION" "$1" plugin "$PLUGIN" pptp_server "$SERVER" $(session_options) && tunnel_up client "$1" 90; }
listing() { /usr/sbin/pptp-rsctl --json sessions; }
state_of_system() {
  find /etc /var /usr/sbin /usr/lib64 /usr/lib/systemd/system /usr/lib/sysusers.d /usr/lib/tmpfiles.d /usr/share/doc /usr/share/man/man8 \
    \( -path /var/log -o -path /var/lib/dpkg -o -path "$PPTP_RS_CACHE" -o -path /var/cache/man -o -path /var/lib/systemd -o -path '/etc/*-' \
    -o -path /etc/.pwd.lock \) -prune -o -printf '%p %y %m %u %g %l\n' | sort
  cat /etc/passwd /etc/group
}

network_of_guest
# As Fedora's and openSUSE's last preset has it
mkdir -p "${PRESET%/*}" && echo 'disable *' > $PRESET
# Folders that are there on every such system
mkdir -p /usr/lib/modules-load.d /usr/share/licenses /etc/apparmor.d/local
quietly another_profile || bail "AppArmor takes no profile" $WORK/said
state_of_system > $WORK/before

check "newer packages can be built" newer
check "rpm installs the packages" install_packages
is_new
same "pptp.so is a link to the plugin" pptp-rs.so "$(readlink "${PLUGIN%/*}/pptp.so")"
echo "plugin $PLUGIN" >> $CONFIG
serves a open_rpm_call
is_upgraded
check "what was changed stays" grep -qx "plugin $PLUGIN" $CONFIG
check "with the newer one beside it" grep -qx '# Newer' $CONFIG.rpmnew
check "what was not changed is newer" grep -qx '# Newer' $OPTIONS
check "there is still a user pptp-rs" getent passwd pptp-rs
check "pptp.so is still there" test -e "${PLUGIN%/*}/pptp.so"
pppd_stop a
check_here "the server takes another call" open_rpm_call b

check "rpm erases them" packages --erase pptp-rsd pptp-rs
check_here "the client was told" hung_up b 'stopped the control connection: shutting down'
check "no process of the service is left" no_processes
same "no profile is loaded but the others'" "other (enforce)" "$(grep -E '^(pptp-rsd|other)' $POLICY)"
check "the changed configuration is kept aside" test -e $CONFIG.rpmsave
rm -f $CONFIG.rpm{save,new}
wait_for 20 nobody_is pptp-rs
same "systemd knows of nothing" "" "$(all_units)"
state_of_system > $WORK/after
check "all else is as before" diff $WORK/before $WORK/after

sed -i '1s/^/enable pptp-rsd.service\n/' $PRESET
check "with a preset that wants it" install_packages
same "it is enabled" enabled "$(enabled)"
check "and erased again" eval 'packages --erase pptp-rsd pptp-rs && [ ! -e /etc/systemd/system/multi-user.target.wants/pptp-rsd.service ]'
finish
