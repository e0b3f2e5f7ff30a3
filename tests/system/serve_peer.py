#!/usr/bin/env python3
"""tests/system/serve_peer.py - a client of `vitrine serve` that needs no library, and rude ones.

serve_peer.py PORT TOKEN VM: raw bytes and what must come of them; frames of a WebSocket; slow and
silent connections. Says what it did; the status is 1 with the first thing that is not as it
should be. serve_peer.py --events PORT VM: prints messages of the WebSocket, a line each, until a
line comes on stdin."""
import base64
import hashlib
import json
import os
import select
import socket
import struct
import sys
import time
import urllib.request

PORT = 0
PROTOCOL = "vitrine.events.v1"


def connect() -> socket.socket:
    s = socket.create_connection(("127.0.0.1", PORT))
    s.settimeout(120)
    return s


def read_all(s: socket.socket) -> bytes:
    parts = []
    try:
        while part := s.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def status_of(raw: bytes) -> int:
    return int(raw.split(b" ", 2)[1]) if raw.startswith(b"HTTP/1.") else 0


def ask(raw: bytes, end: bool = True) -> bytes:
    """Sends bytes, reads until the server closes."""
    with connect() as s:
        try:
            s.sendall(raw)
            if end:
                s.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return read_all(s)


def expect(what: str, want, got) -> None:
    if want != got:
        sys.exit(f"{what}\n  want: {want!r}\n  got:  {got!r}")


