#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The HTTP API, with stand-ins for runbookd, the scheduler and the cacher.
# runs: beside others
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$TEST_TMP/serve
LOGS=$ROOT/var/log/runbookd/demo/42
mkdir -p "$LOGS"
run_json() { # STATE BUILD-STATE [TEST-STATE TEST-ATTEMPT]
    jq -cn --arg run "$1" --arg build "$2" --arg test "${3:-pending}" --argjson attempt "${4:-0}" '{
        id: 42, project: "demo", state: $run, steps: [
            {slug: "build", name: "build", state: $build, attempt: 1, attempts: []},
            {slug: "test", name: "test", state: $test, attempt: $attempt, attempts: []}]}' >"$ROOT/run.new"
    mv "$ROOT/run.new" "$ROOT/run.json"
}
event() { # ID STATE [STEP]
    local json
    if [ -n "${3:-}" ]; then
        json="{\"id\":$1,\"run\":42,\"type\":\"step\",\"step\":\"$3\",\"attempt\":1,\"to\":\"$2\"}"
    else
        json="{\"id\":$1,\"run\":42,\"type\":\"run\",\"step\":null,\"to\":\"$2\"}"
    fi
    ask event "$1" 42 "$json"
}
ask() { python3 "$HERE/api_peers.py" ask "$ROOT" "$@"; }
run_json running running
jq -cn '[range(1;11) | {id: (. * 10), run: 42, type: "step", step: "build", to: "running"}]' >"$ROOT/events.json"
printf 'line 1\nline 2\nline 3\n' >"$LOGS/build.1.log"
python3 "$HERE/api_peers.py" serve "$BIN/runbook-api" "$ROOT" >"$ROOT/log" 2>&1 &
SERVER=$!
# shellcheck disable=SC2016  # expanded by the trap
defer 'kill "$(cat "$ROOT/pid")" 2>/dev/null; wait $SERVER 2>/dev/null'
wait_for 20 test -e "$ROOT/pid" || { failed "the api did not start"; exit 1; }
PORT=$(cat "$ROOT/port")
http() { curl -sS -N --path-as-is --max-time 30 --unix-socket "$ROOT/api.sock" "http://runbook$1" "${@:2}"; }
# in the background, where $! must be curl itself
stream() { exec curl -sS -N --max-time 60 --unix-socket "$ROOT/api.sock" "http://runbook$1" "${@:2}"; }
tcp() { curl -sS --path-as-is --max-time 30 "http://127.0.0.1:$PORT$1" "${@:2}"; }
code() { "$1" "$2" -o /dev/null -w '%{http_code}' "${@:3}"; }
last() { tail -n 1 "$ROOT/requests"; }
wait_for 20 test "$(code http /healthz)" = 200

# ---- requests that read ----
check_equal "healthz is ok" ok "$(http /healthz)"
check_equal "status has the version" 0.1.0 "$(http /api/v1/status | jq -r .version)"
check_equal "a run has its project" demo "$(http /api/v1/runs/42 | jq -r .project)"
check_equal "an unknown run is 404, with a sentence" 'no run 7 404' "$(http /api/v1/runs/7 | jq -r .error) $(code http /api/v1/runs/7)"
http '/api/v1/runs?project=demo&before=9&limit=5' >/dev/null
check_equal "the scheduler gets the arguments of a list" 'RUNS demo 9 5' "$(last | jq -r '"\(.verb) \(.project) \(.page.after) \(.page.limit)"')"
http /api/v1/runs >/dev/null
check_equal "a page has a default size" 50 "$(last | jq -r .page.limit)"
for query in limit=201 limit=-1 limit=x before=1x 'project=../etc' 'project=A' 'before=99999999999999999999'; do
    check_equal "the query $query is refused" 400 "$(code http "/api/v1/runs?$query")"
done

# ---- paths ----
for path in /api /api/v1/nope /etc/passwd /ui/../api/main.c /ui/nope '/api/v1/runs/42/steps/build/log/x'; do
    check_equal "the path $path is 404" 404 "$(code http "$path")"
done
for path in /api/v1/runs/x /api/v1/projects/.. '/api/v1/projects/%2e%2e' '/api/v1/projects/a%2fb/pause' \
    '/api/v1/runs/42/steps/../log' '/api/v1/runs/42/steps/..%2f..%2fetc/log' '/api/v1/runs/42/steps/%2e%2e/log' \
    '/api/v1/runs/42/artifacts/../../../etc/passwd' '/api/v1/runs/42/artifacts/%2e%2e/x' \
    '/api/v1/runs/42/artifacts/a%0d%0aX-Evil:%201' '/api/v1/runs/42/artifacts/%22x'; do
    check_match "the path $path is refused" '^(400|404|405)$' "$(code http "$path")"
