#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runbookd itself: it refuses bad configurations, starts, reloads, restarts children, stops, and is
# killed.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
root=$TEST_TMP/root
conf=$root/etc/runbookd

# ---- configurations, before anything runs ----
mkdir -p "$conf/projects.d" "$conf/runbookd.conf.d"
config_test() { "$BIN/runbookd" --root "$root" --config-test 2>&1; }
check "a missing configuration is valid" config_test
printf '[Webhook]\nListn=none\n' >"$conf/runbookd.conf"
check_match "a misspelled key is named with file, line and hint" \
    'runbookd.conf:2: unknown key Listn= in \[Webhook\], did you mean Listen=\?' "$(config_test)"
check_status "a misspelled key is exit 1" 1 config_test
cp "$TOP/packaging/runbookd.conf" "$conf/runbookd.conf"
check "the packaged configuration is valid" config_test
sed -i 's/^#\([A-Z][A-Za-z]*=\)/\1/' "$conf/runbookd.conf"
check "the packaged configuration with every default spelled out is valid" config_test
chmod o+w "$conf/runbookd.conf"
check_match "a file that everybody can write is refused with the fix" 'run `chmod o-w' "$(config_test)"
rm "$conf/runbookd.conf"
check_status "an unknown option is exit 2" 2 "$BIN/runbookd" --nope
check_status "a surplus argument is exit 2" 2 "$BIN/runbookd" --root "$root" extra
check_match "--version prints name and version" '^runbookd [0-9]' "$("$BIN/runbookd" --version)"
check_match "without root the message says that it must be root" 'must be started as root' \
    "$(setpriv --reuid 65534 --clear-groups "$BIN/runbookd" --root "$root" 2>&1)"
mkdir -p "$root/var/lib/runbookd"
ln -s /tmp "$root/var/lib/runbookd/trees"
printf '[Daemon]\nLimits=best-effort\n[Webhook]\nListen=127.0.0.1:0\n[Api]\nListen=none\n' >"$conf/runbookd.conf"
check_match "a symlinked state directory is refused" 'trees is a symbolic link' \
    "$("$BIN/runbookd" --root "$root" 2>&1)"
rm "$root/var/lib/runbookd/trees"

# ---- start ----
make_repository "$TEST_TMP/demo"
cat >"$TEST_TMP/demo/runbook.yml" <<'Y'
global: {network: none}
steps:
  - {name: polite, command: "trap 'echo bye; exit 0' TERM; echo up; sleep 300 & wait"}
  - {name: deaf, command: "trap '' TERM; echo up; while :; do sleep 300; done"}
Y
commit=$(push_commit "$TEST_TMP/demo" first)
add_project demo "file://$TEST_TMP/demo.git" s3cret
start_daemon || exit 1
check_match "webhook.address has the port that 0 picked" '^http://127.0.0.1:[1-9][0-9]+$' "$WEBHOOK_URL"
check_equal "the api's socket has mode 0660" 660 "$(stat -c %a "$root/run/runbookd/api.sock")"
check_equal "only root may enter the directory of steps" "0 700" "$(stat -c '%u %a' "$root/run/runbookd/steps")"
check_equal "logs have mode 2750" 2750 "$(stat -c %a "$root/var/log/runbookd")"

child() { pgrep -P "$DAEMON_PID" -x "$(printf %.15s "$1")"; }
for program in runbook-webhook runbook-scheduler runbook-fetcher runbook-cacher runbook-api; do
    status=/proc/$(child $program)/status
    check_equal "$program has no capability, no_new_privs and a filter" \
        "CapEff 0000000000000000 NoNewPrivs 1 Seccomp 2" \
        "$(awk -F'[:\t ]+' '/^(CapEff|NoNewPrivs|Seccomp):/ {printf "%s%s %s", n++ ? " " : "", $1, $2}' "$status")"
    check_not "$program is not root" grep -Eq '^Uid:.*\b0\b' "$status"
done
check_match "a second instance is refused, and the message names the first" "another runbookd \(pid $DAEMON_PID\) runs" \
    "$("$BIN/runbookd" --root "$root" 2>&1)"

# ---- reload ----
status_of() { curl -sS -o /dev/null -w '%{http_code}' -X POST -H 'Content-Type: application/json' \
    -d '{}' "$1" 2>/dev/null; }
log_has() { grep -Eq "$1" "$TEST_TMP/daemon.log"; }
check_equal "an unknown project gets 404" 404 "$(status_of "$WEBHOOK_URL/webhook/other")"
echo 'nonsense' >"$conf/runbookd.conf.d/bad.conf"
kill -HUP "$DAEMON_PID"
check "a broken reload is refused" wait_for 20 log_has 'reload refused.*bad.conf:1: expected Key=value'
check_match "the api reports the refused reload" 'bad.conf:1' \
    "$(api reload -X POST -H 'Content-Type: application/json' -d '{}')"
