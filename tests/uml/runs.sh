# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by guest.sh: the whole service with its limits required: what all steps
# of a run use together, and what is told of it. The workspace lies on the disk,
# since nothing else here can be mapped to other ids.

mkdir -p /tmp/disk "$TEST_TMP/root/etc/runbookd/projects.d"
mount -t ext4 /dev/ubda /tmp/disk
mkdir -p /tmp/disk/tree
chown 1000:1000 /tmp/disk/tree
printf '[Project]\nWorkspace=/tmp/disk/tree\nRunPids=70\n' >"$TEST_TMP/root/etc/runbookd/projects.d/runs.conf"

# run_of: the run of a runbook on standard input
run_of() {
    cat >/tmp/disk/tree/runbook.yml
    "$BIN/runbookctl" trigger runs --json | jq -r '.run // .id'
}
# any_step RUN CONDITION: one of its steps is like that
any_step() { api "runs/$1" | jq -e "[.steps[] | select($2)] | length > 0"; }
# until_step RUN CONDITION: waits for that, for at most two minutes
until_step() {
    for _ in $(seq 120); do
        ! any_step "$1" "$2" || return 0
        sleep 1
    done
    return 1
}

if start_daemon "[Daemon]" "Limits=required" "MaxRunning=4" "[Limits]" "RunMemory=64M"; then
    check_equal "all steps together leave memory to the host" 1 \
        "$(awk -v total="$(awk '/^MemTotal/ {print $2 * 1024}' /proc/meminfo)" '{print ($1 < total - 100000000) ? 1 : 0}' \
            /sys/fs/cgroup/runbookd-steps-*/memory.max)"
    run=$(run_of <<'YML'
global: {network: none, resources: {memory: 48M}}
steps:
  - {name: one, command: head -c 40M /dev/zero >/tmp/big && sleep 1000}
  - {name: two, command: head -c 40M /dev/zero >/tmp/big && sleep 1000}
YML
    )
    check "run-memory: one of two steps within their own limits ends" until_step "$run" '.state == "failed"'
    check "run-memory: by the limit of their run" any_step "$run" \
        '.reason | test("^out of memory: limit 64M for all steps of the run, of which this one took [0-9]+[MK]?")'
    check "run-memory: the other goes on" any_step "$run" '.state == "running"'
    check_equal "run-memory: the group of the run has the limit" 67108864 \
        "$(cat /sys/fs/cgroup/runbookd-steps-*/run-"$run"/memory.max)"
    "$BIN/runbookctl" cancel "$run" >/dev/null
    check_equal "run-memory: cancelled" cancelled "$(wait_run "$run" 90)"
    check "run-memory: the group of the run is gone" wait_for 20 sh -c "! ls -d /sys/fs/cgroup/runbookd-steps-*/run-$run"

    run=$(run_of <<'YML'
global: {network: none}
steps:
  - name: forks
    command: for i in $(seq 200); do sleep 1000 & done
    shell: bash -e
  - {name: small, command: head -c 20M /dev/zero >/tmp/big, resources: {memory: 40M}}
  - {name: slow, command: "true", resources: {io: 1M}}
YML
    )
    check_match "the run ends" 'failed|errored' "$(wait_run "$run" 120)"
    check_match "run-pids: the step is told so" "process limit 70 of the run reached: [0-9]+ forks? refused" \
        "$(step_field "$run" forks reason)"
    peak=$(step_field "$run" small usage.memory_peak)
    check "usage: files count for the peak of memory ($peak)" [ "$peak" -ge 20971520 -a "$peak" -le 41943040 ]
    check_match "usage: io is known" '^[0-9]+$' "$(step_field "$run" small usage.io_read)"
    check_match "usage: shown" 'small +succeeded +.*cpu [0-9.]+s  peak [0-9.]+M  io [0-9.]+[KM]?/[0-9.]+' \
        "$("$BIN/runbookctl" show "$run")"
    check_match "io: a host that cannot limit it says so" 'cannot limit io: the file system of ' "$(step_field "$run" slow reason)"
    stop_daemon
    check_equal "no group of steps is left" "" "$(ls -d /sys/fs/cgroup/runbookd-steps-* 2>/dev/null)"
else
    cat "$TEST_TMP/daemon.log"
fi
umount -l /tmp/disk