done
check_equal "a wrong method is 405" 405 "$(code http /api/v1/status -X DELETE)"
check_match "a 405 has the header Allow" '^Allow: GET' "$(http /api/v1/status -X PUT -D - -o /dev/null | tr -d '\r')"
check_equal "HEAD works" 200 "$(code http /api/v1/status -I)"
check_not "no header is injected" grep -qi x-evil <(http '/api/v1/runs/42/artifacts/a%0d%0aX-Evil:%201' -D - -o /dev/null)
for header in 'X-Content-Type-Options: nosniff' "Content-Security-Policy: default-src 'none'" 'Cache-Control: no-store' 'X-Frame-Options: DENY'; do
    check_match "a reply has the header $header" "^$header" "$(http /api/v1/status -D - -o /dev/null | tr -d '\r')"
done
check_not "a reply allows no other origin" grep -qi access-control <(http /api/v1/status -H 'Origin: http://evil.example' -D -)

# ---- commands ----
post() { http "$1" -H 'Content-Type: application/json' -d "$2" "${@:3}"; }
post_code() { post "$1" "$2" -o /dev/null -w '%{http_code}'; }
check_equal "trigger replies with the run" 43 "$(post /api/v1/projects/demo/runs '{"ref":"main"}' | jq .run)"
check_equal "the scheduler gets the arguments of trigger" 'TRIGGER demo main' "$(last | jq -r '"\(.verb) \(.project) \(.source.ref)"')"
check_equal "cancel is 202" 202 "$(post_code /api/v1/runs/42/cancel '{"step":"build it"}')"
check_equal "the scheduler gets the step to cancel" 'CANCEL 42 build it' "$(last | jq -r '"\(.verb) \(.run) \(.cancel.step)"')"
check_equal "retry without a body is 202" 202 "$(code http /api/v1/runs/42/retry -X POST)"
check_equal "retry of failed steps is 202" 202 "$(post_code /api/v1/runs/42/retry '{"failed":true}')"
check_equal "the scheduler learns that only failed steps are retried" 'RETRY 42 1' "$(last | jq -r '"\(.verb) \(.run) \(.retry.failed)"')"
check_equal "pause is 200" 200 "$(post_code /api/v1/projects/demo/pause '{}')"
check_equal "a form is refused" 415 "$(code http /api/v1/runs/42/cancel -d 'step=x')"
check_equal "plain text is refused" 415 "$(code http /api/v1/runs/42/cancel -H 'Content-Type: text/plain' -d '{}')"
for body in '{' '[]' '"x"' '{"step":1}' '{"stepp":"x"}' '{"failed":1}' '{"failed":true}' '{"step":"a","step":"b"}' \
    '{"step":"a\u0000b"}' '{"step":"a\nb"}' '{"commit":"xyz"}' "$(printf '[%.0s' {1..5000})"; do
    check_equal "the body ${body:0:30} is refused" 400 "$(post_code /api/v1/runs/42/cancel "$body")"
done
head -c 70000 /dev/zero | tr '\0' ' ' >"$TEST_TMP/long"
# the answer may be lost when the connection is closed before all of the body was sent
# shellcheck disable=SC2317  # called by wait_for
long_is_413() {
    [ "$(code http /api/v1/runs/42/cancel -H 'Content-Type: application/json' --data-binary "@$TEST_TMP/long")" = 413 ]
}
check "a long body is 413" wait_for 20 long_is_413
check_match "a long chunked body is refused" '^(000|413)$' "$(code http /api/v1/runs/42/cancel -H 'Content-Type: application/json' \
    -H 'Transfer-Encoding: chunked' --data-binary "@$TEST_TMP/long" 2>/dev/null)"
check_match "the message about an unknown key lists the known ones" \
    'it takes "ref", "commit", "step"$' "$(post /api/v1/runs/42/cancel '{"x":1}' | jq -r .error)"
for body in '[]' '{"name":"n","sealed":"AAAA"}' '{"env":"","name":"n","sealed":"AAAA"}' '{"env":1,"name":"n","sealed":"AAAA"}' \
    '{"env":"e","sealed":"AAAA"}' '{"env":"e","name":"a-b","sealed":"AAAA"}' '{"env":"e","name":"n"}' '{"env":"e","name":"n","sealed":"?"}' \
    '{"env":"e","name":"n","value":"AAAA"}'; do
    check_equal "the secret $body is refused" 400 "$(post_code /api/v1/projects/demo/secrets "$body")"
