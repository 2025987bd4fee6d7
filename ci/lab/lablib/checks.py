# SPDX-License-Identifier: Apache-2.0
"""Turns a machine's checks into a job and its report into verdicts, one line each."""
import json
import re
import subprocess
from dataclasses import dataclass

from . import store

MISSING = object()
STEP = re.compile(r"\.?([A-Za-z0-9_-]+)|\[([a-z_]+)=([^\]]*)\]|\[(\d+)\]")


@dataclass
class Verdict:
    state: str  # ok, FAIL or skip
    text: str


def look_up(document, path):
    """`a.b`, `a[0]`, `a[key=value]` (the first element whose key has that value); MISSING if there is none."""
    position = 0
    while position < len(path):
        step = STEP.match(path, position)
        if not step:
            return MISSING
        position = step.end()
        key, match_key, match_value, index = step.groups()
        if key is not None:
            document = document.get(key, MISSING) if isinstance(document, dict) else MISSING
        elif not isinstance(document, list):
            return MISSING
        elif index is not None:
            document = document[int(index)] if int(index) < len(document) else MISSING
        else:
            found = (e for e in document if isinstance(e, dict) and str(e.get(match_key)) == match_value)
            document = next(found, MISSING)
        if document is MISSING:
            return MISSING
    return document


def fits(value, expected):
    """expected is a value, or {"match": regular expression}, {"any": [values]}, {"not": value}, {"min": number},
    {"max": number}, {"absent": true}."""
    if not isinstance(expected, dict):
        return value is not MISSING and type(value) is type(expected) and value == expected
    rules = {
        "match": lambda want: isinstance(value, str) and re.search(want, value) is not None,
        "any": lambda want: value in want,
        "not": lambda want: value is not MISSING and value != want,
        "absent": lambda want: (value is MISSING) == want,
        "min": lambda want: isinstance(value, (int, float)) and value >= want,
        "max": lambda want: isinstance(value, (int, float)) and value <= want,
    }
    return all(rules[rule](want) for rule, want in expected.items())


def judge(check, output, files=None):
    """Verdicts on one command's output and what it wrote; each expectation is a check of its own."""
    title = check.run if len(check.run) <= 72 else check.run[:69] + "..."
    if output is None:
        return [Verdict("FAIL", f"{title}: no report of it came back")]
    verdicts = []
    text = output.out.decode(errors="replace")
    if output.status != check.exit:
        said = (output.err.decode(errors="replace").strip() or text.strip()).splitlines()[-1:]
        why = f"exit code {output.status}, not {check.exit}" + (f": {said[0]}" if said else "")
        return [Verdict("FAIL", f"{title}: {why}")]
    if not check.stdout and not check.json and not check.judge:
        verdicts.append(Verdict("ok", f"{title}: exit code {check.exit}"))
    for pattern in check.stdout:
        if re.search(pattern, text, re.MULTILINE):
            verdicts.append(Verdict("ok", f"{title}: /{pattern}/"))
        else:
            verdicts.append(Verdict("FAIL", f"{title}: no /{pattern}/ in {text[:400]!r}"))
    if check.json:
        verdicts += _judge_json(title, text, check.json)
    if check.judge:
        verdicts.append(_ask_judge(check.judge, output, files or {}))
    return verdicts


def _ask_judge(words, output, files):
    """A program's verdict. Of its arguments, "-" stands for the output and a path of the machine for that file."""
    with store.scratch() as work:
        argv = []
        for number, word in enumerate(words[1:]):
            content = output.out if word == "-" else files.get(word) if word.startswith("/") else None
            if word.startswith("/") and content is None:
                return Verdict("FAIL", f"{words[0]}: {word} was not brought out")
            if content is not None:
                (work / str(number)).write_bytes(content)
            argv.append(word if content is None else str(work / str(number)))
        result = subprocess.run([store.LAB.parent.parent / "tests/lab" / words[0], *argv], capture_output=True, text=True,
                                check=False)
    said = (result.stdout + result.stderr).strip().splitlines()
    return Verdict("FAIL" if result.returncode else "ok", f"{words[0]}: " + "; ".join(said[-4 if result.returncode else -1:]))


def _judge_json(title, text, expectations):
    try:
        document = json.loads(text)
    except ValueError as error:
        return [Verdict("FAIL", f"{title}: not JSON ({error}): {text[:200]!r}")]
    verdicts = []
    for path, expected in expectations.items():
        value = look_up(document, path)
        want = json.dumps(expected)
        if fits(value, expected):
            verdicts.append(Verdict("ok", f"{title}: {path} = {want}"))
        else:
            got = "missing" if value is MISSING else json.dumps(value)
            verdicts.append(Verdict("FAIL", f"{title}: {path} is {got}, expected {want}"))
    return verdicts
