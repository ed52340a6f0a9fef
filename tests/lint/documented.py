#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every function that a shared layer's header declares has a comment that names it."""
import pathlib
import re
import sys

bad = 0
for folder in sys.argv[1:]:
    for header in sorted(pathlib.Path(folder).rglob("*.h")):
        text = header.read_text()
        comments = " ".join(re.findall(r"/\*.*?\*/", text, re.S))
        bare = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        bare = re.sub(r"^\s*#.*?(?<!\\)$", "", bare, flags=re.M)
        for match in re.finditer(r"^[a-z][\w \*]*?\b(\w+)\([^;{]*\)[^;{]*;", bare, re.M):
            name = match.group(1)
            if name in ("__attribute__",) or match.group(0).startswith("typedef"):
                continue
            # a family documented together is named by its shared prefix
            if re.search(r"\b%s\b" % re.escape(name), comments):
                continue
            prefix = name.rsplit("_", 1)[0]
            if re.search(r"\b%s_" % re.escape(prefix), comments):
                continue
            print(f"{header}: {name}() has no comment")
            bad += 1
sys.exit(bad > 0)
