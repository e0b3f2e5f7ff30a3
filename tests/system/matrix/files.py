"""files.py - files, mounts, filesystems, pagecache."""
import re

from checks import noun
from view import text, unescape

# Options of a file system that are not its own.
GENERIC = {"rw", "ro", "sync", "dirsync", "mand", "lazytime"}


def links(view, pid, name):
    """What descriptors ("fd"), or exe, cwd and root ("links"), of a process lead to."""
    table = {}
    for line in view.bytes(pid, name).splitlines():
        match = re.fullmatch(rb"l\S+ +\d+ \d+ +\d+ +\d+ \w+ +\d+ [\d:]+ (\S+) -> (.*)", line)
        if match:
            table[text(match[1])] = text(match[2])
    return table


def mounts_of(view, pid):
    """As the process sees them, from its root."""
    table = {}
    for line in view.bytes(pid, "mountinfo").splitlines():
        mount, _, fs = line.partition(b" - ")
        mount, fs = mount.split(b" "), fs.split(b" ")
        table[int(mount[0])] = {
            "parent_id": int(mount[1]),
            "device": text(mount[2]),
            "root": text(unescape(mount[3])),
            "mount_point": text(unescape(mount[4])),
            "options": text(mount[5]),
            "propagation": " ".join(text(word) for word in mount[6:]) or None,
            "type": text(fs[0]),
            "source": text(unescape(fs[1])),
            "super_options": ",".join(o for o in text(fs[2]).split(",") if o in GENERIC),
        }
    return table


def all_mounts(view):
    """Of all processes. Where each is seen is compared for those at their namespace's root."""
    table = {}
    for pid in view.whole():
        namespace = re.search(r"mnt:\[(\d+)\]", view.text(pid, "ns"))
        for key, row in mounts_of(view, pid).items() if namespace else ():
            if links(view, pid, "links").get("root") != "/":
                del row["mount_point"]
            table.setdefault((int(namespace[1]), key), {}).update(row)
    return table


@noun("mounts", mounts=["mounts"], mounts_of_init=["mounts", "--pid", "1"],
      mounts_elsewhere=["mounts", "--pid", "{wl-elsewhere}"])
def mounts(check):
    rows = check.keyed(check.rows(), lambda r: (r["namespace"], r["id"]))
    seen = all_mounts(check.before).keys() | all_mounts(check.after).keys()
    # What all roots of a namespace are mounted upon is not in any process's mountinfo.
    for namespace, number in seen & rows.keys():
        under = namespace, rows[namespace, number]["parent_id"]
        while under in rows and under not in seen:
            under = namespace, rows.pop(under)["parent_id"]
    check.compare(all_mounts, rows, 20)
    # wl-elsewhere's root is a directory in which nothing is mounted.
    for look, pid, least in (("mounts_of_init", 1, 6),
                             ("mounts_elsewhere", check.before.workload()["wl-elsewhere"], 0)):
        rows = check.keyed(check.rows("mounts", look), lambda r: r["id"])
        check.compare(lambda view: mounts_of(view, pid), rows, least)


def mounted(view):
    """File systems by device, as far as a process sees them."""
    return {row["device"]: {"type": row["type"], "mode": row["super_options"][:2]}
            for row in all_mounts(view).values()}


@noun("filesystems")
def filesystems(check):
    rows = check.keyed(check.rows(), lambda r: r["device"])
    for row in rows.values():
        row["mode"] = row["flags"][:2]
        check.equal(f"{row['device']} has a root", True, row["root"] is not None)
    there = mounted(check.before).keys() | mounted(check.after).keys()
    check.compare(mounted, {key: rows[key] for key in rows if key in there}, 6)


def open_files(view):
    table = {}
    for pid in view.whole():
        for name, path in (links(view, pid, "fd") | links(view, pid, "links")).items():
            row = table[pid, name] = {"path": path}
            info = view.status(pid, "fdinfo", name)
            for ours, theirs in ("position", "pos"), ("mount_id", "mnt_id"), ("inode", "ino"):
                if theirs in info:
                    row[ours] = int(info[theirs].split()[0])
            if "flags" in info:
                row["flags"] = info["flags"]
    return table


@noun("files")
def files(check):
    check.compare(open_files, check.keyed(check.rows(), lambda r: (r["pid"], r["fd"])), 300)


def files_in_memory(view):
    """Of the two file systems that are nothing but page cache: the initramfs and /run."""
    table = {}
    for line in view.bytes("files_there").splitlines():
        device, inode, size, path = line.split(b" ", 3)
        device, path = int(device), text(path)
        if int(size) > 0:
            table[f"{device >> 8}:{device & 255}", int(inode)] = {
                "path": path,
                "bytes": int(size),
                "pages": (int(size) + 4095) // 4096,
            }
    return table


@noun("pagecache")
def pagecache(check):
    rows = check.keyed(check.rows(), lambda r: (r["device"], r["inode"]))
    here = {device for device, _ in files_in_memory(check.before)}
    ours = {}
    for key, row in rows.items():
        check.equal(f"{row['path']}: no more pages than it has", True,
                    row["pages"] <= (row["bytes"] + 4095) // 4096)
        path = row["path"] or ""
        if key[0] in here and "(deleted)" not in path and row["bytes"]:
            if not path.startswith(("/run/view", "/run/workload/odd")):
                ours[key] = row
    check.compare(files_in_memory, ours, 30)
