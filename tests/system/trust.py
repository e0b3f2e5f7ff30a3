#!/usr/bin/env python3
"""tests/system/trust.py TARGET RAM - makes a guest's kernel lie, one way after another, and holds the
trust checks against it.

TARGET is what vitrine looks at (a paused VM, or a RAM file), RAM the file to write to. Every lie is
written over the bytes of the guest, has to be found as what it is, and is taken back. Addresses come
from vitrine's own rows.
"""
import json
import os
import struct
import subprocess
import sys

VITRINE = os.environ.get("VITRINE", "vitrine")
TARGET, RAM = sys.argv[1:3]
CHECKS = ("hidden", "syscalls", "idt", "ttys", "ftrace", "kprobes", "notifiers", "inline")

failures = 0


def vitrine(*args):
    done = subprocess.run([VITRINE, args[0], TARGET, *args[1:]], capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"vitrine {' '.join(args)}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def rows(verb, member=None):
    return json.loads(vitrine(verb, "--json"))[member or verb]


def findings(verb):
    return [row for row in rows(verb) if row["finding"]]


def symbol(name):
    return int(json.loads(vitrine("symbols", name, "--json"))[0]["address"], 16)


def read(at, n):
    return vitrine("read", hex(at), str(n), "--virtual", "--raw")


def u64(at):
    return struct.unpack("<Q", read(at, 8))[0]


def offset_of(at):
    return int(json.loads(vitrine("translate", hex(at), "--json"))[0]["offset"], 16)


class Patch:
    """Bytes of the guest, replaced while inside."""

    def __init__(self, *pieces):
        self.pieces = [(offset_of(at), data) for at, data in pieces]
        self.before = []

    def __enter__(self):
        with open(RAM, "r+b", buffering=0) as ram:
            for offset, data in self.pieces:
                self.before.append(os.pread(ram.fileno(), len(data), offset))
                os.pwrite(ram.fileno(), data, offset)

    def __exit__(self, *_):
        with open(RAM, "r+b", buffering=0) as ram:
            for (offset, _), data in zip(self.pieces, self.before):
                os.pwrite(ram.fileno(), data, offset)


def word(value):
    return struct.pack("<Q", value & (1 << 64) - 1)


def expect(what, verb, accepted, patch):
    """Inside the patch the verb finds what `accepted` takes, and nothing else."""
    global failures
    with patch:
        found = findings(verb)
    if len(found) > 0 and all(accepted(row) for row in found):
        print(f"found: {what}: {found[0]['finding']}")
    else:
        failures += 1
        print(f"NOT FOUND: {what}: {json.dumps(found)[:600]}", file=sys.stderr)
    left = findings(verb)
    if left:
        failures += 1
        print(f"STILL THERE: {what}: {json.dumps(left)[:600]}", file=sys.stderr)


def unlink(objects, i, first_link):
    """Takes object i off the list of all of them. `first_link` says for an offset of the list_head
    where the link to the first object lies: an object may be on other lists in the same order."""
    before, here, after = (int(objects[i + k]["at"], 16) for k in (-1, 0, 1))
    first = int(objects[0]["at"], 16)
    for offset in range(0, 4096, 8):
        following, previous = struct.unpack("<QQ", read(here + offset, 16))
        if (following - after == offset and previous - before == offset and
                u64(first_link(offset)) == first + offset):
            here += offset
            return Patch((previous, word(following)), (following + 8, word(previous)),
                         (here, word(here) + word(here)))
    raise RuntimeError(f"no links between {before:#x} and {after:#x}")


def clean():
    global failures
    for verb in CHECKS:
        found = findings(verb)
        if found:
            failures += 1
            print(f"FALSE ALARM: {verb}: {json.dumps(found)[:1000]}", file=sys.stderr)


def nobodys():
    """An address that is mapped and nobody's code: in a page of data."""
    return symbol("init_task") & ~0xFFF | 0x40


def scratch():
    """Memory that a kernel does not look at once it has booted."""
    return (symbol("boot_params") + 1024) & ~7


def test_hidden_task():
    tasks = rows("ps", "processes")
    i = next(i for i, task in enumerate(tasks) if i > 3 and task["state"] == "S" and
             i + 1 < len(tasks))
    pid = tasks[i]["pid"]
    expect(f"process {pid} ({tasks[i]['comm']}) off the list", "hidden",
           lambda row: row["kind"] == "task" and row["pid"] == pid and row["list"] == "no" and
           [row[k] for k in ("threads", "table", "family", "memory")] == ["yes"] * 4,
           unlink(tasks, i, lambda offset: symbol("init_task") + offset))


def test_hidden_module():
    modules = rows("modules")
    i = 2
    name = modules[i]["name"]
    expect(f"module {name} off the list", "hidden",
           lambda row: row["kind"] == "module" and row["name"] == name and row["list"] == "no" and
           [row[k] for k in ("table", "sysfs", "memory")] == ["yes"] * 3,
           unlink(modules, i, lambda offset: symbol("modules")))


def test_syscalls():
    calls = rows("syscalls")
    kill = next(c for c in calls if c["abi"] == "x86-64" and c["name"] == "kill")
    getpid = next(c for c in calls if c["abi"] == "x86-64" and c["name"] == "getpid")
    if kill["table_entry"] is not None:
        table = int(kill["at"], 16)

        def is_kill(row):
            return row["name"] == "kill" and row["number"] == 62

        expect("kill leads to nobody's code, by the table", "syscalls", is_kill,
               Patch((table, word(nobodys()))))
        expect("kill leads to getpid, by the table", "syscalls", is_kill,
               Patch((table, word(int(getpid["handler"], 16)))))
        expect("kill leads into the middle of a function", "syscalls", is_kill,
               Patch((table, word(int(kill["handler"], 16) + 7))))
    if kill["by"] == "x64_sys_call":
        start, handler = symbol("x64_sys_call"), int(kill["handler"], 16)
        code = read(start, 6000)
        at = next(i for i in range(len(code) - 5) if code[i] == 0xE9 and
                  start + i + 5 + struct.unpack("<i", code[i + 1:i + 5])[0] == handler)
        jump = struct.pack("<i", nobodys() - (start + at + 5))
        expect("kill leads to nobody's code, by the switch", "syscalls",
               lambda row: row["name"] == "kill", Patch((start + at + 1, jump)))
        jump = b"\xe9" + struct.pack("<i", nobodys() - (start + 5))
        expect("x64_sys_call is patched at its beginning", "syscalls",
               lambda row: row["abi"] == "x86-64", Patch((start, jump)))
    for what, jump in (
            ("a jump", b"\xe9" + struct.pack("<i", nobodys() - (int(kill["handler"], 16) + 5))),
            ("a loaded register", b"\x48\xb8" + word(nobodys()) + b"\xff\xe0"),
            ("a pushed address", b"\x68" + struct.pack("<I", nobodys() & 0xffffffff) + b"\xc3")):
        expect(f"kill begins with {what}", "syscalls", lambda row: "kill" in row["symbol"],
               Patch((int(kill["handler"], 16), jump)))


def test_idt():
    gates = rows("idt")
    gate = gates[9]
    at, handler = int(gate["at"], 16), int(gate["handler"], 16)
    raw = bytearray(read(at, 16))

    def leads_to(address):
        return Patch((at, struct.pack("<H", address & 0xFFFF) + bytes(raw[2:6]) +
                      struct.pack("<HI", address >> 16 & 0xFFFF, address >> 32)))

    expect("gate 9 leads to nobody's code", "idt", lambda row: row["vector"] == 9,
           leads_to(nobodys()))
    expect("gate 9 leads to a function of the kernel", "idt", lambda row: row["vector"] == 9,
           leads_to(symbol("_printk" if handler == 0 else "commit_creds")))
    raw[5] |= 0x60
    expect("user programs may raise 9", "idt", lambda row: row["vector"] == 9,
           Patch((at, bytes(raw))))


def test_ttys():
    ttys = [row for row in rows("ttys") if row["receive_buf"] is not None]
    wanted = word(int(ttys[0]["receive_buf"], 16))
    # The pointer in n_tty's table of functions.
    table = symbol("n_tty_ops")
    at = table + read(table, 256).index(wanted)
    expect("a keylogger in n_tty", "ttys", lambda row: row["ldisc"] == "n_tty",
           Patch((at, word(nobodys()))))


def pointer_in(row, member, n):
    """Where the row's object holds a pointer it shows."""
    at, value = int(row["at"], 16), word(int(row[member], 16))
    return at + read(at, n).index(value)


def test_ftrace():
    for row in rows("ftrace")[:1]:
        expect("a tracer that calls nobody's code", "ftrace", lambda f: f["at"] == row["at"],
               Patch((int(row["at"], 16), word(nobodys()))))


def test_kprobes():
    for row in rows("kprobes")[:1]:
        at = pointer_in(row, "handler", 256)
        expect("a probe that calls nobody's code", "kprobes", lambda f: f["at"] == row["at"],
               Patch((at, word(nobodys()))))


def test_notifiers():
    row = next(row for row in rows("notifiers") if row["chain"] == "module_notify_list")
    expect("a notifier that is nobody's code", "notifiers", lambda f: f["at"] == row["at"],
           Patch((int(row["at"], 16), word(nobodys()))))
    head = symbol("keyboard_notifier_list")
    block = scratch()
    expect("a listener on the keyboard", "notifiers",
           lambda f: f["chain"] == "keyboard_notifier_list",
           Patch((block, word(nobodys()) + word(0) + word(0)),
                 *((head + i, word(block)) for i in range(8, 48, 8) if u64(head + i) == 0)))


def test_inline():
    module = rows("modules")[2]["name"]
    symbols = json.loads(vitrine("symbols", "--json"))
    of_module = [s for s in symbols if s.get("module") == module and s["type"] in "tT" and
                 not s["name"].startswith("__pfx_")]
    for name, at in (("tcp4_seq_show", symbol("tcp4_seq_show")),
                     (of_module[0]["name"], int(of_module[0]["address"], 16))):
        jump = b"\xe9" + struct.pack("<i", nobodys() - (at + 5))
        expect(f"{name} begins with a jump", "inline", lambda f: f["function"] == name,
               Patch((at, jump)))
        jump = b"\xf3\x0f\x1e\xfa\xff\x25" + struct.pack("<i", scratch() - (at + 10))
        expect(f"{name} begins with endbr64 and a jump through memory", "inline",
               lambda f: f["function"] == name, Patch((at, jump), (scratch(), word(nobodys()))))


def main():
    global CHECKS
    known = subprocess.run([VITRINE, "help"], capture_output=True, text=True, check=True).stdout
    CHECKS = [verb for verb in CHECKS if f"\n  {verb} " in known]
    clean()
    for name, test in sorted(globals().items()):
        if name.startswith("test_"):
            test()
    clean()
    sys.exit(1 if failures else 0)


main()
