#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Other versions are installed and systemd restarts runbookd while steps print: their logs are
# complete and their exit codes right. A version or configuration that cannot start does not
# end them. ROUNDS=N sets how often versions change.
# seconds: 3000
# shellcheck source=tests/qemu/guest/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/upgrade_lib.sh
. "$TESTS_DIR/upgrade_lib.sh"

VERSIONS=/payload/versions
MARK=rbt-upgrade-$$-$RANDOM
ROUNDS=${ROUNDS:-$([ "$LEVEL" = long ] && echo 50 || echo 2)}

# install_version NAME: replace programs and units while they run, as packages do
install_version() {
    local from=$VERSIONS/$1 file name
    [ "$1" != current ] || from=/payload/build
    for file in "$from"/bin/*; do
        name=${file##*/}
        case $name in
        runbookd) install -m 0755 "$file" /usr/sbin/.new && mv /usr/sbin/.new /usr/sbin/runbookd ;;
        runbookctl | runbook-sandbox) install -m 0755 "$file" /usr/bin/.new && mv /usr/bin/.new "/usr/bin/$name" ;;
        *) install -m 0755 "$file" /usr/libexec/runbookd/.new && mv /usr/libexec/runbookd/.new "/usr/libexec/runbookd/$name" ;;
        esac
    done
    [ "$1" = current ] && from=/payload/packaging
    install -m 0644 "$from"/systemd/*.service /usr/lib/systemd/system/
    systemctl daemon-reload
}
is_running() { cmp -s "/proc/$(main_pid)/exe" /usr/sbin/runbookd && runbookctl status; }
inits() { pgrep -x runbook-init | sort | xargs; }
inits_are() { [ "$(pgrep -c -x runbook-init)" = "$1" ]; }
# printed RUN SLUG: print the number of lines in its log
printed() { wc -l <"/var/log/runbookd/upgrade/$1/$2.1.log"; }
goes_on() { [ "$(printed "$1" tick)" -gt "$2" ]; }
failed_starts() { daemon_log --since "@$1" | grep -c "$2"; }
tried_often() { [ "$(failed_starts "$1" "$2")" -ge 6 ]; }

# a state and a configuration of its own, since an earlier version may not know the present ones
systemctl stop runbookd
mv /var/lib/runbookd /var/lib/runbookd.aside
mv $CONF $CONF.aside
mkdir -p $CONF/runbookd.conf.d $CONF/projects.d
chmod 0700 $CONF/projects.d
: >$CONF/runbookd.conf
put_back() {
    systemctl stop runbookd
    install_version current
    rm -rf /var/lib/runbookd $CONF
    mv /var/lib/runbookd.aside /var/lib/runbookd
    mv $CONF.aside $CONF
    systemd-tmpfiles --create runbookd.conf
    systemctl start runbookd
}
defer put_back
systemd-tmpfiles --create runbookd.conf
FIRST=current
[ ! -d $VERSIONS/d2e21e4 ] || FIRST=d2e21e4
install_version $FIRST
installed_project upgrade
printf '%s\n' "[Daemon]" "MaxRunning=16" >$CONF/runbookd.conf.d/upgrade.conf
check "$FIRST starts" systemctl start runbookd
check "$FIRST: a secret is set" sh -c "echo whatNobodyShallRead | runbookctl secret set upgrade prod TOKEN"
run=$(counters_yaml "$MARK" | installed_push upgrade)
check "steps run" wait_for 120 inits_are 5
check "the steps print" wait_for 60 goes_on "$run" 10
before=$(inits)

# ---- to this version, and if d2e21e4 was the first, back to it, which is refused ----
install_version current
check "systemctl restart to this version succeeds" systemctl restart runbookd
check "this version runs" wait_for 60 is_running
check_equal "this version has the same sandboxes" "$before" "$(inits)"
check "the steps still print" wait_for 60 goes_on "$run" "$(printed "$run" tick)"
if [ $FIRST = d2e21e4 ]; then
    install_version d2e21e4
    begin=$(date +%s)
    check_not "d2e21e4 does not start" systemctl restart runbookd
    check "d2e21e4 reports the newer version at each attempt" wait_for 120 tried_often "$begin" 'another runbookd (pid 0 newer version'
    check_equal "meanwhile the sandboxes are the same" "$before" "$(inits)"
    install_version current
    check "this version runs again" wait_for 120 is_running
    check_equal "this version again has the same sandboxes" "$before" "$(inits)"
fi

# ---- an error in the configuration ----
echo nonsense >$CONF/runbookd.conf.d/bad.conf
begin=$(date +%s)
check_not "with an error in the configuration runbookd does not start" systemctl restart runbookd
check "runbookd reports the error at each attempt" wait_for 120 tried_often "$begin" 'bad.conf:1: expected'
check_equal "with an error in the configuration the sandboxes are the same" "$before" "$(inits)"
rm $CONF/runbookd.conf.d/bad.conf
check "with a corrected configuration systemd starts runbookd" wait_for 120 is_running

# ---- versions in turn, killed at any moment ----
names=(current)
for name in "$VERSIONS"/*/systemd/tagged; do
    name=${name%/systemd/tagged}
    [ ! -d "$name" ] || names+=("${name##*/}")
done
RANDOM=${SEED:-$$}
echo "46_upgrade: $ROUNDS rounds of ${names[*]}, seed ${SEED:-$$}"
for round in $(seq "$ROUNDS"); do
    name=${names[round % ${#names[@]}]}
    install_version "$name"
    if [ $((RANDOM % 3)) = 0 ]; then
        kill -KILL "$(main_pid)"
    else
        systemctl restart --no-block runbookd
    fi
    for _ in $(seq $((RANDOM % 3))); do
        sleep "0.$(printf %03d $((RANDOM % 900)))"
        pid=$(main_pid)
        [ "$pid" = 0 ] || kill -KILL "$pid" 2>/dev/null
    done
    check "round $round: $name serves" wait_for 120 is_running
    [ "$before" = "$(inits)" ] || failed "round $round: other sandboxes: $before, $(inits)"
done
install_version current
check "the last systemctl restart to this version succeeds" systemctl restart runbookd
check "this version serves" wait_for 60 is_running
check_equal "the same sandboxes at the end" "$before" "$(inits)"
check_counters "$run" "$MARK" upgrades
check_equal "no output was lost" "" "$(daemon_log --since "@$begin" | grep -E 'is lost|are lost|would not outlive')"
