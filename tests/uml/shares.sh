# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by guest.sh: a processor hog beside somebody polite. What is compared is
# the processor time of two groups over the same stretch, not any clock.

# cpu_of PID: microseconds of the group, in CPU (no program is started: that takes long here)
cpu_of() {
    CPU=0
    { read -r _ CPU <"/sys/fs/cgroup/runbook-sandbox/sandbox-$1/cpu.stat"; } 2>/dev/null
}
# throttled_of PID: how often its quota stopped the group, in THROTTLED
throttled_of() {
    local key value
    THROTTLED=0
    while read -r key value; do
        [ "$key" != nr_throttled ] || THROTTLED=$value
    done 2>/dev/null <"/sys/fs/cgroup/runbook-sandbox/sandbox-$1/cpu.stat"
}
# shellcheck disable=SC2317  # called by wait_for
used_more() { cpu_of "$1" && [ "$CPU" -gt "$2" ]; }

# share OPTION...: per mille of both that four hogs under OPTIONs get beside one process, how often
# they were stopped by a quota, and their microseconds in that time
share() {
    local polite hog polite_0 hog_0 polite_1 hog_1
    "${SANDBOX[@]}" --timeout 120s -- /mnt/misbehave spin 1 >/dev/null 2>&1 &
    polite=$!
    "${SANDBOX[@]}" --timeout 120s "$@" -- /mnt/misbehave spin 4 >/dev/null 2>&1 &
    hog=$!
    wait_for 60 used_more $polite 50000
    wait_for 60 used_more $hog 10000
    cpu_of $polite && polite_0=$CPU
    cpu_of $hog && hog_0=$CPU
    wait_for 60 used_more $polite $((polite_0 + 500000))
    # what it used beyond its quota at once it pays back: on a busy machine that takes a while
    wait_for 60 used_more $hog "$hog_0"
    cpu_of $polite && polite_1=$CPU
    cpu_of $hog && hog_1=$CPU
    throttled_of $hog
    kill -TERM $polite $hog
    wait $polite $hog 2>/dev/null
    echo $(((hog_1 - hog_0) * 1000 / (hog_1 - hog_0 + polite_1 - polite_0))) "$THROTTLED" $((hog_1 - hog_0))
}

read -r got throttled _ <<<"$(share)"
check "cpu hog: four processes get what one step gets ($got of 1000)" [ "$got" -gt 350 -a "$got" -lt 650 ]
check "cpu hog: without a limit of their own they are never stopped" [ "$throttled" = 0 ]
# the quota is of the clock's time: how much that is beside the other depends on the machine
read -r got throttled used <<<"$(share --cpus 0.05)"
check "cpu hog: and with a limit they are ($throttled times, $got of 1000)" [ "$used" -gt 0 -a "$throttled" -gt 0 ]
check "cpu hog: their groups are gone" wait_for 20 sh -c '[ -z "$(find /sys/fs/cgroup/runbook-sandbox -mindepth 1 -type d 2>/dev/null)" ]'
