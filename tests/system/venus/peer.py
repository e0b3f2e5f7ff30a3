#!/usr/bin/env python3
"""A client of vtest, by hand: peer.py SOCKET greet|hostile|hold|flood.

greet    what a Mesa driver says first; prints the capset
hostile  one connection for each of many broken messages; each must be ended by the server
hold     begins a context, prints a line, waits for its standard input to end
"""
import os
import socket
import struct
import sys


class Peer:
    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.connect(path)
        self.s.settimeout(60)

    def say(self, command, *dwords, length=None, extra=b''):
        body = struct.pack('<%dI' % len(dwords), *dwords) + extra
        self.s.sendall(struct.pack('<II', len(dwords) if length is None else length, command) + body)

    def take(self, n):
        got = b''
        while len(got) < n:
            more = self.s.recv(n - len(got))
            if not more:
                raise EOFError
            got += more
        return got

    def answer(self):
        length, command = struct.unpack('<II', self.take(8))
        return command, struct.unpack('<%dI' % length, self.take(4 * length))

    def fd(self):
        _, fds, _, _ = socket.recv_fds(self.s, 1, 1)
        return fds[0]

    def greet(self):
        self.say(8, length=5, extra=b'peer\0')
        self.say(10)
        self.say(7, 0, 0)
        assert self.answer() == (10, ()) and self.answer() == (7, (0,))
        self.say(11, 3)
        assert self.answer() == (11, (3,))
        self.say(15, 1)
        assert self.answer() == (15, (1, 64))
        self.say(16, 4, 0)
        command, capset = self.answer()
        assert command == 16 and capset[0] == 1 and len(capset) == 41
        self.say(17, 4)
        return capset[1:]

    def ended(self):
        """True when the server ends it; what it still answers is read past."""
        try:
            while self.s.recv(65536):
                pass
        except ConnectionError:
            pass
        return True


def stream(*dwords):
    return struct.pack('<%dI' % len(dwords), *dwords)


def hostile(path):
    cases = [
        (77, (), None, b''),  # no such message
        (24, (0xffffffff,), None, b''),  # more batches than there are bytes
        (24, (1, 1, 7, 1, 0, 0, 999, 0), None, b''),  # a stream of an unknown command
        (24, (1, 1, 0xfffffff0, 0x20, 0, 0, 0), None, b''),  # outside
        (24, (1, 1, 7, 0, 7, 1, 64, 1, 0, 0), None, b''),  # a sync that is not there
        (6, (0xffffffff, 0, 1, 2, 3), None, b''),  # a command of no number
        (6, (50, 0, 1), None, b''),  # cut off
        (6, (0, 0xffffffff, 1, 1, 0xffffffff), None, b''),
        (18, (2, 1, 0, 0, 0, 0), None, b''),  # nothing
        (18, (2, 1, 0xffffffff, 0xffffffff, 0, 0), None, b''),  # everything
        (18, (2, 1, 4096, 0, 99, 0), None, b''),  # memory that is not there
        (18, (9, 1, 4096, 0, 0, 0), None, b''),  # of no type
        (3, (5,), None, b''),  # a resource that is not there
        (21, (5,), None, b''),  # a sync that is not there
        (23, (0, 0, 5, 0, 0), None, b''),
        (17, (4,), None, b''),  # twice
        (6, (), 0x10000000, b''),  # a gigabyte is said to come
    ]
    for command, dwords, length, extra in cases:
        p = Peer(path)
        p.greet()
        p.say(command, *dwords, length=length, extra=extra)
        assert p.ended(), (command, dwords)
    # Random ones, of a fixed seed: whatever becomes of them, none hangs and none harms the server.
    state = 88172645463325252
    for _ in range(100):
        p = Peer(path)
        p.greet()
        words = []
        for _ in range(12):
            state ^= (state << 13) & 0xffffffffffffffff
            state ^= state >> 7
            state ^= (state << 17) & 0xffffffffffffffff
            words.append(state >> (state & 15) * 2 & 0xffffffff)
        try:
            p.say(6, words[0] % 300, 0, *words[1:])
            p.say(24, 1, 1, 7, 5, 12, 0, words[0] % 70, words[1] % 300, 1, *words[2:5])
            p.s.shutdown(socket.SHUT_WR)
        except ConnectionError:
            pass
        assert p.ended()
    print(len(cases) + 100)


def main():
    path, what = sys.argv[1:3]
    if what == 'greet':
        capset = Peer(path).greet()
        print('wire', capset[0], 'protocol', capset[3], 'extensions',
              sum(bin(d).count('1') for d in capset[5:37]))
    elif what == 'hostile':
        hostile(path)
    elif what == 'hold':
        p = Peer(path)
        p.greet()
        p.say(18, 2, 1, 65536, 0, 0, 0)
        assert p.answer() == (18, (1,))
        os.close(p.fd())
        print('holding', flush=True)
        sys.stdin.read()


if __name__ == '__main__':
    main()
