#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# runbook-sandbox does what its manual page says.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

SANDBOX=("$BIN/runbook-sandbox" --root "$TEST_TMP/state")
sandbox() { "${SANDBOX[@]}" "$@"; }

# ---- exit status ----
check_status "status: success" 0 sandbox -- true
check_status "status: the command's own" 42 sandbox -- sh -c 'exit 42'
check_status "status: a command that a signal ended" 134 sandbox -- sh -c 'kill -ABRT $$'
check_status "status: a command that does not exist" 127 sandbox -- no-such-command
check_status "status: a path that does not exist" 127 sandbox -- /no/such/command
check_status "status: a file that is not executable" 126 sandbox -- /etc/passwd
check_status "status: a directory as command" 126 sandbox -- /etc
check_status "status: a working directory that cannot be made" 125 sandbox --workdir /proc/no/such -- true
check_status "status: an image that does not exist" 2 sandbox --image /no/such -- true
check_status "status: an image that is a file" 125 sandbox --image /etc/passwd -- true
check_status "status: an unknown option" 2 sandbox --no-such-option -- true
check_status "status: no command" 2 sandbox
check_status "status: --help" 0 sandbox --help
check_status "status: --version" 0 sandbox --version
for option in "--network wide" "--memory lots" "--pids 0" "--pids -1" "--cpus x" "--timeout soon" \
    "--bind /etc" "--bind /no/such:/x" "--bind /etc:/x:maybe" "--env =x" "--env novalue" "--env 1A=x"; do
    # shellcheck disable=SC2086  # two words
    output=$(sandbox $option -- true 2>&1)
    check_equal "a bad value is a usage error: $option" 2 $?
    check_match "the message about a bad value names the option: $option" "option ${option%% *}" "$output"
done

# ---- input and output ----
check_equal "the command gets standard input" "through" "$(echo through | sandbox -- cat)"
check_equal "output and error are kept apart" "out" "$(sandbox -- sh -c 'echo out; echo err >&2' 2>/dev/null)"
check_equal "arguments arrive as they are" "[a b][][*]" "$(sandbox -- sh -c 'printf "[%s]" "$@"' sh 'a b' '' '*')"
check_equal "a large output arrives whole" 10000000 "$(sandbox -- head -c 10000000 /dev/zero | wc -c)"
check_equal "/dev/stdout can be opened if it is a pipe" "x" "$(sandbox -- sh -c 'echo x >/dev/stdout' | cat)"
check_equal "SIGPIPE ends the command when the reader of its output closes" "y" "$(sandbox -- yes | head -n 1)"

# ---- workspace, binds, environment ----
mkdir -p "$TEST_TMP/copy/sub/deep" "$TEST_TMP/out"
echo content >"$TEST_TMP/copy/sub/file"
chown -R 1234:1235 "$TEST_TMP/copy" "$TEST_TMP/out"
check_equal "the workspace's owner is root inside" "0:0 content" \
    "$(sandbox --workspace "$TEST_TMP/copy" -- sh -c 'stat -c %u:%g sub/file; cat sub/file' | xargs)"
check "directories of the workspace can be renamed" sandbox --workspace "$TEST_TMP/copy" -- \
    sh -c 'mv sub other && cat other/file && rm -r other && test ! -e other'
check_equal "changes in the workspace are not visible outside" content "$(cat "$TEST_TMP/copy/sub/file")"
check "a writable bind can be written" sandbox --bind "$TEST_TMP/out:/out" -- sh -c 'echo made >/out/made'
check_equal "files made in a bind belong to the bind's owner" "made 1234:1235" \
    "$(cat "$TEST_TMP/out/made") $(stat -c %u:%g "$TEST_TMP/out/made")"
check_equal "a file can be bound below directories that do not exist" made \
    "$(sandbox --bind "$TEST_TMP/out/made:/new/path/file:ro" -- cat /new/path/file)"
check_equal "the command gets the environment of --env" "one two" \
    "$(sandbox --env ONE=one --env "TWO=two" -- sh -c 'echo "$ONE $TWO"')"
