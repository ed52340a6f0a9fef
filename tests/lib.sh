# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by every shell test. Checks count themselves; the exit trap prints
# "N passed, N failed, N skipped" and sets the exit status.
set -u

TESTS_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=$(dirname "$TESTS_DIR")
BIN=${BIN:-$TOP/build/bin}
export TOP BIN

# runbookd prepares the network of steps on its host when it starts: links, addresses, a firewall
# table. For a test, that host is a network namespace without a way out. A test that needs one makes
# it, or sets RBT_NETNS=machine and starts its runbookd elsewhere.
case $0 in
*/integration/* | */breakout/*)
    [ -n "${RBT_NETNS:-}" ] || RBT_NETNS=1 exec unshare --net "$0" "$@"
    [ "$RBT_NETNS" = machine ] || ip link set lo up
    ;;
esac

PASSED=0 FAILED=0 SKIPPED=0
DEFERRED=()
TEST_TMP=$(mktemp -d "${TMPDIR:-/tmp}/rbt.XXXXXX")
chmod 0755 "$TEST_TMP"
export TEST_TMP

# A test that gets a signal must still end what it started.
trap 'finish exit' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# count PASSED|FAILED|SKIPPED: add one. A check at the end of a pipe runs in a subshell, whose
# variables are lost, so it counts in a file.
count() {
    if [ "$BASHPID" = $$ ]; then
        printf -v "$1" %d $((${!1} + 1))
    else
        echo "$1" >>"$TEST_TMP/.counted"
    fi
}
passed() { count PASSED; [ -z "${VERBOSE:-}" ] || echo "ok: $1"; }
failed() { count FAILED; echo "FAILED: $(basename "$0"): $1"; }

# check "description" command...
check() {
    local description=$1 output
    shift
    if output=$("$@" 2>&1); then
        passed "$description"
    else
        failed "$description (exit $?: $*)"
        [ -z "$output" ] || printf '%s\n' "$output" | tail -n 20 | sed 's/^/    | /'
    fi
}

# check_not "description" command...: the command must fail, but not by a signal
check_not() {
    local description=$1 output status=0
    shift
    output=$("$@" 2>&1) || status=$?
    if [ "$status" -gt 0 ] && [ "$status" -lt 126 ]; then
        passed "$description"
    else
        failed "$description (exit $status: $*)"
        [ -z "$output" ] || printf '%s\n' "$output" | tail -n 20 | sed 's/^/    | /'
    fi
}

# check_status "description" STATUS command...
check_status() {
    local description=$1 wanted=$2 output status=0
    shift 2
    output=$("$@" 2>&1) || status=$?
    if [ "$status" = "$wanted" ]; then
        passed "$description"
    else
        failed "$description (exit $status, wanted $wanted: $*)"
        [ -z "$output" ] || printf '%s\n' "$output" | tail -n 20 | sed 's/^/    | /'
    fi
}

check_equal() {
    if [ "$2" = "$3" ]; then
        passed "$1"
    else
        failed "$1"
        printf '    | wanted: %s\n    | got:    %s\n' "$2" "$3" | head -n 40
    fi
}

# check_match "description" EXTENDED-REGEX "text"
check_match() {
    if printf '%s\n' "$3" | grep -Eq -- "$2"; then
        passed "$1"
    else
        failed "$1"
        printf '    | wanted a match of: %s\n    | in: %s\n' "$2" "$3" | head -n 40
    fi
}

# skip "reason": skip a test that this machine cannot run. With CI set this is a failure,
# because there every test must run.
skip() {
    if [ -n "${CI:-}" ]; then
        failed "would be skipped: $1"
    else
        count SKIPPED
        echo "skipped: $1"
    fi
}

# defer 'command': run it at exit, the last one first
defer() { DEFERRED+=("$1"); }

# The factor for all deadlines of tests. A deadline only ends a wait that would fail, so a long
# one costs a successful run nothing, and a slow or busy machine needs it.
PATIENCE=${PATIENCE:-5}

# wait_for SECONDS command...: repeat the command until it succeeds
wait_for() {
    local deadline=$((SECONDS + $1 * PATIENCE))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.05
    done
}

finish() {
    local status=$? i limit=126 counter
    [ "${1:-}" != exit ] || limit=1
    trap - EXIT INT TERM
    for ((i = ${#DEFERRED[@]} - 1; i >= 0; i--)); do
        eval "${DEFERRED[$i]}"
    done
    while read -r counter; do count "$counter"; done < <(cat "$TEST_TMP/.counted" 2>/dev/null)
    [ -n "${KEEP_TMP:-}" ] || rm -rf --one-file-system "$TEST_TMP"
    # a script that an error ended has not made all of its checks
    [ "$status" -lt $limit ] || { FAILED=$((FAILED + 1)); echo "FAILED: $(basename "$0"): ended by status $status"; }
    [ $((PASSED + FAILED + SKIPPED)) -gt 0 ] || { FAILED=1; echo "FAILED: $(basename "$0"): no check ran (status $status)"; }
    echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
    [ "$FAILED" = 0 ] || exit 1
    exit 0
}

# ---- a daemon of the test's own ----

# start_daemon [configuration line...]: start it in $TEST_TMP/root; sets DAEMON_PID,
# API_SOCK and WEBHOOK_URL. Limits are best effort: a test host may lack controllers.
start_daemon() {
    local root=$TEST_TMP/root
    mkdir -p "$root/etc/runbookd/runbookd.conf.d" "$root/etc/runbookd/projects.d"
    chmod 0755 "$root" "$root/etc" "$root/etc/runbookd"
    [ -e "$root/etc/runbookd/runbookd.conf" ] || printf '%s\n' "[Daemon]" "Limits=best-effort" \
        "[Webhook]" "Listen=127.0.0.1:0" "[Api]" "Listen=none" >"$root/etc/runbookd/runbookd.conf"
    if [ $# -gt 0 ]; then
        printf '%s\n' "$@" >"$root/etc/runbookd/runbookd.conf.d/test.conf"
    fi
    # shellcheck disable=SC2034  # for the test that sourced us
    API_SOCK=$root/run/runbookd/api.sock
    rm -f "$TEST_TMP/daemon.log"
    "$BIN/runbookd" --root "$root" >"$TEST_TMP/daemon.log" 2>&1 </dev/null &
    DAEMON_PID=$!
    defer stop_daemon
    export RUNBOOK_ROOT=$root
    if ! wait_for "${START_SECONDS:-20}" grep -qx ready "$TEST_TMP/daemon.log"; then
        failed "runbookd did not become ready"
        tail -n 30 "$TEST_TMP/daemon.log" | sed 's/^/    | /'
        return 1
    fi
    # shellcheck disable=SC2034
    WEBHOOK_URL=http://$(head -n 1 "$root/run/runbookd/webhook.address" 2>/dev/null)
}

# reconfigure LINE...: replace the lines of start_daemon, and wait until they are in use
reconfigure() {
    local before
    before=$(configurations)
    printf '%s\n' "$@" >"$TEST_TMP/root/etc/runbookd/runbookd.conf.d/test.conf"
    kill -HUP "$DAEMON_PID"
    check "the new configuration is in use" wait_for 20 configured_since "$before"
}
configurations() { grep -c 'at most .* steps at once' "$TEST_TMP/daemon.log"; }
# shellcheck disable=SC2317  # called by wait_for
configured_since() { [ "$(configurations)" -gt "$1" ]; }

stop_daemon() {
    [ -n "${DAEMON_PID:-}" ] || return 0
    kill -TERM "$DAEMON_PID" 2>/dev/null
    wait_for 20 sh -c "! kill -0 $DAEMON_PID" || kill -KILL "$DAEMON_PID" 2>/dev/null
    wait "$DAEMON_PID" 2>/dev/null
    DAEMON_PID=
}

# add_project NAME URL SECRET [line...]
add_project() {
    local name=$1 url=$2 secret=$3
    shift 3
    (
        umask 077
        printf '%s\n' "[Project]" "Repository=$url" "Provider=github" "Secret=$secret" "$@" \
            >"$TEST_TMP/root/etc/runbookd/projects.d/$name.conf"
    )
}

# make_repository DIR: make a bare repository with an empty first commit, and a work tree
make_repository() {
    git init -q --bare -b main "$1.git"
    git init -q -b main "$1"
    git -C "$1" config user.email test@example.invalid
    git -C "$1" config user.name "Test Author"
    git -C "$1" remote add origin "$1.git"
}

# push_commit DIR MESSAGE: commit everything, push, print the commit
push_commit() {
    git -C "$1" add -A
    git -C "$1" commit -q --allow-empty -m "$2"
    git -C "$1" push -q origin HEAD:main
    git -C "$1" rev-parse HEAD
}

# push_payload COMMIT [REF]: GitHub's payload of a push, reduced to the necessary keys and a few more
push_payload() {
    jq -cnj --arg commit "$1" --arg ref "${2:-refs/heads/main}" '{
        ref: $ref, before: ("0" * 40), after: $commit, deleted: false,
        repository: {id: 1, full_name: "test/demo", clone_url: "http://127.0.0.1/none"},
        pusher: {name: "tester"}, sender: {login: "tester"},
        head_commit: {id: $commit, message: "a change\n\nbody"}, commits: []}'
}

# sign SECRET <body: print its signature, sha256=…
sign() { printf 'sha256=%s' "$(openssl dgst -sha256 -hmac "$1" -r | cut -d' ' -f1)"; }

# deliver PROJECT SECRET DELIVERY-ID BODY-FILE [curl arguments]: prints "BODY STATUS"
deliver() {
    local project=$1 secret=$2 id=$3 body=$4
    shift 4
    curl -sS --max-time 30 -w ' %{http_code}' -H 'Content-Type: application/json' \
        -H 'X-GitHub-Event: push' -H "X-GitHub-Delivery: $id" \
        -H "X-Hub-Signature-256: $(sign "$secret" <"$body")" \
        --data-binary "@$body" "$@" "$WEBHOOK_URL/webhook/$project" | tr -d '\n'
}

api() { curl -sS --max-time 30 --unix-socket "$API_SOCK" "http://runbook/api/v1/$1" "${@:2}"; }
run_state() { api "runs/$1" | jq -r .state; }
# steps_running RUN: print how many of its steps run
steps_running() { api "runs/$1" | jq '[.steps[] | select(.state == "running")] | length'; }
# for wait_for: run_has_running RUN N: do N of its steps run? step_is RUN NAME STATE: is it so?
run_has_running() { [ "$(steps_running "$1")" = "$2" ]; }
step_is() { [ "$(step_field "$1" "$2" state)" = "$3" ]; }
# wait_run RUN [SECONDS]: wait until the run has ended, and print its state
wait_run() {
    local deadline=$((SECONDS + ${2:-60} * PATIENCE)) state
    while :; do
        state=$(run_state "$1" 2>/dev/null)
        case $state in
        succeeded | failed | errored | cancelled) break ;;
        esac
        [ "$SECONDS" -lt "$deadline" ] || { state="still $state"; break; }
        sleep 0.1
    done
    echo "$state"
}

# setup_project NAME [line...]: make a repository in $TEST_TMP/repos and its project
# file, before start_daemon. The secret is "secret-NAME".
setup_project() {
    local name=$1
    shift
    mkdir -p "$TEST_TMP/root/etc/runbookd/projects.d" "$TEST_TMP/repos"
    make_repository "$TEST_TMP/repos/$name"
    add_project "$name" "file://$TEST_TMP/repos/$name.git" "secret-$name" "$@"
}

# push_run NAME [DELIVERY-ID]: commit runbook.yml from standard input, push and deliver
# it, and print the run's number
push_run() {
    local name=$1 id=${2:-} commit answer
    cat >"$TEST_TMP/repos/$name/runbook.yml"
    commit=$(push_commit "$TEST_TMP/repos/$name" "change of $name")
    push_payload "$commit" >"$TEST_TMP/payload.$name.$commit"
    answer=$(deliver "$name" "secret-$name" "${id:-$name-$commit}" "$TEST_TMP/payload.$name.$commit")
    if ! printf '%s' "$answer" | grep -q ' 20[02]$'; then
        echo "delivery refused: $answer" >&2
        return 1
    fi
    printf '%s' "$answer" | sed -nE 's/.*"run": ?([0-9]+).*/\1/p'
}

