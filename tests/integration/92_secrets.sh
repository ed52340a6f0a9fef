#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Secrets: which steps get them, the effects of a lost key and a killed scheduler, and that no
# byte of them is anywhere except in these steps.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

ROUNDS=4
[ -z "${RUNBOOK_TEST_LONG:-}" ] || ROUNDS=100
setup_project demo
setup_project other
start_daemon || exit 1
root=$TEST_TMP/root
KEY=$root/var/lib/runbookd/secret.key
ctl() { "$BIN/runbookctl" "$@"; }

# ---- values: in a directory that is never searched for them, and never an argument ----

mkdir -m 0700 "$TEST_TMP/values"
value() {
    python3 - "$1" >"$TEST_TMP/values/$1" <<'P'
import secrets, sys
sys.stdout.write(f"{sys.argv[1]}-{secrets.token_urlsafe(9)}&{secrets.token_hex(8)}/ü=%")
P
}
for name in production staging other rotated; do value "$name"; done
python3 -c 'import secrets
print("-----BEGIN KEY-----", *(secrets.token_urlsafe(40) for _ in range(12)), "-----END KEY-----", sep="\n", end="")' \
    >"$TEST_TMP/values/lines"
hex_of_values() {
    python3 -c 'import sys
for path in sys.argv[1:]:
    data = open(path, "rb").read().replace(b"-----BEGIN KEY-----\n", b"").replace(b"\n-----END KEY-----", b"")
    print(data.hex())' "$TEST_TMP"/values/* >"$TEST_TMP/values.hex"
}
hex_of_values
digest() { sha256sum <"$TEST_TMP/values/$1" | cut -d' ' -f1; }
set_secret() { ctl secret set "$1" "$2" "$3" <"$TEST_TMP/values/$4"; }

check "a secret is set" set_secret demo production TOKEN production
check "a secret of another ENV is set" set_secret demo staging TOKEN staging
check "a secret of several lines is set" set_secret demo production DEPLOY_KEY lines
check "a secret of another project is set" set_secret other production TOKEN other
check_equal "set reports a new secret" '{"project":"demo","env":"x y","name":"A","change":"set"}' \
    "$(echo word | ctl --json secret set demo "x y" A | jq -c .)"
check_equal "set reports a replaced secret" replaced "$(echo word | ctl --json secret set demo "x y" A | jq -r .change)"
check_equal "secret ls lists names" "production DEPLOY_KEY,production TOKEN,staging TOKEN,x y A" \
    "$(ctl --json secret ls demo | jq -r '[.secrets[] | .env + " " + .name] | join(",")')"
check_equal "secret ls lists all projects" 5 "$(ctl --json secret ls | jq '.secrets | length')"
check_match "secret ls prints a table" 'demo +production +TOKEN +' "$(ctl secret ls demo)"
check_equal "secret rm removes a secret" "1 removed" "$(ctl secret rm demo "x y" A)"
check_status "secret rm of a missing secret is exit 3" 3 ctl secret rm demo "x y" A
check_status "secret rm without a name is exit 2" 2 ctl secret rm demo staging

