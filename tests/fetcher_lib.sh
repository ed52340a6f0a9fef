# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Functions for the tests of the fetcher; to be sourced after lib.sh.
# shellcheck disable=SC2034
TREES=$TEST_TMP/root/var/lib/runbookd/trees
MIRRORS=$TEST_TMP/root/var/lib/runbookd/repos
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
export GIT_AUTHOR_NAME="Ann Ö" GIT_AUTHOR_EMAIL=ann@example.com
export GIT_COMMITTER_NAME="Ann Ö" GIT_COMMITTER_EMAIL=ann@example.com

# fetch [driver options] REQUEST...: print the replies, one JSON line each
fetch() {
    python3 "$TESTS_DIR/fetcher_driver.py" --root "$TEST_TMP/root" "$@" 2>>"$TEST_TMP/fetcher.log"
}

# check_fetch "description" OUTCOME [driver options] REQUEST...
check_fetch() {
    local description=$1 wanted=$2
    shift 2
    check_equal "$description" "$wanted" "$(fetch --print outcome "$@")"
}

# check_error "description" REGEX [driver options] REQUEST: the reply's error matches
check_error() {
    local description=$1 wanted=$2
    shift 2
    check_match "$description" "$wanted" "$(fetch --print error "$@")"
}

# sample_repository DIR: make work tree DIR/work and bare DIR/a.git with main, feature/x and tag v1
sample_repository() {
    mkdir -p "$1"
    git init -q -b main "$1/work"
    (
        cd "$1/work" || exit 1
        printf 'steps:\n  - name: a\n    command: echo hello\n' >runbook.yml
        mkdir -p src/deep
        echo 'int main(void) { return 0; }' >src/deep/main.c
        printf '#!/bin/sh\necho run\n' >run.sh
        chmod 755 run.sh
        ln -s src/deep/main.c link.c
        git add . && git commit -qm "First commit" -m "with a body" && git tag -a -m one v1
        git checkout -q -b feature/x && echo more >more.txt && git add . && git commit -qm "Second"
        git checkout -q main
    )
    git clone -q --bare "$1/work" "$1/a.git"
}

# layers PROJECT COMMIT: print the directories of its tree, topmost first, joined with ":"
layers() {
    local commit=$2 place=$TREES/$1 joined=""
    while [ ! -d "$place/$commit" ] && [ -d "$place/$commit.diff/top" ]; do
        joined+=$place/$commit.diff/top:
        commit=$(readlink "$place/$commit.diff/lower")
    done
    echo "$joined$place/$commit"
}

# in_view PROJECT COMMIT VIEW command...: run a command in the tree, with the view over it and the
# objects (the view's own, or the mirror's) at the path that a sandbox gives them
in_view() {
    local tree view=$TREES/$1/$2.views/$3 objects=$MIRRORS/$1.git/objects
    tree=$(layers "$1" "$2")
    [ ! -d "$view/objects" ] || objects=$view/objects
    shift 3
    # shellcheck disable=SC2016
    unshare -m --propagation private bash -c '
        mount -t tmpfs tmpfs /run && mkdir -p /run/runbookd/mirror/objects /run/up /run/work /run/tree &&
        mount --bind -o ro "$1" /run/runbookd/mirror/objects &&
        mount -t overlay -o "lowerdir=$3/top:$2,upperdir=/run/up,workdir=/run/work" overlay /run/tree &&
        cd /run/tree && shift 3 && "$@"' - "$objects" "$tree" "$view" "$@"
}

# in_sandbox PROJECT COMMIT command...: the same, with the newest view
in_sandbox() {
    local project=$1 commit=$2
    shift 2
    # shellcheck disable=SC2012
    in_view "$project" "$commit" "$(ls -t "$TREES/$project/$commit.views" | head -n 1)" "$@"
}

# start_forge DIRECTORY: start a forge; sets FORGE, its URL up to the mood
start_forge() {
    python3 "$TESTS_DIR/fetcher_forge.py" "$1" "$TEST_TMP/port" >"$TEST_TMP/forge.log" 2>&1 &
    FORGE_PID=$!
    defer 'kill "$FORGE_PID" 2>/dev/null; wait "$FORGE_PID" 2>/dev/null'
    wait_for 20 test -e "$TEST_TMP/port" || failed "the test's forge did not start"
    FORGE=http://127.0.0.1:$(cat "$TEST_TMP/port")
}

# forge_requests: print how many requests the forge has had
forge_requests() { curl -s "$FORGE/count"; }
