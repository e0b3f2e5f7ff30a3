"""files.py - files, mounts, pagecache."""
import re

from checks import noun
from view import text, unescape


def links(view, pid, name):
    """(name, target) of each link that `ls -ln` showed."""
    return re.findall(r"^l\S+ +\d+ +\d+ +\d+ +\d+ \S+ +\d+ +\S+ (\S+) -> (.*)$",
                      view.text(pid, name), re.MULTILINE)


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


def programs(view):
    """Those that run, which are in the page cache."""
    paths = (dict(links(view, pid, "links")).get("exe") for pid in view.users())
    return {path for path in paths if path is not None}


@noun("pagecache")
def pagecache(check):
    rows = check.keyed(check.rows(), lambda r: (r["device"], r["inode"]))
    by_path = {row["path"]: row for row in rows.values()}
    for path in programs(check.before) & programs(check.after):
        check.equal(f"{path}: has pages", True, path in by_path)
    for row in rows.values():
        check.equal(f"{row['path']}: no more pages than fit", True,
                    row["pages"] <= (row["bytes"] + 4095) // 4096)
    if check.before.made("cached-file"):
        row = by_path.get("/run/workload/cached", {})
        check.equal("the workload's file", (200000, 49), (row.get("bytes"), row.get("pages")))
