#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fields of messages are read and written by their tables (common/message_fields.h).

Finds what reads or writes the fields of a message by their position: functions called
message_put_*() and message_get_*(), and the payload and descriptors of a message outside
of common/. In Python, encode() of tests/messages.py takes names alone. Also: every
message has a table, and every table is a message or part of one.
"""
import glob
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests"))
from messages import TABLES, TYPES  # noqa: E402

C = re.compile(r"\bmessage_(put|get)_\w+\(|\bmessage_(new|end)\("
               r"|\b(message|received|reply|answer|question)->(payload|fds|n_fds)\b")
# the mechanism itself, and tests of what is malformed
OWN = {"common/message.c", "common/message.h", "common/message_fields.c",
       "tests/unit/test_common_message.c", "tests/unit/test_common_message_fields.c",
       "tests/fuzz/fuzz_common_message.c"}


def by_position(path):
    """Lines of a file that count fields."""
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return [n for n, line in enumerate(file, 1) if C.search(line)]


def main():
    files = subprocess.run(["git", "-C", TOP, "ls-files", "-co", "--exclude-standard", "*.c", "*.h"],
                           check=True, capture_output=True, text=True).stdout.split()
    bad = 0
    for path in files:
        for line in by_position(path) if path not in OWN else []:
            print(f"{path}:{line}: fields of a message by position: use its table, see common/message_fields.h")
            bad += 1
    for path in OWN:
        if path not in files or not by_position(path):
            print(f"tests/lint/messages.py: {path} counts nothing: remove it from OWN")
            bad += 1
    headers = ""
    for path in glob.glob(os.path.join(TOP, "common/messages/*.h")):
        with open(path, encoding="utf-8") as file:
            headers += file.read()
    for name in TABLES:
        if f"X({name}, {name.lower()})" not in headers:
            print(f"common/messages: the table {name}_FIELDS is in no list")
            bad += 1
    for name in set(TYPES) - set(TABLES):
        print(f"common/message_table.h: {name} has no table of fields in common/messages")
        bad += 1
    return bad > 0


sys.exit(main())
