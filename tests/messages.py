# SPDX-License-Identifier: Apache-2.0
"""Messages between runbookd's processes, by the tables that the programs are made from.

Names and version come from common/message_table.h, roles from common/process_role.h,
fields from the headers in common/messages/ (see common/message_fields.h): nothing here
can drift apart from them.
Bounds are not looked at, so that tests can break them.

encode("STEP_ACK", order=7) makes a packet, Message() reads one: message["order"].
"""
import glob
import os
import re
import struct

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MAGIC = 0x314B4252
HEADER = struct.Struct("<IHHIIQ")
ENTRY = struct.Struct("<HBBI")
# enum field_type and the flags on the wire, common/fields.h
UINT, BYTES, RECORD, STRING, LIST, FD = 1, 4, 5, 66, 67, 68
KINDS = {  # kind: (type, flags, format of a number, default)
    "NUMBER": (UINT, 0, "<Q", 0), "FLAG": (UINT, 0, "<B", 0), "ENUM": (UINT, 0, "<I", 0),
    "TEXT": (STRING, 0, None, ""), "SENTENCE": (STRING, 2, None, ""),
    "SECRET": (STRING, 0, None, ""), "BYTES": (BYTES, 0, None, b""),
    "FD": (FD, 0, None, None), "FD_OR_NONE": (FD, 0, None, None),
    "RECORD": (RECORD, 0, None, {}), "LIST": (LIST, 0, None, ()),
}


def _source(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
    return re.sub(r"[ \t]*\\\n", " ", text)


_TABLE = _source("common/message_table.h")
VERSION = int(re.search(r"#define MESSAGE_VERSION (\d+)", _TABLE).group(1))
ROLES = {name.lower(): 1 << int(bit) for name, bit in re.findall(
    r"ROLE_(\w+) = 1 << (\d+)", _source("common/process_role.h"))}
TYPES = {name: number for number, name in enumerate(
    re.findall(r"X\((\w+), ", re.search(r"#define MESSAGE_TABLE\(X\)(.*)", _TABLE).group(1)), 1)}
NAMES = {number: name for name, number in TYPES.items()}


def _tables():
    """{"STEP_ACK": [("NUMBER", "order", None)]}; the third is the record of RECORD and LIST."""
    tables = {}
    for path in sorted(glob.glob(os.path.join(TOP, "common/messages/*.h"))):
        for name, lines in re.findall(r"#define (\w+)_FIELDS\(X, M\)(.*)", _source(path)):
            tables[name] = [
                (kind, field, record.upper() if kind in ("RECORD", "LIST") else None)
                for kind, field, record in re.findall(r"X\(M, (\w+), (\w+)(?:, (\w+))?", lines)]
    return tables


TABLES = _tables()


def entry(tag, kind, data, flags=0):
    """One field as it stands on the wire."""
    return ENTRY.pack(tag, kind, flags, len(data)) + data


def _pack(table, values, fds):
    """The fields of one record; descriptors are appended to `fds`."""
    unknown = set(values) - {field for _, field, _ in TABLES[table]}
    assert not unknown, f"{table} has no {unknown}"
    out = b""
    for tag, (kind, field, record) in enumerate(TABLES[table], 1):
        number, flags, form, default = KINDS[kind]
        value = values.get(field, default)
        if form:
            data = struct.pack(form, value)
        elif number == STRING:
            data = value.encode() + b"\0"
        elif number == BYTES:
            data = value
        elif number == FD:
            data = b"\0" if value is None else b"\1"
            fds += [] if value is None else [value]
        elif number == RECORD:
            data = _pack(record, value, fds)
        else:
            data = b"".join(entry(1, RECORD, _pack(record, element, fds)) for element in value)
        out += entry(tag, number, data, flags)
    return out


class _Reader:
    def __init__(self, data, fds):
        self.data, self.fds = data, fds

    def entry(self, tag, kind, flags):
        found = ENTRY.unpack_from(self.data)
        assert found[:3] == (tag, kind, flags), (found, tag, kind, flags)
        end = ENTRY.size + found[3]
        assert end <= len(self.data), found
        item, self.data = self.data[ENTRY.size:end], self.data[end:]
        return item

    def record(self, table):
        values = {}
        for tag, (kind, field, record) in enumerate(TABLES[table], 1):
            number, flags, form, _ = KINDS[kind]
            data = self.entry(tag, number, flags)
            if form:
                values[field], = struct.unpack(form, data)
            elif number == STRING:
                assert data.index(b"\0") == len(data) - 1, data
                values[field] = data[:-1].decode()
            elif number == BYTES:
                values[field] = data
            elif number == FD:
                values[field] = self.fds.pop(0) if data == b"\1" else None
            elif number == RECORD:
                values[field] = _Reader(data, self.fds).record(record)
            else:
                inner, values[field] = _Reader(data, self.fds), []
                while inner.data:
                    element = _Reader(inner.entry(1, RECORD, 0), self.fds)
                    values[field].append(element.record(record))
        assert not self.data, (table, self.data)
        return values


def encode(name, /, serial=0, **fields):
    """A packet and the descriptors that go with it."""
    fds = []
    payload = _pack(name, fields, fds)
    return HEADER.pack(MAGIC, TYPES[name], len(fds), len(payload), 0, serial) + payload, fds


class Message:
    """One received message: message["field"], and its name, type, serial and fds."""

    def __init__(self, data, fds):
        magic, self.type, n_fds, length, _, self.serial = HEADER.unpack_from(data)
        assert magic == MAGIC and len(data) == HEADER.size + length and n_fds == len(fds), data
        self.name, self.fds = NAMES[self.type], list(fds)
        self.fields = _Reader(data[HEADER.size:], list(fds)).record(self.name)

    def __getitem__(self, field):
        return self.fields[field]
