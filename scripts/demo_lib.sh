# demo_lib.sh - how both demos show what happens, as it would look in a terminal; the one that sources this has `on END COMMAND...`

say() { printf '%s\n' "$@"; }
indented() { sed 's/^./  &/'; }
# typed END TEXT
typed() { say "" "  $1\$ ${*:2}"; }
# shown END COMMAND...: with its output
shown() {
  typed "$@"
  on "$@" 2>&1 | indented
  return "${PIPESTATUS[0]}"
}
# news FILE: its lines that have not been shown yet
declare -A told=()
news() {
  local lines
  mapfile -t lines < "$1"
  printf '  %s\n' "${lines[@]:${told[$1]:-0}}"
  told[$1]=${#lines[@]}
}
