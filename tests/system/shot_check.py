#!/usr/bin/env python3
"""tests/system/shot_check.py DIR - a shot against what the guest's own kernel says of its pages.

DIR holds what shot.sh collected: shot.json and classes (ours); before and after (/proc/kpageflags,
meminfo and zoneinfo, read twice around the shot, base64 of gzip); iomem; regions.json; and for a few
processes PID.maps with PID.pagemap (base64 of gzip). Only pages whose flags were the same both times
count: the guest runs while it describes itself. Prints one line a witness, fails below the
agreement demanded."""
import base64
import gzip
import json
import pathlib
import re
import struct
import sys

# Linux, include/uapi/linux/kernel-page-flags.h; RESERVED from include/linux/kernel-page-flags.h.
LRU, SLAB, BUDDY, MMAP, ANON, NOPAGE, PGTABLE, RESERVED = 5, 7, 10, 11, 12, 20, 26, 32

NOT_IN_USE = {"hole", "zero", "free"}
ANYTHING_ANON = {"user_anon", "user_heap", "user_stack", "user_code"}
MAPPED_FILE = {"user_file", "user_code"}
BOOT = {"kernel_text", "kernel_data", "kernel_reserved", "kernel_stack", "page_table", "hole"}

# kpageflags -> what our class may be. The first that fits.
TRUTHS = [
    ("reserved", RESERVED, BOOT),
    ("buddy", BUDDY, NOT_IN_USE),
    ("slab", SLAB, {"kernel_slab"}),
    ("page table", PGTABLE, {"page_table"}),
    ("anonymous", ANON, ANYTHING_ANON),
    ("mapped file", MMAP, MAPPED_FILE),
    ("cached file", LRU, {"page_cache"}),
]
AGREEMENT = 0.995
ENOUGH_PAGES = 40


def unpack(path: pathlib.Path) -> bytes:
    return gzip.decompress(base64.b64decode(path.read_text()))


def look(path: pathlib.Path) -> tuple[list[int], str]:
    data = unpack(path)
    text = data.index(b"MemTotal:")
    return words(data[:text]), data[text:].decode().rstrip("\0")