done
check_equal "a sealed secret is accepted" 200 "$(post_code /api/v1/projects/demo/secrets '{"env":"a b","name":"n","sealed":"AAAA"}')"
check_equal "the scheduler gets the sealed secret" "SECRET_SET demo a b n 3" "$(last | jq -r '"\(.verb) \(.project) \(.secret.env) \(.secret.name) \(.size)"')"
check_equal "secrets of an ENV are removed" 200 "$(post_code /api/v1/projects/demo/secrets/remove '{"env":"a b","name":null}')"
check_equal "the scheduler gets the removal of all secrets of an ENV" \
    "SECRET_REMOVE demo a b " "$(last | jq -r '"\(.verb) \(.project) \(.secret.env) \(.secret.name)"')"
check_equal "a removal with a value is refused" 400 "$(post_code /api/v1/projects/demo/secrets/remove '{"env":"e","sealed":"AAAA"}')"
check_equal "secrets over TCP are refused" 403 "$(code tcp /api/v1/secrets)"
for body in '[]' '{"nam":"x"}' '{"name":1}'; do
    check_equal "the image $body is refused" 400 "$(post_code /api/v1/images/remove "$body")"
done
check_equal "reload replies that it was done" true "$(http /api/v1/reload -X POST | jq .reloaded)"
ask reload-error "runbookd.conf:3: unknown key"
check_equal "reload of a broken file is 400, with a sentence" "400 runbookd.conf:3: unknown key" \
    "$(code http /api/v1/reload -X POST) $(http /api/v1/reload -X POST | jq -r .error)"

# ---- uploads ----
head -c 30000000 /dev/urandom >"$TEST_TMP/tar"
check_equal "upload replies with the run" 43 "$(http '/api/v1/uploads/runs?ref=work&project=demo' -T "$TEST_TMP/tar" -X POST | jq .run)"
check_equal "the scheduler gets the whole upload" "UPLOAD demo work $(sha256sum <"$TEST_TMP/tar" | cut -d' ' -f1)" \
    "$(last | jq -r '"\(.verb) \(.project) \(.source.ref) \(.sha256)"')"
check_equal "a chunked upload is 202" 202 "$(code http /api/v1/uploads/runs -X POST -T - <"$TEST_TMP/tar")"
check_equal "the scheduler gets the whole chunked upload" "$(sha256sum <"$TEST_TMP/tar" | cut -d' ' -f1)" "$(last | jq -r .sha256)"
check_equal "an empty upload is 400" 400 "$(code http /api/v1/uploads/runs -X POST)"
check_equal "an upload with too large a Content-Length is 413" 413 "$(code http /api/v1/uploads/runs -X POST -H 'Content-Length: 99999999999' -d x)"
check_equal "no file of an upload remains" "" "$(ls -A "$ROOT/var/lib/runbookd/api")"

# ---- artifacts ----
check_equal "artifacts of a run are listed" bin/app "$(http /api/v1/runs/42/artifacts | jq -r '.artifacts[0].key')"
check_equal "an artifact is sent" "artifact of demo" "$(http /api/v1/runs/42/artifacts/bin/app)"
check_match "an artifact is sent as a download" '^Content-Disposition: attachment; filename="app"' \
    "$(http /api/v1/runs/42/artifacts/bin/app -D - -o /dev/null | tr -d '\r')"
check_equal "a missing artifact is 404" 404 "$(code http /api/v1/runs/42/artifacts/nothing)"
check_equal "artifacts of a missing run are 404" 404 "$(code http /api/v1/runs/7/artifacts)"

