#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# UNPACK: honest and hostile working copies in a tar.
# runs: beside others
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/fetcher_lib.sh
. "$(dirname "$0")/../fetcher_lib.sh"

rm -f /tmp/escaped
sample_repository "$TEST_TMP/src"
WORK=$TEST_TMP/src/work
echo ü >"$WORK/näme"
ln "$WORK/run.sh" "$WORK/hard"
n=0
# check_upload "description" OUTCOME TAR-FILE [driver options]: unpack it, with an id of its own
check_upload() {
    local description=$1 wanted=$2 file=$3
    shift 3
    n=$((n + 1))
    ID=$(printf '%040x' $n)
    check_fetch "$description" "$wanted" "$@" "tar:$file@$ID"
}
for format in gnu pax ustar; do
    tar -C "$WORK" --format=$format -cf "$TEST_TMP/$format.tar" .
    check_upload "$format" ok "$TEST_TMP/$format.tar"
    check "$format: the tree is the working copy, .git included" diff -r "$WORK" "$TREES/demo/$ID"
done
tree=$TREES/demo/$ID
check_equal "modes are kept" "644 755" "$(stat -c %a "$tree/runbook.yml" "$tree/run.sh" | xargs)"
check_equal "times are kept" "$(stat -c %Y "$WORK/run.sh")" "$(stat -c %Y "$tree/run.sh")"
check_equal "git status prints the same as in the working copy" \
    "$(git -C "$WORK" status --porcelain)" "$(git --no-optional-locks -C "$tree" status --porcelain)"
gzip -k "$TEST_TMP/pax.tar"
check_upload "a tar with gzip is unpacked" ok "$TEST_TMP/pax.tar.gz"
zstd -q "$TEST_TMP/pax.tar"
check_upload "a tar with zstd is unpacked" ok "$TEST_TMP/pax.tar.zst"
check_match "the result has the descriptor of runbook.yml" "echo hello" "$(fetch "tar:$TEST_TMP/pax.tar@$ID")"
check_equal "an upload with a known id succeeds" ok "$(fetch --print outcome "tar:$TEST_TMP/pax.tar.gz@$ID")"

cat >"$TEST_TMP/make.py" <<'EOF'
import io, sys, tarfile
folder = sys.argv[1]
def member(name, kind=tarfile.REGTYPE, data=b"x", link="", mode=0o644):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.size = kind, link, mode, len(data) if kind == tarfile.REGTYPE else 0
    return info, data
DIR, SYM, HARD = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
cases = {
    "dotdot": [member("../escaped")],
    "dotdot-inside": [member("a", DIR), member("a/../../escaped")],
    "absolute": [member("/tmp/escaped")],
    "link-parent": [member("d", SYM, link="/tmp"), member("d/escaped")],
    "link-parent-deep": [member("d", SYM, link="/"), member("d/tmp/escaped")],
    "link-self": [member("d", SYM, link="."), member("d/x")],
    "link-twice": [member("f", SYM, link="/tmp/escaped"), member("f")],
    "link-directory": [member("f", SYM, link="/tmp"), member("f", DIR)],
    "file-twice": [member("f"), member("f")],
    "hard-out": [member("f", HARD, link="/etc/passwd")],
    "hard-up": [member("f", HARD, link="../../../../../etc/passwd")],
    "hard-link": [member("s", SYM, link="/etc/passwd"), member("f", HARD, link="s")],
    "hard-nothing": [member("f", HARD, link="nothing")],
    "hard-through": [member("s", SYM, link="/etc"), member("f", HARD, link="s/passwd")],
    "device": [member("f", tarfile.CHRTYPE)],
    "block": [member("f", tarfile.BLKTYPE)],
    "fifo": [member("f", tarfile.FIFOTYPE)],
    "long": [member("n" * 300)],
    "deep": [member("/".join("d" * 300))],
    "big": [member("f", data=b"\0" * 3000000)],
    "many": [member(f"{i}", data=b"") for i in range(600)],
    "ok-setuid": [member("f", mode=0o6755)],
    "ok-parents": [member("a/b/c")],
    "ok-again": [member("a", DIR), member("a", DIR), member("a/x")],
    "ok-dots": [member("./a/./b//c")],
    "ok-link": [member("s", SYM, link="/etc/passwd")],
    "ok-hard": [member("d/f"), member("g", HARD, link="./d/f")],
}
for name, members in cases.items():
    with tarfile.open(f"{folder}/{name}.tar", "w", format=tarfile.PAX_FORMAT) as out:
        for info, data in members:
            out.addfile(info, io.BytesIO(data) if info.type == tarfile.REGTYPE else None)
EOF
mkdir "$TEST_TMP/cases"
python3 "$TEST_TMP/make.py" "$TEST_TMP/cases"
for case in "$TEST_TMP"/cases/*.tar; do
    name=$(basename "$case" .tar)
    wanted=refused
    [ "${name#ok-}" = "$name" ] || wanted=ok
    check_upload "upload $name" $wanted "$case" --option=--file-max=2000000 --option=--entries-max=500
    [ "$name" != ok-setuid ] || check_equal "set-id bits are left out" 755 "$(stat -c %a "$TREES/demo/$ID/f")"
done
head -c 3000 "$TEST_TMP/gnu.tar" >"$TEST_TMP/short.tar"
check_upload "a tar that is cut off is refused" refused "$TEST_TMP/short.tar"
head -c 100000 /dev/urandom >"$TEST_TMP/noise.tar"
check_upload "random bytes are refused" refused "$TEST_TMP/noise.tar"
gzip <"$TEST_TMP/noise.tar" >"$TEST_TMP/noise.gz"
check_upload "random bytes with gzip are refused" refused "$TEST_TMP/noise.gz"
check_upload "a tar with too many entries is refused" refused "$TEST_TMP/cases/many.tar" --option=--entries-max=10
check_not "nothing was written outside the trees" test -e /tmp/escaped
check_equal "no temporary tree remains" "" "$(find "$TREES" -name '.tmp-*')"
check_equal "all files belong to the fetcher" 1 "$(find "$TREES" -printf '%U\n' | sort -u | wc -l)"