check_equal "a given PATH replaces the default" /bin "$(sandbox --env PATH=/bin -- sh -c 'echo "$PATH"')"
check_equal "--hostname sets the host name" builder "$(sandbox --hostname builder -- hostname)"
check_equal "--workdir sets the working directory" /tmp "$(sandbox --workdir /tmp -- pwd)"
check_equal "a working directory that is made belongs to the user" "/new/one 1000 1000" \
    "$(sandbox --workdir /new/one --user user -- sh -c 'echo $(pwd) $(stat -c %u . ..)')"
check_equal "--user accepts a name" "www-data www-data" "$(sandbox --user www-data -- sh -c 'echo $(id -un) $(id -gn)')"
check_equal "--user accepts numbers" "12:34" "$(sandbox --user 12:34 -- sh -c 'echo $(id -u):$(id -g)')"
check_status "a user that does not exist" 125 sandbox --user somebody -- true
check_status "a user with an invalid name" 2 sandbox --user 'a b' -- true
check_equal "--tty gives the command a terminal" "/dev/pts/0 24 80 xterm" \
    "$(sandbox --tty -- sh -c 'test -t 0 && test -t 2 && echo $(tty) $(stty size) $TERM' </dev/null | tr -d '\r')"
check_equal "a command with a terminal ends when the reader of its output closes" "1" "$(sandbox --tty -- seq 1000000 | head -n 1 | tr -d '\r')"
check_status "with a terminal, the command's status is kept" 7 sandbox --tty -- sh -c 'seq 100; exit 7'
check_status "with a terminal, a command that does not exist" 127 sandbox --tty -- no-such-command
check "git works in a workspace" sh -c '
    cd "$1" && chown 0:0 . && git init -q && git -c user.email=a@b -c user.name=c commit -q --allow-empty -m x &&
    chown -R 1234:1235 . && shift && "$@" --workspace "$PWD" -- git log --oneline' sh \
    "$TEST_TMP/copy" "${SANDBOX[@]}"

# ---- sockets of the host: SECURITY.md, "What is not defended" ----
mkdir "$TEST_TMP/sockets"
python3 -c "
import os, signal, socket, sys
kept = []
for name, mode in (('anybody', 0o777), ('root', 0o700)):
    s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1] + '/' + name); s.listen(); kept.append(s)
    os.chmod(sys.argv[1] + '/' + name, mode)
open(sys.argv[1] + '/ready', 'w').close()
signal.pause()" "$TEST_TMP/sockets" &
defer "kill $!"
check "the sockets of this test exist" wait_for 10 test -e "$TEST_TMP/sockets/ready"
# shellcheck disable=SC2317  # called by check
connects() {
    sandbox --bind "$TEST_TMP/sockets:/mnt/sockets$2" -- python3 -c "
import socket, sys
socket.socket(socket.AF_UNIX).connect('/mnt/sockets/$1')"
}
check "a step can connect to a socket with mode 0666 in a read-only bind" connects anybody :ro
check_not "a step cannot connect to a socket of root in a read-only bind" connects root :ro
check "in a writable bind a step can connect to a socket of the bind's owner" connects root ""

check_equal "the caller's umask does not change /dev and /sys" "666 1777 755" \
    "$(umask 077 && sandbox -- stat -c %a /dev/null /dev/shm /sys/class/net | paste -sd ' ')"

# ---- limits ----
if ! grep -qw memory /sys/fs/cgroup/cgroup.controllers 2>/dev/null; then
    output=$(sandbox --memory 64M -- echo ran 2>&1)
    check_equal "a limit that cannot be applied is not ignored" 125 $?
    check_match "the message names the fix" 'Delegate=yes' "$output"
    check_not "with a refused limit the command does not run" grep -q ran <<<"$output"
