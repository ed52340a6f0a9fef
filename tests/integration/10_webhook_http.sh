#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every reply of the real runbook-webhook; tests/webhook_cases.py plays its daemon and
# scheduler.
# runs: beside others
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

for case in push duplicate url form providers several_refs tag ignored health routes content_type signature no_secret \
    delivery_id malformed texts refused expect framing headers keepalive pipelining parallel busy \
    reload listeners bad_scheduler isolation stop bad_daemon; do
    check "webhook: $case" timeout 60 python3 "$TESTS_DIR/webhook_cases.py" "$case"
done