# ---- logs ----
LOG=/api/v1/runs/42/steps/build/log
check_equal "a log is sent" "$(cat "$LOGS/build.1.log")" "$(http $LOG)"
check_equal "a range of a log is sent" "line 2" "$(http $LOG -H 'Range: bytes=7-12')"
check_equal "a range is 206" 206 "$(code http $LOG -H 'Range: bytes=7-12')"
check_match "a range has the header Content-Range" '^Content-Range: bytes 7-12/21' "$(http $LOG -H 'Range: bytes=7-12' -D - -o /dev/null | tr -d '\r')"
check_equal "a range from the end is sent" "3" "$(http $LOG -H 'Range: bytes=-2' | tr -d '\n')"
check_equal "a range beyond the end is 416" 416 "$(code http $LOG -H 'Range: bytes=21-')"
check_equal "an invalid range is ignored" 200 "$(code http $LOG -H 'Range: bytes=x')"
check_equal "a log is sent from an offset" "line 3" "$(http "$LOG?offset=14")"
check_equal "the log of a missing step is 404" 404 "$(code http /api/v1/runs/42/steps/nope/log)"
check_equal "the log of a missing run is 404" 404 "$(code http /api/v1/runs/7/steps/build/log)"
check_equal "the log of a step that has not started is 404" 404 "$(code http /api/v1/runs/42/steps/test/log)"
check_equal "the log of a missing attempt is 404" 404 "$(code http "$LOG?attempt=3")"
check_equal "times of a log without an index are 404" 404 "$(code http "$LOG?timestamps=1")"
check_equal "an invalid attempt is 400" 400 "$(code http "$LOG?attempt=x")"
python3 - "$LOGS/build.1.idx" <<'PY'
import struct, sys
with open(sys.argv[1], "wb") as f:
    f.write(struct.pack("<IIQ", 0x31494252, 1, 1000000000000000))
    for offset, usec in ((0, 1), (7, 1500000), (14, 2000000)):
        f.write(struct.pack("<QQ", offset, usec | 1 << 62))
PY
check_equal "a log is sent with times" "2001-09-09T01:46:40.000001Z line 1
2001-09-09T01:46:41.500000Z line 2
2001-09-09T01:46:42.000000Z line 3" "$(http "$LOG?timestamps=1")"
ln -s /etc/passwd "$LOGS/test.1.log"
run_json running running running 1
check_equal "a symbolic link is not followed" 404 "$(code http /api/v1/runs/42/steps/test/log)"
rm "$LOGS/test.1.log"
mkfifo "$LOGS/test.1.log"
check_equal "a FIFO in place of a log is 404" 404 "$(code http /api/v1/runs/42/steps/test/log)"
rm "$LOGS/test.1.log"

# follow: the log so far, later output, and the end; also of a step that has not started
http "$LOG?follow=1" >"$TEST_TMP/followed" &
FOLLOW=$!
http "$LOG?follow=1&offset=7&timestamps=1" >"$TEST_TMP/stamped" &
STAMPED=$!
run_json running running
http '/api/v1/runs/42/steps/test/log?follow=1' >"$TEST_TMP/early" &
EARLY=$!
for i in {4..200}; do echo "line $i" >>"$LOGS/build.1.log"; done
wait_for 20 grep -q 'line 200' "$TEST_TMP/followed"
check "follow shows later output" grep -q 'line 200' "$TEST_TMP/followed"
check "follow does not end while the step runs" kill -0 $FOLLOW
check "follow waits for a step that has not started" kill -0 $EARLY
echo "last" >>"$LOGS/build.1.log"
run_json running succeeded running 1
echo "first of test" >"$LOGS/test.1.log"
event 110 succeeded build
event 111 running test
wait $FOLLOW $STAMPED
check "follow ends with the step, and has the whole log" cmp "$TEST_TMP/followed" "$LOGS/build.1.log"
check_equal "follow with times has the whole log" "$(tail -c +8 "$LOGS/build.1.log")" "$(cut -c29- "$TEST_TMP/stamped")"
run_json running succeeded failed 1
event 112 failed test
wait $EARLY
check_equal "follow of a step that had not started has the log" "first of test" "$(cat "$TEST_TMP/early")"
check_equal "follow of a step that ended has the whole log at once" 201 "$(http "$LOG?follow=1" | wc -l)"

# ---- events ----
EVENTS=/api/v1/runs/42/events
ids() { grep '^id:' "$1" | cut -d' ' -f2 | tr '\n' ' '; }
http "$EVENTS" >"$TEST_TMP/live" &
LIVE=$!
http "$EVENTS" -H 'Last-Event-ID: 50' >"$TEST_TMP/resumed" &
RESUMED=$!
wait_for 20 grep -q 'id: 100' "$TEST_TMP/live"
check "the stream begins with stored events" grep -q '^id: 100' "$TEST_TMP/live"
check "the stream stays open" kill -0 $LIVE
event 120 succeeded test
event 120 succeeded test
wait_for 20 grep -q 'id: 120' "$TEST_TMP/live"
# an event that was stored but not pushed is found in the stored ones at the end
jq -c '. + [{id: 120, run: 42, type: "step", step: "test", to: "x"},
    {id: 125, run: 42, type: "step", step: "x", to: "running"},
    {id: 130, run: 42, type: "run", to: "failed"}]' "$ROOT/events.json" >"$ROOT/e" && mv "$ROOT/e" "$ROOT/events.json"
