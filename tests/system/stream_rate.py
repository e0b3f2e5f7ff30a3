#!/usr/bin/env python3
"""tests/system/stream_rate.py PORT LEVEL HZ SECONDS VM... - what streaming VMs costs and gives, all at
once, each to a client of its own that keeps up. Prints a line of JSON a VM."""
import json
import sys
import threading
import time

from stream_peer import Volume


def follow(port: int, vm: str, level: int, hz: float, ready: threading.Barrier, seconds: float,
           lines: list[dict]) -> None:
    v = Volume(port, vm)
    began = time.monotonic()
    v.start(level, hz)
    v.until("complete")
    line = {"vm": vm, "level": level, "key_s": round(time.monotonic() - began, 3), "key_bytes": v.got}
    # While others are still at their key frames this one keeps up already.
    stop = threading.Event()
    threading.Thread(target=lambda: (ready.wait(), stop.set()), daemon=True).start()
    while not stop.is_set():
        v.step()
    v.times.clear()
    got, began = v.got, time.monotonic()
    v.rest(seconds)
    while not v.times:  # a machine that is slow
        v.step()
    took = time.monotonic() - began
    line["updates_per_s"] = round(len(v.times) / took, 3)
    line["bytes_per_s"] = round((v.got - got) / took)
    line["stats"] = {name: v.texts["stats"][name] for name in ("changed_pages", "scan_ms")}
    lines.append(line)
    v.ws.close()


def main() -> None:
    port, level, hz, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
    vms = sys.argv[5:]
    lines: list[dict] = []
    ready = threading.Barrier(len(vms))
    threads = [threading.Thread(target=follow, args=(port, vm, level, hz, ready, seconds, lines))
               for vm in vms]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for line in sorted(lines, key=lambda line: line["vm"]):
        print(json.dumps(line))
    if len(lines) < len(vms):
        sys.exit("some VMs were not streamed to their end")


main()