check_equal "after a refused reload the old configuration stays in use" 401 "$(status_of "$WEBHOOK_URL/webhook/demo")"
printf '[Webhook]\nListen=127.0.0.1:0\nListen=unix:%s/hook.sock\n' "$TEST_TMP" >"$conf/runbookd.conf.d/bad.conf"
add_project other "file://$TEST_TMP/demo.git" s3cret
kill -HUP "$DAEMON_PID"
reloaded() { [ "$(status_of "$WEBHOOK_URL/webhook/other")" = 401 ]; }
check "a reload adds a project, at the same port" wait_for 20 reloaded
check_equal "a reload adds a socket of the api" 200 "$(curl -sS -o /dev/null -w '%{http_code}' \
    --unix-socket "$TEST_TMP/hook.sock" http://x/healthz)"
check_equal "after a reload webhook.address still has the port" "$WEBHOOK_URL" "http://$(head -n 1 "$root/run/runbookd/webhook.address")"

# ---- a child that is killed repeatedly ----
for _ in 1 2 3; do
    old=$(child runbook-api)
    kill -KILL "$old"
    back() { local new; new=$(child runbook-api) && [ "$new" != "$old" ] && api status >/dev/null; }
    check "the api comes back" wait_for 10 back
done

# ---- stop ----
push_payload "$commit" >"$TEST_TMP/body"
check_match "a push is accepted" ' 202$' "$(deliver demo s3cret d1 "$TEST_TMP/body")"
both_up() { [ "$(cat "$root"/var/log/runbookd/demo/1/*.log | grep -c up)" = 2 ]; }
check "two steps run" wait_for 20 both_up
check_equal "a running step keeps no dead process of its start" 0 "$(pgrep -c -r Z -P "$DAEMON_PID")"
own=$(pgrep -P "$DAEMON_PID" -x runbook-init | while read -r pid; do sed -n 's/^Anonymous: *\([0-9]*\) kB/\1/p' "/proc/$pid/smaps_rollup"; done)
check_match "PID 1 of a step keeps no memory of the command's start, but a few pages" '^(4|8|12|16)$' "$(sort -nu <<<"$own" | tail -n 1)"
begin=$SECONDS
kill -TERM "$DAEMON_PID"
gone() { ! kill -0 "$DAEMON_PID" 2>/dev/null; }
check "runbookd stops when the grace period is over" wait_for 25 gone
check_match "runbookd does not stop before the grace period is over" '^(9|1[0-9])$' $((SECONDS - begin))
check_match "a step that handles SIGTERM printed its last line" bye "$(cat "$root/var/log/runbookd/demo/1/polite.1.log")"
check_not "no process remains" pgrep -f -- "--root $root"
check_equal "no mount remains" "" "$(grep -F "$TEST_TMP" /proc/self/mountinfo)"
check_equal "no step directory remains" "" "$(ls "$root/run/runbookd/steps")"

# ---- started again, and killed ----
DAEMON_PID=
start_daemon || exit 1
check_equal "after a restart the run has its result" cancelled "$(run_state 1)"
check_match "after a restart the run has the reason of its result" 'runbookd was stopped' "$(api runs/1)"
DAEMON_OLD=$DAEMON_PID
commit=$(push_commit "$TEST_TMP/demo" second)
push_payload "$commit" >"$TEST_TMP/body"
check_match "a push of a new commit is accepted" ' 202$' "$(deliver demo s3cret d3 "$TEST_TMP/body")"
run=$(api 'runs?limit=1' | jq -r '.runs[0].id')
both_up_again() { [ "$(cat "$root/var/log/runbookd/demo/$run"/*.log | grep -c up)" = 2 ]; }
check "the steps of the new run start" wait_for 20 both_up_again
kill -KILL "$DAEMON_PID"
wait "$DAEMON_PID" 2>/dev/null
alone() { ! pgrep -f -- "--root $root" >/dev/null; }
check "the children of a killed runbookd end" wait_for 10 alone
DAEMON_PID=
start_daemon || exit 1
check_not "the next runbookd has another pid" [ "$DAEMON_PID" = "$DAEMON_OLD" ]
check_equal "the run of the killed runbookd is errored" errored "$(wait_run "$run" 20)"
check_match "the reason of that run is a lost host" 'host lost' "$(api "runs/$run")"
check_not "the commands of the killed runbookd's steps are gone" pgrep -f 'trap .. TERM; echo up; while'
check_equal "no mount of the killed runbookd remains" "" "$(grep -F "$TEST_TMP" /proc/self/mountinfo)"

# ---- a child that does not end when runbookd stops ----
kill -STOP "$(pgrep -P "$DAEMON_PID" -x runbook-schedul)"
kill -TERM "$DAEMON_PID"
check "runbookd begins to stop" wait_for 10 grep -q stopping "$TEST_TMP/daemon.log"
sleep 1
rests() { # it sleeps in most samples; a single one may find it at work
    local n=0
    for _ in $(seq 20); do
        grep -q '^State:.S' "/proc/$DAEMON_PID/status" && n=$((n + 1))
        sleep 0.05
    done
    [ $n -ge 12 ]
}
check "runbookd sleeps until the child's deadline" rests
check "runbookd stops although the child does not end" wait_for 20 sh -c "! kill -0 $DAEMON_PID"
check_match "a message names the child" 'runbook-scheduler .pid [0-9]+. did not end in time; killing it' "$(cat "$TEST_TMP/daemon.log")"
stop_daemon
