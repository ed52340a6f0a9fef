# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by guest.sh: the deadline ends what does not want to end. All at once:
# most of the time is spent waiting for deadlines.

declare -A DEAF
for kind in deaf stopped vfork traced; do
    "${SANDBOX[@]}" --timeout 1s --grace 1s --pids 50 -- /mnt/misbehave "$kind" >"$TEST_TMP/$kind" 2>&1 &
    DEAF[$kind]=$!
done
for kind in "${!DEAF[@]}"; do
    status=0
    wait "${DEAF[$kind]}" || status=$?
    check_equal "no-die: $kind: ended by its deadline" "124 runbook-sandbox: timeout after 1 s" \
        "$status $(cat "$TEST_TMP/$kind")"
    check "no-die: $kind: its group is gone" wait_for 20 sh -c "! [ -e /sys/fs/cgroup/runbook-sandbox/sandbox-${DEAF[$kind]} ]"
done

# hundreds of children that are deaf; who asks three times means it
"${SANDBOX[@]}" --pids 500 -- /mnt/misbehave many 300 >"$TEST_TMP/many" 2>&1 &
MANY=$!
check "no-die: hundreds of children are born" wait_for 60 grep -q '^many: born' "$TEST_TMP/many"
for _ in 1 2 3; do
    kill -TERM $MANY
    sleep 0.2
done
status=0
wait $MANY || status=$?
check_equal "no-die: many: killed" 137 $status
check "no-die: many: the group is gone" wait_for 20 sh -c "! [ -e /sys/fs/cgroup/runbook-sandbox/sandbox-$MANY ]"
check "no-die: none of them is left" wait_for 20 sh -c '! pgrep -x misbehave'

output=$("${SANDBOX[@]}" --memory 32M -- /mnt/misbehave frozen)
check_equal "no-die: no file of its group can be written, no group made" 7 \
    "$(grep -cE '^frozen: .*, 0: (Read-only file system|Permission denied|No such file or directory)$' <<<"$output")"
check_match "no-die: it cannot freeze itself" 'cgroup.freeze, 0: (Read-only file system|Permission denied)' "$output"
