#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runbookctl reads and changes, against an api that follows the contract or misbehaves.
# runs: beside others
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

export RUNBOOK_ROOT=$TEST_TMP/root LC_ALL=C.UTF-8
CTL=$BIN/runbookctl
NOTES=$TEST_TMP/notes
mkdir -p "$RUNBOOK_ROOT/run/runbookd" "$RUNBOOK_ROOT/etc/runbookd"

check_status "without a daemon status is exit 4" 4 "$CTL" status
check_match "the message about a missing daemon names the fix" "systemctl start runbookd" "$("$CTL" runs 2>&1)"

python3 "$TESTS_DIR/integration/cli_fake_api.py" "$RUNBOOK_ROOT/run/runbookd/api.sock" "$NOTES" \
    >"$TEST_TMP/api.log" 2>&1 &
export API_PID=$!
defer 'kill "$API_PID" 2>/dev/null'
check "the api is up" wait_for 10 grep -qx ready "$TEST_TMP/api.log"

# after a 503 the request is sent again
check_match "status prints the limit" "limit +4 steps at a time" "$("$CTL" status)"
check_equal "the request was sent twice" 2 "$(grep -c /api/v1/status "$NOTES")"
check_equal "status --json has the limit" 4 "$("$CTL" status --json | jq .limit)"

# lists
output=$("$CTL" runs)
check_equal "runs prints 20 runs and the headings" 21 "$(wc -l <<<"$output")"
check_equal "columns are aligned" 1 "$(awk '{print index($0, "push")}' <<<"$output" | tail -n +2 | sort -u | wc -l)"
check_equal "runs collects several pages" 35 "$("$CTL" --json runs -n 35 | jq '.runs | length')"
check_equal "runs --json has the number of the next page" 8 "$("$CTL" --json runs -n 35 | jq .next)"
check_match "project ls prints the project's state" "demo +2 \(paused\) +✗ 42 failed .* https://x/y.git" "$("$CTL" project ls)"
check_match "queue prints a waiting step and its reason" "1 +42 +demo +lint .* project limit 4 reached" "$("$CTL" queue)"
check_match "queue: a step that cannot start has no position" "^- +43 +demo +train .* no host with label gpu" "$("$CTL" queue)"
check_match "queue: steps that are not shown are counted" "^… and 1998 more$" "$("$CTL" queue)"
check_match "queue: the reserved processors and memory of the host are shown" \
    "^2000 waiting, 4 of 4 running, 4.5 of 8 processors promised, 2.0G of 16.0G memory$" "$("$CTL" queue)"

# one run
output=$("$CTL" show 42)
check_match "show: the header has project and state" "Run 42  demo  ✗ failed" "$output"
check_match "control characters of a title are escaped" 'A \\x1b\[31mtitle' "$output"
check_match "show: a failed step has its reason" "✗ +unit tests +failed +1.0s +1 +- +exit code 3" "$output"
check_match "show: a step has its usage of resources" "✓ +build +succeeded .* cpu 12.3s  peak 84.1M  io 12.0M/3.0M" "$output"
check_match "show: a failed step has the end of its log" "\| last words" "$output"
check_status "a missing run is exit 3" 3 "$CTL" show 7
check_match "the message about a missing run is the server's" "runbookctl: there is no such thing \(look again\)" "$("$CTL" show 7 2>&1)"
check_status "a run that is not a number is exit 2" 2 "$CTL" show seven

# logs
check_equal "logs prints the bytes unchanged" "$(printf '\033]0;evil title\007\033[31mred\033[0m text\033[2Jend\r\nlast words')" \
    "$("$CTL" logs 42 "unit tests")"
