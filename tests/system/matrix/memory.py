"""memory.py - maps, slabs."""
import re

from checks import noun
from view import text


def areas(view):
    table = {}
    for pid in view.users():
        details, here = {}, None
        for line in view.lines(pid, "smaps"):
            match = re.match(r"([0-9a-f]+)-[0-9a-f]+ ", line)
            if match:
                here = details.setdefault(int(match[1], 16), {})
            else:
                key, _, value = line.partition(":")
                here[key] = value.strip()
        for line in view.bytes(pid, "maps").splitlines():
            span, perms, offset, device, inode, *name = line.split(None, 5)
            start, end = (int(x, 16) for x in span.split(b"-"))
            if name == [b"[vsyscall]"]:
                continue  # made up by /proc: no area of the process
            more = details.get(start, {})
            table[pid, hex(start)] = {
                "end": hex(end),
                "perms": perms.decode(),
                "offset": hex(int(offset, 16)),
                "device": device.decode(),
                "inode": int(inode),
                "name": text(name[0].replace(rb"\012", b"\n")) if name else None,
                "resident_bytes": 1024 * int(more.get("Rss", "-1 kB").split()[0]),
                "swapped_bytes": 1024 * int(more.get("Swap", "0 kB").split()[0]),
                "flags": more.get("VmFlags"),
            }
    return table


@noun("maps")
def maps(check):
    check.compare(areas, check.keyed(check.rows(), lambda r: (r["pid"], r["start"])), 200)


def caches(view):
    table = {}
    for line in view.lines("slabinfo")[2:]:
        name, active, total, size, per_slab, pages, *rest = line.replace(":", " ").split()
        slabs = int(rest[rest.index("slabdata") + 2])
        table[name] = {
            "active": int(active),
            "objects": int(total),
            "size_bytes": int(size),
            "objects_per_slab": int(per_slab),
            "slab_bytes": 4096 * int(pages),
            "slabs": slabs,
        }
    return table


@noun("slabs")
def slabs(check):
    rows = check.keyed(check.rows(), lambda r: r["name"])
    before, after = caches(check.before), caches(check.after)
    for name in before.keys() & after.keys() & rows.keys():
        active = before[name]["active"]
        if active == after[name]["active"]:
            # Whoever copies /proc/slabinfo is a process: task_struct, vm_area_struct, …
            check.between(f"{name} active_objects", active - 40, rows[name]["active_objects"], active)
    check.compare(lambda view: {name: {key: value for key, value in row.items() if key != "active"}
                                for name, row in caches(view).items()}, rows, 60)
