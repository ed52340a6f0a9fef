#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# systemd restarts runbookd, and starts it again after kill -9, while steps run: the steps
# continue, their logs are complete, their limits apply. An emulated machine may take most of a
# minute for the two restarts while other tests run, so the steps run longer than that.
# seconds: 600
# shellcheck source=tests/qemu/guest/lib.sh
. "$(dirname "$0")/lib.sh"

installed_project adopt
printf '%s\n' "[Daemon]" "MaxRunning=8" >$CONF/runbookd.conf.d/adopt.conf
systemctl reload runbookd
wait_for 20 sh -c 'runbookctl project ls | grep -q adopt'
# the link of the gateway, before any step of this boot needs it
link() { ip -o link | sed -nE 's/^([0-9]+): rbk-up[0-9]@.*/\1/p'; }
has_link() { [ -n "$(link)" ]; }
check "runbookd has made its link" wait_for 60 has_link
link=$(link)
ip -o monitor link address route >/tmp/adopt.events 2>/dev/null &
monitor=$!
run=$(installed_push adopt <<'YML'
global: {network: none}
steps:
  - name: tick
    command: |
      i=0; while [ $SECONDS -lt 110 ]; do echo $((++i)); sleep 0.01; done; echo end $i
  - name: out
    network: egress
    command: |
      sleep 100; ip -br address show dev eth0; exit 9
  - name: memory
    resources: {memory: 32M}
    command: sleep 100; tail /dev/zero
YML
)
running() { api "runs/$1" | jq -e '[.steps[] | select(.state == "running")] | length == 3'; }
counted() {
    awk '$1 == "end" { e = $2; next } $1 != ++n { print "line " NR " is " $0; bad = 1; exit }
        END { if (!bad) print (e == n ? "whole" : "cut at " n), e }' "/var/log/runbookd/adopt/$1/tick.1.log"
}
inits() { pgrep -x runbook-init | sort | xargs; }

inits_are() { [ "$(pgrep -c -x runbook-init)" = "$1" ]; }
check "three steps run" wait_for 60 running "$run"
check "three inits of steps are found" wait_for 60 inits_are 3
before=$(inits) old=$(main_pid)
begin=$SECONDS
check "systemctl restart succeeds" systemctl restart runbookd
check_not "after the restart, runbookd is another process" test "$old" = "$(main_pid)"
check_equal "after the restart, the sandboxes are the same" "$before" "$(inits)"
old=$(main_pid)
kill -KILL "$old"
back() { [ "$(main_pid)" != "$old" ] && [ "$(main_pid)" != 0 ] && runbookctl status; }
check "systemd starts it again after kill -9" wait_for 60 back
check_equal "after kill -9, the sandboxes are the same" "$before" "$(inits)"
echo "45_adopt: both restarts took $((SECONDS - begin)) s"
check_equal "the run ends as failed" failed "$(wait_run "$run" 180)"
check_equal "the counting step succeeds" succeeded "$(step_field "$run" tick state)"
check_match "the log of the counting step is complete" '^whole [0-9]+$' "$(counted "$run")"
check_equal "a step has its exit code" 9 "$(step_field "$run" out exit_code)"
check_match "the step's network still exists" '^eth0.* UP ' "$(step_log "$run" out)"
kill $monitor
check_equal "runbookd has the same link, and no other" "$link 1" "$(link) $(ip -o link | grep -c ' rbk')"
check_equal "steps and restarts changed no link, address or route of the host" 0 "$(grep -c rbk /tmp/adopt.events)"
check_match "a step's limit applies, and is reported" 'out of memory: limit 32M' "$(step_field "$run" memory reason)"
check_equal "each step ran once" 3 "$(api "runs/$run" | jq '[.steps[].attempts | length] | add')"
check "no step's cgroup remains" wait_for 20 sh -c "! ls -d $(steps_group)/runbookd-steps/*/ 2>/dev/null"
rm $CONF/runbookd.conf.d/adopt.conf
check "systemctl reload with the former configuration succeeds" systemctl reload runbookd
