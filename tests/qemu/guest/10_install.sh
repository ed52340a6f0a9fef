#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs runbookd as an administrator does, and checks the shipped units.
# shellcheck source=tests/qemu/guest/lib.sh
. "$(dirname "$0")/lib.sh"

cd /payload || exit 1
check "install.sh succeeds" packaging/install.sh "" /usr /etc /usr/libexec/runbookd
check "systemd-sysusers succeeds" systemd-sysusers
check "journalctl --update-catalog succeeds" journalctl --update-catalog
check "systemd-tmpfiles succeeds" systemd-tmpfiles --create runbookd.conf
# this machine has no "man", so messages about manual pages do not count
check_equal "systemd-analyze verify reports nothing" "" \
    "$(systemd-analyze verify runbookd.service runbookd-steps.service 2>&1 | grep -v "Command 'man ")"
systemctl daemon-reload
# the units explain the remaining exposure, without which the steps of these suites could not run
exposed() { # UNIT BOUND
    systemd-analyze security --no-pager "$1" |
        awk -v bound="$2" '/Overall exposure level/ {found = 1; sub(/.*: /, ""); print; bad = $1 + 0 > bound} END {exit bad || !found}'
}
check "runbookd.service is exposed by 6.5 of 10 at most" exposed runbookd.service 6.5
check "runbookd-steps.service is exposed by 1.3 at most" exposed runbookd-steps.service 1.3
check_equal "a start may take longer than the default of 90 s" 15min "$(property TimeoutStartUSec)"
check "systemctl start succeeds with the shipped configuration" systemctl start runbookd
check_equal "runbookd.service is active" active "$(systemctl is-active runbookd)"
check_match "the journal has ready" '(^|: )ready$' "$(daemon_log)"
check_equal "the journal has no warning" "" "$(daemon_log -p warning)"

# ---- processes and their users ----
group=$(service_group)
for program in scheduler webhook fetcher cacher api; do
    user=runbook-$program
    [ $program = scheduler ] && user=runbook
    check_equal "runbook-$program runs as $user" "$user" \
        "$(ps -o user:32= -p "$(pgrep -d , -x "$(printf %.15s runbook-$program)")" | tr -d ' ' | sort -u)"
done
check_equal "only one process runs as root" 1 "$(ps -o user= -p "$(paste -sd, "$group"/cgroup.procs)" | grep -c '^root$')"
# besides its own files, each has sockets and pipes
own='socket:|pipe:|anon_inode:|/memfd:|net:|mnt:|user:|pid:|/dev/null|/sys/fs/cgroup'
own+='|/(var/(lib|log)|run|etc)/runbookd|/run/runbook-(ids|net\.)|/usr/libexec/runbookd/|/proc/vmstat$'
check_equal "no program has a descriptor of the service manager" "" \
    "$(xargs -I{} find /proc/{}/fd -type l -printf '%h %l\n' < <(cat "$group"/cgroup.procs) | grep -v -E " ($own)")"

# ---- the delegated subtree, which belongs to a service of its own ----
steps=$(steps_group)
check_equal "runbookd-steps.service is active in its own cgroup" "active /system.slice/runbookd-steps.service" \
    "$(systemctl is-active runbookd-steps) ${steps#/sys/fs/cgroup}"
check_equal "the cgroup of runbookd-steps.service itself has no process" "" "$(cat "$steps/cgroup.procs")"
check_match "runbookd-steps.service enables controllers for its children" 'cpu.*memory.*pids' "$(cat "$steps/cgroup.subtree_control")"
check_match "the cgroup of steps has the controllers" 'cpu.*memory.*pids' \
    "$(cat "$steps"/runbookd-steps/cgroup.subtree_control)"
check_equal "only root may enter the cgroup of steps" "root 700" "$(stat -c '%U %a' "$steps"/runbookd-steps)"
check_equal "the cgroup of runbookd has no children" "" "$(find "$group" -mindepth 1 -type d)"

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
check_not "a user outside the group may not use the api's socket" stranger runbookctl status
check "a member of group runbook-api may use the api's socket" setpriv --reuid 12345 --regid runbook-api --clear-groups runbookctl status
check "root may use the api's socket" runbookctl status
check "doctor reports no problem" runbookctl doctor
