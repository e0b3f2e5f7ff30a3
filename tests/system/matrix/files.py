"""files.py - files, mounts."""
"""files.py - mounts, files, pagecache."""
import re

from checks import noun
from view import text, unescape


def links(view, pid, name):
    """(name, target) of each link that `ls -ln` showed."""
    return re.findall(r"^l\S+ +\d+ +\d+ +\d+ +\d+ \S+ +\d+ +\S+ (\S+) -> (.*)$",
                      view.text(pid, name), re.MULTILINE)
GENERIC = {"rw", "ro", "sync", "dirsync", "mand", "lazytime"}


def mount_table(view, pid, points=True):
    table = {}
    for line in view.bytes(pid, "mountinfo").splitlines():
        mount, _, fs = line.partition(b" - ")
        mount, fs = mount.split(b" "), fs.split(b" ")
        table[int(mount[0])] = {
            "parent_id": int(mount[1]),
            "device": text(mount[2]),
            "root": text(unescape(mount[3])),
            "options": text(mount[5]),
            "propagation": " ".join(text(word) for word in mount[6:]) or None,
            "type": text(fs[0]),
            "source": text(unescape(fs[1])),
            "super_options": ",".join(o for o in text(fs[2]).split(",") if o in GENERIC),
        }
        if points:
            table[int(mount[0])]["mount_point"] = text(unescape(mount[4]))
    return table


def all_mounts(view):
    """Of all processes; where each is seen depends on their roots."""
    table = {}
    for pid in view.whole():
        table.update(mount_table(view, pid, points=False))
    return table


@noun("mounts", **{"mounts": ["mounts"], "mounts-init": ["mounts", "--pid", "1"]})
def mounts(check):
    rows = check.rows("mounts", "mounts-init")
    namespaces = {row["namespace"] for row in rows}
    check.compare(lambda view: mount_table(view, 1), check.keyed(rows, lambda r: r["id"]), 6)
    rows = check.keyed(check.rows(), lambda r: r["id"])
    seen = all_mounts(check.before).keys() | all_mounts(check.after).keys()
    for key, row in list(rows.items()):
        # What no process can reach from its root: below 7.2's root there is one more.
        if key not in seen and (row["namespace"] not in namespaces or row["type"] == "nullfs"):
            del rows[key]
    check.compare(all_mounts, rows, 6)


def links(view, pid):
    """What descriptors, exe, cwd and root of a process lead to."""
    table = {}
    for line in view.bytes(pid, "fd").splitlines() + view.bytes(pid, "links").splitlines():
        match = re.fullmatch(rb"l\S+ +\d+ \d+ +\d+ +\d+ \w+ +\d+ [\d:]+ (\S+) -> (.*)", line)
        if match:
            table[text(match[1])] = text(match[2])
    return table


def open_files(view):
    table = {}
    for pid in view.whole():
        for name, target in links(view, pid, "links"):
            table[pid, name] = {"path": target}
        for fd, target in links(view, pid, "fd"):
            info = view.status(pid, "fdinfo", fd)
            row = table[pid, fd] = {"path": target}
            if "flags" in info:
                row.update(flags=info["flags"], position=int(info["pos"]),
                           mount_id=int(info["mnt_id"]))
            if "ino" in info:
                row["inode"] = int(info["ino"].split()[0])
        for fd, path in links(view, pid).items():
            table[pid, fd] = {"path": path}
            info = view.status(pid, "fdinfo", fd) if fd.isdigit() else {}
            for ours, theirs in (("position", "pos"), ("mount_id", "mnt_id"), ("inode", "ino")):
                if theirs in info:
                    table[pid, fd][ours] = int(info[theirs])
            if "flags" in info:
                table[pid, fd]["flags"] = info["flags"]
    return table


@noun("files")
def files(check):
    check.compare(open_files, check.keyed(check.rows(), lambda r: (r["pid"], r["fd"])), 300)


def mount_table(view):
    table = {}
    seen = set()
    for pid in view.whole():
        here = re.search(r"mnt:\[(\d+)\]", view.text(pid, "ns"))
        roots = dict(links(view, pid, "links"))
        if not here or here[1] in seen or roots.get("root") != "/":
            continue
        seen.add(here[1])
        for line in view.bytes(pid, "mountinfo").splitlines():
            number, parent, device, root, point, options, *rest = line.split(b" ")
            dash = rest.index(b"-")
            table[int(here[1]), int(number)] = {
                "parent_id": int(parent),
                "device": device.decode(),
                "root": text(unescape(root)),
                "mount_point": text(unescape(point)),
                "options": options.decode(),
                "propagation": b" ".join(rest[:dash]).decode() or None,
                "type": rest[dash + 1].decode(),
                "source": text(unescape(rest[dash + 2])),
                "super_options": rest[dash + 3].decode().split(",")[0],
            }
    return table


@noun("mounts")
def mounts(check):
    rows = check.keyed(check.rows(), lambda r: (r["namespace"], r["id"]))
    for row in rows.values():
        row["super_options"] = row["super_options"].split(",")[0]
    # What a namespace's processes stand on may itself be mounted on a root that they cannot see.
    shown = mount_table(check.before).keys() | mount_table(check.after).keys()
    for key in [key for key, row in rows.items() if row["parent_id"] == row["id"]]:
        if key not in shown:
            del rows[key]
    check.compare(mount_table, rows, 20)
    check.compare(open_files, check.keyed(check.rows(), lambda r: (r["pid"], r["fd"])), 60)


def programs(view):
    """Programs that run are in the page cache."""
    paths = (links(view, pid).get("exe") for pid in view.users())
    return {path: {} for path in paths if path is not None}


@noun("pagecache")
def pagecache(check):
    rows = check.keyed(check.rows(), lambda r: (r["device"], r["inode"]))
    by_path = {row["path"]: row for row in rows.values()}
    ran = programs(check.before).keys() & programs(check.after).keys()
    for path in ran - by_path.keys():
        check.fail(f"{path} runs and is not in the page cache")
    for row in rows.values():
        check.equal(f"{row['path']}: no more pages than it has", True,
                    row["pages"] <= (row["bytes"] + 4095) // 4096)
    if check.before.made("cached-file") or "/run/workload/cached" in by_path:
        row = by_path.get("/run/workload/cached", {})
        check.equal("cached: bytes", 200000, row.get("bytes"))
        check.equal("cached: pages", 49, row.get("pages"))