check_match "logs -t has a line with the container" "^2[0-9-]+T[0-9:.]+Z # container c$" "$("$CTL" logs -t 42 build)"
check_match "logs -t has a line with the result" "^2[0-9-]+T[0-9:.]+Z # succeeded, exit code 0$" "$("$CTL" logs -t 42 build | tail -n 1)"
check_match "logs -t of all steps has the names of the steps" "^unit tests .*\| 2[0-9-]+T[0-9:.]+Z # failed[:,] exit code 3$" "$("$CTL" logs -t 42)"
check_not "logs without -t prints only the output" grep -q '# ' <("$CTL" logs 42 build)
check_match "show: a step has its container" "✗ +unit tests .* exit code 3 \[c\]$" "$output"
check_match "logs -t accepts a slug" "^2026-01-01T00:00:00.000000Z building 30$" "$("$CTL" logs -t 42 build)"
check_match "logs of all steps has the names of the steps" "^unit tests \| last words$" "$("$CTL" logs 42)"
check_equal "logs -f is resumed where the connection broke" "$(seq -f 'building %g' 1 30)" "$("$CTL" logs -f 42 build)"
check_status "a missing step is exit 3" 3 "$CTL" logs 42 nonsense
check_match "the message about a missing step lists the steps" "its steps: build, unit_tests, package" "$("$CTL" logs 42 nonsense 2>&1)"

# graph of a run
check_match "graph: text has states" "✗ unit tests  failed 1.0s  ← build" "$("$CTL" graph 42)"
check_match "graph: svg has states" "<title>unit tests: failed 1.0s</title>" "$("$CTL" graph --format svg 42)"
check_match "graph: dot has the edges" '"build" -> "unit tests";' "$("$CTL" graph --format dot 42)"
check_status "graph: an unknown format is exit 2" 2 "$CTL" graph --format png 42

# artifacts
check_match "artifacts ls prints key, kind and size" "bin/tool +file +5 B" "$("$CTL" artifacts ls 42)"
check "artifacts get writes a file of the key's last part" sh -c "cd '$TEST_TMP' && '$CTL' artifacts get 42 bin/tool && [ \"\$(cat tool)\" = tool ]"
check_equal "artifacts get - prints the content" tool "$("$CTL" artifacts get 42 bin/tool -)"
mkfifo "$TEST_TMP/fifo"
ln -s behind "$TEST_TMP/link"
check_equal "artifacts get writes into a FIFO" tool \
    "$(cat "$TEST_TMP/fifo" & "$CTL" artifacts get 42 bin/tool "$TEST_TMP/fifo"; wait)"
check "artifacts get does not replace a FIFO" test -p "$TEST_TMP/fifo"
"$CTL" artifacts get 42 bin/tool "$TEST_TMP/link"
check_equal "artifacts get follows a symbolic link" tool "$(cat "$TEST_TMP/behind")"
check_status "a missing artifact is exit 3" 3 "$CTL" artifacts get 42 nope
check_status "a key with .. is exit 2" 2 "$CTL" artifacts get 42 ../x

# changes
check_equal "cancel prints the number of steps" "run 42: 1 steps cancelled" "$("$CTL" cancel 42)"
check "cancel of a step sends its slug" sh -c "'$CTL' cancel 42 'unit tests' && grep -q '/cancel.*unit_tests' '$NOTES'"
check_equal "retry prints the new run" "run 43" "$("$CTL" retry 42)"
check_equal "pause prints the project's state" "demo: paused" "$("$CTL" project pause demo)"
check "trigger sends a full ref" sh -c "'$CTL' trigger demo --ref topic && grep -q 'refs/heads/topic' '$NOTES'"
check_status "trigger: an unknown project is exit 3" 3 "$CTL" trigger other
check_status "trigger: an invalid commit is exit 2" 2 "$CTL" trigger demo --commit abc

