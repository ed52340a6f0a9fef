#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Words that make a reader stop, in what people read.

Texts are complete sentences with the object's own name as subject (CONTRIBUTING.md, "Style").
This looks at the strings and comments of the programs, the manual pages and the documents.
"""
import glob
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDERS = ("api", "cacher", "cli", "common", "daemon", "fetcher", "images", "runbook", "sandbox",
           "scheduler", "webhook")
TEXTS = ("*.md", "docs/*.md", "man/*.scd")
BANNED = [
    (r"(?<!there )\b(is|are|was|were) no (?!longer\b|more\b)", "is not a …"),
    (r"\bnobody\b", "the process or person by its name, or the passive"),
    (r"\bsomebody\b", "a person, another program"),
    (r"\bwhoever\b", "the process or person that …"),
    (r"\bfor ever\b", "forever, without end"),
    (r"\b(is|was|are|were) told (?!apart)", "gets, learns from, is reported to"),
    (r"\b(process|program|daemon|step|fetcher|scheduler|client) who\b", "that"),
]
# the user of that name, and sentences about people
ALLOWED = ("nobody:", "and nobody", "(nobody on the host)")
COMMENT_LINE = re.compile(r"^\s*\*(?!/)")
STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')


def texts():
    """(path, line number, text) of everything that people read."""
    for pattern in TEXTS:
        for path in glob.glob(os.path.join(TOP, pattern)):
            with open(path, encoding="utf-8") as file:
                last = ""
                for n, line in enumerate(file, 1):
                    yield path, n, last + " " + line.strip()
                    last = "there" if line.rstrip().endswith("there") else ""
    for folder in FOLDERS:
        for path in glob.glob(os.path.join(TOP, folder, "**", "*.[ch]"), recursive=True):
            with open(path, encoding="utf-8") as file:
                last, comment = "", False
                for n, line in enumerate(file, 1):
                    strings = "" if line.startswith("#include") else " ".join(STRING.findall(line))
                    begun = comment or "/*" in line
                    said = COMMENT_LINE.sub("", line if comment else line[line.find("/*") + 2:]) if begun else ""
                    comment = begun and "*/" not in line[line.rfind("/*") + 1:]
                    yield path, n, strings
                    yield path, n, last + " " + said.partition("*/")[0].strip()
                    last = "there" if said.rstrip().endswith("there") else ""


def main():
    bad = 0
    for path, n, text in texts():
        for phrase in ALLOWED:
            text = text.replace(phrase, "")
        for pattern, better in BANNED:
            found = re.search(pattern, text, re.IGNORECASE)
            if found:
                print(f"{os.path.relpath(path, TOP)}:{n}: \"{found.group(0).strip()}\": write {better}")
                bad += 1
    return bad > 0


sys.exit(main())
