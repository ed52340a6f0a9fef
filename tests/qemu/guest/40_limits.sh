#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The limits of all controllers of a real kernel, for steps of the installed service.
# shellcheck source=tests/qemu/guest/lib.sh
. "$(dirname "$0")/lib.sh"

installed_project limits
systemctl reload runbookd
wait_for 20 sh -c 'runbookctl project ls | grep -q limits'
run=$(installed_push limits <<'YML'
global: {network: none}
steps:
  - name: memory
    resources: {memory: 32M}
    command: tail /dev/zero; echo survived
  - name: pids
    resources: {pids: 16}
    command: |
      for i in $(seq 30); do sleep 2 & done
      jobs -r | wc -l
  - name: cpu
    resources: {cpu: 0.2}
    command: |
      i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done
  - name: disk
    resources: {disk: 8M}
    command: head -c 64M /dev/zero >big
YML
)
check_equal "the run fails" failed "$(wait_run "$run" 180)"
check_match "memory: the reason names the limit" 'out of memory: limit 32M' "$(step_field "$run" memory reason)"
check_match "pids: fork is refused" 'Resource temporarily unavailable' "$(step_log "$run" pids)"
check_match "disk: a write fails for lack of space" 'No space left on device' "$(step_log "$run" disk)"
check_equal "runbookd.service is still active" active "$(systemctl is-active runbookd)"
check "no step's cgroup remains" wait_for 10 sh -c "! ls -d $(steps_group)/runbookd-steps/*/ 2>/dev/null"
