#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Secrets: who gets them, who does not, what a lost key and a killed scheduler do, and that
# no byte of them is anywhere but in the steps.
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

# ---- values: kept in a directory that is never searched, and never an argument ----

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
check "a secret of another ENV" set_secret demo staging TOKEN staging
check "a secret of several lines" set_secret demo production DEPLOY_KEY lines
check "a secret of another project" set_secret other production TOKEN other
check_equal "what it tells: first" '{"project":"demo","env":"x y","name":"A","change":"set"}' \
    "$(echo word | ctl --json secret set demo "x y" A | jq -c .)"
check_equal "what it tells: again" replaced "$(echo word | ctl --json secret set demo "x y" A | jq -r .change)"
check_equal "names are listed" "production DEPLOY_KEY,production TOKEN,staging TOKEN,x y A" \
    "$(ctl --json secret ls demo | jq -r '[.secrets[] | .env + " " + .name] | join(",")')"
check_equal "of all projects" 5 "$(ctl --json secret ls | jq '.secrets | length')"
check_match "for people" 'demo +production +TOKEN +' "$(ctl secret ls demo)"
check_equal "one is removed" "1 removed" "$(ctl secret rm demo "x y" A)"
check_status "one that is not there" 3 ctl secret rm demo "x y" A
check_status "rm wants a name" 2 ctl secret rm demo staging

# refused EXIT MESSAGE PROJECT ENV NAME <value
refused() {
    local wanted=$1 text=$2 status=0 output
    shift 2
    output=$(ctl secret set "$@" 2>&1) || status=$?
    check_equal "refused: $*: $text" "$wanted" "$status"
    check_match "refused: $*: says why" "$text" "$output"
}
refused 2 'name of a variable' demo production 9LIVES <<<x
refused 2 'every step has a variable' demo production PATH <<<x
refused 2 'every step has a variable' demo production ENV <<<x
refused 2 'runbookd.s own' demo production RUNBOOK_RUN <<<x
refused 2 'value of the variable ENV' demo $'a\nb' A <<<x
refused 2 'not a project name' ../x production A <<<x
refused 3 'no project of this name' nobody production A <<<x
refused 2 'value is empty' demo production A </dev/null
refused 2 'value is empty' demo production A <<<""
refused 2 'NUL byte' demo production A < <(printf 'a\0b')
refused 2 'longer than 65536' demo production A < <(head -c 65537 /dev/zero | tr '\0' x)
# on_terminal TEXT: what is said when that is typed or pasted
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
check_match "on a terminal, which shows nothing" '^0 value of A \(not shown\): A: set' "$(on_terminal $'typed\n')"
check_match "a key that is pasted is not cut" '^2 .*one line of less.*nothing was set' "$(on_terminal $'typed\nkey\n')"
check_match "nor is a long line" '^2 .*one line of less' "$(on_terminal "$(printf 'x%.0s' {1..5000})"$'\n')"
check_equal "the first is as it was" "1 removed" "$(ctl secret rm demo typed A)"
check "64 KiB are fine" sh -c "head -c 65536 /dev/zero | tr '\\0' x | '$BIN/runbookctl' secret set demo big A"
big() { head -c 65536 /dev/zero | tr '\0' x | ctl secret set demo big "B$1"; }
for i in $(seq 15); do big "$i" >/dev/null 2>&1; done
check_match "an ENV has room for 1 MiB" 'more than 1 MiB' "$(big 16 2>&1)"
check_equal "all of an ENV go" "16 removed" "$(ctl secret rm demo big --all | sed 's/^15/16/')"
check_equal "the api wants what is sealed" 400 "$(api projects/demo/secrets -o /dev/null -w '%{http_code}' \
    -H 'Content-Type: application/json' -d '{"env":"e","name":"N","sealed":"aGVsbG8="}')"
check_equal "and sealed for this scheduler" 412 "$(api projects/demo/secrets -o /dev/null -w '%{http_code}' \
    -H 'Content-Type: application/json' -d "{\"env\":\"e\",\"name\":\"N\",\"sealed\":\"$(head -c 99 /dev/urandom | base64 -w0)\"}")"
check_match "no way to read one" '"error"' "$(api projects/demo/secrets/TOKEN)"

