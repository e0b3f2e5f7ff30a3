"""processes.py - ps, pstree, threads, kthreads."""
import re

from checks import noun
from view import PF_KTHREAD, text


def own_name(name):
    """A thread's comm; what the kernel adds for its own (a worker's work, what was cut off) goes."""
    if name.startswith("kworker") and not name.startswith("kworker/R-"):
        name = re.split("[+-]", name)[0]
    return name[:15]


def arguments(view, pid):
    return text(view.bytes(pid, "cmdline").replace(b"\0", b" ")).strip()


def processes(view):
    table = {}
    for pid in view.whole():
        status, stat = view.status(pid, "status"), view.stat(pid, "stat")
        table[pid] = {
            "tgid": int(status["Tgid"]),
            "ppid": int(status["PPid"]),
            "uid": int(status["Uid"].split()[0]),
            "euid": int(status["Uid"].split()[1]),
            "gid": int(status["Gid"].split()[0]),
            "state": status["State"][0],
            "threads": int(status["Threads"]),
            "rss_bytes": 1024 * int(status.get("VmRSS", "0 kB").split()[0]),
            "start": int(stat[19]),
            "cpu": int(stat[36]),
            "comm": own_name(view.text(pid, "comm")[:-1]),
            "args": arguments(view, pid),
        }
    return table


def switches(view, pid, tid):
    status = view.status(pid, "task", tid, "status")
    return status.get("voluntary_ctxt_switches"), status.get("nonvoluntary_ctxt_switches")


def while_asleep(check, parse, *fields):
    """parse, without the fields of threads that ran between the guest's two views."""

    def parse_asleep(view):
        table = parse(view)
        for tid, row in table.items():
            pid = row.get("pid", tid)
            if switches(check.before, pid, tid) != switches(check.after, pid, tid):
                for field in fields:
                    del row[field]
        return table

    return parse_asleep


@noun("ps")
def ps(check):
    rows = check.keyed(check.rows("processes"), lambda r: r["pid"])
    for row in rows.values():
        row["start"] = int(row["start_s"] * 100 + 1e-6)
        row["args"] = (row["args"] or "").strip()
    check.compare(while_asleep(check, processes, "state", "cpu", "rss_bytes"), rows, 30)


def descent(view):
    return {pid: {key: p[key] for key in ("ppid", "uid", "state", "threads", "comm")}
            for pid, p in processes(view).items()}


@noun("pstree")
def pstree(check):
    rows = check.rows("processes")
    check.compare(while_asleep(check, descent, "state"), check.keyed(rows, lambda r: r["pid"]), 30)
    above = []
    for row in rows:
        del above[row["depth"]:]
        check.equal(f"{row['pid']} stands below", row["ppid"], above[-1] if above else 0)
        check.equal(f"{row['pid']} ends its line", True, row["tree"].endswith(row["comm"]))
        above.append(row["pid"])


POLICIES = {0: "OTHER", 1: "FIFO", 2: "RR", 3: "BATCH", 5: "IDLE", 6: "DEADLINE", 7: "EXT"}


def thread_table(view):
    table = {}
    for pid in view.whole():
        for tid in map(int, view.list(pid, "task")):
            status, stat = view.status(pid, "task", tid, "status"), view.stat(pid, "task", tid, "stat")
            if not status or not stat:
                continue
            table[tid] = {
                "pid": pid,
                "state": status["State"][0],
                "cpu": int(stat[36]),
                "prio": int(stat[15]),
                "nice": int(stat[16]),
                "rt_priority": int(stat[37]),
                "policy": POLICIES[int(stat[38])],
                "user": int(stat[11]),
                "sys": int(stat[12]),
                "voluntary": int(status["voluntary_ctxt_switches"]),
                "involuntary": int(status["nonvoluntary_ctxt_switches"]),
                "start": int(stat[19]),
                "comm": own_name(view.text(pid, "task", tid, "comm")[:-1]),
            }
    return table


@noun("threads")
def threads(check):
    rows = check.keyed(check.rows(), lambda r: r["tid"])
    for row in rows.values():
        for ticks, seconds in ("user", "user_s"), ("sys", "sys_s"), ("start", "start_s"):
            row[ticks] = int(row[seconds] * 100 + 1e-6)
    changing = "state", "cpu", "user", "sys", "voluntary", "involuntary"
    check.compare(while_asleep(check, thread_table, *changing), rows, 30)


def kernel_threads(view):
    table = {}
    for pid in view.whole():
        if view.flags(pid) & PF_KTHREAD:
            name = view.text(pid, "comm")[:-1]
            table[pid] = {"state": view.stat(pid, "stat")[0], "comm": own_name(name)}
            if not name.startswith("kworker"):  # what a worker was last at changes with every look
                table[pid]["name"] = name
    return table


@noun("kthreads")
def kthreads(check):
    rows = check.keyed(check.rows(), lambda r: r["pid"])
    for row in rows.values():
        if row["function_name"] is None and row["pid"] != 2:
            check.fail(f"{row['pid']} {row['comm']}: no function")
    check.compare(while_asleep(check, kernel_threads, "state"), rows, 25)
