"""view.py - the guest's own view of itself, as tests/system/guest_view.sh copied it out of /proc."""
import codecs
import os
import re

# vitrine's JSON has one U+FFFD for each byte that is not UTF-8.
codecs.register_error("each", lambda e: ("\ufffd" * (e.end - e.start), e.end))

PF_KTHREAD = 0x00200000


def text(data):
    return data.decode("utf-8", "each")


def unescape(data):
    """Octal escapes as mountinfo and maps have them."""
    return re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]), data)


class View:
    def __init__(self, folder):
        self.folder = folder
        self.pids = sorted(int(name) for name in os.listdir(folder) if name.isdigit())

    def bytes(self, *path):
        """A file's bytes; b"" when the guest had none."""
        try:
            with open(os.path.join(self.folder, *map(str, path)), "rb") as file:
                return file.read()
        except OSError:
            return b""

    def text(self, *path):
        return text(self.bytes(*path))

    def lines(self, *path):
        return self.text(*path).splitlines()

    def has(self, *path):
        return os.path.exists(os.path.join(self.folder, *map(str, path)))

    def list(self, *path):
        try:
            return sorted(os.listdir(os.path.join(self.folder, *map(str, path))))
        except OSError:
            return []

    def status(self, *path):
        """A status file as a dictionary: {"Name": "init", …}."""
        fields = {}
        for line in self.text(*path).split("\n"):
            key, colon, value = line.partition(":\t")
            if colon:
                fields[key] = value.strip()
        return fields

    def stat(self, *path):
        """What follows the command name in a stat file: [0] is the state."""
        return self.text(*path).rpartition(") ")[2].split()

    def flags(self, pid):
        fields = self.stat(pid, "stat")
        return int(fields[6]) if len(fields) > 6 else 0

    def whole(self):
        """Processes that were there until all of their files had been copied."""
        return [pid for pid in self.pids if self.stat(pid, "stat") and self.has(pid, "comm")]

    def users(self):
        """Of those, the ones that have memory of their own."""
        return [pid for pid in self.whole() if self.bytes(pid, "maps")]

    def said(self, word):
        """Lines of the workload that begin with a word, split."""
        return [line.split() for line in self.lines("workload") if line.startswith(word + " ")]

    def workload(self):
        """Its processes by name; the first is "main"."""
        words = [line.split() for line in self.lines("workload")]
        return {w[0]: int(w[2]) for w in words if len(w) == 3 and w[1] == "pid"}

    def made(self, item):
        """Whether the workload could make an item."""
        return f"{item}: made" in self.lines("workload")