# refused EXIT MESSAGE PROJECT ENV NAME <value
refused() {
    local wanted=$1 text=$2 status=0 output
    shift 2
    output=$(ctl secret set "$@" 2>&1) || status=$?
    check_equal "set $* is refused: $text" "$wanted" "$status"
    check_match "set $* is refused with the reason: $text" "$text" "$output"
}
refused 2 'name of a variable' demo production 9LIVES <<<x
refused 2 'every step has a variable' demo production PATH <<<x
refused 2 'every step has a variable' demo production ENV <<<x
refused 2 'runbookd.s own' demo production RUNBOOK_RUN <<<x
refused 2 'value of the steps. variable ENV' demo $'a\nb' A <<<x
refused 2 'not a project name' ../x production A <<<x
refused 3 'no project of this name' nobody production A <<<x
refused 2 'value is empty' demo production A </dev/null
refused 2 'value is empty' demo production A <<<""
refused 2 'NUL byte' demo production A < <(printf 'a\0b')
refused 2 'longer than 65536' demo production A < <(head -c 65537 /dev/zero | tr '\0' x)
# on_terminal TEXT: print the output when TEXT is typed or pasted
on_terminal() {
    python3 - "$1" "$BIN/runbookctl" secret set demo typed A <<'P'
import os, pty, sys
pid, master = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
out = b""
while b"(not shown): " not in out:
    out += os.read(master, 4096)
os.write(master, sys.argv[1].encode())
while True:
    try:
        got = os.read(master, 4096)
    except OSError:
        break
    if not got:
        break
    out += got
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), " ".join(out.decode().split()))
P
}
check_match "a value can be typed, and is not shown" '^0 value of A \(not shown\): A: set' "$(on_terminal $'typed\n')"
check_match "a pasted value of several lines is refused, not cut" '^2 .*one line of less.*nothing was set' "$(on_terminal $'typed\nkey\n')"
check_match "a pasted long line is refused, not cut" '^2 .*one line of less' "$(on_terminal "$(printf 'x%.0s' {1..5000})"$'\n')"
check_equal "the secret that was typed first exists" "1 removed" "$(ctl secret rm demo typed A)"
check "a value of 64 KiB is accepted" sh -c "head -c 65536 /dev/zero | tr '\\0' x | '$BIN/runbookctl' secret set demo big A"
big() { head -c 65536 /dev/zero | tr '\0' x | ctl secret set demo big "B$1"; }
for i in $(seq 15); do big "$i" >/dev/null 2>&1; done
check_match "an ENV is limited to 1 MiB" 'more than 1 MiB' "$(big 16 2>&1)"
check_equal "secret rm --all removes all secrets of an ENV" "16 removed" "$(ctl secret rm demo big --all | sed 's/^15/16/')"
check_equal "the api refuses a value that is not sealed" 400 "$(api projects/demo/secrets -o /dev/null -w '%{http_code}' \
    -H 'Content-Type: application/json' -d '{"env":"e","name":"N","sealed":"aGVsbG8="}')"
check_equal "the api refuses a value that is sealed for another scheduler" 412 "$(api projects/demo/secrets -o /dev/null -w '%{http_code}' \
    -H 'Content-Type: application/json' -d "{\"env\":\"e\",\"name\":\"N\",\"sealed\":\"$(head -c 99 /dev/urandom | base64 -w0)\"}")"
check_match "the api has no request that reads a secret" '"error"' "$(api projects/demo/secrets/TOKEN)"

# ---- which steps get which secrets ----

scopes() {
    cat <<'Y'
global:
  network: none
  env: {ENV: staging, FROM: global}
steps:
  - {name: global, command: 'printf %s "$TOKEN" | sha256sum; env | grep -c DEPLOY_KEY || true'}
  - {name: step wins, env: {ENV: production}, command: 'printf %s "$TOKEN" | sha256sum; printf %s "$DEPLOY_KEY" | sha256sum'}
  - {name: unset, env: {ENV: ""}, command: 'echo "${TOKEN-none}"'}
  - {name: unknown, env: {ENV: Production}, command: 'echo "${TOKEN-none}"'}
  - {name: prints, env: {ENV: production}, command: 'echo "value: $TOKEN."; echo "$TOKEN" >&2; echo "$DEPLOY_KEY"; printf %s "$TOKEN" | base64 -w0; echo end'}
  - {name: clash, env: {ENV: production, TOKEN: mine, DEPLOY_KEY: too}, command: 'echo never'}
Y
}
run=$(scopes | push_run demo)
wait_run "$run" >"$TEST_TMP/state"
log() { step_log "$run" "$(step_field "$run" "$1" slug)"; }
check_equal "global.env chooses the secrets" "$(digest staging)  -
0" "$(log global)"
check_equal "a step's env replaces global.env" "$(digest production)  -
$(digest lines)  -" "$(log "step wins")"
check_equal "a step without ENV gets no secrets" none "$(log unset)"
check_equal "a step with an unknown ENV gets no secrets" none "$(log unknown)"
check_equal "a variable that clashes with a secret fails the step" failed "$(step_field "$run" clash state)"
check_match "the reason names the clashing variables" 'DEPLOY_KEY, TOKEN' "$(step_field "$run" clash reason)"
check_equal "the step with clashing variables never ran" null "$(api "runs/$run" | jq -r '.steps[] | select(.name == "clash") | .attempts[-1].started_usec')"
check_match "a secret that a step prints is masked" '^value: \*\*\*\.$' "$(log prints)"
check_equal "a runbook without ENV gets no secrets" none "$(
    id=$(push_run other <<<'{global: {network: none}, steps: [{name: s, command: "echo ${TOKEN-none}"}]}')
    wait_run "$id" >/dev/null
    step_log "$id" s
)"

