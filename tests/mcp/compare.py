#!/usr/bin/env python3
"""compare.py RESULTS DIRECTORY - what client.mjs got against what the verbs say of the same VM.

RESULTS is client.mjs's document. Verbs' JSON comes as files DIRECTORY/NAME.json, named after the
tool. Every member that a verb gives must be in the tool's structure with the same value; the tool
may say more. Arrays that were cut are compared with the beginning or the end that is left.
"""
import json
import pathlib
import sys


def differs(want, got, path, cut):
    """Where the first difference is, or None."""
    if isinstance(want, dict) and isinstance(got, dict):
        for key, value in want.items():
            if key not in got:
                return f"{path}.{key} is missing"
            where = differs(value, got[key], f"{path}.{key}", cut)
            if where:
                return where
        return None
    if isinstance(want, list) and isinstance(got, list):
        if cut and len(got) < len(want):
            want = want[: len(got)] if "first" in cut else want[-len(got):]
        if len(want) != len(got):
            return f"{path}: {len(got)} instead of {len(want)}"
        for i, pair in enumerate(zip(want, got)):
            where = differs(*pair, f"{path}[{i}]", cut)
            if where:
                return where
        return None
    return None if want == got else f"{path}: {json.dumps(got)} instead of {json.dumps(want)}"


def wrap(tool, verb):
    """Verbs that print rows alone, or one row, as the tool has them."""
    member = {"symbols": "symbols", "sql": "rows"}.get(tool)
    if member:
        return {member: verb}
    return verb[0] if tool == "translate" else verb


def main():
    document = json.loads(pathlib.Path(sys.argv[1]).read_text())
    verbs = pathlib.Path(sys.argv[2])
    bad = list(document["faults"])
    compared = 0
    for tool, result in document["results"].items():
        if result.get("isError"):
            bad.append(f"{tool}: {result['content'][0]['text']}")
            continue
        structure = result.get("structuredContent")
        text = result["content"][0]["text"]
        if tool != "ask" and json.loads(text) != structure:
            bad.append(f"{tool}: its text is not its structure")
        file = verbs / f"{tool}.json"
        if file.exists():
            where = differs(wrap(tool, json.loads(file.read_text())), structure, tool,
                            structure.get("cut"))
            compared += 1
            if where:
                bad.append(where)
    for line in bad:
        print(line)
    if not compared:
        print("nothing was compared")
    return 1 if bad or not compared else 0


sys.exit(main())