def words(data: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(data) // 8}Q", data[: len(data) // 8 * 8]))


class Check:
    def __init__(self) -> None:
        self.bad = False

    def share(self, what: str, agreed: int, n: int, wrong: str = "", slack: int = 0) -> None:
        share = agreed / n if n else 1.0
        ok = share >= AGREEMENT or n - agreed <= slack
        self.bad |= not ok
        print(f"{what:28} {agreed:8} of {n:8}  {100 * share:8.3f} %{'' if ok else '  TOO FEW'}  {wrong}")

    def about(self, what: str, ours: int, theirs: int, slack: int) -> None:
        ok = abs(ours - theirs) <= max(slack, theirs // 20)
        self.bad |= not ok
        print(f"{what:28} {ours:8} pages, the guest says {theirs}{'' if ok else '  TOO FAR APART'}")


def main() -> int:
    root = pathlib.Path(sys.argv[1])
    shot = json.loads((root / "shot.json").read_text())
    regions = json.loads((root / "regions.json").read_text())
    names = {c["code"]: c["class"] for c in shot["classes"]}
    classes = (root / "classes").read_bytes()
    check = Check()

    pages = sum(c["pages"] for c in shot["classes"])
    if pages != len(classes) or pages != shot["pages"]:
        print(f"totals say {pages}, {len(classes)} bytes, {shot['pages']} pages")
        return 1
    for c in shot["classes"]:
        if c["pages"] != classes.count(c["code"]):
            print(f"{c['class']}: {c['pages']} in the totals, {classes.count(c['code'])} in the bytes")
            return 1

    ours: dict[int, str] = {}  # by page frame number
    for r in regions:
        first, gpa = int(r["offset"], 16) >> 12, int(r["gpa"], 16) >> 12
        for i in range(r["bytes"] >> 12):
            ours[gpa + i] = names[classes[first + i]]

    before, meminfo = look(root / "before")
    after, _ = look(root / "after")
    stable = [p for p in range(min(len(before), len(after)))
              if p in ours and before[p] == after[p] and not before[p] >> NOPAGE & 1]
    print(f"{len(stable)} of {len(ours)} pages did not change between two looks of the guest")
    if len(stable) < len(ours) * 0.9:
        print("too few to judge by")
        return 1

    truth: dict[int, str] = {}
    all_agreed = all_n = 0
    for name, bit, allowed in TRUTHS:
        mine = [p for p in stable if p not in truth and before[p] >> bit & 1]
        wrong: dict[str, int] = {}
        for p in mine:
            truth[p] = name
            if ours[p] not in allowed:
                wrong[ours[p]] = wrong.get(ours[p], 0) + 1
        agreed = len(mine) - sum(wrong.values())
        all_agreed, all_n = all_agreed + agreed, all_n + len(mine)
        check.share(name, agreed, len(mine), str(wrong) if wrong else "", slack=2)
        if len(mine) < ENOUGH_PAGES:
            print(f"{name}: only {len(mine)} pages, the guest is not what this test wants")
            check.bad = True
    check.share("all of these", all_agreed, all_n)

    # The other way round: what we call so is so. Pages without any flag are the allocator's
    # per-CPU lists or plain allocations; the kernel says no more of them.
    for name, _, allowed in TRUTHS[2:]:
        exclusive = allowed - {"user_code"} if name != "mapped file" else {"user_file"}
        mine = [p for p in stable if ours[p] in exclusive]
        agreed = sum(truth.get(p) == name or (name == "page table" and truth.get(p) in (None, "reserved"))
                     for p in mine)
        check.share(f"called {'/'.join(sorted(exclusive))}", agreed, len(mine), slack=2)

    # Nothing ran between the first look and the picture: who looked stood still already. So what had no
    # flags then and is free in the picture is what the lists held; after it they give and take many.
    flags = sum(1 << bit for _, bit, _ in TRUTHS) | 1 << NOPAGE
    plain = [p for p in ours if p < len(before) and not before[p] & flags]
    idle = sum(ours[p] in NOT_IN_USE for p in plain)
    print(f"{len(plain)} pages have no flags; we call {idle} of them free")
    listed = sum(int(n) for n in re.findall(r"^\s+count:\s+(\d+)", meminfo, re.M))
    check.about("zoneinfo: per-CPU lists", idle, listed, 16)

    # The image, from /proc/iomem: code is code.
    for line in (root / "iomem").read_text().splitlines():
        m = re.match(r"\s*([0-9a-f]+)-([0-9a-f]+) : Kernel (code|rodata|data|bss)", line)
        if m and int(m[2], 16):
            span = range(int(m[1], 16) >> 12, (int(m[2], 16) + 1) >> 12)
            mine = [p for p in span if truth.get(p) == "reserved"]
            want = {"kernel_text"} if m[3] == "code" else {"kernel_data", "page_table"}
            check.share(f"image: {m[3]}", sum(ours[p] in want for p in mine), len(mine), slack=1)

    # Processes: heap, stack and code by their own maps and pagemap.
    for maps in sorted(root.glob("*.maps")):
        found = {"heap": [0, 0], "stack": [0, 0], "code": [0, 0]}
        for line, packed in zip(maps.read_text().splitlines(),
                                maps.with_suffix(".pagemap").read_text().split("--\n")):
            kind = ("heap" if "[heap]" in line else "stack" if "[stack]" in line else
                    "code" if " r-xp " in line and "/" in line else None)
            if kind is None:
                continue
            for entry in words(gzip.decompress(base64.b64decode(packed))):
                pfn = entry & ((1 << 55) - 1)
                if entry >> 63 and pfn in truth:
                    found[kind][1] += 1
                    found[kind][0] += ours[pfn] == f"user_{kind}"
        for kind, (agreed, n) in found.items():
            if n:
                check.share(f"process {maps.stem}: {kind}", agreed, n, slack=1)

    total = {c["class"]: c["pages"] for c in shot["classes"]}
    info = {k: int(v) // 4 for k, v in
            re.findall(r"^(\w+):\s+(\d+) kB", meminfo, re.M)}
    # Its slab figure includes large kmallocs, which are plain pages.
    check.about("meminfo: Slab", total["kernel_slab"], info["Slab"], info["Slab"] // 8)
    check.about("meminfo: KernelStack", total["kernel_stack"], info["KernelStack"], 32)
    check.about("meminfo: AnonPages", sum(total[c] for c in ("user_anon", "user_heap", "user_stack")),
                info["AnonPages"], 64)
    return 1 if check.bad else 0


if __name__ == "__main__":
    sys.exit(main())
