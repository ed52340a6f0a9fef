#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Our own unprivileged processes, taken over: system calls are made inside the running
# ones, so with their ids, Landlock rules and filters, and what they may is compared
# with what they need.
# shellcheck source=tests/breakout/lib.sh
. "$(dirname "$0")/lib.sh"

build_tool inject "$HERE/inject.c" || exit 1
setup_project demo
start_daemon || exit 1
root=$TEST_TMP/root
lib=$root/var/lib/runbookd
touch "$TEST_TMP/elsewhere" && chmod 0666 "$TEST_TMP/elsewhere"

process_of() { pgrep -P "$DAEMON_PID" -x "$(printf %.15s "runbook-$1")"; }
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
execute 59 @/bin/true argv:true 0
clone 56 0x10000
signal-root 62 $DAEMON_PID 0
signal-init 62 1 0
become-root 117 0 0 0
chroot 161 @/
link 86 @/etc/passwd @/tmp/breakout-$$
mode 90 @$TEST_TMP/elsewhere 0600
core 160 4 0
A
}
# roles: what each may of these, because it needs it
declare -A MAY=(
    [webhook]=""
    [api]="open-logs"
    [scheduler]="open-database"
    [cacher]="open-artifacts"
    [fetcher]="open-trees open-passwd socket-tcp socket-unix socket-netlink clone"
)
for role in webhook api scheduler cacher fetcher; do
    pid=$(process_of $role)
    attacks | grep -vE '^core ' | "$TEST_TMP/tools/inject" "$pid" >"$TEST_TMP/$role.out" 2>&1
    check_equal "$role: all of it was tried" "$(attacks | grep -cvE '^core ')" "$(wc -l <"$TEST_TMP/$role.out")"
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
    done <"$TEST_TMP/$role.out"
    check "$role goes on" kill -0 "$pid"
done
check_not "nothing was made" test -e "/tmp/breakout-$$"
check_equal "the api answers as before" 0.1.0 "$(api status | jq -r .version)"

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
