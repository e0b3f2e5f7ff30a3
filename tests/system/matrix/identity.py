"""identity.py - creds, capabilities, namespaces, cgroups, env."""
import re

from checks import noun
from view import text

USERS = ("uid", "euid", "suid", "fsuid")
GROUPS = ("gid", "egid", "sgid", "fsgid")


def credentials(view):
    table = {}
    for pid in view.whole():
        status = view.status(pid, "status")
        table[pid] = dict(zip(USERS, map(int, status["Uid"].split())))
        table[pid].update(zip(GROUPS, map(int, status["Gid"].split())))
        table[pid]["groups"] = ",".join(status.get("Groups", "").split()) or None
    return table


@noun("creds")
def creds(check):
    check.compare(credentials, check.keyed(check.rows(), lambda r: r["pid"]), 30)


SETS = {"effective": "CapEff", "permitted": "CapPrm", "inheritable": "CapInh", "bounding": "CapBnd",
        "ambient": "CapAmb"}


def rights(view):
    table = {}
    for pid in view.whole():
        status = view.status(pid, "status")
        table[pid] = {name: int(status[key], 16) for name, key in SETS.items()}
        table[pid]["no_new_privs"] = status["NoNewPrivs"] == "1"
        table[pid]["seccomp"] = ("none", "strict", "filter")[int(status["Seccomp"])]
        if "Seccomp_filters" in status:
            table[pid]["seccomp_filters"] = int(status["Seccomp_filters"])
    return table


@noun("capabilities")
def capabilities(check):
    rows = check.keyed(check.rows(), lambda r: r["pid"])
    everything = int(rows[1]["bounding"], 16)
    for row in rows.values():
        for name in SETS:
            row[name] = int(row[name], 16)
            names = row[name + "_names"]
            count = len(names.split(",")) if names else 0
            check.equal(f"{row['pid']} {name}: names", bin(row[name]).count("1"),
                        bin(everything).count("1") if names == "all" else count)
    check.compare(rights, rows, 30)
    pid = check.before.workload().get("wl-creds")
    if pid in rows:
        for key in "effective_names", "ambient_names":
            check.equal(f"{pid} {key}", "net_raw", rows[pid][key])
        check.equal(f"{pid} permitted_names", {"net_raw", "sys_time", "syslog"},
                    set(rows[pid]["permitted_names"].split(",")))


# Links of /proc/PID/ns, by the member that has their number.
NAMESPACES = {"mnt": "mnt", "uts": "uts", "ipc": "ipc", "pid": "pid_ns", "net": "net", "user": "user",
              "cgroup": "cgroup", "time": "time", "pid_for_children": "pid_for_children",
              "time_for_children": "time_for_children"}


def namespace_table(view):
    table = {}
    for pid in view.whole():
        links = re.findall(r"(\w+) -> \w+:\[(\d+)\]", view.text(pid, "ns"))
        table[pid] = {NAMESPACES[name]: int(number) for name, number in links}
        inner = view.status(pid, "status").get("NSpid", "").split()
        if inner:
            table[pid]["inner_pid"] = int(inner[-1])
            table[pid]["level"] = len(inner) - 1
    return table


@noun("namespaces")
def namespaces(check):
    check.compare(namespace_table, check.keyed(check.rows(), lambda r: r["pid"]), 30)


def group_tree(view):
    """The second version's hierarchy, where it is mounted, but for its root: the view runs there."""
    table = {}
    for line in view.lines("cgroup_tree"):
        inode, processes, threads, controllers, path = line.split(" ", 4)
        path = path.rstrip("/")
        if path:
            table[path] = {"id": int(inode), "processes": int(processes), "threads": int(threads),
                           "controllers": controllers or None}
    return table


@noun("cgroups", cgroups=["cgroups"], cgroups_of_init=["cgroups", "--pid", "1"],
      cgroups_of_another=["cgroups", "--pid", "{wl-cgroup}"])
def cgroups(check):
    rows = check.keyed(check.rows(), lambda r: (r["hierarchy"], r["path"]))
    below = {r["path"]: r for r in rows.values() if r["version"] == 2 and r["path"] != "/"}
    check.compare(group_tree, below, 2 if check.before.made("control-groups") else 0)
    another = [(r["hierarchy"], r["path"]) for r in check.rows("cgroups", "cgroups_of_another")]
    if check.before.made("control-group"):
        check.equal("of wl-cgroup", True, (0, "/workload/inner") in another)
    members = {}
    for view in check.before, check.after:
        members[view] = {}
        for pid in view.whole():
            state = view.stat(pid, "stat")[0]
            for line in view.lines(pid, "cgroup"):
                hierarchy, controllers, path = line.split(":", 2)
                key = int(hierarchy), path
                members[view].setdefault(key, set())
                if state not in "ZX":
                    members[view][key].add(pid)
                if int(hierarchy) != 0 and key in rows:
                    check.equal(f"{key} controllers", controllers, rows[key]["controllers"])
    before, after = members[check.before], members[check.after]
    for key in before.keys() & after.keys():
        if key not in rows:
            check.fail(f"{key}: only in the guest")
        elif before[key] == after[key]:
            check.equal(f"{key} processes", len(before[key]), rows[key]["processes"])
    ours = [f"{r['hierarchy']}:{r['path']}" for r in check.rows("cgroups", "cgroups_of_init")]
    lines = check.stable(lambda view: [re.sub(":.*:", ":", line, count=1)
                                       for line in view.lines(1, "cgroup")])
    if lines is not None:  # the hierarchy that nobody mounted is not in the guest's view
        check.equal("of init", lines, ours if lines and lines[-1][0] == "0" else ours[:-1])


def environment(view):
    table = {}
    for pid in view.users():
        data = view.bytes(pid, "environ")
        table[pid] = {"all": sorted(text(v) for v in data.split(b"\0") if v)}
    return {pid: variables for pid, variables in table.items() if variables["all"]}


@noun("env")
def env(check):
    ours = {}
    for row in check.rows():
        if row["name"] is None:
            continue  # it is not in RAM
        value = "" if row["value"] is None else "=" + row["value"]
        ours.setdefault(row["pid"], {"all": []})["all"].append(row["name"] + value)
    for variables in ours.values():
        variables["all"].sort()
    check.compare(environment, ours, 5)
