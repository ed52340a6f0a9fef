#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Images: pulled from a registry, uploaded as layouts and archives, imported; their use by steps;
# names, shared layers, pruning.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/images_lib.sh
. "$TOP/tests/images_lib.sh"

ctl() { "$BIN/runbookctl" "$@"; }
STORE=$TEST_TMP/root/var/lib/runbookd/images
LAYOUT=$TEST_TMP/layout
check "images are made" make_oci "$LAYOUT"
start_registry open
check "the first image is pushed" push "$LAYOUT:one" "$REGISTRY/test/base:1"
check "the second image is pushed" push "$LAYOUT:two" "$REGISTRY/test/base:2"
OPEN=$REGISTRY
start_daemon "[Images]" "Insecure=$OPEN"

# ---- pulling ----

check_status "pull of a missing image is exit 1" 1 ctl image pull "docker://$OPEN/test/none:1"
check_match "the message about a missing image says so" 'manifest unknown.*check name and tag|not found' "$(ctl image pull "docker://$OPEN/test/none:1" 2>&1)"
check_match "an image is pulled" "$OPEN/test/base:1 is here" "$(ctl image pull "docker://$OPEN/test/base:1" 2>&1)"
check_equal "the store has its layer" 1 "$(find "$STORE/layers" -mindepth 1 -maxdepth 1 | wc -l)"
check_match "an image is pulled under another name" "^other is here" "$(ctl image pull "docker://$OPEN/test/base:2" other 2>&1)"
check_equal "the store has the shared layer once" 3 "$(find "$STORE/layers" -mindepth 1 -maxdepth 1 | wc -l)"
check_equal "image ls lists both with their layers" "$OPEN/test/base:1 1 other 3" \
    "$(ctl image ls --json | jq -r '[.images | sort_by(.name)[] | "\(.name) \(.layers)"] | join(" ")')"
check_equal "files of a layer belong to an id without a user" "$((0x7ffe0000))" \
    "$(stat -c %u "$STORE"/layers/*/bin/busybox)"
check_equal "only root may enter the layers" "700 root" "$(stat -c '%a %U' "$STORE/layers")"
check_equal "no partial layer remains" "" "$(find "$STORE/layers" "$STORE/oci/tmp" -mindepth 1 -maxdepth 1 -name '*-*')"

# ---- steps ----

out=$(run_in "$OPEN/test/base:1" 'echo "$FROM_IMAGE $PATH"; pwd; cat a b; id -u; echo "$HOME"' | said)
check_equal "a step has environment, directory and files of the image" \
    "yes /opt/tool/bin:/bin:/usr/bin:/run/runbookd/bin|/usr/share/data|first|second|0|/workspace" "$(tr '\n' '|' <<<"$out" | sed 's/|$//')"
out=$(run_in "docker://$OPEN/test/base:1" 'echo fine' | said)
check_equal "a step can name an image with its transport" fine "$out"
out=$(run_in other 'id -u; id -g; ls; ls deep; stat -c %h b; touch /workspace/mine && echo writable' | said | tr '\n' '|')
check_equal "a step has the image's user, whiteouts, opaque directories and hard links" "1000|1001|b|b2|deep|d|2|writable|" "$out"
out=$(run_in "$OPEN/test/base:1" 'mv deep moved && cat moved/c; rm -rf /bin/ls; ln -s x y; echo changed >a; cat a' | said | tr '\n' '|')
check_equal "a step can change its root" "third|changed|" "$out"
check_equal "the image is not changed" "first" "$(run_in "$OPEN/test/base:1" 'cat a' | said)"
cat >"$TEST_TMP/env.yml" <<YML
global: {env: {FROM_IMAGE: global}}
steps: [{name: s, image: "$OPEN/test/base:1", env: {OVERRIDDEN: step}, command: 'echo "\$FROM_IMAGE \$OVERRIDDEN"'}]
YML
mkdir -p "$TEST_TMP/env" && mv "$TEST_TMP/env.yml" "$TEST_TMP/env/runbook.yml"
check_equal "variables of the runbook replace those of the image" "global step" "$(ctl run "$TEST_TMP/env" | said)"

mkdir -p "$TEST_TMP/users"
cat >"$TEST_TMP/users/runbook.yml" <<YML
global: {image: "$OPEN/test/base:1"}
steps:
  - {name: s, user: user, command: 'id -u; id -g; echo \$USER; touch ~/mine && stat -c %u ~/runbook.yml'}
YML
check_equal "a step can have a user of the image" "1000|1001|user|1000|" "$(ctl run "$TEST_TMP/users" | said | tr '\n' '|')"
sed -i 's/user: user/user: stranger/' "$TEST_TMP/users/runbook.yml"
check_match "a user that the image lacks is an error" 'user "stranger" is not in the image' "$(ctl run "$TEST_TMP/users" 2>&1)"
check_equal "runbook-sandbox accepts an image's name" 1000 \
    "$("$BIN/runbook-sandbox" --image "$OPEN/test/base:1" --user user -- id -u 2>&1)"

check_equal "runbook-sandbox uses the image's environment, directory and user" "yes /usr/share/data 1000" \
    "$("$BIN/runbook-sandbox" --image other -- sh -c 'echo "$FROM_IMAGE $PWD $(id -u)"' 2>&1)"
check_equal "options of runbook-sandbox replace those of the image" "no /" \
    "$("$BIN/runbook-sandbox" --image "$OPEN/test/base:1" --env FROM_IMAGE=no --workdir / -- sh -c 'echo "$FROM_IMAGE $PWD"' 2>&1)"
