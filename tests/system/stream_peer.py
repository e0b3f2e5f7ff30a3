#!/usr/bin/env python3
"""tests/system/stream_peer.py - a client of a VM's volume (docs/volume-stream.md) that needs no
library, made from the document alone.

stream_peer.py PORT VM COMMAND [ARGUMENT...]; says nothing when all is as it should be, else the first
thing that is not, with status 1."""
import base64
import hashlib
import json
import os
import socket
import struct
import sys
import time
import zlib

PAGE = 4096
CREDIT = 4 << 20


def expect(what: str, want, got) -> None:
    if want != got:
        sys.exit(f"{what}\n  want: {want!r}\n  got:  {got!r}")


class Closed(Exception):
    def __init__(self, code: int, reason: str):
        super().__init__(f"{code} {reason}")
        self.code, self.reason = code, reason


class Refused(Exception):
    def __init__(self, status: int):
        super().__init__(str(status))
        self.status = status


class Socket:
    """A WebSocket (RFC 6455)."""

    def __init__(self, port: int, path: str, protocols: str, *headers: str):
        key = base64.b64encode(os.urandom(16)).decode()
        self.s = socket.create_connection(("127.0.0.1", port))
        self.s.settimeout(60)
        lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket",
                 "Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}",
                 f"Sec-WebSocket-Protocol: {protocols}", *headers, "", ""]
        self.s.sendall("\r\n".join(lines).encode())
        self.f = self.s.makefile("rb", buffering=1 << 16)
        status = int(self.f.readline().split(b" ")[1])
        answer = {}
        while line := self.f.readline().strip():
            name, value = line.decode().split(":", 1)
            answer[name.lower()] = value.strip()
        if status != 101:
            raise Refused(status)
        magic = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        expect("accept", base64.b64encode(hashlib.sha1(magic.encode()).digest()).decode(),
               answer["sec-websocket-accept"])
        self.protocol = answer.get("sec-websocket-protocol")

    def exactly(self, n: int) -> bytes:
        data = self.f.read(n)
        if len(data) < n:
            raise Closed(1006, "the connection ended")
        return data

    def frame(self, opcode: int, data: bytes) -> None:
        n = len(data)
        head = bytes([0x80 | opcode, 0x80 | (n if n < 126 else 126 if n < 65536 else 127)])
        head += struct.pack(">H", n) if 126 <= n < 65536 else b"" if n < 126 else struct.pack(">Q", n)
        mask = os.urandom(4)
        whole = int.from_bytes(data, "little")
        masked = whole ^ int.from_bytes((mask * (n // 4 + 1))[:n], "little")
        self.s.sendall(head + mask + masked.to_bytes(n, "little"))

    def receive(self):
        """A text, or the bytes of a binary message."""
        while True:
            first, second = self.exactly(2)
            n = second & 127
            if n == 126:
                n = struct.unpack(">H", self.exactly(2))[0]
            elif n == 127:
                n = struct.unpack(">Q", self.exactly(8))[0]
            data = self.exactly(n)
            opcode = first & 15
            if opcode == 8:
                code = struct.unpack(">H", data[:2])[0] if n >= 2 else 1005
                self.frame(8, data[:2])
                raise Closed(code, data[2:].decode())
            if opcode == 9:
                self.frame(10, data)
            elif opcode == 1:
                return data.decode()
            elif opcode == 2:
                return data

    def close(self) -> None:
        self.s.close()


class Volume:
    """What a client knows of a VM by what it was told."""

    def __init__(self, port: int, vm: str, protocols: str = "vitrine.volume.v1", *headers: str):
        self.ws = Socket(port, f"/api/v1/vms/{vm}/volume", protocols, *headers)
        self.hello = json.loads(self.ws.receive())
        expect("the first message", "hello", self.hello["type"])
        self.pages = self.hello["pages"]
        self.cells: list[dict[int, bytes]] = [{} for _ in range(5)]
        self.attributes: list[int | None] = [None] * self.pages
        self.texts: dict[str, dict] = {}
        self.credit = self.got = self.spent = 0
        self.times: set[float] = set()
        self.frames: list[dict] = []
        self.level = 0
        self.auto = True

    def say(self, type_: str, **members) -> None:
        self.ws.frame(1, json.dumps({"type": type_, **members}).encode())

    def start(self, level: int, hz: float, credit: int = CREDIT) -> None:
        self.level = level
        self.credit = credit
        self.say("start", level=level, hz=hz, credit=credit)

    def step(self) -> str:
        """Takes in one message; its type."""
        m = self.ws.receive()
        if isinstance(m, str):
            text = json.loads(m)
            self.texts[text["type"]] = text
            return text["type"]
        self.credit -= len(m)
        self.got += len(m)
        if self.credit < 0:
            sys.exit(f"{-self.credit} bytes more than there was credit for")
        kind = self.binary(m)
        self.spent += len(m)
        if self.auto and self.spent >= CREDIT // 4:
            self.say("credit", bytes=self.spent)
            self.credit += self.spent
            self.spent = 0
        return kind

    def binary(self, m: bytes) -> str:
        kind, flags, zero, n, when = struct.unpack("<BBHId", m[:16])
        payload = m[16:]
        if flags & 1:
            payload = zlib.decompress(payload)
        expect("bytes of a payload", n, len(payload))
        expect("no other flags", (0, 0), (flags & ~3, zero))
        return [None, self.take_pages, self.take_attributes, self.take_frame][kind](
            payload, bool(flags & 2), when)

    def runs(self, payload: bytes, n: int) -> list[int]:
        pages = []
        for first, count in struct.iter_unpack("<II", payload[8:8 + 8 * n]):
            pages.extend(range(first, first + count))
        expect("runs ascend", sorted(set(pages)), pages)
        if pages and pages[-1] >= self.pages:
            sys.exit(f"page {pages[-1]} of {self.pages}")
        return pages

    def take_pages(self, payload: bytes, key: bool, when: float) -> str:
        level, n = struct.unpack("<II", payload[:8])
        each, at = (16 >> level) ** 3, 8 + 8 * n
        for page in self.runs(payload, n):
            self.cells[level][page] = payload[at:at + each]
            at += each
        expect("cells fill the payload", len(payload), at)
        if not key:
            self.times.add(when)
        return "key" if key else "pages"

    def take_attributes(self, payload: bytes, key: bool, when: float) -> str:
        n = struct.unpack("<I", payload[:4])[0]
        pages = self.runs(payload, n)
        values = struct.unpack(f"<{len(pages)}H", payload[8 + 8 * n:])
        for page, value in zip(pages, values):
            self.attributes[page] = value
            if value & 255 == 0:
                for level in self.cells:
                    level.pop(page, None)
        return "attributes"

    def take_frame(self, payload: bytes, key: bool, when: float) -> str:
        id_, width, height, codec, alone, scale = struct.unpack("<IHHBBH", payload[:12])
        self.frames.append({"id": id_, "width": width, "height": height, "codec": codec,
                            "alone": alone, "scale": scale, "picture": payload[12:]})
        return "frame"

    def until(self, type_: str, seconds: float = 60) -> dict | None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.step() == type_:
                return self.texts.get(type_)
        sys.exit(f"no '{type_}' in {seconds} s")

    def rest(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.step()

    def ram(self) -> bytes:
        return b"".join(self.cells[0].get(page, bytes(PAGE)) for page in range(self.pages))


def means(page: bytes, level: int) -> bytes:
    n = 8 ** level
    out = bytearray()
    for at in range(0, PAGE, n):
        total = sum(page[at:at + n])
        out.append(max((total + n // 2) // n, 1 if total else 0))
    return bytes(out)


def compare(what: str, want: bytes, got: bytes) -> None:
    expect(f"{what}: bytes", len(want), len(got))
    if want != got:
        bad = [p for p in range(len(want) // PAGE)
               if want[p * PAGE:(p + 1) * PAGE] != got[p * PAGE:(p + 1) * PAGE]]
        sys.exit(f"{what}: {len(bad)} pages differ, the first is {bad[0]}")


# ---- commands ----------------------------------------------------------------------------------

def equal(port: int, vm: str, path: str, level: str = "0", credit: str = str(CREDIT)) -> None:
    """A paused VM's key frame is its RAM."""
    v = Volume(port, vm)
    v.start(int(level), 20, int(credit))
    v.until("complete")
    with open(path, "rb") as f:
        ram = f.read()
    expect("bytes of RAM", v.hello["ram_bytes"], len(ram))
    if v.level == 0:
        compare("key frame", ram, v.ram())
    else:
        for page, cells in v.cells[v.level].items():
            expect(f"page {page}", means(ram[page * PAGE:(page + 1) * PAGE], v.level), cells)
        missing = [p for p in range(v.pages) if p not in v.cells[v.level]
                   and any(ram[p * PAGE:(p + 1) * PAGE])]
        expect("pages without cells that hold something", [], missing)
    expect("attributes of all pages", False, None in v.attributes)
    expect("what is no hole has cells, and the other way round", [],
           [p for p in range(v.pages) if (v.attributes[p] & 255 != 0) != (p in v.cells[v.level])])
    expect("the system", True, "system" in v.texts and "owners" in v.texts)
    v.ws.close()


COMMANDS = {"equal": equal}

if __name__ == "__main__":
    try:
        COMMANDS[sys.argv[3]](int(sys.argv[1]), sys.argv[2], *sys.argv[4:])
    except Closed as e:
        sys.exit(f"closed: {e}")