run_json failed succeeded failed 1
ask event 1 7 '{"id":1,"run":7,"type":"run","to":"failed"}'
check "the end of another run does not end the stream" kill -0 $LIVE
event 130 failed
wait $LIVE $RESUMED
check_equal "the stream has every event once, in order" "10 20 30 40 50 60 70 80 90 100 120 130 " "$(ids "$TEST_TMP/live")"
check_equal "a resumed stream has every later event once, in order" "60 70 80 90 100 120 130 " "$(ids "$TEST_TMP/resumed")"
check_match "the stream has an end" '^event: end' "$(tail -n 3 "$TEST_TMP/live")"
http "$EVENTS?after=110" >"$TEST_TMP/final"
check_equal "the stream of a run that ended has all events at once" "120 125 130 " "$(ids "$TEST_TMP/final")"
# the run is retried after the stream saw its end and before the last page: the stream continues
ask retry 140
stream "$EVENTS?after=110" >"$TEST_TMP/retried" &
RETRIED=$!
check "the stream has the event of the retry" wait_for 20 grep -q '^id: 140' "$TEST_TMP/retried"
event 150 running test
check "the stream has later events of the retried run" wait_for 20 grep -q '^id: 150' "$TEST_TMP/retried"
run_json failed succeeded failed 1
event 160 failed
wait $RETRIED
check_equal "the stream ends with the retried run" "120 125 130 140 150 160  event: end" \
    "$(ids "$TEST_TMP/retried") $(grep '^event: end' "$TEST_TMP/retried")"
check_match "the stream is text/event-stream" 'Content-Type: text/event-stream' "$(http "$EVENTS" -D - -o /dev/null)"
check_equal "events are sent as JSON" "3 30" "$(http "$EVENTS?format=json" | jq -r '"\(.events | length) \(.next)"')"
check_equal "an invalid Last-Event-ID is 400" 400 "$(code http "$EVENTS" -H 'Last-Event-ID: x')"
check_equal "events of a missing run are 404" 404 "$(code http /api/v1/runs/7/events)"
# a client that reads nothing while more events come than sockets and ring hold
run_json running running
stream "$EVENTS?after=160" >"$TEST_TMP/many" &
SLEEPER=$!
sleep 0.5
kill -STOP $SLEEPER
ask burst 1000 20000
run_json failed succeeded failed 1
event 21000 failed
kill -CONT $SLEEPER
wait $SLEEPER
check_equal "a client that was slow gets every event" \
    "$({ seq 1000 20999; echo 21000; } | sha256sum)" "$(grep '^id:' "$TEST_TMP/many" | cut -d' ' -f2 | sha256sum)"

# ---- programs that die ----
ask away 0.5
check_equal "a request waits for a scheduler that restarts soon" 200 "$(code http /api/v1/status)"
ask drop
check_equal "a request is 503 when the scheduler stays away" 503 "$(code http /api/v1/status)"
check_match "a 503 has the header Retry-After" '^Retry-After: 1' "$(http /api/v1/status -D - -o /dev/null | tr -d '\r')"
check_equal "healthz is 503 without a scheduler" 503 "$(code http /healthz)"
ask attach
check_equal "a request is 200 when the scheduler is back" 200 "$(code http /api/v1/status)"
ask die
check_equal "a change whose reply was lost with the scheduler is 503" 503 "$(code http /api/v1/runs/42/retry -X POST)"
ask die
check_equal "a reading request is sent again after the scheduler's death" 200 "$(code http /api/v1/status)"
ask die
check_equal "a reading request about secrets is sent again as well" 200 "$(code http /api/v1/secrets)"

# ---- TCP ----
check_equal "status can be read over TCP" 0.1.0 "$(tcp /api/v1/status | jq -r .version)"
for host in localhost "localhost:$PORT" 127.0.0.1 '[::1]:80' LOCALHOST; do
    check_equal "Host: $host is accepted" 200 "$(code tcp /api/v1/status -H "Host: $host")"
done
for host in evil.example 127.0.0.1.evil.example localhost.evil.example 'localhost:x' 'localhost:80:80' '' '169.254.169.254'; do
    check_match "Host: '$host' is refused" '^(400|403)$' "$(code tcp /api/v1/status -H "Host;" -H "Host: $host")"
