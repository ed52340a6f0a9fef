#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The artifact service and its client, with a stand-in for runbookd.
# runs: beside others
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
HERE=$(cd "$(dirname "$0")" && pwd)
SERVE=$TEST_TMP/serve
mkdir -p "$SERVE" "$TEST_TMP/work"
chmod 0755 "$SERVE"
export CACHER_PATIENCE_SEC=15

# sockets for two steps of run 1, for run 2, for another project's run 1, and for a hostile client
LIMITED=$TEST_TMP/limited
mkdir -p "$LIMITED"
serve() { # ROOT BYTES COUNT SOCKET=PROJECT/RUN...
    local root=$1
    python3 "$HERE/cacher_daemon.py" serve "$BIN/runbook-cacher" "$@" >"$root/log" 2>&1 &
    # shellcheck disable=SC2064  # this process, now
    defer "kill $! 2>/dev/null; wait $! 2>/dev/null"
    wait_for 20 test -e "$root/pid"
}
ask() { python3 "$HERE/cacher_daemon.py" ask "$@"; }
serve "$SERVE" 4000000000 20000 "$SERVE/a=demo/1" "$SERVE/b=demo/1" "$SERVE/c=demo/2" "$SERVE/d=other/1" "$SERVE/e=demo/9"
serve "$LIMITED" 1000000 3 "$LIMITED/a=demo/1"
cacher() { "$BIN/cacher" "$@"; }
as() { CACHER_SOCKET=$1 "$BIN/cacher" "${@:2}"; }
export CACHER_SOCKET=$SERVE/a
cd "$TEST_TMP/work" || exit 2

# ---- files ----
printf 'hello\n' >hello
chmod 0751 hello
touch -d '2001-02-03 04:05:06.789' hello
check "put a file" cacher put greeting hello
check "another step of the run gets it" as "$SERVE/b" get greeting copy
check "another step gets the same bytes" cmp hello copy
check_equal "another step gets the same mode and time" "$(stat -c '%a %y' hello)" "$(stat -c '%a %y' copy)"
check_equal "get to standard output" hello "$(cacher get greeting -)"
check "put from standard input" cacher put stdin - <hello
check_equal "ls prints key, kind and size" "$(printf 'greeting\tfile\t6\nstdin\tfile\t6')" "$(cacher ls)"
printf 'second\n' >hello
check "put again" cacher put greeting hello
check_equal "the last put wins" second "$(cacher get greeting -)"
check_status "another run does not see it" 3 as "$SERVE/c" get greeting x
check_status "another project does not see it" 3 as "$SERVE/d" get greeting x
check_status "get of an unknown key is exit 3" 3 cacher get nothing x
check_match "the message about an unknown key names the key" nothing "$(cacher get nothing x 2>&1)"
check_not "get of an unknown key makes no file" test -e x
check "delete" cacher delete stdin
check_status "a second delete is exit 3" 3 cacher delete stdin
: >empty
check "put an empty file" cacher put empty empty
check "get an empty file" cacher get empty e2
check_equal "the fetched empty file is empty" 0 "$(stat -c %s e2)"
truncate -s 300M sparse
check "put a sparse file" cacher put sparse sparse
check "get a sparse file" cacher get sparse sparse2
check "the fetched sparse file has the same bytes" cmp sparse sparse2
check "delete a sparse file" cacher delete sparse
ln -s /etc/hostname link
check "get over a symbolic link" cacher get greeting link
check_not "get over a symbolic link replaces the link" test -L link
mkdir taken
check_status "get of a file onto a directory" 2 cacher get greeting taken
check_status "get into a missing directory is refused" 2 cacher get greeting missing/x

# ---- keys and usage ----
for key in ../x /x x/ a//b 'a b' $'a\nb' a/../b .. '' "$(printf 'k%.0s' {1..256})"; do
    check_status "the key $(printf %q "${key:0:20}") is refused" 2 cacher put "$key" hello
done
for key in a/b/c .hidden ./x "$(printf 'k%.0s' {1..255})" "$(printf 'd/%.0s' {1..127})k"; do
    if [ "$key" = ./x ]; then continue; fi
    check "the key ${key:0:20} is accepted" cacher put "$key" hello
    check_equal "the key ${key:0:20} is found" second "$(cacher get "$key" -)"
    check "the key ${key:0:20} is deleted" cacher delete "$key"
