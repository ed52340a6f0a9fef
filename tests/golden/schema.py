#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""packaging/runbook.schema.json under a validator that is not ours.

It must take every runbook that the parser takes (tests/golden/runbook/good_*, the
examples, this project's own), and refuse those of the others whose fault a schema can
tell. Run at the top of the source tree.
"""
import glob
import json
import re
import sys

import jsonschema
import yaml

# What only the parser can know: bytes, syntax, names that exist, circles, repeated
# names, dates, texts with placeholders, lengths in bytes. All other bad cases must be
# refused by the schema as well.
PARSER_ONLY = re.compile(
    r"^(alias_|anchors_|cycle_|duplicate_|file_control|file_latin1|file_nul$|file_trunc|file_two"
    r"|file_utf16|hostile_text|key_duplicate|key_list|key_null|merge_key|nested_|self_|syntax_"
    r"|tab_|tag_|text_with_nul|unknown_dependency|repeated_|type_step_text"
    r"|cron_fields|cron_star|globs_forms|sorted_findings"
    r"|concurrency_placeholder|matrix_cycle|matrix_env_clash|matrix_exclude_(axis|value|all)"
    r"|matrix_include_twice|matrix_pairs|matrix_placeholder|matrix_same_name|matrix_self|matrix_twice_in"
    r"|matrix_unknown|matrix_many_names|matrix_only_limit|on_push_and_tag_tags|value_shell)"
)


class CoreLoader(yaml.SafeLoader):
    """YAML 1.2's core schema: "on" is a text, 012 is twelve."""


CoreLoader.yaml_implicit_resolvers = {}
for tag, pattern, first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
):
    CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))


def core_int(loader, node):
    text = loader.construct_scalar(node)
    if text.startswith("0o"):
        return int(text[2:], 8)
    return int(text, 16) if text.startswith("0x") else int(text)


CoreLoader.add_constructor("tag:yaml.org,2002:int", core_int)


def load(path):
    with open(path, "rb") as file:
        return yaml.load(file.read(), CoreLoader)


def main():
    with open("packaging/runbook.schema.json", encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    good = glob.glob("tests/golden/runbook/good_*.yml") + glob.glob("examples/*.yml")
    good.append("runbook.yml")
    passed, failed, refused = 0, 0, 0
    for path in sorted(good):
        if path.endswith("/good_tags.yml"):  # "! 2" is text, which this loader does not know
            continue
        errors = list(validator.iter_errors(load(path)))
        if errors:
            failed += 1
            print(f"FAIL {path} is refused: {errors[0].json_path}: {errors[0].message[:200]}")
        else:
            passed += 1
    for path in sorted(glob.glob("tests/golden/runbook/*.yml")):
        name = path.rsplit("/", 1)[1][: -len(".yml")]
        if name.startswith("good_") or PARSER_ONLY.match(name):
            continue
        if validator.is_valid(load(path)):
            failed += 1
            print(f"FAIL {path} is taken")
        else:
            passed += 1
            refused += 1
    if refused < 60:
        failed += 1
        print(f"FAIL only {refused} bad runbooks were tried")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


sys.exit(main())
