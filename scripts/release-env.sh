# release-env.sh - to be sourced before a release build: what makes it the same bytes wherever it is done, and the programs of it.
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

# The members of the workspace whose programs are installed. Always built with one command: with another one cargo may build them
# anew, because the features of what they use differ.
build_programs() {
  local crate crates=()
  for crate in pptp-rsd pptp-setup pptp-command; do
    [ ! -d "$repo/crates/$crate" ] || crates+=("--package=$crate")
  done
  cargo build --release --quiet --bins "${crates[@]}"
}
