#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Network "isolated": the steps of a run reach each other by name, in any order of their starts, and
# reach nothing else.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

setup_project demo
start_daemon "[Daemon]" "MaxRunning=8" || finish

cat >"$TEST_TMP/repos/demo/serve.py" <<'P'
import socket, sys
s = socket.socket(socket.AF_INET6); s.bind(("::", 7000)); s.listen()
for answer in sys.argv[1:]:
    peer = s.accept()[0]; peer.sendall(answer.encode()); peer.close()
P
cat >"$TEST_TMP/repos/demo/ask.py" <<'P'
import socket, sys, time
family = socket.AF_INET6 if sys.argv[2] == "6" else socket.AF_INET
for attempt in range(300):
    try:
        address = socket.getaddrinfo(sys.argv[1], 7000, family, socket.SOCK_STREAM)[0][4]
        s = socket.socket(family); s.connect(address)
        print("got", s.recv(100).decode())
        break
    except OSError: time.sleep(0.1)
else: sys.exit("never")
P
RUN=$(push_run demo <<Y
global: {network: isolated}
steps:
  - name: data base
    command: |
      ip -br address
      python3 serve.py first second third
  - name: four
    command: |
      python3 ask.py data-base 4
  - name: six
    command: |
      python3 ask.py data-base 6
  - name: late
    depends_on: [four, six]
    command: |
      python3 ask.py data-base 4
      ! ip route | grep -q default
      ! ip -6 route | grep -q default
      ! python3 -c 'import socket; socket.create_connection(("10.213.0.1", 80), 2)' 2>/dev/null
      getent hosts demo-1
      ! echo mine >>/etc/hosts
      ! getent hosts four
  - name: alone
    network: none
    command: "! getent hosts data-base && ! ping -c1 -W1 10.77.0.2"
Y
)
check_equal "the run of isolated steps succeeds" succeeded "$(wait_run "$RUN" 90)"
check_match "steps reach each other by IPv4" 'got (first|second)' "$(step_log "$RUN" four)"
check_match "steps reach each other by IPv6" 'got (first|second)' "$(step_log "$RUN" six)"
check_match "a step that starts later is reached" 'got third' "$(step_log "$RUN" late)"
check_match "a step has fixed addresses" '10\.77\.0\.[0-9]+/16 fd77:7275:6e00::' "$(step_log "$RUN" data_base)"

# two runs at once have the same addresses and do not reach each other
for other in 1 2; do
    RUNS[other]=$(push_run demo "isolated-$other" <<Y
global: {network: isolated}
steps:
  - name: here
    command: |
      timeout 20 python3 serve.py run$other
  - name: there
    command: |
      python3 ask.py here 4
Y
)
done
for other in 1 2; do
    check_equal "run $other of two at once succeeds" succeeded "$(wait_run "${RUNS[other]}" 60)"
    check_match "run $other reaches its own steps" "got run$other" "$(step_log "${RUNS[other]}" there)"
done
check_equal "hosts files are removed with the runs" "" \
    "$(find "$TEST_TMP/root/var/lib/runbookd/networks" -type f)"
stop_daemon

finish
