#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The page in a browser (Debian's Chromium), while processes of the daemon die.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
HERE=$(cd "$(dirname "$0")" && pwd)

setup_project page
add_project away "file://$TEST_TMP/repos/away.git" secret-away "FetchRetry=1d"
start_daemon "[Daemon]" "MaxRunning=8" "[Api]" "Listen=127.0.0.1:0" "[Limits]" "StepLog=1M" || exit 1
URL=http://$(head -n 1 "$TEST_TMP/root/run/runbookd/api.address")
check_equal "the page is served" 200 "$(curl -sS -o /dev/null -w '%{http_code}' "$URL/")"

failing=$(push_run page <<'YML'
global: {network: none}
steps:
  - name: lint
    allow_failure: true
    command: echo "style"; exit 1
  - name: unit
    depends_on: [lint]
    command: |
      echo before; printf 'x\0y\n'; printf 'a\342\200\256b\n'
      for ((i = 0; i <= 10000; i++)); do printf '%d of 10000\r' "$i"; done; echo
      echo "the reason"; exit 3
YML
)
check_equal "a run with a failing step fails" failed "$(wait_run "$failing" 120)"

# names that look like others; an ENV without secrets
cat >"$TEST_TMP/repos/page/runbook.yml" <<'YML'
global: {network: none, env: {ENV: production}}
steps: [{name: a, command: "true"}]
YML
branch=$(printf 'feature\342\200\256gpj\342\200\213')
commit=$(push_commit "$TEST_TMP/repos/page" "names")
git -C "$TEST_TMP/repos/page" push -q origin "HEAD:refs/heads/$branch"
push_payload "$commit" "refs/heads/$branch" >"$TEST_TMP/names"
names=$(deliver page secret-page names "$TEST_TMP/names" | sed -nE 's/.*"run": ?([0-9]+).*/\1/p')
check_equal "a run with such names succeeds" succeeded "$(wait_run "$names" 120)"

push_payload "$commit" >"$TEST_TMP/away"
fetching=$(deliver away secret-away away "$TEST_TMP/away" | sed -nE 's/.*"run": ?([0-9]+).*/\1/p')
ticker=$(push_run page <<'YML'
global: {network: none}
steps:
  - name: ticker
    command: i=0; while :; do echo "tick $((i++))"; sleep 0.1; done
  - name: cut
    command: seq -f "line %.0f of many, which is too long to be kept" 60000; i=0; while :; do echo "tick $((i++))"; sleep 0.1; done
  - name: second
    command: echo "I am the second"; sleep 100000
  - name: third
    depends_on: [ticker]
    command: "true"
YML
)
# in a mutation a defence is removed, so waits for its effect are short
[ -z "${BREAKOUT_BRIEF:-}" ] || export BROWSER_SECONDS=${BROWSER_SECONDS:-15}
mkdir -p "${SHOTS:=$TEST_TMP/shots}"
end_browser() { [ ! -s "$TEST_TMP/browser" ] || kill -KILL -- "-$(cat "$TEST_TMP/browser")" 2>/dev/null; }
defer end_browser
export TMPDIR=$TEST_TMP BROWSER_GROUP=$TEST_TMP/browser
python3 "$HERE/page_browser.py" "$URL" "$API_SOCK" "$DAEMON_PID" \
    "{\"failing\": $failing, \"names\": $names, \"ticker\": $ticker, \"fetching\": $fetching}" "$SHOTS" "$@" >"$TEST_TMP/said" 2>"$TEST_TMP/errors"
while read -r line; do
    case $line in
    "ok "*) passed "${line#ok }" ;;
    *) failed "${line#not ok }" ;;
    esac
done <"$TEST_TMP/said"
check_not "no process of the browser remains" pgrep -f "$TEST_TMP/rbt-browser"
check_equal "the browser's tests ended without an error" "" "$(tail -n 5 "$TEST_TMP/errors")"
