#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Another user of the host beside a running daemon with a running step, and a host
# that is configured carelessly.
# shellcheck source=tests/breakout/lib.sh
. "$(dirname "$0")/lib.sh"

root=$TEST_TMP/root
conf=$root/etc/runbookd
lib=$root/var/lib/runbookd
MARK=$(mark)

# ---- config ----

mkdir -p "$conf/projects.d" "$conf/runbookd.conf.d"
chmod 0755 "$root" "$root/etc"
printf '%s\n' "[Daemon]" "Limits=best-effort" "[Webhook]" "Listen=127.0.0.1:0" "[Api]" "Listen=none" \
    >"$conf/runbookd.conf"
# refused WHAT FIX: runbookd does not start, and says what to do
refused() {
    local status=0 output
    output=$(timeout 5 "$BIN/runbookd" --root "$root" 2>&1) || status=$?
    check_equal "config: $1 is refused" 1 "$status"
    check_match "config: $1: the fix is told" "$2" "$output"
}
chmod o+w "$conf/runbookd.conf"
refused "a file that everybody can write" 'run `chmod o-w'
chmod o-w "$conf/runbookd.conf"
chown 65534 "$conf/runbookd.conf"
refused "a file of another user" 'run `chown root'
chown 0 "$conf/runbookd.conf"
chmod o+w "$conf/projects.d"
refused "a directory of projects that everybody can write" 'chmod o-w'
chmod o-w "$conf/projects.d"
mkfifo "$conf/runbookd.conf.d/pipe.conf"
refused "a FIFO among the files" 'not a regular file'
rm "$conf/runbookd.conf.d/pipe.conf"
mkdir -p "$lib"
rm -rf "$lib/trees"
ln -s /tmp "$lib/trees"
refused "a state directory that is a link" 'trees is a symbolic link'
rm "$lib/trees"
rm -rf "$lib/scheduler"
mkdir "$lib/scheduler" && chown 65534 "$lib/scheduler"
refused "a state directory of another user" 'scheduler belongs to user 65534'
rm -r "$lib/scheduler"
chmod o+w "$lib"
refused "a state directory that everybody can write" 'chmod o-w'
chmod o-w "$lib"
rm -rf "$root/run"
mkdir -p "$root/run" && ln -s /tmp "$root/run/runbookd"
refused "a runtime directory that is a link" 'symbolic link'
rm -rf "$root/run"

[ -z "${BREAKOUT_BRIEF:-}" ] || finish # mutate.py asks about the configuration

# ---- local-user: beside a daemon with a step that runs ----

setup_project demo
start_daemon || exit 1
run=$(push_run demo <<Y
global: {network: none}
steps:
  - {name: s, command: "echo a word for the log; export STEP_SECRET=1; sleep $MARK"}
Y
)
check "a step runs" wait_for 30 pgrep -f "^sleep $MARK\$"
STEP=$(pgrep -f "^sleep $MARK\$")
INIT=$(ps -o ppid= -p "$STEP" | tr -d ' ')
mapfile -t OURS < <(pgrep -P "$DAEMON_PID")
check "our own processes are there" test "${#OURS[@]}" -ge 6

cat "$HERE/stranger.py" >"$TEST_TMP/stranger.py" # where he can read it
# Whoever this is can do what others can: reach the paths, read his own files.
nobody() { timeout 20 setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
check "somebody else gets as far as the directory" nobody ls "$root/run/runbookd"
while read -r name; do
    status=0
    output=$(nobody /usr/bin/python3 "$TEST_TMP/stranger.py" "$name" "$root" "$STEP" "$INIT" "$DAEMON_PID" \
        "${OURS[*]}" "$run" 2>&1) || status=$?
    if [ "$name" = names ]; then
        printf '%s\n' "$output" >"$TEST_TMP/names"
        continue
    fi
    check_equal "local-user: cannot $name" 7 "$status"
done < <(echo names; wait_for 10 test -s "$TEST_TMP/names"; cat "$TEST_TMP/names")
check "local-user: everything was tried" test "$(wc -l <"$TEST_TMP/names")" -ge 20

# What somebody planted in /tmp is nothing to us: no path there is ours.
check_equal "local-user: nothing of ours is in /tmp" "" \
    "$(for p in "$DAEMON_PID" "${OURS[@]}"; do readlink /proc/"$p"/fd/* 2>/dev/null; done |
        grep '^/tmp/' | grep -vF -e "$TEST_TMP/" -e "$TOP/" | sort -u)"
# The probe's own words may be in the environment of a step only.
check_equal "local-user: command lines name no secret" "" \
    "$(for p in "$DAEMON_PID" "${OURS[@]}" "$INIT"; do tr '\0' ' ' <"/proc/$p/cmdline"; done | grep -E 'secret-demo|STEP_SECRET')"

# As root the same succeeds: the attacks themselves are right.
check "without other ids in between it gets through: a log" test -s "$root/var/log/runbookd/demo/$run/s.1.log"
check "without other ids in between it gets through: memory" test -r "/proc/$INIT/mem"
api "runs/$run/cancel" -X POST -H 'Content-Type: application/json' -d '{}' >/dev/null
check_equal "the step was not disturbed" cancelled "$(wait_run "$run" 30)"

finish
