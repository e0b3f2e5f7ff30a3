#!/usr/bin/env python3
"""tests/system/view_check.py PICTURE.png [LEFT RIGHT] - looks at a window's screenshot.

Prints, as JSON: width, height, `colours` (how many hues of the palette cover the part between the
bands, LEFT to RIGHT of its width), `dark` (the share of background there), and `grey` (the share of
what is not background that has no colour)."""
import colorsys
import json
import struct
import sys
import zlib

BAND = 0.125  # of the height: above and below is text
HUES = 18
LEAST = 40  # pixels of a hue that count


def read(path):
    """Width, height and rows of RGBA bytes of a PNG of 8 bits, RGB or RGBA, not interlaced."""
    data = open(path, "rb").read()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", "no PNG"
    at, packed, head = 8, b"", None
    while at < len(data):
        n, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + n]
        if kind == b"IHDR":
            head = struct.unpack(">IIBBBBB", body)
        elif kind == b"IDAT":
            packed += body
        at += 12 + n
    width, height, depth, colour, _, _, interlace = head
    assert depth == 8 and colour in (2, 6) and interlace == 0, head
    size = 3 if colour == 2 else 4
    raw, rows, above = zlib.decompress(packed), [], bytearray(width * size)
    for y in range(height):
        begin = y * (width * size + 1)
        kind, row = raw[begin], bytearray(raw[begin + 1:begin + 1 + width * size])
        for i in range(width * size):
            a = row[i - size] if i >= size else 0
            b, c = above[i], above[i - size] if i >= size else 0
            if kind == 1:
                row[i] = row[i] + a & 255
            elif kind == 2:
                row[i] = row[i] + b & 255
            elif kind == 3:
                row[i] = row[i] + (a + b) // 2 & 255
            elif kind == 4:
                p = a + b - c
                near = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))
                row[i] = row[i] + near[2] & 255
        rows.append(row)
        above = row
    return width, height, size, rows


def main():
    width, height, size, rows = read(sys.argv[1])
    left, right = (float(v) for v in sys.argv[2:4]) if len(sys.argv) > 3 else (0, 1)
    hues, dark, grey, n = {}, 0, 0, 0
    for row in rows[int(height * BAND):int(height * (1 - BAND))]:
        for x in range(int(width * left), int(width * right)):
            r, g, b = row[x * size:x * size + 3]
            n += 1
            if max(r, g, b) < 40:
                dark += 1
                continue
            h, s, _ = colorsys.rgb_to_hsv(r / 255, g / 255, b / 255)
            if s < 0.25:
                grey += 1
            else:
                hues[int(h * HUES)] = hues.get(int(h * HUES), 0) + 1
    lit = max(n - dark, 1)
    print(json.dumps({"width": width, "height": height,
                      "colours": sum(v >= LEAST for v in hues.values()),
                      "dark": round(dark / n, 3), "grey": round(grey / lit, 3)}))


main()
