#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""layer_attributes.py FILE: a tar whose entries carry every kind of attribute that a file can have."""
import base64
import io
import struct
import sys
import tarfile

archive = tarfile.open(sys.argv[1], "w", format=tarfile.PAX_FORMAT, errors="surrogateescape")


def text(data):
    return data.decode("utf-8", "surrogateescape")


# version 2, effective, permitted: CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_SETUID
CAPABILITY = struct.pack("<IIIII", 0x02000001, 0x83, 0, 0, 0)
# posix_acl_xattr: user::rwx, user:1234:rwx, group::r-x, mask::rwx, other::r-x; a program that
# reads it as text takes the mode from it, which is 0755 there as well
ACL = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, perm, who) for tag, perm, who in (
    (0x01, 7, 0x7fffffff), (0x02, 7, 1234), (0x04, 5, 0x7fffffff), (0x10, 7, 0x7fffffff), (0x20, 5, 0x7fffffff)))
ATTRIBUTES = {
    "user.mine": b"kept",
    "user.overlay.opaque": b"y", "user.overlay.redirect": b"/etc", "user.overlay.metacopy": b"",
    "trusted.mine": b"x", "trusted.overlay.opaque": b"y", "trusted.overlay.redirect": b"/etc",
    "trusted.overlay.metacopy": b"", "trusted.overlay.origin": b"x", "trusted.overlay.whiteout": b"y",
    "security.capability": CAPABILITY, "security.selinux": b"system_u:object_r:shadow_t:s0",
    "security.apparmor": b"x", "security.ima": b"x", "security.evm": b"x", "security.SMACK64": b"_",
    "system.posix_acl_access": ACL, "system.posix_acl_default": ACL, "system.nfs4_acl": b"x", "btrfs.compression": b"zstd",
}
HEADERS = {f"SCHILY.xattr.{name}": text(value) for name, value in ATTRIBUTES.items()}
HEADERS |= {f"LIBARCHIVE.xattr.{name}": base64.b64encode(value).decode().rstrip("=") for name, value in ATTRIBUTES.items()}
HEADERS |= {"SCHILY.acl.access": "user::rwx,user:named:rwx:1234,group::r-x,mask::rwx,other::r-x",
            "SCHILY.acl.default": "user::rwx,user:named:rwx:1234,group::r-x,mask::rwx,other::r-x",
            "RHT.security.selinux": "system_u:object_r:shadow_t:s0", "SCHILY.fflags": "immutable,append,nodump"}


def add(name, kind=tarfile.REGTYPE, mode=0o755, data=b"", headers=None, **more):
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.size = kind, mode, len(data)
    entry.pax_headers = dict(HEADERS if headers is None else headers)
    for key, value in more.items():
        setattr(entry, key, value)
    archive.addfile(entry, io.BytesIO(data))


with open("/usr/bin/id", "rb") as file:
    program = file.read()
for directory in ("etc", "usr", "tmp", "proc", "sys", "dev", "workspace"):
    add(directory, tarfile.DIRTYPE, headers={})
for link in ("bin", "lib", "lib64", "sbin"):
    add(link, tarfile.SYMTYPE, linkname="usr/" + link)
add("file", data=b"content\n")
add("directory", tarfile.DIRTYPE)
add("directory/below", data=b"below\n", headers={})
add("fifo", tarfile.FIFOTYPE)
add("set-user-id", mode=0o4755, data=program)
add("set-group-id", mode=0o2755, data=program, gid=42)
add("sticky", tarfile.DIRTYPE, mode=0o1755)
add("capable", data=program)
add("character", tarfile.CHRTYPE, mode=0o666, devmajor=1, devminor=5)
add("block", tarfile.BLKTYPE, mode=0o666, devmajor=254, devminor=0)
archive.close()
