#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# image.sh PROGRAM...: makes the virtual machine's disk, kernel and initrd unless they exist,
# and prints their directory, which has disk (ext4), vmlinuz and initrd.
#
# The machine has this host's distribution and release, from apt's package sources on this host,
# with a kernel, systemd, the libraries that PROGRAMs are linked with, and the programs that the
# guest's tests call. The directory's name is a hash of all these, so a change makes a new
# machine; old ones are removed after a month.
set -euo pipefail

CACHE=${RUNBOOKD_TESTS_CACHE:-${XDG_CACHE_HOME:-/var/cache}/runbookd-tests}
PACKAGES=(systemd-sysv udev kmod initramfs-tools linux-image-cloud-amd64
    iproute2 nftables iptables skopeo procps iputils-ping e2fsprogs git curl jq openssl ca-certificates
    python3 attr libcap2-bin)
# Modules for the root disk and the console, for the initrd.
BOOT_MODULES=(virtio_pci virtio_blk ext4)

fail() {
    echo "qemu: $*" >&2
    exit 1
}

# The packages that have the libraries of our programs, on this host and so in the guest.
libraries() {
    local library
    objdump -p "$@" | awk '$1 == "NEEDED" {print $2}' | sort -u | while read -r library; do
        dpkg-query -S "*/$library" | sed 's/:.*//' | grep -vx 'libc6-i386' | head -n 1
    done | sort -u
}

# Debian's package sources of this host, with its proxy and similar settings.
sources() {
    # shellcheck disable=SC2016  # apt-get expands these
    apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v suite="$CODENAME" '$3 ~ "^" suite "(-updates|-security)?$"' | sort -u
}

# Files that must exist before packages are configured, so that they use them.
prepare_root() {
    mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"
    # FSTYPE: an initrd that is made in a chroot cannot detect the root's file system, and would
    # lack fsck. An installed machine has it: ext4 does not mount with half a journal block
    printf 'MODULES=list\nCOMPRESS=zstd\nFSTYPE=ext4\n' >"$1/etc/initramfs-tools/conf.d/runbookd-tests"
    printf '%s\n' "${BOOT_MODULES[@]}" >"$1/usr/share/initramfs-tools/modules.d/runbookd-tests"
}

# The only addition to Debian: `start` of the second disk runs when the system is up.
finish_root() {
    local root=$1 unit
    echo guest >"$root/etc/hostname"
    echo '127.0.0.1 localhost guest' >"$root/etc/hosts"
    : >"$root/etc/machine-id"
    mkdir -p "$root/payload" "$root/var/log/journal"
    for unit in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service \
        fstrim.timer dpkg-db-backup.timer \
        getty-static.service serial-getty@ttyS0.service; do
        ln -sf /dev/null "$root/etc/systemd/system/$unit"
    done
    cat >"$root/etc/systemd/system/payload.service" <<'U'
[Unit]
Description=what this machine was started for
After=multi-user.target
[Service]
Type=exec
ExecStartPre=/bin/mount -o ro /dev/vdb /payload
ExecStart=/payload/tests/qemu/guest/main.sh
KillMode=process
[Install]
WantedBy=multi-user.target
U
    mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
    ln -s ../payload.service "$root/etc/systemd/system/multi-user.target.wants/payload.service"
}

make_image() {
    local options=() option
    while read -r option; do options+=(--aptopt="$option"); done < \
        <(apt-config dump | grep -E '^Acquire::(http|https|Check-|Retries)')
    sources >"$WORK/sources.list"
    [ -s "$WORK/sources.list" ] || fail "apt knows no package source of $CODENAME here; see sources.list(5)"
    printf '%s\n' "${ALL[@]}" >"$WORK/packages"
    mmdebstrap --quiet --mode=root --variant=apt --include="$(IFS=,; echo "${ALL[*]}")" "${options[@]}" \
        --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --essential-hook="$SELF"' --prepare "$1"' --customize-hook="$SELF"' --finish "$1"' \
        "$CODENAME" "$WORK/root" - <"$WORK/sources.list" >&2
    cp -L "$WORK"/root/vmlinuz "$WORK/vmlinuz" 2>/dev/null || cp "$WORK"/root/boot/vmlinuz-* "$WORK/vmlinuz"
    cp "$WORK"/root/boot/initrd.img-* "$WORK/initrd"
    mke2fs -q -t ext4 -E root_owner=0:0 -d "$WORK/root" "$WORK/disk" 3G >&2
    rm -rf --one-file-system "$WORK/root"
}

SELF=$(readlink -f "$0")
case ${1:-} in
--prepare) prepare_root "$2"; exit ;;
--finish) finish_root "$2"; exit ;;
esac

[ $# -gt 0 ] || fail "usage: image.sh PROGRAM..."
# mmdebstrap mounts proc and others below its root. They must not be visible in the host's mount
# namespace, because other suites check there meanwhile that steps leave no mounts
[ -n "${RUNBOOKD_TESTS_PRIVATE:-}" ] ||
    RUNBOOKD_TESTS_PRIVATE=1 exec unshare --mount --propagation private "$SELF" "$@"
CODENAME=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
[ "$(. /etc/os-release && echo "$ID")" = debian ] ||
    fail "these tests make a virtual machine of the host's release, which must be Debian"
mapfile -t ALL < <({ printf '%s\n' "${PACKAGES[@]}"; libraries "$@"; } | sort -u)
KEY=$({ echo "$CODENAME"; printf '%s\n' "${ALL[@]}"; cat "$SELF"; } | sha256sum | cut -c1-16)

mkdir -p "$CACHE"
# of two calls at once, only one makes it
exec 9>"$CACHE/lock"
flock 9
find "$CACHE" -mindepth 1 -maxdepth 1 -name 'image-*' ! -name "image-$KEY" -mtime +30 -exec rm -rf {} +
if [ ! -e "$CACHE/image-$KEY/disk" ]; then
    WORK=$(mktemp -d "$CACHE/new.XXXXXX")
    trap 'rm -rf --one-file-system "$WORK"' EXIT
    trap 'exit 143' TERM
    trap 'exit 130' INT
    make_image
    mv -T "$WORK" "$CACHE/image-$KEY"
fi
touch "$CACHE/image-$KEY"
echo "$CACHE/image-$KEY"
