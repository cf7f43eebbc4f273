#!/bin/bash
# run.sh - run a script inside a User-Mode Linux guest.
#
#   run.sh [options] SCRIPT [ARGS...]
#     -m MEM         memory of the guest (default 512M; only what is touched is used)
#     -l "a b c"     modules to load before the script (default: all that a PPTP tunnel needs; "" loads none)
#     -w "a b c"     modules to withhold: they are deleted in the guest, so nothing can load them; "ppp" stands
#                    for everything of PPP and takes /dev/ppp along
#     -e VAR=VALUE   environment of the script (repeatable)
#     -f FROM=TO     copy a file of the host into the guest (repeatable; keeps its mode)
#     -t SECONDS     time limit (default 180)
#     -s TREE        process 1 is the systemd of this tree, which is the guest's root in place of the host's / (or is that); there
#                    is AppArmor, the script is a service, and no module of a tunnel is loaded before
#     -c CPU         the host's processor that the guest runs on (default: the one this script happens to be on)
#     -o DIR         keep what the guest writes to $OUT in this directory (default: a temporary one, removed)
#     -v             show the kernel's log at the end
#
# The guest's root is a throw-away overlay on the host's own /, which it sees read-only; $OUT is the only directory
# that is the same on both sides. The repository ($REPO), what scripts/build-guests.sh and scripts/package.sh made
# ($GUEST_BUILD, $PACKAGES) and the cache of scripts/setup.sh are there as well, read-only. /etc/ppp, /tmp, /var/tmp,
# /run and /var/log are empty. The script's output and exit status are ours; further statuses: 124 the time limit was
# hit, 125 the guest ended without telling a status (its kernel's log is shown), 126 the guest could not be set up.
set -u
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
repo=$(cd "$here/../.." && pwd)
usage() { sed -n '2,/^set -u/{/^set -u/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2; exit 2; }

memory=512M load="ipv6 veth tun ppp_generic ppp_async ppp_synctty ppp_mppe pppox gre pptp" hold="" limit=180
out="" keep=no show_log=no environment=() files=() processor="" tree=/ systemd=no security=()
while getopts "m:l:w:e:f:t:s:c:o:v" option; do
  case $option in
    m) memory=$OPTARG ;;
    l) load=$OPTARG ;;
    w) hold="$hold $OPTARG" ;;
    e) environment+=("$OPTARG") ;;
    f) files+=("$OPTARG") ;;
    t) limit=$OPTARG ;;
    s) tree=$OPTARG systemd=yes load="ipv6 veth" security=(security=apparmor apparmor=1) ;;
    c) processor=$OPTARG ;;
    o) out=$OPTARG keep=yes ;;
    v) show_log=yes ;;
    *) usage ;;
  esac
done
shift $((OPTIND - 1))
[ $# -ge 1 ] || usage

cache=${PPTP_RS_CACHE:-/var/cache/pptp-rs}
kernel=${UML_KERNEL:-/usr/bin/linux.uml}
modules=${UML_MODULES:-/usr/lib/uml/modules}
build=${GUEST_BUILD:-$repo/target/guest}
packages=$(readlink -m "${PACKAGES:-$repo/target/packages}")
shim=${UML_SHIM:-$cache/uml_xstate.so}
[ $systemd = no ] || service_manager=$tree/lib/systemd/systemd
for needed in "$kernel" "$modules" "$shim" ${service_manager:+"$service_manager"} "$1"; do
  [ -e "$needed" ] || { echo "run.sh: $needed is missing (make setup installs what the guests need)" >&2; exit 126; }
done

script=$(readlink -f "$1"); shift
# A short path of its own for UML's socket (108 bytes at most), and for $OUT unless one was given.
private=$(mktemp -d "${TMPDIR:-/tmp}/pptp-vm.XXXXXX") || exit 126
if [ -z "$out" ]; then out=$private/out; fi
mkdir -p "$out" "$private/uml" && out=$(readlink -f "$out")
rm -f "$out/status" "$out/boot.log"

declare -p load hold files modules script out repo cache build packages limit tree systemd > "$private/parameters"
{
  echo '#!/bin/bash'
  for assignment in ${environment[@]+"${environment[@]}"}; do printf 'export %q\n' "$assignment"; done
  printf 'export OUT=%q REPO=%q PPTP_RS_CACHE=%q GUEST_BUILD=%q PACKAGES=%q\ncd /tmp\n' "$out" "$repo" "$cache" "$build" "$packages"
  if [ -x "$script" ]; then printf 'exec'; else printf 'exec /bin/bash'; fi
  # init.sh copies a script from elsewhere, whose directory the guest may not see.
  case $script in "$repo"/*) printf ' %q' "$script" "$@" ;; *) printf ' %q' /run/guest-script "$@" ;; esac
  echo
} > "$private/command"

uml=
finish() {
  [ -z "$uml" ] || { kill -KILL -- "-$uml"; wait "$uml"; } 2>/dev/null
  rm -rf "$private"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# A guest switches between its kernel and its processes all the time. Where the two run on different processors of the
# host, each switch costs several times as much, and how long things take is up to the host's scheduler.
if [ -z "$processor" ]; then
  stat=$(< /proc/$$/stat)
  read -r -a fields <<< "${stat##*) }"
  processor=${fields[36]}
fi

# Descriptor 3 is the guest's first serial line, which carries the script's output; 1 and 2 carry the kernel's log.
# setsid: a process group of its own, which is what finish() ends.
exec 3>&1
LD_PRELOAD=$shim setsid taskset -c "$processor" "$kernel" mem="$memory" \
  rootfstype=hostfs rootflags=/ ro init="$here/init.sh" \
  GUEST_PARAMETERS="$private" uml_dir="$private/uml" umid=guest con=null con0=null,fd:1 ssl=null ssl0=null,fd:3 \
  quiet loglevel=5 ${security[@]+"${security[@]}"} > "$out/boot.log" 2>&1 < /dev/null &
uml=$!

status=125 deadline=$((SECONDS + limit))
while kill -0 "$uml" 2>/dev/null; do
  [ ! -s "$out/status" ] || break
  [ "$SECONDS" -lt "$deadline" ] || { status=124; break; }
  sleep 0.05
done
# The last bytes of output pass before the kernel stops, so it is given the time to stop by itself.
for _ in {1..40}; do
  [ "$status" != 124 ] && kill -0 "$uml" 2>/dev/null || break
  sleep 0.05
done
if [ "$status" != 124 ] && [ -s "$out/status" ]; then status=$(cat "$out/status"); fi

if [ "$show_log" = yes ]; then cat "$out/boot.log" >&2
elif [ "$status" = 125 ]; then tail -n 30 "$out/boot.log" >&2; fi
case $status in
  124) echo "run.sh: the guest was stopped after $limit s (time limit)" >&2 ;;
  125) echo "run.sh: the guest ended without an exit status" >&2 ;;
esac
[ "$keep" = yes ] && rm -f "$out/status"
exit "$status"
