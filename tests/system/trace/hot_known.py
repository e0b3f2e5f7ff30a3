"""hot_known.py WHERE HOT live|file|whole PROGRAM - does `vitrine hot --json` say of hot_known.S what
its source says, and of its code what the program's file holds?"""
import json
import struct
import sys
from collections import Counter

ROUNDS = 300
R = ROUNDS

# Basic blocks as they lie: label, instructions as sequences show them, executions, and how many of
# these went on to the block below without a jump.
BLOCKS = [
    ("begin", "push r; mov r,i", 1, 1),
    ("round", "mov r,i", R, R),
    ("alu", "mov r,i", R * 4, R * 4),
    ("alu_inner", "imul r,r,i; rol r,i; dec r; jnz i", R * 4 * 250, R * 4),
    (None, "dec r; jnz i", R * 4, R),
    (None, "lea r,m; lea r,m; mov r,i", R, R),
    ("stream", "mov r,m; mov m,r; add r,i; add r,i; dec r; jnz i", R * 500, R),
    (None, "mov r,m", R, R),
    ("chase", "mov r,m; test r,r; jnz i", R * 1000, R),
    (None, "movsd v,m; mov r,i", R, R),
    ("float", "mulsd v,v; addsd v,v; dec r; jnz i", R * 300, R),
    (None, "mov r,i", R, R),
    ("string", "lea r,m; mov r,i; stosb; dec r; jnz i", R * 40, R),
    (None, "mov r,i", R, R),
    ("control", "test r,i; jz i", R * 200, R * 100),
    (None, "test r,i; jz i", R * 100, R * 50),
    (None, "test r,i; jnz i", R * 50, R * 25),
    (None, "nop", R * 175, R * 175),
    (None, "dec r; jnz i", R * 200, R),
    (None, "mov r,i", R, R),
    ("system", "mov r,i; syscall", R * 100, R * 100),
    (None, "dec r; jnz i", R * 100, R),
    (None, "mov r,i", R, R),
    ("calls", "call i", R * 150, 0),
    (None, "dec r; jnz i", R * 150, R),
    (None, "mov r,i; test r,i; jz i", R, R // 2),
    (None, "inc r", R // 2 * 60 + R // 2 * 59, R // 2 * 60 + R // 2 * 59),
    (None, "dec r; jnz i", R * 60, R),
    (None, "dec r; jnz i", R, 1),
    (None, "pop r; ret", 1, 0),
    (None, "mov r,i", R * 150, R * 150),
    ("leaf", "add r,r; xor r,r; dec r; jnz i", R * 150 * 5, R * 150),
    (None, "ret", R * 150, 0),
]
ALL = sum(len(text.split("; ")) * count for _, text, count, _ in BLOCKS)

# Loops: times they begin, iterations each time, instructions in all (what they call left out), depth,
# work. Every round is the same, so the outermost has what is in them and between them.
LEAF = R * 150 * (1 + 5 * 4 + 1)
LOOPS = {
    "round": (1, R, ALL - LEAF - 4, 1, None),
    "alu": (R, 4, R * 4 * (1 + 250 * 4 + 2), 2, "simple ALU"),
    "alu_inner": (R * 4, 250, R * 4 * 250 * 4, 3, "simple ALU"),
    "stream": (R, 500, R * 500 * 6, 2, "streaming"),
    "chase": (R, 1000, R * 1000 * 3, 2, "pointer chasing"),
    "float": (R, 300, R * 300 * 4, 2, "floating point"),
    "string": (R, 40, R * 40 * 5, 2, "string"),
    "control": (R, 200, R * (400 + 200 + 100 + 175 + 400), 2, "control"),
    "system": (R, 100, R * 100 * 4, 2, "system"),
    "calls": (R, 150, R * 150 * 3, 2, "control"),
    "leaf": (R * 150, 5, R * 150 * 5 * 4, 1, "simple ALU"),
}


def expected_sequences():
    """Runs of 2 to 8 instructions within a block, or across one step to the block below."""
    grams = Counter()
    for i, (_, text, count, falls) in enumerate(BLOCKS):
        tokens = text.split("; ")
        for n in range(2, 9):
            for at in range(len(tokens) - n + 1):
                grams[tuple(tokens[at : at + n])] += count
        if falls > 0:
            left, right = tokens[-7:], BLOCKS[i + 1][1].split("; ")[:7]
            for a in range(1, len(left) + 1):
                for b in range(1, min(len(right), 8 - a) + 1):
                    grams[tuple(left[-a:] + right[:b])] += falls
    shown = []
    for gram, count in sorted(grams.items(), key=lambda g: (-g[1] * len(g[0]), -len(g[0]))):
        inside = any(
            len(gram) < len(longer)
            and count * 9 <= times * 10
            and any(longer[at : at + len(gram)] == gram for at in range(len(longer) - len(gram) + 1))
            for longer, times in shown
        )
        if not inside:
            shown.append((gram, count))
    return {"; ".join(gram): count for gram, count in shown}


def equal(what, got, want):
    if got != want:
        sys.exit(f"{what}: {got}, by the source {want}")


def in_program(path):
    """address, size -> bytes, by the program headers of an ELF file"""
    data = open(path, "rb").read()
    at, size, n = struct.unpack_from("<32xQ14xHH", data)[0:3]
    loads = [struct.unpack_from("<IIQQQQ", data, at + i * size) for i in range(n)]

    def read(address, wanted):
        for kind, _, offset, start, _, length in loads:
            if kind == 1 and start <= address < start + length:
                return data[offset + address - start :][:wanted]
        return b""

    return read


def check_code(name, loop, read):
    """Blocks are the file's bytes, in order; ways in, round and out add up."""
    code, roles = loop["code"], Counter()
    equal(f"{name}: blocks", len(code), loop["blocks"])
    addresses = [int(block["address"], 16) for block in code]
    equal(f"{name}: order of blocks", addresses, sorted(set(addresses)))
    for block, address in zip(code, addresses):
        held = bytes.fromhex(block["bytes"])
        equal(f"{name}: bytes at {block['address']}", held, read(address, len(held)))
        physical = int(block["physical"], 16)
        equal(f"{name}: page offset of {block['address']}", physical % 4096, address % 4096)
    for edge in loop["edges"]:
        roles[edge["role"]] += edge["count"]
    equal(f"{name}: ways in", roles["entry"], loop["entries"])
    equal(f"{name}: ways round", roles["back"], loop["iterations"] - loop["entries"])
    equal(f"{name}: ways out", roles["exit"], loop["entries"])
    equal(f"{name}: calls", roles["call"], roles["return"] or roles["call"])
    per = loop["instructions"] / loop["iterations"]
    if abs(loop["instructions_per_iteration"] - per) > per * 1e-5:
        sys.exit(f"{name}: {loop['instructions_per_iteration']} instructions an iteration, not {per}")


where = dict(line.split() for line in open(sys.argv[1]) if " 0x" in line)
hot = json.load(open(sys.argv[2]))
whole = sys.argv[3] == "whole"
read = in_program(sys.argv[4])

equal("lost words", hot["lost_words"], 0)
equal("left out", (hot["ignored"], hot["truncated"]), (0, False))
if not whole:
    equal("instructions", hot["instructions"], ALL)
    equal("unexplained steps", hot["unexplained"], 0)
    equal("loops with two ways in", hot["irreducible"], 1)
    equal("number of loops", len(hot["loops"]), len(LOOPS))

loops = {loop["address"]: loop for loop in hot["loops"]}
for name, (entries, trips, instructions, depth, work) in LOOPS.items():
    loop = loops.get(where[name])
    if loop is None:
        sys.exit(f"{name}: no loop at {where[name]}, only at {sorted(loops)}")
    equal(f"{name}: entries", loop["entries"], entries)
    equal(f"{name}: iterations", loop["iterations"], entries * trips)
    equal(f"{name}: trips", loop["trips"], trips)
    equal(f"{name}: instructions", loop["instructions"], instructions)
    equal(f"{name}: depth", loop["depth"], depth)
    if work is not None:
        equal(f"{name}: work", loop["work"], work)
    check_code(name, loop, read)
equal("parent of the inner loop", loops[where["alu_inner"]]["parent"], where["alu"])
equal("different loops", len({loops[where[name]]["hash"] for name in LOOPS}), len(LOOPS))

if not whole:
    # Among equally hot ones any order will do; so will it where the tenth is one of several.
    want = expected_sequences()
    got = {s["sequence"]: s["count"] for s in hot["sequences"]}
    tenth = hot["sequences"][9]["instructions"]
    heat = lambda of: {s: n for s, n in of.items() if n * len(s.split("; ")) >= tenth}
    equal("hottest sequences", heat(got), heat(want))
    equal("all sequences", {s: got[s] for s in got if s in want}, {s: n for s, n in want.items() if s in got})
    equal("how many sequences there are", len(got), len(want))
    order = [s["instructions"] for s in hot["sequences"]]
    equal("order of sequences", order, sorted(order, reverse=True))
