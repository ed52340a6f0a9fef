# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by guest.sh: limits on io, on a disk of its own (ubda, ext4) that holds
# an image with one program.

mkdir -p /tmp/disk
check "the disk is mounted" mount -t ext4 /dev/ubda /tmp/disk
number=$(($(stat -c %Hd /tmp/disk))):$(($(stat -c %Ld /tmp/disk)))
image=(--image /tmp/disk/image)

check_match "io: the plan names the disk" "limit +$number rbps=1048576 wbps=1048576 -> io.max" \
    "$("${SANDBOX[@]}" "${image[@]}" --io 1M --explain -- /misbehave)"
check_match "io: each limit on its own" "$number rbps=max wbps=65536 riops=max wiops=100" \
    "$("${SANDBOX[@]}" "${image[@]}" --io write=64K,write_ops=100 -- /misbehave show /sys/fs/cgroup/io.max)"
check_match "io: in force inside" "$number rbps=1048576 wbps=1048576 riops=max wiops=max" \
    "$("${SANDBOX[@]}" "${image[@]}" --io 1M -- /misbehave show /sys/fs/cgroup/io.max)"
check_equal "io: a slow read is a right one" "$(sha256sum </tmp/disk/image/data)" \
    "$("${SANDBOX[@]}" "${image[@]}" --io 1M -- /misbehave show /data | sha256sum)"
# the image of this host lies on hostfs, which has no disk
check_status "io: what cannot be limited is not run" 125 "${SANDBOX[@]}" --io 1M -- true
check_match "io: with the reason" 'cannot limit io: the file system of .* has no disk' \
    "$("${SANDBOX[@]}" --io 1M -- true 2>&1)"
umount /tmp/disk
