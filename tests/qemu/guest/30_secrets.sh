#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A secret of a project, under systemd: the step has it; the journal, the database and the logs
# do not; and the processes that handled it leave no core.
# shellcheck source=tests/qemu/guest/lib.sh
. "$(dirname "$0")/lib.sh"

installed_project secretive
check "systemctl reload succeeds" systemctl reload runbookd
wait_for 20 sh -c 'runbookctl project ls | grep -q secretive'
# a value that no other file has by chance
SECRET=$(head -c 30 /dev/urandom | base64 | tr +/ xy)
check "a secret is set" sh -c "printf %s '$SECRET' | runbookctl secret set secretive production TOKEN"
run=$(installed_push secretive <<'YML'
global: {network: none, env: {ENV: production}}
steps:
  - name: s
    command: |
      echo "one $TOKEN two"; echo "three $TOKEN" >&2; printf %s "$TOKEN" | base64 -w0
      echo; printf %s "$TOKEN" | wc -c; touch up; sleep 600
YML
)
# a step that has it, and prints it
log() { cat "/var/log/runbookd/secretive/$run/s.1.log"; }
has_printed() { log | grep -qx 40; }
check "the step has printed the secret" wait_for 60 has_printed
check_match "the secret is masked in the step's log" '^one \*\*\* two$' "$(log)"

# ---- no core of a process that has or had it, even with limit and sysctl removed ----
mkdir "$TEST_TMP/cores"
pattern=$(cat /proc/sys/kernel/core_pattern) dumpable=$(cat /proc/sys/fs/suid_dumpable)
echo "$TEST_TMP/cores/%e" >/proc/sys/kernel/core_pattern
echo 1 >/proc/sys/fs/suid_dumpable
abort() {
    prlimit --pid "$1" --core=unlimited:unlimited
    kill -ABRT "$1"
}
sleep 300 &
abort $!
check "the kernel writes cores of other programs" wait_for 30 test -s "$TEST_TMP/cores/sleep"
main=$(main_pid)
mapfile -t ours < <(pgrep -P "$main" 'runbook-[a-hj-z]|runbook-image')
check "the processes of all programs are found" test ${#ours[@]} -ge 5
for pid in "${ours[@]}" "$main"; do
    abort "$pid"
    check "process $pid is gone after the signal" wait_for 30 sh -c "! [ -e /proc/$pid ]"
done
back() { [ "$(main_pid)" != "$main" ] && [ "$(main_pid)" != 0 ] && runbookctl status; }
check "runbookd is started again" wait_for 60 back
check_equal "none of them left a core" sleep "$(ls "$TEST_TMP/cores")"
echo "$pattern" >/proc/sys/kernel/core_pattern
echo "$dumpable" >/proc/sys/fs/suid_dumpable
check_equal "the step still runs" running "$(step_field "$run" s state)"
runbookctl cancel "$run" >/dev/null
wait_run "$run" 60 >/dev/null

# ---- all persistent files ----
journalctl --sync
check_not "the journal does not have the secret" sh -c "journalctl -q --no-pager -o export | grep -aF '$SECRET'"
check "the journal has the message that the secret was set" \
    sh -c "journalctl -q --no-pager -o cat | grep -q 'secret TOKEN of project secretive, ENV production: set'"
BASE64=$(printf %s "$SECRET" | base64 -w0)
check_not "the journal does not have the secret in base64" sh -c "journalctl -q --no-pager -o export | grep -aF '$BASE64'"
for form in "$SECRET" "$BASE64"; do
    check_not "no file of runbookd, of the journal, of the system" \
        grep -rlaF -e "$form" /var/lib/runbookd /var/log /run/runbookd /etc /run/log
done
