#!/usr/bin/env python3
"""tests/system/operations.py RUN_OP VM NEW - runs every operation of the server at least once.

Results are validated against the operations' own schemas by python3-jsonschema, and held against
what the command line says of the same VM while it is paused. NEW names a VM to start and end.
"""
import base64
import json
import os
import subprocess
import sys

import jsonschema

RUN_OP, VM, NEW = sys.argv[1:]
VITRINE = os.environ["VITRINE"]
tried = set()
failures = []


def fail(text):
    failures.append(text)
    print(f"operations.py: {text}", file=sys.stderr)


def check(what, want, got):
    if want != got:
        fail(f"{what}:\n  want: {str(want)[:600]}\n  got:  {str(got)[:600]}")


def run_op(*args):
    return subprocess.run([RUN_OP, *args], stdout=subprocess.PIPE, check=False).stdout


OPS = json.loads(run_op("list"))
validators = {}
for name, op in OPS.items():
    for part in ("params", "result"):
        if part in op:
            jsonschema.Draft202012Validator.check_schema(op[part])
            validators[name, part] = jsonschema.Draft202012Validator(op[part])


def call(name, _ok=True, /, **args):
    """The result of one call, validated."""
    tried.add(name)
    takes = [e.message for e in validators[name, "params"].iter_errors(args)]
    text = run_op(name, json.dumps(args))
    if OPS[name]["png"] and _ok:
        check(f"{name}: a PNG", b"\x89PNG\r\n\x1a\n", text[:8])
        return text
    result = json.loads(text)
    if "error" in result:
        if _ok:
            fail(f"{name} {args}: {result}")
        return result
    if not _ok:
        fail(f"{name} {args} succeeds: {text[:200]}")
    check(f"{name} {args}: what the schema of parameters has against it", [], takes)
    for error in validators[name, "result"].iter_errors(result):
        fail(f"{name} {args}: {list(error.absolute_path)}: {error.message[:300]}")
        break
    return result


def cli(*args):
    done = subprocess.run([VITRINE, *args, "--json"], stdout=subprocess.PIPE, check=False)
    return json.loads(done.stdout)


def refused(word, name, /, **args):
    check(f"{name} {args}: its error", word, call(name, False, **args).get("error"))


# ---- what there is -----------------------------------------------------------------------------

check("list_vms", [VM], [vm["name"] for vm in call("list_vms")["vms"]])
info, told = call("vm_info", vm=VM), cli("info", VM)
for key in ("name", "state", "memory_bytes", "cpus", "machine", "qemu_pid", "regions"):
    check(f"vm_info: {key}", told[key], info[key])
console, ten, later = ({"text": t} for t in ("", "", None))
while later != console:  # nothing was printed meanwhile
    console, ten, later = (call("console", vm=VM, **args) for args in ({}, {"bytes": 10}, {}))
if "shell ready" not in console["text"]:
    fail("console: does not show what the guest printed")
check("console: the last bytes", console["text"][-10:], ten["text"])

# ---- the guest, standing still -----------------------------------------------------------------

check("pause_vm", "paused", call("pause_vm", vm=VM)["state"])
check("paused", "paused", cli("info", VM)["state"])

answer = call("ask", vm=VM, question="what processes are running?")
check("ask", True, answer["understood"] and len(answer["rows"]) > 10)
told = cli("ask", VM, "where is the SSH daemon?")
got = call("ask_get", vm=VM, question="where is the SSH daemon?", limit=10000, places=4096)
check("ask: as the command line", {k: told[k] for k in ("text", "intent", "reading", "verb")},
      {k: got[k] for k in ("text", "intent", "reading", "verb")})
check("ask: not understood", False,
      call("ask", vm=VM, question="colourless green ideas")["understood"])

nouns = {op["path"].rsplit("/", 1)[1]: name for name, op in OPS.items() if "/live/" in op["path"]}
for noun, name in nouns.items():
    check(f"{name}: as the command line", cli(noun, VM), call(name, vm=VM))
    rows = next(v for v in call(name, vm=VM).values() if isinstance(v, list))
    if len(rows) > 1:
        cut = call(name, vm=VM, limit=1)
        check(f"{name}: one row", [rows[0]], next(v for v in cut.values() if isinstance(v, list)))
        check(f"{name}: truncated", True, cut.get("truncated"))
    if "pid" in OPS[name]["params"]["properties"]:
        check(f"{name}: of pid 1", cli(noun, VM, "--pid", "1"), call(name, vm=VM, pid=1))
        refused("not_found", name, vm=VM, pid=4000000)
check("pagecache: of a path", cli("pagecache", VM, "/bin/busybox"),
      call(nouns["pagecache"], vm=VM, path="/bin/busybox"))