# projects
output=$("$CTL" project add new --repo https://example.invalid/new.git --max-running 3)
check "project add writes a file" [ -f "$RUNBOOK_ROOT/etc/runbookd/projects.d/new.conf" ]
check_equal "only root may read the project's file" 600 "$(stat -c %a "$RUNBOOK_ROOT/etc/runbookd/projects.d/new.conf")"
check_match "project add prints the secret of the file" \
    "$(sed -n 's/^Secret=//p' "$RUNBOOK_ROOT/etc/runbookd/projects.d/new.conf")" "$output"
check_match "project add prints the webhook's URL" "/webhook/new$" "$(grep URL <<<"$output")"
check_match "the project's file has the options" "^MaxRunning=3$" "$(cat "$RUNBOOK_ROOT/etc/runbookd/projects.d/new.conf")"
check_status "project add of an existing project is exit 5" 5 "$CTL" project add new --repo https://example.invalid/new.git
touch "$NOTES.refuse"
check_status "project add of a file that the daemon refuses is exit 5" 5 "$CTL" project add bad --repo https://example.invalid/bad.git
check_not "a file that the daemon refuses is removed" [ -e "$RUNBOOK_ROOT/etc/runbookd/projects.d/bad.conf" ]
rm "$NOTES.refuse"
check_status "an invalid project name is exit 2" 2 "$CTL" project add ../x --repo https://example.invalid/x.git
check_status "an unknown provider is exit 2" 2 "$CTL" project add x --repo https://example.invalid/x.git --provider sourcehut
check_not "a refused provider leaves no file" test -e "$RUNBOOK_ROOT/etc/runbookd/projects.d/x.conf"
check_status "project add without repository and directory is exit 2" 2 "$CTL" project add x
check "project rm succeeds" "$CTL" project rm new
check_status "project rm of a missing project is exit 3" 3 "$CTL" project rm new

# usage
check_status "an unknown command is exit 2" 2 "$CTL" vaildate
check_match "the message about an unknown command names the nearest" 'did you mean "validate"' "$("$CTL" vaildate 2>&1)"
check_status "an unknown option is exit 2" 2 "$CTL" runs --nope
check_status "a surplus argument is exit 2" 2 "$CTL" status x
check "every command has a help" bash -c '"$0" --help | sed -nE "s/^  ([a-z]+( (ls|get|put|add|show|rm|pull|import|prune|pause|unpause|set|rekey))?) .*/\1/p" |
    while read -r words; do "$0" $words --help >/dev/null </dev/null || exit 1; done' "$CTL"

# completion
complete_words() { # complete_words WORD...: print bash's completions of the last word
    PATH=$BIN:$PATH bash -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _runbookctl
        echo "${COMPREPLY[*]}"' "$TOP/packaging/completion/runbookctl.bash" "$@"
}
check_equal "completion offers a command" "trigger" "$(complete_words runbookctl tr)"
check_equal "completion offers a command's second word" "pause" "$(complete_words runbookctl project pau)"
check_equal "completion offers an option" "--follow" "$(complete_words runbookctl logs --fo)"
check_equal "completion offers an option's value" "svg" "$(complete_words runbookctl graph --format s)"
# the configuration accepts each provider that completion offers
mkdir -p "$TEST_TMP/offered/etc/runbookd/projects.d"
printf '[Daemon]\nLimits=best-effort\n' >"$TEST_TMP/offered/etc/runbookd/runbookd.conf"
offered=0
for provider in $(complete_words runbookctl project add --provider ''); do
    printf '[Project]\nRepository=file:///x\nProvider=%s\nSecret=%032d\n' "$provider" 1 \
        >"$TEST_TMP/offered/etc/runbookd/projects.d/p.conf"
    chmod 0600 "$TEST_TMP/offered/etc/runbookd/projects.d/p.conf"
    check "the configuration accepts $provider" "$BIN/runbookd" --root "$TEST_TMP/offered" --config-test
    check "the help names $provider" grep -qw -- "$provider" <("$CTL" project add --help)
    check "the manual page names $provider" grep -q -- "\*$provider\*" "$TOP/man/runbookd.conf.5.scd"
    offered=$((offered + 1))
done
check_equal "completion offers six providers" 6 "$offered"
check_equal "completion offers a project" "demo" "$(complete_words runbookctl trigger d)"
check_match "completion offers a run" "^42 " "$(complete_words runbookctl show 4)"
