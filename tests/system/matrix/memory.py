"""memory.py - maps, pagetables, runs, malfind, slabs, vmalloc, zones, memory."""
import re

from checks import noun
from view import text


def smaps(view, pid):
    """What smaps adds to maps, by the area's first address."""
    details, here = {}, {}
    for line in view.lines(pid, "smaps"):
        match = re.match(r"([0-9a-f]+)-[0-9a-f]+ ", line)
        if match:
            here = details.setdefault(int(match[1], 16), {})
        else:
            key, _, value = line.partition(":")
            here[key] = value.strip()
    return details


def areas(view):
    table = {}
    for pid in view.users():
        details = smaps(view, pid)
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


@noun("pagetables", pagetables=["pagetables", "--pid", "{main}"], pagetables_kernel=["pagetables"])
def pagetables(check):
    """Of each area of the workload as many pages are present as smaps counts, but for zero pages."""
    pid = check.before.workload()["main"]
    ranges = [(int(r["start"], 16), int(r["end"], 16), r) for r in check.rows("ranges")]
    user = [(start, end, r) for start, end, r in ranges if end < 1 << 56 and r["what"] == "page"]
    before, after = areas(check.before), areas(check.after)
    want = {key: area for key, area in before.items() if key[0] == pid and after.get(key) == area}
    if len(want) < 20:
        check.fail(f"only {len(want)} areas of {pid} to compare")
    for (_, start), area in want.items():
        first, last = int(start, 16), int(area["end"], 16)
        inside = [(max(s, first), min(e, last), r) for s, e, r in user if s < last and e > first]
        present = sum(end - begin for begin, end, _ in inside)
        check.equal(f"{start} bytes present", area["resident_bytes"], present)
        for begin, end, r in inside:
            if r["flags"] and "NX" not in r["flags"].split() and "x" not in area["perms"]:
                check.fail(f"{begin:#x} can be executed, and its area not")
            if r["flags"] and "W" in r["flags"].split() and "w" not in area["perms"]:
                check.fail(f"{begin:#x} can be written, and its area not")
    covered = sum(min(e, int(a["end"], 16)) - max(s, int(key[1], 16)) for s, e, _ in user
                  for key, a in want.items() if s < int(a["end"], 16) and e > int(key[1], 16))
    check.equal("bytes outside all areas", sum(e - s for s, e, _ in user), covered)
    kernel = check.rows("ranges", "pagetables_kernel")
    check.equal("the kernel's ranges", True, len(kernel) > 50)
    text = {line.split()[2]: int(line.split()[0], 16) for line in check.before.lines("kallsyms")
            if line.endswith(" _text")}["_text"]
    check.equal("the kernel's text", True, any(
        int(r["start"], 16) <= text < (int(r["end"], 16) or 1 << 64) for r in kernel))


def total(runs):
    return sum(run["bytes"] for run in runs)


def check_areas(check):
    """Runs lie in areas, and those of an area are as much as smaps calls resident."""
    resident = {}
    starts = sorted((int(start, 16), int(area["end"], 16), pid)
                    for (pid, start), area in areas(check.before).items())
    spans = {}
    for start, end, pid in starts:
        spans.setdefault(pid, []).append((start, end))
    for run in check.rows("runs", "runs_process"):
        gva = int(run["virtual"], 16)
        for start, end in spans.get(run["pid"], []):
            if start <= gva and gva + run["bytes"] <= end:
                key = run["pid"], hex(start)
                resident[key] = resident.get(key, 0) + run["bytes"]
    before, after = areas(check.before), areas(check.after)
    steady = [key for key in before.keys() & after.keys()
              if before[key]["resident_bytes"] == after[key]["resident_bytes"] >= 0]
    for key in steady:
        check.equal(f"{key} bytes in runs", before[key]["resident_bytes"], resident.get(key, 0))
    check.equal(f"{len(steady)} areas compared, 200 should be", True, len(steady) >= 200)


def table_bytes(view, pid):
    """What the kernel counts; unknown where tables lie in store for large pages to be split."""
    huge = any(area.get("AnonHugePages", "0 kB") != "0 kB" for area in smaps(view, pid).values())
    kib = view.status(pid, "status").get("VmPTE", "").split()
    return None if huge or not kib else 1024 * int(kib[0])


