#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The whole way of a push, on this machine, in a directory of its own: a bare
# repository served over HTTP, a project, a push, a webhook signed as GitHub
# signs it, and the run live to its end. The repository is runbookd itself.
# Leaves nothing behind; DEMO_KEEP=1 keeps the directory for a look.
set -eu
TOP=$(cd "$(dirname "$0")/../.." && pwd)
BIN=$TOP/build/bin
SECRET=$(head -c 24 /dev/urandom | base64 | tr -dc 'A-Za-z0-9')
DEMO=$(mktemp -d "${TMPDIR:-/tmp}/runbookd-demo.XXXXXX")
chmod 0755 "$DEMO"
ROOT=$DEMO/root
export RUNBOOK_ROOT=$ROOT
PIDS=()

if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; else bold='' dim='' plain=''; fi
say() { printf '\n%s==> %s%s\n' "$bold" "$*" "$plain"; }
note() { printf '%s    %s%s\n' "$dim" "$*" "$plain"; }

if [ "$(id -u)" != 0 ]; then
    echo "demo: sandboxes need root: run 'sudo make demo', or 'make demo' as root" >&2
    exit 2
fi

cleanup() {
    local status=$? pid
    trap - EXIT INT TERM
    for pid in "${PIDS[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
    for pid in "${PIDS[@]}"; do
        for _ in $(seq 100); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL "$pid" 2>/dev/null || true
    done
    wait 2>/dev/null || true
    if [ -n "${DEMO_KEEP:-}" ]; then
        note "kept: $DEMO"
    else
        rm -rf --one-file-system "$DEMO"
    fi
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

wait_for_file() {
    for _ in $(seq 200); do
        if [ -s "$1" ] && grep -q "${2:-.}" "$1"; then return 0; fi
        sleep 0.1
    done
    echo "demo: $3" >&2
    [ ! -e "$1" ] || tail -n 20 "$1" >&2
    return 1
}

say "A forge: this repository, bare, over smart HTTP on loopback"
mkdir -p "$DEMO/repositories"
export GIT_CONFIG_GLOBAL=$DEMO/gitconfig GIT_CONFIG_NOSYSTEM=1
git config --global user.name "Demo"
git config --global user.email demo@example.invalid
git config --global --add safe.directory '*'
git config --global init.defaultBranch main
if git -C "$TOP" rev-parse --verify -q HEAD >/dev/null 2>&1; then
    git clone -q --no-hardlinks "$TOP" "$DEMO/copy"
    git -C "$DEMO/copy" checkout -q -B main
else # unpacked from an archive, without history
    cp -a "$TOP" "$DEMO/copy"
    rm -rf "$DEMO/copy/build"
    git -C "$DEMO/copy" init -q
    git -C "$DEMO/copy" add -A
    git -C "$DEMO/copy" commit -q -m "runbookd"
fi
git init -q --bare "$DEMO/repositories/runbookd.git"
git -C "$DEMO/repositories/runbookd.git" config http.receivepack true
git -C "$DEMO/copy" push -q "$DEMO/repositories/runbookd.git" HEAD:refs/heads/main
python3 "$TOP/tests/demo/git_http.py" "$DEMO/repositories" "$DEMO/port" >"$DEMO/forge.log" 2>&1 &
PIDS+=($!)
wait_for_file "$DEMO/port" . "the HTTP server did not start"
URL=http://127.0.0.1:$(cat "$DEMO/port")/runbookd.git
note "$URL"

say "runbookd, with its state under a directory of its own"
mkdir -p "$ROOT/etc/runbookd/projects.d"
cat >"$ROOT/etc/runbookd/runbookd.conf" <<CONF
[Daemon]
Limits=best-effort
[Webhook]
Listen=127.0.0.1:0
[Api]
Listen=none
CONF
(umask 077 && cat >"$ROOT/etc/runbookd/projects.d/runbookd.conf" <<CONF
[Project]
Repository=$URL
Provider=github
Secret=$SECRET
CONF
)
"$BIN/runbookd" --root "$ROOT" >"$DEMO/runbookd.log" 2>&1 &
PIDS+=($!)
wait_for_file "$DEMO/runbookd.log" '^ready$' "runbookd did not become ready"
HOOK=http://$(head -n 1 "$ROOT/run/runbookd/webhook.address")/webhook/runbookd
note "webhook: $HOOK"
"$BIN/runbookctl" status || true

say "A commit, pushed"
echo "pushed by make demo" >"$DEMO/copy/DEMO"
git -C "$DEMO/copy" add DEMO
git -C "$DEMO/copy" commit -q -m "Say hello to runbookd"
git -C "$DEMO/copy" push -q "$URL" HEAD:refs/heads/main
COMMIT=$(git -C "$DEMO/copy" rev-parse HEAD)
git -C "$DEMO/copy" log --oneline -n 1 | sed 's/^/    /'

say "The webhook, signed and delivered the way GitHub does it"
BEFORE=$(git -C "$DEMO/copy" rev-parse HEAD^)
cat >"$DEMO/payload.json" <<JSON
{"ref":"refs/heads/main","before":"$BEFORE","after":"$COMMIT","created":false,"deleted":false,
 "repository":{"id":1,"full_name":"demo/runbookd","clone_url":"$URL"},
 "pusher":{"name":"demo"},"sender":{"login":"demo"},
 "head_commit":{"id":"$COMMIT","message":"Say hello to runbookd"},"commits":[]}
JSON
SIGNATURE=$(openssl dgst -sha256 -hmac "$SECRET" -r <"$DEMO/payload.json" | cut -d' ' -f1)
ANSWER=$(curl -sS --max-time 30 -H 'Content-Type: application/json' -H 'X-GitHub-Event: push' \
    -H "X-GitHub-Delivery: demo-$$-$(date +%s)" -H "X-Hub-Signature-256: sha256=$SIGNATURE" \
    --data-binary "@$DEMO/payload.json" "$HOOK")
note "answer: $ANSWER"
RUN=$(printf '%s' "$ANSWER" | sed -nE 's/.*"run": ?([0-9]+).*/\1/p')
[ -n "$RUN" ] || { echo "demo: the delivery was not accepted" >&2; exit 1; }

say "The run, live"
STATUS=0
"$BIN/runbookctl" show -f "$RUN" || STATUS=$?

say "Its graph"
"$BIN/runbookctl" graph "$RUN" || true
if [ "$STATUS" != 0 ]; then
    say "What runbookd said"
    tail -n 20 "$DEMO/runbookd.log"
    exit "$STATUS"
fi

say "Run $RUN succeeded. To look further:"
cat <<TXT
    sudo build/bin/runbookctl run           runs runbook.yml of any working copy, without a daemon
    build/bin/runbookctl doctor             what this machine has and lacks
    build/bin/runbookctl --help             runs, show, logs -f, cancel, retry, artifacts, ...
    ssh -N -L 8470:/run/runbookd/api.sock H the page of an installed runbookd on host H, at
                                            http://localhost:8470/ of your own machine
    DEMO_KEEP=1 sudo -E make demo           keeps everything of this demo for a look
    README.md                               a 60-second tour; then: sudo make check
TXT
