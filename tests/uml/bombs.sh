# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by guest.sh: what misbehaves dies or gets an error with its reason; its
# group is gone afterwards, and a neighbour goes on.

# A neighbour with limits of its own, which answers a line with a line.
coproc NEIGHBOUR {
    exec "${SANDBOX[@]}" --memory 32M --pids 8 --cpus 0.5 -- /mnt/misbehave answer
}
# the shell forgets its number when it has ended
neighbour=$NEIGHBOUR_PID
NEIGHBOUR_GROUP=/sys/fs/cgroup/runbook-sandbox/sandbox-$NEIGHBOUR_PID
ROUND=0

# shellcheck disable=SC2317  # called by wait_for
alone() {
    local groups=(/sys/fs/cgroup/runbook-sandbox/*/)
    [ "${groups[*]}" = "$NEIGHBOUR_GROUP/" ]
}

# unharmed ID: the neighbour answers with its limits as they were, and is alone
# (by what the shell itself can do: to start a program takes long in here)
unharmed() {
    local line='' memory='' pids='' cpu=''
    ROUND=$((ROUND + 1))
    echo "$ROUND" >&"${NEIGHBOUR[1]}"
    read -r -t 60 -u "${NEIGHBOUR[0]}" line
    check_equal "$1: the neighbour answers" "alive $ROUND" "$line"
    read -r memory <"$NEIGHBOUR_GROUP/memory.max"
    read -r pids <"$NEIGHBOUR_GROUP/pids.max"
    read -r cpu <"$NEIGHBOUR_GROUP/cpu.max"
    check_equal "$1: its limits are as they were" "33554432 8 50000 100000" "$memory $pids $cpu"
    check "$1: no group but its is left" wait_for 20 alone
}

# attack ID STATUS OUTPUT OPTION... -- COMMAND...: how it ends, and what is said
attack() {
    local id=$1 wanted=$2 pattern=$3 output status=0
    shift 3
    output=$("${SANDBOX[@]}" "$@" 2>&1 </dev/null | tail -c 2000; exit "${PIPESTATUS[0]}") || status=$?
    check_match "$id: ends as it must" "^($wanted)\$" "$status"
    check_match "$id: is told what it met" "$pattern" "${output//$'\n'/ }"
    unharmed "$id"
}
M=/mnt/misbehave

unharmed before
attack fork-bomb 124 'process limit 40 reached: [0-9]+ forks? refused' --pids 40 --timeout 1s --grace 1s -- $M fork
attack thread-bomb 1 'thread-bomb: threads, [0-9]+: Resource temporarily unavailable.*process limit 40 reached' --pids 40 -- $M thread
attack zombie-bomb 1 'zombie-bomb: zombies, [0-9]+: Resource temporarily unavailable.*process limit 40 reached' --pids 40 -- $M zombie
attack mem-bomb 137 'out of memory: limit 32M, peak 3[0-9.]+[MK]?' --memory 32M -- $M memory
attack tmpfs-bomb 137 'out of memory: limit 32M, .*files that it wrote count' --memory 32M --disk 256M -- $M tmpfs
attack disk-bomb 1 "tmpfs-bomb: megabytes, [78]: No space left.*the step's disk is full: limit 8M" --disk 8M -- $M tmpfs
attack inode-bomb 1 "inode-bomb: files, [0-9]+: No space left.*the step's disk is full: limit 8M" --disk 8M -- $M inode
# how many a process may open is the host's to say, and so is which limit comes first
attack fd-bomb '137|1' 'out of memory: limit 32M|fd-bomb: files, [0-9]+: Too many open files' --memory 32M -- $M fd
attack pipe-buffer-bomb '137|1' 'out of memory: limit 32M|pipe-buffer-bomb: bytes, [0-9]+: Too many open files' --memory 32M -- $M pipe
attack log-bomb 124 'timeout after 1 s' --memory 32M --timeout 1s --grace 1s -- $M log
# nobody limits this one but all of them together: it is the largest
attack steps-memory 137 'out of memory: limit [0-9]+[MK]? for all steps of this host' -- $M memory

input=${NEIGHBOUR[1]}
exec {input}>&-
wait "$neighbour"
check_equal "the neighbour ends well" 0 $?
