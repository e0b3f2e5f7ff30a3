"""How a variable, a member or an argument, is read from a stream and written to it.

Three ways, as Mesa's driver has them: FULL, with its value; PARTIAL, for what a command returns:
only sType, pNext, handles and counts; and OUT, where only the number of elements is there."""
import re

import protocol

FULL, PARTIAL, OUT = "full", "partial", "out"

# Read and write one scalar: C type -> (reader, writer, C type of what is written).
READERS = {
    "float": ("vt_venus_f32(in)", "vt_venus_put_f32(out, {})"),
    "double": ("vt_venus_f64(in)", "vt_venus_put_f64(out, {})"),
    "uint32_t": ("vt_venus_u32(in)", "vt_venus_put_u32(out, {})"),
    "uint64_t": ("vt_venus_u64(in)", "vt_venus_put_u64(out, {})"),
    "size_t": ("vt_venus_u64(in)", "vt_venus_put_u64(out, {})"),
    "int32_t": ("(int32_t)vt_venus_u32(in)", "vt_venus_put_u32(out, (uint32_t){})"),
    "int64_t": ("(int64_t)vt_venus_u64(in)", "vt_venus_put_u64(out, (uint64_t){})"),
    "uint8_t": ("(uint8_t)vt_venus_u32(in)", "vt_venus_put_u32(out, {})"),
    "uint16_t": ("(uint16_t)vt_venus_u32(in)", "vt_venus_put_u32(out, {})"),
    "int8_t": ("(int8_t)vt_venus_u32(in)", "vt_venus_put_u32(out, (uint8_t){})"),
    "int16_t": ("(int16_t)vt_venus_u32(in)", "vt_venus_put_u32(out, (uint16_t){})"),
}
BYTES = {"float": 4, "double": 8, "uint8_t": 1, "uint16_t": 2, "uint32_t": 4, "uint64_t": 8,
         "int8_t": 1, "int16_t": 2, "int32_t": 4, "int64_t": 8, "size_t": 8, "char": 1}


