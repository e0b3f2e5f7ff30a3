#!/usr/bin/env python3
"""export_peers.py VITRINE WRITE_SAMPLE - other programs read what `vitrine gpu export` writes.

The same recording goes out as JSON lines, which Python reads, and as pcapng, which tshark reads with
our dissector: every field of every message must have the same values in both, in the same order.
The Perfetto trace must be what its format wants: slices of a track do not overlap, and what is in
flight never falls below zero. Exits 77 where there is no tshark, after the rest."""
import collections
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile


def run(*argv):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(argv)}: {done.returncode}\n{done.stderr.decode()}")
    return done.stdout.decode(), done.stderr.decode()


def require(truth, what):
    if not truth:
        sys.exit(what)


class Fields:
    """What the dissector calls things: of its own text."""

    def __init__(self, lua):
        self.known = set(re.findall(r'ProtoField\.\w+\("(vgpu\.[^"]+)"', lua))
        self.known |= {f"vgpu.{key}" for key in re.findall(r'^bit\("[^"]+", "([^"]+)"', lua, re.M)}
        self.values = {}
        for name, table in re.findall(r'"(vgpu\.[\w.]+)", "\w+", base\.HEX_DEC, {(.*?)}', lua):
            pairs = re.findall(r'\[(0x[0-9a-f]+)\]="([^"]+)"', table)
            self.values[name] = {text: int(number, 16) for number, text in pairs}

    def name(self, message, member):
        """A message's own name for a member where it has one."""
        scoped = f"vgpu.{message.lower()}.{member}"
        return scoped if scoped in self.known else f"vgpu.{member}"


def leaves(value, path=()):
    if isinstance(value, dict):
        for key, below in value.items():
            yield from leaves(below, path + (key,))
    elif isinstance(value, list):
        for i, below in enumerate(value):
            yield from leaves(below, path + (i,))
    else:
        yield path, value


def wanted(fields, message):
    """{tshark's name: values} of a message in our JSON."""
    want = collections.defaultdict(list)
    for path, value in leaves(message):
        if path[0] in ("name", "bytes", "wrong"):
            continue
        names = [p for p in path if isinstance(p, str)]
        member = names[-1]
        whose = "header" if names[0] == "header" else message["name"] or ""
        if len(names) > 1 and names[-2] == "rect":
            member = "rect." + member
        if isinstance(path[-1], int) and isinstance(value, str):
            bit = fields.name(whose, member) + "." + value.lower()
            require(bit in fields.known, f"no such flag: {bit}")
            want[bit].append(1)
            continue
        if isinstance(path[-1], int):
            member += f"_{path[-1]}"
        name = fields.name(whose, member)
        require(name in fields.known, f"the dissector has no {name}")
        if isinstance(value, str) and value in fields.values.get(name, {}):
            value = fields.values[name][value]
        want[name].append(int(value, 0) if isinstance(value, str) and value[:2] == "0x" else value)
    return want


def collect(tree, into):
    for key, value in tree.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict):
                collect(one, into)
            else:
                into[key].append(one)


def check_message(fields, shown, message):
    count = 0
    for name, values in wanted(fields, message).items():
        found = shown[name]
        require(len(found) == len(values), f"{message['name']}: {name}: {found}, not {values}")
        for text, value in zip(found, values):
            ok = int(text, 0) == value if isinstance(value, int) else text.replace(":", "") == value \
                or text.replace("\\", "") == value
            require(ok, f"{message['name']}: {name}: tshark has {text}, JSON has {value}")
            count += 1
    return count


def check_tshark(vitrine, recording, events, where):
    lua, pcapng = os.path.join(where, "vgpu.lua"), os.path.join(where, "sample.pcapng")
    text = run(vitrine, "gpu", "dissector")[0]
    with open(lua, "w", encoding="utf-8") as f:
        f.write(text)
    run(vitrine, "gpu", "export", recording, "--format", "pcapng", "--out", pcapng)
    read = ["tshark", "-X", f"lua_script:{lua}", "-r", pcapng]
    out, err = run(*read, "-T", "json", "--no-duplicate-keys")
    require("lua" not in err.replace(lua, "").lower(), f"tshark says: {err}")
    packets = [p["_source"]["layers"] for p in json.loads(out)]
    times = [p["frame"]["frame.time_epoch"] for p in packets]
    require(times == sorted(times), "packets are not in order of time")
    fields, count, found = Fields(text), 0, {}
    for packet in packets:
        shown = collections.defaultdict(list)
        require("vgpu" in packet, f"not dissected: {packet}")
        require("_ws.malformed" not in packet, f"malformed: {packet}")
        collect({"vgpu": packet["vgpu"]}, shown)
        found[int(shown["vgpu.sequence"][0]), int(shown["vgpu.kind"][0])] = shown
    for event in events:
        if event["kind"] != "command":
            continue
        for kind, key in enumerate(("request", "response")):
            message = event.get(key)
            if message is None or message["bytes"] < 24:
                continue
            count += check_message(fields, found[event["sequence"], kind], message)
    require(len(packets) == sum(1 + ("answered_ns" in e) for e in events), "packets are missing")
    out, _ = run(*read, "-Y", "vgpu.resource_id == 105 && vgpu.type == 0x103", "-T", "fields", "-e",
                 "vgpu.sequence")
    require(out.split() == [str(e["sequence"]) for e in events if e["kind"] == "command" and
                            e["request"]["name"] == "SET_SCANOUT" and "resource_id" in e["request"]],
            f"a filter found {out.split()}")
    return count


def check_perfetto(vitrine, recording, events):
    trace = json.loads(run(vitrine, "gpu", "export", recording, "--format", "perfetto")[0])
    slices, counters = collections.defaultdict(list), collections.defaultdict(list)
    named = set()
    for e in trace["traceEvents"]:
        require(e["ph"] in "XiCM" and e["pid"] == 1, f"what is this? {e}")
        if e["ph"] == "X":
            slices[e["tid"]].append((e["ts"], e["ts"] + e["dur"]))
        elif e["ph"] == "C":
            counters[e["name"]].append((e["ts"], e["args"]["commands"]))
        elif e["ph"] == "M" and e["name"] == "thread_name":
            named.add(e["tid"])
    require(set(slices) <= named, "a track without a name")
    for track in slices.values():
        track.sort()
        require(all(a[1] <= b[0] for a, b in zip(track, track[1:])), "slices overlap")
    answered = [e for e in events if "answered_ns" in e]
    require(sum(map(len, slices.values())) == len(answered), "slices are missing")
    require(set(counters) == {"control queue: in flight", "cursor queue: in flight"}, "counters")
    for changes in counters.values():
        require(changes == sorted(changes) and min(n for _, n in changes) >= 0, "a counter is wrong")
    require(max(n for _, n in counters["control queue: in flight"]) >= 3, "none were in flight")


def main():
    vitrine, write_sample = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as where:
        recording = os.path.join(where, "sample.vgpu")
        run(write_sample, recording)
        lines = run(vitrine, "gpu", "export", recording, "--json")[0].splitlines()
        events = [json.loads(line) for line in lines]
        check_perfetto(vitrine, recording, events)
        if not shutil.which("tshark"):
            print("no tshark: what it says was not looked at")
            sys.exit(77)
        print(check_tshark(vitrine, recording, events, where), "values are the same for tshark")


if __name__ == "__main__":
    main()
