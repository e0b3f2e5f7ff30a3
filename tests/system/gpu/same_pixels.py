#!/usr/bin/env python3
"""same_pixels.py DUMP.ppm FRAMEBUFFER.raw STRIDE [X Y]: is each pixel of what QEMU shows that of the
guest's own framebuffer (B8G8R8X8), from X, Y? Says how many are, or where the first one is not."""
import sys


def read_ppm(path):
    with open(path, "rb") as f:
        data = f.read()
    words, at = [], 0
    while len(words) < 4:
        end = at
        while not data[end:end + 1].isspace():
            end += 1
        words.append(data[at:end])
        at = end + 1
    if words[0] != b"P6" or words[3] != b"255":
        sys.exit(f"{path}: not a PPM of 8 bits")
    return int(words[1]), int(words[2]), data[at:]


width, height, shown = read_ppm(sys.argv[1])
with open(sys.argv[2], "rb") as f:
    raw = f.read()
stride = int(sys.argv[3])
left, top = (int(sys.argv[4]), int(sys.argv[5])) if len(sys.argv) > 5 else (0, 0)
# QEMU's PPM has each row filled up to a multiple of four bytes, which the format does not know.
pitch = (3 * width + 3) & ~3
if len(shown) == 3 * width * height:
    pitch = 3 * width
elif len(shown) != pitch * height:
    sys.exit(f"{sys.argv[1]}: {len(shown)} bytes for {width}x{height}")
colours = set()
for y in range(height):
    row = raw[(top + y) * stride + 4 * left:(top + y) * stride + 4 * (left + width)]
    want = bytearray(3 * width)
    want[0::3], want[1::3], want[2::3] = row[2::4], row[1::4], row[0::4]
    got = shown[pitch * y:pitch * y + 3 * width]
    if got != want:
        x = next(i for i in range(3 * width) if got[i] != want[i]) // 3
        sys.exit(f"pixel {x},{y}: shown {got[3 * x:3 * x + 3].hex()}, "
                 f"in the guest {bytes(want[3 * x:3 * x + 3]).hex()}")
    colours.update(got[i:i + 3] for i in range(0, len(got), 333 * 3))
if len(colours) < 4:
    sys.exit(f"{width}x{height} pixels of {len(colours)} colours: no picture")
print(f"{width}x{height}: {width * height} pixels the same")
