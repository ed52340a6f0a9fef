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

check_equal "branch, tag and commit" "$MAIN $MAIN $MAIN" \
    "$(fetch --url "$FORGE/git/a.git" --print commit main v1 "@$MAIN" | xargs)"
check_equal "git status is clean" "" "$(in_sandbox demo "$MAIN" git status --porcelain)"
before=$(forge_requests)
check_fetch "a known commit again" ok --url "$FORGE/git/a.git" "main@$MAIN"
check_equal "… asks the forge for its references, and for nothing else" $((before + 1)) "$(forge_requests)"
check_equal "questions that wait for an answer share it" ok,ok,ok,ok \
    "$(fetch --url "$FORGE/git/a.git" --print outcome "refs/heads/main@$MAIN" "refs/heads/main@$MAIN" \
        "refs/tags/v1@$MAIN" "refs/heads/other@$MAIN" | paste -sd,)"
check_equal "… of one request, or of two if one came late" 1 \
    "$(($(forge_requests) - before - 1 <= 2))"

git init -q --bare -b main "$TEST_TMP/src/empty.git"
check_error "an empty repository" "is empty: nothing was pushed" --project empty --url "$FORGE/git/empty.git" ""
git -C "$TEST_TMP/src/work" push -q "$TEST_TMP/src/empty.git" "$MAIN:refs/heads/other"
check_error "one whose HEAD names nothing" "has no default branch" --project empty --url "$FORGE/git/empty.git" ""

(cd "$TEST_TMP/src/work" && echo 2 >two && git add . && git commit -qm Lost &&
    git push -q "$TEST_TMP/src/a.git" main)
LOST=$(git -C "$TEST_TMP/src/work" rev-parse main)
(cd "$TEST_TMP/src/work" && git reset -q --hard HEAD~1 && echo 3 >three && git add . &&
    git commit -qm Kept && git push -qf "$TEST_TMP/src/a.git" main)
check_error "a commit that a forced push removed" "forced push" --url "$FORGE/git/a.git" "main@$LOST"
git -C "$TEST_TMP/src/a.git" config uploadpack.allowAnySHA1InWant true
check_equal "… is fetched by id where the server allows that" "$LOST" \
    "$(fetch --url "$FORGE/git/a.git" --print commit "main@$LOST")"

before=$(forge_requests)
KEPT=$(git -C "$TEST_TMP/src/work" rev-parse main)
requests=()
for _ in {1..20}; do requests+=("main@$KEPT"); done
check_equal "20 requests for one new commit" "20 ok" \
    "$(fetch --url "$FORGE/git/a.git" --print outcome "${requests[@]}" | sort | uniq -c | xargs)"
check "… are one fetch" test $(($(forge_requests) - before)) -le 3
check_equal "eight projects at once" "8 ok" "$(fetch --url "$FORGE/git/a.git" \
    --project p1 --project p2 --project p3 --project p4 --project p5 --project p6 --project p7 --project p8 \
    --print outcome main | sort | uniq -c | xargs)"

check_fetch "with a credential" ok --project au --url "$FORGE/auth/a.git" --user ci --password s3cret main
check_error "without one" "asks for a credential" --project an --url "$FORGE/auth/a.git" main
check_error "with a wrong one" "refused the project's credential" \
    --project aw --url "$FORGE/auth/a.git" --user ci --password no main
check_error "no credential in the clear to another host" "travel in the clear" \
    --project clear --url http://example.com/a.git --password x main
check_error "no password inside the URL" "contains a password" \
    --project inside --url "${FORGE/http:\/\//http://ci:s3cret@}/auth/a.git" main
check_fetch "a redirect on the same host" ok --project mv --url "$FORGE/moved/a.git" main
check_error "a redirect to another host" "cannot redirect" --project away --url "$FORGE/away/a.git" main
check_fetch "what is no git at all" unreachable --project g --url "$FORGE/garbage/a.git" main
check_fetch "a pack that breaks off" unreachable --project h --url "$FORGE/half/a.git" main
check_equal "… leaves nothing in the mirror" "" "$(find "$MIRRORS/h.git/objects" -type f)"
check_error "nobody there" "Connection refused" --project n --url http://127.0.0.1:1/a.git main
check_error "no such host" "resolve" --project r --url http://nosuch.invalid/a.git main
check_error "a server that never answers" "longer than 2 s" \
    --project st --url "$FORGE/stall/a.git" --option=--timeout=2 main
check_error "more than the pack limit" "sends more than 20 bytes" \
    --project big --url "$FORGE/git/a.git" --option=--pack-max=20 main
check_equal "at most four at once, and the others wait" "6 unreachable 4" "$(
    fetch --url "$FORGE/stall/a.git" --option=--timeout=1 --children --print outcome \
        --project s1 --project s2 --project s3 --project s4 --project s5 --project s6 main |
        sort | uniq -c | awk '{ print ($2 ~ /^[0-9]+$/) ? $2 : $1 " " $2 }' | sort -r | xargs)"
for url in ext::sh ext::sh%20-c%20id 'git://127.0.0.1/a' -oProxyCommand=x: ssh://-x/a file://host/a ../a; do
    check_fetch "refused: $url" refused --project bad "--url=$url" main
done
