"""Sources that read and write structures and unions: vn_structs.h, vn_structs_in.c, vn_structs_put.c
and the chains."""
import declare
import protocol
from cformat import comment
from wire import FULL


class Structs:
    def __init__(self, registry, wire):
        self.registry, self.wire = registry, wire
        self.collect()

    def collect(self):
        """Which structures are read with their values, and which also without."""
        self.full, self.partial = [], set()
        seen = set()

        def visit(name):
            kind = self.registry.types.get(name)
            if kind is None or kind.category not in ("struct", "union") or name in seen:
                return
            if not self.registry.type_fits(name):
                return
            seen.add(name)
            for other in [m.type for m in kind.members] + [k.name for k in kind.chain]:
                visit(other)
            self.full.append(kind)

        def visit_partial(name):
            kind = self.registry.types.get(name)
            if kind is None or kind.category != "struct" or name in self.partial:
                return
            self.partial.add(name)
            for other in [m.type for m in kind.members] + [k.name for k in kind.chain]:
                visit_partial(other)

        for command in self.registry.numbered:
            if command.encodable:
                for argument in command.arguments:
                    visit(argument.type)
                    if argument.stars and not argument.const:
                        visit_partial(argument.type)
        self.links = [k for k in self.full if k.extends and k.stype]
        self.chains = [k for k in self.full if k.stype]

    def bodies(self, kind):
        return kind.members[2:] if kind.stype else kind.members

    def has_body(self, kind, partial):
        if not partial:
            return len(kind.members) > 2
        return kind.name in self.partial and any(
            self.partial_mode(kind, m) is not None for m in self.bodies(kind))

    def partial_mode(self, kind, member):
        """How a member is there without its values; None: not at all."""
        mode = self.wire.mode(kind, member, False)
        if mode == "out" and (not member.stars or member.dims):
            return None
        inner = self.registry.types.get(member.type)
        if mode == "partial" and inner.category == "struct" and not member.stars and \
                not member.dims and not self.wire.has_partial(inner):
            return None
        return mode

    # ---- the header ------------------------------------------------------------------------------

    def header(self):
        out = declare.head(self.registry, "VT_VENUS_VN_STRUCTS_H", comment(
            "venus/vn_structs.h - what reads and writes Vulkan's structures; for generated sources "
            "only. vn_in_X reads one with its values, vn_in_partial_X one that a command returns; "
            "vn_put_X and vn_put_partial_X write them. A structure's body is what comes after sType "
            "and pNext. Structures that are in a stream as they are in memory have no functions."),
            ['"venus/vn_mesa.h"', '"venus/wire.h"'])
        out.raw("""
/** Reads a reply's number, which has to be this one. */
static inline void vt_venus_in_number(struct vt_venus_in *in, uint32_t number, const char *command)
{
    uint32_t found = vt_venus_u32(in);
    if (found != number) {
        vt_venus_fail(in, VT_VENUS_VALUE, command, found, number);
    }
}
""")
        out.line()
        for kind in self.chains:
            out.line(f"extern const struct vn_chain vn_chain_{kind.name};")
        for kind in self.full:
            if kind.category == "union":
                tag = self.union_tag(kind)
                extra = f", {tag} tag" if tag else ""
                out.line(f"void vn_in_{kind.name}(struct vt_venus_in *in, {kind.name} *to{extra});")
                out.line(f"void vn_put_{kind.name}(struct vt_venus_out *out, const {kind.name} *from{extra});")
                continue
            if not self.wire.layout(kind.name):
                out.line(f"void vn_in_{kind.name}(struct vt_venus_in *in, {kind.name} *to);")
                out.line(f"void vn_put_{kind.name}(struct vt_venus_out *out, const {kind.name} *from);")
            if kind.name in self.partial and self.wire.has_partial(kind):
                out.line(f"void vn_in_partial_{kind.name}(struct vt_venus_in *in, {kind.name} *to);")
                out.line(f"void vn_put_partial_{kind.name}(struct vt_venus_out *out, const {kind.name} *from);")
            if kind in self.links:
                for partial in (False, True):
                    if self.has_body(kind, partial):
                        word = "partial_body" if partial else "body"
                        out.line(f"void vn_in_{word}_{kind.name}(struct vt_venus_in *in, void *to);")
                        out.line(f"void vn_put_{word}_{kind.name}(struct vt_venus_out *out, const void *from);")
        out.line()
        out.line("#endif")
        return out.text()

    def union_tag(self, kind):
        """The type of the member elsewhere that tells which one counts, or None: a number is before it."""
        if not all(m.selections for m in kind.members):
            return None
        for other in self.full:
            for member in other.members:
                if member.type == kind.name and member.selector:
                    return next(m.type for m in other.members if m.name == member.selector)
        return None

    # ---- functions -------------------------------------------------------------------------------

    def head(self, about, *more):
        return declare.head(self.registry, None, comment(about),
                            [*more, '"venus/vn_structs.h"', "", "<assert.h>"])

    def reading(self):
        out = self.head("Vulkan's structures, read from a stream.")
        for kind in self.full:
            if kind.category == "union":
                self.read_union(out, kind)
                continue
            for partial in (False, True):
                if partial and (kind.name not in self.partial or not self.wire.has_partial(kind)):
                    continue
                if not partial and self.wire.layout(kind.name):
                    out.line()
                    size = self.wire.layout(kind.name)[0]
                    out.line(f'static_assert(sizeof({kind.name}) == {size}, "as on the wire");')
                    continue
                self.read_struct(out, kind, partial)
        return out.text()

    def read_struct(self, out, kind, partial):
        word = "partial_" if partial else ""
        link = kind in self.links
        body = self.has_body(kind, partial)
        if link and body:
            out.line()
            out.line(f"void vn_in_{word}body_{kind.name}(struct vt_venus_in *in, void *to_)")
            out.open("{")
            out.line(f"{kind.name} *to = to_;")
            self.read_members(out, kind, partial)
            out.shut()
        out.line()
        out.line(f"void vn_in_{word}{kind.name}(struct vt_venus_in *in, {kind.name} *to)")
        out.open("{")
        if kind.stype:
            out.line(f'to->sType = vt_venus_in_type(in, {kind.stype}, "{kind.name}");')
            out.line(f"to->pNext = vt_venus_in_chain(in, &vn_chain_{kind.name}, {'true' if partial else 'false'});")
        if link and body:
            out.line(f"vn_in_{word}body_{kind.name}(in, to);")
        elif body or not kind.stype:
            self.read_members(out, kind, partial)
        if not partial and kind.name in protocol.CHECKS:
            out.line(f"{protocol.CHECKS[kind.name]}(in, to);")
        out.shut()

    def read_members(self, out, kind, partial):
        before = len(out.lines)
        self.read_each(out, kind, partial)
        if not any("to->" in line for line in out.lines[before:]):
            out.line("(void)to;")

    def read_each(self, out, kind, partial):
        self.wire.read_all(out, kind, self.bodies(kind), "to->",
                           lambda member: self.partial_mode(kind, member) if partial else FULL)

    def union_cases(self, kind):
        """(C constants, member) of each case."""
        if self.union_tag(kind):
            return [(m.selections, m) for m in kind.members]
        return [([str(i)], m) for i, m in enumerate(kind.members)]

    def read_union(self, out, kind):
        tag = self.union_tag(kind)
        out.line()
        out.line(f"void vn_in_{kind.name}(struct vt_venus_in *in, {kind.name} *to" + (f", {tag} tag)" if tag else ")"))
        out.open("{")
        out.line("uint32_t which = vt_venus_u32(in);")
        if tag:
            out.open("if (which != (uint32_t)tag) {")
            out.line(f'vt_venus_fail(in, VT_VENUS_TAG, "{kind.name}", which, (uint64_t)tag);')
            out.shut()
        out.line("memset(to, 0, sizeof(*to));")
        out.line("switch (which) {")
        for constants, member in self.union_cases(kind):
            if not self.registry.fits(member):
                continue
            for constant in constants:
                out.line(f"case {constant}:")
            out.depth += 1
            self.wire.read(out, kind, member, "to->", FULL)
            out.line("break;")
            out.depth -= 1
        out.line("default:")
        out.line(f'    vt_venus_fail(in, VT_VENUS_TAG, "{kind.name}", which, 0);')
        out.line("}")
        out.shut()

    def writing(self):
        out = self.head("Vulkan's structures, written to a stream.")
        for kind in self.full:
            if kind.category == "union":
                self.write_union(out, kind)
                continue
            for partial in (False, True):
                if partial and (kind.name not in self.partial or not self.wire.has_partial(kind)):
                    continue
                if partial or not self.wire.layout(kind.name):
                    self.write_struct(out, kind, partial)
        return out.text()

    def write_struct(self, out, kind, partial):
        word = "partial_" if partial else ""
        link = kind in self.links
        body = self.has_body(kind, partial)
        if link and body:
            out.line()
            out.line(f"void vn_put_{word}body_{kind.name}(struct vt_venus_out *out, const void *from_)")
            out.open("{")
            out.line(f"const {kind.name} *from = from_;")
            self.write_members(out, kind, partial)
            out.shut()
        out.line()
        out.line(f"void vn_put_{word}{kind.name}(struct vt_venus_out *out, const {kind.name} *from)")
        out.open("{")
        if kind.stype:
            out.line(f"vt_venus_put_u32(out, {kind.stype});")
            out.line(f"vt_venus_put_chain(out, &vn_chain_{kind.name}, from->pNext, {'true' if partial else 'false'});")
        if link and body:
            out.line(f"vn_put_{word}body_{kind.name}(out, from);")
        elif body or not kind.stype:
            self.write_members(out, kind, partial)
        out.shut()

    def write_members(self, out, kind, partial):
        before = len(out.lines)
        self.write_each(out, kind, partial)
        if not any("from->" in line for line in out.lines[before:]):
            out.line("(void)from;")

    def write_each(self, out, kind, partial):
        for member in self.bodies(kind):
            if not partial:
                self.wire.write(out, kind, member, "from->", FULL)
            elif self.partial_mode(kind, member):
                self.wire.write(out, kind, member, "from->", self.partial_mode(kind, member))

    def write_union(self, out, kind):
        tag = self.union_tag(kind)
        out.line()
        out.line(f"void vn_put_{kind.name}(struct vt_venus_out *out, const {kind.name} *from" + (f", {tag} tag)" if tag else ")"))
        out.open("{")
        if tag is None:
            number = protocol.UNION_TAGS[kind.name]
            out.line(f"vt_venus_put_u32(out, {number});")
            self.wire.write(out, kind, kind.members[number], "from->", FULL)
            out.shut()
            return
        out.line("vt_venus_put_u32(out, (uint32_t)tag);")
        out.line("switch (tag) {")
        for constants, member in self.union_cases(kind):
            for constant in constants:
                out.line(f"case {constant}:")
            out.depth += 1
            self.wire.write(out, kind, member, "from->", FULL)
            out.line("break;")
            out.depth -= 1
        out.line("default:")
        out.line("    break;")
        out.line("}")
        out.shut()

    def chain_tables(self):
        out = self.head("Which structures may stand in whose chain, by sType.", '"venus/vn_say.h"')
        for kind in self.links:
            out.line()
            out.open(f"static const struct vn_struct struct_{kind.name} = {{")
            out.line(f".type = {kind.stype},")
            out.line(f".size = sizeof({kind.name}),")
            out.line(f'.name = "{kind.name}",')
            for partial, word in ((False, ""), (True, "_partial")):
                if self.has_body(kind, partial):
                    body = "partial_body" if partial else "body"
                    out.line(f".in{word} = vn_in_{body}_{kind.name},")
                    out.line(f".put{word} = vn_put_{body}_{kind.name},")
            if self.bodies(kind):
                out.line(f".say = vn_say_body_{kind.name},")
            out.shut("};")
        for kind in self.chains:
            out.line()
            if kind.chain:
                out.open(f"static const struct vn_struct *const in_{kind.name}[] = {{")
                for link in kind.chain:
                    out.line(f"&struct_{link.name},")
                out.shut("};")
            links = f"in_{kind.name}" if kind.chain else "NULL"
            out.line(f'const struct vn_chain vn_chain_{kind.name} = {{"{kind.name}.pNext", {links}, {len(kind.chain)}}};')
        return out.text()
