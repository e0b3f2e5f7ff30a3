#!/usr/bin/env python3
"""table.py - what the matrix test's reports say, as tables: python3 table.py REPORTS >docs/guests.md"""
import json
import os
import sys

MODES = "live", "paused", "saved"

HEAD = """\
# Guests

What vitrine says of a guest, held against what the guest says of itself. Each kernel below is
booted for real with a workload that makes one of everything the verbs show; the guest's own /proc,
read over its serial console while the workload is quiet, has to agree with vitrine field by field:
on the running guest, on the paused one, and on a copy of its RAM. Kernels have KASLR on.

`make check` does so for one kernel, `make check-long` for all of them (`tools/setup kernels` brings
them); tests/system/matrix.sh says how, and made this page:

    MATRIX_REPORTS=reports tests/system/matrix.sh all; tests/system/matrix/table.py reports >docs/guests.md

"""

TAIL = """
A number is how many fields were compared, in all three looks; all of them agreed. A cross has the
looks that did not pass, and how many of their fields were wrong or rows missing.

What the guest has no list of (`hidden`, `syscalls`, `idt`, `notifiers`, `inline`) is held to what must
be: no finding in an honest guest, counts, known names. Where the looking itself changes what is looked
at, bounds are compared: object counts of a few `slabs` (nine caches of ten must agree exactly), CPU
times and clocks, states and memory of threads that ran meanwhile. `bpflinks` is counted with `bpf`.
Without types of modules (5.10), `netfilter` does not name the chains of nf_tables.

Beyond this table: tests/system/trust.sh writes 22 lies into a running guest's RAM (a hidden task, a
hidden module, a system call, an interrupt gate, hooks of many kinds), each of which has to be found;
tests/system/churn.sh looks 3000 times while processes, modules and mounts come and go;
tests/system/isf.sh wipes a real kernel's symbols and types and goes on with a symbol file;
tests/system/nouns.sh changes words of RAM where walks read.
"""


def load(folder):
    guests = {}
    for file in sorted(os.listdir(folder)):
        if file.endswith(".uname"):
            name = file.removesuffix(".uname")
            with open(os.path.join(folder, file), encoding="utf-8") as f:
                about = json.load(f)
            with open(os.path.join(folder, f"{name}.options"), encoding="utf-8") as f:
                about["options"] = f.read().strip()
            looks = {}
            for mode in MODES:
                try:
                    with open(os.path.join(folder, f"{name}.{mode}.json"), encoding="utf-8") as f:
                        looks[mode] = json.load(f)
                except OSError:
                    looks[mode] = {}
            guests[name] = about, looks
    return dict(sorted(guests.items(), key=lambda g: (
        [int(n) for n in g[0].partition("-")[0].split(".")], g[0])))


def cell(looks, noun):
    results = {mode: looks[mode].get(noun) for mode in MODES}
    if None in results.values():
        return "not run"
    wrong = {mode: len(r["wrong"]) for mode, r in results.items() if r["wrong"]}
    if wrong:
        return "✗ " + ", ".join(f"{mode} {count}" for mode, count in wrong.items())
    return str(sum(r["compared"] for r in results.values()))


def table(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for i, row in enumerate(rows):
        print("| " + " | ".join(text.ljust(width) for text, width in zip(row, widths)) + " |")
        if i == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")


def main(folder):
    guests = load(folder)
    print(HEAD, end="")
    table([["guest", "kernel", "page tables", "run with"]] + [
        [name, about["release"], f"{about['paging_levels']} levels", about["options"]]
        for name, (about, _) in guests.items()])
    print()
    nouns = sorted({noun for _, looks in guests.values() for of in looks.values() for noun in of})
    table([["", *guests]] + [
        [f"`{noun}`"] + [cell(looks, noun) for _, looks in guests.values()] for noun in nouns])
    print(TAIL, end="")


if __name__ == "__main__":
    main(sys.argv[1])
