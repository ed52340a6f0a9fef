#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Files of the host, links, races, programs and environments.
# shellcheck source=tests/breakout/lib.sh
. "$(dirname "$0")/lib.sh"

build_probe || exit 1
plant

# ---- fs-host-read ----

check_equal "fs-host-read: nothing where tools keep credentials for everybody" "" "$(sandbox -- sh -c '
    cat /usr/etc/npmrc /usr/local/etc/npmrc /etc/npmrc /etc/environment /etc/pip.conf /etc/gitconfig \
        /etc/maven/settings.xml' 2>/dev/null)"

check_match "fs-host-read: no file of ours where a standard one is closed" '/dev/null$' \
    "$(sandbox -- readlink /proc/self/fd/0 <&-)"
check_status "fs-host-read: a directory as standard input" 125 sandbox -- true </
# shellcheck disable=SC2216  # nobody may read it, and it must stay open
(echo canary; sandbox -- sh -c 'exec 5>&1; timeout 1 cat /proc/self/fd/5 >/tmp/read; cat /tmp/read >&2' \
    2>"$TEST_TMP/stolen") | sleep 2
check_not "fs-host-read: what others write into the pipe of its output" grep -q canary "$TEST_TMP/stolen"

# ---- fs-host-write ----

sha256sum /etc/passwd /etc/group "$BIN/runbook-init" "$BIN/runbook-sandbox" >"$TEST_TMP/sums"
find "$TEST_TMP/state" -path '*/images/host-*' -newermt '1970-01-02' -type f -exec sha256sum {} + |
    sort >"$TEST_TMP/template.before"
mkdir "$TEST_TMP/copy"
echo mine >"$TEST_TMP/copy/file"
sandbox --workspace "$TEST_TMP/copy" -- sh -c '
    echo x >>/etc/passwd; rm -rf /etc/ssl; echo x >file; mkdir new; echo x >/root/x; rm -rf /var/*' 2>/dev/null
check "fs-host-write: the host's files are as before" sha256sum --quiet -c "$TEST_TMP/sums"
find "$TEST_TMP/state" -path '*/images/host-*' -newermt '1970-01-02' -type f -exec sha256sum {} + |
    sort | check "fs-host-write: the template is as before" cmp - "$TEST_TMP/template.before"
check_equal "fs-host-write: the workspace on the host is as before" mine \
    "$(cat "$TEST_TMP/copy/file")$(ls -d "$TEST_TMP/copy/new" 2>/dev/null)"
check_equal "fs-host-write: the next one sees nothing of it" "0 mine" \
    "$(sandbox --workspace "$TEST_TMP/copy" -- sh -c 'grep -c "^x" /etc/passwd; cat file' | xargs)"
check_not "fs-host-write: a read-only bind" sandbox --bind "$TEST_TMP/secret:/mnt/s:ro" -- \
    sh -c 'echo x >/mnt/s/new'

# ---- space and paths ----

check_not "disk-bomb: no more than the limit" sandbox --disk 8M -- dd if=/dev/zero of=/tmp/big bs=1M count=20
check_not "disk-bomb: everywhere together" sandbox --disk 8M -- \
    sh -c 'for d in /tmp /workspace /dev/shm /run /var/tmp; do dd if=/dev/zero of=$d/f bs=1M count=3 || exit 1; done'
check_not "inode-bomb: names cost of the same limit" sandbox --disk 8M -- sh -c 'i=0; while [ $i -lt 20000 ]; do : >/tmp/$i || exit 1; i=$((i+1)); done'

make_image "$TEST_TMP/image"
echo file >"$TEST_TMP/image/file"
check_equal "an image of one's own: root inside owns what is in it" 3 "$(sandbox --image "$TEST_TMP/image" \
    --workdir / -- /bin/probe must-work-image | grep -c '^defended')"
for path in proc dev sys; do
    make_image "$TEST_TMP/image-$path"
    rmdir "$TEST_TMP/image-$path/$path"
    ln -s /tmp "$TEST_TMP/image-$path/$path"
    check_status "fs-symlink-race: /$path of an image is a link" 125 \
        sandbox --image "$TEST_TMP/image-$path" --workdir / -- /bin/probe must-work
done
ln -s /etc "$TEST_TMP/copy/link"
check_status "fs-symlink-race: a bind through a link in the workspace" 125 \
    sandbox --workspace "$TEST_TMP/copy" --bind "$TEST_TMP/canary:/workspace/link/passwd" -- true
for fd in 3 4 7 8 9 12 20; do
    check_status "fs-host-read: descriptor $fd as working directory" 125 sandbox --workdir /proc/self/fd/$fd -- true
