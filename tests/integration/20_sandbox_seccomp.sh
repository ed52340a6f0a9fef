#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Compares the filter's answer to every system call number, probed from inside, with the list;
# and checks --seccomp-report.
# shellcheck source=tests/breakout/lib.sh
. "$(dirname "$0")/../breakout/lib.sh"

build_tool syscalls "$HERE/syscalls.c" || exit 1
"$BIN/runbook-sandbox" --seccomp-list >"$TEST_TMP/list"
number() { awk -F'\t' -v name="$1" '$2 == name { print $1 }' "$TEST_TMP/list"; }

# ---- every number, compared with the list ----

check "the list has every number up to the newest, except the gap of x86_64" \
    test "$(cut -f1 "$TEST_TMP/list" | sort -un | wc -l)" = $((469 + 1 - (424 - 337)))
awk -F'\t' '
    { name[$1] = $2; answer[$1] = $3; if ($1 > newest) newest = $1 }
    END {
        for (n = 0; n <= newest + 64; n++) {
            wanted = n in answer ? answer[n] : "ENOSYS"
            if (wanted != "arguments") {
                printf "native %d 0 0 0 0 0 0 %s %s\n", n, wanted, n in name ? name[n] : "unknown"
                printf "native %d -1 -1 -1 -1 -1 -1 %s %s\n", n, wanted, n in name ? name[n] : "unknown"
            }
            printf "native %d -1 -1 -1 -1 -1 -1 killed x32\n", 1073741824 + n
            printf "i386 %d -1 -1 -1 -1 -1 -1 killed i386\n", n
        }
        # x32 has its own calls from 512 on; then the limits of the range
        for (n = 512; n < 560; n++)
            printf "native %d -1 -1 -1 -1 -1 -1 killed x32\n", 1073741824 + n
        print "native 1073741823 0 0 0 0 0 0 ENOSYS below-x32"
        print "native 2147483647 0 0 0 0 0 0 killed above-x32"
        print "native -2147483648 0 0 0 0 0 0 ENOSYS negative"
        print "native -1073741824 0 0 0 0 0 0 ENOSYS negative"
        print "native -1073741823 0 0 0 0 0 0 ENOSYS negative"
        print "native -2 0 0 0 0 0 0 ENOSYS negative"
        print "native -1 0 0 0 0 0 0 allow skipped-by-tracer"
    }' "$TEST_TMP/list" >"$TEST_TMP/numbers"

# ---- calls that the filter decides by their arguments ----

