#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Tries to break out of sandboxes. Attacks are named by the ids of the threat
# list in SECURITY.md; most are in probe.c, run as root inside.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

SANDBOX=("$BIN/runbook-sandbox" --root "$TEST_TMP/state")
sandbox() { "${SANDBOX[@]}" "$@"; }

# ---- what the attacks look for on the host ----

mkdir "$TEST_TMP/tools" "$TEST_TMP/secret"
${CC:-cc} -static -O1 -D_GNU_SOURCE -o "$TEST_TMP/tools/probe" "$TOP/tests/breakout/probe.c" || exit 1
echo canary >"$TEST_TMP/canary"
echo secret >"$TEST_TMP/secret/file"
chmod 0600 "$TEST_TMP/secret/file"
SHM_FILE=/dev/shm/rbt-$$
echo canary >"$SHM_FILE" && defer "rm -f $SHM_FILE"
SHM_KEY=$((0x52420000 + $$ % 65536))
python3 -c "
import ctypes, sys
sys.exit(ctypes.CDLL(None).shmget($SHM_KEY, 4096, 0o1666) < 0)" && defer "ipcrm -M $SHM_KEY"
python3 -c "
import socket, signal
a = socket.socket(socket.AF_UNIX); a.bind('\0rbt-$$'); a.listen()
t = socket.socket(); t.bind(('127.0.0.1', 0)); t.listen()
print(t.getsockname()[1], flush=True)
signal.pause()" >"$TEST_TMP/port" &
SERVER=$!
defer "kill $SERVER"
wait_for 10 test -s "$TEST_TMP/port"
FACTS=(CANARY="$TEST_TMP/canary" HOST_PID=$$ SHM_FILE="$SHM_FILE" SHM_KEY="$SHM_KEY"
    ABSTRACT="rbt-$$" HOST_SERVICE="127.0.0.1:$(cat "$TEST_TMP/port")" HOST_NAME="$(hostname)"
    ROOT_FILE=/mnt/secret/file)
ENV=()
for fact in "${FACTS[@]}"; do ENV+=(--env "$fact"); done

# ---- the prisoner ----

# A descriptor of something secret is open in whoever starts the sandbox.
exec 77</etc/shadow
ulimit -Sc "$(ulimit -Hc)" # cores are as large as they may be where it starts
sandbox --bind "$TEST_TMP/tools:/mnt/tools:ro" --bind "$TEST_TMP/secret:/mnt/secret:ro" "${ENV[@]}" \
    -- /mnt/tools/probe >"$TEST_TMP/inside" 2>"$TEST_TMP/inside.err"
check_equal "the probe ran to its end" 0 $?
exec 77<&-
while read -r result name; do
    check_equal "$name" defended "$result"
done <"$TEST_TMP/inside"
check "all attacks were tried" test "$(wc -l <"$TEST_TMP/inside")" -ge 160

# The same attacks must get through where nothing defends: root on the host, in
# namespaces that keep what they do from the machine. An attack that fails
# everywhere would prove nothing above.
CHROOTED=no
# who joins his own mount namespace again stands at its root
[ "$(stat -c %d:%i /)" = "$(nsenter --mount=/proc/self/ns/mnt stat -c %d:%i /)" ] || CHROOTED=yes
env "${FACTS[@]}" ROOT_FILE="$TEST_TMP/secret/file" \
    unshare --mount --pid --fork --ipc --uts --mount-proc "$TEST_TMP/tools/probe" fs-host-read \
    proc-write mount-tricks userns-nest setuid devices tiocsti sockets signals net-host \
    >"$TEST_TMP/outside" 2>&1
