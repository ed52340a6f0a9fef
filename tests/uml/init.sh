#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# PID 1 of a throw-away user-mode Linux that runs on the host's own files. The
# kernel passes TOP, OUT, MODULES and PARTS from its command line as environment.
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock
# a checkout that lies beneath one of these is shown there again
case $TOP in
/tmp/* | /run/*)
    mkdir -p "$TOP"
    mount -t hostfs -o "$TOP" none "$TOP"
    ;;
esac
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /dev/shm /dev/pts 2>/dev/null
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LANG=C.UTF-8
for module in overlay veth bridge ext4; do
    modprobe -d "$MODULES" "$module"
done
ip link set lo up
# as systemd does at boot: open files are bounded by memory, not by a count for all
echo 9223372036854775807 >/proc/sys/fs/file-max
# shellcheck disable=SC2086  # words
timeout 500 "$TOP/tests/uml/guest.sh" ${PARTS//,/ } >"$OUT/output" 2>&1
echo $? >"$OUT/status"
sync
halt -f
