#!/bin/bash
# init.sh - process 1 of the guest; run.sh starts it and describes what the guest sees.
#
# It starts on the host's own /, mounted read-only through hostfs, and moves to an overlay on it (pivot_root, so that
# the modules which the kernel loads by itself come from there as well).
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb LANG=C.UTF-8

power_off() {
  sync
  [ -z "${1-}" ] || echo "$1" > "$status_file"
  # The serial line is read by another process on the host: let it see the last line.
  sleep 0.05
  echo o > /proc/sysrq-trigger
  sleep 10
}
fail() { echo "init.sh: $*"; power_off 126; }

# hostfs HOST_DIRECTORY WHERE MODE (ro or rw): newer kernels give the directory a name of its own among the options
hostfs() { mount -t hostfs -o "$3,hostfs=$1" none "$2" 2> /dev/null || mount -t hostfs -o "$3,$1" none "$2"; }

mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /mnt || { echo "init.sh: no tmpfs on /mnt"; echo o > /proc/sysrq-trigger; sleep 10; }
mkdir /mnt/{root,private,out,layers}
status_file=/mnt/out/status
hostfs "$GUEST_PARAMETERS" /mnt/private ro
. /mnt/private/parameters
hostfs "$out" /mnt/out rw
new=/mnt/root

# overlay LOWER WHERE
overlay() {
  local layer
  layer=$(mktemp -d /mnt/layers/XXXXXX) && mkdir "$layer/upper" "$layer/work" && chmod 755 "$layer/upper" &&
    mount -t overlay -o "lowerdir=$1,upperdir=$layer/upper,workdir=$layer/work" overlay "$2"
}
overlay_module=$modules/$(uname -r)/kernel/fs/overlayfs/overlay.ko
if [ -e "$overlay_module" ]; then insmod "$overlay_module"
else xz -dc "$overlay_module.xz" > /mnt/overlay.ko && insmod /mnt/overlay.ko; fi
overlay "$tree" $new || fail "no overlay on $tree"

# What the host changes while the guest runs, or what would leak into a test, is covered.
mkdir -p $new/{proc,sys,dev,run,tmp} $new/etc/ppp $new/lib/modules
mount -t proc proc $new/proc
mount -t sysfs sys $new/sys
mount -t devtmpfs dev $new/dev
mkdir -p $new/dev/pts $new/dev/shm
mount -t devpts -o mode=620,ptmxmode=666 devpts $new/dev/pts
rm -f $new/dev/ptmx
ln -s pts/ptmx $new/dev/ptmx
ln -sfn /proc/self/fd $new/dev/fd
mount -t tmpfs tmpfs $new/dev/shm
mount -t tmpfs -o mode=755 tmpfs $new/run
mount -t tmpfs -o mode=1777 tmpfs $new/tmp
mount -t tmpfs -o mode=1777 tmpfs $new/var/tmp
mount -t tmpfs -o mode=755 tmpfs $new/var/log
mount -t tmpfs -o mode=755 tmpfs $new/etc/ppp
mkdir -p $new/run/lock $new/etc/ppp/peers $new/var/log/ppp
: > $new/etc/ppp/options
(umask 077; : > $new/etc/ppp/chap-secrets; : > $new/etc/ppp/pap-secrets)

# host_directory PATH MODE: the host's directory at the same path, for what lies below a covered one (/tmp, /run …)
host_directory() { mkdir -p "$new$1" && hostfs "$1" "$new$1" "$2" || fail "cannot show $1 to the guest"; }
host_directory "$repo" ro
for directory in "$cache" "$build" "$packages"; do [ ! -d "$directory" ] || host_directory "$directory" ro; done
host_directory "$out" rw
# All but the last must be read-only, whatever this kernel makes of the options.
awk -v out="$new$out" '$3 == "hostfs" && $2 != out && $2 != "/mnt/out" && $4 !~ /^ro(,|$)/ { exit 1 }' /proc/mounts ||
  fail "the host's files are not read-only"
for pair in ${files[@]+"${files[@]}"}; do
  mkdir -p "$new$(dirname "${pair#*=}")" && cp -p "${pair%%=*}" "$new${pair#*=}" || fail "cannot copy $pair"
done
cp /mnt/private/command $new/run/guest-command
case $script in "$repo"/*) ;; *) cp -p "$script" $new/run/guest-script ;; esac

overlay "$modules" $new/lib/modules || fail "no overlay on $modules"
device=yes
for module in $hold; do
  pattern=$module
  case $module in
    ppp) pattern='ppp_generic ppp_async ppp_synctty ppp_mppe pppox pptp pppoe bsd_comp ppp_deflate' device=no ;;
    ppp_generic) device=no ;;
  esac
  for name in $pattern; do find "$new/lib/modules/$(uname -r)/kernel" -name "$name.ko*" -delete; done
done

mkdir $new/mnt/before
pivot_root $new $new/mnt/before && cd / || fail "pivot_root failed"
status_file=$out/status
umount -l /mnt/before
# With the index made anew, modprobe says "Module X not found", as on a host that lacks it (this takes 1.7 s).
[ -z "${hold// /}" ] || depmod -a
for module in $load; do modprobe "$module" || fail "modprobe $module failed"; done
[ $device = yes ] || rm -f /dev/ppp
ip link set lo up
stty -F /dev/ttyS0 raw -echo 2> /dev/null
hostname guest
# run.sh enforces the limit from outside; this is for a run.sh that was itself killed.
( sleep $((limit + 30)); echo o > /proc/sysrq-trigger ) > /dev/null 2>&1 < /dev/null &

# become_systemd: the command is a service, and of what every system has there is the journal alone. The rest takes time, or
# cleans /tmp, where $OUT may be.
become_systemd() {
  local name
  mount -t tmpfs -o mode=755 tmpfs /etc/systemd/system
  mount -t securityfs securityfs /sys/kernel/security
  mkdir -p /run/systemd/{system,system-generators}
  for name in /lib/systemd/system/sysinit.target.wants/*; do
    case $name in *systemd-journald*) ;; *) ln -s /dev/null "/run/systemd/system/${name##*/}" ;; esac
  done
  for name in /lib/systemd/system-generators/*; do ln -s /dev/null "/run/systemd/system-generators/${name##*/}"; done
  # The host may be a container; this is none.
  rm -f /.dockerenv /run/.containerenv
  { declare -f power_off; declare -p status_file; echo 'power_off "$EXIT_STATUS"'; } > /run/guest-end
  cat > /run/systemd/system/guest.service << END
[Service]
Type=oneshot
Environment=HOME=/root
ExecStart=/bin/bash /run/guest-command
ExecStopPost=/bin/bash /run/guest-end
StandardOutput=file:/dev/ttyS0
StandardError=file:/dev/ttyS0
END
  exec env -i PATH="$PATH" LANG=$LANG /lib/systemd/systemd --unit=guest.service --show-status=no
}
[ $systemd = no ] || become_systemd
setsid /bin/bash /run/guest-command < /dev/null > /dev/ttyS0 2>&1
power_off $?
