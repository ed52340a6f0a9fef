#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the author of a commit reaches and reads through `image:`: the host's credentials for
# registries, what was pulled with these, services on loopback and in private networks.
# In a network of its own, so that one of the addresses can be a public one.
if [ -z "${PULLS_NETWORK:-}" ]; then
    RBT_NETNS=1 PULLS_NETWORK=own exec unshare --net sh -c 'ip link set lo up && ip address add 8.8.4.4/32 dev lo && exec "$@"' \
        sh "$0" "$@"
fi
# shellcheck source=tests/breakout/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/images_lib.sh
. "$TESTS_DIR/images_lib.sh"

conf=$TEST_TMP/root/etc/runbookd
ctl() { timeout 120 "$BIN/runbookctl" "$@"; }

# spy NAME [REDIRECT]: sets PORT; its log is $TEST_TMP/NAME
spy() {
    : >"$TEST_TMP/$1"
    python3 "$HERE/spy.py" "$TEST_TMP/$1" "$TEST_TMP/$1.port" ${2:+"$2"} 2>"$TEST_TMP/$1.errors" &
    defer "kill $!; wait $! 2>/dev/null"
    wait_for 20 test -s "$TEST_TMP/$1.port" || failed "the listener did not start"
    PORT=$(cat "$TEST_TMP/$1.port")
}
heard() { cat "$TEST_TMP/$1"; }
forget() { : >"$TEST_TMP/open"; : >"$TEST_TMP/inner"; }

spy inner
INNER=$PORT
spy open "http://127.0.0.1:$INNER"
OPEN=127.0.0.1:$PORT
start_registry closed tester secret
CLOSED=$REGISTRY
start_registry second tester secret
SECOND=$REGISTRY
make_oci "$TEST_TMP/oci" >"$TEST_TMP/oci.log" 2>&1 || { cat "$TEST_TMP/oci.log"; exit 1; }
push "$TEST_TMP/oci:one" "$CLOSED/private/base:1" --dest-creds tester:secret
push "$TEST_TMP/oci:one" "$SECOND/private/base:1" --dest-creds tester:secret

# auth FILE REGISTRY...
auth() {
    local file=$conf/$1 registry entries=
    shift
    for registry; do
        entries+="${entries:+,}\"$registry\":{\"auth\":\"$(printf 'tester:secret' | base64)\"}"
    done
    (umask 077 && printf '{"auths":{%s}}\n' "$entries" >"$file")
}
mkdir -p "$conf/projects.d" "$conf/runbookd.conf.d"
auth host.json "$OPEN" "$CLOSED"
auth two.json "$SECOND"
setup_project demo
setup_project two "AuthFile=two.json"
# configure LINE...: of [Images], besides what is always there
configure() {
    printf '%s\n' "[Limits]" "FetchRetry=1s" "[Images]" "Insecure=$OPEN" "Insecure=$CLOSED" "Insecure=$SECOND" "AuthFile=host.json" "$@" \
        >"$conf/runbookd.conf.d/test.conf"
    [ -z "${DAEMON_PID:-}" ] || check "configured: $*" api reload -X POST -H 'Content-Type: application/json' -d '{}'
}
configure
start_daemon "$(cat "$conf/runbookd.conf.d/test.conf")" || exit 1

# image_run PROJECT IMAGE: a run of its own branch, to its end; prints "STATE REASON"
runbook() { printf 'global: {network: none}\nsteps:\n  - {name: s, image: "%s", shell: /bin/sh, command: "true"}\n' "$1"; }
told() { wait_run "$1" 60 >/dev/null; api "runs/$1" | jq -r '(.steps[0] // .) | "\(.state) \(.reason)"'; }
image_run() { told "$(runbook "$2" | push_run "$1")"; }
# fork_run IMAGE: of a pull request of a fork
N=0
fork_run() {
    N=$((N + 1))
    runbook "$1" >"$TEST_TMP/repos/demo/runbook.yml"
    git -C "$TEST_TMP/repos/demo" commit -q -a --allow-empty -m "pull $1"
    git -C "$TEST_TMP/repos/demo" push -q -f origin "HEAD:refs/pull/$RANDOM$N/head" "HEAD:refs/pull/$N/head"
    jq -n --argjson n "$N" --arg c "$(git -C "$TEST_TMP/repos/demo" rev-parse HEAD)" \
        '{action: "opened", number: $n, sender: {login: "x"}, repository: {id: 1, full_name: "test/demo"},
          pull_request: {title: "t", head: {ref: "topic", sha: $c, repo: {id: 2}},
                         base: {ref: "main", sha: $c, repo: {id: 1}}}}' >"$TEST_TMP/pull"
    told "$(curl -sS --max-time 30 -H 'Content-Type: application/json' -H 'X-GitHub-Event: pull_request' \
        -H "X-GitHub-Delivery: pull-$RANDOM-$N" -H "X-Hub-Signature-256: $(sign secret-demo <"$TEST_TMP/pull")" \
        --data-binary "@$TEST_TMP/pull" "$WEBHOOK_URL/webhook/demo" | sed -nE 's/.*"run": ?([0-9]+).*/\1/p')"
}

