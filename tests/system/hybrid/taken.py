#!/usr/bin/env python3
"""taken.py VM SECONDS SIGNAL PID: waits until a GPU's worker, process PID, has taken a slice of the VM, and
sends it the signal in that moment: it is stopped, and looked at again, before."""
import contextlib
import ctypes
import os
import signal
import sys
import time

ASKED, TAKEN = 1, 2
SYS_FUTEX, FUTEX_WAIT = 202, 0  # x86-64
vm, seconds, number, pid = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
segment = os.open(f"/dev/shm/qemu_hybrid_{vm}", os.O_RDONLY)
base = libc.mmap(None, os.fstat(segment).st_size, 1, 1, segment, 0)  # PROT_READ, MAP_SHARED
if base == ctypes.c_void_p(-1).value:
    sys.exit("the segment cannot be mapped")
at = base + ctypes.c_uint64.from_address(base + 48).value + 64
state = ctypes.c_uint32.from_address(at)


class Timespec(ctypes.Structure):
    _fields_ = [("s", ctypes.c_long), ("ns", ctypes.c_long)]


def stopped() -> bool:
    """Each of its threads is, or it is gone."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/stat", encoding="ascii", errors="replace") as f:
                if f.read().rpartition(")")[2].split()[0] not in "TtXZ":
                    return False
        except (FileNotFoundError, ProcessLookupError):
            pass
    return True


end = time.monotonic() + seconds
while time.monotonic() < end:
    now = state.value
    if now not in (ASKED, TAKEN):
        libc.syscall(SYS_FUTEX, ctypes.c_void_p(at), FUTEX_WAIT, now, ctypes.byref(Timespec(0, 100000000)), None, 0)
        continue
    try:
        os.kill(pid, signal.SIGSTOP)
        while not stopped():
            pass
        taken = state.value == TAKEN
        if taken:
            os.kill(pid, number)
    except (FileNotFoundError, ProcessLookupError):
        sys.exit("the worker has ended")
    with contextlib.suppress(ProcessLookupError):  # SIGKILL does not wait for it
        os.kill(pid, signal.SIGCONT)
    if taken:
        sys.exit(0)
sys.exit("no slice was taken")
