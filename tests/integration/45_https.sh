#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A remote over https is accepted with a certificate that the system trusts, and refused with
# any other. The trusted authority is made here, and visible only in a mount namespace of
# this test.
if [ -z "${HTTPS_TEST_ALONE:-}" ]; then
    HTTPS_TEST_ALONE=1 exec unshare --mount --propagation private "$0" "$@"
fi
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

new_key() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "$@" 2>/dev/null; }
tls=$TEST_TMP/tls
mkdir "$tls"
new_key -x509 -days 2 -keyout "$tls/ca.key" -out "$tls/ca.pem" -subj "/CN=Test Authority" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
new_key -keyout "$tls/server.key" -out "$tls/server.csr" -subj /CN=localhost
printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n' >"$tls/ext"
openssl x509 -req -in "$tls/server.csr" -CA "$tls/ca.pem" -CAkey "$tls/ca.key" -CAcreateserial -days 2 \
    -extfile "$tls/ext" -out "$tls/server.pem" 2>/dev/null
cat /etc/ssl/certs/ca-certificates.crt "$tls/ca.pem" >"$tls/bundle"
chmod 0644 "$tls/bundle"

serve() { # CERTIFICATE KEY: start a server and print its port
    rm -f "$TEST_TMP/port"
    python3 "$TESTS_DIR/demo/git_http.py" "$TEST_TMP/repos" "$TEST_TMP/port" "$1" "$2" >"$TEST_TMP/forge.log" 2>&1 &
    defer "kill $! 2>/dev/null; wait $! 2>/dev/null"
    wait_for 20 test -s "$TEST_TMP/port"
}

mkdir -p "$TEST_TMP/root/etc/runbookd/projects.d" "$TEST_TMP/repos"
make_repository "$TEST_TMP/repos/web"
serve "$tls/server.pem" "$tls/server.key"
add_project web "https://localhost:$(cat "$TEST_TMP/port")/web.git" secret-web "FetchRetry=1s"
start_daemon || exit 1
book='global: {network: none}
steps: [{name: a, command: echo over TLS}]'

run=$(printf '%s\n' "$book" | push_run web)
check_equal "with an unknown authority the run is errored" errored "$(wait_run "$run" 40)"
check_match "the reason names the certificate" "certificate" "$(api "runs/$run" | jq -r .reason)"

stop_daemon
mount --bind "$tls/bundle" /etc/ssl/certs/ca-certificates.crt
start_daemon || exit 1
run=$(printf '%s\n' "$book" | push_run web)
check_equal "with a trusted authority the run succeeds" succeeded "$(wait_run "$run" 40)"
check_equal "with a trusted authority the step ran" "over TLS" "$(step_log "$run" a)"
