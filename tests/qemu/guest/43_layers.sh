#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A layer with attributes of every class is imported on a file system that supports all of them.
# Attributes that affect the host, the overlay or other steps must not be in the unpacked layer.
# seconds: 300
# shellcheck source=tests/qemu/guest/lib.sh
. "$(dirname "$0")/lib.sh"

python3 "$(dirname "$0")/layer_attributes.py" "$TEST_TMP/attributes.tar"
# the archive has all of them and the file system accepts them, or the checks below prove nothing
for class in user.mine trusted.mine security.capability security.selinux system.posix_acl_access trusted.overlay.redirect; do
    check "the archive has $class" grep -qa "SCHILY.xattr.$class=" "$TEST_TMP/attributes.tar"
done
mkdir -p /var/lib/runbookd-probe && echo x >/var/lib/runbookd-probe/file
check "root can set trusted.* on this file system" setfattr -n trusted.mine -v x /var/lib/runbookd-probe/file
check "root can set capabilities on this file system" setcap cap_chown+ep /var/lib/runbookd-probe/file
check "root can set flags on this file system" chattr +i /var/lib/runbookd-probe/file
chattr -i /var/lib/runbookd-probe/file && rm -r /var/lib/runbookd-probe

check_match "the layer is imported" '^attributes is here' "$(runbookctl image import "$TEST_TMP/attributes.tar" attributes 2>&1)"
LAYER=$(dirname "$(find /var/lib/runbookd/images/layers -maxdepth 2 -name set-user-id)")
check "the unpacked layer is found" test -d "$LAYER/directory"

# ---- on the host's disk ----

# -m -: of every class, also those that only root can see
check_equal "attributes: the layer has only user.mine" "user.mine" \
    "$(getfattr -R -h -m - --absolute-names "$LAYER" | grep -v '^#' | grep . | sort -u | xargs)"
check_equal "attributes: user.mine has its value" 'user.mine="kept"' \
    "$(getfattr -d -m - --absolute-names "$LAYER/file" | grep -v '^#' | grep .)"
check_equal "access lists: the layer has none" "" "$(getfattr -R -h -m '^system\.' --absolute-names "$LAYER")"
check_equal "capabilities: the layer has none" "" "$(getcap -r "$LAYER")"
check_equal "flags: the layer has neither immutable nor append-only nor nodump" "" \
    "$(lsattr -R -a "$LAYER" 2>/dev/null | awk '$1 ~ /^[-a-zA-Z]+$/ && $1 ~ /[iad]/')"
check_equal "devices: the layer has none" "" "$(find "$LAYER" -type b -o -type c)"
check_equal "owners: the layer has none below the ids of images" 0 \
    "$(find "$LAYER" -mindepth 1 -printf '%U\n%G\n' | awk '$1 < 2147352576 || $1 >= 2147418112' | wc -l)"
check_equal "a set-user-id program does not belong to root" "4755 2147352576" "$(stat -c '%a %u' "$LAYER/set-user-id")"
# not by setpriv, which resolves the program before it drops its capabilities
check_match "other users cannot reach a set-user-id program" '^PermissionError' "$(python3 -c '
import os, sys
os.setgroups([]), os.setgid(65534), os.setuid(65534)
os.execv(sys.argv[1], ["id"])' "$LAYER/set-user-id" 2>&1 | tail -n 1)"

# ---- in a sandbox ----

inside() { runbook-sandbox --image attributes --bind /usr:/usr "$@"; }
check_equal "inside: user.mine can be read" kept "$(inside -- getfattr --only-values -n user.mine /file)"
check_equal "inside: there is no other attribute" "user.mine" \
    "$(inside -- sh -c 'getfattr -R -h -m - --absolute-names /file /directory /sticky /capable /set-user-id' | grep -v '^#' | grep . | sort -u | xargs)"
check_equal "inside: no file has a capability" "" "$(inside -- getcap -r /capable /set-user-id /file)"
check_equal "inside: the directory is neither opaque nor redirected" below "$(inside -- cat /directory/below)"
check_equal "inside: a set-user-id program gains nothing" 1000 "$(inside --user 1000:1000 -- /set-user-id -u)"
check_equal "inside: a set-group-id program gains nothing" 1000 "$(inside --user 1000:1000 -- /set-group-id -g)"
check_equal "inside: there is no device" "no no" \
    "$(inside -- sh -c 'for f in character block; do [ -e /$f ] && echo yes || echo no; done' | xargs)"
check_equal "inside: files have the archive's modes" "755 4755 2755 1755" \
    "$(inside -- stat -c %a /file /set-user-id /set-group-id /sticky | xargs)"
check_status "inside: the file can be removed" 0 inside -- sh -c 'echo y >>/file && rm /file && rm -r /directory'
check "the image is removed and pruned" sh -c 'runbookctl image rm attributes && runbookctl image prune'
check "the layer's directory is removed, despite flags in the archive" wait_for 60 sh -c "! [ -e '$LAYER' ]"

finish
