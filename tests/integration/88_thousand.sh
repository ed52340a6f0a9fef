#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A thousand steps leave no mount, network namespace, link, cgroup, process or file behind.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

setup_project many
start_daemon "[Daemon]" "MaxRunning=8" || exit 1
before=$(leftovers)
fds() { find "/proc/$DAEMON_PID/fd" -mindepth 1 "$@" | wc -l; }
fds_before=$(fds)

run=$({
    echo "global: {network: none}"
    echo "steps:"
    for i in $(seq 1000); do echo "  - {name: s$i, command: \"echo $i\"}"; done
} | push_run many)
check_equal "a thousand steps succeed" succeeded "$(wait_run "$run" 300)"
check_equal "each step ran once" 1000 "$(api "runs/$run" | jq '[.steps[].attempts | length] | add')"
wrong=0
for i in $(seq 1000); do
    [ "$(cat "$TEST_TMP/root/var/log/runbookd/many/$run/s$i.1.log")" = "$i" ] || wrong=$((wrong + 1))
done
check_equal "every log is right" 0 "$wrong"
check_equal "no scratch directory remains" "" "$(find "$TEST_TMP/root/var/lib/runbookd/steps" "$TEST_TMP/root/run/runbookd/steps" -mindepth 1 2>/dev/null)"
# runbookd keeps a bounded number: a user namespace for each range of ids in use, the network
# namespaces of the pool and their sockets, and both ends of a pipe for each of 64 log buffers.
# shellcheck disable=SC2317  # called by check
fds_few() { [ "$(fds ! -lname 'user:*' ! -lname 'net:*' ! -lname 'pipe:*')" -le $((fds_before + 20)) ]; }
# shellcheck disable=SC2317
pipes_few() { [ "$(fds -lname 'pipe:*')" -le 128 ]; }
check "no descriptor leaks" wait_for 20 fds_few
check "no pipe leaks" wait_for 20 pipes_few
stop_daemon
check_leftovers "nothing remains on the machine" 30 "$before"
