#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Our own unprivileged processes, taken over: system calls are made inside the running
# ones, so with their ids, Landlock rules and filters, and what they may is compared
# with what they need.
# shellcheck source=tests/breakout/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/fetcher_lib.sh
. "$TESTS_DIR/fetcher_lib.sh"

build_tool inject "$HERE/inject.c" || exit 1
setup_project demo
# fetches that last: a forge that never answers, and a repository that has a FIFO in it
start_forge "$TEST_TMP"
add_project stalled "$FORGE/stall/a.git" s3cret
make_repository "$TEST_TMP/repos/piped" && mkfifo -m 0666 "$TEST_TMP/repos/piped.git/packed-refs"
add_project piped "file://$TEST_TMP/repos/piped.git" s3cret
start_daemon || exit 1
root=$TEST_TMP/root
lib=$root/var/lib/runbookd
touch "$TEST_TMP/elsewhere" && chmod 0666 "$TEST_TMP/elsewhere"

process_of() { pgrep -P "$DAEMON_PID" -x "$(printf %.15s "runbook-$1")"; }
starter_of_fetches() { pgrep -P "$(process_of fetcher)"; }
# Everybody may read and write these by their modes, so that it is not the mode that refuses.
check "there is a file that modes do not protect" setpriv --reuid 65534 --regid 65534 --clear-groups \
    sh -c ": >>'$TEST_TMP/elsewhere'"

# The clone is none that could be: only filters answer it with EPERM.
# name, number, arguments: what somebody tries who got in by the network
attacks() {
    cat <<A
open-passwd 257 -100 @/etc/passwd 0
open-shadow 257 -100 @/etc/shadow 0
open-secrets 257 -100 @$root/etc/runbookd/projects.d/demo.conf 0
open-database 257 -100 @$lib/scheduler/runbookd.db 2
open-artifacts 257 -100 @$lib/artifacts 0x10000
open-trees 257 -100 @$lib/trees 0x10000
open-logs 257 -100 @$root/var/log/runbookd 0x10000
open-writable 257 -100 @$TEST_TMP/elsewhere 1
open-memory-of-root 257 -100 @/proc/$DAEMON_PID/mem 2
open-environment-of-root 257 -100 @/proc/$DAEMON_PID/environ 0
create 257 -100 @/tmp/breakout-$$ 0x41 0600
socket-tcp 41 2 1 0
socket-unix 41 1 1 0
socket-netlink 41 16 3 0
socket-packet 41 17 3 0
socket-vsock 41 40 1 0
socket-vsock-high-bits 41 0x100000028 1 0
socket-raw 41 2 3 1
socket-ping 41 2 2 1
socket-sctp 41 2 1 132
socket-audit 41 16 3 9
socketpair-tipc 53 30 1 0 @12345678
map-write-execute 9 0 4096 7 0x22 -1 0
map-data 9 0 4096 3 0x22 -1 0
make-executable 10 $ 4096 5
map-code 9 0 4096 5 0x22 -1 0
execute 59 @/bin/true argv:true 0
clone 56 0x10000
signal-root 62 $DAEMON_PID 0
signal-init 62 1 0
signal-same-user 62 $SAME_USER 0
become-root 117 0 0 0
chroot 161 @/
link 86 @/etc/passwd @/tmp/breakout-$$
mode 90 @$TEST_TMP/elsewhere 0600
core 160 4 0
A
}
# What a role with sockets of its own may do with them. The first is opened for the second.
network_attacks() {
    cat <<A
socket-tcp 41 2 1 0
bind-port 49 $ in:127.0.0.1:$FREE_PORT 16
socket-unix 41 1 1 0
connect-abstract 42 $ abstract:rbt-roles-$$ $((3 + $(printf %s "rbt-roles-$$" | wc -c)))
A
}
python3 - "rbt-roles-$$" >"$TEST_TMP/listener" <<'P' &
import signal, socket, sys
a = socket.socket(socket.AF_UNIX); a.bind("\0" + sys.argv[1]); a.listen()
t = socket.socket(); t.bind(("127.0.0.1", 0)); port = t.getsockname()[1]; t.close()
print(port, flush=True)
signal.pause()
P
defer "kill $!"
wait_for 10 test -s "$TEST_TMP/listener"
FREE_PORT=$(cat "$TEST_TMP/listener")