# ---- a retry gets the current values ----

set_secret demo staging TOKEN rotated >/dev/null
again=$(ctl --json retry "$run" | jq .run)
wait_run "$again" >/dev/null
check_equal "a retry has the new value" "$(digest rotated)  -" \
    "$(step_log "$again" "$(step_field "$again" global slug)" | head -n 1)"
check "a retry of one step is accepted" ctl retry "$run" global
wait_run "$run" >/dev/null
check_equal "a retry of one step has the new value" "$(digest rotated)  -" "$(log global | head -n 1)"

# ---- commits of others get no secrets ----

probe() { echo "{global: {network: none, env: {ENV: production}}, steps: [{name: s, command: 'echo \"\${TOKEN-none} \$RUNBOOK_SECRETS_WITHHELD\"; false'}]}"; }
probe >"$TEST_TMP/repos/demo/runbook.yml"
push_commit "$TEST_TMP/repos/demo" "a proposal" >/dev/null
git -C "$TEST_TMP/repos/demo" push -q origin HEAD:refs/pull/7/head
run=$(ctl --json trigger demo --ref refs/pull/7/head | jq .run)
wait_run "$run" >/dev/null
check_match "fork-pr: none for a ref of pull requests" '^none secrets withheld: the ref' "$(log s)"
check_match "fork-pr: the reason of a failed step names withheld secrets" 'exit code 1 \(secrets withheld' "$(step_field "$run" s reason)"
check_match "fork-pr: the event of the step names withheld secrets" 'withheld: the ref' "$(api "runs/$run/events" --max-time 5)"
# pull NUMBER HEAD-REPOSITORY: send a pull request of the current commit, and print its run
pull() {
    git -C "$TEST_TMP/repos/demo" push -q -f origin "HEAD:refs/pull/$1/head"
    jq -n --argjson n "$1" --argjson head "$2" --arg c "$(git -C "$TEST_TMP/repos/demo" rev-parse HEAD)" \
        '{action: "opened", number: $n, sender: {login: "somebody"}, repository: {id: 1, full_name: "test/demo"},
          pull_request: {title: "t", head: {ref: "topic", sha: $c, repo: {id: $head}},
                         base: {ref: "main", sha: $c, repo: {id: 1}}}}' >"$TEST_TMP/pull.$1"
    curl -sS --max-time 30 -H 'Content-Type: application/json' -H 'X-GitHub-Event: pull_request' \
        -H "X-GitHub-Delivery: pull-$1-$2" -H "X-Hub-Signature-256: $(sign secret-demo <"$TEST_TMP/pull.$1")" \
        --data-binary "@$TEST_TMP/pull.$1" "$WEBHOOK_URL/webhook/demo" |
        sed -nE 's/.*"run": ?([0-9]+).*/\1/p'
}
run=$(pull 8 2)
wait_run "$run" >/dev/null
check_match "fork-pr: none for a pull request from a fork" '^none secrets withheld: this is a pull request from a fork' "$(log s)"
again=$(ctl --json retry "$run" | jq .run)
wait_run "$again" >/dev/null
check_match "fork-pr: none for a retry of a pull request from a fork" '^none secrets withheld' "$(step_log "$again" s)"
run=$(pull 9 null)
wait_run "$run" >/dev/null
check_match "fork-pr: none for a pull request whose fork was deleted" '^none secrets withheld' "$(log s)"
git -C "$TEST_TMP/repos/demo" commit -q --allow-empty -m stray
git -C "$TEST_TMP/repos/demo" push -q origin HEAD:refs/pull/12/head
run=$(ctl --json trigger demo --commit "$(git -C "$TEST_TMP/repos/demo" rev-parse HEAD)" | jq .run)
wait_run "$run" >/dev/null
check_match "fork-pr: none for a commit that no branch or tag has" '^none secrets withheld: no branch or tag' "$(log s)"
git -C "$TEST_TMP/repos/demo" commit -q --allow-empty -m own
run=$(pull 10 1)
wait_run "$run" >/dev/null
check_match "a pull request within the repository gets secrets" '^\*\*\* $' "$(log s)"
ctl run "$TEST_TMP/repos/demo" >/dev/null 2>&1
run=$(api 'runs?limit=1' | jq '.runs[0].id')
check_match "an upload gets no secrets" '^none secrets withheld: this is an uploaded' "$(log s)"
echo "SecretsForForks=yes" >>"$root/etc/runbookd/projects.d/demo.conf"
api reload -X POST >/dev/null
run=$(ctl --json trigger demo --ref refs/pull/7/head | jq .run)
wait_run "$run" >/dev/null
check_match "an upload gets secrets if the project allows it" '^\*\*\* $' "$(log s)"
sed -i '/^SecretsForForks/d' "$root/etc/runbookd/projects.d/demo.conf"
api reload -X POST >/dev/null

