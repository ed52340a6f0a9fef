# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Bash completion for runbookctl. Commands and options come from "runbookctl --help", so they
# are always those of the installed version; runs and projects come from the running daemon.

_runbookctl_commands() {
    runbookctl --help 2>/dev/null |
        sed -nE 's/^  ([a-z]+)( [a-z]+)? .*/\1\2/p'
}

_runbookctl_values() {
    case $1 in
    --format) echo text dot svg ;;
    --provider) echo github gitlab gitea forgejo bitbucket standard ;;
    esac
}

_runbookctl_arguments() {
    case $1 in
    show | logs | cancel | retry | pin | unpin | "artifacts ls" | "artifacts get" | "artifacts put" | graph)
        runbookctl runs -n 20 2>/dev/null | awk 'NR > 1 { print $1 }'
        ;;
    trigger | runs | "project show" | "project rm" | "project pause" | "project unpause" | "secret set" | "secret ls" | "secret rm")
        runbookctl project ls 2>/dev/null | awk 'NR > 1 { print $1 }'
        ;;
    esac
}

_runbookctl() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words=() word candidates command
    COMPREPLY=()
    case $prev in
    --root | --secret-file | --password-file | --ssh-key-file | --known-hosts-file | --workspace)
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
        ;;
    esac
    candidates=$(_runbookctl_values "$prev")
    if [ -z "$candidates" ]; then
        for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
            [[ $word == -* ]] || words+=("$word")
        done
        command=${words[0]:-}
        case $command in
        artifacts | project | image | secret)
            [ "${#words[@]}" -lt 2 ] || command="$command ${words[1]}"
            ;;
        esac
        if [ "${#words[@]}" = 0 ]; then
            candidates="$(_runbookctl_commands | cut -d' ' -f1) --root --json --no-color --help --version"
        elif [[ " artifacts project image secret " == *" $command "* ]]; then
            candidates=$(_runbookctl_commands | sed -n "s/^$command //p")
        elif [[ $cur == -* ]]; then
            # shellcheck disable=SC2086  # the command may be two words
            candidates=$(runbookctl $command --help 2>/dev/null | grep -oE -- '^ +(-[a-z], )?--[a-z-]+' |
                grep -oE -- '--[a-z-]+')
        else
            candidates=$(_runbookctl_arguments "$command")
            case $command in
            run | validate | graph | backup | restore | "artifacts put") mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
            esac
        fi
    fi
    mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$candidates" -- "$cur")
}
complete -o filenames -F _runbookctl runbookctl