# step_field RUN NAME FIELD
step_field() { api "runs/$1" | jq -r --arg name "$2" ".steps[] | select(.name == \$name) | .$3"; }
# step_log RUN SLUG
step_log() { api "runs/$1/steps/$2/log"; }

# leftovers: print all that the machine has and a step could leave behind, one thing a line
leftovers() {
    awk '{ print "mount", $1, $5 }' /proc/self/mountinfo
    ip -o link | awk '{ print "link", $1, $2 }'
    find /run/netns -mindepth 1 -printf 'netns %f\n' 2>/dev/null
    find /sys/fs/cgroup -type d -path '*runbookd*' -printf 'cgroup %p\n' 2>/dev/null
    pgrep -x runbook-init | sed 's/^/init /'
}

# check_leftovers "description" SECONDS BEFORE: after SECONDS nothing remains that is not in
# BEFORE, the output of leftovers. Lines of BEFORE may disappear, and new ones that disappear do
# not count: other tests have steps as well, and the kernel removes namespaces with a delay.
check_leftovers() {
    local deadline=$((SECONDS + $2 * PATIENCE)) left
    left=$(comm -13 <(sort <<<"$3") <(leftovers | sort))
    while [ -n "$left" ] && [ "$SECONDS" -lt "$deadline" ]; do
        sleep 0.1
        left=$(comm -12 <(echo "$left") <(leftovers | sort))
    done
    if [ -z "$left" ]; then
        passed "$1"
    else
        failed "$1 (still there after $(($2 * PATIENCE)) s)"
        head -n 40 <<<"$left" | sed 's/^/    | /'
    fi
}
