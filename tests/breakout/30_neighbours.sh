#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One step beside another, and after another.
# shellcheck source=tests/breakout/lib.sh
. "$(dirname "$0")/lib.sh"

build_probe || exit 1
plant

# ---- who one is ----

check_equal "uid 0 inside" 0 "$(sandbox -- id -u)"
MARK=$(mark)
"${SANDBOX[@]}" -- sleep "$MARK" &
STARTED=$!
wait_for 20 pgrep -f "^sleep $MARK\$"
check "somebody else outside" test "$(ps -o uid= -p "$(pgrep -f "^sleep $MARK\$")")" -ge $((0x70000000))
check "the init is somebody else again" test \
    "$(ps -o uid=,comm= --ppid "$STARTED" | awk '$2 == "runbook-init" { print $1 }')" -ge $((0x7fff0000))
sandbox -- sh -c 'cat /proc/self/uid_map' >"$TEST_TMP/second"
check_not "two at once have different ids" grep -q " $(awk 'NR == 1 {print $2}' "/proc/$(pgrep -f "^sleep $MARK\$")/uid_map") " "$TEST_TMP/second"
kill -KILL $STARTED
{ wait $STARTED || true; } 2>/dev/null
check "no-die: gone when whoever started it is killed" wait_for 20 sh -c "! pgrep -f '^sleep $MARK\$'"

# ---- time-host: what tells of the machine's start ----

boot_id() { cat /proc/sys/kernel/random/boot_id; }
sandbox -- sh -c 'cat /proc/sys/kernel/random/boot_id; cat /proc/sys/kernel/random/boot_id' >"$TEST_TMP/boot-ids"
check_equal "time-host: a boot id stays what it is" 1 "$(sort -u "$TEST_TMP/boot-ids" | wc -l)"
check_match "time-host: a boot id looks like one" '^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$' \
    "$(head -n 1 "$TEST_TMP/boot-ids")"
check_not "time-host: it is not the machine's" grep -q "$(boot_id)" "$TEST_TMP/boot-ids"
check_not "time-host: it is not the next one's" grep -q "$(sandbox -- cat /proc/sys/kernel/random/boot_id)" "$TEST_TMP/boot-ids"
# kernels without time namespaces (user-mode Linux) show the machine's
if [ -e /proc/self/ns/time ]; then
    check_not "time-host: a time namespace of its own" grep -qx \
        "$(readlink /proc/self/ns/time)" <<<"$(sandbox -- readlink /proc/self/ns/time)"
    check_match "time-host: the clocks begin a day before the step" '^(864[0-9][0-9] ){3}$' \
        "$(sandbox -- python3 -c 'import time
for value in (time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME), float(open("/proc/uptime").read().split()[0])):
    print(int(value), end=" ")')"
    check_not "time-host: their offsets cannot be changed" sandbox -- \
        sh -c 'echo "monotonic 1 0" >/proc/self/timens_offsets'
fi

# ---- cross-step, shm-ipc: one holds, another looks ----

mkfifo "$TEST_TMP/hold"
sandbox --bind "$TEST_TMP/tools:/mnt/tools:ro" -- /mnt/tools/probe hold <"$TEST_TMP/hold" \
    >"$TEST_TMP/holder" 2>&1 &
HOLDER=$!
exec 8>"$TEST_TMP/hold"
check "a step holds what others might find" wait_for 10 grep -qx holding "$TEST_TMP/holder"
probe_inside shm-ipc cross-step >"$TEST_TMP/neighbour"
check "all of it was looked for" test "$(wc -l <"$TEST_TMP/neighbour")" -ge 18
while read -r result name; do
    check_equal "$name: beside the other" defended "$result"
done <"$TEST_TMP/neighbour"
exec 8>&-
wait "$HOLDER"
check_equal "the one that held ended by itself" 0 $?
probe_inside shm-ipc cross-step >"$TEST_TMP/neighbour"
while read -r result name; do
    check_equal "$name: after the other" defended "$result"
done <"$TEST_TMP/neighbour"

# In one sandbox all of it is found: the looking itself works.
sandbox --bind "$TEST_TMP/tools:/mnt/tools:ro" -- sh -c 'mkfifo /tmp/fifo
    /mnt/tools/probe hold </tmp/fifo >/tmp/out & exec 8>/tmp/fifo
    until grep -q holding /tmp/out; do sleep 0.05; done
    exec /mnt/tools/probe shm-ipc cross-step' >"$TEST_TMP/together"
for name in shm-ipc/neighbour-{queue,semaphore,segment,posix-queue,abstract-socket,dev-shm} \
    cross-step/neighbour-{port,process,tmp,var-tmp,run,workspace,root,etc,home}; do
    check_equal "without a sandbox between them it gets through: $name" "OPEN $name" \
        "$(grep " $name\$" "$TEST_TMP/together")"
done

# Both read the same pages of the host's files: nobody writes them.
cp "$TEST_TMP/tools/victim" "$TEST_TMP/victim.before"
check_not "cross-step: writing through a read-only layer's pages" sandbox --bind "$TEST_TMP/tools:/mnt/tools:ro" -- \
    python3 -c 'import mmap; f = open("/mnt/tools/victim", "rb"); mmap.mmap(f.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_WRITE)[0:1] = b"x"'
check "cross-step: what is shown is as before" cmp "$TEST_TMP/tools/victim" "$TEST_TMP/victim.before"

# ids are used again: what the last one left must not be the next one's
mkdir -m 0700 "$TEST_TMP/drop"
chown 65534:65534 "$TEST_TMP/drop"
sandbox --bind "$TEST_TMP/drop:/mnt/drop:rw" -- sh -c 'echo x >/mnt/drop/made; id -u >/tmp/made; cat /proc/self/uid_map' \
    >"$TEST_TMP/map"
check_equal "cross-step: what a step makes in a writable bind is the owner's, not the host root's" 65534 \
    "$(stat -c %u "$TEST_TMP/drop/made")"
check_equal "cross-step: no process of a step that ended lives" "" \
    "$(ps -eo uid=,args= | awk -v u="$(awk 'NR == 1 {print $2}' "$TEST_TMP/map")" '$1 >= u && $1 < u + 65536')"

# ---- net-host: none is nothing ----

check_equal "net-host: without a network there is the loopback alone" lo \
    "$(sandbox --network none -- awk -F : 'NR > 2 { print $1 }' /proc/net/dev | xargs)"
check_not "net-host: the metadata service" sandbox --network none -- \
    bash -c 'exec 3<>/dev/tcp/169.254.169.254/80'

# ---- info-leak: what a neighbour's process is for a user of the host is in 50_house.sh ----

check_match "info-leak: the list of processes is the step's own" '^[34]$' \
    "$(sandbox -- sh -c 'ls -d /proc/[0-9]* | wc -l')"

finish