# ---- while steps have secrets: memory, /proc, files ----

run=$(push_run demo <<'Y'
global: {network: none, env: {ENV: production}}
steps: [{name: s, command: 'echo "$TOKEN"; sleep 900'}, {name: t, command: 'echo "$TOKEN"; sleep 900'}]
Y
)
check "two steps with secrets are running" wait_for 30 run_has_running "$run" 2
mapfile -t OURS < <(pgrep -P "$DAEMON_PID" 'runbook-[a-hj-z]|runbook-image')
mapfile -t INITS < <(pgrep -x runbook-init -P "$DAEMON_PID")
check_equal "each step has an init" 2 "${#INITS[@]}"
# shellcheck disable=SC2317  # called by check
scan() { "$TESTS_DIR/secret_scan.py" "$TEST_TMP/values.hex" "$@"; }
collect_answers() {
    mkdir -p "$TEST_TMP/answers"
    for path in status projects queue 'runs?limit=200' secrets; do api "$path" --max-time 2 >"$TEST_TMP/answers/${path%%\?*}"; done
    for id in $(api 'runs?limit=200' | jq '.runs[].id'); do
        api "runs/$id" >"$TEST_TMP/answers/run-$id"
        api "runs/$id/runbook" >"$TEST_TMP/answers/runbook-$id"
        api "runs/$id/events?limit=200" --max-time 2 >"$TEST_TMP/answers/events-$id"
    done
} 2>/dev/null
check_not "the search finds values in a file with them" scan "$TEST_TMP/values"
check "core-dump: a core of runbookd would have none" scan "core:$DAEMON_PID"
check "core-dump: cores of our other programs would have none" scan "${OURS[@]/#/core:}"
check "core-dump: cores of the steps' inits would have none" scan "${INITS[@]/#/core:}"
# cores by the debugger, which root may attach to any process
check "core-dump: gcore writes cores" sh -c "cd '$TEST_TMP' && mkdir cores && gcore -o cores/core $DAEMON_PID ${OURS[*]} ${INITS[*]} >/dev/null 2>&1"
check_equal "core-dump: there is a core of each process" $((1 + ${#OURS[@]} + ${#INITS[@]})) "$(find "$TEST_TMP/cores" -size +30k | wc -l)"
check "core-dump: the cores have none" scan "$TEST_TMP/cores"
rm -r "$TEST_TMP/cores"
check "info-leak: no other process has one in arguments or environment" scan "procs:$$"
check "local-user: no file has one" scan "$root" "$TEST_TMP/daemon.log" "$TEST_TMP/repos"
for pid in "${OURS[@]}"; do
    uid=$(awk '/^Uid:/ { print $2 }' "/proc/$pid/status")
    check_equal "core-dump: $(cat "/proc/$pid/comm") dumps no core" "0 0" "$(awk '/core file size/ { print $5, $6 }' "/proc/$pid/limits")"
    check_equal "core-dump: only root may read the memory of $(cat "/proc/$pid/comm")" 0 "$(stat -c %u "/proc/$pid/environ")"
    check_not "local-user: the user of $(cat "/proc/$pid/comm") cannot read its memory" setpriv --reuid "$uid" --regid "$uid" --clear-groups \
        dd if="/proc/$pid/mem" of=/dev/null bs=1 count=1 skip=4194304
done
ctl cancel "$run" >/dev/null
wait_run "$run" >/dev/null

# ---- afterwards ----

collect_answers
check "afterwards a core of runbookd would have none" scan "core:$DAEMON_PID"
check "afterwards no memory of our programs has one" scan "${OURS[@]/#/memory:}"
check "log-hostile: none in database, logs and replies" scan "$root" "$TEST_TMP/daemon.log" "$TEST_TMP/answers" "$TEST_TMP/repos"
check "the log of runbookd names the secrets that were set" grep -q 'secret TOKEN of project demo, ENV production: set' "$TEST_TMP/daemon.log"

# ---- a new key ----

key_id() { ctl --json secret ls | jq -r .key; }
before=$(key_id)
cp -p "$KEY" "$TEST_TMP/values/key.before"
check_match "rekey reports the number of secrets" '[0-9]+ secrets, encrypted with the key' "$(ctl secret rekey)"
after=$(key_id)
check_not "the new key is another one" test "$before" = "$after"
check "the old key is removed from the file" wait_for 10 sh -c "[ \$(wc -l <'$KEY') = 1 ] && grep -q '^$after ' '$KEY'"
check_equal "only root may read the file of keys" "0 600" "$(stat -c '%u %a' "$KEY")"
opens() {
    local id
    id=$(push_run demo "$1" <<'Y'
global: {network: none, env: {ENV: production}}
steps: [{name: s, command: 'printf %s "$TOKEN" | sha256sum; printf %s "$DEPLOY_KEY" | sha256sum'}]
Y
    )
    wait_run "$id" >/dev/null
    step_log "$id" s
}
BOTH="$(digest production)  -
$(digest lines)  -"
check_equal "after rekey, steps get the same secrets" "$BOTH" "$(opens rekeyed)"

# ---- kill -9 of the scheduler during rekey ----

for i in $(seq 15); do echo "filler $i" | ctl secret set demo filler "F$i" >/dev/null; done
for round in $(seq "$ROUNDS"); do
    ctl secret rekey >"$TEST_TMP/rekey.$round" 2>&1 &
    rekey=$!
    python3 -c 'import random, time; time.sleep(random.random() ** 2 * 0.15)'
    kill -KILL "$(pgrep -P "$DAEMON_PID" -x runbook-schedul)" 2>/dev/null
    wait "$rekey"
done
# shellcheck disable=SC2317  # called by check
settled() { [ "$(wc -l <"$KEY")" = 1 ] && grep -q "^$(key_id) " "$KEY"; }
check "after $ROUNDS kills the file has only the right key" wait_for 20 settled
check_equal "after the kills, all secrets exist" 19 "$(ctl --json secret ls | jq '.secrets | length')"
check_equal "after the kills, the store has no problem" null "$(ctl --json secret ls | jq -c .problem)"
check_equal "after the kills, steps get the same secrets" "$BOTH" "$(opens killed)"
check "after the kills, rekey succeeds" ctl secret rekey
check_equal "the fillers are removed" "15 removed" "$(ctl secret rm demo filler --all)"

# ---- keys that are wrong, lost, or readable by others; restarts ----

again() {
    stop_daemon
    start_daemon || exit 1
}
# lost PROBLEM DESCRIPTION: check that no secret is lost, and that steps without secrets run
lost() {
    # shellcheck disable=SC2317  # called by check
    said() { ctl --json secret ls | jq -r .problem | grep -q "$1"; }
    check "$2: the scheduler notices it" wait_for 10 said "$1"
    check_match "$2: secret ls reports the problem" "$1" "$(ctl --json secret ls | jq -r .problem)"
    run=$(push_run demo "$RANDOM-$RANDOM" <<'Y'
global: {network: none}
steps: [{name: needs, env: {ENV: production}, command: "true"}, {name: needs none, command: "true"}]
Y
)
    wait_run "$run" >/dev/null
    check_equal "$2: a step that needs secrets is errored" errored "$(step_field "$run" needs state)"
    check_match "$2: the reason of that step names the problem" "cannot be decrypted.*$1" "$(step_field "$run" needs reason)"
    check_equal "$2: a step without secrets succeeds" succeeded "$(step_field "$run" "needs none" state)"
    check_match "$2: secret set is refused" "$1" "$(echo x | ctl secret set demo production NEW 2>&1)"
    check_match "$2: rekey is refused" "$1" "$(ctl secret rekey 2>&1)"
    check_equal "$2: all secrets exist" 4 "$(ctl --json secret ls | jq '.secrets | length')"
}
cp -p "$KEY" "$TEST_TMP/values/key"
sed -i 's/0$/1/; t; s/.$/0/' "$KEY"
again
lost 'is not the one of that name in' "a wrong key"
rm "$KEY"
api reload -X POST >/dev/null
lost 'is not in' "a lost key"
check_equal "the scheduler made a key that only root may read" "0 600" "$(stat -c '%u %a' "$KEY")"
chmod 0644 "$KEY"
again
lost 'can be read by others than root' "a key for everybody"
cp -p "$TEST_TMP/values/key.before" "$KEY"
api reload -X POST >/dev/null
lost 'is not in' "an old key"
check_match "doctor reports the problem" '"secret store"' "$(ctl --json doctor | jq -c '.checks[] | select(.result == "failed")')"
cp -p "$TEST_TMP/values/key" "$KEY"
api reload -X POST >/dev/null
check_equal "with the key back, steps get the same secrets" "$BOTH" "$(opens back)"
rm "$KEY"
api reload -X POST >/dev/null
check "a key file removed while in use is replaced by a new key" wait_for 10 settled
check_not "the new file does not have the former key" grep -qFf "$KEY" "$TEST_TMP/values/key"
again
check_equal "after that, steps get the same secrets" "$BOTH" "$(opens removed)"

# ---- a credential of systemd ----

stop_daemon
mkdir -m 0700 "$TEST_TMP/credentials"
{ echo "new-one $(openssl rand -hex 32)"; cat "$KEY"; } >"$TEST_TMP/credentials/runbookd.secret-key"
mv "$KEY" "$TEST_TMP/values/key.moved"
export CREDENTIALS_DIRECTORY=$TEST_TMP/credentials
start_daemon || exit 1
check_equal "with a key by credential, steps get the same secrets" "$BOTH" "$(opens credential)"
check_not "with a key by credential, no file is made" test -e "$KEY"
check "rekey uses the credential's first key" ctl secret rekey
check_equal "the credential's first key is in use" new-one "$(key_id)"
check_match "another rekey is refused without a newer key" 'credential.*cannot change' "$(ctl secret rekey 2>&1)"
stop_daemon
sed -i 1q "$TEST_TMP/credentials/runbookd.secret-key"
start_daemon || exit 1
check_equal "without the old key, steps get the same secrets" "$BOTH" "$(opens newest)"
unset CREDENTIALS_DIRECTORY

# ---- files with secrets of projects ----

chmod o+r "$root/etc/runbookd/projects.d/other.conf"
check_match "config: a Secret= that everybody can read is refused" 'run `chmod o-r' "$(api reload -X POST)"
check_match "doctor: reports a file of secrets that all users can read" \
    'all users can read' "$(ctl --json doctor | jq -r '.checks[] | select(.check == "secret files") | .seen')"
chmod o-r "$root/etc/runbookd/projects.d/other.conf"

collect_answers
stop_daemon
check "at the end no file has one" scan "$root" "$TEST_TMP/daemon.log" "$TEST_TMP/answers" "$TEST_TMP/repos" "$TEST_TMP"/rekey.*
finish
