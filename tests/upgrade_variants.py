#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A tree of runbookd as a later version might be: structs that outlive the process are
changed, and nothing else.

upgrade_variants.py TREE grown|shrunk|reordered|mixed

grown has members more, at the beginning and in the middle, and larger limits; shrunk has
smaller limits, narrower numbers and a member less; reordered has every member in
another place. mixed has something of each.
"""
import re
import sys

tree, variant = sys.argv[1:]
# file, struct, its table's file, the name of its list of fields there
STRUCTS = [
    ("sandbox/sandbox.h", "sandbox_outcome", "sandbox/kept_fields.c", "outcome"),
    ("sandbox/sandbox.h", "sandbox_limits", "sandbox/kept_fields.c", "limits"),
    ("common/step_usage.h", "step_usage", "sandbox/kept_fields.c", "usage"),
    ("sandbox/host_network.h", "host_network_kept", "sandbox/kept_fields.c", "network"),
    ("sandbox/kept_fields.h", "kept_sandbox", "sandbox/kept_fields.c", "kept"),
    ("sandbox/status.h", "sandbox_status", "sandbox/status_fields.c", "status"),
    ("daemon/ledger.h", "ledger_step", "daemon/kept_fields.c", "step"),
    ("daemon/ledger_parts.h", "ledger_head", "daemon/kept_fields.c", "head"),
    ("daemon/kept_fields.h", "kept_fd_bundle", "daemon/kept_fields.c", "fd_bundle"),
    ("daemon/log_pump.h", "log_kept", "daemon/kept_fields.c", "log_kept"),
    ("daemon/log_pump.h", "log_result", "daemon/kept_fields.c", "log_result"),
    ("daemon/log_journal.h", "log_slot_head", "daemon/kept_fields.c", "slot"),
    ("daemon/mask.h", "mask_stream", "daemon/kept_fields.c", "mask"),
    ("daemon/step_report.h", "step_report", "daemon/kept_fields.c", "report"),
]
files = {}


def text_of(path):
    if path not in files:
        with open(f"{tree}/{path}") as file:
            files[path] = file.read()
    return files[path]


def replace(path, old, new):
    text = text_of(path)
    assert text.count(old) == 1, f"{path}: {old!r} is there {text.count(old)} times"
    files[path] = text.replace(old, new)


def change_body(path, name, change):
    match = re.search(r"(^struct %s \{\n)(.*?)(^\};)" % name, text_of(path), re.S | re.M)
    assert match, f"{path}: no struct {name}"
    members = declarations(match[2])
    files[path] = text_of(path)[: match.start(2)] + change(members) + text_of(path)[match.end(2):]


def declarations(body):
    """The members, without comments."""
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
    members, depth, begin = [], 0, 0
    for at, letter in enumerate(body):
        depth += (letter == "{") - (letter == "}")
        if letter == ";" and depth == 0:
            members.append(body[begin : at + 1].strip())
            begin = at + 1
    assert not body[begin:].strip()
    return members


def lines(members):
    return "".join(f"\t{member}\n" for member in members)


def reorder(structs):
    for path, name, _, _ in structs:
        change_body(path, name, lambda members: lines(reversed(members)))


def grow(structs):
    for path, name, table, fields in structs:
        change_body(
            path, name,
            lambda members: lines(["uint64_t grown_before;"] + members[:1] + ["char grown_text[100];"] + members[1:]))
        replace(table, f"static const struct field {fields}[] = {{\n",
                f"static const struct field {fields}[] = {{\n"
                f"\t{{FIELD_NUMBER(9001, struct {name}, grown_before)}},\n"
                f"\t{{FIELD_TEXT(9002, struct {name}, grown_text)}},\n")


def limits(records, orders, buffer, buffers):
    replace("daemon/log_pump.h", "#define LOG_RECORDS 512", f"#define LOG_RECORDS {records}")
    replace("daemon/ledger.h", "(1U << 20)", f"(1U << {orders})")
    replace("daemon/log_pump.h", "#define LOG_BUFFER_SIZE (256 * KIB)", f"#define LOG_BUFFER_SIZE ({buffer} * KIB)")
    replace("daemon/log_pump.h", "#define LOG_BUFFERS_MAX 64", f"#define LOG_BUFFERS_MAX {buffers}")


def shrink():
    replace("daemon/ledger.h", "#define LEDGER_STEPS_MAX 65536", "#define LEDGER_STEPS_MAX 1000")
    replace("daemon/ledger.h", "char setup_error[256]", "char setup_error[100]")
    replace("daemon/step_report.h", "char setup_error[256]", "char setup_error[100]")
    replace("daemon/ledger.h", "uint64_t timeout_msec, grace_msec;", "uint32_t timeout_msec, grace_msec;")
    replace("sandbox/sandbox.h", "uint64_t steps_memory;\t/* the limit of all steps together, 0: none */\n", "")
    replace("sandbox/kept_fields.c", "\t{FIELD_NUMBER(5, struct sandbox_outcome, steps_memory)},\n", "")
    replace("sandbox/outcome_text.c", "outcome->steps_memory", "(uint64_t)0")
    replace("sandbox/host_group.c", "\toutcome->steps_memory = host->memory_max;\n", "")


if variant == "reordered":
    reorder(STRUCTS)
elif variant == "grown":
    grow(STRUCTS)
    limits(700, 21, 320, 72)
elif variant == "shrunk":
    shrink()
    limits(200, 18, 128, 40)
elif variant == "mixed":
    shrink()
    limits(700, 21, 128, 72)
    grow(STRUCTS[1::2] + STRUCTS[:1])
    reorder(STRUCTS[0::2])
else:
    sys.exit(__doc__)
for path, text in files.items():
    with open(f"{tree}/{path}", "w") as file:
        file.write(text)