landlock() { # what this kernel's Landlock knows, as a number
    python3 -c 'import ctypes; print(ctypes.CDLL(None).syscall(444, None, 0, 1))'
}
LANDLOCK=$(landlock)
# roles: what each may of these, because it needs it
declare -A MAY=(
    [webhook]="map-data"
    [api]="map-data open-logs"
    [scheduler]="map-data open-database"
    [cacher]="map-data open-artifacts"
    [fetcher]="map-data open-trees"
    [starter]="map-data map-code open-trees open-passwd socket-tcp socket-unix socket-netlink clone"
    [fetch-of-stalled]="map-data map-code socket-tcp socket-unix socket-netlink own-mirror own-trees own-port"
    [fetch-of-piped]="map-data own-mirror own-trees"
    [image]="map-data map-code open-passwd socket-tcp socket-unix socket-netlink clone"
)
# Without Landlock's ports (ABI 4) and scopes (ABI 6), it is by what a role has no socket for.
[ "$LANDLOCK" -ge 4 ] || MAY[image]+=" bind-port" MAY[starter]+=" bind-port" MAY[fetch-of-stalled]+=" bind-port other-port"
[ "$LANDLOCK" -ge 6 ] || MAY[image]+=" connect-abstract signal-same-user" MAY[starter]+=" connect-abstract signal-same-user" \
    MAY[fetch-of-stalled]+=" connect-abstract"
# taken_over ROLE PID [COMMAND]: all attacks, and what COMMAND prints besides, against what it may
taken_over() {
    local role=$1 pid=$2 out=$TEST_TMP/$1.out name result
    # the directory in /proc is root's, because the process does not let itself be dumped
    setpriv --reuid "$(awk '/^Uid:/ { print $2 }' "/proc/$pid/status")" --clear-groups sleep 600 &
    SAME_USER=$!
    defer "kill $SAME_USER"
    attacks | grep -vE '^core ' | "$TEST_TMP/tools/inject" "$pid" >"$out" 2>&1
    check_equal "$role: all of it was tried" "$(attacks | grep -cvE '^core ')" "$(wc -l <"$out")"
    { network_attacks && "${3:-true}"; } | "$TEST_TMP/tools/inject" "$pid" 2>&1 | grep -v '^socket-' >>"$out"
    while read -r name result; do
        case " ${MAY[$role]} " in
        *" $name "*)
            # EINVAL: a clone that the filter lets through and the kernel does not
            check_match "$role needs $name and has it" '^([0-9]+|EINVAL)$' "$result"
            ;;
        *)
            check_match "webhook-owned: $role may not $name" \
                '^(EPERM|EACCES|ENOSYS|EBADF|ENOENT|EXDEV|EAFNOSUPPORT|killed)$' "$result"
            ;;
        esac
    done <"$out"
    check "$role goes on" kill -0 "$pid"
}
for role in webhook api scheduler cacher fetcher image; do
    taken_over $role "$(process_of $role)"
done
taken_over starter "$(starter_of_fetches)"

# ---- what fetches: a child of the starter for each fetch ----
run=$(echo "steps: [{name: a, command: 'true'}]" | push_run demo)
check_equal "a project was fetched" succeeded "$(wait_run "$run")"
FETCHED=$(api "runs/$run" | jq -r .commit)

