#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs inside user-mode Linux: limits that really limit.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

sandbox() { "$BIN/runbook-sandbox" "$@"; }
n_processes() { find /proc -maxdepth 1 -name '[0-9]*' | wc -l; }
groups_left() { find /sys/fs/cgroup -mindepth 1 -type d | wc -l; }

check "the guest has the controllers" grep -qw memory /sys/fs/cgroup/cgroup.controllers
check "a sandbox starts under limits" sandbox --memory 128M --pids 64 --cpus 1 -- true

# fork-bomb: ends, bounded, and nothing of it is left
before=$(n_processes)
check_not "fork-bomb: the bomb does not succeed" \
    sandbox --pids 40 --timeout 5s -- bash -c 'bomb() { bomb | bomb & }; bomb; sleep 60'
check "fork-bomb: its processes are gone" wait_for 10 sh -c "[ \$(find /proc -maxdepth 1 -name '[0-9]*' | wc -l) -le $((before + 2)) ]"
output=$(sandbox --pids 20 -- bash -c 'for i in $(seq 40); do sleep 5 & done 2>&1; jobs -r | wc -l' 2>&1)
check_match "pids: fork is refused at the limit" "Resource temporarily unavailable" "$output"

# mem-bomb: the limit's name and value reach the user
output=$(sandbox --memory 64M -- bash -c 'x=$(head -c 200000000 /dev/zero | tr "\0" x); echo survived' 2>&1)
status=$?
check_match "mem-bomb: reported as what it is" "out of memory: limit 64M" "$output"
check_equal "mem-bomb: exit status of a KILL" 137 "$status"
check "mem-bomb: within the limit all is well" sandbox --memory 64M -- bash -c 'x=$(head -c 1000000 /dev/zero | tr "\0" x); true'

# disk-bomb: ENOSPC, not the host's disk
output=$(sandbox --disk 8M -- sh -c 'head -c 64M /dev/zero > big' 2>&1)
check_match "disk-bomb: the step gets ENOSPC" "No space left on device" "$output"

# no-die: the deadline ends what will not end
check_status "no-die: TERM ignored, double fork, setsid" 124 \
    sandbox --timeout 1s -- bash -c 'trap "" TERM; (setsid sh -c "trap \"\" TERM; while :; do sleep 1; done" &) ; while :; do sleep 1; done'
check "no cgroup is left" wait_for 5 sh -c '[ $(find /sys/fs/cgroup -mindepth 2 -type d | wc -l) = 0 ]'
