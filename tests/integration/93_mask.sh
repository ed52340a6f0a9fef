#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Steps print their secrets in all ways that programs use. No log shows them, neither while it
# is written nor afterwards nor with times, and nothing else is missing.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

setup_project demo
start_daemon "[Daemon]" "MaxRunning=4" || exit 1
secret() { "$BIN/runbookctl" secret set demo test "$1" >/dev/null; }

TOKEN="tok\"en <&> it's 100% of ü/+?=\$HOME"
check "a token is set" secret TOKEN <<<"$TOKEN"
check "a short secret is set" secret PIN <<<"Q7xz"
python3 -c 'import random
letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
line = lambda: "".join(random.choice(letters) for _ in range(64))
print("-----BEGIN TEST KEY-----", *(line() for _ in range(20)), "-----END TEST KEY-----", sep="\n")' >"$TEST_TMP/key"
check "a key of many lines is set" secret KEY <"$TEST_TMP/key"

run=$(push_run demo <<'YML'
global: {network: none, env: {ENV: test}}
steps:
  - name: forms
    command: |
      line() { printf '%s: <' "$1"; cat; printf '>\n'; }
      printf %s "$TOKEN" | line plain
      printf %s "$TOKEN" | base64 -w 0 | line base64
      printf %s "$TOKEN" | basenc -w 0 --base64url | line base64url
      for before in a ab abc; do printf %s "$before$TOKEN" | base64 -w 0 | line "base64 behind $before"; done
      python3 -c 'import os, urllib.parse as u; print(end=u.quote(os.environ["TOKEN"]))' | line quote
      python3 -c 'import os, urllib.parse as u; print(end=u.quote_plus(os.environ["TOKEN"]))' | line quote_plus
      python3 -c 'import os, json; print(end=json.dumps(os.environ["TOKEN"], ensure_ascii=False))' | line json
      python3 -c 'import os; print(end=ascii(os.environ["PIN"] * 3))' | line repr
      (PS4='+ '; set -x; : "$TOKEN") 2>&1 | line trace
      printf '%s' "$PIN" | line pin
      printf '%s' "$KEY" | line key
      printf '%s' "$KEY" | base64 | line wrapped
      printf '%s' "$KEY" | tail -c 300 | line "part of key"
      for at in $(seq 0 3); do printf %s "${PIN:$at:1}"; sleep 0.2; done | line slowly
      echo "and this is seen: Q7xy"
  - name: volume
    command: |
      awk 'BEGIN {for (i = 0; i < 20000; i++) print "some words before " ENVIRON["TOKEN"] " and some behind, " ENVIRON["PIN"]}'
  - name: errors
    command: |
      awk 'BEGIN {for (i = 0; i < 20000; i++) print "errors too: " ENVIRON["TOKEN"]}' >&2
  - name: others
    env: {ENV: ""}
    command: echo "Q7xz is no secret here"
YML
)
known() { [ -n "$(step_field "$run" forms slug)" ]; }
check "the run is fetched" wait_for 30 known
"$BIN/runbookctl" logs -f "$run" forms >"$TEST_TMP/followed" 2>"$TEST_TMP/err"
check_equal "the run succeeds" succeeded "$(wait_run "$run" 120)"
log=$(step_log "$run" forms)
check_equal "logs -f printed what the log has" "$log" "$(cat "$TEST_TMP/followed")"
for form in plain base64url quote quote_plus pin slowly key; do
    check_match "$form: the secret is masked" "^$form: <" "$log"
done
for form in plain quote quote_plus pin; do
    check_equal "$form: no part of the secret is left" "$form: <***>" "$(grep "^$form: " <<<"$log")"
done
check_equal "json: the secret between the quotes is masked" 'json: <"***">' "$(grep '^json: ' <<<"$log")"
check_equal "repr: the secret is masked" "repr: <'***'>" "$(grep '^repr: ' <<<"$log")"
check_match "a shell trace: the secret is masked" "^trace: <\+ : .?\*\*\*" "$(grep '^trace: ' <<<"$log")"
check_match "base64: at most a character and its padding are left" '^base64: <\*\*\*.?=?=?>$' "$(grep '^base64: ' <<<"$log")"
check_match "base64 within a text: only characters that include other text are left" \
    '^base64 behind ab: <.{3}\*\*\*.?=?=?>$' "$(grep '^base64 behind ab: ' <<<"$log")"
check_match "letter by letter: less than four letters are shown" '^slowly: <(Q7?x?)?\*\*\*>$' "$(grep '^slowly: ' <<<"$log")"
check_match "a text that is not a secret is shown" '^and this is seen: Q7xy$' "$log"
check_equal "a step without secrets prints them unmasked" "Q7xz is no secret here" "$(step_log "$run" others)"

# Search the files themselves for each line of the key and each half of a line, as it is and in
# base64, as a whole and in the three positions.
cat >"$TEST_TMP/search.py" <<'PY'
import base64, glob, sys
secrets = [sys.argv[2].encode(), b"Q7xz"]
for line in open(sys.argv[1], "rb").read().split(b"\n"):
    if len(line) >= 32:
        secrets += [line, line[:32], line[32:]]
forms = set(secrets)
for secret in secrets[:1] + secrets[2:]:
    for before in (b"", b".", b".."):
        text = base64.b64encode(before + secret)
        forms.add(text[4:len(text) - 4])
found = [(path, form) for path in glob.glob(sys.argv[3] + "/**/*.log", recursive=True)
         for form in forms if "others" not in path and form in open(path, "rb").read()]
print(found)
sys.exit(bool(found))
PY
logs=$TEST_TMP/root/var/log/runbookd/demo/$run
check "no file has a part of a secret" python3 "$TEST_TMP/search.py" "$TEST_TMP/key" "$TOKEN" "$logs"
check_equal "20,000 lines have both secrets masked" 20000 \
    "$(step_log "$run" volume | grep -c '^some words before \*\*\* and some behind, \*\*\*$')"
check_equal "20,000 lines of standard error have the secret masked" 20000 "$(step_log "$run" errors | grep -c '^errors too: \*\*\*$')"
check_equal "logs -t has every line" 20000 \
    "$(api "runs/$run/steps/volume/log?timestamps=1" | grep -c '^20[0-9-]*T[0-9:.]*Z .*\*\*\*')"