# shellcheck disable=SC2317  # called by locked_in
filters() { sed -n 's/^Seccomp_filters:\s*//p' "/proc/$1/status"; }
# fetching PROJECT NUMBER: begins to; sets CHILD when so many fetches last, and it is the newest
fetching() {
    api "projects/$1/runs" -H 'Content-Type: application/json' -d '{"ref":"main"}' >/dev/null
    # shellcheck disable=SC2317  # called by check
    last_so_many() { [ "$(pgrep -c -P "$(starter_of_fetches)")" = "$1" ]; }
    check "$1 is being fetched" wait_for 20 last_so_many "$2"
    CHILD=$(pgrep -n -P "$(starter_of_fetches)")
    # it has locked itself in, and waits for its remote
    # shellcheck disable=SC2317  # called by check
    locked_in() { [ "$(filters "$CHILD")" -gt "$(filters "$(starter_of_fetches)")" ] && grep -q '^State:.S' "/proc/$CHILD/status"; }
    check "$1 waits for its remote" wait_for 20 locked_in
}
# what one fetch tries that an author has taken over: the work of others and of its own parents
# shellcheck disable=SC2317  # called by taken_over
fetch_attacks() {
    cat <<A
own-mirror 257 -100 @$lib/repos/$PROJECT.git/breakout 0x41 0600
own-trees 257 -100 @$lib/trees/$PROJECT/breakout 0x41 0600
list-mirrors 257 -100 @$lib/repos 0x10000
open-mirror-of-another 257 -100 @$lib/repos/demo.git/HEAD 0
write-mirror-of-another 257 -100 @$lib/repos/demo.git/HEAD 1
add-to-mirror-of-another 257 -100 @$lib/repos/demo.git/breakout-$$ 0x41 0600
open-tree-of-another 257 -100 @$lib/trees/demo/$FETCHED/runbook.yml 0
remove-tree-of-another 263 -100 @$lib/trees/demo/$FETCHED/runbook.yml 0
link-mirror-of-another 86 @$lib/repos/demo.git/HEAD @$lib/repos/$PROJECT.git/taken
rename-mirror-of-another 82 @$lib/repos/demo.git/HEAD @$lib/repos/$PROJECT.git/taken
mode-of-mirror-of-another 90 @$lib/repos/demo.git/HEAD 0666
mode-of-mirrors 90 @$lib/repos 0755
mode-of-trees-at 268 -100 @$lib/trees 0755
make-mirror 83 @$lib/repos/breakout-$$.git 0700
make-trees 83 @$lib/trees/breakout-$$ 0700
open-repository-of-another 257 -100 @$TEST_TMP/repos/demo.git/HEAD 0
memory-of-service 257 -100 @/proc/$SERVICE/mem 2
memory-of-starter 257 -100 @/proc/$STARTER/mem 2
descriptors-of-service 257 -100 @/proc/$SERVICE/fd 0x10000
environment-of-starter 257 -100 @/proc/$STARTER/environ 0
signal-service 62 $SERVICE 0
signal-starter 62 $STARTER 0
signal-another-fetch 62 $OTHER 0
signal-group 62 0 0
pidfd 434 $SERVICE 0
socket-tcp 41 2 1 0
other-port 42 $ in:127.0.0.1:$FREE_PORT 16
socket-tcp 41 2 1 0
own-port 42 $ in:${FORGE#http://} 16
socket-unix 41 1 1 0
api 42 $ sun:$root/run/runbookd/api.sock 110
A
}
SERVICE=$(process_of fetcher)
STARTER=$(starter_of_fetches)
fetching piped 1
PIPED=$CHILD
fetching stalled 2
STALLED=$CHILD
PROJECT=piped OTHER=$STALLED
taken_over fetch-of-piped "$PIPED" fetch_attacks
PROJECT=stalled OTHER=$PIPED
taken_over fetch-of-stalled "$STALLED" fetch_attacks
check "the tree of another is whole" test -s "$lib/trees/demo/$FETCHED/runbook.yml"

# Nothing that fetches outlives the service, whose signals reach neither starter nor children.
kill -KILL "$SERVICE"
# shellcheck disable=SC2317  # called by check
ended() { ! grep -qs '^State:.[^ZX]' "/proc/$1/status"; }
check "the starter ends with its service" wait_for 20 ended "$STARTER"
check "a fetch ends with the service" wait_for 20 ended "$PIPED"
check "a fetch through the network does, too" wait_for 20 ended "$STALLED"
# shellcheck disable=SC2317  # called by check
back() { starter_of_fetches >/dev/null 2>&1; }
check "the fetcher comes back" wait_for 20 back
check_not "nothing was made" test -e "/tmp/breakout-$$"
check_equal "the api answers as before" 0.1.0 "$(api status | jq -r .version)"

# Root's process and the first of a step start steps, whose programs may compile as they run:
# what they refuse ends with themselves, and a filter could not do that (Linux 6.6).
guard_alone() { python3 -c 'import ctypes, sys; sys.exit(ctypes.CDLL(None).prctl(65, 3, 0, 0, 0) != 0)'; }
map_write_execute="map 9 0 4096 7 0x22 -1 0"
if guard_alone; then
    "${SANDBOX[@]}" -- sleep 600 &
    starter=$!
    defer "kill $starter"
    check "a step runs" wait_for 20 sh -c "pgrep -P \"\$(pgrep -P $starter -x runbook-init)\" -x sleep"
    init=$(pgrep -P $starter -x runbook-init)
    for process in "runbookd $DAEMON_PID" "runbook-init $init"; do
        check_equal "webhook-owned: ${process% *} may not map memory to write and execute" "map EACCES" \
            "$(echo "$map_write_execute" | "$TEST_TMP/tools/inject" "${process#* }" 2>&1)"
    done
else
    skip "runbookd and runbook-init refuse memory to write and execute: needs Linux 6.6"
fi
check "must-work: the command of a step may map memory to write and execute" sandbox -- python3 -c \
    'import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)'

# What no library of ours asks for ends the process at once, and it comes back.
for role in webhook scheduler; do
    for attack in "ptrace 101 0 0 0 0" "io-uring 425 1 0" "keyring 250 0 -3 0"; do
        pid=$(process_of $role)
        check_equal "webhook-owned: $role is ended by ${attack%% *}" "${attack%% *} killed" \
            "$(echo "$attack" | "$TEST_TMP/tools/inject" "$pid" 2>&1)"
        # shellcheck disable=SC2317  # called by check
        back() { local new; new=$(process_of "$role") && [ "$new" != "$pid" ]; }
        check "$role comes back" wait_for 20 back
        wait_for 10 grep -q 'State:.S' "/proc/$(process_of $role)/status"
        sleep 0.3 # until it has locked itself in
    done
done

finish
