#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks JSON files against a JSON Schema: the part of it that suites/schema.json uses, and nothing else.

Usage: check_schema.py SCHEMA FILE...    says what is wrong where; exit code 1 if anything is."""
import json
import re
import sys

TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
}
SIMPLE = {
    "const": lambda v, x: v == x,
    "enum": lambda v, x: v in x,
    "type": lambda v, x: TYPES[x](v),
    "minimum": lambda v, x: not TYPES["number"](v) or v >= x,
    "maximum": lambda v, x: not TYPES["number"](v) or v <= x,
    "exclusiveMinimum": lambda v, x: not TYPES["number"](v) or v > x,
    "minLength": lambda v, x: not isinstance(v, str) or len(v) >= x,
    "pattern": lambda v, x: not isinstance(v, str) or re.search(x, v),
    "minItems": lambda v, x: not isinstance(v, list) or len(v) >= x,
    "minProperties": lambda v, x: not isinstance(v, dict) or len(v) >= x,
    "required": lambda v, x: not isinstance(v, dict) or all(key in v for key in x),
}
NESTED = {"$ref", "anyOf", "properties", "additionalProperties", "items"}
SILENT = {"$schema", "$defs", "title", "description"}


def faults(value, schema, root, place):
    """Yields (place, what is wrong)."""
    for word, wanted in schema.items():
        if word in SIMPLE and not SIMPLE[word](value, wanted):
            yield place, f"{word} {json.dumps(wanted)}: {json.dumps(value)[:80]}"
        elif word not in SIMPLE and word not in NESTED and word not in SILENT:
            raise SystemExit(f"check_schema: the schema says \"{word}\", which this program does not know")
    if "$ref" in schema:
        yield from faults(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, place)
    if "anyOf" in schema and all(list(faults(value, one, root, place)) for one in schema["anyOf"]):
        yield place, "it is none of what is allowed here"
    if isinstance(value, dict):
        known = schema.get("properties", {})
        others = schema.get("additionalProperties", True)
        for key, item in value.items():
            if key in known:
                yield from faults(item, known[key], root, f"{place}/{key}")
            elif others is False:
                yield f"{place}/{key}", "there is no such key"
            elif others is not True:
                yield from faults(item, others, root, f"{place}/{key}")
    if isinstance(value, list) and "items" in schema:
        for i, item in enumerate(value):
            yield from faults(item, schema["items"], root, f"{place}/{i}")


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        schema = json.load(f)
    bad = False
    for path in sys.argv[2:]:
        with open(path, encoding="utf-8") as f:
            value = json.load(f)
        for place, what in faults(value, schema, schema, ""):
            print(f"{path}: {place or '/'}: {what}")
            bad = True
    return bad


sys.exit(main())
