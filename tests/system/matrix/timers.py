"""timers.py - timers: high-resolution ones, and those of processes."""
import re

from checks import noun

BASES = ("monotonic", "realtime", "boottime", "tai",
         "monotonic-soft", "realtime-soft", "boottime-soft", "tai-soft")
CLOCKS = {0: "realtime", 1: "monotonic", 2: "process-cpu", 3: "thread-cpu", 7: "boottime",
          8: "realtime-alarm", 9: "boottime-alarm", 11: "tai"}


def queued(view):
    """(CPU, clock, function, when) of what /proc/timer_list has."""
    timers, cpu, base, function = set(), None, None, None
    for line in view.lines("timer_list"):
        if match := re.match(r"cpu: (\d+)", line):
            cpu = int(match[1])
        elif match := re.match(r" clock (\d+):", line):
            base = BASES[int(match[1])]
        elif match := re.match(r" #\d+: <\S+>, (\w+)", line):
            function = match[1]
        elif match := re.match(r" # expires at -?\d+-(\d+) nsecs", line):
            timers.add((cpu, base, function, int(match[1])))
    return timers


def posix(view):
    table = {}
    for pid in view.whole():
        fields = {}
        for line in view.lines(pid, "timers"):
            key, _, value = line.partition(": ")
            fields[key] = value
            if key == "ClockID":  # the last one
                table[pid, int(fields["ID"])] = {
                    "signal": int(fields["signal"].split("/")[0]),
                    "base": CLOCKS.get(int(value), "cpu"),
                }
    return table


@noun("timers")
def timers(check):
    rows = check.rows()
    # A timer that waits in both views waited all the time.
    ours = {(r["cpu"], r["base"], r["function_name"], r["expires"]) for r in rows
            if r["kind"] == "hrtimer"}
    both = queued(check.before) & queued(check.after)
    for timer in sorted(both):
        check.equal(timer, True, timer in ours)
    wheels = [r for r in rows if r["kind"] == "wheel"]
    if len(wheels) < 5:
        check.fail(f"only {len(wheels)} timers in the wheels")
    for row in wheels:
        if row["function_name"] is None:
            check.fail(f"no function: {row}")
    check.compare(posix, check.keyed((r for r in rows if r["kind"] == "posix"),
                                     lambda r: (r["pid"], r["id"])), 0)
    for row in rows:
        if row["kind"] == "itimer" and row["base"] == "monotonic":
            check.equal(f"{row['pid']} interval timer waits", True,
                        any(r["function_name"] == "it_real_fn" and r["expires"] == row["expires"]
                            for r in rows if r["kind"] == "hrtimer"))