for address in ("init_task", "linux_banner+0x10"):
    one = cli("translate", VM, address)[0]
    got = call("translate", vm=VM, address=address)
    check(f"translate {address}", one, {key: got[key] for key in one})
    check("translate: the way", cli("pagetables", VM, "--translate", address)["levels"],
          got["levels"])
refused("not_present", "translate", vm=VM, address="0x1000", pid=1)
refused("not_found", "translate", vm=VM, address="no_such_symbol")

told, got = cli("read", VM, "linux_banner", "64"), call("read_memory", vm=VM,
                                                        address="linux_banner", length=64)
check("read_memory", told, {key: got[key] for key in told})
if not got["text"].startswith("Linux version "):
    fail(f"read_memory: {got['text']}")
place = call("translate", vm=VM, address="linux_banner")["physical"]
coded = call("read_memory", vm=VM, address=place, length=64, format="base64")
check("read_memory: base64, by the physical address", told["hex"],
      base64.b64decode(coded["base64"]).hex())
refused("bad_address", "read_memory", vm=VM, address="0xffffffff000")

told = cli("find", VM, "Linux version", "--context", "8", "--limit", "5", "--owner")
got = call("find", vm=VM, text="Linux version", context=8, limit=5, owner=True)
check("find", told["matches"], got["matches"])
check("find in the kernel", cli("find", VM, "--kernel", "--hex", "7f 45 4c 46")["matches"],
      call("find", vm=VM, hex="7f 45 4c 46", space="kernel", limit=10000)["matches"])
check("find in a process", cli("find", VM, "BUSYBOX", "--ignore-case", "--pid", "1")["matches"],
      call("find", vm=VM, text="BUSYBOX", ignore_case=True, pid=1, limit=10000)["matches"])
refused("invalid", "find", vm=VM)
refused("invalid", "find", vm=VM, hex="4")

page = call("page_at", vm=VM, gpa=place)
check("page_at: the kernel's image", ("kernel_data", "linux_banner"),
      (page["class"], page["uses"][0]["symbol"]))
heap = call("memory_runs", vm=VM, pid=1, area="heap")
check("memory_runs", heap["bytes"], 4096 * sum(run["pages"] for run in heap["runs"]))
page = call("page_at", vm=VM, offset=hex(4096 * heap["runs"][0]["first"] + 5))
check("page_at: init's heap", ("user_heap", "anonymous", 1, "init", "[heap]"),
      (page["class"], page["kernel"], *(page["uses"][0][k] for k in ("pid", "process", "name"))))
slab = call("memory_runs", vm=VM, area="slab", limit=1)
check("memory_runs: cut", (1, True), (len(slab["runs"]), slab["cut"]))
page = call("page_at", vm=VM, offset=hex(4096 * slab["runs"][0]["first"]))
check("page_at: a slab's cache", (True, "kernel_slab"),
      (page["slab"] in [s["name"] for s in cli("slabs", VM)["slabs"]], page["class"]))
check("memory_runs: of an answer", True,
      call("memory_runs", vm=VM, question="where is the stack of init?")["bytes"] > 0)
refused("invalid", "memory_runs", vm=VM)
refused("invalid", "memory_runs", vm=VM, question="where is the stack of init?", pid=1)
refused("not_found", "memory_runs", vm=VM, pid=4000000)
refused("invalid", "page_at", vm=VM)
refused("bad_address", "page_at", vm=VM, gpa="0xffffffff000")

symbol = cli("symbols", VM, "init_task")[0]
got = call("symbols", vm=VM, name="init_task")["symbols"][0]
check("symbols", symbol, {key: got[key] for key in symbol})
inside = call("symbols", vm=VM, address="init_task+8")["symbols"][0]
check("symbols: of an address", (symbol["address"], "0x8"), (inside["address"], inside["offset"]))
everything = [s["name"] for s in cli("symbols", VM)]
check("symbols: by a pattern", sorted(n for n in everything if n.startswith("tcp_v4_")),
      sorted(s["name"] for s in call("symbols", vm=VM, pattern="tcp_v4_*", limit=10000)["symbols"]))

# ---- the database ------------------------------------------------------------------------------