# row NAME EXPECTED ARG...: add a probe, and one with bits set that the kernel ignores
row() {
    local name=$1 expected=$2
    shift 2
    local args=("$@" 0 0 0 0 0 0)
    echo "native $(number "$name") ${args[*]:0:6} $expected $name"
}
HIGH=$((1 << 40))
{
    for flag in 0x20000 0x2000000 0x4000000 0x8000000 0x10000000 0x20000000 0x40000000; do
        row clone EPERM $flag
        row clone EPERM $((flag | 17))
        row clone EPERM $((flag | HIGH))
        row unshare EPERM $flag
        row unshare EPERM $((flag | 0x400 | HIGH))
        row setns EPERM 3 $flag
    done
    row clone allow 17
    row clone allow 0x3d0f00      # a thread
    row clone allow $((0x4111))   # vfork
    row clone allow $((17 | HIGH))
    row unshare EPERM 0x80        # CLONE_NEWTIME
    row unshare EPERM 0x10000     # CLONE_THREAD
    row unshare allow 0
    row unshare allow 0x400       # CLONE_FILES
    row unshare allow 0x200       # CLONE_FS
    row unshare allow 0x40000     # CLONE_SYSVSEM
    row clone3 ENOSYS 1 88
    for family in $(seq 0 50); do
        case $family in
        1 | 2 | 10 | 16) answer=allow ;;
        *) answer=EAFNOSUPPORT ;;
        esac
        row socket $answer "$family" 1 0
        row socket $answer "$family" $((1 | 0x80800)) 0
        row socket $answer $((family | HIGH)) 1 0
        [ "$family" = 1 ] || answer=EAFNOSUPPORT
        row socketpair $answer "$family" 1 0
    done
    for protocol in $(seq 1 25); do
        row socket EAFNOSUPPORT 16 3 "$protocol" # netlink other than routing
    done
    for family in 2 10; do
        for type in 0 4 5 6 10 15; do row socket ESOCKTNOSUPPORT $family $type 0; done
        for type in 1 2 3; do
            for protocol in 0 1 6 17 58 136 262; do row socket allow $family $type $protocol; done
            for protocol in 2 33 50 115 132 255 256 263; do
                row socket EPROTONOSUPPORT $family $type $protocol
            done
        done
    done
    for request in 0x5412 0x541c 0x5423; do # TIOCSTI, TIOCLINUX, TIOCSETD
        row ioctl EPERM 0 $request
        row ioctl EPERM 0 $((request | HIGH))
    done
    for request in 0x5401 0x5411 0x5413 0x5422 0x5424 0x541b 0x8912; do row ioctl allow 0 $request; done
    for persona in 0 8 0x20000 0x40000 0x60008 0xffffffff; do row personality allow $persona; done
    for persona in 1 2 4 0x10000 0x80000 0x100000 0x200000 0x400000 0x800000 0x1000000 0x4000000 \
        0x8000000 0x440000 0xfffffffe; do
        row personality EPERM $persona
    done
    for option in $(seq 0 90) 0x53564d41 0x59616d61 0xffffffff; do
        answer=allow
        case $option in
        35 | 57 | 62 | 67) answer=EPERM ;;
        8[0-9] | 90 | 0xffffffff) answer=EINVAL ;;
        esac
        row prctl $answer "$option"
        row prctl $answer $((option | HIGH))
    done
    for flags in 0x22 0x1 0x4022; do
        row mmap allow 0 4096 3 $flags
        row mmap ENOMEM 0 4096 3 $((flags | 0x40000)) # MAP_HUGETLB
        row mmap ENOMEM 0 4096 3 $((flags | 0x40000 | HIGH | 21 << 26))
    done
    for flags in 0 1 2 3 8 16; do
        row memfd_create allow 0 $flags
        row memfd_create ENOMEM 0 $((flags | 4)) # MFD_HUGETLB
        row memfd_create ENOMEM 0 $((flags | 4 | HIGH))
    done
    for resource in $(seq 0 15); do
        answer=allow
        [ "$resource" != 4 ] || answer=ignored
        row setrlimit $answer "$resource" 4096
        row prlimit64 $answer 0 "$resource" 4096
        row prlimit64 $answer 0 "$resource" $HIGH
        row prlimit64 allow 0 "$resource" 0 4096
    done
} >"$TEST_TMP/rows"
awk -F'\t' '$3 == "arguments" { print $2 }' "$TEST_TMP/list" >"$TEST_TMP/by-arguments"
while read -r name; do
    check "$name has probes that are allowed and probes that are denied" test \
        "$(grep " $name\$" "$TEST_TMP/rows" | awk '{ print $9 == "allow" }' | sort -u | wc -l)" = 2
done <"$TEST_TMP/by-arguments"

cat "$TEST_TMP/numbers" "$TEST_TMP/rows" >"$TEST_TMP/probes"
check "there are more than 2500 probes" test "$(wc -l <"$TEST_TMP/probes")" -gt 2500
probe() { sandbox "$@" --timeout 120s --grace 1s --bind "$TEST_TMP/tools:/mnt:ro" -- /mnt/syscalls <"$TEST_TMP/probes"; }
check "the filter answers every number as the list says" probe
check "with --seccomp-report the filter answers the same" probe --seccomp-report="$TEST_TMP/report"
# the probes must be able to fail: without a sandbox, nearly all answers differ
check_not "without a sandbox the answers differ from the list" "$TEST_TMP/tools/syscalls" <"$TEST_TMP/rows"

# ---- the report ----

