#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Layers that mean harm. images_hostile.py DIRECTORY writes one tar for each case.

The name says what must come of it: bad-* is refused, good-* is unpacked.
"""
import gzip
import io
import os
import sys
import tarfile

out = sys.argv[1]


def layer(name, entries, pack=None):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry in entries:
            body = entry.pop("body", None)
            info = tarfile.TarInfo(entry.pop("name"))
            for key, value in entry.items():
                setattr(info, key, value)
            if body is not None:
                info.size = len(body)
            tar.addfile(info, io.BytesIO(body) if body is not None else None)
    raw = data.getvalue()
    with open(os.path.join(out, name + ".tar"), "wb") as f:
        f.write(pack(raw) if pack else raw)


def file(name, body=b"x\n", **more):
    return {"name": name, "body": body, "mode": 0o644, **more}


def directory(name, **more):
    return {"name": name, "type": tarfile.DIRTYPE, "mode": 0o755, **more}


def link(name, target):
    return {"name": name, "type": tarfile.SYMTYPE, "linkname": target}


def hardlink(name, target):
    return {"name": name, "type": tarfile.LNKTYPE, "linkname": target}


def device(name, kind=tarfile.CHRTYPE, major=1, minor=3):
    return {"name": name, "type": kind, "devmajor": major, "devminor": minor, "mode": 0o666}


layer("bad-dotdot", [file("../escaped")])
layer("bad-dotdot-inside", [directory("a"), file("a/../../escaped")])
layer("bad-absolute", [file("/escaped")])
layer("bad-symlink-parent", [link("out", "/tmp"), file("out/escaped")])
layer("bad-symlink-parent-relative", [directory("a"), link("a/out", "../../.."), file("a/out/escaped")])
layer("bad-symlink-directory", [link("out", "/etc"), directory("out/cron.d")])
layer("bad-hardlink-out", [hardlink("shadow", "/etc/shadow")])
layer("bad-hardlink-dotdot", [hardlink("shadow", "../../etc/shadow")])
layer("bad-hardlink-through-symlink", [link("out", "/etc"), hardlink("shadow", "out/shadow")])
layer("bad-hardlink-missing", [hardlink("shadow", "etc/shadow")])
layer("bad-hardlink-self", [hardlink("a", "a")])
layer("bad-hardlink-whiteout", [file(".wh.gone", b""), hardlink("device", "gone")])
layer("bad-whiteout-dot", [file(".wh...", b"")])
layer("bad-whiteout-nothing", [file(".wh.", b"")])
layer("bad-whiteout-through-symlink", [link("out", "/etc"), file("out/.wh.passwd", b"")])
layer("bad-opaque-through-symlink", [link("out", "/etc"), file("out/.wh..wh..opq", b"")])
layer("bad-file-as-parent", [file("a"), file("a/b")])
layer("bad-owner", [file("a", uid=4000000000)])
layer("bad-long-name", [file("n" * 300)])
layer("bad-deep", [file("/".join(["d"] * 400))])
layer("bad-root-is-file", [file(".", b"")])
layer("bad-truncated", [file("a", b"A" * 200000)], lambda raw: gzip.compress(raw)[:-100][:150])
layer("bad-truncated-tar", [file("a", b"A" * 200000)], lambda raw: raw[:100000])
layer("bad-not-a-tar", [], lambda raw: b"PK\x03\x04" + os.urandom(5000))
layer("bad-many", [directory("d%06d" % i) for i in range(60000)])
layer("bad-big", [file("zeros", b"\0" * (40 << 20))], gzip.compress)
layer("bad-passwd", [directory("etc"), file("etc/passwd", b"root:x:0:0::/:/bin/sh\n\0more")])


def sparse():
    """An old GNU sparse entry: 64 GiB of hole, one block of data."""
    info = tarfile.TarInfo("hole")
    info.size = 512
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[156:157] = b"S"
    header[386:386 + 24] = b"%011o\0%011o\0" % (0, 512)
    size = 1 << 36
    header[483:483 + 12] = b"\x80" + size.to_bytes(11, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + b"D" * 512 + b"\0" * 1024


with open(os.path.join(out, "bad-sparse.tar"), "wb") as f:
    f.write(sparse())

layer("good-devices", [directory("dev"), device("dev/null"), device("dev/sda", tarfile.BLKTYPE, 8, 0),
                       device("whiteout", tarfile.CHRTYPE, 0, 0), file("after")])
layer("good-setuid", [file("su", b"#!/bin/sh\n", mode=0o4755), file("sg", mode=0o2755)])
layer("good-fifo", [{"name": "fifo", "type": tarfile.FIFOTYPE, "mode": 0o600}])
layer("good-xattrs", [file("a", pax_headers={"SCHILY.xattr.user.mine": "kept",
                                             "SCHILY.xattr.trusted.overlay.opaque": "y",
                                             "SCHILY.xattr.user.overlay.opaque": "y",
                                             "SCHILY.xattr.security.capability": "x"})])
layer("good-symlinks", [link("etc", "/somewhere"), link("up", "../../../.."), link("self", "self")])
layer("good-replaced", [file("a"), directory("a"), file("a/b"), link("c", "a"), directory("c"), file("c/d")])
layer("good-whiteouts", [directory("d"), file("d/.wh.gone", b""), file("d/.wh..wh..opq", b""),
                         file(".wh..wh.plnk", b"")])
layer("good-whiteout-then-directory", [file(".wh.d", b""), directory("d"), file("d/new")])
layer("good-hardlinks", [file("a"), hardlink("b", "a"), hardlink("c", "./b")])
layer("good-owners", [file("a", uid=65535, gid=65534), directory("b", mode=0o000)])
