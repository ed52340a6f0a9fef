#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Many fetches leave many small packs: they become one, and nothing is lost.
# runs: beside others
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fetcher_lib.sh
. "$(dirname "$0")/../fetcher_lib.sh"

sample_repository "$TEST_TMP/src"
URL=file://$TEST_TMP/src/a.git
check_fetch "the first fetch" ok --url "$URL" main
# as 70 fetches would have left them
cd "$TEST_TMP/src/work" || exit 1
for i in {1..70}; do
    echo "$i" >"file$i" && git add . && git commit -qm "Commit $i"
    git rev-list --objects HEAD ^HEAD~1 | cut -d' ' -f1 |
        git pack-objects -q "$MIRRORS/demo.git/objects/pack/pack" >/dev/null
done
git push -q "$TEST_TMP/src/a.git" main
chown -R --reference="$MIRRORS" "$MIRRORS/demo.git/objects"
packs() { find "$MIRRORS/demo.git/objects/pack" -name '*.pack' | wc -l; }
check_equal "there are many" 70 "$(packs)"
check_fetch "a fetch among many packs" ok --url "$URL" main
check_equal "they are one now" 1 "$(packs)"
check_equal "indexes go with their packs" 1 "$(find "$MIRRORS/demo.git/objects/pack" -name '*.idx' | wc -l)"
check "nothing is lost" git -C "$MIRRORS/demo.git" fsck --strict --full
check_equal "every commit is there" 71 "$(git -C "$MIRRORS/demo.git" rev-list --count main)"
echo last >last && git add . && git commit -qm Last && git push -q "$TEST_TMP/src/a.git" main
check_fetch "and it goes on from there" ok --url "$URL" main
check_equal "git log in the tree" 72 "$(in_sandbox demo "$(git rev-parse HEAD)" git rev-list --count HEAD)"
