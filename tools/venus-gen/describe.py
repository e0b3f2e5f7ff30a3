"""Sources that say what commands, replies and structures hold: vn_say.h, vn_words.c,
vn_structs_say.c and a file of commands' describers."""
import declare
from cformat import comment
from wire import FULL


class Describe:
    def __init__(self, registry, wire, structs, commands):
        self.registry, self.wire, self.structs, self.commands = registry, wire, structs, commands
        self.words_used = set()

    # ---- values ----------------------------------------------------------------------------------

    def value(self, out, variable, name, source):
        """One value that is no pointer; `name` is a C expression."""
        kind = self.registry.types[variable.type]
        plain = self.wire.scalar(variable.type)
        if kind.name == "VkBool32":
            out.line(f"vn_say_bool(say, {name}, {source});")
        elif kind.category == "enum":
            self.words_used.add(kind.name)
            out.line(f'vn_say_enum(say, {name}, "{kind.name}", &vn_words_{kind.name}, (int32_t){source});')
        elif kind.category == "flags" and kind.bits and self.registry.types[kind.bits].values:
            self.words_used.add(kind.bits)
            out.line(f'vn_say_bits(say, {name}, "{kind.name}", &vn_words_{kind.bits}, {source});')
        elif plain in ("float", "double"):
            out.line(f'vn_say_real(say, {name}, "{kind.name}", {"(double)" if plain == "float" else ""}{source});')
        elif plain is not None:
            word = "signed" if plain.startswith("int") else "unsigned"
            out.line(f'vn_say_{word}(say, {name}, "{kind.name}", {source});')
        elif kind.category == "handle":
            out.line(f'vn_say_handle(say, {name}, "{kind.name}", (uint64_t)(uintptr_t){source});')
        else:
            selector = f", {self.prefix}{variable.selector}" if variable.selector else ""
            out.line(f"vn_say_{kind.name}(say, {name}, {address(source)}{selector});")

    def elements(self, out, variable, name, count, source):
        out.line(f'vn_say_open(say, {name}, "{variable.type}", true);')
        out.open(f"for (uint32_t i = 0; say->going && i < {count}; i++) {{")
        out.line("char index[16];")
        self.value(out, variable, "vn_say_index(index, i)", f"{source}[i]")
        out.shut()
        out.line("vn_say_shut(say);")

    def variable(self, out, owner, variable, prefix):
        self.prefix = prefix
        source = prefix + variable.name
        name = f'"{variable.name}"'
        there = f'if (vn_say_there(say, {name}, "{variable.type}", {source})) {{'
        if variable.dims:
            count = " * ".join(variable.dims)
            if variable.type == "char":
                out.line(f"vn_say_text(say, {name}, {source}, sizeof({source}));")
            elif variable.type == "uint8_t":
                out.line(f'vn_say_blob(say, {name}, "uint8_t", {source}, sizeof({source}));')
            else:
                self.elements(out, variable, name, count, source)
        elif variable.stars and not self.registry.fits(variable):
            out.line(f'vn_say_null(say, {name}, "{variable.type}");')
        elif variable.lens and variable.lens[0] == "null-terminated":
            out.line(f"vn_say_string(say, {name}, {source});")
        elif variable.lens and variable.stars == 2:
            self.nested(out, owner, variable, prefix, name, source, there)
        elif variable.lens:
            count = self.wire.count(owner, variable, prefix)
            if variable.type in ("void", "uint8_t"):
                out.line(f'vn_say_blob(say, {name}, "{variable.type}", {source}, {count});')
            elif variable.name == "pCode":
                out.line(f'vn_say_blob(say, {name}, "{variable.type}", {source}, 4 * ({count}));')
            else:
                out.open(there)
                self.elements(out, variable, name, count, source)
                out.shut()
        elif variable.stars:
            out.open(there)
            self.value(out, variable, name, "*" + source)
            out.shut()
        else:
            self.value(out, variable, name, source)

    def nested(self, out, owner, variable, prefix, name, source, there):
        count = self.wire.count(owner, variable, prefix)
        out.open(there)
        out.line(f'vn_say_open(say, {name}, "{variable.type}", true);')
        out.open(f"for (uint32_t i = 0; say->going && i < {count}; i++) {{")
        out.line("char index[16];")
        if variable.lens[1] == "null-terminated":
            out.line(f"vn_say_string(say, vn_say_index(index, i), {source}[i]);")
        else:
            inner = self.wire.count(owner, variable, prefix, 1)
            out.line(f'vn_say_open(say, vn_say_index(index, i), "{variable.type}", true);')
            out.open(f"for (uint32_t j = 0; {source}[i] != NULL && say->going && j < {inner}; j++) {{")
            self.value(out, variable, "vn_say_index(index, j)", f"{source}[i][j]")
            out.shut()
            out.line("vn_say_shut(say);")
        out.shut()
        out.line("vn_say_shut(say);")
        out.shut()

    # ---- structures ------------------------------------------------------------------------------

    def structures(self):
        out = declare.head(self.registry, None, comment("What Vulkan's structures hold, said to a sink."),
                           ['"venus/vn_say.h"'])
        for kind in self.structs.full:
            out.line()
            if kind.category == "union":
                self.union(out, kind)
                continue
            link = kind in self.structs.links
            body = self.structs.bodies(kind)
            if link and body:
                out.line(f"void vn_say_body_{kind.name}(struct vn_say *say, const void *from_)")
                out.open("{")
                out.line(f"const {kind.name} *from = from_;")
                self.members(out, kind)
                out.shut()
                out.line()
            out.line(f"void vn_say_{kind.name}(struct vn_say *say, const char *name, const {kind.name} *from)")
            out.open("{")
            out.line(f'vn_say_open(say, name, "{kind.name}", false);')
            if kind.stype:
                out.line(f"vn_say_chain(say, &vn_chain_{kind.name}, from->pNext);")
            if link and body:
                out.line(f"vn_say_body_{kind.name}(say, from);")
            else:
                self.members(out, kind)
            out.line("vn_say_shut(say);")
            out.shut()
        return out.text()

    def members(self, out, kind):
        for member in self.structs.bodies(kind):
            self.variable(out, kind, member, "from->")

    def union(self, out, kind):
        import protocol
        tag = self.structs.union_tag(kind)
        out.line(f"void vn_say_{kind.name}(struct vn_say *say, const char *name, const {kind.name} *from"
                 + (f", {tag} tag)" if tag else ")"))
        out.open("{")
        out.line(f'vn_say_open(say, name, "{kind.name}", false);')
        if tag:
            out.line("switch (tag) {")
            for constants, member in self.structs.union_cases(kind):
                for constant in constants:
                    out.line(f"case {constant}:")
                out.depth += 1
                self.variable(out, kind, member, "from->")
                out.line("break;")
                out.depth -= 1
            out.line("default:")
            out.line("    break;")
            out.line("}")
        else:
            self.variable(out, kind, kind.members[protocol.UNION_TAGS[kind.name]], "from->")
        out.line("vn_say_shut(say);")
        out.shut()

    # ---- commands --------------------------------------------------------------------------------

    def calls(self):
        out = declare.head(self.registry, None, comment(
            "What commands and their replies hold, said to a sink."),
            ['"venus/vn_commands.h"', '"venus/vn_say.h"'])
        for command in self.registry.numbered:
            if command.encodable:
                self.command(out, command)
                self.reply(out, command)
        return out.text()

    def command(self, out, command):
        name = command.name
        out.line()
        out.line(f"bool vn_describe_{name}(struct vt_venus_in *in, struct vt_venus_sink *sink)")
        out.open("{")
        out.line(f"struct vn_{name} args;")
        out.open(f"if (!vn_decode_{name}(in, &args)) {{")
        out.line("return false;")
        out.shut()
        out.line("struct vn_say speaker = {.sink = sink, .going = true};")
        out.line("struct vn_say *say = &speaker;")
        for argument in command.arguments:
            if self.commands.is_out(argument) and self.commands.mode(command, argument) != FULL:
                self.returned(out, command, argument)
            else:
                self.variable(out, command, argument, "args.")
        out.line("return say->going;")
        out.shut()

    def returned(self, out, command, argument):
        """An argument in which the command returns something: ids are there already."""
        kind = self.registry.types.get(argument.type) if argument.type != "void" else None
        if kind is not None and kind.category == "handle":
            self.variable(out, command, argument, "args.")
            return
        source, name = "args." + argument.name, f'"{argument.name}"'
        out.open(f'if (vn_say_there(say, {name}, "{argument.type}", {source})) {{')
        if kind is not None and kind.stype and not argument.lens:
            out.line(f'vn_say_returned(say, {name}, "{kind.name}", &vn_chain_{kind.name}, {source}->pNext);')
        else:
            out.line(f'vn_say_open(say, {name}, "{argument.type}", {"true" if argument.lens else "false"});')
            out.line("vn_say_shut(say);")
        out.shut()

    def reply(self, out, command):
        name = command.name
        outs = [a for a in command.arguments if self.commands.is_out(a)]
        out.line()
        out.line(f"bool vn_describe_reply_{name}(struct vt_venus_in *in, struct vt_venus_sink *sink)")
        out.open("{")
        out.line("struct vn_say speaker = {.sink = sink, .going = true};")
        out.line("struct vn_say *say = &speaker;")
        out.line(f'vt_venus_in_number(in, VK_COMMAND_TYPE_{name}_EXT, "{name}");')
        if command.result != "void":
            from registry import Variable
            self.value(out, Variable(f"{command.result} ret", {}), '"ret"', self.reader(command.result))
        for argument in outs:
            self.reply_argument(out, command, argument)
        out.line("return say->going && !vt_venus_bad(in);")
        out.shut()

    def reader(self, type_name):
        """A scalar or handle straight from the stream, as an expression."""
        import wire
        kind = self.registry.types[type_name]
        plain = self.wire.scalar(type_name)
        if kind.category == "handle":
            return "vt_venus_u64(in)"
        if kind.category == "enum":
            return "vt_venus_u32(in)"
        return wire.READERS[plain][0]

    def reply_argument(self, out, command, argument):
        name = f'"{argument.name}"'
        kind = self.registry.types.get(argument.type) if argument.type != "void" else None
        if argument.lens:
            out.open("{")
            out.line("uint64_t count = vt_venus_u64(in);")
            if kind is None or self.wire.layout(kind.name) == (1, 1):
                out.line(f"const uint8_t *bytes = vt_venus_in_elements(in, count, 1, {name});")
                out.line(f'vn_say_blob(say, {name}, "{argument.type}", bytes, count);')
            else:
                out.line(f'vn_say_open(say, {name}, "{argument.type}", true);')
                out.open("for (uint64_t i = 0; say->going && !vt_venus_bad(in) && i < count; i++) {")
                out.line("char index[16];")
                self.one_of_reply(out, command, argument, kind, "vn_say_index(index, i)")
                out.shut()
                out.line("vn_say_shut(say);")
            out.shut()
        else:
            out.open(f"if (vt_venus_in_pointer(in, true, {name})) {{")
            self.one_of_reply(out, command, argument, kind, name)
            out.shut("} else {")
            out.depth += 1
            out.line(f'vn_say_null(say, {name}, "{argument.type}");')
            out.shut()

    def one_of_reply(self, out, command, argument, kind, name):
        if kind.category in ("struct", "union"):
            out.line(f"{kind.name} one;")
            self.wire.read_one(out, command, argument, "one", FULL, True)
            out.open("if (!vt_venus_bad(in)) {")
            self.value(out, argument, name, "one")
            out.shut()
        else:
            self.value(out, argument, name, self.reader(argument.type))

    # ---- words and the header --------------------------------------------------------------------

    def words(self):
        out = declare.head(self.registry, None, comment("Names of Vulkan's enumerants and bits."),
                           ['"venus/vn_say.h"'])
        for name in sorted(self.words_used):
            values = sorted({v: k for k, v in self.registry.types[name].values.items()
                             if not k.endswith("_MAX_ENUM")}.items())
            out.line()
            out.open(f"static const struct vn_word words_{name}[] = {{")
            for value, text in values:
                number = f"(uint64_t)({value}ll)" if value < 0 else hex(value) if value > 9 and "FlagBits" in name else str(value)
                out.line(f'{{{number}, "{text}"}},')
            if not values:
                out.line("{0, NULL},")
            out.shut("};")
            out.line(f"const struct vn_words vn_words_{name} = {{words_{name}, {len(values)}}};")
        return out.text()

    def header(self):
        out = declare.head(self.registry, "VT_VENUS_VN_SAY_H", comment(
            "venus/vn_say.h - what says the contents of structures; for generated sources only."),
            ['"venus/say.h"', '"venus/vn_structs.h"'])
        for name in sorted(self.words_used):
            out.line(f"extern const struct vn_words vn_words_{name};")
        for kind in self.structs.full:
            tag = self.structs.union_tag(kind) if kind.category == "union" else None
            out.line(f"void vn_say_{kind.name}(struct vn_say *say, const char *name, const {kind.name} *from"
                     + (f", {tag} tag);" if tag else ");"))
            if kind in self.structs.links and self.structs.bodies(kind):
                out.line(f"void vn_say_body_{kind.name}(struct vn_say *say, const void *from);")
        out.line()
        for command in self.registry.numbered:
            if command.encodable:
                for word in ("describe", "describe_reply"):
                    out.line(f"bool vn_{word}_{command.name}(struct vt_venus_in *in, struct vt_venus_sink *sink);")
        out.line()
        out.line("#endif")
        return out.text()


def address(place):
    return place[1:] if place.startswith("*") else "&" + place
