# systemd_apparmor_logins.sh - rarer ways to log in and to be served, with AppArmor's profile enforced: PAM, winbind, addresses of
# pppd's own choice, a VRF; all of pppd's scripts. Then what somebody in pppd's place would try.
. "$REPO/tests/vm/lib.sh"
. "$REPO/tests/vm/guest/systemd_lib.sh"
plan 31

# The scripts of these names that pppd has run, each with its label
EVERY_SCRIPT=$'auth-up unconfined\nip-pre-up unconfined\nip-up unconfined\nipv6-up unconfined'
every_script() {
  local name
  mkdir -p /etc/ppp/ip-up.d
  for name in auth-up ip-pre-up ipv6-up; do
    printf '#!/bin/sh\nread -r label < /proc/self/attr/current\necho "%s $label" >> /run/work/labels\n' $name > /etc/ppp/$name
  done
  # What Debian's ip-up does, and then what administrators add
  cat > /etc/ppp/ip-up << 'TEXT'
#!/bin/sh
exec > /run/work/ip-up.log 2>&1
set -e
PPP_IFACE=$1
export PPP_IFACE
run-parts --exit-on-error /etc/ppp/ip-up.d --arg="$1"
TEXT
  cat > /etc/ppp/ip-up.d/tools << 'TEXT'
#!/bin/bash
set -ex
read -r label < /proc/self/attr/current
sysctl -w "net.ipv4.conf.$PPP_IFACE.rp_filter=2"
ip -4 -o address show dev "$PPP_IFACE" | awk '{ print $4 }' | sed 's|/.*||' | sort > /var/lib/tunnel
ps -o comm= -p $PPID | grep -q .
kill -0 $PPID
date >> /var/log/tunnels
ss -Htln > /dev/null
mktemp -d | xargs rmdir
echo "nameserver 192.0.2.53" > /etc/ppp/resolv.conf
perl -e 'open F, "<", "/etc/hostname" and print <F>'
find /etc/ppp -name '*-secrets' | xargs -n 1 stat -c %a
systemctl show -P ActiveState pptp-rsd
logger -t ip-up "$PPP_IFACE is up"
echo "ip-up $label" >> /run/work/labels
TEXT
  chmod 755 /etc/ppp/{auth-up,ip-pre-up,ipv6-up,ip-up,ip-up.d/tools}
}
all_ran() { wait_for 60 eval '[ "$(sort -u $WORK/labels)" = "$EVERY_SCRIPT" ]' || { sort -u $WORK/labels; cat $WORK/ip-up.log; return 1; }; }

# user bob: of this system, and of nothing else
system_user() { useradd --no-create-home bob && echo 'bob:open sesame' | chpasswd && : > /etc/ppp/chap-secrets && echo 'bob * "" *' > /etc/ppp/pap-secrets; }
pam_options() { printf '%s\n' 'name pptp-rsd' auth require-pap login nobsdcomp nodeflate > $OPTIONS; }
# pam_call NAME [PASSWORD]: PAM closes 65536 descriptors before it starts its program, which takes long here
pam_call() {
  pppd_start client "$VERSION" "$1" plugin pptp-rs.so pptp_server "$SERVER" user bob password "${2-open sesame}" noauth nobsdcomp nodeflate \
    ipcp-accept-local ipcp-accept-remote pap-max-authreq 100 debug
}
pam_up() { pam_call "$1" && tunnel_up client "$1" 150; }
pam_refused() { pam_call "$1" "$2" && pppd_wait "$1" 150 && logged "$1" 'PAP AuthNak'; }

# An ntlm_auth of a domain that has one user, and her password alone; no domain can be had here. It lets nobody in if it can read
# what it must not.
domain() {
  cat > /usr/bin/ntlm_auth << 'TEXT'
#!/bin/sh
while read -r line && [ "$line" != . ]; do
  case $line in 'Username:: YWxpY2U=') user=alice ;; esac
done
[ "$1" = --helper-protocol=ntlm-server-1 ] && [ "$user" = alice ] && ! read -r line < /etc/shadow && ! read -r line < /etc/ppp/chap-secrets || {
  printf 'Authenticated: No\n.\n'
  exit
}
printf 'Authenticated: Yes\nUser-Session-Key: E151CED94B1BAAF8E91D9FC977AE28BD\n.\n'
TEXT
  chmod 755 /usr/bin/ntlm_auth
  mkdir -p /var/lib/samba/private
  : > /etc/ppp/chap-secrets
  { cat "$REPO/packaging/pptp-rsd-options"; printf '%s\n' 'plugin winbind.so' 'ntlm_auth-helper "/usr/bin/ntlm_auth --helper-protocol=ntlm-server-1"'; } > $OPTIONS
}

