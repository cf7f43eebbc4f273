# Completion of pptp-rsctl's command line for bash: /usr/share/bash-completion/completions/pptp-rsctl. It needs nothing but bash.

# Numbers, users or clients of the calls that a server has, one a line; nothing without one, or for who may not ask it.
_pptp_rsctl_sessions() {
  pptp-rsctl --json "${socket[@]}" sessions 2> /dev/null | grep -Eo "\"$1\":(\"[^\"\\]*\"|[0-9]+)" | sed 's/^[^:]*://; s/"//g' | sort -u
}

# Interfaces of the tunnels that this machine's clients have.
_pptp_rsctl_tunnels() {
  pptp-rsctl --json tunnels 2> /dev/null | grep -Eo '"interface":"[^"\\]*"' | sed 's/^[^:]*://; s/"//g' | sort -u
}

# Of its input's lines those that begin with this word, as a shell has to have them. The word list of compgen will not do: it is a
# shell's text, and what a user calls himself may be a command in it.
_pptp_rsctl_begun() {
  local choice
  while read -r choice; do
    [[ -z $choice || $choice != "$1"* ]] || printf '%q\n' "$choice"
  done
}

_pptp_rsctl() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words=() socket=() choices='' names='' i
  COMPREPLY=()
  # The words of the command without options, and the server that is asked.
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      -s | --socket) socket=(--socket "${COMP_WORDS[++i]-}") ;;
      --number | --from | --option-file | --timeout) ((++i)) ;;
      -*) ;;
      *) words+=("${COMP_WORDS[i]}") ;;
    esac
  done
  case $before in
    -s | --socket | --option-file)
      compopt -o filenames 2> /dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      return
      ;;
    --number | --from | --timeout) return ;;
  esac
  case ${words[*]} in
    '') choices='sessions show stats disconnect call tunnels' ;;
    show | 'disconnect session') names=$(_pptp_rsctl_sessions id) ;;
    disconnect) choices='session address user' names=$(_pptp_rsctl_sessions id) ;;
    'disconnect address') names=$(_pptp_rsctl_sessions client; _pptp_rsctl_sessions remote) ;;
    'disconnect user') names=$(_pptp_rsctl_sessions user) ;;
    tunnels) names=$(_pptp_rsctl_tunnels) ;;
  esac
  if [[ $word == -* ]]; then
    choices='--json --socket --help --version' names=''
    [ "${words[0]-}" != call ] || choices="$choices --number --from --option-file --timeout"
  fi
  mapfile -t COMPREPLY < <(_pptp_rsctl_begun "$word" <<< "${choices// /$'\n'}"$'\n'"$names")
}

complete -F _pptp_rsctl pptp-rsctl
