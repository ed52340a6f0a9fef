#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Trees, uploads and mirrors: what no run needs goes, what one needs stays or is fetched again.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

LIB=$TEST_TMP/root/var/lib/runbookd
setup_project demo
settings() { reconfigure "[Daemon]" "MaxRunning=4" "[Retention]" "$@"; }
start_daemon "[Daemon]" "MaxRunning=4" "[Retention]" "TreeCount=2" "UploadCount=1" || finish
ctl() { "$BIN/runbookctl" "$@"; }
has() { [ -d "$LIB/trees/demo/$1" ]; }
gone() { ! has "$1"; }
commit_of() { api "runs/$1" | jq -r .commit; }
one() { # EXIT-CODE
    local run
    run=$(printf '# %s\nglobal: {network: none}\nsteps: [{name: s, command: "exit %s"}]\n' "$RANDOM$RANDOM" "$1" | push_run demo)
    wait_run "$run" >/dev/null
    echo "$run"
}

runs=() commits=()
for _ in 1 2 3 4; do
    runs+=("$(one 1)")
    commits+=("$(commit_of "${runs[-1]}")")
done
check "gc" ctl gc
check "of four trees the oldest goes" wait_for 20 gone "${commits[0]}"
ctl gc >/dev/null
check "and the second" wait_for 20 gone "${commits[1]}"
check "the newest stays" has "${commits[3]}"
check "its run stays" ctl show "${runs[0]}"
check_status "a step of it is not retried without its files" 5 ctl retry "${runs[0]}" s
check_match "and the sentence says what helps" 'were removed by retention: retry the whole run' "$(ctl retry "${runs[0]}" s 2>&1)"
again=$(ctl --json retry "${runs[0]}" | jq .run)
check_equal "the whole run is: its commit is fetched again" failed "$(wait_run "$again")"
check_equal "the same commit" "${commits[0]}" "$(commit_of "$again")"
check "a step of the first one, too, now" ctl retry "${runs[0]}" s
check_equal "to its end" failed "$(wait_run "${runs[0]}")"

# ---- what runs, and what is pinned ----
check "a run is pinned" ctl pin "${runs[3]}"
# a view goes with its tree: the same commit is there again, with the references of today
git -C "$TEST_TMP/repos/demo" push -q origin HEAD:refs/heads/other
again=$(ctl --json retry "${runs[1]}" | jq .run)
check_equal "the second one is fetched again, beside a new branch" failed "$(wait_run "$again")"
check "its files are there" has "${commits[1]}"
check_status "a step of the second one is not retried with other references" 5 ctl retry "${runs[1]}" s
check "that of the new run is" ctl retry "$again" s
check_equal "to its end" failed "$(wait_run "$again")"
long=$(printf '# %s\nglobal: {network: none}\nsteps: [{name: s, command: "while [ ! -e go ]; do sleep 0.2; done"}]\n' "$RANDOM$RANDOM" | push_run demo)
check "a run runs" wait_for 60 sh -c "[ \"\$('$BIN/runbookctl' --json show $long | jq -r .state)\" = running ]"
settings "TreeAge=1s"
sleep 1.2
for _ in 1 2 3; do ctl gc >/dev/null; done
check "trees of what ended go by age" wait_for 30 gone "${commits[0]}"
check "not that of a run that runs" has "$(commit_of "$long")"
check "nor that of one that is pinned" has "${commits[3]}"
check "cancel" ctl cancel "$long"
check_equal "it ends" cancelled "$(wait_run "$long")"
check "then its tree goes, too" wait_for 60 gone "$(commit_of "$long")"

# ---- a tree goes with its last run ----
settings "Count=1"
last=$(one 1) newest=$(one 0)
for _ in 1 2; do ctl gc >/dev/null; done
check_status "the run goes" 3 ctl show "$last"
check "its tree goes with it" wait_for 30 sh -c "[ \"\$(ls '$LIB/trees/demo' | grep -cxE '[0-9a-f]{40}')\" -le 3 ]"
check "that of the last success stays" has "$(commit_of "$newest")"

# ---- a branch that the remote does not have any more ----
git -C "$TEST_TMP/repos/demo" push -q origin HEAD:refs/heads/feature
feature=$(ctl trigger demo --ref feature --json | jq .run)
check_equal "a success of another branch" succeeded "$(wait_run "$feature")"
one 1 >/dev/null
settings "Count=1" "MirrorAge=1s"
# shellcheck disable=SC2317  # called by wait_for
removed() { sleep 0.3; ctl gc >/dev/null; ! ctl show "$1" >/dev/null 2>&1; }
sleep 1.2
for _ in 1 2 3; do ctl gc >/dev/null; done
check "the last success of a branch stays" ctl show "$feature"
git -C "$TEST_TMP/repos/demo" push -q origin :refs/heads/feature
check "as long as it is not known that the branch is gone" ctl show "$feature"
one 1 >/dev/null
check "it goes when the remote does not have the branch any more" wait_for 60 removed "$feature"
check "that of a branch that exists stays" ctl show "$newest"

# ---- the mirror ----
old=$(one 1)
lost=$(commit_of "$old")
git -C "$TEST_TMP/repos/demo" reset -q --hard HEAD~1
git -C "$TEST_TMP/repos/demo" push -qf origin HEAD:main
one 1 >/dev/null
one 1 >/dev/null
settings "Count=1" "TreeAge=1s" "MirrorAge=1s"
# shellcheck disable=SC2317  # called by wait_for
forgotten() { ctl gc >/dev/null; ! git -C "$LIB/repos/demo.git" cat-file -e "$lost" 2>/dev/null; }
git config --global --get-all safe.directory >/dev/null 2>&1 || :
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
check "a commit that no branch and no kept run reaches leaves the mirror" wait_for 60 forgotten
check "what a kept run has stays" git -C "$LIB/repos/demo.git" cat-file -e "$(commit_of "$newest")"
check_equal "and runs go on" succeeded "$(run_state "$(one 0)")"
