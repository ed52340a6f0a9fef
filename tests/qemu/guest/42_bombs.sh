#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Fork, memory and descriptor bombs as steps of the installed service: each is killed or gets an
# error, the reason is reported, another step and the host are not affected, and nothing remains.
# seconds: 600
# shellcheck source=tests/qemu/guest/lib.sh
. "$(dirname "$0")/lib.sh"

installed_project bombs
installed_project neighbour
systemctl reload runbookd
wait_for 20 sh -c 'runbookctl project ls | grep -q neighbour'

# ---- another step, the neighbour, always works: it forks, opens files and fills memory ----

NEIGHBOUR=$(installed_push neighbour <<'Y'
global: {network: none, timeout: 20m}
steps:
  - name: works
    resources: {memory: 64M, pids: 32}
    command: |
      n=0
      while :; do
          python3 -c 'import os; fds = [os.open("/dev/null", 0) for _ in range(2000)]; x = bytearray(8 << 20); print(len(fds))' >out
          [ "$(cat out)" = 2000 ] || { echo "harmed after $n"; exit 1; }
          n=$((n + 1)); echo "alive $n"
          sleep 0.2
      done
Y
)
# shellcheck disable=SC2317  # called by wait_for
alive_since() { [ "$(step_log "$NEIGHBOUR" works | tail -n 1 | tr -dc 0-9)" -gt "$1" ]; }
check "the neighbour works" wait_for 120 alive_since 0

# ---- the bombs ----

# bomb NAME RESOURCES TIMEOUT REASON LOG <COMMAND: run it, and check its reason and its log
bomb() {
    local name=$1 run before
    before=$(step_log "$NEIGHBOUR" works | tail -n 1 | tr -dc 0-9)
    { printf 'global: {network: none}\nsteps:\n  - name: %s\n    resources: {%s}\n    timeout: %s\n    command: |\n' \
        "$name" "$2" "$3"; sed 's/^/      /'; } >"$TEST_TMP/$name.yml"
    run=$(installed_push bombs <"$TEST_TMP/$name.yml")
    check_equal "$name: the run fails" failed "$(wait_run "$run" 240)"
    check_match "$name: the reason names the limit" "$4" "$(step_field "$run" "$name" reason)"
    check_match "$name: the log has the error" "$5" "$(step_log "$run" "$name" | tail -c 4000)"
    check "$name: its cgroup is gone" wait_for 30 sh -c "! ls -d $(steps_group)/runbookd-steps/run-$run 2>/dev/null"
    check "$name: the neighbour still works" wait_for 120 alive_since "${before:-0}"
}
bomb fork-bomb 'pids: 40' 4s 'timeout after 4s' 'Resource temporarily unavailable' <<'C'
bomb() { bomb | bomb & }
bomb
sleep 1000
C
bomb fork-count 'pids: 40' 60s 'process limit 40 reached' 'forked [0-3]?[0-9]: Resource temporarily unavailable' <<'C'
exec python3 -c '
import os, sys, time
n = 0
while True:
    try:
        if os.fork() == 0:
            time.sleep(1000)
    except OSError as error:
        sys.exit(f"forked {n}: {error.strerror}")
    n += 1'
C
bomb thread-bomb 'pids: 40' 60s 'process limit 40 reached' 'threads: [0-3]?[0-9]' <<'C'
exec python3 -c '
import sys, threading, time
n = 0
while True:
    try:
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
    except RuntimeError:
        print("threads:", n, flush=True)
        import os; os._exit(1)
    n += 1'
C
bomb memory-bomb 'memory: 48M' 120s 'out of memory: limit 48M' 'begins' <<'C'
echo begins
for i in 1 2 3 4 5 6 7 8; do
    python3 -c 'import time; x = bytearray(24 << 20); time.sleep(1000)' &
done
wait
C
bomb shm-bomb 'memory: 48M, disk: 1G' 120s 'out of memory: limit 48M' 'begins' <<'C'
echo begins
head -c 512M /dev/zero >/dev/shm/big
C
# it ends by the limit of open files, or because each costs the step's own memory
bomb descriptor-bomb 'memory: 48M, pids: 20' 240s 'out of memory: limit 48M|exit code 1' 'begins' <<'C'
exec python3 -c '
import os, resource, sys
print("begins", flush=True)
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
children = [pid for pid in (os.fork() for _ in range(2)) if pid]
try:
    while True:
        os.pipe()
except OSError as error:
    print(error.strerror, flush=True)
for pid in children:
    os.waitpid(pid, 0)
sys.exit(1)'
C
bomb pty-bomb 'memory: 64M' 60s 'exit code 1' 'ptys: 64' <<'C'
exec python3 -c '
import os, sys
fds = []
try:
    while True:
        fds.append(os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY))
except OSError as error:
    print("ptys:", len(fds), error.strerror, flush=True)
sys.exit(1)'
C

# ---- afterwards ----

runbookctl cancel "$NEIGHBOUR" >/dev/null
check_equal "the neighbour ran until it was cancelled" cancelled "$(wait_run "$NEIGHBOUR" 120)"
check_not "the neighbour had no error" grep -q harmed <(step_log "$NEIGHBOUR" works)
check_equal "runbookd.service is still active" active "$(systemctl is-active runbookd)"
check_equal "runbookd is the same process" "$(main_pid)" "$(pgrep -o -x runbookd)"
check "no step's cgroup remains" wait_for 30 sh -c "! ls -d $(steps_group)/runbookd-steps/*/ 2>/dev/null"
check "no process of a step remains" wait_for 30 sh -c "! ps -eo uid= | awk '\$1 >= 1879048192 && \$1 < 2147352576' | grep -q ."

# ---- oom_score_adj: a step cannot go below its own, although runbookd has CAP_SYS_RESOURCE ----

run=$(installed_push bombs <<'Y'
global: {network: none}
steps:
  - name: score
    command: |
      cat /proc/self/oom_score_adj
      for score in 499 0 -500 -1000; do
          sh -c 'echo "$1" >/proc/self/oom_score_adj && echo "lowered to $1"' - $score 2>/dev/null || true
      done
      sh -c 'echo 700 >/proc/self/oom_score_adj && cat /proc/self/oom_score_adj'
Y
)
check_equal "oom-score: the run succeeds" succeeded "$(wait_run "$run" 120)"
check_equal "oom-score: a step may raise it, but not lower it" "500 700" "$(step_log "$run" score | xargs)"

finish