# ---- credentials ----

answer=$(image_run demo "$OPEN/own/x:1")
check_match "a run of the repository itself is pulled for with credentials" ' Basic$' "$(heard open)"
check_match "ssrf: the reason that everybody sees is the same for all" '^errored image "[^"]*" could not be pulled' "$answer"
check_not "ssrf: it does not say how the other end answered" grep -Eqi '401|unauthorized|refused by|connection refused|EOF' <<<"$answer"
forget
check_match "fork-pr: a fork has nothing pulled" '^errored .*not here for runs of forks' "$(fork_run "$OPEN/fork/y:1")"
named=$(ctl --json trigger demo --commit "$(git -C "$TEST_TMP/repos/demo" rev-parse HEAD)" | jq .run)
check_match "fork-pr: nor has its commit that a person names" '^errored .*not here for runs of forks' "$(told "$named")"
check_equal "fork-pr: and nobody is asked for it" "" "$(heard open)"
configure "Fork=$OPEN/named/*"
answer=$(fork_run "$OPEN/named/z:1")
check_match "fork-pr: what the administrator names is pulled for a fork" "^/v2/named/z/.* (none|empty)\$" "$(heard open)"
check_not "fork-pr: without credentials" grep -q ' Basic$' "$TEST_TMP/open"
check_match "fork-pr: other names are not" 'not here for runs of forks' "$(fork_run "$OPEN/fork/y:1")"

# ---- what is here ----

check "an image is pulled with credentials" ctl image pull "docker://$CLOSED/private/base:1"
check_match "runs of the repository itself use it" '^succeeded' "$(image_run demo "$CLOSED/private/base:1")"
check_match "fork-pr: what credentials were needed for is not for forks" 'not here for runs of forks' \
    "$(fork_run "$CLOSED/private/base:1")"
configure "Fork=$CLOSED/private/*"
check_match "unless the administrator names it" '^succeeded' "$(fork_run "$CLOSED/private/base:1")"
make_rootfs "$TEST_TMP/rootfs" && tar -C "$TEST_TMP/rootfs" -cf "$TEST_TMP/rootfs.tar" .
check "an image is imported" ctl image import "$TEST_TMP/rootfs.tar" plain
check_match "and is for forks, too" '^succeeded' "$(fork_run plain)"
check_match "a project's own credentials" '^succeeded' "$(image_run two "$SECOND/private/base:1")"
check_match "what they gave is not for another project" '^errored image "[^"]*" could not be pulled' \
    "$(image_run demo "$SECOND/private/base:1")"
check_match "the project goes on to use it" '^succeeded' "$(image_run two "$SECOND/private/base:1")"

# ---- destinations ----

forget
for host in 127.0.0.1 localhost 8.8.4.4; do
    check_match "ssrf: $host is not pulled from" '^errored image "[^"]*" could not be pulled' "$(image_run demo "$host:$INNER/in/x:1")"
done
check_equal "ssrf: no address of this host was connected to" "" "$(heard inner)"
ctl image pull "docker://$OPEN/away/x:1" >"$TEST_TMP/away.log" 2>&1
check_match "the registry sent on" '^/v2/away/' "$(heard open)"
check_equal "ssrf: where a registry sends on to is judged as well" "" "$(heard inner)"
check_match "who may pull is told why" 'AllowPrivate=' "$(ctl image pull "docker://localhost:$INNER/in/x:1" 2>&1)"
configure "AllowPrivate=localhost:$INNER"
ctl image pull "docker://localhost:$INNER/in/x:1" >/dev/null 2>&1
check_match "what is listed is reached, by its name" connection "$(heard inner)"
finish
