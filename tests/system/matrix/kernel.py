"""kernel.py - modules, dmesg."""
import re

from checks import noun
from view import text


def module_table(view):
    table = {}
    for line in view.lines("modules"):
        name, size, users, by, state, base, *taints = line.split()
        table[name] = {
            "bytes": int(size),
            "users": int(users),
            "state": state,
            "base": hex(int(base, 16)),
            "taints": taints[0].strip("()") if taints else "",
        }
    return table


@noun("modules")
def modules(check):
    rows = check.rows()
    check.compare(module_table, check.keyed(rows, lambda r: r["name"]), 5)
    order = check.stable(lambda view: [line.split()[0] for line in view.lines("modules")])
    if order is not None:
        check.equal("order", order, [row["name"] for row in rows])


def printed(view):
    """(priority, time, line) of each line: what dmesg -r says."""
    lines = []
    for line in view.bytes("dmesg").split(b"\n"):
        match = re.match(rb"<(\d+)>\[ *(\d+\.\d+)\] ?(.*)$", line, re.DOTALL)
        if match:
            lines.append((int(match[1]), match[2].decode(), text(match[3])))
    return lines


@noun("dmesg")
def dmesg(check):
    ours = []
    for row in check.rows():
        if row["state"] == "finalized" and not row["cleared"]:
            microseconds = round(row["time"] * 1e9) // 1000
            time = f"{microseconds // 1000000}.{microseconds % 1000000:06d}"
            ours += [(row["priority"], time, line) for line in row["text"].split("\n")]
    before, after = printed(check.before), printed(check.after)
    check.equal("the guest's own two looks begin alike", before, after[:len(before)])
    for i, (want, got) in enumerate(zip(before, ours)):
        check.equal(f"line {i}", want, got)
    if not len(before) <= len(ours) <= len(after):
        check.fail(f"{len(ours)} lines; the guest had {len(before)}, then {len(after)}")
    if len(before) < 100:
        check.fail(f"only {len(before)} lines to compare")