# counted FILTER: the sum of counts in the report's rows that match a jq filter
counted() { jq -s "map(select($1)) | map(.count) | add // 0" "$TEST_TMP/report"; }
# called PATTERN: how many of the denied probes match
called() { grep -v ' allow ' "$TEST_TMP/probes" | grep -c "$1"; }
check "every line of the report is JSON with the same keys" jq -es '
    map(keys) | unique == [["abi", "answer", "arguments", "count", "name", "number", "process", "reason"]]' \
    "$TEST_TMP/report"
check_equal "the report counts each call of mount" "$(called ' mount$')" "$(counted '.name == "mount" and .abi == "x86_64"')"
check_equal "the report counts each call of socket" "$(called ' socket$')" "$(counted '.name == "socket" and .abi == "x86_64"')"
# A kernel without 32-bit calls kills the caller without running the filter, so nothing is counted.
I386=0
"$TEST_TMP/tools/syscalls" --has-i386 || I386=$?
check "the test knows whether this kernel has 32-bit calls" test "$I386" -le 1
[ "$I386" = 0 ] && wanted=$(called '^i386 ') || wanted=0
check_equal "the report counts each 32-bit call" "$wanted" "$(counted '.abi == "i386" and .answer == "killed"')"
check_equal "the report counts each call of prctl" "$(called ' prctl$')" "$(counted '.name == "prctl" and .abi == "x86_64"')"
check_equal "the report has no allowed call" 0 "$(counted '.answer == "allow"')"

TEXT=$(sandbox --seccomp-report -- python3 -c '
import os, socket, threading
def denied():
    for _ in range(3):
        try: socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)
        except OSError as error: assert error.errno == 97, error
thread = threading.Thread(target=denied)
thread.start(); thread.join()
if os.fork() == 0:
    denied()
    os._exit(0)
os.wait()
os.execvp("unshare", ["unshare", "-U", "true"])' 2>&1 >/dev/null)
check_match "the table has count, answer, process, call and argument" \
    '^ +6  EAFNOSUPPORT +python3 +socket family=AF_ALG type=SOCK_SEQPACKET protocol=0: ' "$TEXT"
check_match "the table has each of several processes" '^ +1  EPERM +unshare +unshare flags=CLONE_NEWUSER: namespaces' "$TEXT"
check_match "the program gets the same error as without a report" 'unshare failed: Operation not permitted' "$TEXT"
check_equal "a report without denied calls says so" "runbook-sandbox: no system call was denied" \
    "$(sandbox --seccomp-report -- true 2>&1)"
check_status "the command's status is kept with a report" 7 sandbox --seccomp-report -- sh -c 'exit 7'
check_status "a report that cannot be written is an error" 125 sandbox --seccomp-report="$TEST_TMP/none/x" -- true
check_status "a timeout ends a command that makes reported calls" 124 \
    sandbox --seccomp-report --timeout 1s --grace 1s -- sh -c 'unshare -U true; sleep 100'
check_status "a command may make more kinds of calls than the report keeps" 0 sandbox --seccomp-report="$TEST_TMP/many" -- python3 -c '
import ctypes
libc = ctypes.CDLL(None)
for n in range(3000): libc.syscall(321, n, 0, 0)'
check_equal "the report counts the calls of kinds that it does not keep" 3000 \
    "$(jq -s '(map(.count // 0) | add) + (map(.unnoted // 0) | add)' "$TEST_TMP/many")"
check_match "the name of a process is escaped in the report" '"process":"a\\"b\\u001b\[31m"' \
    "$(sandbox --seccomp-report=/dev/stdout -- python3 -c '
import ctypes
libc = ctypes.CDLL(None)
libc.prctl(15, b"a\"b\x1b[31m")
libc.syscall(321, 0, 0, 0)')"
check_status "--json without --explain is a usage error" 2 sandbox --json -- true
check "--explain --json needs no privilege and is JSON" sh -c \
    "setpriv --reuid 65534 --clear-groups '$BIN/runbook-sandbox' --explain --json -- true | jq -e '.schema == 1 and .operations[0].verb == \"ids\"'"
