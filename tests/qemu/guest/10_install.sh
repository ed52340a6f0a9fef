#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The way an administrator installs it, and the unit as it is shipped.
# shellcheck source=tests/qemu/guest/lib.sh
. "$(dirname "$0")/lib.sh"

cd /payload || exit 1
check "install.sh" packaging/install.sh "" /usr /etc /usr/libexec/runbookd
check "systemd-sysusers" systemd-sysusers
check "journalctl --update-catalog" journalctl --update-catalog
check "systemd-tmpfiles" systemd-tmpfiles --create runbookd.conf
# "man" is not in this machine; what it could not look up is no mistake of the unit
check_equal "systemd-analyze verify has nothing to say" "" \
    "$(systemd-analyze verify runbookd.service runbookd-steps.service 2>&1 | grep -v "Command 'man ")"
systemctl daemon-reload
# what is left open is explained in the units; steps run beneath them in all suites here
exposed() { # UNIT BOUND
    systemd-analyze security --no-pager "$1" |
        awk -v bound="$2" '/Overall exposure level/ {found = 1; sub(/.*: /, ""); print; bad = $1 + 0 > bound} END {exit bad || !found}'
}
check "runbookd.service is exposed by 6.5 of 10 at most" exposed runbookd.service 6.5
check "runbookd-steps.service is exposed by 1.3 at most" exposed runbookd-steps.service 1.3
check "systemctl start, with the configuration as it is shipped" systemctl start runbookd
check_equal "active" active "$(systemctl is-active runbookd)"
check_match "it says that it is ready" '(^|: )ready$' "$(daemon_log)"
check_equal "nothing to complain about" "" "$(daemon_log -p warning)"

# ---- processes, and who they are ----
group=$(service_group)
for program in scheduler webhook fetcher cacher api; do
    user=runbook-$program
    [ $program = scheduler ] && user=runbook
    check_equal "runbook-$program runs as $user" "$user" \
        "$(ps -o user:32= -p "$(pgrep -d , -x "$(printf %.15s runbook-$program)")" | tr -d ' ' | sort -u)"
done
check_equal "root has one process" 1 "$(ps -o user= -p "$(paste -sd, "$group"/cgroup.procs)" | grep -c '^root$')"
# beside its own, each holds sockets and pipes
own='socket:|pipe:|anon_inode:|/memfd:|net:|mnt:|user:|pid:|/dev/null|/sys/fs/cgroup'
own+='|/(var/(lib|log)|run|etc)/runbookd|/run/runbook-ids|/usr/libexec/runbookd/'
check_equal "no descriptor of the service manager's" "" \
    "$(xargs -I{} find /proc/{}/fd -type l -printf '%h %l\n' < <(cat "$group"/cgroup.procs) | grep -v -E " ($own)")"

# ---- the delegated subtree, of a service of its own ----
steps=$(steps_group)
check_equal "it is there for the sake of the first" "active /system.slice/runbookd-steps.service" \
    "$(systemctl is-active runbookd-steps) ${steps#/sys/fs/cgroup}"
check_equal "the group itself holds no process" "" "$(cat "$steps/cgroup.procs")"
check_match "it hands controllers on" 'cpu.*memory.*pids' "$(cat "$steps/cgroup.subtree_control")"
check_match "the group of steps has the controllers" 'cpu.*memory.*pids' \
    "$(cat "$steps"/runbookd-steps/cgroup.subtree_control)"
check_equal "steps' groups are root's alone" "root 700" "$(stat -c '%U %a' "$steps"/runbookd-steps)"
check_equal "the daemon has none beneath" "" "$(find "$group" -mindepth 1 -type d)"

# ---- files and sockets ----
for path in "/run/runbookd/api.sock root:runbook-api 660" "/run/runbookd/steps root:root 700" \
    "/var/lib/runbookd root:root 755" "/var/lib/runbookd/scheduler runbook:runbook 700" \
    "/var/lib/runbookd/repos runbook-fetcher:runbook-fetcher 750" \
    "/var/lib/runbookd/trees runbook-fetcher:runbook-fetcher 750" \
    "/var/lib/runbookd/artifacts runbook-cacher:runbook-cacher 700" \
    "/var/log/runbookd root:runbook-api 2750" "/etc/runbookd/projects.d root:root 700"; do
    check_equal "owner and mode of ${path%% *}" "$path" "$(stat -c '%n %U:%G %a' "${path%% *}")"
done
stranger() { setpriv --reuid 12345 --regid 12345 --clear-groups "$@"; }
check_not "a stranger may not use the api's socket" stranger runbookctl status
check "who is in the group runbook-api may" setpriv --reuid 12345 --regid runbook-api --clear-groups runbookctl status
check "root may" runbookctl status
check "doctor finds nothing amiss on a host as it should be" runbookctl doctor