done
for path in /api/v1/runs/42/cancel /api/v1/runs/42/retry /api/v1/projects/demo/runs /api/v1/uploads/runs /api/v1/reload; do
    check_equal "a change over TCP is refused: $path" 403 "$(code tcp "$path" -X POST -H 'Content-Type: application/json' -d '{}')"
done

# ---- a unix socket that ssh -L forwards to a browser ----
for host in localhost localhost:8470 127.0.0.1:8470 '[::1]:8470' runbook; do
    check_equal "forwarded, Host: $host is accepted" 200 "$(code http /api/v1/status -H "Host: $host")"
done
for host in evil.example 'evil.example:8470' 127.0.0.1.evil.example '[::2]:8470' 192.0.2.1; do
    check_equal "forwarded, Host: $host is refused" 403 "$(code http /api/v1/status -H "Host: $host")"
done
for origin in http://evil.example http://localhost:8470 null; do
    check_equal "forwarded: a web page changes nothing, Origin: $origin" 403 \
        "$(code http /api/v1/runs/42/cancel -X POST -H "Origin: $origin")"
done
check_equal "the job of a pull over TCP is refused" 403 "$(code tcp /api/v1/images/jobs/1)"
raw() { printf '%b' "$1" | timeout 10 python3 -c '
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.sendall(sys.stdin.buffer.read())
s.settimeout(5)
data = b""
try:
    while part := s.recv(65536): data += part
except OSError: pass
print(data.split(b"\r\n", 1)[0].decode("latin-1"))' "$PORT"; }
H='Host: localhost\r\nConnection: close\r\n'
check_match "two Content-Lengths are refused" ' 400 ' "$(raw "GET /api/v1/status HTTP/1.1\r\n${H}Content-Length: 0\r\nContent-Length: 5\r\n\r\n")"
check_match "Content-Length with chunks is refused" ' 400 ' \
    "$(raw "GET /api/v1/status HTTP/1.1\r\n${H}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")"
check_match "a request without Host is refused" ' (400|403) ' "$(raw 'GET /api/v1/status HTTP/1.1\r\nConnection: close\r\n\r\n')"
check_match "long headers are refused" ' (431|413|414) |^$' "$(raw "GET /api/v1/status HTTP/1.1\r\n${H}X: $(printf 'x%.0s' {1..70000})\r\n\r\n")"
check_match "random bytes are refused" ' 400 |^$' "$(raw '\x16\x03\x01\x02\r\n\r\n')"

# ---- the page ----
check_match "the page is served" '<title>runbookd' "$(tcp /)"
check_match "the page of a run is served" '<title>runbookd' "$(tcp /runs/42)"
check_equal "the page's script is served" 200 "$(code tcp /ui/app.js)"
check_equal "the page's script for logs is served" 200 "$(code tcp /ui/log.js)"
check_equal "the page's style sheet is served" 200 "$(code tcp /ui/style.css)"
check_match "the page has a Content-Security-Policy" "script-src 'self'" "$(tcp / -D - -o /dev/null)"
check_not "the page's scripts make no markup from data" \
    grep -nE 'innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(' "$TOP/ui/app.js" "$TOP/ui/log.js"
check_not "the page fetches nothing from other hosts" grep -nE 'https?://' "$TOP/ui/app.js" "$TOP/ui/log.js" "$TOP/ui/style.css" "$TOP/ui/index.html"

# ---- many at once ----
threads() { awk '/^Threads:/ { print $2 }' "/proc/$(cat "$ROOT/pid")/status"; }
run_json running running
before=$(threads)
FOLLOWERS=()
for _ in {1..20}; do
    stream "$LOG?follow=1&offset=999999" >/dev/null 2>&1 &
    FOLLOWERS+=($!)
done
wait_for 20 sh -c "[ \$(awk '/^Threads:/ { print \$2 }' /proc/$(cat "$ROOT/pid")/status) -ge $((before + 20)) ]"
check "20 clients follow a log" test "$(threads)" -ge $((before + 20))
kill "${FOLLOWERS[@]}"
wait "${FOLLOWERS[@]}" 2>/dev/null
settled() { [ "$(threads)" -le "$before" ]; }
check "clients that leave a quiet step's log are noticed" wait_for 20 settled
for _ in {1..60}; do stream "$EVENTS?after=130" >/dev/null 2>&1 & done
check_equal "clients of streams do not block other requests" 200 "$(code http /healthz)"
wait -n
check_equal "the api was not restarted" "$(cat "$ROOT/pid")" "$(pgrep -P $SERVER runbook-api)"
