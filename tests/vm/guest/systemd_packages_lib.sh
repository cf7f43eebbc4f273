# systemd_packages_lib.sh - what the guests share that install packages under real systemd, with AppArmor. The guest has packages,
# install_packages and upgrade.

UNIT=/usr/lib/systemd/system/pptp-rsd.service
POLICY=/sys/kernel/security/apparmor/profiles
NEWER=$WORK/newer
PROFILES=$(printf '%s (enforce)\n' pptp-rsd pptp-rsd//modprobe pptp-rsd//ntlm_auth pptp-rsd//pppd pptp-rsd//unix_chkpwd)

# quietly COMMAND...: what it says is shown when it fails
quietly() { "$@" > $WORK/said 2>&1 < /dev/null || { cat $WORK/said; return 1; }; }

# another_profile: every system with AppArmor has one, and what its parser keeps
another_profile() { echo 'profile other {}' > $WORK/other && apparmor_parser --add --write-cache $WORK/other; }
profiles() { grep '^pptp-rsd' $POLICY | sort; }
label() { local label; read -r label < "/proc/$(main_pid)/attr/current"; echo "$label"; }
enabled() { systemctl is-enabled pptp-rsd 2>&1; }
# Besides, what is on disk is what it has read.
known() { same_text "loaded no" "$(property LoadState) $(property NeedDaemonReload)"; }
all_units() { systemctl list-units --all --no-legend --plain 'pptp-rsd*'; systemctl list-unit-files --no-legend 'pptp-rsd*'; }
nobody_is() { [ -z "$(pgrep -u "$1")" ]; }

# is_new: 6 checks of packages that were just installed
is_new() {
  same "the service is not enabled" disabled "$(enabled)"
  check "nor started" state inactive
  check "systemd knows it" known
  check "there is a user pptp-rs" eval "getent passwd pptp-rs | grep -q ':/usr/sbin/nologin$'"
  same "/run/pptp-rs is root's alone" "root 700" "$(stat -c '%U %a' /run/pptp-rs)"
  same "AppArmor's profiles are loaded and enforced" "$PROFILES" "$(profiles)"
}

# serves CALL COMMAND...: 6 checks of the service, which has this call then, that the command makes
serves() {
  check "the service is enabled and started" quietly systemctl enable --now pptp-rsd
  check "it is active" state active
  same "it is confined" "pptp-rsd (enforce)" "$(label)"
  check_here "a call with MPPE-128 comes up" "${@:2}" "$1"
  check "the server lists it" listed kernel
  check "ip-up does what it wants" script_ran
}

# is_upgraded: 8 checks of newer packages in the place of those that serve a call
is_upgraded() {
  local before
  before=$(main_pid)
  check "newer packages are installed" upgrade
  same "the server is the same process" "$before" "$(main_pid)"
  check "it is active" state active
  same "it is still enabled" enabled "$(enabled)"
  same "it is still confined" "pptp-rsd (enforce)" "$(label)"
  check "the call goes on" passes
  check "systemd knows the newer unit" eval 'known && [[ $(property Description) == Newer* ]]'
  check "AppArmor has the newer profile" grep -qx 'pptp-rsd//newer (enforce)' $POLICY
}
