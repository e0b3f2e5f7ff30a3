"""C text: lines of at most 100 columns, broken as clang-format would."""

LIMIT = 100


def wrap(line):
    """Breaks one statement or declaration after commas, operators and parentheses."""
    if len(line) <= LIMIT or line.lstrip().startswith(("/*", "#")):
        return line
    indent = len(line) - len(line.lstrip())
    stack, breaks, quoted = [], [], False
    last_break, start, pieces = None, 0, []
    column = 0
    previous = ""
    for at, char in enumerate(line):
        if char == '"' and previous != "\\":
            quoted = not quoted
        if not quoted:
            if char in "({":
                stack.append(column + 1 if char == "(" else indent + 4)
            elif char in ")}" and stack:
                stack.pop()
            elif char == " " and at > indent and (previous in ",{;" or line[at - 2:at] in ("&&", "||")
                                                  or line[at - 2:at] == " ="):
                last_break = (at, stack[-1] if stack else indent + 4)
        previous = char
        column += 1
        if column > LIMIT and last_break is not None:
            cut, pad = last_break
            pieces.append(line[start:cut].rstrip())
            shift = column - (at - cut)
            stack = [max(s - (shift - pad), indent + 4) if s > shift else s for s in stack]
            column = pad + (at - cut)
            start, last_break = cut + 1, None
            breaks.append(pad)
    pieces.append(line[start:])
    text = pieces[0]
    for pad, piece in zip(breaks, pieces[1:]):
        text += "\n" + " " * pad + piece
    return text


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
