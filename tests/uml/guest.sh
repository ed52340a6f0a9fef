#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs inside user-mode Linux: limits that really limit.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

# not in /var/lib of the host, whose files these are
export RUNBOOK_ROOT=$TEST_TMP/root

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

# delegation: a group with a process in it cannot hand controllers on. One that
# was handed to us does so from a leaf; any other is left as it is.
echo "+memory +pids +cpu" >/sys/fs/cgroup/cgroup.subtree_control
mkdir -p /sys/fs/cgroup/slice/{service,scope}
echo "+memory +pids +cpu" >/sys/fs/cgroup/slice/cgroup.subtree_control
python3 -c 'import os; os.setxattr("/sys/fs/cgroup/slice/service", "user.delegate", b"1")'
in_group() { bash -c 'echo $$ >/sys/fs/cgroup/slice/$0/cgroup.procs; "$@"' "$@"; }
limited() { "$BIN/runbook-sandbox" --memory 64M --pids 32 -- cat /sys/fs/cgroup/{memory,pids}.max | xargs; }
export -f limited
check_equal "delegated: from the group itself, then from the leaf" \
    "67108864 32 /slice/service/runbook-sandbox.self 67108864 32" \
    "$(in_group service bash -c 'limited; cut -d: -f3 /proc/self/cgroup; limited' | xargs)"
check_equal "not delegated: steps run without limits" domain \
    "$(in_group scope "$BIN/runbook-sandbox" -- cat /sys/fs/cgroup/cgroup.type)"
check_status "not delegated: limits are refused, not forgotten" 125 \
    in_group scope "$BIN/runbook-sandbox" --memory 64M -- true
check_equal "not delegated: the group stays as it was" domain/ \
    "$(cd /sys/fs/cgroup/slice/scope && echo "$(cat cgroup.type)/$(cat cgroup.subtree_control)")"