done
check_status "a missing command is a usage error" 2 cacher
check_status "an unknown command is a usage error" 2 cacher frobnicate
check_status "too few arguments are a usage error" 2 cacher put x
check_status "put of a missing file is exit 2" 2 cacher put x /nonexistent
mkfifo fifo
check_status "a FIFO is refused by the client" 2 timeout 5 "$BIN/cacher" put x fifo
check_status "a device is refused" 2 cacher put x /dev/zero
check_status "a file of proc is refused by the service" 2 cacher put x /proc/cpuinfo
check "--help succeeds" cacher --help
check_status "without a service the client exits with 5" 5 env CACHER_PATIENCE_SEC=1 CACHER_SOCKET="$TEST_TMP/none" "$BIN/cacher" ls

# ---- directories ----
python3 - <<'PY'
import os
os.makedirs("tree/sub/deep/er"); os.makedirs("tree/empty"); os.makedirs("tree/closed")
def put(name, data=b"x", mode=0o644):
    with open(name, "wb") as f: f.write(data)
    os.chmod(name, mode)
put("tree/plain", b"plain\n"); put("tree/script", b"#!/bin/sh\n", 0o755); put("tree/secret", b"s", 0o600)
put(b"tree/new\nline"); put("tree/sp ace"); put(b"tree/\xff\xfe bytes"); put("tree/ünï"); put("tree/-dash"); put("tree/*glob")
put("tree/" + "n" * 255); put("tree/" + "m" * 100); put("tree/" + "o" * 101)
os.makedirs("tree/" + "/".join(["p" * 200] * 8)); put("tree/" + "/".join(["p" * 200] * 8) + "/file")
os.symlink("plain", "tree/link"); os.symlink("/etc/passwd", "tree/absolute"); os.symlink("nowhere", "tree/broken")
os.symlink("l" * 300, "tree/longlink"); os.symlink(".", "tree/loop")
os.link("tree/plain", "tree/sub/hard"); os.link("tree/plain", "tree/sub/hard2")
put("tree/big", os.urandom(3000001))
put("tree/closed/inside"); os.chmod("tree/closed", 0o555); os.chmod("tree/sub", 0o1777)
for i, (r, ds, fs) in enumerate(os.walk("tree", topdown=False)):
    for n in fs: os.utime(os.path.join(r, n), ns=(0, 1234567890_000000000 + i * 1000003), follow_symlinks=False)
    os.utime(r, ns=(0, 987654321_123456789))
