#!/bin/sh
# Runs with the address sanitizer what asks the kernel for something (pptp-io), and the server as a process. The sanitizer is an
# unstable option of the compiler, hence RUSTC_BOOTSTRAP. With "build" as argument, all is only compiled.
set -eu
cd "$(dirname "$0")/.."

target=$(rustc -vV | sed -n 's/^host: //p')
[ -n "$(find "$(rustc --print target-libdir)" -name 'librustc*asan.*' 2>/dev/null)" ] || {
    echo "sanitize: this compiler has no address sanitizer; rustup's has" >&2
    exit 1
}
export RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address" CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}/sanitized"
# What is freed is kept for a while, to see who uses it; the tests that look at the server's memory allow for that.
export ASAN_OPTIONS=quarantine_size_mb=4:detect_stack_use_after_return=1 PPTP_RSD_ROOM=32768
# Where addresses are very random the sanitizer finds no place for itself.
only=
[ "${1-}" != build ] || only=--no-run
setarch --addr-no-randomize cargo test $only --target "$target" --package pptp-io --lib
setarch --addr-no-randomize cargo test $only --target "$target" --package pptp-rsd --test daemon
