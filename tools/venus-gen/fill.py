"""For tests: every command with arguments made up from a seed (vn_fill.h, vn_fill.c)."""
import re

import declare
import protocol
from cformat import comment
from wire import owner_variables


class Fill:
    def __init__(self, registry, wire, structs):
        self.registry, self.wire, self.structs = registry, wire, structs
        self.told = self.told_elsewhere()

    def header(self):
        out = declare.head(self.registry, "VT_VENUS_VN_FILL_H", comment(
            "venus/vn_fill.h - for tests: all commands with arguments made up from a seed, valid in "
            "form and meaningless."), ['"venus/vn_commands.h"'])
        out.raw("""
struct vn_fill {
    uint64_t state;                /**< the seed; not 0 */
    struct vt_venus_arena *arena;  /**< large enough for anything; never NULL from it */
    bool small;                    /**< numbers are small more often than not */
    /** Chooses handles; NULL: any number. */
    uint64_t (*handle)(struct vn_fill *fill, VkObjectType type);
    void *arg;                     /**< the caller's */
};

/** A command that can be written and read, by untyped pointers to its struct vn_<command>. */
struct vn_filled {
    const char *name;
    size_t size;
    void (*fill)(struct vn_fill *fill, void *args);
    void (*encode)(struct vt_venus_out *out, uint32_t flags, const void *args);
    bool (*decode)(struct vt_venus_in *in, void *args);
    void (*reply)(struct vt_venus_out *out, const void *args);
    bool (*decode_reply)(struct vt_venus_in *in, void *args);
    bool (*describe)(struct vt_venus_in *in, struct vt_venus_sink *sink);
    bool (*describe_reply)(struct vt_venus_in *in, struct vt_venus_sink *sink);
};
extern const struct vn_filled vn_filled[];
extern const size_t vn_filled_count;

#endif
""")
        return out.text()

    def lengths(self, owner):
        """Names of the variables that tell another's number of elements."""
        found = set()
        for variable in owner_variables(owner):
            if variable.dims:
                continue
            for length in variable.lens:
                if "->" not in length and "[" not in length:
                    found |= set(re.findall(r"[A-Za-z_]\w*", length))
        return found | self.told.get(owner.name, set())

    def told_elsewhere(self):
        """{structure: members that tell the length of a command's arrays}."""
        told = {}
        for command in self.registry.numbered:
            for argument in command.arguments:
                for length in argument.lens:
                    words = re.split(r"->|\[i\]\.", length)
                    if len(words) == 2:
                        first = next(a for a in command.arguments if a.name == words[0])
                        told.setdefault(first.type, set()).add(words[1])
        return told

    def value(self, out, owner, variable, target):
        """One value that is no pointer."""
        kind = self.registry.types[variable.type]
        plain = self.wire.scalar(variable.type)
        strided = [v for v in owner_variables(owner) if v.stride == variable.name]
        selected = [v for v in owner_variables(owner) if v.selector == variable.name]
        if strided:
            prefix = target[:-len(variable.name)]
            out.line(f"{target} = sizeof(*{prefix}{strided[0].name});")
        elif selected:
            union = self.registry.types[selected[0].type]
            choices = [m.selections[0] for m in union.members]
            out.line(f"static const {kind.name} {variable.name}_of[] = {{{', '.join(choices)}}};")
            out.line(f"{target} = {variable.name}_of[below(fill, {len(choices)})];")
        elif variable.name in self.lengths(owner):
            out.line(f"{target} = below(fill, 4);")
        elif plain in ("float", "double"):
            out.line(f"{target} = ({plain})below(fill, 1000) / 8;")
        elif plain is not None:
            out.line(f"{target} = ({kind.name})next(fill);")
        elif kind.category == "handle":
            out.line(f"{target} = ({kind.name})(uintptr_t)handle(fill, {kind.object_type});")
        elif kind.category == "union":
            selector = f", {self.prefix}{variable.selector}" if variable.selector else ""
            out.line(f"fill_{kind.name}(fill, {address(target)}{selector});")
        else:
            out.line(f"fill_{kind.name}(fill, {address(target)});")

    def variable(self, out, owner, variable, prefix):
        self.prefix = prefix
        target = prefix + variable.name
        kind = self.registry.types.get(variable.type)
        if variable.dims:
            count = " * ".join(variable.dims)
            if variable.type == "char":
                out.line(f"memset({target}, 0, sizeof({target}));")
                out.line(f"{target}[0] = (char)('a' + below(fill, 26));")
                return
            out.open(f"for (uint32_t i = 0; i < {count}; i++) {{")
            self.value(out, owner, variable, f"{target}[i]")
            out.shut()
        elif variable.stars and not self.registry.fits(variable):
            out.line(f"{target} = NULL;")
        elif variable.stars:
            optional = variable.is_optional()
            out.line(f"{target} = NULL;")
            guard = "if (below(fill, 4) > 0) {" if optional else "{"
            out.open(guard)
            if not variable.lens:
                out.line(f"{kind.name} *{variable.name} = room(fill, sizeof(*{variable.name}));")
                if variable.name in self.lengths(owner):
                    out.line(f"*{variable.name} = below(fill, 4);")
                else:
                    self.value(out, owner, variable, f"*{variable.name}")
                out.line(f"{target} = {variable.name};")
            elif variable.lens[0] == "null-terminated":
                out.line(f"{target} = word(fill);")
            else:
                self.array(out, owner, variable, prefix, target)
            out.shut()
        else:
            self.value(out, owner, variable, target)

    def array(self, out, owner, variable, prefix, target):
        count = self.wire.count(owner, variable, prefix)
        kind = "uint8_t" if variable.type == "void" else variable.type
        if variable.stars == 2:
            out.line(f"const {kind} **{variable.name} = room(fill, {count} * sizeof(*{variable.name}));")
            out.open(f"for (uint32_t i = 0; i < {count}; i++) {{")
            if variable.lens[1] == "null-terminated":
                out.line(f"{variable.name}[i] = word(fill);")
            else:
                inner = self.wire.count(owner, variable, prefix, 1)
                out.line(f"{kind} *inner = room(fill, {inner} * sizeof(*inner));")
                out.open(f"for (uint32_t j = 0; j < {inner}; j++) {{")
                self.value(out, owner, variable, "inner[j]")
                out.shut()
                out.line(f"{variable.name}[i] = inner;")
            out.shut()
        else:
            out.line(f"{kind} *{variable.name} = room(fill, {count} * sizeof(*{variable.name}));")
            out.open(f"for (uint32_t i = 0; i < {count}; i++) {{")
            if variable.type == "void":
                out.line(f"{variable.name}[i] = (uint8_t)next(fill);")
            else:
                self.value(out, owner, variable, f"{variable.name}[i]")
            out.shut()
        out.line(f"{target} = {variable.name};")

    def source(self):
        out = declare.head(self.registry, None, comment(
            "Commands with arguments made up from a seed."),
            ['"vn_fill.h"', '"venus/vn_say.h"'])
        out.raw("""
static uint64_t any(struct vn_fill *fill)
{
    fill->state ^= fill->state << 13;
    fill->state ^= fill->state >> 7;
    fill->state ^= fill->state << 17;
    return fill->state;
}
static uint64_t next(struct vn_fill *fill)
{
    uint64_t value = any(fill);
    return fill->small ? value >> (63 - value % 64 / 4 * 3 % 64) : value;
}
static uint64_t handle(struct vn_fill *fill, VkObjectType type)
{
    return fill->handle != NULL ? fill->handle(fill, type) : any(fill);
}
static uint32_t below(struct vn_fill *fill, uint32_t limit)
{
    return (uint32_t)((any(fill) >> 20) % limit);
}
static void *room(struct vn_fill *fill, size_t bytes)
{
    void *taken = vt_venus_arena_take(fill->arena, bytes + 1);
    memset(taken, 0, bytes + 1);
    return taken;
}
static const char *word(struct vn_fill *fill)
{
    uint32_t length = below(fill, 10);
    char *text = room(fill, length + 1);
    for (uint32_t i = 0; i < length; i++) {
        text[i] = (char)('a' + below(fill, 26));
    }
    return text;
}
struct link {
    VkStructureType type;
    size_t size;
    void (*fill)(struct vn_fill *fill, void *to);
};
/* Up to three structures, each at most once. */
static void *chain(struct vn_fill *fill, const struct link *links, uint32_t count)
{
    VkBaseOutStructure *first = NULL;
    uint32_t at = count;
    for (uint32_t left = below(fill, 4); left > 0 && at > 0; left--) {
        at = below(fill, at);
        VkBaseOutStructure *link = room(fill, links[at].size);
        link->sType = links[at].type;
        link->pNext = first;
        links[at].fill(fill, link);
        first = link;
    }
    return first;
}
""")
        out.line()
        for kind in self.structs.full:
            selector = ""
            if kind.category == "union" and self.structs.union_tag(kind):
                selector = f", {self.structs.union_tag(kind)} tag"
            if kind in self.structs.links:
                out.line(f"static void body_{kind.name}(struct vn_fill *fill, void *to_);")
            out.line(f"static void fill_{kind.name}(struct vn_fill *fill, {kind.name} *to{selector});")
        for kind in self.structs.full:
            self.struct(out, kind)
        for command in self.registry.numbered:
            if command.encodable:
                self.command(out, command)
        out.line()
        out.open("const struct vn_filled vn_filled[] = {")
        for command in self.registry.numbered:
            if command.encodable:
                name = command.name
                out.line(f'{{"{name}", sizeof(struct vn_{name}), fill_{name}, encode_{name}, decode_{name}, reply_{name}, decode_reply_{name}, vn_describe_{name}, vn_describe_reply_{name}}},')
        out.shut("};")
        out.line("const size_t vn_filled_count = sizeof(vn_filled) / sizeof(vn_filled[0]);")
        return out.text()

    def struct(self, out, kind):
        out.line()
        if kind.category == "union":
            tag = self.structs.union_tag(kind)
            out.line(f"static void fill_{kind.name}(struct vn_fill *fill, {kind.name} *to" + (f", {tag} tag)" if tag else ")"))
            out.open("{")
            out.line("memset(to, 0, sizeof(*to));")
            if tag:
                out.line("switch (tag) {")
                for constants, member in self.structs.union_cases(kind):
                    out.line(f"case {constants[0]}:")
                    out.depth += 1
                    self.variable(out, kind, member, "to->")
                    out.line("break;")
                    out.depth -= 1
                out.line("default:")
                out.line("    break;")
                out.line("}")
            else:
                self.variable(out, kind, kind.members[protocol.UNION_TAGS[kind.name]], "to->")
            out.shut()
            return
        link = kind in self.structs.links
        if kind.chain:
            out.open(f"static const struct link links_{kind.name}[] = {{")
            for other in kind.chain:
                out.line(f"{{{other.stype}, sizeof({other.name}), body_{other.name}}},")
            out.shut("};")
            out.line()
        if link:
            out.line(f"static void body_{kind.name}(struct vn_fill *fill, void *to_)")
            out.open("{")
            out.line(f"{kind.name} *to = to_;")
            self.members(out, kind)
            out.shut()
            out.line()
        out.line(f"__attribute__((unused)) static void fill_{kind.name}(struct vn_fill *fill, {kind.name} *to)")
        out.open("{")
        out.line("memset(to, 0, sizeof(*to));")
        if kind.stype:
            out.line(f"to->sType = {kind.stype};")
            if kind.chain:
                out.line(f"to->pNext = chain(fill, links_{kind.name}, {len(kind.chain)});")
        if link:
            out.line(f"body_{kind.name}(fill, to);")
        else:
            self.members(out, kind)
        out.shut()

    def members(self, out, kind):
        if not self.structs.bodies(kind):
            out.line("(void)fill;")
            out.line("(void)to;")
        # Counts first: some stand behind what they count.
        for member in self.structs.bodies(kind):
            self.variable(out, kind, member, "to->")
        if kind.name == "VkWriteDescriptorSet":
            out.line("to->descriptorType = VK_DESCRIPTOR_TYPE_SAMPLER;")
            out.line("to->descriptorCount = to->pImageInfo != NULL ? to->descriptorCount : 0;")

    def command(self, out, command):
        name = command.name
        out.line()
        out.line(f"static void fill_{name}(struct vn_fill *fill, void *args_)")
        out.open("{")
        out.line(f"struct vn_{name} *args = args_;")
        out.line("args->self = NULL;")
        for argument in command.arguments:
            self.variable(out, command, argument, "args->")
        if command.result != "void":
            out.line(f"args->ret = ({command.result})next(fill);")
        if not command.arguments and command.result == "void":
            out.line("(void)fill;")
        out.shut()
        for function, result, first, rest in (
                ("encode", "void", "struct vt_venus_out *out, uint32_t flags, const ", "out, flags, args"),
                ("decode", "bool", "struct vt_venus_in *in, ", "in, args"),
                ("reply", "void", "struct vt_venus_out *out, const ", "out, args"),
                ("decode_reply", "bool", "struct vt_venus_in *in, ", "in, args")):
            out.line(f"static {result} {function}_{name}({first}void *args)")
            out.open("{")
            out.line(f"{'return ' if result == 'bool' else ''}vn_{function}_{name}({rest});")
            out.shut()


def address(place):
    return place[1:] if place.startswith("*") else "&" + place
