#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Slow connections on every place of the webhook
# listener, from many addresses and networks. Deliveries of another sender are answered, one
# whose body flows is not cut off, and connections that were closed are taken up again at once.
# runs: beside others
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

# A network of its own, in which every address of these ranges is local.
# shellcheck disable=SC2016  # the inner shell's
crowd() {
    timeout 90 unshare --net sh -c 'ip link set lo up && ip route add local 10.9.0.0/16 dev lo &&
        ip address add 2001:db8::1/128 dev lo && ip -6 route add local 2001:db8::/32 dev lo &&
        exec "$@"' sh python3 "$TESTS_DIR/webhook_crowds.py" "$@"
}

for family in ipv4 mapped net64 net48; do
    check "http-hostile: a crowd of headers without end, $family" crowd line "$family"
done
check "http-hostile: a crowd that is silent" crowd silent ipv4
for family in ipv4 net48; do
    check "http-hostile: a crowd of bodies without end, $family" crowd body "$family"
done
