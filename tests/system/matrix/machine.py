"""machine.py - cpus and uptime."""
from checks import noun


def processors(view):
    table = {}
    for block in view.text("cpuinfo").split("\n\n"):
        fields = {}
        for line in block.split("\n"):
            key, colon, value = line.partition(":")
            if colon:
                fields[key.strip()] = value.strip()
        if "processor" in fields:
            table[int(fields["processor"])] = {
                "vendor": fields["vendor_id"],
                "family": int(fields["cpu family"]),
                "model": int(fields["model"]),
                "stepping": int(fields["stepping"]),
                "model_name": fields["model name"],
                "apic_id": int(fields["apicid"]),
                "microcode": fields["microcode"],
                "khz": round(float(fields["cpu MHz"]) * 1000),
                "online": True,
            }
    return table


def cpu_times(view, cpu):
    """Seconds: user, system and idle."""
    line = next(line for line in view.lines("stat") if line.startswith(f"cpu{cpu} "))
    user, nice, system, idle, _, irq, soft, *_ = (int(x) / 100 for x in line.split()[1:])
    return {"user_s": user + nice, "sys_s": system + irq + soft, "idle_s": idle}


@noun("cpus")
def cpus(check):
    rows = {r["cpu"]: r for r in check.rows()}
    check.compare(processors, {cpu: row for cpu, row in rows.items() if row["online"]}, 1)
    for cpu, row in rows.items():
        check.equal(f"{cpu} idle", row["idle"], row["tid"] == 0)
        if row["idle"] and row["online"]:
            check.equal(f"{cpu} comm", f"swapper/{cpu}", row["comm"])

        before, after = cpu_times(check.before, cpu), cpu_times(check.after, cpu)
        for key in before:
            # /proc adds what has passed since the last tick or switch.
            check.between(f"{cpu} {key}", before[key] - 5, row[key], after[key] + 0.1)


@noun("uptime")
def uptime(check):
    row = check.rows()[0]
    for index, key in enumerate(("uptime_s", "idle_s")):
        times = [float(view.text("uptime").split()[index]) for view in (check.before, check.after)]
        # A guest that idles updates its clocks when it wakes, QEMU's ends a tick late.
        check.between(key, times[0] - 1, row[key], times[1] + 1)
    boot = check.stable(lambda view: [line.split()[1] for line in view.lines("stat")
                                      if line.startswith("btime ")])
    if boot:
        check.equal("btime", int(boot[0]), row["boot_s"])
    forks = [int(line.split()[1]) for view in (check.before, check.after)
             for line in view.lines("stat") if line.startswith("processes ")]
    check.between("forks", forks[0], row["forks"], forks[1])
    # Whoever reads /proc counts, and has threads of his own.
    tasks = [int(view.text("loadavg").split()[3].split("/")[1]) for view in (check.before, check.after)]
    check.between("tasks", min(tasks) - 5, row["tasks"], max(tasks) + 5)
    loads = [[float(x) for x in view.text("loadavg").split()[:3]] for view in (check.before, check.after)]
    for index, key in enumerate(("load1", "load5", "load15")):
        both = sorted(load[index] for load in loads)
        check.between(key, both[0] - 0.5, row[key], both[1] + 0.5)
