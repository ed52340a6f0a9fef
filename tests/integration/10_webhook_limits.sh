#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A hostile or unlucky peer of runbook-webhook cannot exhaust its time or memory, and does
# not stop good deliveries.
# runs: beside others
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

for case in oversize large away no_answer flood budget leaks slow; do
    check "webhook: $case" timeout 90 python3 "$TESTS_DIR/webhook_cases.py" "$case"
done

# Connections are limited by address, except those of the proxy on loopback, so this test
# needs a network namespace with another address.
for case in per_address per_network; do
    # shellcheck disable=SC2016  # expanded by the inner shell
    check "webhook: $case" timeout 60 unshare --net sh -c 'ip link set lo up &&
        ip address add 192.0.2.1/32 dev lo && ip address add 2001:db8::1/128 dev lo && exec "$@"' sh \
        python3 "$TESTS_DIR/webhook_cases.py" "$case"
done
