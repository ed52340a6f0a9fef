#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a push and a step bring along: addresses, pull requests, output that is meant
# for the terminal of whoever reads it. Secrets are in tests/integration/92_secrets.sh.
# shellcheck source=tests/breakout/lib.sh
. "$(dirname "$0")/lib.sh"

setup_project demo
start_daemon || exit 1
run=$(push_run demo <<'Y'
global: {network: none}
steps:
  - name: noisy
    command: |
      printf '\033]52;c;c3RvbGVu\007before\033[2J\033]0;title\007\033[999Aafter\n'
      printf 'nul\000nul \342\200\256right-to-left \233[31mc1\n'
      printf '::group::fake\n2026-01-01T00:00:00Z fake time\n<script>alert(1)</script>\n'
      head -c 3000000 /dev/zero | tr '\0' x
      echo
      echo end
Y
)

# ---- ssrf: only the configured repository is ever asked ----

python3 - >"$TEST_TMP/lure" <<'P' &
import select, socket
servers = []
for host in ("127.0.0.1", "127.0.0.2"):
    s = socket.create_server((host, 0)); servers.append(s)
print(*(s.getsockname()[1] for s in servers), flush=True)
while True:
    for s in select.select(servers, [], [])[0]:
        peer, _ = s.accept()
        print("caught", s.getsockname(), flush=True)
        peer.close()  # after the line, which the client's end means to the test
P
defer "kill $!"
wait_for 10 test -s "$TEST_TMP/lure"
read -r PORT OTHER <"$TEST_TMP/lure"
cat >"$TEST_TMP/repos/demo/runbook.yml" <<'Y'
global: {network: none}
steps: [{name: quiet, command: "true"}]
Y
commit=$(push_commit "$TEST_TMP/repos/demo" second)
lure() {
    jq -n --arg u "http://127.0.0.1:$PORT/evil.git" --arg v "http://127.0.0.2:$OTHER/x" --arg c "$commit" \
        '{ref: "refs/heads/main", before: ("0" * 40), after: $c, deleted: false, commits: [], sender: {login: "x"},
          repository: {id: 1, full_name: "test/demo", clone_url: $u, git_url: $u, ssh_url: $u, url: $u, html_url: $v,
            statuses_url: $v, hooks_url: "file:///etc/passwd", archive_url: $v, default_branch: "main"},
          head_commit: {id: $c, message: "m", url: $v}, callback_url: $v, pusher: {name: "x"}}'
}
lure >"$TEST_TMP/lure.json"
answer=$(deliver demo secret-demo lure-1 "$TEST_TMP/lure.json")
check_match "a push with strange addresses is taken" ' 202$' "$answer"
lured=$(sed -nE 's/.*"run": ?([0-9]+).*/\1/p' <<<"$answer")
check_equal "and its run is of the configured repository" succeeded "$(wait_run "$lured" 60)"
check_equal "ssrf: no address of a payload was asked" "" "$(grep caught "$TEST_TMP/lure")"
check "ssrf: the lure itself works" sh -c "curl -s --max-time 2 http://127.0.0.1:$PORT/; grep -q caught '$TEST_TMP/lure'"

# ---- fork-pr: what is said about pull requests starts nothing; one itself is known as a fork's ----

runs_before=$(api 'runs?limit=100' | jq '.runs | length')
jq -n --arg c "$commit" '{action: "opened", number: 1, pull_request: {head: {sha: $c, ref: "main", repo: {fork: true,
    clone_url: "http://127.0.0.1/fork.git"}}, base: {ref: "main"}}, repository: {id: 1, full_name: "test/demo"}}' \
    >"$TEST_TMP/fork.json"
for event in pull_request_target pull_request_review issue_comment workflow_run; do
    check_match "fork-pr: event $event starts nothing" '"ignored".* 200$' "$(curl -sS --max-time 30 -w ' %{http_code}' \
        -H 'Content-Type: application/json' -H "X-GitHub-Event: $event" -H "X-GitHub-Delivery: fork-$event" \
        -H "X-Hub-Signature-256: $(sign secret-demo <"$TEST_TMP/fork.json")" \
        --data-binary "@$TEST_TMP/fork.json" "$WEBHOOK_URL/webhook/demo" | tr -d '\n')"
done
check_equal "fork-pr: there are as many runs as before" "$runs_before" "$(api 'runs?limit=100' | jq '.runs | length')"
answer=$(curl -sS --max-time 30 -H 'Content-Type: application/json' -H "X-GitHub-Event: pull_request" \
    -H "X-GitHub-Delivery: fork-pull" -H "X-Hub-Signature-256: $(sign secret-demo <"$TEST_TMP/fork.json")" \
    --data-binary "@$TEST_TMP/fork.json" "$WEBHOOK_URL/webhook/demo")
forked=$(sed -nE 's/.*"run": ?([0-9]+).*/\1/p' <<<"$answer")
check_equal "fork-pr: a pull request is a fork's unless it proves the contrary" true "$(api "runs/$forked" | jq .from_fork)"

# ---- log-hostile ----

check_equal "the noisy run ends" succeeded "$(wait_run "$run" 60)"
python3 - "$BIN/runbookctl" logs "$run" noisy >"$TEST_TMP/shown" <<'P'
import os, pty, sys
pid, master = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], ["runbookctl", *sys.argv[2:]])
while True:
    try:
        got = os.read(master, 65536)
    except OSError:
        break
    if not got:
        break
    sys.stdout.buffer.write(got)
os.waitpid(pid, 0)
P
check "the log is shown to its end" grep -q '^end' "$TEST_TMP/shown"
check_not "log-hostile: no clipboard, no title (OSC)" grep -q $'\x1b\]' "$TEST_TMP/shown"
check_not "log-hostile: no clearing, no moving of the cursor" grep -qE $'\x1b\\[[0-9;]*[A-HJK]' "$TEST_TMP/shown"
check_not "log-hostile: no C1 control" grep -qaP '(?<![\xc2-\xf4\x80-\xbf])\x9b' "$TEST_TMP/shown"
check_not "log-hostile: no change of direction" grep -qaF $'\xe2\x80\xae' "$TEST_TMP/shown"
check_equal "log-hostile: a line without end is kept whole" 3000000 "$(api "runs/$run/steps/noisy/log" | awk 'length > m {m = length} END {print m}')"
check_match "log-hostile: what a browser gets is no page" '^Content-Type: (text/plain|application/octet-stream)' \
    "$(api "runs/$run/steps/noisy/log" -D - -o /dev/null | tr -d '\r' | grep -i '^content-type')"
check_match "log-hostile: nor is it guessed to be one" 'nosniff' \
    "$(api "runs/$run/steps/noisy/log" -D - -o /dev/null | grep -i x-content-type-options)"
check_equal "log-hostile: times are the daemon's, not the line's" "" \
    "$(api "runs/$run/steps/noisy/log?timestamps=1" | grep -a 'fake time' | grep -a '^2026-01-01')"

# ---- runc-fd-race ----

check_status "runc-fd-race: nothing enters a running sandbox, there is no exec" 2 \
    "$BIN/runbookctl" exec 1 noisy -- true

finish
