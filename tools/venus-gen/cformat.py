"""C text: lines of at most 100 columns, broken as clang-format would."""

import re

LIMIT = 100


def wrap(line):
    """Breaks one statement or declaration: behind commas and operators, below the innermost
    parenthesis; where that leaves no room, behind "=" or an opening parenthesis first."""
    if len(line) <= LIMIT or line.lstrip().startswith(("/*", "#")):
        return line
    indent = len(line) - len(line.lstrip())
    text = below(line, 0)
    if longest(text) <= LIMIT:
        return text
    equals = line.find(" = ")
    if equals > 0 and "for (" not in line:
        rest = below(" " * (indent + 4) + line[equals + 3:], 0)
        text = line[:equals + 2] + "\n" + rest
        if longest(text) <= LIMIT:
            return text
        line, head = " " * (indent + 4) + line[equals + 3:], line[:equals + 2] + "\n"
        indent += 4
    else:
        head = ""
    # Behind the parenthesis before the first argument.
    for match in re.finditer(r"(?<=\w)\((?=[\w\"&!(*])", line):
        cut = match.end()
        if cut <= LIMIT:
            tried = head + line[:cut] + "\n" + below(" " * (indent + 4) + line[cut:], 1)
            if longest(tried) <= LIMIT:
                return tried
    return text


def longest(text):
    return max(len(line) for line in text.split("\n"))


def below(line, depth):
    """Breaks a line at its last space before the limit, again and again; `depth` parentheses are
    open already."""
    indent = len(line) - len(line.lstrip())
    stack = [indent] * depth
    last, quoted, previous, start, column = None, False, "", 0, 0
    pieces, pads = [], []
    for at, char in enumerate(line):
        if char == '"' and previous != "\\":
            quoted = not quoted
        if not quoted:
            if char in "({":
                stack.append(column + 1 if char == "(" else indent + 4)
            elif char in ")}" and stack:
                stack.pop()
            elif char == " " and at > indent and (
                    previous in ",{;" or line[at - 2:at] in ("&&", "||") or line[at - 2:at] == " ="):
                last = (at, stack[-1] if stack else indent + 4)
        previous = char
        column += 1
        if column > LIMIT and last is not None:
            cut, pad = last
            pieces.append(line[start:cut].rstrip())
            moved = column - (at - cut) - pad
            stack = [s - moved if s > column - (at - cut) else s for s in stack]
            column = pad + (at - cut)
            start, last = cut + 1, None
            pads.append(pad)
    pieces.append(line[start:])
    return "\n".join([pieces[0]] + [" " * pad + piece for pad, piece in zip(pads, pieces[1:])])


class Writer:
    """Collects lines; `open` and `shut` keep the depth of blocks."""

    def __init__(self):
        self.lines, self.depth = [], 0

    def line(self, text=""):
        self.lines.append(wrap("    " * self.depth + text) if text else "")

    def open(self, text):
        self.line(text)
        self.depth += 1

    def shut(self, text="}"):
        self.depth -= 1
        self.line(text)

    def raw(self, text):
        self.lines += text.strip("\n").split("\n")

    def text(self):
        return "\n".join(self.lines) + "\n"


def comment(text):
    """A comment as a block of at most 100 columns."""
    words, lines, line = text.split(), [], "/*"
    for word in words:
        if len(line) + 1 + len(word) > LIMIT - 3:
            lines.append(line)
            line = " *"
        line += " " + word
    lines.append(line + " */")
    return "\n".join(lines)
