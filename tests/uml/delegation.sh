# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by guest.sh, as its last part: it leaves groups behind.
# Delegation: a group with a process in it cannot hand controllers on. One that
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