def check_tables(check):
    tables = {}
    for run in check.rows("runs", "runs_page_tables"):
        if run["level"] <= 3:
            tables[run["pid"]] = tables.get(run["pid"], 0) + run["bytes"]
    pids = set(check.before.users()) & set(check.after.users()) & tables.keys()  # vfork shares them
    for pid in pids:
        want = table_bytes(check.before, pid)
        if want is not None and want == table_bytes(check.after, pid):
            check.equal(f"{pid} page tables", want, tables[pid])
    check.equal(f"tables of {len(pids)} processes, ten should be", True, len(pids) >= 10)


def check_image(check):
    """Each part of the image is one run, from page to page."""
    names = {"code": "kernel_text", "rodata": "kernel_rodata", "data": "kernel_data",
             "bss": "kernel_bss"}
    runs = {}
    for run in check.rows("runs", "runs_kernel"):
        runs.setdefault(run["kind"], []).append((int(run["physical"], 16), run["bytes"]))
    for line in check.before.lines("iomem"):
        span, _, what = line.strip().partition(" : ")
        if what.startswith("Kernel "):
            first, last = (int(x, 16) for x in span.split("-"))
            check.equal(what, [(first, (last - first + 4096) & ~4095)], runs.get(names[what[7:]]))


def meminfo(view, *names):
    said = dict(line.split(":") for line in view.lines("meminfo"))
    return sum(1024 * int(said[name].split()[0]) for name in names)


@noun("runs", **{"runs_" + kind: ["highlight", "--area", kind] for kind in (
    "process", "page_tables", "kernel", "kernel_stacks", "slab", "page_cache", "free")})
def runs(check):
    check_areas(check)
    check_tables(check)
    check_image(check)
    stacks = sorted(meminfo(view, "KernelStack") for view in (check.before, check.after))
    ours = total(check.rows("runs", "runs_kernel_stacks"))
    # Idle tasks' are counted there, and those of whoever copies /proc.
    check.between("kernel stacks", stacks[0] - (128 << 10), ours, stacks[1])
    # What the slabs verb counts was held against slabinfo; it looked a moment earlier or later.
    caches_bytes = total(check.rows("slabs", "slabs"))
    check.between("slab", 0.97 * caches_bytes, total(check.rows("runs", "runs_slab")),
                  1.03 * caches_bytes)
    for kind, names in ("page_cache", ("Cached", "Buffers")), ("free", ("MemFree",)):
        both = sorted(meminfo(view, *names) for view in (check.before, check.after))
        # A look takes memory, and the view itself lies in a tmpfs.
        check.between(kind, both[0] - (32 << 20), total(check.rows("runs", "runs_" + kind)),
                      both[1] + (32 << 20))


def suspects(view):
    """Executable areas that are writable, or of no file, or have pages that are not their file's."""
    table = {}
    details = {pid: smaps(view, pid) for pid in view.users()}
    for (pid, start), area in areas(view).items():
        if "x" not in area["perms"] or not details[pid]:
            continue
        more = details[pid][int(start, 16)]
        changed = int(more["Anonymous"].split()[0]) // 4 if area["inode"] else 0
        if "w" in area["perms"] or changed or not area["inode"] and area["name"] != "[vdso]":
            table[pid, start] = {
                "end": area["end"],
                "perms": area["perms"],
                "name": area["name"],
                "resident_pages": int(more["Rss"].split()[0]) // 4,
                "changed_pages": changed,
            }
    return table


@noun("malfind")
def malfind(check):
    rows = check.keyed(check.rows("areas"), lambda r: (r["pid"], r["start"]))
    check.compare(suspects, rows, 2)
    for said in check.before.said("malfind"):
        check.equal(f"{said[3:]} code", True,
                    rows.get((int(said[2]), said[4]), {"bytes": ""})["bytes"].startswith("55 48 89 e5"))


def caches(view):
    table = {}
    for line in view.lines("slabinfo")[2:]:
        name, active, total, size, per_slab, pages, *rest = line.replace(":", " ").split()
        table[name] = {
            "size_bytes": int(size),
            "objects_per_slab": int(per_slab),
            "slab_bytes": 4096 * int(pages),
            "counts": (int(active), int(total), int(rest[rest.index("slabdata") + 2])),
        }
    return table


