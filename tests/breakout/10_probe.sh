#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The prisoner of probe*.c inside a sandbox, and the same attacks where nothing defends.
if [ -z "${PROBE_SHARED:-}" ]; then
    # systemd shares all mounts of a host: so do we, with nobody
    # shellcheck disable=SC2016
    PROBE_SHARED=1 exec unshare --mount --propagation private sh -c 'mount --make-rshared / && exec "$0" "$@"' "$0" "$@"
fi
RBT_NETNS=machine # it starts no runbookd, and tries what the host has
# shellcheck source=tests/breakout/lib.sh
. "$(dirname "$0")/lib.sh"

build_probe || exit 1
plant

# ---- inside ----

# A descriptor of something secret is open in whoever starts the sandbox.
exec 77</etc/shadow
ulimit -Sc "$(ulimit -Hc)" # cores are as large as they may be where it starts
LEAKED_SECRET=1 probe_inside >"$TEST_TMP/inside" 2>"$TEST_TMP/inside.err"
check_equal "the probe ran to its end" 0 $?
exec 77<&-
while read -r result name; do
    check_equal "$name" defended "$result"
done <"$TEST_TMP/inside"
check "all attacks were tried" test "$(wc -l <"$TEST_TMP/inside")" -ge 350
[ "$FAILED" = 0 ] || cat "$TEST_TMP/inside.err"

# An image that is all its maker's: a device node in it opens nothing.
make_image "$TEST_TMP/image"
mknod "$TEST_TMP/image/node" c 1 5 && chmod 0666 "$TEST_TMP/image/node"
# BREAKOUT_NO_IMAGE: where /tmp cannot shift user ids (tmpfs before Linux 6.3)
: >"$TEST_TMP/image.out"
[ -n "${BREAKOUT_NO_IMAGE:-}" ] || sandbox --image "$TEST_TMP/image" --workdir / "${ENV[@]}" -- /bin/probe \
    fs-host-read devices setuid mount-tricks proc-write ptrace-init must-work >"$TEST_TMP/image.out" 2>"$TEST_TMP/image.err"
check_equal "in an image the probe ran to its end" 0 $?
while read -r result name; do
    case $name in # these tell of image "host" or of what the image lacks
    must-work/write-workspace | setuid/usr-nosuid) continue ;;
    esac
    check_equal "$name, in an image of one's own" defended "$result"
done <"$TEST_TMP/image.out"

# ---- what inherits a terminal ----

# The probe's input is a terminal of the host, as with `runbook-sandbox` by hand.
on_terminal() {
    python3 - "$@" <<'P'
import os, pty, sys
pid, master = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
out = b""
while True:
    try:
        got = os.read(master, 4096)
    except OSError:
        break
    if not got:
        break
    out += got
os.waitpid(pid, 0)
sys.stdout.write(out.decode(errors="replace").replace("\r", ""))
P
}
on_terminal "${SANDBOX[@]}" --bind "$TEST_TMP/tools:/mnt/tools:ro" -- /mnt/tools/probe tiocsti \
    >"$TEST_TMP/terminal"
check_equal "on a terminal the probe ran" 4 "$(grep -c tiocsti/ "$TEST_TMP/terminal")"
grep tiocsti/ "$TEST_TMP/terminal" >"$TEST_TMP/terminal.lines"
while read -r result name; do
    check_equal "$name, input is a terminal of the host" defended "$result"
done <"$TEST_TMP/terminal.lines"
on_terminal "$TEST_TMP/tools/probe" tiocsti >"$TEST_TMP/terminal.outside"
if [ "$(cat /proc/sys/dev/tty/legacy_tiocsti 2>/dev/null)" != 0 ]; then
    check_match "without a sandbox it gets through: tiocsti/inherited" "OPEN tiocsti/inherited" \
        "$(cat "$TEST_TMP/terminal.outside")"
fi

# mutate.py asks about the sandbox alone
[ -z "${BREAKOUT_BRIEF:-}" ] || finish

# ---- outside ----

# The same attacks must get through where nothing defends: root on the host, in
# namespaces that keep what they do from the machine. An attack that fails
# everywhere would prove nothing above.
CHROOTED=no
# who joins his own mount namespace again stands at its root
[ "$(stat -c %d:%i /)" = "$(nsenter --mount=/proc/self/ns/mnt stat -c %d:%i /)" ] || CHROOTED=yes
for id in fs-host-read proc-write cgroup-escape mount-tricks userns-nest ptrace-init signals setuid \
    devices tiocsti sockets net-host info-leak core-dump host-counters; do
    # one by one: an attack that gets through may spoil the ground for others;
    # 77 as inside, or it would hang on what this script's own starter left open
    env "${FACTS[@]}" ROOT_FILE="$TEST_TMP/secret/file" VICTIM="$TEST_TMP/tools/victim" LEAKED_SECRET=1 \
        CORE_FILE= unshare --mount --pid --fork --ipc --uts --mount-proc sh -c \
        'timeout 30 "$0" "$1"; true' "$TEST_TMP/tools/probe" $id >>"$TEST_TMP/outside" 2>&1 77</etc/shadow
done

grep -v '^#' "$HERE/open-outside.txt" >"$TEST_TMP/wanted-open"
while read -r name; do
    # in a chroot the kernel itself refuses these two, with or without us
    case $CHROOTED:$name in
    yes:fs-host-read/chroot-escape | yes:userns-nest/*user* | yes:mount-tricks/in-own-user-namespace)
        continue ;;
    esac
    check_equal "without a sandbox it gets through: $name" "OPEN $name" \
        "$(grep " $name\$" "$TEST_TMP/outside")"
done <"$TEST_TMP/wanted-open"
check_equal "the attacks outside left nothing behind" "" \
    "$(find /sys/fs/cgroup /tmp -maxdepth 2 -name '.breakout*' 2>/dev/null)"

# Attacks that this kernel lacks fail with or without us. VACUOUS names a file for
# their list: the virtual machine, whose kernel has everything, wants it short.
if [ -n "${VACUOUS:-}" ]; then
    sed -n 's/^defended //p' "$TEST_TMP/outside" >"$VACUOUS"
fi

finish
