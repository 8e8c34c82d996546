# Completion for bash. Commands, options and their values are as the program's own --help has them, addresses and services as
# the running daemon has them.
# shellcheck shell=bash

_cosmolet_subjects() {
  "$1" status 2>/dev/null | awk 'at { print $1; split(substr($0, at), words, " "); n = split(words[1], names, ","); }
    at { for (i = 1; i <= n; i++) if (names[i] ~ /\//) print names[i] }
    $1 == "ADDRESS" { at = index($0, "SERVICE") }'
}

_cosmolet() {
  local line=${COMP_LINE:0:COMP_POINT} words usage options candidates=''
  read -ra words <<<"$line"
  local current=${line##*[[:space:]]} count=${#words[@]}
  [ -z "$current" ] || count=$((count - 1))  # of the words before the current one
  local previous=${words[count - 1]}
  if [[ $current == --*=* ]]; then
    previous=${current%%=*} current=${current#*=}
  fi

  COMPREPLY=()
  if [ "$count" -le 1 ]; then
    candidates="$("$1" --help 2>/dev/null | sed -n 's/^  [^ ]* \([a-z]*\) .*/\1/p') --help --version"
  else
    usage=$("$1" "${words[1]}" --help 2>/dev/null | sed -n '1s/^usage: [^ ]* [^ ]* *//p')
    options=$(grep -oE -- '(^|[^a-zA-Z])--?[a-z][a-z-]*' <<<"$usage" | grep -oE -- '-.*')
    case $previous in
      --config) candidates=FILE ;;
      --http) return ;;
      -o | --output) candidates=$(sed -n 's/.*-o \([a-z|]*\).*/\1/p' <<<"$usage" | tr '|' ' ') ;;
      *)
        if [[ $current == -* ]]; then
          candidates="$options --help"
        elif [[ $usage == *NAMESPACE/NAME* ]]; then
          candidates=$(_cosmolet_subjects "$1")
        elif [[ $usage == '[FILE '* ]]; then
          candidates=FILE
        else
          candidates=$options
        fi
        ;;
    esac
  fi
  if [ "$candidates" = FILE ]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
    return
  fi
  mapfile -t COMPREPLY < <(compgen -W "$candidates" -- "$current")
  # Bash takes what follows a colon for a word of its own.
  [[ $COMP_WORDBREAKS != *:* ]] || COMPREPLY=("${COMPREPLY[@]#"${current%"${current##*:}"}"}")
}

complete -F _cosmolet cosmolet
