#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a step sees of the host and of other steps.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

setup_project inside
start_daemon "[Daemon]" "MaxRunning=4" || exit 1
echo 'int main(void) { return 0; }' >"$TEST_TMP/repos/inside/main.c"

run=$(push_run inside <<'YML'
global: {network: none}
steps:
  - name: id
    command: id -u; sleep 3
  - name: shadow
    command: cat /etc/shadow
  - name: usr
    command: touch /usr/runbook-was-here
  - name: secretive
    command: echo private > ~/private; echo tmp > /tmp/private; sleep 3
  - name: curious
    command: |
      sleep 1
      ! cat ~/private
      ! cat /tmp/private
      ! ls -l /proc/*/exe | grep sleep | grep -v "$$"
      ps ax 2>/dev/null | grep -c '[s]leep 3' || true
  - name: climber
    command: |
      # steps after the first start in an empty mount namespace: is anything below their root?
      perl -e '
        opendir(my $top, "/") or die; mkdir "/tmp/jail"; chroot "/tmp/jail" or die "chroot: $!";
        chdir $top or die; chdir ".." for 1..40; chroot "." or die;
        opendir(my $d, "/"); print join(" ", sort grep !/^[.]/, readdir $d), "\n";
        print -e "/stage" ? "stage seen\n" : "";'
      echo "root: $(ls / | tr '\n' ' ')"
      grep -cE ' /(stage|work|root) ' /proc/self/mountinfo || true
  - name: environment
    command: |
      env | sort
      echo "cwd $(pwd)"
      git status --porcelain | wc -l
      gcc -o prog main.c && ./prog && echo compiled
      ls -l /proc/self/fd | tail -n +2 | wc -l
YML
)
check "the step is running" wait_for 20 sh -c "curl -s --unix-socket '$API_SOCK' http://x/api/v1/runs/$run | jq -e '.steps[0].state == \"running\"'"
check "the step's process is visible on the host" wait_for 10 pgrep -f '^sleep 3$'
uid=$(for pid in $(pgrep -f '^sleep 3$'); do awk '/^Uid:/ {print $2}' "/proc/$pid/status"; done | sort -n | tail -n 1)
check "on the host the step has a high uid (${uid:-none})" [ "${uid:-0}" -ge 65536 ]
check_match "the run ends as failed" '^failed$' "$(wait_run "$run" 60)"
check_equal "id -u prints 0 in the step" 0 "$(step_log "$run" id)"
check_equal "/etc/shadow cannot be read" failed "$(step_field "$run" shadow state)"
check_not "the log has nothing of /etc/shadow" grep -q "root:[^:]*:" <(step_log "$run" shadow)
check_not "the host's /usr is not changed" [ -e /usr/runbook-was-here ]
check_equal "a step sees neither workspace, tmp nor processes of another" succeeded "$(step_field "$run" curious state)"
climbed=$(step_log "$run" climber)
check_equal "climbing out of a chroot ends at the step's own root" \
    "$(sed -n 's/^root: //; s/ $//p' <<<"$climbed")" "$(head -n 1 <<<"$climbed")"
check_equal "the step's mounts include none of the sandbox's construction" 0 "$(tail -n 1 <<<"$climbed")"
log=$(step_log "$run" environment)
check_equal "environment: the step succeeds" succeeded "$(step_field "$run" environment state)"
for line in CI=true RUNBOOK_PROJECT=inside "RUNBOOK_RUN=$run" RUNBOOK_STEP=environment RUNBOOK_ATTEMPT=1 \
    RUNBOOK_REF=refs/heads/main HOME=/workspace "cwd /workspace" compiled; do
    check_match "environment: it has $line" "^$line\$" "$log"
done
check_match "environment: it has the commit" "^RUNBOOK_COMMIT=[0-9a-f]{40}$" "$log"
check_match "git status is clean" "^0$" "$log"
check_not "environment: it has none of runbookd's own variables" grep -qE '^(RUNBOOK_ROOT|TEST_TMP)=' <<<"$log"
