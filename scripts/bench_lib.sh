# bench_lib.sh - what the benchmarks in namespaces ask of this machine; the one that sources this is in the repository's folder

say() {
    echo "$(basename "$0" .sh): $*" >&2
}

die() {
    say "$*"
    exit 2
}

# tool → Debian package
need() {
    command -v "$1" >/dev/null || die "$1 is missing: install $2"
}

[ "$(id -u)" = 0 ] || die "network namespaces and TUN devices need root"
[ -c /dev/net/tun ] || die "there is no /dev/net/tun: modprobe tun"
need cargo rustup
need ip iproute2
need unshare util-linux
