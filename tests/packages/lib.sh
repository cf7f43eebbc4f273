# lib.sh - sourced by the scripts of this folder, each of which is one test: a throw-away copy of a clean tree (scripts/setup.sh
# made it), in namespaces of its own. Nothing of it is left behind, whatever happens.
#
#   SCRIPT SUITE      bookworm or trixie
#
#   $root             the copy; in_tree COMMAND runs there, on the data base that apt has there, without network
#   $packages         the folder with the packages (target/packages, or $PACKAGES); in the tree it is /packages
set -euo pipefail
repo=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)
cache=${PPTP_RS_CACHE:-/var/cache/pptp-rs}
packages=$(readlink -m "${PACKAGES:-$repo/target/packages}")
suite=${1:?bookworm or trixie}
case $suite in
  bookworm) pppd=2.4.9 other_pppd=2.5.2 ;;
  trixie) pppd=2.5.2 other_pppd=2.4.9 ;;
  *) echo "unknown suite: $suite" >&2; exit 1 ;;
esac

die() { echo "FAILED: $*" >&2; exit 1; }
step() { echo "--- $*"; }

[ "$(id -u)" = 0 ] || die "root is needed"
[ -d "$cache/clean-$suite" ] || die "there is no $cache/clean-$suite (scripts/setup.sh makes it)"
[ -n "${INSIDE:-}" ] || INSIDE=1 exec unshare --mount --net --pid --fork --kill-child --mount-proc --propagation private bash "$0" "$@"

version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$repo/Cargo.toml")
arch=$(dpkg --print-architecture)
deb_plugin=pptp-rs_$version-1+ppp${pppd}_$arch.deb
deb_other=pptp-rs_$version-1+ppp${other_pppd}_$arch.deb
deb_server=pptp-rsd_${version}-1_$arch.deb
deb_compat=pptp-rs-compat_${version}-1_$arch.deb

work=$(mktemp -d /tmp/pptp-packages.XXXXXX)
# The mounts go with the namespace; the folder is empty then.
trap 'umount -l "$work" 2> /dev/null; rmdir "$work"' EXIT
mount -t tmpfs tmpfs "$work"
root=$work/root
mkdir "$root" "$work/upper" "$work/overlay"
mount -t overlay overlay -o "lowerdir=$cache/clean-$suite,upperdir=$work/upper,workdir=$work/overlay" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/dev"
for device in null zero full random urandom tty; do
  : > "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir -p "$root/dev/pts" "$root/dev/shm" "$root/dev/net" "$root/packages"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
: > "$root/dev/net/tun"
mount --bind /dev/net/tun "$root/dev/net/tun"
mount --bind "$packages" "$root/packages"
ip link set lo up

export DEBIAN_FRONTEND=noninteractive LC_ALL=C
in_tree() { chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive TERM=dumb "$@"; }
apt() { in_tree apt-get -q -y --no-install-recommends -o APT::Sandbox::User=root -o Dpkg::Options::=--force-confold "$@" < /dev/null; }

# Each file with its kind, mode, owner, size (folders have none) and link, but what package managers and adduser write about themselves.
files() {
  (cd "$root" && find . -xdev \( -path ./packages -o -path ./proc -o -path ./dev -o -path ./var/lib/dpkg -o -path ./var/lib/apt -o -path ./var/cache -o \
    -path ./var/log -o -path ./tmp -o -path ./var/lib/rpm -o -path ./etc/.pwd.lock -o -path ./run/adduser -o -name '*-' -path './etc/*' \) -prune -o \
    \( -type d -printf '%p %y %m %u %g\n' -o -printf '%p %y %m %u %g %s %l\n' \)) | sort
  sha256sum < "$root/etc/passwd" && sha256sum < "$root/etc/group" && cut -d : -f 1,2 "$root/etc/shadow" "$root/etc/gshadow"
}

# is PATH MODE OWNER:GROUP: in the tree
is() {
  local found
  found=$(in_tree stat -c '%a %U:%G' "$1") || die "$1 is missing"
  [ "$found" = "$2 $3" ] || die "$1 is $found, not $2 $3"
}

# A line that says so is the test's own word that it got to the end.
passed() { echo "passed: $(basename "$0" .sh) $suite, $SECONDS s"; }