for name in fs-host-read/etc-shadow fs-host-read/canary fs-host-read/file-of-host-root \
    fs-host-read/proc-1-root fs-host-read/chroot-escape \
    proc-write/core-pattern proc-write/ip-forward \
    proc-write/drop-caches proc-write/sys-read-only proc-write/timer-list \
    mount-tricks/tmpfs mount-tricks/proc mount-tricks/bind mount-tricks/fsopen \
    mount-tricks/open-tree mount-tricks/mount-setattr \
    userns-nest/unshare-user userns-nest/unshare-mount userns-nest/clone-net \
    userns-nest/clone3-falls-back userns-nest/setns-net userns-nest/sethostname \
    setuid/no-new-privs setuid/capabilities setuid/binary setuid/root-nosuid \
    devices/mknod-char devices/mknod-block devices/kmsg devices/foreign \
    tiocsti/tioclinux signals/kill-init-0 sockets/packet sockets/raw sockets/netlink-audit \
    sockets/protocol-sctp sockets/protocol-dccp6 sockets/type-packet sockets/abstract net-host/loopback-of-host; do
    # in a chroot the kernel itself refuses these two, with or without us
    case $CHROOTED:$name in yes:fs-host-read/chroot-escape | yes:userns-nest/unshare-user) continue ;; esac
    check_equal "without a sandbox it gets through: $name" "OPEN $name" \
        "$(grep " $name\$" "$TEST_TMP/outside")"
done

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

# ---- who one is ----

check_equal "uid 0 inside" 0 "$(sandbox -- id -u)"
MARK=$((700000000 + $$))
"${SANDBOX[@]}" -- sleep $MARK &
STARTED=$!
wait_for 5 pgrep -f "^sleep $MARK\$"
check "somebody else outside" test "$(ps -o uid= -p "$(pgrep -f "^sleep $MARK\$")")" -ge $((0x70000000))
check "the init is somebody else again" test \
    "$(ps -o uid= --ppid "$STARTED" | tr -d ' ')" -ge $((0x7fff0000))
sandbox -- sh -c 'cat /proc/self/uid_map' >"$TEST_TMP/second"
check_not "two at once have different ids" grep -q " $(awk '{print $2}' "/proc/$(pgrep -f "^sleep $MARK\$")/uid_map") " "$TEST_TMP/second"
kill -KILL $STARTED
{ wait $STARTED || true; } 2>/dev/null
check "no-die: gone when whoever started it is killed" wait_for 2 sh -c "! pgrep -f '^sleep $MARK\$'"

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

# ---- cross-step, disk, paths ----

check_not "disk-bomb: no more than the limit" sandbox --disk 8M -- dd if=/dev/zero of=/tmp/big bs=1M count=20
check_not "disk-bomb: everywhere together" sandbox --disk 8M -- \
    sh -c 'for d in /tmp /workspace /dev/shm /run /var/tmp; do dd if=/dev/zero of=$d/f bs=1M count=3 || exit 1; done'
check_not "inode-bomb" sandbox --disk 8M -- sh -c 'i=0; while [ $i -lt 20000 ]; do : >/tmp/$i || exit 1; i=$((i+1)); done'

make_image() {
    mkdir -p "$1"/{bin,usr/bin,etc,tmp,proc,dev,sys}
    cp "$TEST_TMP/tools/probe" "$1/bin/probe"
}
make_image "$TEST_TMP/image"
check_equal "an image of one's own, root inside owns it" "defended must-work/write-etc" \
    "$(sandbox --image "$TEST_TMP/image" --workdir / -- /bin/probe must-work | grep write-etc)"
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

# ---- no-die ----

# shellcheck disable=SC2317  # called by check
gone() { wait_for 2 sh -c "! pgrep -f '^sleep $1\$'"; }
no_die() {
    local name=$1 mark=$((800000000 + RANDOM * 1000 + $$ % 1000)) status=0
    "${SANDBOX[@]}" --timeout 1 --grace 1 -- bash -c "${2//MARK/$mark}" >/dev/null 2>&1 || status=$?
    check_equal "no-die: $name: reported as timeout" 124 "$status"
    check "no-die: $name: all gone" gone "$mark"
}
no_die "SIGTERM ignored" 'trap "" TERM INT HUP; sleep MARK; sleep MARK'
no_die "double fork and setsid" '(setsid bash -c "trap \"\" TERM; sleep MARK & sleep MARK" &); sleep MARK'
no_die "stopped" 'sleep MARK & kill -STOP $!; kill -STOP $$'
no_die "many children" 'trap "" TERM; for i in $(seq 200); do sleep MARK & done; wait'
MARK=$((900000000 + $$))
sandbox -- bash -c "(setsid sleep $MARK >/dev/null 2>&1 &); exit 3"
check_equal "a command that leaves a daemon behind ends with its own status" 3 $?
check "no-die: what it left is gone" gone "$MARK"

finish