os.utime("tree/plain", ns=(0, -5_500000000))
PY
# print all attributes of a tree, with the inodes of hard links made comparable
describe() {
    (cd "$1" && find . -printf '%p\0%y %m %s %T@ %l %n\n\0' | LC_ALL=C sort -z | tr '\0' ' ' |
        sed 's/ d \([0-7]*\) [0-9]* / d \1 /' | sha256sum
        find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)
}
check "put a directory" cacher put tree tree
check "another step gets the directory" as "$SERVE/b" get tree back
check_equal "names, kinds, modes, times, links and contents are the same" "$(describe tree)" "$(describe back)"
check_equal "hard links are hard links" "$(stat -c %i back/plain)" "$(stat -c %i back/sub/hard2)"
any_tar_reads() { # NAME: does tar find it in one of the stored contents?
    local content
    for content in "$SERVE"/var/lib/runbookd/artifacts/blobs/*/*; do
        tar -tf "$content" 2>/dev/null | grep "$1" >/dev/null && return 0
    done
    return 1
}
check "tar can read a stored directory" any_tar_reads sub/hard2
mkdir into
printf 'old\n' >into/plain
printf 'mine\n' >into/mine
mkdir -p into/sub
printf 'kept\n' >into/sub/kept
check "get into a directory that has files" cacher get tree into
check_equal "files of the same name are replaced" plain "$(cat into/plain)"
check_equal "other files are kept" "mine kept" "$(cat into/mine) $(cat into/sub/kept)"
check_equal "no temporary name remains" "" "$(find . -name '.cacher-*')"
mkfifo tree/pipe
check_status "a FIFO in a directory is refused" 2 cacher put tree2 tree
check_match "the message about a FIFO names it" tree/pipe "$(cacher put tree2 tree 2>&1)"
check_status "a refused directory is not stored" 3 cacher get tree2 x
mkdir many
(cd many && for d in {0..99}; do mkdir "$d" && (cd "$d" && for f in {0..99}; do echo "$d.$f" >"f$f"; done); done)
check "put 10,000 files" cacher put many many
check "get 10,000 files" cacher get many many2
check "the 10,000 files are the same" diff -r many many2

# ---- large ----
head -c 1073741824 /dev/urandom >big
check "put 1 GiB" cacher put big big
check "get 1 GiB" cacher get big big2
check "the fetched 1 GiB are the same" cmp big big2
rm -f big2

# ---- limits ----
export CACHER_SOCKET=$LIMITED/a
head -c 600000 /dev/urandom >half
check "a put within the limit succeeds" cacher put one half
check_status "a put over the bytes of a run is exit 4" 4 cacher put two half
check_match "the message about the limit names limit and fix" "1000000 bytes.*MaxBytes" "$(cacher put two half 2>&1)"
check_status "a put over the limit stores nothing" 3 cacher get two x
check "a replacement is charged less the old contents" cacher put one half
truncate -s 8E huge 2>/dev/null || truncate -s 1T huge
check_status "a put of a file of exabytes is exit 4" 4 timeout 5 "$BIN/cacher" put huge huge
check_status "a put of a directory over the limit is exit 4" 4 cacher put many many
cacher put s1 hello && cacher put s2 hello
check_status "a put over the count of a run is exit 4" 4 cacher put s3 hello
check "a replacement does not count as a new key" cacher put s2 hello
check "delete a key at the limit of their number" cacher delete s1
check "after a delete, another key can be put" cacher put s3 hello
check_equal "no temporary file remains" "" "$(ls "$LIMITED/var/lib/runbookd/artifacts/tmp")"
export CACHER_SOCKET=$SERVE/a

# ---- contents that no key names ----
blobs() { find "$SERVE/var/lib/runbookd/artifacts/blobs" -type f | wc -l; }
before=$(blobs)
head -c 5000 /dev/urandom >r1
cacher put r1 r1 && cacher put r2 r1
check_equal "the same content is stored once" $((before + 1)) "$(blobs)"
cacher delete r1
check_equal "the content stays while a key names it" $((before + 1)) "$(blobs)"
cacher delete r2
check_equal "the content is removed with its last key" "$before" "$(blobs)"

# ---- hostile requests ----
check "the service withstands garbage, odd descriptors, stalls and floods" timeout 120 python3 "$HERE/cacher_hostile.py" "$SERVE/e" "$(cat "$SERVE/pid")"
check_equal "the service was not restarted" "$(cat "$SERVE/pid")" "$(pgrep -P "$(pgrep -f "cacher_daemon.py serve .* $SERVE " | head -n 1)" runbook-cacher)"
check_equal "the service still serves" second "$(cacher get greeting -)"

# ---- the api's requests ----
check_match "the api lists a run's artifacts" '"key":"greeting","kind":"file","size":7' "$(ask "$SERVE" list demo 1)"
check_equal "the list of an unknown run is empty" '{"artifacts":[]}' "$(ask "$SERVE" list demo 777)"
check_equal "the api opens an artifact" "200 file 7 7" "$(ask "$SERVE" open demo 1 greeting)"
check_equal "opening a missing artifact is 404" "404 none 0 0" "$(ask "$SERVE" open demo 1 nothing)"
check_equal "opening another run's artifact is 404" "404 none 0 0" "$(ask "$SERVE" open demo 2 greeting)"

# ---- crashes ----
(cacher put crash big && touch put.done) &
PUT=$!
sleep 0.2
old=$(cat "$SERVE/pid")
kill -9 "$old"
wait $PUT
check "a put succeeds although the service died meanwhile" test -e put.done
check_not "a new process serves" test "$old" = "$(cat "$SERVE/pid")"
check "the artifact of that put can be fetched" cacher get crash big2
check "the artifact of that put is complete" cmp big big2
rm -f big2 big
for _ in 1 2 3; do
    (for i in {1..20}; do cacher put "k$i" hello || touch failed; done) &
    PUT=$!
    sleep 0.1
    kill -9 "$(cat "$SERVE/pid")" 2>/dev/null # it may have died just now
    wait $PUT
done
check_not "puts over three more deaths all succeed" test -e failed
check_equal "ls has all of their keys" 20 "$(cacher ls | grep -c '^k[0-9]')"
check_equal "keys survive the death of the service" second "$(cacher get greeting -)"
as "$SERVE/e" delete hostile
cacher ls | cut -f1 | while read -r key; do cacher delete "$key" || touch failed; done
check_not "everything can be deleted" test -e failed
wait_for 20 test "$(blobs)" = 0
check_equal "the store has no contents without a key" 0 "$(blobs)"

# ---- the end of a step ----
check_equal "close the socket of a step" ok "$(ask "$SERVE" close "$SERVE/b")"
check_status "a closed step is not served" 5 env CACHER_PATIENCE_SEC=1 CACHER_SOCKET="$SERVE/b" "$BIN/cacher" ls
check "other steps are served" cacher ls
