#!/bin/bash
# fuzz.sh - run every fuzz target for FUZZ_SECONDS (60) seconds, beginning with the packets in fuzz/seeds; FUZZ_JOBS at a time
# (as many as there are processors). Fails on a finding.
#
# FUZZ_TARGETS: only these targets. FUZZ_SANITIZER: address or none. Without it the address sanitizer is used if this
# compiler can build it and the result runs; it is an unstable option, hence RUSTC_BOOTSTRAP.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
seconds=${FUZZ_SECONDS:-60} jobs=${FUZZ_JOBS:-$(nproc)}

say() { echo "fuzz: $*"; }
need() { command -v "$1" > /dev/null || { say "$1 is missing: $2" >&2; exit 1; }; }

# cargo_fuzz COMMAND SANITIZER ARGS...
cargo_fuzz() {
  [ "$2" = none ] || local -x RUSTC_BOOTSTRAP=1
  cargo fuzz "$1" --sanitizer "$2" "${@:3}"
}

# A sanitizer can build and still not start, for example where address space is limited.
starts() {
  local seeds=(fuzz/seeds/"$2"/*)
  cargo_fuzz run "$1" "$2" "${seeds[0]}"
}
# choose_sanitizer TARGET
choose_sanitizer() {
  if cargo_fuzz build address > "$logs/build" 2>&1 && starts address "$1" > "$logs/build" 2>&1; then
    echo address
  else
    say "the address sanitizer is not possible here, going on without:" >&2
    tail -n 5 "$logs/build" >&2
    echo none
  fi
}

# fuzz TARGET
fuzz() {
  mkdir -p "fuzz/corpus/$1"
  cp fuzz/seeds/"$1"/* "fuzz/corpus/$1/"
  cargo_fuzz run "$sanitizer" "$1" -- -max_total_time="$seconds" -max_len=2048 -timeout=30 -rss_limit_mb=1024 -print_final_stats=1
}

# The targets that run, by the ids of their process groups; and what has been found.
declare -A running=()
failed=()
begin() {
  say "$1, $seconds s, sanitizer $sanitizer"
  fuzz "$1" > "$logs/$1" 2>&1 < /dev/null &
  running[$!]=$1
}
# end_one: waits for any of them and tells how it went
end_one() {
  local group target status=0
  wait -n -p group "${!running[@]}" || status=$?
  target=${running[$group]}
  unset "running[$group]"
  if [ $status = 0 ]; then
    say "$target: nothing found"
    grep -E 'DONE|number_of_executed_units|peak_rss_mb' "$logs/$target"
  else
    say "$target: status $status"
    cat "$logs/$target"
    failed+=("$target")
  fi
}
finish() {
  local group
  for group in "${!running[@]}"; do kill -KILL -- "-$group"; done
  rm -rf "$logs"
}

need cargo "install Rust 1.85 or newer (rustup on Debian 12, apt on Debian 13)"
need c++ "install g++"
if ! cargo fuzz --version > /dev/null 2>&1; then
  say "installing cargo-fuzz"
  cargo install cargo-fuzz --locked
fi

logs=$(mktemp -d)
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
list=${FUZZ_TARGETS:-$(cargo fuzz list)}
read -r -a targets <<< "${list//$'\n'/ }"
[ ${#targets[@]} -gt 0 ] || { say "there are no targets" >&2; exit 1; }
sanitizer=${FUZZ_SANITIZER:-$(choose_sanitizer "${targets[0]}")}
cargo_fuzz build "$sanitizer"

# Each in a process group of its own, which is what finish() ends.
set -m
for target in "${targets[@]}"; do
  [ ${#running[@]} -lt "$jobs" ] || end_one
  begin "$target"
done
while [ ${#running[@]} -gt 0 ]; do end_one; done

if [ ${#failed[@]} -gt 0 ]; then
  say "findings in: ${failed[*]} (the inputs are in fuzz/artifacts)" >&2
  exit 1
fi
say "no finding"
