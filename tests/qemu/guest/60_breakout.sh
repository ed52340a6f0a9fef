#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every attack, on a kernel with all of their targets, and the host's integration suites of the
# sandbox on that kernel.
# level: long
# seconds: 1800
# shellcheck source=tests/qemu/guest/lib.sh
. "$(dirname "$0")/lib.sh"

# black_box NAME COMMAND...: run a suite, print its lines, and add its counts to ours
black_box() {
    local name=$1 log=$TEST_TMP/$1.log p f s
    shift
    "$@" >"$log" 2>&1 </dev/null
    read -r p f s < <(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p' "$log" | tail -n 1)
    PASSED=$((PASSED + ${p:-0})) FAILED=$((FAILED + ${f:-1})) SKIPPED=$((SKIPPED + ${s:-0}))
    echo "$name: ${p:-0} passed, ${f:-1} failed"
    [ "${f:-1}" = 0 ] || grep -vE '^[0-9]+ passed' "$log" | tail -n 100
}
export BIN=/payload/build/bin BREAKOUT_TOOLS=/payload/tools
# Things that the attacks must find on the host and no sandbox may use: modules and their files,
# a secret of the host, an uplink.
for module in af_alg algif_hash algif_skcipher vsock; do modprobe -q $module; done
mkdir -p /etc/ssh
(umask 077 && head -c 400 /dev/urandom | base64 >/etc/ssh/ssh_host_ed25519_key)
ip link add way-out type dummy && ip address add 192.0.2.2/24 dev way-out && ip link set way-out up
black_box breakout /payload/tests/breakout/run.sh --all
for suite in /payload/tests/integration/20_sandbox_*.sh; do
    black_box "$(basename "$suite" .sh)" "$suite"
done
