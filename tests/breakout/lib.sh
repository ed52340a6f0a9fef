# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by the scripts beside it: the probe, what it looks for on the host, and
# a sandbox to put it into. Checks are named "ID: what" or "ID/attack", where ID is
# one of the threat list in README.md; covered.py counts them.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

HERE=$TOP/tests/breakout
SANDBOX=("$BIN/runbook-sandbox" --root "$TEST_TMP/state")
sandbox() { "${SANDBOX[@]}" "$@"; }

# build_tool NAME SOURCE...: a static program in $TEST_TMP/tools. Where the sources
# cannot be compiled, BREAKOUT_TOOLS names a directory that has it ready made.
build_tool() {
    local name=$1
    shift
    mkdir -p "$TEST_TMP/tools"
    if [ -n "${BREAKOUT_TOOLS:-}" ]; then
        cp "$BREAKOUT_TOOLS/$name" "$TEST_TMP/tools/$name"
        return
    fi
    ${CC:-cc} -static -O1 -D_GNU_SOURCE -Wall -Wextra -Wno-unused-parameter -I"$TOP" \
        -o "$TEST_TMP/tools/$name" "$@"
}
build_probe() { build_tool probe "$HERE"/probe*.c; }
build_tools() {
    build_probe && build_tool inject "$HERE/inject.c" && build_tool syscalls "$HERE/syscalls.c"
}

# The least score that a step can give itself: its own where we have CAP_SYS_RESOURCE (24)
oom_floor() {
    if (($(awk '$1 == "CapEff:" {print "0x" $2}' /proc/self/status) >> 24 & 1)); then
        echo 500
    else
        # who may not raise the floor hands on the own one
        (for score in $(seq -1000 100 1000); do
            echo "$score" 2>/dev/null >"/proc/$BASHPID/oom_score_adj" && echo "$score" && break
        done)
    fi
}

# What the attacks look for on the host. Sets FACTS (for env) and ENV (for --env).
plant() {
    mkdir -p "$TEST_TMP/secret"
    echo canary >"$TEST_TMP/canary"
    echo secret >"$TEST_TMP/secret/file"
    chmod 0600 "$TEST_TMP/secret/file"
    head -c 4096 /dev/zero >"$TEST_TMP/tools/victim"
    SHM_FILE=/dev/shm/rbt-$$
    echo canary >"$SHM_FILE" && defer "rm -f $SHM_FILE"
    SHM_KEY=$((0x52420000 + $$ % 65536))
    python3 - "$SHM_KEY" "rbt-$$" >"$TEST_TMP/planted" <<'P' &
import ctypes, signal, socket, sys
if ctypes.CDLL(None).shmget(int(sys.argv[1]), 4096, 0o1666) < 0:
    sys.exit("shmget")
a = socket.socket(socket.AF_UNIX); a.bind("\0" + sys.argv[2]); a.listen()
t = socket.socket(); t.bind(("127.0.0.1", 0)); t.listen()
print(t.getsockname()[1], flush=True)
signal.pause()
P
    defer "kill $!; ipcrm -M $SHM_KEY"
    wait_for 10 test -s "$TEST_TMP/planted"
    FACTS=(CANARY="$TEST_TMP/canary" HOST_PID=$$ SHM_FILE="$SHM_FILE" SHM_KEY="$SHM_KEY"
        ABSTRACT="rbt-$$" HOST_SERVICE="127.0.0.1:$(cat "$TEST_TMP/planted")" HOST_NAME="$(hostname)"
        ROOT_FILE=/mnt/secret/file VICTIM=/mnt/tools/victim STATE_DIR="$TEST_TMP/state"
        COMMAND_MARK="$TEST_TMP/tools/probe" GROUP_OF_OTHERS=/sys/fs/cgroup/runbook-sandbox
        METADATA=169.254.169.254:80 OOM_FLOOR="$(oom_floor)")
    ENV=()
    local fact
    for fact in "${FACTS[@]}"; do ENV+=(--env "$fact"); done
}

# probe_inside [ID...]: the lines of the probe, run in a sandbox
probe_inside() {
    sandbox --bind "$TEST_TMP/tools:/mnt/tools:ro" --bind "$TEST_TMP/secret:/mnt/secret:ro" \
        "${ENV[@]}" -- /mnt/tools/probe "$@"
}

# A static root file system with nothing but the probe
make_image() {
    mkdir -p "$1"/{bin,usr/bin,etc,tmp,proc,dev,sys}
    cp "$TEST_TMP/tools/probe" "$1/bin/probe"
}

# mark: a number that no other process of this machine has as its argument
mark() { echo $((700000000 + RANDOM * 1000 + $$ % 1000)); }
# shellcheck disable=SC2317  # called by check
gone() { wait_for 20 sh -c "! pgrep -f '^sleep $1\$'"; }
