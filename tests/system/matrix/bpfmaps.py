"""bpfmaps.py - the workload's map."""
from checks import noun


@noun("bpfmaps")
def bpfmaps(check):
    rows = {row["name"]: row for row in check.rows("maps")}
    if check.before.made("bpf-map"):
        row = rows.get("wl_map", {})
        check.equal("wl_map", ("hash", 4, 16, 64, False),
                    tuple(row.get(key) for key in ("type", "key_bytes", "value_bytes",
                                                   "max_entries", "frozen")))
        pid = check.before.workload()["main"]
        check.equal("wl_map is held by", pid, row.get("pid"))
