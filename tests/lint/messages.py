#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fields of messages are read and written by their tables (common/message_fields.h).

Finds putters and getters that count: message_put_*(), message_get_*() and message_end()
in C, .u(), .s(), .b() and fields without names in Python. Files whose channels have no
tables yet are in UNTIL; a line there whose file has none left is an error as well, so
that the list only shrinks. Also: every table is a message or part of one.
"""
import glob
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests"))
from messages import TABLES  # noqa: E402

UNTIL = """
tests/fuzz/fuzz_common_message.c
tests/unit/test_common_message_fields.c
"""
C = re.compile(r"\bmessage_((put|get)_(u64|string|bytes|fd)|new)\(|\bmessage_end\((message|received)\)"
               r"|\b(message|received|reply|answer|question)->n_fds\b")
PYTHON = re.compile(r"\.[usb]\(\)")
# the mechanism itself, and netlink, whose messages are others
OWN = {"common/message.c", "common/message.h", "common/message_fields.c", "tests/messages.py",
       "tests/lint/messages.py", "sandbox/host_nft_netlink.c"}


def counted(path):
    """Lines of a file that count fields."""
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        pattern = PYTHON if path.endswith(".py") else C
        return [n for n, line in enumerate(file, 1) if pattern.search(line)]


def main():
    files = subprocess.run(["git", "-C", TOP, "ls-files", "-co", "--exclude-standard", "*.c", "*.h", "*.py"],
                           check=True, capture_output=True, text=True).stdout.split()
    until, bad = set(UNTIL.split()), 0
    if sys.argv[1:] == ["--list"]:
        print("\n".join(sorted(f for f in files if f not in OWN and counted(f))))
        return 0
    for path in files:
        lines = [] if path in OWN else counted(path)
        if lines and path not in until:
            print(f"{path}:{lines[0]}: fields of a message by position: use its table, see common/message_fields.h")
            bad += 1
        if not lines and path in until:
            print(f"tests/lint/messages.py: {path} counts fields no more: remove it from the list")
            bad += 1
    for path in until - set(files):
        print(f"tests/lint/messages.py: {path} does not exist")
        bad += 1
    headers = ""
    for path in glob.glob(os.path.join(TOP, "common/messages/*.h")):
        with open(path, encoding="utf-8") as file:
            headers += file.read()
    for name in TABLES:
        if f"X({name}, {name.lower()})" not in headers:
            print(f"common/messages: the table {name}_FIELDS is in no list")
            bad += 1
    return bad > 0


sys.exit(main())
