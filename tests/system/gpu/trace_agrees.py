#!/usr/bin/env python3
"""tests/system/gpu/trace_agrees.py TRACE RECORDING [LEAST] - what was recorded is what QEMU did.

TRACE is what QEMU printed with -trace 'virtio_gpu*', RECORDING a file of `vitrine gpu watch`, read
here by itself. Each command of the recording must be the command of the same number in the trace,
with the same arguments; those that went by unseen are counted, and the numbers must add up. At
least LEAST percent (default 50) must have been seen."""
import re
import struct
import sys

# A command's name in the trace: type, queue, and where its arguments are in the request.
COMMANDS = {
    "virtio_gpu_cmd_get_display_info": (0x100, {}),
    "virtio_gpu_cmd_get_edid": (0x10A, {"scanout": 24}),
    "virtio_gpu_cmd_res_create_2d": (0x101, {"res": 24, "fmt": 28, "w": 32, "h": 36}),
    "virtio_gpu_cmd_res_unref": (0x102, {"res": 24}),
    "virtio_gpu_cmd_set_scanout": (0x103, {"x": 24, "y": 28, "w": 32, "h": 36, "id": 40, "res": 44}),
    "virtio_gpu_cmd_res_flush": (0x104, {"x": 24, "y": 28, "w": 32, "h": 36, "res": 40}),
    "virtio_gpu_cmd_res_xfer_toh_2d": (0x105, {"res": 48}),
    "virtio_gpu_cmd_res_back_attach": (0x106, {"res": 24}),
    "virtio_gpu_cmd_res_back_detach": (0x107, {"res": 24}),
    "virtio_gpu_update_cursor": (0x300, {"scanout": 24, "x": 28, "y": 32, "res": 40}),
}
CURSOR = 0x300
NO_RESPONSE, STALE_RESPONSE, STALE_REQUEST, CUT, LATE = 1, 2, 4, 8, 32


def fail(text):
    sys.exit(f"trace_agrees.py: {text}")


def traced(path):
    """The commands of each queue: (type, arguments), in order."""
    queues = ([], [])
    for line in open(path, encoding="utf-8", errors="replace"):
        match = re.search(r"\b(virtio_gpu_\w+) (.*)", line)
        if not match:
            continue
        name, text = match[1], match[2]
        if name == "virtio_gpu_cmd_res_create_blob" or "3d" in name or "ctx" in name:
            fail(f"{name} is not known here")
        if name not in COMMANDS:
            continue
        kind, places = COMMANDS[name]
        if name == "virtio_gpu_update_cursor" and "move" in text:
            kind = 0x301
        arguments = {k: int(v, 0) for k, v in re.findall(r"(\w+) (0x[0-9a-f]+|\d+)", text) if k in places}
        if set(arguments) != set(places) and kind < CURSOR:
            fail(f"not understood: {line.strip()}")
        queues[kind >= CURSOR].append((kind, arguments, places))
    return queues


def recorded(path):
    """(kind, queue, flags, sequence, lost, request, response) of each event."""
    data = open(path, "rb").read()
    if data[:10] != b"VT-GPU\r\n\x1a\n":
        fail(f"{path} is no recording")
    at = struct.unpack_from("<I", data, 20)[0]
    while at < len(data):
        size, kind, queue, _, flags, _, sequence, lost, _, _, n, m = struct.unpack_from("<IBBHIIQQQQII", data, at)
        body = at + 56
        yield kind, queue, flags, sequence, lost, data[body : body + n], data[body + n : body + n + m]
        at += size


def main():
    trace, recording = sys.argv[1:3]
    least = int(sys.argv[3]) if len(sys.argv) > 3 else 50
    queues = traced(trace)
    commands = []
    lost = [0, 0]
    for kind, queue, flags, sequence, n_lost, request, response in recorded(recording):
        if kind == 0:
            commands.append((sequence, queue, flags, request, response))
        elif kind == 1:
            lost[queue] += n_lost
    commands.sort()
    checked = doubtful = 0
    for queue in (0, 1):
        mine = [c for c in commands if c[1] == queue]
        if len(mine) + lost[queue] != len(queues[queue]):
            fail(f"queue {queue}: QEMU did {len(queues[queue])}, seen were {len(mine)}, lost {lost[queue]}")
        # Where nothing was lost a command's place is its number; else it must come later than the last.
        at = 0
        for sequence, _, flags, request, response in mine:
            if flags & (STALE_REQUEST | CUT):
                doubtful += 1
                at += 1 if lost[queue] == 0 else 0
                continue
            kind = struct.unpack_from("<I", request)[0]
            while at < len(queues[queue]):
                want, arguments, places = queues[queue][at]
                got = {k: struct.unpack_from("<I", request, places[k])[0] for k in arguments} if want == kind else None
                at += 1
                if got == arguments:
                    break
                if lost[queue] == 0:
                    fail(f"queue {queue} #{sequence}: QEMU did {want:#x} {arguments}, seen was {kind:#x} {got}")
            else:
                fail(f"queue {queue} #{sequence}: {kind:#x} is not in the trace any more")
            checked += 1
            if queue == 0 and not flags & (NO_RESPONSE | STALE_RESPONSE):
                answer = struct.unpack_from("<I", response)[0]
                if not 0x1100 <= answer < 0x1300:
                    fail(f"#{sequence}: answered {answer:#x}")
    total = len(queues[0]) + len(queues[1])
    if total == 0 or checked * 100 < total * least:
        fail(f"of {total} commands only {checked} were seen well")
    print(f"{total} commands: {checked} agree, {doubtful} doubtful, {sum(lost)} lost")


main()
