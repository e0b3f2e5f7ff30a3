"""tests/system/trace/names_check.py - holds names in a trace (JSON lines) against what else knows.

    user TRACE PROCESS PID MAPS BUILD   nm and readelf of the files that the guest's maps name
    distinct                            TRACE on stdin, each block once to stdout
    kernel TRACE KALLSYMS               what the guest's own kernel says
    processes TRACE PS ENDED            the guest's list, and one that has ended
"""
import bisect
import json
import os
import re
import subprocess
import sys

KERNEL = 1 << 63


def blocks(path):
    for line in open(path):
        event = json.loads(line)
        if event["kind"] == "block":
            event["pc"] = int(event["pc"], 16)
            event["offset"] = int(event.get("offset", "0"), 16)
            yield event


def tool(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()


class File:
    def __init__(self, path):
        self.functions = []  # begin, end, name
        self.unsized = set()
        for more in ([], ["-D"]):
            for line in tool("nm", "-S", "--defined-only", *more, path):
                words = line.split()
                if len(words) == 4 and words[2] in "TtWwi":
                    begin = int(words[0], 16)
                    self.functions.append((begin, begin + int(words[1], 16), words[3].split("@")[0]))
                elif len(words) == 3 and words[1] in "TtWwi":
                    self.unsized.add((int(words[0], 16), words[2].split("@")[0]))
        self.dynamic = {l.split()[-1].split("@")[0] for l in tool("nm", "-D", path) if l.split()}
        self.segments = []  # offset, bytes, address
        for line in tool("readelf", "-lW", path):
            words = line.split()
            if words[:1] == ["LOAD"] and "E" in words[6:-1]:
                self.segments.append((int(words[1], 16), int(words[4], 16), int(words[2], 16)))
        self.stubs = []
        for line in tool("readelf", "-SW", path):
            found = re.match(r" *\[ *\d+\] (\.plt\S*) +\S+ +([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+)", line)
            if found:
                begin = int(found[2], 16)
                self.stubs.append((begin, begin + int(found[4], 16)))

    def address(self, offset):
        for at, size, address in self.segments:
            if at <= offset < at + size:
                return address + offset - at
        raise AssertionError(f"offset {offset:x} is in no segment")

    def check(self, event, address):
        function, begin = event.get("function"), address - event["offset"]
        inside = [f for f in self.functions if f[0] <= address < f[1]]
        if function is None:
            assert event["offset"] == address, event
            assert not inside, (event, hex(address), inside)
        elif function.endswith("@plt"):
            assert function[:-4] in self.dynamic, event
            assert any(b <= begin <= address < e for b, e in self.stubs), (event, self.stubs)
        elif inside:
            assert (begin, function) in {(f[0], f[2]) for f in inside}, (event, hex(address), inside)
        else:
            assert (begin, function) in self.unsized, (event, hex(address))


def host_path(path, build):
    own = os.path.join(build, os.path.basename(path))
    return own if os.path.exists(own) else path


def check_user(trace, process, pid, maps, build):
    areas, files, seen, objects = [], {}, set(), set()
    for line in open(maps):
        found = re.match(r"([0-9a-f]+)-([0-9a-f]+) ..x. ([0-9a-f]+) \S+ \d+ +(\S+)", line)
        if found:
            areas.append((int(found[1], 16), int(found[2], 16), int(found[3], 16), found[4]))
    for event in blocks(trace):
        # A fork of the shell has the pid, too, until it becomes the program.
        if event.get("pid") != int(pid) or event["process"] != process or event["pc"] >= KERNEL:
            continue
        area = next((a for a in areas if a[0] <= event["pc"] < a[1]), None)
        assert area, (event, areas)
        assert event.get("object") == area[3], (event, area)
        objects.add(area[3])
        seen.add(event.get("function"))
        if area[3][0] == "[":
            assert event.get("function") or event["offset"] == event["pc"] - area[0], event
            continue
        if area[3] not in files:
            files[area[3]] = File(host_path(area[3], build))
        file = files[area[3]]
        file.check(event, file.address(event["pc"] - area[0] + area[2]))
    own = {"names_own", "names_compare", "main"}
    want = {"names_shared", "names_local"} | (own if process != "names-stripped" else set())
    assert want <= seen, (want, seen)
    assert process != "names-stripped" or not own & seen, seen
    assert "[vdso]" in objects, objects
    if process != "names-static":
        assert {"qsort", "qsort@plt", "names_shared@plt"} <= seen, seen
        assert len(objects) >= 4, objects


def check_kernel(trace, kallsyms):
    known = {}
    for line in open(kallsyms):
        words = line.split()
        module = words[3].strip("[]") if len(words) > 3 else "vmlinux"
        if words[1] not in "aAnN":
            known.setdefault(int(words[0], 16), set()).add((module, words[2]))
    begins = sorted(known)
    functions, modules = set(), set()
    for event in blocks(trace):
        if event["pc"] < KERNEL:
            continue
        begin = begins[bisect.bisect_right(begins, event["pc"]) - 1]
        assert event["pc"] - event["offset"] == begin, (event, hex(begin), known[begin])
        assert (event["object"], event["function"]) in known[begin], (event, known[begin])
        functions.add(event["function"])
        modules.add(event["object"])
    assert len(functions) > 100 and {"vmlinux", "brd"} <= modules, (functions, modules)


def check_processes(trace, ps, ended):
    alive = {}
    for line in open(ps):
        words = line.split()
        if len(words) >= 2 and words[0].isdigit() and words[1] != "ps":
            alive[int(words[0])] = words[1]
    named = {(e["pid"], e["process"]) for e in blocks(trace) if "pid" in e}
    both = {pid for pid, _ in named if pid in alive}
    assert len(both) >= 2, (named, alive)
    for pid in both:  # it may have been forked and then become another program
        assert (pid, alive[pid]) in named, (pid, alive[pid], named)
    gone = {pid for pid, name in named if name == ended}
    assert len(gone) == 2 and not gone & set(alive), (named, alive)


def main():
    what, arguments = sys.argv[1], sys.argv[2:]
    if what == "distinct":
        seen = set()
        for line in sys.stdin:
            event = json.loads(line)
            key = (event.get("block"), event.get("pid"))
            if key not in seen:
                seen.add(key)
                sys.stdout.write(line)
    else:
        {"user": check_user, "kernel": check_kernel,
         "processes": check_processes}[what](*arguments)


main()
