# systemd_packages.sh - Debian's packages under real systemd, with AppArmor: installed, used, upgraded under a running call, removed
# and purged. What their scripts do where neither is there, tests/packages has.

# What is built for guests stays away: all comes with the packages.
GUEST_BUILD=/nonexistent CLIENT=packages
. "$REPO/tests/vm/lib.sh"
. "$REPO/tests/vm/guest/systemd_lib.sh"
. "$REPO/tests/vm/guest/systemd_packages_lib.sh"
plan 38

DISABLED=/etc/apparmor.d/disable

# Without a terminal, and without waiting for disks that there are none of.
packages() { quietly env DEBIAN_FRONTEND=noninteractive dpkg --force-unsafe-io "$@"; }
install_packages() { packages --install "$PACKAGES"/pptp-rs_*+ppp"$VERSION"_*.deb "$PACKAGES"/pptp-rsd_*.deb; }

# repacked DEB: the same, a little newer
repacked() {
  local tree=$NEWER/${1##*/}
  mkdir -p $NEWER
  dpkg-deb --raw-extract "$1" "$tree" && sed -i 's/^\(Version: [^-]*-[0-9]*\)/\1.1/' "$tree/DEBIAN/control" || return 1
  [ ! -e "$tree$UNIT" ] || sed -i 's/^Description=/&Newer /' "$tree$UNIT"
  [ ! -e "$tree$PROFILE" ] || sed -i '$s/}/  profile newer {}\n}/' "$tree$PROFILE"
  rm -f "$tree/DEBIAN/md5sums"
  dpkg-deb --root-owner-group -Zgzip -z1 --build "$tree" $NEWER > /dev/null && rm -r "$tree"
}
upgrade() { repacked "$PACKAGES"/pptp-rs_*+ppp"$VERSION"_*.deb && repacked "$PACKAGES"/pptp-rsd_*.deb && packages --install $NEWER/*.deb; }

users() { grep -h pptp-rs /etc/passwd /etc/group /etc/shadow /etc/gshadow; }
# state_of_system: all of /etc and /var, but what dpkg and useradd write about themselves, and other packages' caches
state_of_system() {
  find /etc /var \( -path /var/log -o -path /var/lib/dpkg -o -path "$PPTP_RS_CACHE" -o -path /var/cache/man -o -path /var/lib/systemd -o \
    -path '/etc/*-' -o -path /etc/.pwd.lock \) -prune -o -printf '%p %y %m %u %g %l\n' | sort
  cat /etc/passwd /etc/group
}
none_left() {
  local file
  while read -r file; do [ -d "$file" ] || ! [ -e "$file" ] || echo "$file"; done < $WORK/files
  find /run -name '*pptp*' ! -path "$NEWER/*"
}

network_of_guest
# The one thing that they need and not every tree has
command -v adduser > /dev/null || packages --install "$PPTP_RS_CACHE"/clean-*/var/cache/apt/archives/adduser_*.deb || bail "no adduser"
{ mkdir -p $DISABLED && quietly another_profile; } || bail "AppArmor takes no profile" $WORK/said
state_of_system > $WORK/before

check "dpkg installs the packages" install_packages
is_new
serves a open_call
is_upgraded
pppd_stop a
check_here "the server takes another call" open_call b
dpkg --listfiles pptp-rs pptp-rsd > $WORK/files

check "dpkg removes them" packages --remove pptp-rsd pptp-rs
check_here "the client was told" hung_up b 'stopped the control connection: shutting down'
check "no process of the service is left" no_processes
same "no profile is loaded" "" "$(profiles)"
check "the configuration stays" test -e $CONFIG -a -e $OPTIONS -a -e $PROFILE

ln -s $PROFILE $DISABLED/
check "dpkg installs them again" install_packages
same "the service is enabled as before" enabled "$(enabled)"
check "and not started" state inactive
same "a profile that is disabled is not loaded" "" "$(profiles)"

# The client's processes, which are this machine's as well
wait_for 30 nobody_is pptp-rs
check "dpkg purges them" packages --purge pptp-rsd pptp-rs
same "no user is left" "" "$(users)"
same "systemd knows of nothing" "" "$(all_units)"
same "no file of theirs is left" "" "$(none_left)"
state_of_system > $WORK/after
check "all else is as before" diff $WORK/before $WORK/after
check "AppArmor has the others' profiles" grep -qx 'other (enforce)' $POLICY
same "no unit has failed" "" "$(systemctl list-units --failed --no-legend --plain)"
finish