# ---- who gets what ----

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
check_equal "by global.env" "$(digest staging)  -
0" "$(log global)"
check_equal "by the step's env, which wins" "$(digest production)  -
$(digest lines)  -" "$(log "step wins")"
check_equal "none without ENV" none "$(log unset)"
check_equal "none for another ENV" none "$(log unknown)"
check_equal "a clash fails the step" failed "$(step_field "$run" clash state)"
check_match "and names the variables" 'DEPLOY_KEY, TOKEN' "$(step_field "$run" clash reason)"
check_equal "it never ran" null "$(api "runs/$run" | jq -r '.steps[] | select(.name == "clash") | .attempts[-1].started_usec')"
check_match "masked where it is printed" '^value: \*\*\*\.$' "$(log prints)"
check_equal "no ENV at all, no secrets" none "$(
    id=$(push_run other <<<'{global: {network: none}, steps: [{name: s, command: "echo ${TOKEN-none}"}]}')
    wait_run "$id" >/dev/null
    step_log "$id" s
)"

# ---- a retry gets what is there now ----

set_secret demo staging TOKEN rotated >/dev/null
again=$(ctl --json retry "$run" | jq .run)
wait_run "$again" >/dev/null
check_equal "a retry has the new value" "$(digest rotated)  -" \
    "$(step_log "$again" "$(step_field "$again" global slug)" | head -n 1)"
check "one step again, too" ctl retry "$run" global
wait_run "$run" >/dev/null
check_equal "it has the new value" "$(digest rotated)  -" "$(log global | head -n 1)"

# ---- none for what is not the repository's own ----

probe() { echo "{global: {network: none, env: {ENV: production}}, steps: [{name: s, command: 'echo \"\${TOKEN-none} \$RUNBOOK_SECRETS_WITHHELD\"; false'}]}"; }
probe >"$TEST_TMP/repos/demo/runbook.yml"
push_commit "$TEST_TMP/repos/demo" "a proposal" >/dev/null
git -C "$TEST_TMP/repos/demo" push -q origin HEAD:refs/pull/7/head
run=$(ctl --json trigger demo --ref refs/pull/7/head | jq .run)
wait_run "$run" >/dev/null
check_match "fork-pr: none for a ref of pull requests" '^none secrets withheld: the ref' "$(log s)"
check_match "fork-pr: a step that fails says so" 'exit code 1 \(secrets withheld' "$(step_field "$run" s reason)"
check_match "fork-pr: its event, too" 'withheld: the ref' "$(api "runs/$run/events" --max-time 5)"
# pull NUMBER HEAD-REPOSITORY: a pull request of the commit that is there, prints its run
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
check_match "fork-pr: nor for its retry" '^none secrets withheld' "$(step_log "$again" s)"
run=$(pull 9 null)
wait_run "$run" >/dev/null
check_match "fork-pr: nor where the fork is gone" '^none secrets withheld' "$(log s)"
git -C "$TEST_TMP/repos/demo" commit -q --allow-empty -m stray
git -C "$TEST_TMP/repos/demo" push -q origin HEAD:refs/pull/12/head
run=$(ctl --json trigger demo --commit "$(git -C "$TEST_TMP/repos/demo" rev-parse HEAD)" | jq .run)
wait_run "$run" >/dev/null
check_match "fork-pr: none for a commit that no branch or tag has" '^none secrets withheld: no branch or tag' "$(log s)"
git -C "$TEST_TMP/repos/demo" commit -q --allow-empty -m own
run=$(pull 10 1)
wait_run "$run" >/dev/null
check_match "a pull request of the repository itself gets them" '^\*\*\* $' "$(log s)"
ctl run "$TEST_TMP/repos/demo" >/dev/null 2>&1
run=$(api 'runs?limit=1' | jq '.runs[0].id')
check_match "none for an upload" '^none secrets withheld: this is an uploaded' "$(log s)"
echo "SecretsForForks=yes" >>"$root/etc/runbookd/projects.d/demo.conf"
api reload -X POST >/dev/null
run=$(ctl --json trigger demo --ref refs/pull/7/head | jq .run)
wait_run "$run" >/dev/null
check_match "unless the project says so" '^\*\*\* $' "$(log s)"
sed -i '/^SecretsForForks/d' "$root/etc/runbookd/projects.d/demo.conf"
api reload -X POST >/dev/null

