#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One of our processes was taken over and sends what is not allowed: its channels close and are
# made again, and no other process ends for it.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

child_pid() { pgrep -P "$DAEMON_PID" -x "$1" | head -n 1; }
said() { grep -qx "$1" "$TEST_TMP/daemon.log"; }

mkdir "$TEST_TMP/bin"
cp "$BIN"/* "$TEST_TMP/bin/"
cat >"$TEST_TMP/bin/runbook-image.sh" <<S
#!/bin/sh
exec python3 '$(realpath "$(dirname "$0")")/hostile_image.py'
S
chmod 0755 "$TEST_TMP/bin/runbook-image.sh"
mv "$TEST_TMP/bin/runbook-image.sh" "$TEST_TMP/bin/runbook-image"
BIN=$TEST_TMP/bin

setup_project demo
start_daemon || exit 1
scheduler=$(child_pid runbook-schedul) api=$(child_pid runbook-api)
for peer in scheduler api; do
    check "the channel to the $peer is made a third time" wait_for 20 said "channel 3 to $peer"
done
check_equal "the scheduler is the same process" "$scheduler" "$(child_pid runbook-schedul)"
check_equal "the api is the same process" "$api" "$(child_pid runbook-api)"
check "the refusal is in the log" grep -q 'scheduler: refused STEP_ACK from image' "$TEST_TMP/daemon.log"
run=$(push_run demo works <<'Y'
global: {network: none}
steps: [{name: a, command: echo works}]
Y
)
check_equal "a run succeeds meanwhile" succeeded "$(wait_run "$run" 60)"
check_equal "no fourth channel is made" 0 "$(grep -c '^channel 4' "$TEST_TMP/daemon.log")"