# own_addresses: pppd has them from chap-secrets and its options
own_addresses() {
  { cat "$REPO/packaging/pptp-rsd.conf"; echo delegate; } | sed '/^\(localip\|remoteip\)/d' > $CONFIG
  { cat "$REPO/packaging/pptp-rsd-options"; echo "$INSIDE:"; } > $OPTIONS
  (umask 077; echo 'alice * "open sesame" 10.20.0.50' > /etc/ppp/chap-secrets)
}
got_address() { [[ $(address_of "$1") == 10.20.0.50* ]] || { address_of "$1"; return 1; }; }

vrf() {
  modprobe vrf && ip link add red type vrf table 10 && ip link set red up && ip link set eth0 master red &&
    served_on auto && echo 'vrf red' >> $CONFIG
}

loaded() { apparmor_parser --replace --write-cache $PROFILE 2> $WORK/parser || { cat $WORK/parser; return 1; }; }
denied() { { dmesg; journalctl -q --no-pager -o cat; } | grep 'apparmor="DENIED"' | sed 's/.*\(apparmor=\)/\1/; s/ pid=[0-9]*//' | sort -u; }
# denied_since: what was not denied before it was asked for the last time
denied_since() { denied > $WORK/denied.now; touch $WORK/denied; comm -13 $WORK/denied $WORK/denied.now; mv $WORK/denied.now $WORK/denied; }
nothing_denied() { local all; all=$(denied_since); [ -z "$all" ] || { echo "$all"; return 1; }; }
only_denied() { local all; all=$(denied_since); [ -n "$all" ] && ! grep -Ev -- "$1" <<< "$all" || { echo "$all"; return 1; }; }

# in_pppd COMMAND...: what somebody would start who has made pppd do his will
in_pppd() { aa-exec -i -p pptp-rsd//pppd -- "$@"; }
cannot() { ! "$@" > $WORK/cannot 2>&1; }

installed && network_of_guest || bail "the service cannot be installed"
every_script
check "the profile is loaded" loaded

served_on tun
echo +ipv6 >> $OPTIONS
check "the service starts" service start
check_here "a call with IPv6 comes up" open_call scripts +ipv6
check "all scripts do what they want, unconfined" all_ran
check "pings pass" passes
pppd_stop scripts
check "nothing of this was denied" nothing_denied

pam_options
: > /var/log/wtmp
check "there is a user" system_user
check_here "PAM: a user of this system logs in" pam_up pam
check "PAM: pings pass" passes
check "PAM: wtmp has him" grep -qa bob /var/log/wtmp
pppd_stop pam
check_here "PAM: another password is refused" pam_refused wrong wrong
check "PAM: nothing of this was denied" nothing_denied

check "winbind: there is a domain" domain
check_here "winbind: its user logs in, with MPPE-128" open_call winbind
check "winbind: pings pass" passes
pppd_stop winbind
check "winbind: its program can read neither hashes nor secrets" only_denied 'profile="pptp-rsd//ntlm_auth" name="/etc/(shadow|ppp/chap-secrets)"'

own_addresses
check "delegate: the service starts" service restart
check_here "delegate: a call comes up" open_call own
check "delegate: its address is pppd's choice" got_address own
check "delegate: pings pass" passes
pppd_stop own

check "vrf: the network is one" vrf
check "vrf: the service starts" service restart
check_here "vrf: a call comes up" open_call vrf
check "vrf: pings pass" passes
service stop
check "nothing of this was denied, either" nothing_denied

check "in pppd's place: modules can be asked for" in_pppd /sbin/modprobe -n tun
check "in pppd's place: a shell starts nothing" cannot in_pppd /bin/sh -c 'cat /etc/hostname'
check "in pppd's place: and reads no hashes" cannot in_pppd /bin/sh -c 'read -r line < /etc/shadow'
check "in pppd's place: nor writes Samba's keys" cannot in_pppd /bin/sh -c 'echo > /var/lib/samba/private/secrets.tdb'
aa-exec -p pptp-rsd//pppd -- /usr/sbin/pppd file /etc/security/opasswd notty dryrun > $WORK/cannot 2>&1
check "in pppd's place: former passwords are not read" grep -q '/etc/security/opasswd: Permission denied' $WORK/cannot
check "in pppd's place: no other program" cannot in_pppd /usr/bin/id
finish