def metric(name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics") as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(name + " "):
                return float(line.rsplit(" ", 1)[1])
    return 0.0


def wait_for(what: str, condition, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"still not so: {what}")
        time.sleep(0.05)


# ---- malformed requests ------------------------------------------------------------------------

def malformed(vm: str) -> None:
    close = b"Host: localhost\r\nConnection: close\r\n"
    table = [
        (b"GET /healthz HTTP/1.1\r\n" + close + b"\r\n", 200),
        (b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n", 200),
        (b"GET /healthz HTTP/1.0\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 421),
        (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost : localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nX-A: a\x01b\r\n" + close + b"\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\n" + close + b"Origin: http://evil.example\r\n\r\n", 403),
        (b"GET /healthz HTTP/1.1\r\n" + close + b"Origin: null\r\n\r\n", 403),
        (b"GET /healthz HTTP/3.0\r\n" + close + b"\r\n", 505),
        (b"GET /healthz\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 0),  # TLS: just closed
        (b"GET /api/v1/vms/%zz/processes HTTP/1.1\r\n" + close + b"\r\n", 400),
        (b"GET /api/v1/vms/a%00b/processes HTTP/1.1\r\n" + close + b"\r\n", 400),
        (b"GET http://localhost/healthz HTTP/1.1\r\n" + close + b"\r\n", 400),
        (b"GET /api/v1/vms/" + vm.encode() + b"/processes?pid=x HTTP/1.1\r\n" + close + b"\r\n", 400),
        (b"GET /api/v1/vms/" + vm.encode() + b"/processes?nope=1 HTTP/1.1\r\n" + close + b"\r\n", 400),
        (b"GET /api/v1/vms/nobody/processes HTTP/1.1\r\n" + close + b"\r\n", 404),
        (b"GET /../../etc/passwd HTTP/1.1\r\n" + close + b"\r\n", 404),
        (b"GET /%2e%2e/etc/passwd HTTP/1.1\r\n" + close + b"\r\n", 404),
        (b"BREW /healthz HTTP/1.1\r\n" + close + b"\r\n", 405),
        (b"AD /healthz HTTP/1.1\r\n" + close + b"\r\n", 405),
        (b"OPTIONS * HTTP/1.1\r\n" + close + b"\r\n", 204),
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n" + close + b"\r\n", 414),
        (b"GET /healthz HTTP/1.1\r\n" + close + b"X-Long: " + b"a" * 60000 + b"\r\n\r\n", 431),
        (b"GET /healthz HTTP/1.1\r\n" + close + b"".join(b"X-%d: 1\r\n" % i for i in range(100)) + b"\r\n", 431),
        (b"GET /healthz HTTP/1.1\r\n" + close + b"Content-Length: 3\r\n\r\nabc", 400),
        (b"POST /mcp HTTP/1.1\r\n" + close + b"Content-Length: 99999999\r\n\r\n", 413),
        (b"POST /mcp HTTP/1.1\r\n" + close + b"Content-Length: 99999999999999999999999\r\n\r\n", 413),
        (b"POST /mcp HTTP/1.1\r\n" + close + b"Content-Length: -1\r\n\r\n", 400),
        (b"POST /mcp HTTP/1.1\r\n" + close + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST /mcp HTTP/1.1\r\n" + close + b"Transfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST /mcp HTTP/1.1\r\n" + close + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", 400),
        (b"POST /mcp HTTP/1.1\r\n" + close + b"Transfer-Encoding: chunked\r\n\r\n" +
         b"8000\r\n" + b"a" * 0x8000 + b"\r\n" +
         b"".join(b"8000\r\n" + b"a" * 0x8000 + b"\r\n" for _ in range(40)) + b"0\r\n\r\n", 413),
    ]
    for raw, want in table:
        got = ask(raw, end=False)
        expect(f"{raw[:100]!r}", want, status_of(got))
        expect(f"no Server header: {raw[:60]!r}", False, b"\r\nserver:" in got.lower())
    expect("nothing", b"", ask(b""))
    # Two requests at once are answered in turn.
    one = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    two = ask(one + b"GET /nope HTTP/1.1\r\n" + close + b"\r\n")
    expect("a pipeline", [b"200", b"404"], [p.split(b" ")[1] for p in two.split(b"HTTP/1.1")[1:] if p.startswith(b" ")])
    print(f"malformed: {len(table)} requests, each with its status")


# ---- WebSocket ---------------------------------------------------------------------------------

def handshake(s: socket.socket, path: str, **headers) -> tuple[int, bytes]:
    key = base64.b64encode(os.urandom(16)).decode()
    asked = {"Host": f"127.0.0.1:{PORT}", "Upgrade": "websocket", "Connection": "keep-alive, Upgrade",
             "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key, "Sec-WebSocket-Protocol": PROTOCOL}
    for name, value in headers.items():
        asked[name.replace("_", "-")] = value
    lines = "".join(f"{k}: {v}\r\n" for k, v in asked.items() if v is not None)
    s.sendall(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
    raw = b""
    while b"\r\n\r\n" not in raw:
        part = s.recv(65536)
        if not part:
            break
        raw += part
    head, _, rest = raw.partition(b"\r\n\r\n")
    if status_of(raw) == 101:
        digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        expect("Sec-WebSocket-Accept", True, base64.b64encode(digest) in head)
    return status_of(raw), rest


def frame(opcode: int, payload: bytes = b"", mask: bool = True, fin: bool = True, rsv: int = 0) -> bytes:
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if mask else 0
    if len(payload) < 126:
        head += bytes([bit | len(payload)])
    else:
        head += bytes([bit | 126]) + struct.pack(">H", len(payload))
    if not mask:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(b ^ key[i % 4] for i, b in enumerate(payload))


def frames(s: socket.socket, rest: bytes):
    """(opcode, payload) until the server closes."""
    def need(n: int) -> bool:
        nonlocal rest
        while len(rest) < n:
            part = s.recv(65536)
            if not part:
                return False
            rest += part
        return True
    while need(2):
        expect("frames of a server are not masked", 0, rest[1] & 0x80)
        n, at = rest[1] & 0x7F, 2
        if n == 126:
            if not need(4):
                return
            n, at = struct.unpack(">H", rest[2:4])[0], 4
        elif n == 127:
            if not need(10):
                return
            n, at = struct.unpack(">Q", rest[2:10])[0], 10
        if not need(at + n):
            return
        yield rest[0] & 0x0F, rest[at:at + n]
        rest = rest[at + n:]


def close_code(s: socket.socket, rest: bytes) -> int:
    """Of the closing frame; the connection must end after it."""
    code = 0
    try:
        for opcode, payload in frames(s, rest):
            if opcode == 8:
                code = struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else 1005
                s.sendall(frame(8, payload[:2]))
    except OSError:  # who began to close was answered, and does not close twice
        pass
    return code


def websocket(vm: str) -> None:
    path = f"/api/v1/events?vms={vm}"
    refused = [
        ({"Sec_WebSocket_Version": "8"}, path, 426),
        ({"Upgrade": None}, path, 426),
        ({"Upgrade": "h2c"}, path, 400),
        ({"Connection": "close"}, path, 400),
        ({"Sec_WebSocket_Key": "short"}, path, 400),
        ({"Sec_WebSocket_Protocol": "chat"}, path, 400),
        ({"Origin": "http://evil.example"}, path, 403),
        ({"Host": "evil.example"}, path, 421),
        ({}, "/api/v1/events?vms=../x", 400),
        ({}, "/api/v1/events?pages=maybe", 400),
    ]
    for headers, where, want in refused:
        with connect() as s:
            expect(f"handshake with {headers} at {where}", want, handshake(s, where, **headers)[0])
    with connect() as s:
        status, rest = handshake(s, path, Sec_WebSocket_Protocol=None, Origin=f"http://127.0.0.1:{PORT}")
        expect("a handshake without a subprotocol", 101, status)
        s.sendall(frame(9, b"are you there"))
        seen = []
        for opcode, payload in frames(s, rest):
            seen.append(opcode)
            if opcode == 1 and seen == [1]:
                hello = json.loads(payload)
                expect("hello", ("hello", PROTOCOL, [vm]), (hello["type"], hello["protocol"], [v["name"] for v in hello["vms"]]))
            if opcode == 10:
                expect("pong", b"are you there", payload)
                s.sendall(frame(8, struct.pack(">H", 1000)))
            if opcode == 8:
                expect("close", struct.pack(">H", 1000), payload[:2])
        expect("hello, pong and close", True, 1 in seen and 10 in seen and seen[-1] == 8)
    # Where wslay gives up on a frame's form, it closes without a code (1005).
    rude = [
        ("unmasked", frame(1, b"hi", mask=False), 1002),
        ("reserved bits", frame(1, b"hi", rsv=4), 1002),
        ("an unknown opcode", frame(3, b"hi"), 1002),
        ("a long control frame", frame(9, b"a" * 126), 1005),
        ("a continuation of nothing", frame(0, b"hi"), 1002),
        ("a fragmented ping", frame(9, b"a", fin=False), 1005),
        ("a close of one byte", frame(8, b"a"), 1005),
        ("text that is no UTF-8", frame(1, b"\xff\xfe"), 1007),
        ("a message", frame(1, b"hi"), 1003),
        ("a long message", frame(2, b"a" * 8000), 1009),
    ]
    for what, raw, want in rude:
        with connect() as s:
            status, rest = handshake(s, path)
            expect("handshake", 101, status)
            s.sendall(raw)
            expect(f"code after {what}", want, close_code(s, rest))
    # Frames that come with the handshake itself, cut anywhere.
    with connect() as s:
        key = base64.b64encode(bytes(16)).decode()
        head = (f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n").encode()
        s.sendall(head + frame(9, b"early")[:-2])
        raw = b""
        while b"\r\n\r\n" not in raw:
            raw += s.recv(65536)
        whole = frame(9, b"late")
        s.sendall(b"xx" + whole)  # the last two bytes of the first, masked: some others
        pongs = []
        for opcode, payload in frames(s, raw.partition(b"\r\n\r\n")[2]):
            if opcode == 10:
                pongs.append(payload[:3])
                if payload == b"late":
                    s.sendall(frame(8, struct.pack(">H", 1000)))
        expect("pongs to an early ping and a late one", [b"ear", b"lat"], pongs)
    # A peer that goes without a word.
    gone = metric('vitrine_websocket_ended_total{how="gone"}')
    with connect() as s:
        handshake(s, path)
    wait_for("the one who left is counted", lambda: metric('vitrine_websocket_ended_total{how="gone"}') > gone)
    wait_for("no client is left", lambda: metric("vitrine_websocket_clients") == 0)
    print(f"websocket: {len(refused)} handshakes refused, {len(rude)} rude peers closed with their code")


# ---- slow ones ---------------------------------------------------------------------------------

def slowloris() -> None:
    """More connections than one address may have, each with a byte of a header now and then; normal
    requests go on meanwhile, and all are gone in the end."""
    n = 300
    names = ("header_timeout", "evicted", "idle", "connections")
    def refused() -> float:
        return sum(metric(f'vitrine_http_refused_total{{reason="{name}"}}') for name in names)
    before, slow = refused(), []
    for i in range(n):
        s = connect()
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-" if i % 3 else b"G" if i % 2 else b"")
        slow.append(s)
    alive, rounds, worst = list(slow), 0, 0.0
    end = time.monotonic() + 120
    while alive:
        if time.monotonic() > end:
            sys.exit(f"{len(alive)} slow connections are still open")
        for s in list(alive):
            try:
                s.send(b"a")
            except OSError:
                alive.remove(s)
        began = time.monotonic()
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/healthz", timeout=120) as answer:
            expect("a normal request meanwhile", 200, answer.status)
        worst = max(worst, time.monotonic() - began)
        rounds += 1
        time.sleep(0.2)
    for s in slow:
        s.close()
    expect("slow connections that were counted", True, refused() - before >= n)
    print(f"slowloris: {n} connections ended and counted, {rounds} normal requests meanwhile, the slowest {worst * 1000:.0f} ms")


def unread(vm: str) -> None:
    """Asks for much and reads nothing."""
    request = f"GET /api/v1/vms/{vm}/symbols?limit=10000 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    name = 'vitrine_http_refused_total{reason="read_timeout"}'
    before = metric(name)
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.connect(("127.0.0.1", PORT))
    s.settimeout(120)
    s.sendall(request * 8)
    wait_for("who does not read is shut down", lambda: metric(name) > before, 90)
    s.close()
    print("unread: shut down and counted")


def events(vm: str) -> None:
    with connect() as s:
        status, rest = handshake(s, f"/api/v1/events?vms={vm}")
        expect("handshake", 101, status)
        s.settimeout(None)
        for opcode, payload in frames(s, rest):
            if opcode == 8:
                print("close", struct.unpack(">H", payload[:2])[0], flush=True)
                s.sendall(frame(8, payload[:2]))
                return
            if opcode == 1:
                print(payload.decode(), flush=True)
            if select.select([sys.stdin], [], [], 0)[0]:
                return


def main() -> None:
    global PORT
    if sys.argv[1] == "--events":
        PORT = int(sys.argv[2])
        events(sys.argv[3])
        return
    PORT = int(sys.argv[1])
    malformed(sys.argv[2])
    websocket(sys.argv[2])
    slowloris()
    unread(sys.argv[2])


main()
