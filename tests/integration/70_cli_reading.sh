#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runbookctl against an api that answers the contract and misbehaves: reading and changing.
# runs: beside others
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

export RUNBOOK_ROOT=$TEST_TMP/root LC_ALL=C.UTF-8
CTL=$BIN/runbookctl
NOTES=$TEST_TMP/notes
mkdir -p "$RUNBOOK_ROOT/run/runbookd" "$RUNBOOK_ROOT/etc/runbookd"

check_status "no daemon: exit 4" 4 "$CTL" status
check_match "and what to do" "systemctl start runbookd" "$("$CTL" runs 2>&1)"

python3 "$TESTS_DIR/integration/cli_fake_api.py" "$RUNBOOK_ROOT/run/runbookd/api.sock" "$NOTES" \
    >"$TEST_TMP/api.log" 2>&1 &
export API_PID=$!
defer 'kill "$API_PID" 2>/dev/null'
check "the api is up" wait_for 10 grep -qx ready "$TEST_TMP/api.log"

# a 503 is asked again
check_match "status" "limit +4 steps at a time" "$("$CTL" status)"
check_equal "it was asked twice" 2 "$(grep -c /api/v1/status "$NOTES")"
check_equal "status --json" 4 "$("$CTL" status --json | jq .limit)"

# lists
output=$("$CTL" runs)
check_equal "20 runs and the headings" 21 "$(wc -l <<<"$output")"
check_equal "columns are aligned" 1 "$(awk '{print index($0, "push")}' <<<"$output" | tail -n +2 | sort -u | wc -l)"
check_equal "over pages" 35 "$("$CTL" --json runs -n 35 | jq '.runs | length')"
check_equal "with the next one" 8 "$("$CTL" --json runs -n 35 | jq .next)"
check_match "project ls" "demo +2 \(paused\) +✗ 42 failed .* https://x/y.git" "$("$CTL" project ls)"
check_match "queue" "1 +42 +demo +lint .* project limit 4 reached" "$("$CTL" queue)"
check_match "queue: what will not start has no position" "^- +43 +demo +train .* no host with label gpu" "$("$CTL" queue)"
check_match "queue: what is not shown is counted" "^… and 1998 more$" "$("$CTL" queue)"
check_match "queue: what the host has promised" "^2000 waiting, 4 of 4 running, 4.5 of 8 processors promised, 2.0G of 16.0G memory$" "$("$CTL" queue)"

# one run
output=$("$CTL" show 42)
check_match "show: the header" "Run 42  demo  ✗ failed" "$output"
check_match "control characters of a title are shown, not obeyed" 'A \\x1b\[31mtitle' "$output"
check_match "show: a failed step with its reason" "✗ +unit tests +failed +1.0s +1 +- +exit code 3" "$output"
check_match "show: what a step used" "✓ +build +succeeded .* cpu 12.3s  peak 84.1M  io 12.0M/3.0M" "$output"
check_match "and the end of its log" "\| last words" "$output"
check_status "no such run: exit 3" 3 "$CTL" show 7
check_match "with the server's sentence" "runbookctl: there is no such thing \(look again\)" "$("$CTL" show 7 2>&1)"
check_status "not a number: exit 2" 2 "$CTL" show seven

# logs
check_equal "logs: the bytes as they are" "$(printf '\033]0;evil title\007\033[31mred\033[0m text\033[2Jend\r\nlast words')" \
    "$("$CTL" logs 42 "unit tests")"
check_match "logs with times: the container" "^2[0-9-]+T[0-9:.]+Z # container c$" "$("$CTL" logs -t 42 build)"
check_match "and how it ended" "^2[0-9-]+T[0-9:.]+Z # succeeded, exit code 0$" "$("$CTL" logs -t 42 build | tail -n 1)"
check_match "behind the names of all steps" "^unit tests .*\| 2[0-9-]+T[0-9:.]+Z # failed[:,] exit code 3$" "$("$CTL" logs -t 42)"
check_not "without times: nothing but the output" grep -q '# ' <("$CTL" logs 42 build)
check_match "show: the container" "✗ +unit tests .* exit code 3 \[c\]$" "$output"
check_match "logs: by slug, with times" "^2026-01-01T00:00:00.000000Z building 30$" "$("$CTL" logs -t 42 build)"
check_match "logs of all steps name them" "^unit tests \| last words$" "$("$CTL" logs 42)"
check_equal "a log that is cut goes on where it stopped" "$(seq -f 'building %g' 1 30)" "$("$CTL" logs -f 42 build)"
check_status "no such step: exit 3" 3 "$CTL" logs 42 nonsense
check_match "which ones there are" "its steps: build, unit_tests, package" "$("$CTL" logs 42 nonsense 2>&1)"

# graph of a run
check_match "graph: text with states" "✗ unit tests  failed 1.0s  ← build" "$("$CTL" graph 42)"
check_match "graph: svg" "<title>unit tests: failed 1.0s</title>" "$("$CTL" graph --format svg 42)"
check_match "graph: dot" '"build" -> "unit tests";' "$("$CTL" graph --format dot 42)"
check_status "graph: no such format" 2 "$CTL" graph --format png 42

# artifacts
check_match "artifacts ls" "bin/tool +file +5 B" "$("$CTL" artifacts ls 42)"
check "artifacts get" sh -c "cd '$TEST_TMP' && '$CTL' artifacts get 42 bin/tool && [ \"\$(cat tool)\" = tool ]"
check_equal "artifacts get -" tool "$("$CTL" artifacts get 42 bin/tool -)"
mkfifo "$TEST_TMP/fifo"
ln -s behind "$TEST_TMP/link"
check_equal "artifacts get into a pipe writes, it replaces nothing" tool \
    "$(cat "$TEST_TMP/fifo" & "$CTL" artifacts get 42 bin/tool "$TEST_TMP/fifo"; wait)"
