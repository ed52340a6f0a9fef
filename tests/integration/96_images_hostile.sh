#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Hostile layers, manifests and root file systems (oci-hostile). Unpacking never writes outside the
# sandbox's one directory, a refused image leaves nothing, and the daemon survives.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/images_lib.sh
. "$TOP/tests/images_lib.sh"

# ---- the unpacker alone ----

mkdir "$TEST_TMP/layers"
python3 "$TESTS_DIR/images_hostile.py" "$TEST_TMP/layers"
mkdir "$TEST_TMP/jail"
unpack() { # TAR [OPTION...]
    local jail=$TEST_TMP/jail
    rm -rf "$jail"
    mkdir -p "$jail/out"
    "$BIN/runbook-unpack" --bytes=33554432 --entries=50000 "${@:2}" "$jail/out" <"$1" | tr '\0' '\n'
}
outside() { find "$TEST_TMP/jail" /escaped /tmp/escaped -mindepth 1 -maxdepth 1 -not -name out 2>/dev/null; }
for tar in "$TEST_TMP"/layers/bad-*.tar; do
    name=$(basename "$tar" .tar)
    report=$(unpack "$tar")
    check_match "$name is refused" '^X' "$report"
    check_equal "$name writes nothing outside" "" "$(outside)"
done
for tar in "$TEST_TMP"/layers/good-*.tar; do
    name=$(basename "$tar" .tar)
    report=$(unpack "$tar")
    check_equal "$name is unpacked" "" "$(grep '^X' <<<"$report")"
    check_match "$name has an id" '^D[0-9a-f]{64}$' "$report"
    check_equal "$name writes nothing outside" "" "$(outside)"
done
# a pull is repeated after a full disk, which the errno value tells, not the sentence
head -c 1M /dev/urandom >"$TEST_TMP/large"
tar -C "$TEST_TMP" -cf "$TEST_TMP/large.tar" large
mkdir "$TEST_TMP/small"
check_equal "the errno value of a failed write is reported" 'E28:Xcannot write "large": No space left on device:.:' \
    "$(unshare --mount --propagation private sh -c 'mount -t tmpfs -o size=64k small "$1" &&
        exec "$2" "$1" <"$3"' sh "$TEST_TMP/small" "$BIN/runbook-unpack" "$TEST_TMP/large.tar" | tr '\0' ':')"
unpack "$TEST_TMP/layers/good-devices.tar" >/dev/null
check_equal "devices are left out" "after dev " "$(find "$TEST_TMP/jail/out" -mindepth 1 -printf '%f\n' | sort | tr '\n' ' ')"
unpack "$TEST_TMP/layers/good-xattrs.tar" >/dev/null
check_equal "only user attributes are kept" 'user.mine="kept"' \
    "$(getfattr -d -m - --absolute-names "$TEST_TMP/jail/out/a" | grep -v '^#' | sed '/^$/d')"
unpack "$TEST_TMP/layers/good-whiteouts.tar" >"$TEST_TMP/report"
check_equal "a whiteout is a device 0:0" "c 0 0" "$(stat -c '%F %t %T' "$TEST_TMP/jail/out/d/gone" | sed 's/character special file/c/')"
check "an opaque directory is reported" grep -qx Od "$TEST_TMP/report"
check "a directory that replaces a whiteout is reported as opaque" \
    grep -qx Od <(unpack "$TEST_TMP/layers/good-whiteout-then-directory.tar")
unpack "$TEST_TMP/layers/good-replaced.tar" >/dev/null
check "a link that is replaced is not followed" test -f "$TEST_TMP/jail/out/c/d" -a ! -e "$TEST_TMP/jail/out/a/d"
zeros=$(printf '0%.0s' $(seq 64))
report=$(unpack "$TEST_TMP/layers/good-hardlinks.tar" --digest="$zeros")
check_match "a wrong digest is refused" 'Xthe layer is damaged' "$report"
check "the report of a wrong digest says that the download is damaged" grep -qx M <<<"$report"
report=$(unpack "$TEST_TMP/layers/good-hardlinks.tar" --layer="$zeros")
check_match "a wrong id is refused" 'Xthe layer is not what the image says' "$report"
check_not "the report of a wrong id does not say that the download is damaged" grep -qx M <<<"$report"

# ---- by the daemon ----

ctl() { "$BIN/runbookctl" "$@"; }
STORE=$TEST_TMP/root/var/lib/runbookd/images
start_daemon
before=$(md5sum /etc/passwd /etc/shadow)
for name in bad-dotdot bad-symlink-parent bad-hardlink-out bad-truncated bad-whiteout-through-symlink; do
    check_status "$name cannot be imported" 1 ctl image import "$TEST_TMP/layers/$name.tar" "$name"
done
swept() { [ -z "$(find "$STORE/layers" -mindepth 1 -maxdepth 1)" ]; }
check "no partial layer of refused imports remains" wait_for 20 swept
check_equal "no refused import became an image" 0 "$(ctl image ls --json | jq '.images | length')"
check_equal "the host's accounts are not changed" "$before" "$(md5sum /etc/passwd /etc/shadow)"

