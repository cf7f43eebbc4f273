#!/bin/bash
# debs.sh - a clean Debian gets the plugin and the server with apt-get, a client that pptp-rs-setup has made reaches the server,
# newer packages keep what the administrator has changed, and packages for another pppd are refused.
. "$(dirname "$0")/lib.sh"
state=$work/state
mkdir "$state"

step "apt-get installs them, and what they need"
apt install "/packages/$deb_plugin" "/packages/$deb_server" > "$state/apt" 2>&1 || { cat "$state/apt"; die "apt-get failed"; }
in_tree dpkg-query -W -f '${Package} ${Version} ${db:Status-Status}\n' ppp pptp-rs pptp-rsd
in_tree dpkg --verify pptp-rs pptp-rsd | tee "$state/verify"
[ ! -s "$state/verify" ] || die "files differ from their sums"

step "the files have their modes and owners"
is "/usr/lib/pppd/$pppd/pptp-rs.so" 644 root:root
[ "$(in_tree readlink "/usr/lib/pppd/$pppd/pptp.so")" = pptp-rs.so ] || die "pptp.so is no link"
for file in /usr/sbin/pptp-rsd /usr/sbin/pptp-rsctl /usr/sbin/pptp-rs-setup; do is $file 755 root:root; done
for file in /etc/pptp-rsd.conf /etc/ppp/pptp-rsd-options /etc/apparmor.d/usr.sbin.pptp-rsd /usr/lib/systemd/system/pptp-rsd.service \
  /usr/lib/sysusers.d/pptp-rs.conf /usr/lib/tmpfiles.d/pptp-rs.conf /usr/lib/modules-load.d/pptp-rs.conf \
  /usr/share/bash-completion/completions/pptp-rsctl /usr/share/doc/pptp-rs/README.md /usr/share/doc/pptp-rs/copyright; do
  is $file 644 root:root
done
# A minimal Debian leaves out manual pages, so they are looked for in the packages.
for page in 8/pptp-rs.8 8/pptp-rsctl.8 8/pptp-rs-setup.8 8/pptp-rsd.8 5/pptp-rsd.conf.5; do
  for deb in "$deb_plugin" "$deb_server"; do dpkg-deb -c "$packages/$deb"; done | grep "/usr/share/man/man$page.gz" > /dev/null || die "no page $page"
done
is /run/pptp-rs 700 root:root
in_tree getent passwd pptp-rs | grep -E ':(/nonexistent|/):(/usr)?/sbin/nologin$' || die "the user pptp-rs is not as it should be"
in_tree sh -c 'sort /var/lib/dpkg/info/pptp-rsd.conffiles' | tr '\n' ' ' | grep -Fx '/etc/apparmor.d/usr.sbin.pptp-rsd /etc/ppp/pptp-rsd-options /etc/pptp-rsd.conf ' ||
  die "the configuration files are not marked"
[ ! -e "$root/etc/systemd/system/multi-user.target.wants/pptp-rsd.service" ] || die "the service is enabled"

