#!/usr/bin/env python3
"""taken.py VM SECONDS [SIGNAL PID]: waits until a slice of the VM is taken by a GPU's worker, and in that
moment sends the signal."""
import mmap
import os
import struct
import sys
import time

TAKEN = 2
vm, seconds = sys.argv[1], float(sys.argv[2])
with open(f"/dev/shm/qemu_hybrid_{vm}", "rb") as segment:
    seen = mmap.mmap(segment.fileno(), 0, prot=mmap.PROT_READ)
mailbox = struct.unpack_from("<Q", seen, 48)[0]
end = time.monotonic() + seconds
while struct.unpack_from("<I", seen, mailbox + 64)[0] != TAKEN:
    if time.monotonic() > end:
        sys.exit("no slice was taken")
if len(sys.argv) > 3:
    os.kill(int(sys.argv[4]), int(sys.argv[3]))