class Wire:
    def __init__(self, registry):
        self.registry = registry
        self.layouts = {}
        self.minimums = {}

    # ---- types -----------------------------------------------------------------------------------

    def type(self, name):
        return self.registry.types[name]

    def scalar(self, name):
        """The plain C type of a scalar, or None."""
        kind = self.type(name)
        if kind.category == "scalar":
            return kind.base if kind.base in BYTES else None
        if kind.category == "flags":
            return "uint64_t" if kind.base == "VkFlags64" else "uint32_t"
        if kind.category == "enum":
            return "int32_t"
        return None

    def layout(self, name):
        """(bytes, alignment) of what is in the stream as it is in memory, or None."""
        if name in self.layouts:
            return self.layouts[name]
        kind = self.type(name)
        plain = self.scalar(name)
        found = None
        if plain is not None:
            found = (BYTES[plain], BYTES[plain])
        elif kind.category == "struct" and not kind.stype:
            at = align = 0
            for member in kind.members:
                inner = None if member.stars or member.dims or member.bits else self.layout(member.type)
                if inner is None or inner[0] < 4 or at % inner[1]:
                    at = None
                    break
                at += inner[0]
                align = max(align, inner[1])
            if at and at % align == 0:
                found = (at, align)
        self.layouts[name] = found
        return found

    def minimum(self, name):
        """Bytes that one of these takes in a stream, at least."""
        if name not in self.minimums:
            self.minimums[name] = 4
            kind = self.type(name)
            if kind.category == "handle":
                size = 8
            elif kind.category == "union":
                size = 8
            elif kind.category == "struct":
                size = 12 if kind.stype else 0
                for member in kind.members[2 if kind.stype else 0:]:
                    size += 8 if member.stars or member.dims else self.minimum(member.type)
            else:
                size = max(4, self.layout(name)[0])
            self.minimums[name] = size
        return self.minimums[name]

    # ---- expressions -----------------------------------------------------------------------------

    def count(self, owner, variable, prefix, level=0):
        """The number of elements that the other variables tell, as a C expression."""
        text = variable.lens[level]
        if text == "1":
            return "1"
        names = {v.name: v for v in owner_variables(owner)}

        def value(match):
            words = re.split(r"->|\[i\]\.", match.group())
            if words[0] not in names:
                return match.group()
            first = names[words[0]]
            base = prefix + words[0]
            if "[i]." in match.group():
                return f"({base} != NULL ? {base}[i].{words[1]} : 0)"
            if len(words) > 1:
                return f"({base} != NULL ? {base}->{words[1]} : 0)"
            if first.stars:
                return f"({base} != NULL ? *{base} : 0)"
            return f"(uint64_t){base}" if text != words[0] else base
        return re.sub(r"[A-Za-z_]\w*(?:(?:->|\[i\]\.)\w+)?", value, text)

    def where(self, owner, variable):
        struct = not hasattr(owner, "arguments")
        return f'"{owner.name}.{variable.name}"' if struct else f'"{variable.name}"'

    def mode(self, owner, variable, initialised):
        """How a variable is written that is, or is not, initialised by the guest."""
        if initialised:
            return FULL
        for other in owner_variables(owner):
            if other is not variable and not (other.dims and not other.dims[0].isdigit()):
                if any(re.match(r"^\W*" + variable.name + r"\b", length) for length in other.lens):
                    return FULL
        if self.type(variable.type).category in ("handle", "struct"):
            return PARTIAL
        return OUT

    def stays_id(self, owner, variable):
        return (owner.name, variable.name) in self.registry.ids

    # ---- reading ---------------------------------------------------------------------------------

    def read_one(self, out, owner, variable, target, mode, null):
        """One value, not a pointer, into `target`."""
        kind = self.type(variable.type)
        plain = self.scalar(variable.type)
        where = self.where(owner, variable)
        if plain is not None:
            reader = READERS[plain][0]
            if kind.category == "enum":
                reader = f"({kind.name})vt_venus_u32(in)"
            out.line(f"{target} = {reader};")
        elif kind.category == "handle":
            if mode == FULL and not self.stays_id(owner, variable):
                out.line(f"{target} = ({kind.name})(uintptr_t)vt_venus_in_handle(in, "
                         f"{kind.object_type}, {boolean(null)}, {where});")
            else:
                out.line(f"{target} = ({kind.name})(uintptr_t)vt_venus_u64(in);")
        elif kind.category == "union":
            if variable.selector:
                out.line(f"vn_in_{kind.name}(in, {address(target)}, {self.prefix}{variable.selector});")
            else:
                out.line(f"vn_in_{kind.name}(in, {address(target)});")
        elif mode == PARTIAL:
            if self.has_partial(kind):
                out.line(f"vn_in_partial_{kind.name}(in, {address(target)});")
        elif self.layout(kind.name):
            out.line(f"vt_venus_in_copy(in, {address(target)}, sizeof({target}));")
        else:
            out.line(f"vn_in_{kind.name}(in, {address(target)});")

    def has_partial(self, kind):
        """Whether anything of a structure is there when its values are not."""
        if kind.stype:
            return True
        return any(self.mode(kind, m, False) != OUT or m.stars for m in kind.members
                   if not (self.type(m.type).category == "struct" and not m.stars
                           and not self.has_partial(self.type(m.type)) and not m.dims))

    def read(self, out, owner, variable, prefix, mode):
        self.prefix = prefix
        target = prefix + variable.name
        where = self.where(owner, variable)
        kind = self.type(variable.type)
        null = boolean(variable.is_optional())
        if variable.dims:
            self.read_fixed(out, owner, variable, target, mode)
        elif variable.stars and not self.registry.fits(variable):
            out.line(f"{target} = vt_venus_in_none(in, {where});")
        elif variable.lens and variable.stars == 2:
            self.read_nested(out, owner, variable, prefix, target)
        elif variable.lens:
            self.read_array(out, owner, variable, prefix, target, mode)
        elif variable.stars:
            out.open(f"if (vt_venus_in_pointer(in, {null}, {where})) {{")
            out.line(f"{kind.name} *{variable.name} = vt_venus_alloc(in, sizeof(*{variable.name}));")
            out.open(f"if ({variable.name} != NULL) {{")
            if mode != FULL:
                out.line(f"memset({variable.name}, 0, sizeof(*{variable.name}));")
            if mode != OUT:
                self.read_one(out, owner, variable, f"*{variable.name}", mode, False)
            out.shut()
            out.line(f"{target} = {variable.name};")
            out.shut("} else {")
            out.depth += 1
            out.line(f"{target} = NULL;")
            out.shut()
        elif mode != OUT:
            self.read_one(out, owner, variable, target, mode, variable.is_optional())

    def read_fixed(self, out, owner, variable, target, mode):
        """An array within a structure."""
        where = self.where(owner, variable)
        count = "".join(variable.dims) if len(variable.dims) == 1 else " * ".join(variable.dims)
        layout = self.layout(variable.type)
        if mode == OUT:
            return
        if layout and mode == FULL:
            out.line(f"vt_venus_in_fixed(in, {target}, {count}, {layout[0]}, {where});")
            return
        kind = self.type(variable.type)
        if mode == PARTIAL and kind.category == "struct" and not self.has_partial(kind):
            out.line(f"(void)vt_venus_in_count(in, {count}, false, {where});")
            return
        out.open(f"if (vt_venus_in_count(in, {count}, false, {where})) {{")
        out.open(f"for (uint32_t i = 0; i < {count}; i++) {{")
        self.read_one(out, owner, variable, f"{target}[i]", mode, True)
        out.shut()
        if mode == FULL:
            out.shut("} else {")
            out.depth += 1
            out.line(f"memset({target}, 0, sizeof({target}));")
        out.shut()

    def read_array(self, out, owner, variable, prefix, target, mode):
        where = self.where(owner, variable)
        kind = self.type(variable.type) if variable.type != "void" else None
        null = boolean(variable.is_optional())
        if variable.lens[0] == "null-terminated":
            out.line(f"{target} = vt_venus_in_string(in, {null}, {where});")
            return
        count = self.count(owner, variable, prefix)
        layout = (1, 1) if kind is None else self.layout(kind.name)
        if layout:
            if mode == FULL:
                cast = "" if variable.const else f"({variable.type} *)"
                out.line(f"{target} = {cast}vt_venus_in_flat(in, {count}, {layout[0]}, {layout[1]}, {null}, {where});")
            else:
                out.line(f"{target} = vt_venus_in_space(in, {count}, {layout[0]}, {null}, {where});")
            return
        if kind.category == "handle":
            if mode == FULL and not self.stays_id(owner, variable):
                element = variable.unchecked or (len(variable.optional) > 1 and variable.optional[1])
                cast = "" if variable.const else f"({variable.type} *)"
                out.line(f"{target} = {cast}vt_venus_in_handles(in, {count}, {kind.object_type}, {null}, "
                         f"{boolean(element)}, {where});")
            else:
                out.line(f"{target} = vt_venus_in_ids(in, {count}, {null}, {where});")
            return
        long = "?" in count
        if long:
            out.line(f"uint32_t {variable.name}_count = {count};")
            count = f"{variable.name}_count"
        out.open(f"if (vt_venus_in_count(in, {count}, {null}, {where})) {{")
        minimum = self.minimum(kind.name) if mode == FULL else (12 if kind.stype else 0)
        self.fill_array(out, owner, variable, kind, count, target, mode, minimum, "i")
        out.shut("} else {")
        out.depth += 1
        out.line(f"{target} = NULL;")
        out.shut()

    def fill_array(self, out, owner, variable, kind, count, target, mode, minimum, index):
        where = self.where(owner, variable)
        name = variable.name if index == "i" else "inner"
        out.line(f"{kind.name} *{name} = vt_venus_alloc_array(in, {count}, sizeof(*{name}), {minimum}, {where});")
        fills = mode == FULL or self.has_partial(kind)
        if mode != FULL:
            out.open(f"if ({name} != NULL) {{")
            out.line(f"memset({name}, 0, {count} * sizeof(*{name}));")
            out.shut()
        if fills:
            out.open(f"for (uint32_t {index} = 0; {name} != NULL && {index} < {count}; {index}++) {{")
            self.read_one(out, owner, variable, f"{name}[{index}]", mode, False)
            out.shut()
        out.line(f"{target} = {name};")

    def read_nested(self, out, owner, variable, prefix, target):
        """An array of pointers to arrays."""
        where = self.where(owner, variable)
        kind = self.type(variable.type)
        null = boolean(variable.is_optional())
        count = self.count(owner, variable, prefix)
        name = variable.name
        out.open(f"if (vt_venus_in_count(in, {count}, {null}, {where})) {{")
        out.line(f"const {kind.name} **{name} = vt_venus_alloc_array(in, {count}, sizeof(*{name}), 8, {where});")
        out.open(f"for (uint32_t i = 0; {name} != NULL && i < {count}; i++) {{")
        if variable.lens[1] == "null-terminated":
            out.line(f"{name}[i] = vt_venus_in_string(in, false, {where});")
        else:
            inner = self.count(owner, variable, prefix, 1)
            layout = self.layout(kind.name)
            if layout:
                out.line(f"{name}[i] = vt_venus_in_flat(in, {inner}, {layout[0]}, {layout[1]}, false, {where});")
            else:
                out.line(f"{name}[i] = NULL;")
                out.open(f"if (vt_venus_in_count(in, {inner}, false, {where})) {{")
                self.fill_array(out, owner, variable, kind, inner, f"{name}[i]", FULL,
                                self.minimum(kind.name), "j")
                out.shut()
        out.shut()
        out.line(f"{target} = {name};")
        out.shut("} else {")
        out.depth += 1
        out.line(f"{target} = NULL;")
        out.shut()

    def plain_bytes(self, variable):
        """Bytes of a value that lies in the stream as in memory; 0 if it does not."""
        if variable.stars or variable.dims or self.type(variable.type).category == "union":
            return 0
        layout = self.layout(variable.type)
        return layout[0] if layout and layout[0] >= 4 else 0

    def read_all(self, out, owner, variables, prefix, mode):
        """Variables one after the other, `mode` of each (None: not there); neighbours of plain
        values are taken from the stream at once."""
        at = 0
        while at < len(variables):
            run = []
            while at < len(variables) and mode(variables[at]) == FULL and \
                    self.plain_bytes(variables[at]) and \
                    sum(map(self.plain_bytes, run)) + self.plain_bytes(variables[at]) <= 256:
                run.append(variables[at])
                at += 1
            if len(run) > 1:
                self.read_run(out, run, prefix)
                continue
            if run:
                at -= 1
            if mode(variables[at]):
                self.read(out, owner, variables[at], prefix, mode(variables[at]))
            at += 1

    def read_run(self, out, run, prefix):
        name = f"at_{run[0].name}"
        total = sum(map(self.plain_bytes, run))
        out.line(f"const uint8_t *{name} = vt_venus_in_plain(in, {total});")
        offset = 0
        for variable in run:
            size = self.plain_bytes(variable)
            place = f"{name} + {offset}" if offset else name
            out.line(f"memcpy(&{prefix}{variable.name}, {place}, {size});")
            offset += size

    # ---- writing ---------------------------------------------------------------------------------

    def write_one(self, out, variable, source, mode):
        kind = self.type(variable.type)
        plain = self.scalar(variable.type)
        if plain is not None:
            out.line(READERS[plain][1].format(source) + ";")
        elif kind.category == "handle":
            out.line(f"vt_venus_put_u64(out, (uint64_t)(uintptr_t){source});")
        elif kind.category == "union":
            selector = f", {self.prefix}{variable.selector}" if variable.selector else ""
            out.line(f"vn_put_{kind.name}(out, {address(source)}{selector});")
        elif mode == PARTIAL:
            if self.has_partial(kind):
                out.line(f"vn_put_partial_{kind.name}(out, {address(source)});")
        elif self.layout(kind.name):
            out.line(f"vt_venus_put_bytes(out, {address(source)}, sizeof({source}));")
        else:
            out.line(f"vn_put_{kind.name}(out, {address(source)});")

    def write(self, out, owner, variable, prefix, mode):
        self.prefix = prefix
        source = prefix + variable.name
        kind = self.type(variable.type) if variable.type != "void" else None
        if variable.dims:
            self.write_fixed(out, variable, source, mode)
        elif variable.stars and not self.registry.fits(variable):
            out.line(f"vt_venus_put_pointer(out, NULL); /* {variable.name} */")
        elif variable.lens and variable.stars == 2:
            self.write_nested(out, owner, variable, prefix, source)
        elif variable.lens:
            self.write_array(out, owner, variable, prefix, source, mode)
        elif variable.stars:
            element = f"*{source}"
            if mode == OUT or (mode == PARTIAL and kind.category == "struct" and not self.has_partial(kind)):
                out.line(f"vt_venus_put_pointer(out, {source});")
            else:
                out.open(f"if (vt_venus_put_pointer(out, {source})) {{")
                self.write_one(out, variable, element, mode)
                out.shut()
        elif mode != OUT:
            self.write_one(out, variable, source, mode)

    def write_fixed(self, out, variable, source, mode):
        count = " * ".join(variable.dims)
        layout = self.layout(variable.type)
        if mode == OUT:
            return
        if layout and mode == FULL:
            out.line(f"vt_venus_put_flat(out, {source}, {count}, {layout[0]});")
            return
        kind = self.type(variable.type)
        out.line(f"vt_venus_put_u64(out, {count});")
        if mode == PARTIAL and kind.category == "struct" and not self.has_partial(kind):
            return
        out.open(f"for (uint32_t i = 0; i < {count}; i++) {{")
        self.write_one(out, variable, f"{source}[i]", mode)
        out.shut()

    def write_array(self, out, owner, variable, prefix, source, mode):
        kind = self.type(variable.type) if variable.type != "void" else None
        if variable.lens[0] == "null-terminated":
            out.line(f"vt_venus_put_string(out, {source});")
            return
        count = self.count(owner, variable, prefix)
        condition = protocol.IGNORABLE.get((owner.name, variable.name))
        if condition:
            condition = re.sub(r"\b[a-z]\w*", lambda m: prefix + m.group(), condition)
            source = f"({condition} ? {source} : NULL)"
        layout = (1, 1) if kind is None else self.layout(kind.name)
        if mode == OUT or (mode == PARTIAL and kind.category == "struct" and not self.has_partial(kind)):
            out.line(f"vt_venus_put_count(out, {source}, {count});")
        elif layout:
            out.line(f"vt_venus_put_flat(out, {source}, {count}, {layout[0]});")
        elif kind.category == "handle":
            out.line(f"vt_venus_put_flat(out, {source}, {count}, 8);")
        else:
            if "?" in count:
                out.line(f"uint32_t {variable.name}_count = {count};")
                count = f"{variable.name}_count"
            out.open(f"if (vt_venus_put_count(out, {source}, {count})) {{")
            out.open(f"for (uint32_t i = 0; i < {count}; i++) {{")
            element = f"{source}[i]"
            if variable.stride:
                element = f"*(const {kind.name} *)((const char *){source} + i * {prefix}{variable.stride})"
            self.write_one(out, variable, element, mode)
            out.shut()
            out.shut()

    def write_nested(self, out, owner, variable, prefix, source):
        kind = self.type(variable.type)
        count = self.count(owner, variable, prefix)
        out.open(f"if (vt_venus_put_count(out, {source}, {count})) {{")
        out.open(f"for (uint32_t i = 0; i < {count}; i++) {{")
        if variable.lens[1] == "null-terminated":
            out.line(f"vt_venus_put_string(out, {source}[i]);")
        else:
            inner = self.count(owner, variable, prefix, 1)
            layout = self.layout(kind.name)
            if layout:
                out.line(f"vt_venus_put_flat(out, {source}[i], {inner}, {layout[0]});")
            else:
                out.line(f"vt_venus_put_u64(out, {inner});")
                out.open(f"for (uint32_t j = 0; j < {inner}; j++) {{")
                self.write_one(out, variable, f"{source}[i][j]", FULL)
                out.shut()
        out.shut()
        out.shut()


def owner_variables(owner):
    return owner.arguments if hasattr(owner, "arguments") else owner.members


def address(place):
    return place[1:] if place.startswith("*") else "&" + place


def boolean(value):
    return "true" if value else "false"