fi
# --explain predicts correctly what happens to limits, both here and without a writable cgroup.
limits_as_explained() {
    local where=$1 option value file plan status
    shift
    check_equal "$where: --explain prints no warning" "" "$("$@" --explain -- true 2>&1 >/dev/null)"
    while read -r option value file; do
        plan=$("$@" --explain "--$option" "$value" -- true)
        "$@" "--$option" "$value" -- true 2>/dev/null </dev/null
        status=$?
        if [ $status = 0 ]; then
            check_match "$where: --$option is applied, and explained" "^host +limit +$file [0-9]+$" "$plan"
            check_not "$where: --$option is not called refused" grep -q '^refused' <<<"$plan"
        else
            check_equal "$where: --$option is refused" 125 $status
            check_match "$where: --explain says that --$option is refused" '^refused, nothing would run: .*Delegate=yes' "$plan"
        fi
    done <<<"memory 64M memory.max
pids 100 pids.max
cpus 0.5 cpu.max"
}
limits_as_explained "here" sandbox
if grep -q ' cgroup2 ' /proc/mounts; then
    # shellcheck disable=SC2016  # expanded by the inner shell
    NO_GROUPS='for at in $(awk "\$3 == \"cgroup2\" {print \$2}" /proc/mounts); do
        mount -o remount,bind,ro "$at" || exit 99
    done; exec "$@"'
    limits_as_explained "no writable group" unshare --mount sh -c "$NO_GROUPS" sh "${SANDBOX[@]}"
    output=$(unshare --mount sh -c "$NO_GROUPS" sh "${SANDBOX[@]}" --explain -- true)
    check_not "--explain lists no limit that is not applied" grep -Eq '^host +(limit|cgroup)' <<<"$output"
    check_match "--explain names the limits that are not available" '^not here: .*memory, processes or processor time' "$output"
fi
check_match "--help says where the default of --pids applies" 'default 4096, where the host can' "$(sandbox --help)"

# ---- signals and time ----
"${SANDBOX[@]}" -- sh -c 'trap "echo caught; exit 7" TERM; echo ready; while :; do sleep 0.05; done' >"$TEST_TMP/signal" &
STARTED=$!
wait_for 20 grep -q ready "$TEST_TMP/signal"
kill -TERM $STARTED
wait $STARTED
check_equal "SIGTERM is passed on" "7 caught" "$? $(tail -n 1 "$TEST_TMP/signal")"
check_status "timeout" 124 sandbox --timeout 1s -- sleep 100
check_status "a command within its timeout" 0 sandbox --timeout 10s -- true

check_match "without CAP_SYS_TIME a sandbox shows the host's clocks, and works" '^[0-9]+$' \
    "$(capsh --drop=cap_sys_time -- -c "'$BIN/runbook-sandbox' --root '$TEST_TMP/state' -- cut -d. -f1 /proc/uptime")"

# ---- the plan ----
check_match "--explain prints the plan" '^step +root +/$' "$(sandbox --explain -- true)"
check "--explain needs no privilege" setpriv --reuid 65534 --clear-groups "$BIN/runbook-sandbox" --explain -- true
check_match "the message to other users names sudo" 'use sudo' \
    "$(setpriv --reuid 65534 --clear-groups "$BIN/runbook-sandbox" --root "$TEST_TMP/x" -- true 2>&1)"

# ---- the home directory ----

# The entry in passwd agrees with $HOME: in image "host", in others, and for users without an entry.
# shellcheck disable=SC2016  # expanded by the shell inside
HOMES='test "$(getent passwd "$(id -u)" | cut -d : -f 6)" = "$HOME" && getent group "$(id -g)" >/dev/null && id -un'
agrees() { sandbox "$@" -- bash -c "$HOMES"; }
check_equal "home: root" root "$(agrees)"
check_equal "home: a user of the image" www-data "$(agrees --user www-data)"
check_equal "home: a user without one" nobody "$(agrees --user nobody)"
check_equal "home: a number without an entry" step1234 "$(agrees --user 1234)"
check_equal "home: a number and a group without entries" step1234 "$(agrees --user 1234:4321)"
check_equal "home: HOME given by --env" "/tmp/h root" "$(sandbox --env HOME=/tmp/h -- bash -c "echo \$HOME; $HOMES" | xargs)"
check_equal "home: a HOME that passwd cannot express" /workspace \
    "$(sandbox --env HOME=/a:b -- sh -c 'getent passwd 0 | cut -d : -f 6')"
check_match "home: ssh reads the configuration that the step wrote to ~" '^hostname 192.0.2.1$' "$(sandbox -- bash -c '
    mkdir -p -m 700 ~/.ssh && printf "Host mirror\n  HostName 192.0.2.1\n" >~/.ssh/config && ssh -G mirror')"
