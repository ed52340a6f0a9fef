#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Reload, restart and stop by systemctl, and kill -9.
# level: long
# shellcheck source=tests/qemu/guest/lib.sh
. "$(dirname "$0")/lib.sh"

leftovers_of_host() {
    grep -c runbook /proc/self/mountinfo
    ip -o link | grep -v -c ' lo:'
    nft list tables
    find /sys/fs/cgroup -type d -name '*runbook*'
    pgrep -l runbook
    ls /run/runbookd/steps 2>/dev/null
    find /run/netns -mindepth 1 2>/dev/null
}
installed_project life
systemctl reload runbookd
push_sleeper() {
    installed_push life <<'YML'
steps:
  - {name: polite, network: egress, command: "trap 'echo bye; exit 0' TERM; echo up; sleep 300 & wait"}
  - {name: deaf, network: none, command: "trap '' TERM; echo up; while :; do sleep 300; done"}
YML
}
running() { api "runs/$1" | jq '[.steps[] | select(.state == "running")] | length'; }
both_up() { [ "$(cat "/var/log/runbookd/life/$1"/*.log | grep -c '^up$')" = 2 ]; }

# ---- reload ----
echo nonsense >$CONF/runbookd.conf.d/bad.conf
check_not "a reload with an error in the configuration fails" systemctl reload runbookd
check_match "the journal has the place of the error" 'bad.conf:1: expected Key=value' "$(daemon_log)"
check_equal "the old configuration is still in use" 401 \
    "$(curl -s -o /dev/null -w '%{http_code}' -X POST -d '{}' $WEBHOOK_URL/webhook/life)"
rm $CONF/runbookd.conf.d/bad.conf
check "a reload with a valid configuration succeeds" systemctl reload runbookd

# ---- killed ----
run=$(push_sleeper)
check "two steps run" wait_for 60 both_up "$run"
old=$(main_pid)
kill -KILL "$old"
back() { [ "$(main_pid)" != "$old" ] && [ "$(main_pid)" != 0 ] && runbookctl status; }
check "systemd starts it again" wait_for 60 back
check_equal "both steps still run" 2 "$(running "$run")"
runbookctl cancel "$run" >/dev/null
check_equal "the run is cancelled" cancelled "$(wait_run "$run" 60)"
check_match "the polite step printed its last line" bye "$(step_log "$run" polite)"
check_not "the commands of the steps are gone" pgrep -f 'trap .. TERM; echo up; while'
check_equal "systemd restarted it once" 1 "$(property NRestarts)"

# ---- stop ----
run=$(push_sleeper)
check "two steps run again" wait_for 60 both_up "$run"
check "systemctl stop succeeds" systemctl stop runbookd
check_equal "the service ended with success" "success inactive" "$(property Result) $(systemctl is-active runbookd)"
check_equal "no process, mount or link remains" "0
0" "$(leftovers_of_host)"
check "systemctl start succeeds" systemctl start runbookd
check_equal "the run was cancelled by the stop" cancelled "$(wait_run "$run" 60)"
check_match "the polite step of that run printed its last line" bye "$(step_log "$run" polite)"
