"""packets.py - netfilter, bpf."""
import re

from checks import noun


def workload(view):
    return view.text("workload")


@noun("netfilter")
def netfilter(check):
    rows = check.rows("hooks")
    for row in rows:
        check.equal(f"{row['kind']} {row['hook']} has a finding", None, row["finding"])
    types = [line.split() for line in check.before.lines("net", "ptype")[1:]]
    want = sorted(words[-1] for words in types if words[0] != "ALL" and len(words) == 2)
    general = [row for row in rows if row["kind"] == "packets"]
    got = sorted(row["function"] for row in general
                 if row["device"] is None and row["hook"] != "all")
    check.equal("packet types", want, [name for name in got if name in want])
    handlers = {(row["family"], row["hook"]): row["function"] for row in rows
                if row["kind"] == "protocol"}
    for key, name in {("ipv4", "tcp"): "tcp_v4_rcv", ("ipv4", "icmp"): "icmp_rcv",
                      ("ipv6", "tcp"): "tcp_v6_rcv", ("ipv6", "udp"): "udpv6_rcv"}.items():
        check.equal(key, name, handlers.get(key))
    tables = {row["hook"]: row for row in rows if row["kind"] == "table"}
    check.equal("/proc/net/tcp is shown by", "tcp4_seq_show",
                tables.get("tcp4_seq_ops", {}).get("function"))
    made = re.search(r"netfilter family inet hook (\d+) priority (-?\d+)\n(?:.*\n)*?netfilter: made",
                     workload(check.before))
    if made:
        for family in "ipv4", "ipv6":
            ours = [row for row in rows if row["kind"] == "netfilter" and row["family"] == family
                    and row["owner"] == "module nf_tables"]
            check.equal(f"{family} chain of nf_tables", [("input", int(made[2]))],
                        [(row["hook"], row["priority"]) for row in ours])
            for row in ours:  # without types of the module, it has no name
                if row["chain"] is not None:
                    check.equal("chain", "workload incoming, 1 rule", row["chain"])


@noun("bpf", bpf=["bpf"], bpfmaps=["bpfmaps"], bpflinks=["bpflinks"])
def bpf(check):
    types = {1: "socket_filter", 5: "tracepoint", 8: "cgroup_skb"}
    want = {}
    for number, kind, name, tag, jited in re.findall(
            r"^bpf id (\d+) type (\d+) name (\w+) tag (\w+) jited (\d+)$", workload(check.before),
            re.MULTILINE):
        want[int(number)] = {"type": types[int(kind)], "name": name, "tag": tag,
                             "jited_bytes": int(jited) or None, "uid": 0, "listed": True,
                             "finding": None}
    rows = check.keyed(check.rows("programs"), lambda row: row["id"])
    for number, fields in want.items():
        for field, value in fields.items():
            check.equal(f"{number} {field}", value, rows.get(number, {}).get(field))
    held = {}
    for pid in check.before.whole():
        for fd in check.before.list(pid, "fdinfo"):
            info = check.before.status(pid, "fdinfo", fd)
            if "prog_id" in info:
                held.setdefault(int(info["prog_id"]), []).append(pid)
    for number, pids in held.items():
        check.equal(f"{number} is held by", min(pids), rows.get(number, {}).get("pid"))
    if "bpf-map: made" in workload(check.before):
        maps = [row for row in check.rows("maps", "bpfmaps") if row["name"] == "wl_map"]
        check.equal("map", [("hash", 4, 16, 64)],
                    [(m["type"], m["key_bytes"], m["value_bytes"], m["max_entries"]) for m in maps])
    link_types = {1: "raw_tracepoint", 3: "cgroup", 6: "xdp"}
    links = check.keyed(check.rows("links", "bpflinks"), lambda row: row["id"])
    made = re.findall(r"^bpflink id (\d+) type (\d+) program (\d+)$", workload(check.before),
                      re.MULTILINE)
    check.equal("links", sorted(int(number) for number, _, _ in made), sorted(links))
    for number, kind, program in made:
        row = links.get(int(number), {})
        check.equal(f"link {number} type", link_types[int(kind)], row.get("type"))
        check.equal(f"link {number} program", int(program), row.get("program_id"))
        target = {"raw_tracepoint": "module_load", "xdp": "lo"}.get(row.get("type"))
        if target is not None and row.get("target") is not None:
            check.equal(f"link {number} target", target, row["target"])