check_equal "home: accounts can be added and the file replaced, as package scripts do" "added:1234 fine" \
    "$(sandbox -- bash -c 'useradd -u 1234 added && getent passwd added | cut -d : -f 1,3
        mv /etc/passwd /etc/passwd.new && mv /etc/passwd.new /etc/passwd && echo fine' | xargs)"

# images of other makers: with entries, without the files, with something else than a file
HOME_IMAGE=$TEST_TMP/home-image
mkdir -p "$HOME_IMAGE"/{etc,usr,tmp,proc,sys,dev,workspace}
ln -s usr/bin usr/lib usr/lib64 usr/sbin "$HOME_IMAGE/"
in_image() { sandbox --image "$HOME_IMAGE" --bind /usr:/usr "$@"; }
check_equal "home: an image without /etc/passwd" "root:x:0:0::/workspace:/bin/sh root:x:0:" \
    "$(in_image -- cat /etc/passwd /etc/group | xargs)"
printf 'root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh' >"$HOME_IMAGE/etc/passwd"
chmod 0444 "$HOME_IMAGE/etc/passwd"
check_equal "home: root of an image" "root:x:0:0:root:/workspace:/bin/sh node:x:1000:1000::/home/node:/bin/sh 444" \
    "$(in_image -- sh -c 'cat /etc/passwd; echo; stat -c %a /etc/passwd' | xargs)"
check_match "home: a number gets an entry in an image's passwd" \
    'node:/bin/sh step7:x:7:0::/workspace:/bin/sh$' "$(in_image --user 7 -- cat /etc/passwd | xargs)"
check_equal "home: the image itself is not changed" 1 "$(grep -c /root: "$HOME_IMAGE/etc/passwd")"
mv "$HOME_IMAGE/etc/passwd" "$HOME_IMAGE/usr-passwd"
ln -s ../usr-passwd "$HOME_IMAGE/etc/passwd"
check_match "home: a link within the image is followed" '^root:x:0:0:root:/workspace:' "$(in_image -- cat /usr-passwd)"
# if /etc/passwd is not a regular file, the step runs, and nothing is written
for target in /proc/self/fd/3 /proc/self/fd/6 /proc/self/mem /dev/null /workspace /nowhere /etc/passwd; do
    ln -sf "$target" "$HOME_IMAGE/etc/passwd"
    check_equal "home: /etc/passwd is a link to $target" fine "$(in_image -- echo fine)"
done
rm "$HOME_IMAGE/etc/passwd" && mkfifo "$HOME_IMAGE/etc/passwd"
check_equal "home: /etc/passwd is a FIFO" fine "$(in_image -- echo fine)"
rm "$HOME_IMAGE/etc/passwd"
head -c 100000 /dev/zero >"$HOME_IMAGE/etc/passwd"
check_equal "home: a /etc/passwd that is too large is left alone" 100000 "$(in_image -- stat -c %s /etc/passwd)"
yes x:x | head -c 60000 >"$HOME_IMAGE/etc/passwd"
check_equal "home: a /etc/passwd with malformed lines gets an entry" "60000 root:x:0:0::/workspace:/bin/sh" \
    "$(in_image -- sh -c 'head -c 60000 /etc/passwd | wc -c; tail -n 1 /etc/passwd' | xargs)"

# ---- owners of files ----

# As root, tar and cp -a keep owners, which may be those of a directory service.
check_equal "owners above 65535 are kept: tar, cp -a, install, chown, a user" \
    "1000660000:1000660000 1000660000:1000660000 70000:70000 2147483648:2147483648 1000660000" \
    "$(sandbox -- bash -ec '
        mkdir d && echo x >d/f
        tar --owner=big:1000660000 --group=big:1000660000 -cf a.tar d && rm -r d
        tar xf a.tar && stat -c %u:%g d/f
        cp -a d e && stat -c %u:%g e/f
        install -o 70000 -g 70000 a.tar b.tar && stat -c %u:%g b.tar
        chown 2147483648:2147483648 b.tar && stat -c %u:%g b.tar
        python3 -c "import os; os.setuid(1000660000); print(os.getuid())"' | xargs)"

finish
