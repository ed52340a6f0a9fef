#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A thousand steps leave nothing: no mount, netns, link, cgroup, process, file.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

setup_project many
start_daemon "[Daemon]" "MaxRunning=8" || exit 1
before=$(leftovers)
fds_before=$(find "/proc/$DAEMON_PID/fd" -mindepth 1 | wc -l)

run=$({
    echo "global: {network: none}"
    echo "steps:"
    for i in $(seq 1000); do echo "  - {name: s$i, command: \"echo $i\"}"; done
} | push_run many)
check_equal "a thousand steps succeed" succeeded "$(wait_run "$run" 300)"
check_equal "each once" 1000 "$(api "runs/$run" | jq '[.steps[].attempts | length] | add')"
wrong=0
for i in $(seq 1000); do
    [ "$(cat "$TEST_TMP/root/var/log/runbookd/many/$run/s$i.1.log")" = "$i" ] || wrong=$((wrong + 1))
done
check_equal "every log is right" 0 "$wrong"
check_leftovers "nothing is left behind" 30 "$before"
check_equal "no scratch directory" "" "$(find "$TEST_TMP/root/var/lib/runbookd/steps" "$TEST_TMP/root/run/runbookd/steps" -mindepth 1 2>/dev/null)"
# user namespaces are cached, two descriptors for each range of ids in use
check "no descriptor leaks" wait_for 20 sh -c "[ \$(find /proc/$DAEMON_PID/fd -mindepth 1 ! -lname 'user:*' ! -lname 'net:*' | wc -l) -le $((fds_before + 32)) ]"
