#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Which ways to the API there are for another user of the host, and what is said of them.
# shellcheck source=tests/breakout/lib.sh
. "$(dirname "$0")/lib.sh"

root=$TEST_TMP/root
conf=$root/etc/runbookd
mkdir -p "$conf/runbookd.conf.d" "$conf/projects.d"
chmod 0755 "$root" "$root/etc" "$conf"
printf '%s\n' "[Daemon]" "Limits=best-effort" "[Webhook]" "Listen=127.0.0.1:0" >"$conf/runbookd.conf"
start_daemon || exit 1
addresses() { tr '\n' ' ' <"$root/run/runbookd/api.address"; }
doctor() { "$BIN/runbookctl" doctor --json | jq -r '.checks[] | select(.check == "who may read") | "\(.result) \(.seen)"'; }
# shellcheck disable=SC2317  # called by check
reload() { api reload -X POST -H 'Content-Type: application/json' -d '{}'; }
other() { timeout 20 setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }

check_equal "local-user: the API has no TCP port unless it is asked for" "" "$(addresses)"
check_match "doctor has nothing to say of it" '^ok ' "$(doctor)"

printf '%s\n' "[Api]" "Listen=unix:$root/run/second.sock" >"$conf/runbookd.conf.d/api.conf"
check "a second socket" reload
check_equal "local-user: another socket of the API is not for everybody" 660 "$(stat -c %a "$root/run/second.sock")"
check_not "local-user: who is not in the group does not connect" \
    other curl -sS --max-time 10 --unix-socket "$root/run/second.sock" http://localhost/api/v1/status
check "root does" curl -sS --max-time 10 --unix-socket "$root/run/second.sock" http://localhost/api/v1/status

printf '%s\n' "[Api]" "Listen=127.0.0.1:0" >"$conf/runbookd.conf.d/api.conf"
check "a port that is asked for" reload
wait_for 10 grep -q 127 "$root/run/runbookd/api.address"
check_match "the log says who may read now" 'Listen=127.0.0.1:0: every user of this host' "$(cat "$TEST_TMP/daemon.log")"
check_match "and so does doctor" '^warning every user of this host may read' "$(doctor)"
url=http://$(head -n 1 "$root/run/runbookd/api.address")
check "it reads" other curl -sSf --max-time 10 "$url/api/v1/status"
check_equal "local-user: it changes nothing" 403 \
    "$(other curl -sS --max-time 10 -o /dev/null -w '%{http_code}' -X POST "$url/api/v1/reload")"
finish
