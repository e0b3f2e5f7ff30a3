"""trust.py - hidden, syscalls, idt, ftrace, kprobes, notifiers, inline, ttys: in the workload's guest nothing is hooked but what it hooks."""
import re

from checks import noun


def unsuspicious(check, rows, what):
    for row in rows:
        if row["finding"] is not None:
            check.fail(f"{row[what]}: {row['finding']}")
        check.compared += 1


@noun("hidden")
def hidden(check):
    check.equal("what hides", [], [(r["kind"], r["pid"], r["name"]) for r in check.rows()])
    checked = (check.document() or {}).get("checked", 0)
    least = len(check.before.whole()) + len(check.before.lines("modules"))
    check.equal(f"{checked} checked, of {least} or so", True, checked > least - 10)


@noun("syscalls")
def syscalls(check):
    rows = check.rows()
    unsuspicious(check, rows, "number")
    names = {(row["abi"], row["number"]): row["symbol"] for row in rows}
    for number, name in {0: "read", 1: "write", 39: "getpid", 59: "execve", 321: "bpf"}.items():
        check.equal(f"number {number}", f"__x64_sys_{name}", names.get(("x86-64", number)))
    check.equal("more than 330 system calls", True,
                sum(abi == "x86-64" for abi, _ in names) > 330)


@noun("idt")
def idt(check):
    rows = check.rows()
    unsuspicious(check, rows, "vector")
    check.equal("vectors", list(range(256)), [row["vector"] for row in rows])
    handlers = {row["vector"]: row["symbol"] for row in rows}
    check.equal("page fault", "asm_exc_page_fault", handlers.get(14))


def terminals(view):
    """Those that a process has open, by the kernel's name for them: "pts0"."""
    names = {}
    for pid in view.whole():
        for kind, number in re.findall(r"-> /dev/(ttyS|pts/)(\d+)$", view.text(pid, "fd"), re.M):
            names[kind.rstrip("/") + number] = {"ldisc": "n_tty"}
    return names


@noun("ttys")
def ttys(check):
    rows = check.rows()
    unsuspicious(check, rows, "name")
    ours = {row["name"]: row for row in rows}
    for name, row in terminals(check.before).items():
        if name in terminals(check.after):
            check.equal(f"{name} ldisc", row["ldisc"], ours.get(name, {}).get("ldisc"))


def traced_functions(view):
    """As enabled_functions has them: name (users) … tramp: address (…) ->callback."""
    table = {}
    for line in view.lines("trace", "enabled_functions"):
        match = re.match(r"(\S+) \(\d+\).*?tramp: 0x([0-9a-f]+) \((\w+)\+", line)
        if match:
            table[match[1]] = {"trampoline": hex(int(match[2], 16)), "symbol": match[3]}
    return table


@noun("ftrace")
def ftrace(check):
    rows = check.rows()
    unsuspicious(check, rows, "function")
    ours = check.keyed(rows, lambda r: r["function"].partition("+")[0])
    made = [item for item in ("kprobe", "kretprobe", "function-tracer") if check.before.made(item)]
    check.compare(traced_functions, ours, len(made))


def place(table, address):
    """A key for one of several probes at an address, which look alike."""
    number = 0
    while (address, number) in table:
        number += 1
    return address, number


def probes(view):
    """As debugfs has them: address, kind, function."""
    table = {}
    for line in view.lines("trace", "kprobes"):
        address, kind, function, *flags = line.split()
        table[place(table, hex(int(address, 16)))] = {
            "kind": {"k": "kprobe", "r": "kretprobe"}[kind],
            "function": function.removesuffix("+0x0"),
            "flags": {flag.strip("[]").lower() for flag in flags},
        }
    return table


@noun("kprobes")
def kprobes(check):
    rows = check.rows()
    unsuspicious(check, rows, "function")
    for row in rows:
        row["function"] = row["function"].removesuffix("+0x0")
        row["flags"] = set(row["flags"].split(",")) if row["flags"] else set()
    ours = {}
    for row in rows:
        ours[place(ours, row["address"])] = row
    made = [item for item in ("kprobe", "kretprobe", "second-kprobe") if check.before.made(item)]
    check.compare(probes, ours, len(made))


@noun("notifiers")
def notifiers(check):
    rows = check.rows()
    unsuspicious(check, rows, "symbol")
    check.equal("more than 30 notifiers", True, len(rows) > 30)


@noun("inline")
def inline(check):
    check.equal("functions that begin with a jump", [], [r["function"] for r in check.rows()])
    check.equal("more than 10000 looked at", True, (check.document() or {}).get("checked", 0) > 10000)