# layouts whose parts contradict each other
make_oci "$TEST_TMP/layout" || failed "no layout"
broken() { # NAME 'PYTHON that edits manifest, config and blobs'
    rm -rf "$TEST_TMP/broken"
    cp -a "$TEST_TMP/layout" "$TEST_TMP/broken"
    python3 - "$TEST_TMP/broken" "$2" <<'PY'
import hashlib, json, os, sys
top, change = sys.argv[1:]
def path(digest): return os.path.join(top, "blobs/sha256", digest.split(":")[1])
index = json.load(open(os.path.join(top, "index.json")))
entry = next(m for m in index["manifests"] if m["annotations"]["org.opencontainers.image.ref.name"] == "one")
index["manifests"] = [entry]
manifest = json.load(open(path(entry["digest"])))
config = json.load(open(path(manifest["config"]["digest"])))
exec(change)
def store(data):
    text = json.dumps(data).encode()
    digest = "sha256:" + hashlib.sha256(text).hexdigest()
    open(path(digest), "wb").write(text)
    return digest, len(text)
manifest["config"]["digest"], manifest["config"]["size"] = store(config)
entry["digest"], entry["size"] = store(manifest)
json.dump(index, open(os.path.join(top, "index.json"), "w"))
PY
    ctl image pull "oci:$TEST_TMP/broken:one" broken 2>&1
}
check_match "the unchanged layout is pulled" "broken is here" "$(broken same 'pass')"
ctl image rm broken >/dev/null
ctl image prune >/dev/null
check_match "a layer with other contents than its digest is refused" "is damaged|[Dd]igest did not match" \
    "$(broken blob 'open(path(manifest["layers"][0]["digest"]), "ab").write(b"x"); manifest["layers"][0]["size"] += 1')"
check_match "a layer with another id than announced is refused" "not what the image says|DiffID|digest" \
    "$(broken diff 'config["rootfs"]["diff_ids"][0] = "sha256:" + "0" * 64')"
check_match "a layout with more ids than layers is refused" "layers" "$(broken ids 'config["rootfs"]["diff_ids"] *= 2')"
check_match "an image for another architecture is refused" "arm64|no image found|architecture" "$(broken arch 'config["architecture"] = "arm64"')"
check_match "an image with a user that it lacks is refused" 'is not in the image' "$(broken user 'config["config"]["User"] = "nobody-of-that-name"')"
check_match "an image with .. in its working directory is refused" 'working directory' "$(broken workdir 'config["config"]["WorkingDir"] = "/a/../../etc"')"
check_match "an image with an unknown media type is refused" "kind|media|mime|unsupported|unknown" \
    "$(broken type 'manifest["layers"][0]["mediaType"] = "application/zip"')"
check_equal "no refused layout became an image" 0 "$(ctl image ls --json | jq '.images | length')"

# ---- roots that redirect our mounts by links ----

for name in proc dev sys tmp etc workspace run; do
    rm -rf "$TEST_TMP/rootfs"
    make_rootfs "$TEST_TMP/rootfs"
    rm -rf "$TEST_TMP/rootfs/${name:?}"
    ln -s /usr/share/data "$TEST_TMP/rootfs/$name"
    tar -C "$TEST_TMP/rootfs" -cf "$TEST_TMP/root.tar" .
    ctl image import "$TEST_TMP/root.tar" "link-$name" >/dev/null 2>&1 || failed "link-$name is not imported"
    out=$(run_in "link-$name" 'echo inside; ls /usr/share/data | tr "\n" " "')
    if [ "$name" = etc ]; then # our own /etc is mounted over it
        check_match "a link at /$name has no effect" '^s . inside' "$out"
    else
        check_match "a link at /$name is refused" 'symbolic link, which is refused' "$out"
    fi
done
rm -rf "$TEST_TMP/rootfs"
make_rootfs "$TEST_TMP/rootfs"
ln -s /run/elsewhere/resolv.conf "$TEST_TMP/rootfs/etc/resolv.conf"
tar -C "$TEST_TMP/rootfs" -cf "$TEST_TMP/root.tar" .
ctl image import "$TEST_TMP/root.tar" resolv >/dev/null 2>&1
check_equal "a link at /etc/resolv.conf is covered" "nameserver" \
    "$("$BIN/runbook-sandbox" --image resolv --network egress -- sh -c 'grep -o -m 1 nameserver /etc/resolv.conf' 2>&1)"

# ---- set-uid files of an image ----

rm -rf "$TEST_TMP/rootfs"
make_rootfs "$TEST_TMP/rootfs"
chmod 4755 "$TEST_TMP/rootfs/bin/busybox"
tar -C "$TEST_TMP/rootfs" -cf "$TEST_TMP/root.tar" .
ctl image import "$TEST_TMP/root.tar" setuid >/dev/null 2>&1
check_equal "set-uid files belong to an id without a user on the host" "$((0x7ffe0000))" "$(stat -c %u "$STORE"/layers/*/bin/busybox | sort -u)"
check_equal "set-uid files give no privilege in a step" "NoNewPrivs: 1" \
    "$(run_in setuid 'grep NoNewPrivs /proc/self/status' | said | tr -s '\t ' ' ')"
check_equal "no process of the daemon was killed by a signal" 0 "$(grep -c 'was killed by signal' "$TEST_TMP/daemon.log")"
