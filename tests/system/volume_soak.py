#!/usr/bin/env python3
"""tests/system/volume_soak.py PORT VM SECONDS - a round of clients of a VM's volume, of all manners:
one that keeps up, ones that come and go, stall, vanish in the midst of a message or talk nonsense.
At the end all have left. Prints one line of JSON; status 1 says which one was not served as it must
be."""
import json
import random
import socket
import struct
import sys
import threading
import time
import traceback

from stream_peer import Closed, Refused, Volume

GAP_S = 60  # the longest that one of them may wait: the machine may be busy
REST_S = 0.4  # between two clients of a kind: what is looked for needs time, not load
VIEW = {"width": 160, "height": 96, "quality": 60, "moving": True, "scene": {"boxes": True},
        "camera": {"eye": [1.4, 1.1, 1.9], "target": [0.5, 0.5, 0.5], "up": [0, 1, 0], "fov_y": 0.7}}


class Round:
    def __init__(self, port: int, vm: str, seconds: float):
        self.port, self.vm = port, vm
        self.end = time.monotonic() + seconds
        self.counts: dict[str, int] = {}
        self.wrong: list[str] = []
        self.lock = threading.Lock()

    def left(self) -> float:
        return self.end - time.monotonic()

    def count(self, what: str, n: int = 1) -> None:
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + n

    def open(self) -> Volume:
        return Volume(self.port, self.vm)

    def guarded(self, f) -> threading.Thread:
        def run() -> None:
            try:
                f()
            except (Closed, Refused, OSError, SystemExit) as e:
                where = traceback.extract_tb(e.__traceback__)[1].lineno
                self.wrong.append(f"{f.__name__}, line {where}: {e!r}")
        return threading.Thread(target=run)


def reset(v: Volume) -> None:
    """Gone without a word, and what is under way with it."""
    v.ws.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    v.ws.f.close()
    v.ws.s.close()


def leave(v: Volume) -> None:
    """As RFC 6455 wants it. The server waits two seconds for that to be done, then it resets."""
    v.ws.frame(8, struct.pack(">H", 1000))
    try:
        while True:
            v.ws.receive()
    except Closed as e:
        if e.code != 1000:
            raise
    except ConnectionResetError:
        pass
    v.ws.f.close()
    v.ws.close()


def round_of(port: int, vm: str, seconds: float) -> Round:
    r = Round(port, vm, seconds)
    dice = random.Random(int(seconds))

    def keeps_up() -> None:
        v = r.open()
        v.start(3, 10)
        last = time.monotonic()
        while r.left() > 0:
            kind = v.step()
            now = time.monotonic()
            if kind == "pages":
                r.count("updates")
                last = now
            elif kind == "frame":
                r.count("frames")
            elif now - last > GAP_S:
                sys.exit(f"nothing changed for {GAP_S} s")
        r.count("bytes", v.got)
        leave(v)

    def is_drawn_for() -> None:
        v = r.open()
        v.start(4, 1)
        if v.hello["frames"] is None:
            leave(v)
            return
        number = 0
        while r.left() > 0:
            number += 1
            v.say("view", id=number, **VIEW)
            v.until("frame", GAP_S)
            r.count("frames")
            v.say("pick", id=number, x=80, y=48)
            v.until("picked", GAP_S)
        leave(v)

    def comes_and_goes() -> None:
        while r.left() > 0:
            v = r.open()
            v.start(dice.randrange(2, 5), dice.randrange(1, 20))
            v.until("complete")
            leave(v)
            r.count("came")
            time.sleep(REST_S)

    def vanishes() -> None:
        while r.left() > 0:
            v = r.open()
            v.start(dice.randrange(0, 3), 60)
            for _ in range(dice.randrange(0, 12)):
                v.step()
            reset(v)
            r.count("vanished")
            time.sleep(REST_S)

    def stalls() -> None:
        while r.left() > 0:
            v = r.open()
            v.auto = False
            v.start(1, 60, 300000)
            time.sleep(max(0, min(3, r.left())))
            if dice.random() < 0.5:
                reset(v)
            else:
                # It is not too late: what it is sent now is what there is now.
                v.auto = True
                v.say("credit", bytes=1 << 22)
                v.credit += 1 << 22
                v.until("complete")
                leave(v)
            r.count("stalled")

    def talks_nonsense() -> None:
        nonsense = ['{"type":"start","level":9,"hz":1,"credit":1}', "[", '{"type":"credit"}', "\0" * 70000]
        while r.left() > 0:
            v = r.open()
            v.ws.frame(1, dice.choice(nonsense).encode())
            try:
                while True:
                    v.ws.receive()
            except Closed as e:
                # 1009: too long to be read at all.
                if e.code not in (1008, 1009):
                    raise
            v.ws.f.close()
            v.ws.close()
            r.count("refused")
            time.sleep(REST_S)

    threads = [r.guarded(f) for f in
               (keeps_up, is_drawn_for, comes_and_goes, vanishes, stalls, talks_nonsense)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return r


if __name__ == "__main__":
    result = round_of(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
    if result.wrong:
        sys.exit("\n".join(result.wrong))
    print(json.dumps(result.counts, sort_keys=True))
