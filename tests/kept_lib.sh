# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by suites in which runbookd ends while steps run: it is started below
# tests/integration/fd_store.py, which keeps its descriptors as a service manager does.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# start_kept [configuration line...]: as start_daemon, below what keeps descriptors
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

# wait_ready N: until "ready" was said N times
wait_ready() {
    # shellcheck disable=SC2016
    wait_for 30 sh -c '[ "$(grep -cx ready "$1")" -ge "$2" ]' - "$TEST_TMP/daemon.log" "$1" || return 1
    WEBHOOK_URL=http://$(head -n 1 "$TEST_TMP/root/run/runbookd/webhook.address" 2>/dev/null)
}
main_pid() { cat "$TEST_TMP/store/pid"; }
readies() { grep -cx ready "$TEST_TMP/daemon.log"; }
wait_running() { wait_for 30 run_has_running "$1" "$2"; }

# started RUN N: the sandboxes of N steps were built; a runbookd killed before that loses the step
started() { wait_for 30 sh -c "[ \"\$(grep -c 'demo-$1-.*: started' '$TEST_TMP/daemon.log')\" -ge $2 ]"; }

# end_main SIGNAL: and wait for the next one, if there is to be one
end_main() {
    local before pid
    before=$(readies)
    pid=$(main_pid)
    kill "-$1" "$pid"
    wait_ready $((before + 1))
}

# counted RUN SLUG: "whole N" when the log is 1, 2, 3, … N and "end N"
counted() {
    step_log "$1" "$2" | tr -d '\r' | awk '$1 == "end" { e = $2; next } $1 != ++n { print "line " NR " is " $0; bad = 1; exit }
        END { if (!bad) print (e == n ? "whole" : "cut at " n), e }'
}
# counted_unmasked RUN SLUG: "whole N" when the log is that without the stars that hide a secret
counted_unmasked() {
    step_log "$1" "$2" | awk '
        { gsub(/\*\*\*/, "") }
        $1 == "end" { e = $2; next }
        $1 != ++n { print "line " NR " is " $0; exit }
        END { if (e == n) print "whole", e }'
}
# indexed RUN SLUG: the index is ordered and within the log
indexed() {
    python3 - "$TEST_TMP/root/var/log/runbookd/demo/$1/$2.1" <<'P'
import os, struct, sys
index = open(sys.argv[1] + ".idx", "rb").read()
size = os.path.getsize(sys.argv[1] + ".log")
assert (len(index) - 16) % 16 == 0, "torn"
begin = 64 if index[4] == 2 else 16  # behind the place for a hole, which older programs do not make
records = [struct.unpack("<QQ", index[i:i + 16]) for i in range(begin, len(index), 16)]
offsets = [offset for offset, _ in records]
assert offsets and offsets[0] == 0 and offsets == sorted(set(offsets)) and offsets[-1] < size, "not ordered"
print("fine")
P
}