@noun("slabs")
def slabs(check):
    rows = check.keyed(check.rows(), lambda r: r["name"])
    before, after = caches(check.before), caches(check.after)
    exact = near = 0
    for name in before.keys() & after.keys() & rows.keys():
        row = rows[name]
        want, got = before[name]["counts"], (row["active_objects"], row["objects"], row["slabs"])
        row["counts"] = want
        if want == after[name]["counts"]:
            # Whoever copies /proc is a process that looks at all files there: while it does, it has
            # objects of its own, and the more of a kind, the more there are.
            exact += want == got
            near += 1
            for what, guest, ours, least in zip(("active objects", "objects", "slabs"), want, got,
                                                (64, 64, 6)):
                slack = least + guest // 20
                check.between(f"{name} {what}", guest - slack, ours, guest + slack)
    check.equal(f"{exact} of {near} caches agree exactly, nine of ten should", True,
                10 * exact >= 9 * near)
    check.compare(caches, rows, 60)


def vmalloc_areas(view):
    """How many there are of each size, maker, number of pages, kind and place: addresses are hidden."""
    table = {}
    for line in view.lines("vmallocinfo"):
        if "unpurged" in line:
            continue
        _, size, *words = line.split()
        said = dict(word.split("=") for word in words if "=" in word)
        caller = [word.rpartition("/")[0] for word in words if "+0x" in word]
        physical = said.get("phys")
        key = (int(size), caller[0] if caller else None, int(said.get("pages", 0)),
               " ".join(w for w in words if w in ("ioremap", "vmalloc", "vmap", "user", "vm_map_ram")),
               hex(int(physical, 16)) if physical else None)
        table[key] = table.get(key, 0) + 1
    return table


@noun("vmalloc")
def vmalloc(check):
    ours = {}
    for row in check.rows("areas"):
        key = tuple(row[k] for k in ("bytes", "caller_name", "pages", "kind", "physical"))
        ours[key] = ours.get(key, 0) + 1
    before, after = vmalloc_areas(check.before), vmalloc_areas(check.after)
    for key in before.keys() | after.keys() | ours.keys():
        counts = before.get(key, 0), after.get(key, 0)
        # Stacks come and go with processes: those that copy files are some.
        slack = 8 if "kernel_clone" in (key[1] or "") else 0
        check.between(key, min(counts) - slack, ours.get(key, 0), max(counts))


def zone_fields(view):
    table, zone = {}, None
    for line in view.lines("zoneinfo"):
        words = line.replace(",", " ").split()
        if words[0] == "Node":
            zone = table.setdefault((int(words[1]), words[3]), {})
        elif len(words) == 2 and words[0] in ("min", "low", "high", "spanned", "present", "managed"):
            zone[f"{words[0]}_bytes"] = 4096 * int(words[1])
    return table


@noun("zones")
def zones(check):
    rows = check.keyed(check.rows(), lambda r: (r["node"], r["name"]))
    # A kernel without device memory has no such zone, and one without a page shows fewer lines.
    used = {key: row for key, row in rows.items() if key in zone_fields(check.before)}
    check.compare(zone_fields, used, 3)


def counters(view):
    table = {}
    for line in view.lines("zoneinfo"):
        words = line.split()
        if len(words) == 2 and words[0].startswith("nr_") and words[1].isdigit():
            unit = 1024 if words[0] == "nr_kernel_stack" else 4096
            table[words[0]] = table.get(words[0], 0) + unit * int(words[1])
    return table


@noun("memory")
def memory(check):
    rows = check.keyed(check.rows("counters"), lambda r: r["name"])
    before, after = counters(check.before), counters(check.after)
    for name in before.keys() & after.keys() & rows.keys():
        # What a look costs: a shell and its pages, and the view itself, which lies in a tmpfs.
        low, high = sorted((before[name], after[name]))
        check.between(name, low - (24 << 20), rows[name]["bytes"], high + (24 << 20))
        if "writeback" in name or "mlock" in name or "unevictable" in name:
            check.equal(name, before[name], rows[name]["bytes"])
    check.equal("counters", True, len(before.keys() & rows.keys()) > 15)
