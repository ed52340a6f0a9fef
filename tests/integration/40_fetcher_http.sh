#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Fetching from a forge over smart HTTP, and from forges that misbehave.
# runs: beside others
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fetcher_lib.sh
. "$(dirname "$0")/../fetcher_lib.sh"

sample_repository "$TEST_TMP/src"
MAIN=$(git -C "$TEST_TMP/src/a.git" rev-parse main)
start_forge "$TEST_TMP/src"

check_equal "branch, tag and commit are fetched" "$MAIN $MAIN $MAIN" \
    "$(fetch --url "$FORGE/git/a.git" --print commit main v1 "@$MAIN" | xargs)"
check_equal "git status is clean" "" "$(in_sandbox demo "$MAIN" git status --porcelain)"
before=$(forge_requests)
check_fetch "a known commit is fetched again" ok --url "$FORGE/git/a.git" "main@$MAIN"
check_equal "a fetch of a known commit makes one request, for the references" $((before + 1)) "$(forge_requests)"
check_equal "requests for the same commit share one fetch" ok,ok,ok,ok \
    "$(fetch --url "$FORGE/git/a.git" --print outcome "refs/heads/main@$MAIN" "refs/heads/main@$MAIN" \
        "refs/tags/v1@$MAIN" "refs/heads/other@$MAIN" | paste -sd,)"
check_equal "the shared fetch makes one request, or two if one came late" 1 \
    "$(($(forge_requests) - before - 1 <= 2))"

git init -q --bare -b main "$TEST_TMP/src/empty.git"
check_error "the error about an empty repository says so" "is empty: nothing was pushed" --project empty --url "$FORGE/git/empty.git" ""
git -C "$TEST_TMP/src/work" push -q "$TEST_TMP/src/empty.git" "$MAIN:refs/heads/other"
check_error "the error about a missing default branch says so" "has no default branch" --project empty --url "$FORGE/git/empty.git" ""

(cd "$TEST_TMP/src/work" && echo 2 >two && git add . && git commit -qm Lost &&
    git push -q "$TEST_TMP/src/a.git" main)
LOST=$(git -C "$TEST_TMP/src/work" rev-parse main)
(cd "$TEST_TMP/src/work" && git reset -q --hard HEAD~1 && echo 3 >three && git add . &&
    git commit -qm Kept && git push -qf "$TEST_TMP/src/a.git" main)
check_error "the error about a commit that a forced push removed says so" "forced push" --url "$FORGE/git/a.git" "main@$LOST"
git -C "$TEST_TMP/src/a.git" config uploadpack.allowAnySHA1InWant true
check_equal "a removed commit is fetched by id if the server allows that" "$LOST" \
    "$(fetch --url "$FORGE/git/a.git" --print commit "main@$LOST")"

before=$(forge_requests)
KEPT=$(git -C "$TEST_TMP/src/work" rev-parse main)
requests=()
for _ in {1..20}; do requests+=("main@$KEPT"); done
check_equal "20 requests for one new commit succeed" "20 ok" \
    "$(fetch --url "$FORGE/git/a.git" --print outcome "${requests[@]}" | sort | uniq -c | xargs)"
check "20 requests for one new commit are one fetch" test $(($(forge_requests) - before)) -le 3
check_equal "fetches of eight projects at once succeed" "8 ok" "$(fetch --url "$FORGE/git/a.git" \
    --project p1 --project p2 --project p3 --project p4 --project p5 --project p6 --project p7 --project p8 \
    --print outcome main | sort | uniq -c | xargs)"

check_fetch "a fetch with a credential succeeds" ok --project au --url "$FORGE/auth/a.git" --user ci --password s3cret main
check_error "the error about a missing credential says so" "asks for a credential" --project an --url "$FORGE/auth/a.git" main
check_error "the error about a wrong credential says so" "refused the project's credential" \
    --project aw --url "$FORGE/auth/a.git" --user ci --password no main
check_error "a credential is not sent over http to another host" "travel in the clear" \
    --project clear --url http://example.com/a.git --password x main
check_error "a password inside the URL is refused" "contains a password" \
    --project inside --url "${FORGE/http:\/\//http://ci:s3cret@}/auth/a.git" main
check_fetch "a redirect on the same host is followed" ok --project mv --url "$FORGE/moved/a.git" main
check_error "a redirect to another host is refused" "cannot redirect" --project away --url "$FORGE/away/a.git" main
check_fetch "a server without git is unreachable" unreachable --project g --url "$FORGE/garbage/a.git" main
check_fetch "a pack that breaks off is unreachable" unreachable --project h --url "$FORGE/half/a.git" main
check_equal "a pack that breaks off leaves no object in the mirror" "" "$(find "$MIRRORS/h.git/objects" -type f)"
check_error "a refused connection is reported" "Connection refused" --project n --url http://127.0.0.1:1/a.git main
check_error "an unknown host is reported" "resolve" --project r --url http://nosuch.invalid/a.git main
check_error "a server that never replies exceeds the time limit" "longer than 2 s" \
    --project st --url "$FORGE/stall/a.git" --option=--timeout=2 main
check_error "a pack over the limit is refused" "sends more than 20 bytes" \
    --project big --url "$FORGE/git/a.git" --option=--pack-max=20 main
check_equal "at most four fetches run at once, and the others wait" "6 unreachable 4" "$(
    fetch --url "$FORGE/stall/a.git" --option=--timeout=1 --children --print outcome \
        --project s1 --project s2 --project s3 --project s4 --project s5 --project s6 main |
        sort | uniq -c | awk '{ print ($2 ~ /^[0-9]+$/) ? $2 : $1 " " $2 }' | sort -r | xargs)"
for url in ext::sh ext::sh%20-c%20id 'git://127.0.0.1/a' -oProxyCommand=x: ssh://-x/a file://host/a ../a; do
    check_fetch "refused: $url" refused --project bad "--url=$url" main
done