done
ln -s /proc/self/exe "$TEST_TMP/image/bin/sh"
check_not "exe-overwrite: an image whose shell is the init" sandbox --image "$TEST_TMP/image" --workdir / -- /bin/sh
check "exe-overwrite: the init on the host is as before" sha256sum --quiet -c "$TEST_TMP/sums"
check_status "env-hostile: the loader's variables reach only the command" 0 sandbox \
    --env LD_PRELOAD=/nonexistent.so --env LD_LIBRARY_PATH=/tmp -- sh -c 'test "$LD_PRELOAD" = /nonexistent.so'
check_equal "the environment is exactly the given one" "HOME LANG ONE PATH PWD USER" \
    "$(env -u TERM SECRET=1 "${SANDBOX[@]}" --env ONE=1 -- sh -c 'env | cut -d= -f1 | sort | xargs' | sed 's/ SHLVL//; s/ _$//')"

[ -z "${BREAKOUT_BRIEF:-}" ] || finish # mutate.py is in a hurry

# ---- races: what a mount goes through changes while it is made ----

# swap A B: exchanges two names until it is killed
swap() {
    python3 - "$1" "$2" <<'P' &
import ctypes, os, sys
libc, a, b = ctypes.CDLL(None), sys.argv[1].encode(), sys.argv[2].encode()
parent = os.getppid()
while os.getppid() == parent:
    for _ in range(200):
        libc.renameat2(-100, a, -100, b, 2)  # RENAME_EXCHANGE
P
    SWAPPER=$!
    defer "kill $SWAPPER 2>/dev/null"
}
unswap() { kill "$SWAPPER"; { wait "$SWAPPER" || true; } 2>/dev/null; }

# race N EXPECTED-INSIDE command...: it either starts and says what it must, or is refused
# shellcheck disable=SC2317  # called by check
race() {
    local n=$1 wanted=$2 i status output good=0 refused=0 bad=
    shift 2
    for ((i = 0; i < n; i++)); do
        status=0
        output=$("$@" 2>"$TEST_TMP/race.err") || status=$?
        if [ "$status" = 0 ] && [ "$output" = "$wanted" ]; then
            good=$((good + 1))
        elif [ "$status" = 125 ]; then
            refused=$((refused + 1))
        else
            bad="exit $status, said: $output $(cat "$TEST_TMP/race.err")"
        fi
    done
    [ -z "$bad" ] || { echo "$bad"; return 1; }
    echo "$good started, $refused were refused"
}

mkdir "$TEST_TMP/outer"
for path in proc sys dev; do
    make_image "$TEST_TMP/racing-$path"
    ln -s "$TEST_TMP/outer" "$TEST_TMP/racing-$path.link"
    swap "$TEST_TMP/racing-$path/$path" "$TEST_TMP/racing-$path.link"
    check "fs-symlink-race: /$path of an image comes and goes (CVE-2023-28642)" race 25 "" \
        sandbox --image "$TEST_TMP/racing-$path" --workdir / -- /bin/probe nothing
    unswap
done
mkdir -p "$TEST_TMP/tree/place" "$TEST_TMP/shown"
echo shown >"$TEST_TMP/shown/file"
ln -s "$TEST_TMP/outer" "$TEST_TMP/tree.link"
swap "$TEST_TMP/tree/place" "$TEST_TMP/tree.link"
check "fs-symlink-race: what a bind is mounted on (CVE-2021-30465, CVE-2024-45310)" race 40 shown \
    sandbox --workspace "$TEST_TMP/tree" --bind "$TEST_TMP/shown:/workspace/place/deep/mnt:ro" -- \
    cat /workspace/place/deep/mnt/file
unswap
check_equal "fs-symlink-race: nothing was made or mounted outside" "0 0" \
    "$(find "$TEST_TMP/outer" -mindepth 1 | wc -l) $(grep -c "$TEST_TMP/outer" /proc/self/mountinfo)"
check_equal "fs-symlink-race: nor in the workspace on the host" "" \
    "$(find "$TEST_TMP/tree" -mindepth 2)"
# CVE-2025-31133, CVE-2025-52565, CVE-2026-41579: masks and terminals come from a /dev of ours
make_image "$TEST_TMP/image-null"
ln -s /proc/sys/kernel/core_pattern "$TEST_TMP/image-null/dev/null"
mkdir "$TEST_TMP/image-null/dev/pts"
ln -s /proc/sys/kernel/core_pattern "$TEST_TMP/image-null/dev/pts/0"
ln -s /proc/sysrq-trigger "$TEST_TMP/image-null/dev/console"
check_equal "fs-symlink-race: /dev/null of an image is a link" "" "$(sandbox --image "$TEST_TMP/image-null" \
    --workdir / -- /bin/probe proc-write devices | grep OPEN)"

finish
