#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Repositories that are made to harm the process that checks them out (git-hostile).
# runs: beside others
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fetcher_lib.sh
. "$(dirname "$0")/../fetcher_lib.sh"

rm -f /tmp/hooked /tmp/escaped
python3 "$TESTS_DIR/fetcher_hostile.py" "$TEST_TMP/h.git" "$TEST_TMP/damaged.git"
URL=file://$TEST_TMP/h.git
LIMITS=(--option=--file-max=2000000 --option=--tree-max=4000000 --option=--entries-max=20000)
allowed="attributes case link-out main no-runbook odd-names submodule words"
branches=()
wanted=""
while read -r branch; do
    branches+=("refs/heads/$branch")
    if [[ " $allowed " == *" $branch "* ]]; then
        wanted+="$branch ok"$'\n'
    else
        wanted+="$branch refused"$'\n'
    fi
done < <(git -C "$TEST_TMP/h.git" for-each-ref --format='%(refname:lstrip=2)' refs/heads)
check "there are at least 45 hostile repositories" test ${#branches[@]} -ge 45
outcomes=$(fetch --url "$URL" "${LIMITS[@]}" --print outcome "${branches[@]}")
check_equal "each hostile repository is refused or harmless, as expected" "${wanted%$'\n'}" \
    "$(paste -d' ' <(printf '%s\n' "${branches[@]#refs/heads/}") <(echo "$outcomes"))"

check_not "nothing was executed" test -e /tmp/hooked
check_not "nothing was written outside the trees" test -e /tmp/escaped
check_equal "no refused and no temporary tree remains" "$(wc -w <<<"$allowed runbook-link runbook-directory")" \
    "$(find "$TREES/demo" -mindepth 1 -maxdepth 1 -type d ! -name '*.views' | wc -l)"
check_equal "no tree has a file with a set-id bit or a device" "" \
    "$(find "$TREES" \( -perm /6000 -o -type b -o -type c -o -type p -o -type s \))"

tree_of() { echo "$TREES/demo/$(git -C "$TEST_TMP/h.git" rev-parse "$1")"; }
check_equal "a submodule is an empty directory" "" "$(ls -A "$(tree_of submodule)/sub")"
check_equal "filters and attributes have no effect" '$Id$ line' "$(xargs <"$(tree_of attributes)/file")"
check_equal "names that differ by case are two files" 2 "$(find "$(tree_of case)" -iname a | wc -l)"
check_equal "symlinks are kept, wherever they point" /etc/passwd "$(readlink "$(tree_of link-out)/absolute")"
check_equal "git status is clean in trees of odd names" "" \
    "$(in_sandbox demo "$(git -C "$TEST_TMP/h.git" rev-parse odd-names)" git status --porcelain)"
title=$(fetch --url "$URL" --print title words)
check "a title is cut to one line of 200 bytes" test "${#title}" -le 200
check_not "a title has no escape sequences" grep -q $'\x1b' <<<"$title"

check_equal "a tree of 30,000 files is fetched" ok "$(fetch --url "$URL" --print outcome many)"
check_equal "a tree of 30,000 files is complete" 30000 \
    "$(find "$(tree_of many)" -path "*/.git" -prune -o -type f -print | wc -l)"
check_error "ten billion files are refused before one is written" "limit of 2000000 entries" --url "$URL" bomb
check_fetch "a commit whose tree is missing is not fetched" unreachable --project damaged --url "file://$TEST_TMP/damaged.git" main
rm -rf "$TREES" "$MIRRORS"
# git's own server crashes on this one
git -C "$TEST_TMP/h.git" update-ref -d refs/heads/blob-is-tree
start_forge "$TEST_TMP"
check_equal "over http the results are the same" "refused ok refused" \
    "$(fetch --url "$FORGE/git/h.git" "${LIMITS[@]}" --print outcome dotgit-3 main link-then-tree | xargs)"
