# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by the guest's suites: tests/lib.sh for the installed runbookd instead of one of the
# test's own.
BIN=/usr/bin
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../lib.sh"
# An emulated processor is slow, so poll less often.
wait_for() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.4
    done
}
wait_run() {
    local deadline=$((SECONDS + ${2:-60})) state
    until state=$(run_state "$1") && [[ $state =~ ^(succeeded|failed|errored|cancelled)$ ]]; do
        [ "$SECONDS" -lt "$deadline" ] || { state="still $state"; break; }
        sleep 0.4
    done
    echo "$state"
}

API_SOCK=/run/runbookd/api.sock
WEBHOOK_URL=http://127.0.0.1:8471
# shellcheck disable=SC2034  # for suites
CONF=/etc/runbookd
REPOS=/srv/repos
mkdir -p $REPOS

# installed_project NAME [line...]: make a repository in /srv and its project file
installed_project() {
    local name=$1
    shift
    make_repository "$REPOS/$name"
    (
        umask 077
        printf '%s\n' "[Project]" "Repository=file://$REPOS/$name.git" "Provider=github" \
            "Secret=secret-$name" "$@" >"$CONF/projects.d/$name.conf"
    )
}

# installed_push NAME: push runbook.yml from standard input, and print the run's number
installed_push() {
    local name=$1 commit answer
    cat >"$REPOS/$name/runbook.yml"
    commit=$(push_commit "$REPOS/$name" "change of $name $RANDOM")
    push_payload "$commit" >"$TEST_TMP/payload.$commit"
    answer=$(deliver "$name" "secret-$name" "$name-$commit" "$TEST_TMP/payload.$commit")
    printf '%s' "$answer" | sed -nE 's/.*"run": ?([0-9]+).* 20[02]$/\1/p' | grep . ||
        { echo "delivery refused: $answer" >&2; return 1; }
}

property() { systemctl show -P "$1" runbookd; }
main_pid() { property MainPID; }
# runbookd's log since this boot
daemon_log() { journalctl -q --no-pager -o cat -u runbookd "$@"; }
service_group() { echo "/sys/fs/cgroup$(property ControlGroup)"; }
# the cgroup of steps
steps_group() { echo "/sys/fs/cgroup$(systemctl show -P ControlGroup runbookd-steps)"; }
