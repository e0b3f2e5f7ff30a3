#!/usr/bin/env python3
"""check.py - the matrix test's two steps, for one guest.

check.py look VITRINE VM BEFORE FOLDER [option...]  runs every verb and keeps what it printed
check.py compare BEFORE AFTER FOLDER OUT            holds that against the guest's views of itself

Arguments of verbs may have "{main}", the workload's process, or "{wl-name}", one of its children.
"""
import importlib
import json
import os
import subprocess
import sys

from checks import NOUNS, Check
from view import View

# Each declares its nouns.
for module in ("bpfmaps", "files", "identity", "kernel", "machine", "memory", "network", "packets",
               "processes", "routes", "timers", "trust"):
    importlib.import_module(module)


def look(vitrine, vm, before, folder, *options):
    os.makedirs(folder, exist_ok=True)
    pids = View(before).workload()
    for name, (_, looks) in NOUNS.items():
        for result, arguments in looks.items():
            path = os.path.join(folder, result.replace("-", "_") + ".json")
            filled = (argument.format(**pids) for argument in arguments[1:])
            command = [vitrine, arguments[0], vm, *filled, "--json", *options]
            try:
                done = subprocess.run(command, capture_output=True, timeout=60)
                output, errors, status = done.stdout, done.stderr, done.returncode
            except subprocess.TimeoutExpired:
                output, errors, status = b"", b"no end within a minute", 124
            with open(path, "wb") as file:
                file.write(output)
            if status != 0:
                with open(path + ".error", "wb") as file:
                    file.write(errors or b"status %d" % status)
    return 0


def compare(before, after, folder, out):
    views = View(before), View(after)
    report, failed = {}, 0
    for name, (function, _) in NOUNS.items():
        check = Check(name, *views, folder)
        try:
            function(check)
        except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
            check.fail(f"{type(error).__name__}: {error}")
        report[name] = {"compared": check.compared, "wrong": check.wrong[:50]}
        failed += bool(check.wrong)
        print(f"{name}: {check.compared} compared, {len(check.wrong)} wrong")
        for line in check.wrong[:8]:
            print(f"    {line}")
    with open(out, "w", encoding="utf-8") as file:
        json.dump(report, file)
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) >= 6 and sys.argv[1] == "look":
        sys.exit(look(*sys.argv[2:]))
    if len(sys.argv) == 6 and sys.argv[1] == "compare":
        sys.exit(compare(*sys.argv[2:]))
    sys.exit(__doc__)
