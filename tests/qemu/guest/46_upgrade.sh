#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Other versions are installed and systemd restarts runbookd while steps print: their
# counters are whole and their exit codes right. A version or a configuration that cannot
# start does not cost them. ROUNDS=N sets how often versions change.
# seconds: 3000
# shellcheck source=tests/qemu/guest/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/upgrade_lib.sh
. "$TESTS_DIR/upgrade_lib.sh"

VERSIONS=/payload/versions
MARK=rbt-upgrade-$$-$RANDOM
ROUNDS=${ROUNDS:-$([ "$LEVEL" = long ] && echo 50 || echo 2)}

# install_version NAME: programs and units, as packages do, under running ones
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
# printed RUN SLUG: lines that are in its log; more than before: it goes on
printed() { wc -l <"/var/log/runbookd/upgrade/$1/$2.1.log"; }
goes_on() { [ "$(printed "$1" tick)" -gt "$2" ]; }
failed_starts() { daemon_log --since "@$1" | grep -c "$2"; }
tried_often() { [ "$(failed_starts "$1" "$2")" -ge 6 ]; }

# a state and a configuration of its own: an earlier version may know less than what is there
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
check "with a secret" sh -c "echo whatNobodyShallRead | runbookctl secret set upgrade prod TOKEN"
run=$(counters_yaml "$MARK" | installed_push upgrade)
check "steps run" wait_for 120 inits_are 5
check "and print" wait_for 60 goes_on "$run" 10
before=$(inits)

# ---- to this version, and where d2e21e4 was first, back to it, which cannot be ----
install_version current
check "this version, by systemctl restart" systemctl restart runbookd
check "is there" wait_for 60 is_running
check_equal "with the same sandboxes" "$before" "$(inits)"
check "which print" wait_for 60 goes_on "$run" "$(printed "$run" tick)"
if [ $FIRST = d2e21e4 ]; then
    install_version d2e21e4
    begin=$(date +%s)
    check_not "d2e21e4 does not start" systemctl restart runbookd
    check "it says so, however often it is tried" wait_for 120 tried_often "$begin" 'another runbookd (pid 0 newer version'
    check_equal "nothing is lost meanwhile" "$before" "$(inits)"
    install_version current
    check "with this version again they go on" wait_for 120 is_running
    check_equal "the same sandboxes still" "$before" "$(inits)"
fi

# ---- a mistake in the configuration ----
echo nonsense >$CONF/runbookd.conf.d/bad.conf
begin=$(date +%s)
check_not "with a mistake in the configuration it does not start" systemctl restart runbookd
check "however often it is tried" wait_for 120 tried_often "$begin" 'bad.conf:1: expected'
check_equal "nothing is lost by that" "$before" "$(inits)"
rm $CONF/runbookd.conf.d/bad.conf
check "repaired, it starts by itself" wait_for 120 is_running

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
check "this version, by systemctl restart, at last" systemctl restart runbookd
check "serves" wait_for 60 is_running
check_equal "the same sandboxes at the end" "$before" "$(inits)"
check_counters "$run" "$MARK" upgrades
check_equal "no output was lost" "" "$(daemon_log --since "@$begin" | grep -E 'is lost|are lost|would not outlive')"
