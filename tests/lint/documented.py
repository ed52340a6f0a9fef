#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Headers say what they are for, and what their functions do.

Reports, for the folders given:

- a header without a purpose: it needs a "DOC:", or a comment before its first declaration.
  The comment of that declaration itself is enough in a small header.
- a function declared in a header that no comment names. A family that is documented together
  is named by its common prefix.
"""
import pathlib
import re
import sys

SMALL = 40  # lines of a header that needs no comment but those of its declarations
COMMENT = re.compile(r"/\*.*?\*/", re.S)
# lines that declare nothing: the guard, includes and their conditions, what C++ would need
SILENT = re.compile(r"\s*(#\s*(ifndef|ifdef|if|else|endif|include|pragma)\b.*|#\s*define \w+_H|)")
# "/** name - ..." and "/** name() - ...": about a declaration, not about the header
OF_ONE = re.compile(r"/\*\*\s*(\*\s*)?((struct|enum|union|typedef)\s+)?\w+(\(\))?(, \w+(\(\))?)* - ")


def has_purpose(text):
    """Whether a header says what it is for."""
    if re.search(r"^\s*/?\*+ DOC: \S", text, re.M):
        return True
    at = 0
    while at < len(text):
        comment = COMMENT.match(text, at)
        if comment and "SPDX-License-Identifier" not in comment.group(0):
            small = text.count("\n") <= SMALL
            return small or not OF_ONE.match(comment.group(0))
        if comment:
            at = comment.end()
            continue
        end = text.find("\n", at) + 1 or len(text)
        if not SILENT.fullmatch(text[at:end].rstrip("\n")):
            return False
        at = end
    return False


def undocumented(text):
    """Functions that a header declares and no comment of it names."""
    comments = " ".join(COMMENT.findall(text))
    bare = COMMENT.sub("", text)
    bare = re.sub(r"^\s*#.*?(?<!\\)$", "", bare, flags=re.M)
    for match in re.finditer(r"^[a-z][\w \*]*?\b(\w+)\([^;{]*\)[^;{]*;", bare, re.M):
        name = match.group(1)
        if name == "__attribute__" or match.group(0).startswith("typedef"):
            continue
        prefix = name.rsplit("_", 1)[0]
        if not re.search(r"\b(%s\b|%s_)" % (re.escape(name), re.escape(prefix)), comments):
            yield name


def main():
    bad = 0
    for folder in sys.argv[1:]:
        for header in sorted(pathlib.Path(folder).rglob("*.h")):
            text = header.read_text(encoding="utf-8")
            if not has_purpose(text):
                print(f"{header}: no comment says what this header is for")
                bad += 1
            for name in undocumented(text):
                print(f"{header}: {name}() has no comment")
                bad += 1
    return bad > 0


sys.exit(main())
