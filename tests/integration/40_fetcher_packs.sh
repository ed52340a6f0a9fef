#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Many fetches leave many small packs, which are joined into one without loss.
# runs: beside others
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fetcher_lib.sh
. "$(dirname "$0")/../fetcher_lib.sh"

sample_repository "$TEST_TMP/src"
URL=file://$TEST_TMP/src/a.git
check_fetch "the first fetch succeeds" ok --url "$URL" main
# make packs like those of 70 fetches
cd "$TEST_TMP/src/work" || exit 1
for i in {1..70}; do
    echo "$i" >"file$i" && git add . && git commit -qm "Commit $i"
    git rev-list --objects HEAD ^HEAD~1 | cut -d' ' -f1 |
        git pack-objects -q "$MIRRORS/demo.git/objects/pack/pack" >/dev/null
done
git push -q "$TEST_TMP/src/a.git" main
chown -R --reference="$MIRRORS" "$MIRRORS/demo.git/objects"
packs() { find "$MIRRORS/demo.git/objects/pack" -name '*.pack' | wc -l; }
check_equal "the mirror has 70 packs" 70 "$(packs)"
check_fetch "a fetch with 70 packs succeeds" ok --url "$URL" main
check_equal "the packs were joined into one" 1 "$(packs)"
check_equal "the indexes of the old packs were removed" 1 "$(find "$MIRRORS/demo.git/objects/pack" -name '*.idx' | wc -l)"
check "git fsck of the mirror succeeds" git -C "$MIRRORS/demo.git" fsck --strict --full
check_equal "the mirror has every commit" 71 "$(git -C "$MIRRORS/demo.git" rev-list --count main)"
echo last >last && git add . && git commit -qm Last && git push -q "$TEST_TMP/src/a.git" main
check_fetch "the next fetch succeeds" ok --url "$URL" main
check_equal "git log in the tree shows every commit" 72 "$(in_sandbox demo "$(git rev-parse HEAD)" git rev-list --count HEAD)"
