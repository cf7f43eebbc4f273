# release-env.sh - to be sourced before a release build: what makes it the same bytes wherever it is done.
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
  export CFLAGS="${CFLAGS:+$CFLAGS }-ffile-prefix-map=$repo=/pptp-rs"
}
export SOURCE_DATE_EPOCH
remap_paths
