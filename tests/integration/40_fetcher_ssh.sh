#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Fetching over ssh from an sshd of the test's own: keys, host keys.
# runs: beside others
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fetcher_lib.sh
. "$(dirname "$0")/../fetcher_lib.sh"

sample_repository "$TEST_TMP/src"
MAIN=$(git -C "$TEST_TMP/src/a.git" rev-parse main)
cd "$TEST_TMP" || exit 1
for key in host_ed25519:ed25519 host_rsa:rsa user:ed25519 ecdsa:ecdsa stranger:ed25519; do
    ssh-keygen -q -t "${key#*:}" -N '' -f "${key%:*}"
done
for key in user ecdsa; do
    printf 'restrict,command="git -c safe.directory=* upload-pack %s" %s\n' "$TEST_TMP/src/a.git" "$(cat $key.pub)"
done >authorized
PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >sshd.conf <<EOF
Port $PORT
ListenAddress 127.0.0.1
HostKey $TEST_TMP/host_ed25519
HostKey $TEST_TMP/host_rsa
AuthorizedKeysFile $TEST_TMP/authorized
PermitRootLogin forced-commands-only
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PidFile none
EOF
# its privilege separation directory in a /run of its own
unshare -m --propagation private sh -c 'mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd &&
    exec /usr/sbin/sshd -D -e -f "$0"' "$TEST_TMP/sshd.conf" >sshd.log 2>&1 &
defer "kill $! 2>/dev/null; wait $! 2>/dev/null"
wait_for 10 grep -q listening sshd.log || failed "sshd did not start"

host_line() { echo "[127.0.0.1]:$PORT $(cut -d' ' -f1,2 "$1")"; }
{ host_line host_rsa.pub; host_line host_ed25519.pub; } >known
host_line stranger.pub >known_wrong
cp known known_hashed && ssh-keygen -q -H -f known_hashed >/dev/null 2>&1
URL=ssh://root@127.0.0.1:$PORT/a.git

check_equal "an ed25519 key is accepted, with known hosts in any order" "$MAIN" \
    "$(fetch --url "$URL" --known-hosts known --key user --print commit main)"
check_fetch "an ecdsa key is accepted" ok --project e --url "$URL" --known-hosts known --key ecdsa main
check_fetch "hashed known hosts are accepted" ok --project h --url "$URL" --known-hosts known_hashed --key user main
check_fetch "the user's name comes from the configuration" ok --project u --user root \
    --url "ssh://127.0.0.1:$PORT/a.git" --known-hosts known --key user main
check_error "the error about missing known hosts names ssh-keyscan" "ssh-keyscan" --project n --url "$URL" --key user main
check_fetch "a fetch without known hosts is refused" refused --project n --url "$URL" --key user main
check_error "the error about another host key says so" "the connection is intercepted" --project w --url "$URL" \
    --known-hosts known_wrong --key user main
check_error "the error about a missing key says so" "no ssh key for" --project k --url "$URL" --known-hosts known main
check_error "the error about a key that the server refuses says so" "refused the project's credential" \
    --project s --url "$URL" --known-hosts known --key stranger main
check_fetch "scp's syntax is accepted (and port 22 refused)" refused --project c \
    --url "root@127.0.0.1:a.git" --key user main
check_equal "the key is nowhere on disk" "" "$(grep -rl 'OPENSSH PRIVATE' "$TEST_TMP/root")"
