#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 of runbook-image, skopeo, the unpacker and runbookd during pulls: no partial files remain,
# and the pull succeeds afterwards.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/images_lib.sh
. "$TOP/tests/images_lib.sh"

ctl() { "$BIN/runbookctl" "$@"; }
STORE=$TEST_TMP/root/var/lib/runbookd/images
LAYOUT=$TEST_TMP/layout
check "an image is made" make_oci "$LAYOUT"
# a layer that takes a while
mkdir -p "$TEST_TMP/bundle"
rm -rf "$TEST_TMP/bundle"
umoci unpack --image "$LAYOUT:one" "$TEST_TMP/bundle" >/dev/null
mkdir "$TEST_TMP/bundle/rootfs/many"
python3 - "$TEST_TMP/bundle/rootfs/many" <<'P'
import os, sys
for i in range(4000):
    with open(os.path.join(sys.argv[1], str(i)), "wb") as f:
        f.write(os.urandom(8192))
P
umoci repack --image "$LAYOUT:large" "$TEST_TMP/bundle" >/dev/null
rm -rf "$TEST_TMP/bundle"
start_registry open
check "the image is pushed" push "$LAYOUT:large" "$REGISTRY/test/large:1"
start_daemon "[Images]" "Insecure=$REGISTRY"

child_of() { # PARENT NAME: print its pid
    pgrep -P "$1" -x "$2" | head -n 1
}
image_pid() { child_of "$DAEMON_PID" runbook-image; }
temporary() { find "$STORE/layers" "$STORE/oci/tmp" -mindepth 1 -maxdepth 1 -name '[.p]*'; }
clean() { [ -z "$(temporary)" ]; }
back() { local pid; pid=$(image_pid) && [ -n "$pid" ] && ctl image ls >/dev/null 2>&1; }
pull() { ctl image pull "docker://$REGISTRY/test/large:1" "$1" >"$TEST_TMP/pull.log" 2>&1; }

# killed at different moments of a pull
for moment in 0.05 0.15 0.3 0.5 0.8 1.2; do
    pull "crash" &
    PULL=$!
    sleep "$moment"
    kill -KILL "$(image_pid)" 2>/dev/null
    wait $PULL
    check "killed after $moment s: runbook-image is started again" wait_for 20 back
    check "killed after $moment s: no partial files remain" wait_for 30 clean
    if [ -e "$STORE/oci/names/crash" ]; then
        check_equal "killed after $moment s: an image with a name is complete" 1 \
            "$(ctl image ls --json | jq '[.images[] | select(.name == "crash" and .usable)] | length')"
    fi
    ctl image rm crash >/dev/null 2>&1
    wait_for 10 ctl image prune
    wait_for 30 clean
done

# only skopeo is killed
for moment in 0.05 0.2; do
    pull "skopeo" &
    PULL=$!
    pid=
    for _ in $(seq 200); do
        pid=$(child_of "$(image_pid)" skopeo)
        [ -z "$pid" ] || break
        sleep 0.01
    done
    sleep "$moment"
    [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null
    wait $PULL
    check "after a kill of skopeo, no partial files remain" wait_for 30 clean
    ctl image rm skopeo >/dev/null 2>&1
    wait_for 10 ctl image prune
done

# init_of OPTION: print the init of the sandbox in which runbook-unpack has this option, or fail
init_of() {
    local init
    for init in $(pgrep -P "$DAEMON_PID" -x runbook-init); do
        pgrep -P "$init" -f -- "^[^ ]*runbook-unpack $1" >/dev/null || continue
        echo "$init"
        return
    done
    return 1
}
# caught PREPARE OPTION SAID: kill that init during or after PREPARE, until the log has SAID, the
# message about an unpacker or remover that did not finish
caught() {
    local pid
    for _ in $(seq 10); do
        "$1" &
        PULL=$!
        while kill -0 $PULL 2>/dev/null || ! clean; do
            pid=$(init_of "$2") && kill -KILL "$pid" 2>/dev/null && break
            sleep 0.01
        done
        wait $PULL
        wait_for 60 clean || return 1
        ! grep -q "$3" "$TEST_TMP/daemon.log" || return 0
    done
    return 1
}

# the inits of unpacker and remover are killed, which ends their sandboxes
unpacking() {
    ctl image rm unpacker >/dev/null 2>&1
    ctl image prune >/dev/null 2>&1
    wait_for 30 clean
    pull unpacker
}
removing() {
    pull removed
    ctl image rm removed >/dev/null 2>&1
    ctl image prune >/dev/null 2>&1
}
check "after a kill of the unpacker, no partial layer remains" \
    caught unpacking --digest 'unpacker: the unpacker was killed'
check "after a kill of the remover, no partial layer remains" \
    caught removing --remove 'gone-.* is not removed yet, trying again: the unpacker was killed'
ctl image rm unpacker >/dev/null 2>&1
wait_for 10 ctl image prune

# all programs are killed
for moment in 0.2 0.6; do
    pull "daemon" &
    PULL=$!
    sleep "$moment"
    kill -KILL "$DAEMON_PID"
    wait "$DAEMON_PID" 2>/dev/null
    kill "$PULL" 2>/dev/null
    wait $PULL
    start_daemon "[Images]" "Insecure=$REGISTRY"
    check "after a kill of all programs, no partial files remain" wait_for 30 clean
    ctl image rm daemon >/dev/null 2>&1
    wait_for 10 ctl image prune
done

check "after the kills, the image can be pulled" pull "whole"
check_equal "the pulled image is complete" "4000" "$(run_in whole 'find /many -type f | wc -l' | said | tr -d ' ')"

# a running step's image is not removed
"$BIN/runbookctl" image pull "docker://$REGISTRY/test/large:1" used >/dev/null 2>&1
(run_in used 'sleep 3; cat /usr/share/data/a' >"$TEST_TMP/used.log" 2>&1) &
RUN=$!
running() { ctl runs --json 2>/dev/null | grep -q running; }
wait_for 20 running
sleep 0.5
ctl image rm used whole >/dev/null
ctl image prune >/dev/null
wait $RUN
check_equal "a running step keeps its image" first "$(said <"$TEST_TMP/used.log")"
ctl image prune >/dev/null
empty() { [ -z "$(find "$STORE/layers" -mindepth 1 -maxdepth 1)" ]; }
check "the image is removed after the step" wait_for 20 empty
check_equal "the image's blobs are removed with it" "" "$(find "$STORE/oci/blobs" -type f)"
