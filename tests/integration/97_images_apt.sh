#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# apt-get install in a step, on an image of Debian made here, with network "egress", from a
# repository in a network namespace of the test: a real package of the distribution, and one
# whose scripts do what package scripts usually do.
RBT_NETNS=machine # the image and a package come from a mirror
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/images_lib.sh
. "$TOP/tests/images_lib.sh"

# ---- the image ----

suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
suite=${suite:-stable}
# RUNBOOK_TEST_BASE: an image that was made before
if [ -n "${RUNBOOK_TEST_BASE:-}" ]; then
    ln -s "$RUNBOOK_TEST_BASE" "$TEST_TMP/base.tar"
elif ! mmdebstrap --quiet --mode=root --variant=apt --dpkgopt=force-unsafe-io "$suite" \
    "$TEST_TMP/base.tar" >"$TEST_TMP/mmdebstrap.log" 2>&1; then
    skip "no mirror of the distribution can be reached from here: $(tail -n 1 "$TEST_TMP/mmdebstrap.log")"
    exit 0
fi
passed "a Debian is made"

# ---- the repository ----

REPO=$TEST_TMP/repo
mkdir -p "$REPO/pool" "$TEST_TMP/deb/DEBIAN" "$TEST_TMP/deb/usr/bin" "$TEST_TMP/deb/var/lib/trial"
chmod 0755 "$TEST_TMP/deb/DEBIAN"
(cd "$REPO/pool" && apt-get download tree >/dev/null 2>&1)
check "the repository has a package of the distribution" test -n "$(find "$REPO/pool" -name 'tree_*.deb')"
cat >"$TEST_TMP/deb/DEBIAN/control" <<'C'
Package: trial
Version: 1.0
Architecture: all
Maintainer: nobody <nobody@localhost>
Depends: tree
Description: what scripts of packages do
C
cat >"$TEST_TMP/deb/DEBIAN/postinst" <<'P'
#!/bin/sh
set -e
useradd --system --user-group --no-create-home --shell /usr/sbin/nologin trial
chown trial:trial /var/lib/trial
install -d -o trial -g trial -m 2750 /var/lib/trial/state
mv /var/lib/trial/old /var/lib/trial/new
update-alternatives --install /usr/bin/trial trial /usr/bin/trial-1 10
ldconfig
P
chmod 0755 "$TEST_TMP/deb/DEBIAN/postinst"
mkdir "$TEST_TMP/deb/var/lib/trial/old"
printf '#!/bin/sh\nstat -c "%%U %%a" /var/lib/trial/state\n' >"$TEST_TMP/deb/usr/bin/trial-1"
chmod 0755 "$TEST_TMP/deb/usr/bin/trial-1"
dpkg-deb --root-owner-group -b "$TEST_TMP/deb" "$REPO/pool/trial_1.0_all.deb" >/dev/null
for deb in "$REPO"/pool/*.deb; do
    dpkg-deb -f "$deb"
    printf 'Filename: pool/%s\nSize: %s\nSHA256: %s\n\n' "$(basename "$deb")" "$(stat -c %s "$deb")" \
        "$(sha256sum "$deb" | cut -d' ' -f1)"
done >"$REPO/Packages"

# ---- two network namespaces: the host, and one with the repository ----

HOST=rbt-h-$$ NET=rbt-i-$$
ip netns add "$HOST" && defer "ip netns del $HOST"
ip netns add "$NET" && defer "ip netns del $NET"
ip link add up0 netns "$HOST" type veth peer name up0 netns "$NET"
ip -n "$HOST" addr add 1.2.3.1/24 dev up0
ip -n "$HOST" link set lo up
ip -n "$HOST" link set up0 up
ip -n "$HOST" route add default via 1.2.3.4
ip -n "$NET" addr add 1.2.3.4/24 dev up0
ip -n "$NET" addr add 8.8.4.4/32 dev up0
ip -n "$NET" link set lo up
ip -n "$NET" link set up0 up
ip netns exec "$NET" python3 -m http.server 80 --bind 8.8.4.4 --directory "$REPO" >"$TEST_TMP/http.log" 2>&1 &
defer "kill $! 2>/dev/null"

# as start_daemon() of lib.sh, but in the namespace
mkdir "$TEST_TMP/bin"
cat >"$TEST_TMP/bin/runbookd" <<W
#!/bin/sh
exec ip netns exec $HOST "$BIN/runbookd" "\$@"
W
chmod 0755 "$TEST_TMP/bin/runbookd"
for program in "$BIN"/*; do
    [ -e "$TEST_TMP/bin/$(basename "$program")" ] || ln -s "$program" "$TEST_TMP/bin/"
done
BIN=$TEST_TMP/bin start_daemon "[Sandbox]" "Dns=8.8.4.4"
check "the image is imported" "$BIN/runbookctl" image import "$TEST_TMP/base.tar" debian

# ---- the step ----

run_in debian 'echo "deb [trusted=yes] http://8.8.4.4/ ./" >/etc/apt/sources.list
rm -rf /etc/apt/sources.list.d
apt-get -q update
DEBIAN_FRONTEND=noninteractive apt-get -q -y install trial
echo "result: $(trial) $(tree --version | cut -d" " -f1) $(dpkg-query -W -f="\${db:Status-Abbrev}" trial)"
id -u _apt && su -s /bin/sh -c "id -un" _apt' >"$TEST_TMP/out"
check_match "the packages are installed over the network" '^s . result: trial 2750 tree ii' "$(cat "$TEST_TMP/out")"
check_match "apt's own user works in the step" '^s . _apt' "$(cat "$TEST_TMP/out")"
check_match "the package came from the repository" 'GET /pool/trial_1.0_all.deb' "$(cat "$TEST_TMP/http.log")"
check_match "the image is not changed" 'not here' "$(run_in debian 'command -v trial || echo not here')"
