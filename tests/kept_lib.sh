# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Functions for suites in which runbookd ends while steps run. It is started by
# tests/integration/fd_store.py, which keeps its descriptors as systemd's fd store does.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# start_kept [configuration line...]: like start_daemon, but under fd_store.py
start_kept() {
    local root=$TEST_TMP/root
    mkdir -p "$root/etc/runbookd/runbookd.conf.d" "$root/etc/runbookd/projects.d" "$TEST_TMP/store"
    chmod 0755 "$root" "$root/etc" "$root/etc/runbookd"
    printf '%s\n' "[Daemon]" "Limits=best-effort" "[Webhook]" "Listen=127.0.0.1:0" "[Api]" \
        "Listen=none" >"$root/etc/runbookd/runbookd.conf"
    printf '%s\n' "$@" >"$root/etc/runbookd/runbookd.conf.d/test.conf"
    API_SOCK=$root/run/runbookd/api.sock
    export RUNBOOK_ROOT=$root
    cp -r "$BIN" "$TEST_TMP/bin"
    "$TESTS_DIR/integration/fd_store.py" "$TEST_TMP/store" "$TEST_TMP/bin/runbookd" --root "$root" \
        >"$TEST_TMP/daemon.log" 2>&1 </dev/null &
    STORE_PID=$!
    defer stop_kept
    wait_ready 1 || { failed "runbookd did not become ready"; tail -n 30 "$TEST_TMP/daemon.log"; return 1; }
}

stop_kept() {
    [ -n "${STORE_PID:-}" ] || return 0
    kill -TERM "$STORE_PID" 2>/dev/null
    wait_for 20 sh -c "! kill -0 $STORE_PID" || kill -USR1 "$STORE_PID" 2>/dev/null
    wait "$STORE_PID" 2>/dev/null
    STORE_PID=
}

# wait_ready N: wait until the log has "ready" N times
wait_ready() {
    # shellcheck disable=SC2016
    wait_for 30 sh -c '[ "$(grep -cx ready "$1")" -ge "$2" ]' - "$TEST_TMP/daemon.log" "$1" || return 1
    WEBHOOK_URL=http://$(head -n 1 "$TEST_TMP/root/run/runbookd/webhook.address" 2>/dev/null)
}
main_pid() { cat "$TEST_TMP/store/pid"; }
readies() { grep -cx ready "$TEST_TMP/daemon.log"; }
wait_running() { wait_for 30 run_has_running "$1" "$2"; }

# started RUN N: are the sandboxes of N steps built? A runbookd killed before that loses the step
started() { wait_for 30 sh -c "[ \"\$(grep -c 'demo-$1-.*: started' '$TEST_TMP/daemon.log')\" -ge $2 ]"; }

# end_main SIGNAL: end runbookd, and wait for the next one if one is to come
end_main() {
    local before pid
    before=$(readies)
    pid=$(main_pid)
    kill "-$1" "$pid"
    wait_ready $((before + 1))
}

# counted RUN SLUG: print "whole N" if the log is 1, 2, 3, … N and "end N"
counted() {
    step_log "$1" "$2" | tr -d '\r' | awk '$1 == "end" { e = $2; next } $1 != ++n { print "line " NR " is " $0; bad = 1; exit }
        END { if (!bad) print (e == n ? "whole" : "cut at " n), e }'
}
# counted_unmasked RUN SLUG: print "whole N" if the log is that, apart from masked secrets
counted_unmasked() {
    step_log "$1" "$2" | awk '
        { gsub(/\*\*\*/, "") }
        $1 == "end" { e = $2; next }
        $1 != ++n { print "line " NR " is " $0; exit }
        END { if (e == n) print "whole", e }'
}
# indexed RUN SLUG: is the index in order and within the log?
indexed() {
    python3 - "$TEST_TMP/root/var/log/runbookd/demo/$1/$2.1" <<'P'
import os, struct, sys
index = open(sys.argv[1] + ".idx", "rb").read()
size = os.path.getsize(sys.argv[1] + ".log")
assert (len(index) - 16) % 16 == 0, "torn"
begin = 64 if index[4] == 2 else 16  # after the room for a hole, which older programs did not have
records = [struct.unpack("<QQ", index[i:i + 16]) for i in range(begin, len(index), 16)]
offsets = [offset for offset, _ in records]
assert offsets and offsets[0] == 0 and offsets == sorted(set(offsets)) and offsets[-1] < size, "not ordered"
print("fine")
P
}
