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
import subprocess
import sys
import threading
import time
import urllib.request
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
                try:
                    self.frame(8, data[:2])
                except OSError:
                    pass  # it waits for that but so long, and has gone
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
        self.credit = self.got = self.spent = self.first_credit = 0
        self.times: set[float] = set()
        self.frames: list[dict] = []
        self.level = 0
        self.auto = True

    def say(self, type_: str, **members) -> None:
        self.ws.frame(1, json.dumps({"type": type_, **members}).encode())

    def start(self, level: int, hz: float, credit: int = CREDIT) -> None:
        self.level = level
        self.credit = self.first_credit = credit
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
        if self.auto and self.spent >= self.first_credit // 4:
            self.give(self.spent)
        return kind

    def give(self, credit: int) -> None:
        self.say("credit", bytes=credit)
        self.credit += credit
        self.spent = 0

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

    def until(self, type_: str, seconds: float = 150) -> dict | None:
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

def metric(port: int, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(name + " "):
                return float(line.rsplit(" ", 1)[1])
    sys.exit(f"no metric {name}")


def vitrine(*args: str) -> None:
    subprocess.run([os.environ["VITRINE"], *args], check=True)


def read(path: str) -> bytes:
    with open(path, "rb") as f:
        return f.read()


def equal(port: int, vm: str, path: str, level: str = "0", credit: str = str(CREDIT)) -> None:
    """A paused VM's key frame is its RAM, or the means of it."""
    v = Volume(port, vm)
    v.start(int(level), 20, int(credit))
    v.until("complete")
    ram = read(path)
    expect("bytes of RAM", v.hello["ram_bytes"], len(ram))
    if v.level == 0:
        compare("key frame", ram, v.ram())
    else:
        for page, cells in list(v.cells[v.level].items())[::16]:
            expect(f"page {page}", means(ram[page * PAGE:(page + 1) * PAGE], v.level), cells)
        missing = [p for p in range(v.pages) if p not in v.cells[v.level]
                   and any(ram[p * PAGE:(p + 1) * PAGE])]
        expect("pages without cells that hold something", [], missing)
    expect("attributes of all pages", False, None in v.attributes)
    expect("what is no hole has cells, and the other way round", [],
           [p for p in range(v.pages) if (v.attributes[p] & 255 != 0) != (p in v.cells[v.level])])
    expect("the system and its processes", True,
           v.texts["system"]["understood"] and len(v.texts["owners"]["owners"]) > 0)
    owners = {a >> 8 for a in v.attributes}
    expect("owners are in the list", True, max(owners) <= len(v.texts["owners"]["owners"]))
    v.ws.close()


def settle(v: Volume) -> None:
    """Until two seconds long nothing changed: of a VM that was paused."""
    quiet = 0
    while quiet < 2:
        v.until("stats")
        stats = v.texts["stats"]
        quiet = quiet + 1 if stats["changed_pages"] == 0 and stats["updates"] > 0 else 0


def rest_at_0_hz(v: Volume) -> None:
    """Until three seconds long nothing came, of a VM that writes all the time."""
    end, quiet = time.monotonic() + 120, 0
    while quiet < 3:
        times = len(v.times)
        v.until("stats")
        quiet = quiet + 1 if v.texts["stats"]["updates"] == 0 and len(v.times) == times else 0
        if time.monotonic() > end:
            sys.exit("updates go on at 0 Hz")


def live(port: int, vm: str, path: str) -> None:
    """What changes arrives: RAM that is put together from updates is RAM."""
    v = Volume(port, vm)
    v.start(0, 30)
    v.until("complete")
    begin = time.monotonic()
    while len(v.times) < 20:
        v.step()
        if time.monotonic() > begin + 120:
            sys.exit("the guest writes and nothing arrives")
    v.say("level", level=2)
    v.level = 2
    v.until("complete")
    v.say("fine", level=0, pages=[[100, 50], [4000, 700], [v.pages - 5, 1000]])
    v.rest(1)
    v.say("level", level=1)
    v.level = 1
    v.until("complete")
    v.say("hz", hz=0)
    rest_at_0_hz(v)
    v.say("hz", hz=60)
    v.rest(1)
    vitrine("pause", vm)
    settle(v)
    ram = read(path)
    finer = [p for p in (*range(100, 150), *range(4000, 4700), *range(v.pages - 5, v.pages))
             if v.attributes[p] & 255 != 0]
    for page in finer:
        expect(f"page {page}, finer", ram[page * PAGE:(page + 1) * PAGE], v.cells[0].get(page))
    for page, cells in list(v.cells[1].items())[::16]:
        expect(f"page {page}", means(ram[page * PAGE:(page + 1) * PAGE], 1), cells)
    v.cells[0].clear()
    v.say("level", level=0)
    v.level = 0
    v.until("complete")
    compare("a key frame after all that", ram, v.ram())
    vitrine("resume", vm)
    v.ws.close()


def credit(port: int, vm: str) -> None:
    """Nothing binary comes without credit; texts do."""
    v = Volume(port, vm)
    v.auto = False
    v.start(0, 60, 150000)
    for _ in range(2):
        before = len(v.cells[0])
        for _ in range(3):
            v.until("stats")
        now = len(v.cells[0])
        v.until("stats")
        expect("pages once credit is used up", now, len(v.cells[0]))
        if v.credit > 2 * PAGE:
            sys.exit(f"{v.credit} bytes of credit are left, and the key frame is not whole")
        if now == before:
            sys.exit("nothing came for the credit")
        if metric(port, "vitrine_stream_stalled") < 1:
            sys.exit("a client without credit is not counted")
        v.give(100000)
    expect("it is not complete", False, "complete" in v.texts)
    v.ws.close()


def rss(pid: str) -> int:
    """What is the process's own: the guest's RAM that it looks at is not."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("RssAnon:"))


def stalled(port: int, vm: str, pid: str) -> None:
    """A client that stops reading costs what it cost at first, and delays nobody."""
    other = Volume(port, vm)
    other.start(2, 30)
    other.until("complete")
    rude = [Volume(port, vm) for _ in range(4)]
    for v in rude:
        v.start(0, 60, 16 << 20)
    more = []
    while not more or more[-1] > 4 << 20:  # until their buffers are full
        before, times = rss(pid), len(other.times)
        other.rest(4)
        more.append(rss(pid) - before)
        if len(more) == 8:
            sys.exit(f"four clients that do not read cost {more} bytes in 4 s each")
    end = time.monotonic() + 120
    while len(other.times) == times:
        other.step()
        if time.monotonic() > end:
            sys.exit("others wait for one that does not read")
    for v in [other, *rude]:
        v.ws.close()


def nonsense(port: int, vm: str) -> None:
    def ending(what: str, send, code: int) -> None:
        v = Volume(port, vm)
        send(v.ws)
        try:
            while True:
                v.step()
        except Closed as e:
            expect(f"{what}: closed with", code, e.code)
            if code == 1008 and v.texts["error"]["detail"] not in (e.reason, ""):
                expect(f"{what}: the reason", v.texts["error"]["detail"], e.reason)
        v.ws.close()

    def text(*messages: str):
        return lambda ws: [ws.frame(1, m.encode()) for m in messages]
    start = json.dumps({"type": "start", "level": 4, "hz": 1, "credit": 1})
    for message in ("", "nonsense", "[]", "{}", '{"type": "start"}', '{"type": "level", "level": 1}',
                    '{"type": "credit", "bytes": 1}', "[" * 60000):
        ending(message[:40], text(message), 1008)
    for message in (start, '{"type": "credit", "bytes": -1}', '{"type": "hz", "hz": 61}',
                    '{"type": "pick", "id": 1, "x": 1, "y": 1}',
                    json.dumps({"type": "fine", "level": 0, "pages": [[0, 1]] * 4097})):
        ending(message[:40], text(start, message), 1008)
    ending("a binary message", lambda ws: ws.frame(2, b"{}"), 1003)
    ending("a long message", lambda ws: ws.frame(1, b" " * (64 << 10) + b"{"), 1009)
    ending("no UTF-8", lambda ws: ws.frame(1, b'{"type": "\xff"}'), 1007)
    ending("no frame", lambda ws: ws.s.sendall(b"\xff\xff\xff\xff"), 1005)
    end = time.monotonic() + 120
    while metric(port, "vitrine_stream_clients") > 0:
        if time.monotonic() > end:
            sys.exit("clients are left")
        time.sleep(0.05)


def refused(port: int, vm: str, token: str) -> None:
    """Who is let in: the token as a subprotocol, how many, and of which VM."""
    def status(name: str, protocols: str, *headers: str) -> int:
        try:
            v = Volume(port, name, protocols, *headers)
            expect("the protocol that is spoken", "vitrine.volume.v1", v.ws.protocol)
            v.ws.close()
            return 101
        except Refused as e:
            return e.status
    ours = "vitrine.volume.v1"
    expect("with the token", 101, status(vm, f"{ours}, vitrine.token.{token}"))
    expect("the token first", 101, status(vm, f"vitrine.token.{token}, {ours}"))
    expect("a wrong token", 401, status(vm, f"{ours}, vitrine.token.{token[:-1]}"))
    expect("two tokens", 401, status(vm, f"{ours}, vitrine.token.x, vitrine.token.{token}"))
    expect("the token alone", 400, status(vm, f"vitrine.token.{token}"))
    expect("another protocol", 400, status(vm, "vitrine.events.v1"))
    expect("no such VM", 404, status("nobody", ours))
    expect("a foreign origin", 403, status(vm, ours, "Origin: http://evil.example"))
    crowd = [Volume(port, vm) for _ in range(16)]
    expect("a seventeenth client", 503, status(vm, ours))
    for v in crowd:
        v.ws.close()


def needs_token(port: int, vm: str, token: str) -> None:
    """Where all need the token, a browser shows it by the subprotocol."""
    try:
        Volume(port, vm)
        sys.exit("let in without the token")
    except Refused as e:
        expect("without the token", 401, e.status)
    Volume(port, vm, f"vitrine.volume.v1, vitrine.token.{token}").ws.close()


def rates(port: int, *vms: str) -> None:
    """All VMs at once are brought up to date, again and again; how often is printed."""
    said = {}

    def follow(vm: str) -> None:
        v = Volume(port, vm)
        v.start(2, 30)
        v.until("complete")
        begin, before = time.monotonic(), len(v.times)
        while len(v.times) < before + 60:
            v.step()
        said[vm] = 60 / (time.monotonic() - begin)
    threads = [threading.Thread(target=follow, args=(vm,), daemon=True) for vm in vms]
    for t in threads:
        t.start()
    end = time.monotonic() + 120
    for t in threads:
        t.join(max(0, end - time.monotonic()))
    if len(said) < len(vms):
        sys.exit(f"only {len(said)} of {len(vms)} VMs were brought up to date 60 times")
    print("updates a second:", *(f"{rate:.1f}" for rate in said.values()), file=sys.stderr)


def jpeg_size(picture: bytes) -> tuple[int, int]:
    expect("a JPEG", (b"\xff\xd8", b"\xff\xd9"), (picture[:2], picture[-2:]))
    at = 2
    while picture[at + 1] not in (0xC0, 0xC1, 0xC2):
        at += 2 + struct.unpack(">H", picture[at + 2:at + 4])[0]
    height, width = struct.unpack(">HH", picture[at + 5:at + 9])
    return width, height


CAMERA = {"eye": [1.6, 1.2, 2.2], "target": [0.5, 0.5, 0.5], "up": [0, 1, 0], "fov_y": 0.7}


def video(v: Volume) -> None:
    """The camera goes round, in H.264 where the server can, and a decoder that is not ours agrees."""
    turns = 12
    for i in range(turns):
        v.say("view", id=100 + i, width=160, height=96, quality=60, moving=True, codec="h264",
              camera={**CAMERA, "eye": [2.0 - i / 10, 1.0, 2.0]})
        while v.frames[-1]["id"] != 100 + i:
            v.step()
    ours = [f for f in v.frames if f["id"] >= 100]  # one that was asked for before may have come meanwhile
    codecs = {f["codec"] for f in ours}
    if "VITRINE_TEST_VIDEO" not in os.environ:
        expect("the codec without video", {1}, codecs)
        return
    expect("the codec", {2}, codecs)
    expect("whether the first can be decoded by itself", 1, ours[0]["alone"])
    stream = b"".join(f["picture"] for f in ours)
    decoded = subprocess.run(["ffmpeg", "-v", "error", "-f", "h264", "-i", "-", "-f", "rawvideo",
                              "-pix_fmt", "gray", "-"], input=stream, capture_output=True, check=False)
    if decoded.stderr:
        sys.exit(f"ffmpeg: {decoded.stderr.decode()}")
    expect("bytes of what ffmpeg decoded", len(ours) * 160 * 96, len(decoded.stdout))
    if len(set(decoded.stdout)) < 16:
        sys.exit("there is nothing in what ffmpeg decoded")


def frames(port: int, vm: str) -> None:
    """Pictures come, follow the camera, get sharp, stop; pixels are explained."""
    v = Volume(port, vm)
    v.start(4, 5)
    v.until("complete")
    if v.hello["frames"] is None:
        sys.exit("no frames: a Vulkan driver is wanted here")
    v.say("view", id=1, width=160, height=96, camera=CAMERA)
    while not v.frames or v.frames[-1]["scale"] != 1:
        v.step()
    first = v.frames[-1]
    expect("the frame", (1, 160, 96, 1), tuple(first[k] for k in ("id", "width", "height", "codec")))
    expect("its size", (160, 96), jpeg_size(first["picture"]))
    away = {**CAMERA, "eye": [0.5, 0.5, 900.0]}
    v.say("view", id=2, width=64, height=64, camera=away, moving=True, quality=30,
          scene={"background": "#000000", "frame": False})
    while v.frames[-1]["id"] != 2:
        v.step()
    expect("its size", (64, 64), jpeg_size(v.frames[-1]["picture"]))
    if len(v.frames[-1]["picture"]) >= len(first["picture"]):
        sys.exit("a picture of nearly nothing is larger than one of something")
    v.say("view", id=3, width=160, height=96, camera=CAMERA, scene={"boxes": False})
    while v.frames[-1]["id"] != 3:
        v.step()
    v.say("pick", id=41, x=80, y=48)
    v.say("pick", id=42, x=0, y=0)
    for _ in range(2):
        v.until("picked")
        picked = v.texts["picked"]
        expect("which pixel has something", picked["id"] == 41, picked["hit"])
        if picked["hit"]:
            page = int(picked["offset"], 16) // PAGE
            classes = [c["name"] for c in v.hello["classes"]]
            expect("the class of that page", classes[v.attributes[page] & 255], picked["class"])
    video(v)
    v.say("view", id=4, width=0)
    end, count = time.monotonic() + 120, -1
    while count != len(v.frames):  # some may be on their way still
        count = len(v.frames)
        for _ in range(2):
            v.until("stats")
        if time.monotonic() > end:
            sys.exit("frames go on after the end of the view")
    v.ws.close()


def no_gpu(port: int, vm: str) -> None:
    """Without a driver all but frames is there."""
    v = Volume(port, vm)
    expect("frames", None, v.hello["frames"])
    v.start(4, 5)
    v.say("view", id=1, width=160, height=96, camera=CAMERA)
    expect("what a view is told", "unsupported", v.until("error")["code"])
    v.until("complete")
    v.ws.close()


def end(port: int, vm: str, how: str) -> None:
    """Prints "ready", then what the end is: "ended 1000"."""
    v = Volume(port, vm)
    v.start(2, 30)
    v.until("complete")
    print("ready", v.hello["ram_bytes"], flush=True)
    try:
        while True:
            v.step()
    except Closed as e:
        expect("the last words", how, ("ended " if "ended" in v.texts else "") + str(e.code))


COMMANDS = {f.__name__: f for f in (equal, live, credit, stalled, nonsense, refused, needs_token,
                                    rates, frames, no_gpu, end)}

if __name__ == "__main__":
    try:
        COMMANDS[sys.argv[3]](int(sys.argv[1]), sys.argv[2], *sys.argv[4:])
    except Closed as e:
        sys.exit(f"closed: {e}")