check_match "runbook-sandbox reports a missing image" 'no directory and no image "nothing"' "$("$BIN/runbook-sandbox" --image nothing -- true 2>&1)"

# ---- missing images ----

out=$(run_in nothing/here 'true')
check_match "the reason of a missing image names the fix" 'image "nothing/here" is not here.*runbookctl image pull' "$out"
push "$LAYOUT:one" "$OPEN/test/later:5"
check_match "a missing image with a reference is pulled" "^s . fine" "$(run_in "$OPEN/test/later:5" 'echo fine')"
check_match "the reason of a failed pull names the log" \
    'errored.*not found, not allowed or out of reach' "$(run_in "$OPEN/test/never:1" 'true')"
check_match "the log has the registry's error" 'image .*test/never:1: .*manifest unknown' "$(grep never "$TEST_TMP/daemon.log")"

# ---- from this host ----

check_match "a layout is pulled" "^layout is here" "$(ctl image pull "oci:$LAYOUT:one" layout 2>&1)"
check_equal "a step has the layout's files" first "$(run_in layout 'cat a' | said)"
skopeo --insecure-policy copy -q "oci:$LAYOUT:one" "docker-archive:$TEST_TMP/image.tar:test:1"
check_match "an archive is pulled" "^archive is here" "$(ctl image pull "docker-archive:$TEST_TMP/image.tar" archive 2>&1)"
check_equal "a step has the archive's files" first "$(run_in archive 'cat a' | said)"
mkdir "$TEST_TMP/rootfs" && make_rootfs "$TEST_TMP/rootfs"
check_match "a directory is imported" "^directory is here" "$(ctl image import "$TEST_TMP/rootfs" directory 2>&1)"
tar -C "$TEST_TMP/rootfs" -czf "$TEST_TMP/rootfs.tar.gz" .
check_match "a packed tar is imported" "^packed is here" "$(ctl image import "$TEST_TMP/rootfs.tar.gz" packed 2>&1)"
check_equal "a step has the packed tar's files" third "$(run_in packed 'cat /usr/share/data/deep/c' | said)"
check_equal "a step of an image without a directory starts in the workspace" /workspace "$(run_in packed pwd | said)"
check_status "import with the reserved name host is exit 2" 2 ctl image import "$TEST_TMP/rootfs" host
check_status "import of a missing file is exit 3" 3 ctl image import "$TEST_TMP/nothing.tar" x
check_match "import of a file that is not a tar is refused" \
    'damaged|not a readable tar|not a tar|decompressed' "$(ctl image import "$TEST_TMP/rootfs/bin/busybox" x 2>&1)"

# ---- removing ----

check "names are removed" ctl image rm directory packed layout archive
check_status "removing a missing name is exit 3" 3 ctl image rm directory
before=$(find "$STORE/layers" -mindepth 1 -maxdepth 1 | wc -l)
check "prune succeeds" ctl image prune
gone() { [ "$(find "$STORE/layers" -mindepth 1 -maxdepth 1 | wc -l)" -lt "$before" ]; }
check "layers without an image are removed" wait_for 20 gone
check_equal "an image with a name still works" first "$(run_in "$OPEN/test/base:1" 'cat a' | said)"
check_match "an image without a name is missing" "is not here" "$(run_in packed true)"

# ---- two at once ----

ctl image rm "$OPEN/test/base:1" other "$OPEN/test/later:5" >/dev/null
ctl image prune >/dev/null
: >"$TEST_TMP/registry-open/log"
ctl image pull "docker://$OPEN/test/base:2" both >"$TEST_TMP/first" 2>&1 &
FIRST=$!
ctl image pull "docker://$OPEN/test/base:2" both >"$TEST_TMP/second" 2>&1
wait $FIRST
check_equal "two pulls of one image at once succeed" "both is here both is here" \
    "$(sed 's/ (.*//' "$TEST_TMP/first" "$TEST_TMP/second" | tr '\n' ' ' | sed 's/ $//')"
check_equal "two pulls of one image at once are one job" 1 "$(grep -c 'image both is here' "$TEST_TMP/daemon.log")"
check_equal "the image that was pulled twice at once works" second "$(run_in both 'cat b' | said)"

# ---- a registry with a password ----

start_registry closed tester secret
push "$LAYOUT:one" "$REGISTRY/private/base:1" --dest-creds tester:secret
check_match "without credentials the message names AuthFile=" 'AuthFile=' "$(
    printf '[Images]\nInsecure=%s\nInsecure=%s\n' "$OPEN" "$REGISTRY" >"$TEST_TMP/root/etc/runbookd/runbookd.conf.d/test.conf"
    kill -HUP "$DAEMON_PID"; sleep 1
    ctl image pull "docker://$REGISTRY/private/base:1" 2>&1)"
printf '{"auths":{"%s":{"auth":"%s"}}}\n' "$REGISTRY" "$(printf 'tester:secret' | base64)" >"$TEST_TMP/root/etc/runbookd/auth.json"
chmod 600 "$TEST_TMP/root/etc/runbookd/auth.json"
echo "AuthFile=auth.json" >>"$TEST_TMP/root/etc/runbookd/runbookd.conf.d/test.conf"
kill -HUP "$DAEMON_PID"
pulled() { ctl image pull "docker://$REGISTRY/private/base:1"; }
check "with credentials the image is pulled" wait_for 10 pulled
check_equal "no credential is on disk" "" "$(grep -rl "$(printf 'tester:secret' | base64)" "$STORE/oci" "$TEST_TMP/daemon.log")"