for name, op in OPS.items():
    if not name.startswith("sampled_"):
        continue
    table = op["path"].rsplit("/", 1)[1]
    first = call(name, vm=VM)
    rows = first[table]
    if not rows:
        fail(f"{name}: nothing")
        continue
    ids, page = [], {"next": 0}
    while page["next"] is not None:
        page = call(name, vm=VM, limit=max(1, len(rows) // 3), after=page["next"])
        ids += [row["id"] for row in page[table]]
    check(f"{name}: page by page", [row["id"] for row in rows], ids[:len(rows)])
    was = first["sample"]["time"]
    check(f"{name}: at the time of the sample", sorted(row["id"] for row in rows),
          sorted(row["id"] for row in call(name, vm=VM, at=was)[table] if row["present"]))
    check(f"{name}: before the first one", [], call(name, vm=VM, at=1)[table])
    check(f"{name}: all that is known", sorted(row["id"] for row in rows),
          sorted(row["id"] for row in call(name, vm=VM, history=True)[table] if row["present"]))
    check(f"{name}: in the future", [], call(name, vm=VM, since=was + 1000)[table])
check("sampled_processes", sorted(row["pid"] for row in cli("ps", VM)["processes"]),
      sorted(row["pid"] for row in call("sampled_processes", vm=VM)["processes"]))
check("sampled_processes: of a pid", ["init"],
      [row["name"] for row in call("sampled_processes", vm=VM, pid=1)["processes"]])
check("sampled_mounts: of a target", ["tmpfs"],
      [row["type"] for row in call("sampled_mounts", vm=VM, target="/tmp/there")["mounts"]])
if not call("sampled_sockets", vm=VM, state="LISTEN", port=22)["sockets"]:
    fail("sampled_sockets: nobody listens on port 22")
check("boots", 1, len(call("boots", vm=VM)["boots"]))
check("events", ["booted"], [e["kind"] for e in call("events", vm=VM, kind="booted")["events"]])
check("events: after the last one", [],
      call("events", vm=VM, after=call("events", vm=VM)["next"])["events"])
sample = call("sample", vm=VM)["sample"]
check("sample", len(cli("ps", VM)["processes"]), sample["processes"])

query = "SELECT pid, name AS n, name AS n, page_table FROM processes ORDER BY pid"
told, got = cli("sql", VM, query), call("sql", vm=VM, query=query)
check("sql", told, got["rows"])
check("sql: columns", ["pid", "n", "n_2", "page_table"], got["columns"])
check("sql_get", got, call("sql_get", vm=VM, query=query))
check("sql: live", sorted(row["pid"] for row in cli("ps", VM)["processes"]),
      [row["pid"] for row in call("sql", vm=VM, query="SELECT pid FROM live.ps ORDER BY pid")["rows"]])
check("sql: cut", (1, True), (lambda r: (len(r["rows"]), r["truncated"]))(
    call("sql", vm=VM, query=query, limit=1)))
refused("invalid", "sql", vm=VM, query="SELECT nothing FROM processes")
refused("forbidden", "sql", vm=VM, query="DELETE FROM events")
tables = {t["name"]: [c["name"] for c in t["columns"]] for t in call("sql_tables", vm=VM).get("tables", [])}
for table in ("processes", "processes_history", "memory_pages", "events", "live.ps"):
    if table not in tables:
        fail(f"sql_tables: no {table}")

# ---- pictures ----------------------------------------------------------------------------------

made, = call("highlight", vm=VM, name="slab", area="slab", colour="#123456", label="the \u2588 slab")["highlights"]
check("highlight", ("slab", "#123456", "the \u2588 slab"),
      (made["name"], made["colour"], made["label"]))
call("highlight", vm=VM, name="two", runs=[{"gpa": "0x1234", "bytes": 1},
                                           {"gpa": "0x5000", "bytes": 8192}])
check("show_highlight", [{"gpa": "0x1000", "bytes": 4096}, {"gpa": "0x5000", "bytes": 8192}],
      call("show_highlight", vm=VM, name="two")["runs"])
call("highlight", vm=VM, name="init", pid=1, area="stack")
asked = call("highlight", vm=VM, name="ask", question="where is the stack of init?")["highlights"]
check("highlight: of an answer", True, bool(asked) and asked[0]["bytes"] > 0)
for each in asked:
    call("remove_highlight", vm=VM, name=each["name"])
refused("invalid", "highlight", vm=VM, name="ask", question="where is the stack of init?", pid=1)
refused("invalid", "highlight", vm=VM, name="ask", question="colourless green ideas")
check("highlights", ["slab", "two", "init"],
      [h["name"] for h in call("highlights", vm=VM)["highlights"]])
check("remove_highlight", {"removed": "two"}, call("remove_highlight", vm=VM, name="two"))
refused("not_found", "remove_highlight", vm=VM, name="two")
refused("invalid", "highlight", vm=VM, name="../x", area="slab")
check("memory_runs: as a highlight has them",
      sum(run["bytes"] for run in call("show_highlight", vm=VM, name="slab")["runs"]),
      call("memory_runs", vm=VM, area="slab")["bytes"])
refused("bad_address", "highlight", vm=VM, name="x", runs=[{"gpa": "0xfffffffff000", "bytes": 1}])
if len(call("shot", vm=VM, width=640)) < 10000:
    fail("shot: hardly a picture")

# ---- snapshots, and what changes VMs -----------------------------------------------------------

shot = call("snapshot", vm=VM, pause=True)
check("snapshot: one moment", True, shot["verdict"] in ("consistent", "retried"))
check("snapshot: its processes", cli("ps", VM), cli("ps", shot["path"]))
check("resume_vm", "running", call("resume_vm", vm=VM)["state"])

# ---- instructions ------------------------------------------------------------------------------

status = call("trace_status", vm=VM)
check("trace_status: as info has it", (cli("info", VM)["trace_path"] is not None, "off"),
      (status["supported"], status["mode"]))


def hot(**args):
    """What runs, as soon as something of each kind does: the guest may have to wait for a CPU."""
    kinds = ("loops", "functions", "sequences", "paths", "blocks")
    while True:
        found = call("trace_hot", vm=VM, seconds=0.3, **args)
        if "error" in found or all(found[kind] for kind in kinds):
            return found


if status["supported"]:
    check("trace_hot: all code is there", True, all(loop["code"] for loop in hot(code=True).get("loops", [])))
    names = {loop["process"] for loop in hot(space="kernel").get("loops", [])}
    check("trace_hot: the kernel", {"kernel"}, names)
    call("trace_hot", vm=VM, seconds=0.1, pid=1)
    refused("not_found", "trace_hot", vm=VM, pid=4000000)
    refused("invalid", "trace_hot", vm=VM, seconds=31)
    check("trace_mode", "keep-last", call("trace_mode", vm=VM, mode="keep-last")["mode"])
    refused("busy", "trace_hot", vm=VM)
    check("trace_mode", "count", call("trace_mode", vm=VM, mode="count")["mode"])
    call("trace_hot", vm=VM, seconds=0.1)
    check("trace_hot: counting goes on", "count", call("trace_status", vm=VM)["mode"])
    check("trace_mode", "off", call("trace_mode", vm=VM, mode="off")["mode"])
    check("instructions were counted", True, call("trace_status", vm=VM)["instructions"] > 0)
else:
    refused("unsupported", "trace_hot", vm=VM)
    refused("unsupported", "trace_mode", vm=VM, mode="count")
refused("invalid", "trace_mode", vm=VM, mode="all")

# ---- VMs that come and go ----------------------------------------------------------------------

made = call("start_vm", name=NEW, memory_bytes=128 << 20, cpus=2, paused=True)
check("start_vm", (NEW, 128 << 20, 2, "paused"),
      (made["name"], made["memory_bytes"], made["cpus"], made["state"]))
refused("exists", "start_vm", name=NEW)
refused("invalid", "start_vm", name="../x")
refused("invalid", "start_vm", name="x", memory_bytes=(64 << 20) + 1)
refused("invalid", "start_vm", name="x", image="../../etc/passwd")
refused("not_found", "start_vm", name="x", image="none.qcow2")
check("reset_vm", NEW, call("reset_vm", vm=NEW)["name"])
check("stop_vm", "dead", call("stop_vm", vm=NEW, timeout_s=0)["state"])
refused("not_found", "vm_info", vm=NEW)
again = call("start_again", vm=NEW)
check("start_again", (NEW, 128 << 20, 2), tuple(again[k] for k in ("name", "memory_bytes", "cpus")))
refused("exists", "start_again", vm=NEW)
refused("not_found", "start_again", vm="never")
check("kill_vm", "dead", call("kill_vm", vm=NEW)["state"])

# ---- all of them -------------------------------------------------------------------------------

for name, op in OPS.items():
    refused("invalid", name, **({"vm": VM} if "{vm}" in op["path"] else {}), no_such_thing=1)
    if "{vm}" in op["path"]:
        refused("invalid", name, vm="../" + VM, **{p: "x" for p in op["params"].get("required", [])
                                                   if p != "vm"})
check("operations that were not tried", [], sorted(set(OPS) - tried))
with open(os.path.join(os.environ["VITRINE_STATE_DIR"], "audit.log"), encoding="utf-8") as log:
    logged = {json.loads(line)["operation"] for line in log}
silent = {name for name in OPS if name.startswith("sampled_")}
silent |= {"list_vms", "events", "boots", "sample", "sql_tables"}
check("operations that left no line in the log", [], sorted(set(OPS) - silent - logged))
print(f"{len(OPS)} operations, {len(nouns)} of them nouns", file=sys.stderr)
sys.exit(1 if failures else 0)