check "and the pipe is still one" test -p "$TEST_TMP/fifo"
"$CTL" artifacts get 42 bin/tool "$TEST_TMP/link"
check_equal "artifacts get goes through a symbolic link" tool "$(cat "$TEST_TMP/behind")"
check_status "no such artifact: exit 3" 3 "$CTL" artifacts get 42 nope
check_status "a key that climbs: exit 2" 2 "$CTL" artifacts get 42 ../x

# changes
check_equal "cancel" "run 42: 1 steps cancelled" "$("$CTL" cancel 42)"
check "cancel of a step names its slug" sh -c "'$CTL' cancel 42 'unit tests' && grep -q '/cancel.*unit_tests' '$NOTES'"
check_equal "retry" "run 43" "$("$CTL" retry 42)"
check_equal "pause" "demo: paused" "$("$CTL" project pause demo)"
check "trigger sends a full ref" sh -c "'$CTL' trigger demo --ref topic && grep -q 'refs/heads/topic' '$NOTES'"
check_status "trigger: unknown project" 3 "$CTL" trigger other
check_status "trigger: not a commit" 2 "$CTL" trigger demo --commit abc

# projects
output=$("$CTL" project add new --repo https://example.invalid/new.git --max-running 3)
check "project add" [ -f "$RUNBOOK_ROOT/etc/runbookd/projects.d/new.conf" ]
check_equal "only root may read it" 600 "$(stat -c %a "$RUNBOOK_ROOT/etc/runbookd/projects.d/new.conf")"
check_match "it says the secret that is in the file" \
    "$(sed -n 's/^Secret=//p' "$RUNBOOK_ROOT/etc/runbookd/projects.d/new.conf")" "$output"
check_match "and the URL" "/webhook/new$" "$(grep URL <<<"$output")"
check_match "the file" "^MaxRunning=3$" "$(cat "$RUNBOOK_ROOT/etc/runbookd/projects.d/new.conf")"
check_status "twice is refused" 5 "$CTL" project add new --repo https://example.invalid/new.git
touch "$NOTES.refuse"
check_status "a file the daemon refuses: exit 5" 5 "$CTL" project add bad --repo https://example.invalid/bad.git
check_not "and it does not stay" [ -e "$RUNBOOK_ROOT/etc/runbookd/projects.d/bad.conf" ]
rm "$NOTES.refuse"
check_status "a name that is none" 2 "$CTL" project add ../x --repo https://example.invalid/x.git
check_status "a provider that no program serves" 2 "$CTL" project add x --repo https://example.invalid/x.git --provider sourcehut
check_not "and no file is left of it" test -e "$RUNBOOK_ROOT/etc/runbookd/projects.d/x.conf"
check_status "neither repository nor directory" 2 "$CTL" project add x
check "project rm" "$CTL" project rm new
check_status "project rm again: exit 3" 3 "$CTL" project rm new

# usage
check_status "unknown command: exit 2" 2 "$CTL" vaildate
check_match "with the nearest" 'did you mean "validate"' "$("$CTL" vaildate 2>&1)"
check_status "unknown option: exit 2" 2 "$CTL" runs --nope
check_status "an argument too many: exit 2" 2 "$CTL" status x
check "help of every command" bash -c '"$0" --help | sed -nE "s/^  ([a-z]+( (ls|get|put|add|show|rm|pull|import|prune|pause|unpause|set|rekey))?) .*/\1/p" |
    while read -r words; do "$0" $words --help >/dev/null </dev/null || exit 1; done' "$CTL"

# completion
complete_words() { # complete_words WORD...: what bash would offer for the last one
    PATH=$BIN:$PATH bash -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _runbookctl
        echo "${COMPREPLY[*]}"' "$TOP/packaging/completion/runbookctl.bash" "$@"
}
check_equal "completion of a command" "trigger" "$(complete_words runbookctl tr)"
check_equal "of its second word" "pause" "$(complete_words runbookctl project pau)"
check_equal "of an option" "--follow" "$(complete_words runbookctl logs --fo)"
check_equal "of an option's value" "svg" "$(complete_words runbookctl graph --format s)"
# each provider that a list offers is one that the configuration takes
mkdir -p "$TEST_TMP/offered/etc/runbookd/projects.d"
printf '[Daemon]\nLimits=best-effort\n' >"$TEST_TMP/offered/etc/runbookd/runbookd.conf"
offered=0
for provider in $(complete_words runbookctl project add --provider ''); do
    printf '[Project]\nRepository=file:///x\nProvider=%s\nSecret=%032d\n' "$provider" 1 \
        >"$TEST_TMP/offered/etc/runbookd/projects.d/p.conf"
    chmod 0600 "$TEST_TMP/offered/etc/runbookd/projects.d/p.conf"
    check "the configuration takes $provider" "$BIN/runbookd" --root "$TEST_TMP/offered" --config-test
    check "the help names $provider" grep -qw -- "$provider" <("$CTL" project add --help)
    check "the manual page names $provider" grep -q -- "\*$provider\*" "$TOP/man/runbookd.conf.5.scd"
    offered=$((offered + 1))
done
check_equal "providers that are offered" 6 "$offered"
check_equal "of a project" "demo" "$(complete_words runbookctl trigger d)"
check_match "of a run" "^42 " "$(complete_words runbookctl show 4)"