# ---- while a step has them: memory, /proc, files ----

run=$(push_run demo <<'Y'
global: {network: none, env: {ENV: production}}
steps: [{name: s, command: 'echo "$TOKEN"; sleep 900'}, {name: t, command: 'echo "$TOKEN"; sleep 900'}]
Y
)
check "steps have them" wait_for 30 run_has_running "$run" 2
mapfile -t OURS < <(pgrep -P "$DAEMON_PID" 'runbook-[a-hj-z]|runbook-image')
mapfile -t INITS < <(pgrep -x runbook-init -P "$DAEMON_PID")
check_equal "two steps, two inits" 2 "${#INITS[@]}"
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
check_not "the search finds what is there" scan "$TEST_TMP/values"
check "core-dump: root's would have none" scan "core:$DAEMON_PID"
check "core-dump: no core of ours would have one" scan "${OURS[@]/#/core:}"
check "core-dump: nor one of a step's init" scan "${INITS[@]/#/core:}"
# what the debugger writes, which root may use on everybody
check "core-dump: cores are written" sh -c "cd '$TEST_TMP' && mkdir cores && gcore -o cores/core $DAEMON_PID ${OURS[*]} ${INITS[*]} >/dev/null 2>&1"
check_equal "core-dump: of everybody" $((1 + ${#OURS[@]} + ${#INITS[@]})) "$(find "$TEST_TMP/cores" -size +30k | wc -l)"
check "core-dump: they have none" scan "$TEST_TMP/cores"
rm -r "$TEST_TMP/cores"
check "info-leak: no argument and no environment of others" scan "procs:$$"
check "local-user: no file" scan "$root" "$TEST_TMP/daemon.log" "$TEST_TMP/repos"
for pid in "${OURS[@]}"; do
    uid=$(awk '/^Uid:/ { print $2 }' "/proc/$pid/status")
    check_equal "core-dump: $(cat "/proc/$pid/comm") dumps no core" "0 0" "$(awk '/core file size/ { print $5, $6 }' "/proc/$pid/limits")"
    check_equal "core-dump: its memory is root's alone" 0 "$(stat -c %u "/proc/$pid/environ")"
    check_not "local-user: nor its own user's" setpriv --reuid "$uid" --regid "$uid" --clear-groups \
        dd if="/proc/$pid/mem" of=/dev/null bs=1 count=1 skip=4194304
done
ctl cancel "$run" >/dev/null
wait_run "$run" >/dev/null

# ---- afterwards ----

collect_answers
check "nothing of it in a core of root" scan "core:$DAEMON_PID"
check "nothing is left in any memory" scan "${OURS[@]/#/memory:}"
check "log-hostile: not in database, logs, answers" scan "$root" "$TEST_TMP/daemon.log" "$TEST_TMP/answers" "$TEST_TMP/repos"
check "the log of runbookd names them" grep -q 'secret TOKEN of project demo, ENV production: set' "$TEST_TMP/daemon.log"

# ---- a new key ----

key_id() { ctl --json secret ls | jq -r .key; }
before=$(key_id)
cp -p "$KEY" "$TEST_TMP/values/key.before"
check_match "a new key" '[0-9]+ secrets, encrypted with the key' "$(ctl secret rekey)"
after=$(key_id)
check_not "is another one" test "$before" = "$after"
check "the file forgets the old one" wait_for 10 sh -c "[ \$(wc -l <'$KEY') = 1 ] && grep -q '^$after ' '$KEY'"
check_equal "and is root's alone" "0 600" "$(stat -c '%u %a' "$KEY")"
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
check_equal "secrets are as before" "$BOTH" "$(opens rekeyed)"

# ---- kill -9 of the scheduler in the middle of it ----

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
check "$ROUNDS kills: one key is left, the right one" wait_for 20 settled
check_equal "nothing is lost" 19 "$(ctl --json secret ls | jq '.secrets | length')"
check_equal "no problem" null "$(ctl --json secret ls | jq -c .problem)"
check_equal "and all of it opens" "$BOTH" "$(opens killed)"
check "the last key can be changed" ctl secret rekey
check_equal "fillers go" "15 removed" "$(ctl secret rm demo filler --all)"

# ---- keys that are wrong, lost, open; restarts ----

again() {
    stop_daemon
    start_daemon || exit 1
}
# lost PROBLEM DESCRIPTION: nothing is lost, who needs none goes on
lost() {
    # shellcheck disable=SC2317  # called by check
    said() { ctl --json secret ls | jq -r .problem | grep -q "$1"; }
    check "$2: it is noticed" wait_for 10 said "$1"
    check_match "$2: says so" "$1" "$(ctl --json secret ls | jq -r .problem)"
    run=$(push_run demo "$RANDOM-$RANDOM" <<'Y'
global: {network: none}
steps: [{name: needs, env: {ENV: production}, command: "true"}, {name: needs none, command: "true"}]
Y
)
    wait_run "$run" >/dev/null
    check_equal "$2: who needs one is errored" errored "$(step_field "$run" needs state)"
    check_match "$2: and told why" "cannot be decrypted.*$1" "$(step_field "$run" needs reason)"
    check_equal "$2: who needs none goes on" succeeded "$(step_field "$run" "needs none" state)"
    check_match "$2: none is set over it" "$1" "$(echo x | ctl secret set demo production NEW 2>&1)"
    check_match "$2: there is no new key" "$1" "$(ctl secret rekey 2>&1)"
    check_equal "$2: all are still there" 4 "$(ctl --json secret ls | jq '.secrets | length')"
}
cp -p "$KEY" "$TEST_TMP/values/key"
sed -i 's/0$/1/; t; s/.$/0/' "$KEY"
again
lost 'is not the one of that name in' "a wrong key"
rm "$KEY"
api reload -X POST >/dev/null
lost 'is not in' "a lost key"
check_equal "a key of its own was made" "0 600" "$(stat -c '%u %a' "$KEY")"
chmod 0644 "$KEY"
again
lost 'can be read by others than root' "a key for everybody"
cp -p "$TEST_TMP/values/key.before" "$KEY"
api reload -X POST >/dev/null
lost 'is not in' "an old key"
check_match "doctor says so" '"secret store"' "$(ctl --json doctor | jq -c '.checks[] | select(.result == "failed")')"
cp -p "$TEST_TMP/values/key" "$KEY"
api reload -X POST >/dev/null
check_equal "put back, and all is well" "$BOTH" "$(opens back)"
rm "$KEY"
api reload -X POST >/dev/null
check "removed while its key is in use: another one is taken" wait_for 10 settled
check_not "not the one before" grep -qFf "$KEY" "$TEST_TMP/values/key"
again
check_equal "and nothing is lost" "$BOTH" "$(opens removed)"

# ---- a credential of systemd ----

stop_daemon
mkdir -m 0700 "$TEST_TMP/credentials"
{ echo "new-one $(openssl rand -hex 32)"; cat "$KEY"; } >"$TEST_TMP/credentials/runbookd.secret-key"
mv "$KEY" "$TEST_TMP/values/key.moved"
export CREDENTIALS_DIRECTORY=$TEST_TMP/credentials
start_daemon || exit 1
check_equal "by a credential" "$BOTH" "$(opens credential)"
check_not "no file is made" test -e "$KEY"
check "rekey takes its first key" ctl secret rekey
check_equal "which is in force" new-one "$(key_id)"
check_match "and asks for a newer one then" 'credential.*cannot change' "$(ctl secret rekey 2>&1)"
stop_daemon
sed -i 1q "$TEST_TMP/credentials/runbookd.secret-key"
start_daemon || exit 1
check_equal "the old key is not needed any more" "$BOTH" "$(opens newest)"
unset CREDENTIALS_DIRECTORY

# ---- files with secrets of projects ----

chmod o+r "$root/etc/runbookd/projects.d/other.conf"
check_match "config: a Secret= that everybody can read is refused" 'run `chmod o-r' "$(api reload -X POST)"
check_match "doctor: finds it" 'all users can read' "$(ctl --json doctor | jq -r '.checks[] | select(.check == "secret files") | .seen')"
chmod o-r "$root/etc/runbookd/projects.d/other.conf"

collect_answers
stop_daemon
check "in the end: no file has one" scan "$root" "$TEST_TMP/daemon.log" "$TEST_TMP/answers" "$TEST_TMP/repos" "$TEST_TMP"/rekey.*
finish
