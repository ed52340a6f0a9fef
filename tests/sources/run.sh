#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh [PACKAGE...]: builds and tests Debian source packages twice, in the same root file
# system: outside of any sandbox (chroot, a network namespace with loopback only) and in
# runbook-sandbox. Both must say the same of every test. By hand: it fetches packages and
# takes a quarter of an hour. SOURCES_CACHE keeps the root and the sources.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

ALL=(redis libuv1 lua5.4 jq node-express python-click)
CACHE=${SOURCES_CACHE:-$TEST_TMP/cache}
ROOT=$CACHE/root
CODENAME=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
HERE=$(dirname "$(readlink -f "$0")")
mkdir -p "$CACHE/lists" "$CACHE/archives"
# where the unpacked sources live must be reachable for the ids of a sandbox
chmod 0755 "$CACHE"

# binaries | sources: lines for sources.list(5), the ones that apt has here, in a list of our own
binaries() {
    # shellcheck disable=SC2016  # apt-get fills these in
    apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v suite="$CODENAME" '$3 ~ "^" suite "(-updates|-security)?$"' | sort -u
}
sources() { binaries | sed 's/^deb /deb-src /'; }

APT=(-q -o "Dir::Etc::sourcelist=$CACHE/sources.list" -o Dir::Etc::sourceparts=-
    -o "Dir::State::lists=$CACHE/lists" -o APT::Get::List-Cleanup=0 -o APT::Sandbox::User=root)

# fetch PACKAGE: its newest version that the archive really has
fetch() {
    local version
    ls "$CACHE/archives/$1"_*.dsc >/dev/null 2>&1 && return
    apt-cache "${APT[@]}" showsrc "$1" | sed -n 's/^Version: //p' | sort -Vru >"$CACHE/versions"
    while read -r version; do
        (cd "$CACHE/archives" && apt-get "${APT[@]}" source --download-only "$1=$version") && return
        rm -f "$CACHE/archives/$1"_*
    done <"$CACHE/versions"
    return 1
}

# make_root PACKAGE...: a system with what these need to be built
make_root() {
    { binaries; sources; } >"$CACHE/all.list"
    unshare --mount --propagation private mmdebstrap --quiet --mode=root --variant=buildd \
        --include=ca-certificates,procps,tcl,libtool-bin --dpkgopt=force-unsafe-io \
        --customize-hook="chroot \"\$1\" apt-get -y -q --no-install-recommends -P nodoc build-dep $*" \
        "$CODENAME" "$ROOT.new" - <"$CACHE/all.list" &&
        mkdir -p "$ROOT.new/workspace" && mv "$ROOT.new" "$ROOT"
}

# outside DIR, inside DIR: recipe.sh in DIR, whose results are lines on standard output
outside() {
    # shellcheck disable=SC2016  # expanded inside
    unshare --mount --pid --fork --net --ipc --propagation private bash -c '
        ip link set lo up && mount --bind "$1" "$0/workspace" && mount -t proc proc "$0/proc" &&
        mount --rbind /dev "$0/dev" && mount -t tmpfs tmpfs "$0/tmp" && mount -t tmpfs -o mode=1777 tmpfs "$0/run" &&
        exec chroot "$0" env -i PATH="$PATH" HOME=/workspace LANG=C.UTF-8 TERM=dumb \
            sh -c "cd /workspace && exec bash ./recipe.sh"' "$ROOT" "$1" </dev/null
}
inside() {
    "$BIN/runbook-sandbox" --root "$TEST_TMP/state" --image "$ROOT" --workspace "$1" --disk 8G \
        --env LANG=C.UTF-8 --env TERM=dumb -- bash ./recipe.sh </dev/null
}

sources >"$CACHE/sources.list"
[ -e "$CACHE/lists/lock" ] || check "the lists of sources are read" apt-get "${APT[@]}" update
[ $# -gt 0 ] || set -- "${ALL[@]}"
[ -d "$ROOT" ] || check "a root with what they need" make_root "${ALL[@]}" || finish

for package; do
    check "$package: its source is there" fetch "$package" || continue
    dir=$CACHE/unpacked/$package
    for where in outside inside; do
        rm -rf --one-file-system "$dir" && mkdir -p "$CACHE/unpacked"
        dpkg-source --no-check -x "$CACHE/archives/$package"_*.dsc "$dir" >/dev/null 2>&1 ||
            { failed "$package: it is unpacked"; continue 2; }
        cp "$HERE/$package.sh" "$dir/recipe.sh"
        $where "$dir" >"$CACHE/$package.$where" 2>"$CACHE/$package.$where.log"
        echo "status $?" >>"$CACHE/$package.$where"
    done
    rm -rf --one-file-system "$dir"
    check "$package: its tests ran ($(grep -vc '^status' "$CACHE/$package.outside") results)" \
        test "$(wc -l <"$CACHE/$package.outside")" -gt 1
    check "$package: the same inside" diff <(sort "$CACHE/$package.outside") <(sort "$CACHE/$package.inside")
done
