# release-env.sh - to be sourced before a release build: what makes it the same bytes wherever it is done, and how all scripts do it.
#
# The date is the last commit's (in a tarball made by `git archive`: its files'); paths of this machine become names of their own.
repo=${repo:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$repo" log -1 --format=%ct 2> /dev/null || stat -c %Y "$repo/Cargo.toml")}

# cargo and rustc want it with ASCII 31 between arguments: paths may have blanks in them.
remap_paths() {
  local cargo=${CARGO_HOME:-$HOME/.cargo} separator=$'\x1f' flags
  flags=${CARGO_ENCODED_RUSTFLAGS-${RUSTFLAGS:+${RUSTFLAGS// /$separator}}}
  case $flags in *--remap-path-prefix=*) return ;; esac
  flags=${flags:+$flags$separator}--remap-path-prefix=$cargo=/cargo$separator--remap-path-prefix=$repo=/pptp-rs
  export CARGO_ENCODED_RUSTFLAGS=$flags
}
export SOURCE_DATE_EPOCH
remap_paths

installed_programs=(pptp-rsd pptp-rsctl pptp-rs-setup pptp)
target=${CARGO_TARGET_DIR:-$repo/target}

# pppd's versions below a root directory that has its headers
pppd_versions() {
  local directory
  [ -e "${1%/}/usr/include/pppd/pppd.h" ] || return 0
  for directory in "${1%/}"/usr/lib/pppd/[0-9]*; do
    [ ! -d "$directory" ] || echo "${directory##*/}"
  done
}

# target_for ROOT: a target directory for each root directory: pppd's headers are an input that cargo would rebuild for, each time
target_for() {
  local name=${1%/}
  echo "$target${name:+/${name##*/}}"
}

# begin_with_first ROOT: what is compiled there for the first time begins with what was compiled for this machine, so that only what
# depends on the headers is compiled again
begin_with_first() {
  local into
  into=$(target_for "$1")
  [ ! -d "$into/release" ] && [ -d "$target/release" ] || return 0
  rm -rf "$into/begun"
  mkdir -p "$into"
  cp -a --reflink=auto "$target/release" "$into/begun"
  mv "$into/begun" "$into/release"
}

# build_for INCLUDES TARGET ARGUMENTS...: the plugin for the headers in this directory, and what the arguments name. Always with these
# packages: with others cargo may build anew what they use, because its features differ.
build_for() {
  PPPD_INCLUDE_DIR=$1 CARGO_TARGET_DIR=$2 cargo build --release --package=pptp-rs --package=pptp-rsd --package=pptp-setup \
    --package=pptp-command --lib "${@:3}"
}
# build_here INCLUDES ARGUMENTS...: that, and all programs
build_here() { build_for "$1" "$target" "${installed_programs[@]/#/--bin=}" "${@:2}"; }
