#!/usr/bin/env python3
"""vnc_resize.py QMP_SOCKET WIDTHxHEIGHT... - gives QEMU's first display one size after another, as the
user of a VNC client does who pulls at its window; waits for each to be there.

The server is the one QMP's query-vnc names. RFB 3.8 (RFC 6143) and its ExtendedDesktopSize."""
import json
import socket
import struct
import sys


def qmp(path, command):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        f = s.makefile("rw")
        f.readline()
        for execute in ("qmp_capabilities", command):
            print(json.dumps({"execute": execute}), file=f, flush=True)
            while "return" not in (answer := json.loads(f.readline())):
                pass
        return answer["return"]


class Client:
    def __init__(self, address):
        self.s = socket.create_connection(address, timeout=120)
        self.get(12)
        self.s.sendall(b"RFB 003.008\n")
        self.get(self.get(1)[0])
        self.s.sendall(b"\1")  # no authentication
        self.get(4)
        self.s.sendall(b"\1")
        self.get(20)
        self.get(struct.unpack(">I", self.get(4))[0])
        self.s.sendall(struct.pack(">BxHii", 2, 2, 0, -308))

    def get(self, n):
        data = b""
        while len(data) < n:
            more = self.s.recv(n - len(data))
            if not more:
                raise EOFError("the server went away")
            data += more
        return data

    def resize(self, width, height):
        self.s.sendall(struct.pack(">BxHHBxIHHHHI", 251, width, height, 1, 0, 0, 0, width, height, 0))
        # The picture that follows has that size, once the guest has drawn it.
        while True:
            self.s.sendall(struct.pack(">BBHHHH", 3, 1, 0, 0, 65535, 65535))
            if self.update() == (width, height):
                return

    def update(self):
        """One FramebufferUpdate; the size it tells of, or None."""
        size = None
        while (kind := self.get(1)[0]) != 0:
            assert kind == 2, kind  # a bell is all that may come besides
        self.get(1)
        for _ in range(struct.unpack(">H", self.get(2))[0]):
            _, _, w, h, encoding = struct.unpack(">HHHHi", self.get(12))
            if encoding == -308:
                self.get(3 + 16 * self.get(1)[0])
                size = (w, h)
            else:
                self.get(4 * w * h)
        return size


def main():
    server = qmp(sys.argv[1], "query-vnc")
    client = Client((server["host"], int(server["service"])))
    for size in sys.argv[2:]:
        client.resize(*map(int, size.split("x")))


main()
