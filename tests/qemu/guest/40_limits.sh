#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limits by all controllers of a real kernel, through the installed service.
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
check_equal "the run failed" failed "$(wait_run "$run" 180)"
check_match "memory: reported as what it is" 'out of memory: limit 32M' "$(step_field "$run" memory reason)"
check_match "pids: fork is refused" 'Resource temporarily unavailable' "$(step_log "$run" pids)"
check_match "disk: no space" 'No space left on device' "$(step_log "$run" disk)"
check_equal "the daemon was not hurt" active "$(systemctl is-active runbookd)"
check "no step's group is left" wait_for 10 sh -c "! ls -d $(steps_group)/runbookd-steps/*/ 2>/dev/null"
