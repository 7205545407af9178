# Bash completion of coordctl. Installed as bash-completion/completions/coordctl, or:
#
#   source tools/coordctl/completion.bash
#
# Commands and options are what coordctl's own help says. Paths are asked of the cell, if
# COORD_ENDPOINTS is set, for a second at most.

_coordctl_commands() {
    coordctl --help 2>/dev/null | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\( [a-z]\{1,\}\)\{0,1\}\)  .*/\1/p'
}

_coordctl_options() { # of the command in $@
    coordctl "$@" --help 2>/dev/null | grep -oE '^ +(-[a-zA-Z], )?--[a-z-]+' | grep -oE -- '--?[a-zA-Z-]+'
}

_coordctl_paths() { # that begin with $1
    local folder=${1%/*}
    [ -n "${COORD_ENDPOINTS-}" ] || return
    coordctl --deadline 1s ls "${folder:-/}" 2>/dev/null | sed "s|^|${folder}/|"
}

_coordctl() {
    local current=${COMP_WORDS[COMP_CWORD]} command='' second='' commands word i
    commands=$(_coordctl_commands)
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [ -z "$command" ] && grep -qE "^$word( |$)" <<<"$commands"; then
            command=$word
        elif [ -n "$command" ] && grep -qx "$command $word" <<<"$commands"; then
            second=$word
        fi
    done
    COMPREPLY=()
    if [ -z "$command" ] && [[ $current != -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(cut -d ' ' -f 1 <<<"$commands")" -- "$current" | sort -u)
    elif [ -z "$second" ] && ! grep -qx "$command" <<<"$commands" && [[ $current != -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(sed -n "s/^$command //p" <<<"$commands")" -- "$current")
    elif [[ $current == -* ]]; then
        # shellcheck disable=SC2086 # a command may be two words, or none
        mapfile -t COMPREPLY < <(compgen -W "$(_coordctl_options $command $second)" -- "$current")
    elif [[ $current == /* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_coordctl_paths "$current")" -- "$current")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    fi
}

complete -F _coordctl coordctl