step "a client reaches the server"
unshare --net sleep infinity & server_pid=$!
unshare --net sleep infinity & client_pid=$!
until [ "$(readlink /proc/$server_pid/ns/net)" != "$(readlink /proc/self/ns/net)" ] && [ "$(readlink /proc/$client_pid/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do
  sleep 0.05
done
# on WHOM COMMAND: a program of this machine; the tree has none for networks
on() { local pid=$1_pid; nsenter --net=/proc/${!pid}/ns/net "${@:2}"; }
ip link add cable netns $server_pid type veth peer name cable netns $client_pid
for end in server:192.0.2.1 client:192.0.2.2; do
  on "${end%:*}" ip addr add "${end#*:}/24" dev cable
  on "${end%:*}" ip link set cable up
  on "${end%:*}" ip link set lo up
done
on_tree() { local pid=$1_pid; nsenter --net=/proc/${!pid}/ns/net chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C "${@:2}"; }
in_tree sh -c 'umask 077; echo "alice pptp-rsd open-sesame *" > /etc/ppp/chap-secrets'
on_tree server pptp-rsd --check -c /etc/pptp-rsd.conf
# Without a shell in between, which would get the signal that ends it.
nsenter --net=/proc/$server_pid/ns/net chroot "$root" pptp-rsd --fg -c /etc/pptp-rsd.conf > "$state/server" 2>&1 & daemon=$!
in_tree sh -c 'umask 077; printf open-sesame > /root/password'
for try in $(seq 100); do
  on server ss -Hltn 'sport = :1723' | grep -q . && break
  kill -0 $daemon || { cat "$state/server"; die "the server ended"; }
  sleep 0.1
done
on_tree client pptp-rs-setup create office --server 192.0.2.1 --user alice --encrypt --password-file /root/password --start < /dev/null > "$state/client" 2>&1 ||
  { cat "$state/client" "$state/server"; die "the client did not connect"; }
cat "$state/client"
is /etc/ppp/peers/office 600 root:root
for try in $(seq 100); do
  on client ip -4 -o addr show dev ppp0 2> /dev/null | grep -q 'peer 10\.20\.0\.1' && break
  sleep 0.1
done
on client ip -4 -o addr show dev ppp0
on client ping -c 3 -i 0.2 -W 5 10.20.0.1 || { cat "$state/server"; die "nothing comes through the tunnel"; }
on_tree server pptp-rsctl sessions
on_tree client pptp-rsctl tunnels | tee "$state/tunnels"
grep -q '^ppp0 *running *192\.0\.2\.1 ' "$state/tunnels" || die "plugin and pptp-rsctl do not understand each other"
on_tree client pptp-rs-setup stop office < /dev/null || die "the tunnel cannot be stopped"
kill $daemon
wait $daemon || die "the server did not end well"
on_tree client pptp-rs-setup delete office < /dev/null

step "packages for another pppd are refused"
! apt install "/packages/$deb_other" > "$state/apt" 2>&1 || die "apt-get installed $deb_other"
grep -E 'Depends:? ppp \(' "$state/apt" || { cat "$state/apt"; die "apt-get does not say why"; }
dpkg-deb --extract "$packages/$deb_other" "$root/tmp/other"
! in_tree pppd plugin "/tmp/other/usr/lib/pppd/$other_pppd/pptp-rs.so" pptp_server 192.0.2.1 nodetach < /dev/null > "$state/pppd" 2>&1 ||
  die "pppd $pppd took a plugin for $other_pppd"
# By force: pppd says so itself, before any code of the plugin runs.
grep -F "Couldn't load plugin" "$state/pppd" || { cat "$state/pppd"; die "pppd does not say why"; }

step "an older version is upgraded; what was changed stays, what was not is new"
apt purge pptp-rsd pptp-rs > "$state/apt" 2>&1 || { cat "$state/apt"; die "purge failed"; }
# older DEB: the same, as 0.0.9, with other configuration files
older() {
  local tree=$work/older
  rm -rf "$tree"
  dpkg-deb --raw-extract "$packages/$1" "$tree"
  sed -i "s/^Version: $version/Version: 0.0.9/; /^Depends:/s/pptp-rs ([^)]*)/pptp-rs/g" "$tree/DEBIAN/control"
  for file in etc/pptp-rsd.conf etc/ppp/pptp-rsd-options; do
    [ ! -e "$tree/$file" ] || echo "# of an older version" >> "$tree/$file"
  done
  rm -f "$tree/DEBIAN/md5sums"
  dpkg-deb --root-owner-group -Zgzip -z1 --build "$tree" "$root/tmp/$2.deb" > /dev/null
}
older "$deb_plugin" plugin
older "$deb_server" server
apt install /tmp/plugin.deb /tmp/server.deb > "$state/apt" 2>&1 || { cat "$state/apt"; die "the older version cannot be installed"; }
in_tree sed -i 's/^localip .*/localip 10.77.0.1/' /etc/pptp-rsd.conf
apt install "/packages/$deb_plugin" "/packages/$deb_server" > "$state/apt" 2>&1 || { cat "$state/apt"; die "upgrade failed"; }
[ "$(in_tree dpkg-query -W -f '${Version}' pptp-rsd)" = "$version-1" ] || die "pptp-rsd is not the newer one"
in_tree grep -qx 'localip 10.77.0.1' /etc/pptp-rsd.conf || die "the administrator's change is lost"
! in_tree grep -q 'of an older version' /etc/ppp/pptp-rsd-options || die "an unchanged file stayed old"
in_tree pptp-rsd --version
passed
