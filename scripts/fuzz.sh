#!/bin/sh
# Runs every fuzz target for FUZZ_SECONDS (60) seconds, beginning with the packets in fuzz/seeds. Fails on a finding.
#
# FUZZ_TARGETS: only these targets. FUZZ_SANITIZER: address or none. Without it the address sanitizer is used if this
# compiler can build it and the result runs; it is an unstable option, hence RUSTC_BOOTSTRAP.
set -eu
cd "$(dirname "$0")/.."

seconds=${FUZZ_SECONDS:-60}

say() {
    echo "fuzz: $*"
}

need() {
    command -v "$1" >/dev/null 2>&1 || {
        say "$1 is missing: $2" >&2
        exit 1
    }
}

build() {
    if [ "$1" = none ]; then
        cargo fuzz build -s none
    else
        RUSTC_BOOTSTRAP=1 cargo fuzz build -s "$1"
    fi
}

run() {
    sanitizer=$1
    shift
    if [ "$sanitizer" = none ]; then
        cargo fuzz run -s none "$@"
    else
        RUSTC_BOOTSTRAP=1 cargo fuzz run -s "$sanitizer" "$@"
    fi
}

# A sanitizer can build and still not start, for example where address space is limited.
starts() {
    run "$1" "$2" "$(ls -d fuzz/seeds/"$2"/* | head -n 1)" >"$log" 2>&1
}

choose_sanitizer() {
    if build address >"$log" 2>&1 && starts address "$1"; then
        echo address
    else
        say "the address sanitizer is not possible here, going on without:" >&2
        tail -n 5 "$log" >&2
        echo none
    fi
}

fuzz() {
    mkdir -p "fuzz/corpus/$1"
    cp fuzz/seeds/"$1"/* "fuzz/corpus/$1/"
    run "$sanitizer" "$1" -- -max_total_time="$seconds" -max_len=2048 -timeout=5 -rss_limit_mb=1024 \
        -print_final_stats=1 >"$log" 2>&1
}

need cargo "install Rust 1.85 or newer (rustup on Debian 12, apt on Debian 13)"
need c++ "install g++"
if ! cargo fuzz --version >/dev/null 2>&1; then
    say "installing cargo-fuzz"
    cargo install cargo-fuzz --locked
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
targets=${FUZZ_TARGETS:-$(cargo fuzz list)}
sanitizer=${FUZZ_SANITIZER:-$(choose_sanitizer "$(echo "$targets" | head -n 1)")}
build "$sanitizer"

failed=
for target in $targets; do
    say "$target, $seconds s, sanitizer $sanitizer"
    if fuzz "$target"; then
        grep -E 'DONE|number_of_executed_units|peak_rss_mb' "$log"
    else
        cat "$log"
        failed="$failed $target"
    fi
done

if [ -n "$failed" ]; then
    say "findings in:$failed (the inputs are in fuzz/artifacts)" >&2
    exit 1
fi
say "no finding"
