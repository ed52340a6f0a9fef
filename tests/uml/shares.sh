# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by guest.sh: a processor hog beside somebody polite. What is compared is
# the processor time of two groups over the same stretch, not any clock.

cpu_of() { awk '/^usage_usec/ {print $2}' "/sys/fs/cgroup/runbook-sandbox/sandbox-$1/cpu.stat" 2>/dev/null || echo 0; }
# shellcheck disable=SC2317  # called by wait_for
used_more() { [ "$(cpu_of "$1")" -gt "$2" ]; }
export -f cpu_of used_more

# share OPTION...: per mille of both that eight hogs under OPTIONs get beside one process
share() {
    local polite hog polite_0 hog_0 polite_1 hog_1
    "${SANDBOX[@]}" --timeout 120s -- /mnt/misbehave spin 1 >/dev/null 2>&1 &
    polite=$!
    "${SANDBOX[@]}" --timeout 120s "$@" -- /mnt/misbehave spin 8 >/dev/null 2>&1 &
    hog=$!
    wait_for 60 bash -c "used_more $polite 100000 && used_more $hog 100000"
    polite_0=$(cpu_of $polite) hog_0=$(cpu_of $hog)
    wait_for 60 bash -c "used_more $polite $((polite_0 + 800000))"
    polite_1=$(cpu_of $polite) hog_1=$(cpu_of $hog)
    kill -TERM $polite $hog
    wait $polite $hog 2>/dev/null
    echo $(((hog_1 - hog_0) * 1000 / (hog_1 - hog_0 + polite_1 - polite_0)))
}

got=$(share)
check "cpu hog: eight processes get what one step gets ($got of 1000)" [ "$got" -gt 350 -a "$got" -lt 650 ]
got=$(share --cpus 0.05)
check "cpu hog: and with a limit no more than that ($got of 1000)" [ "$got" -gt 5 -a "$got" -lt 250 ]
check "cpu hog: their groups are gone" wait_for 20 sh -c '[ -z "$(find /sys/fs/cgroup/runbook-sandbox -mindepth 1 -type d 2>/dev/null)" ]'
