"""The Vulkan registry (vk.xml) with Mesa's own structures and commands added, cut down to what the
Venus protocol carries.

Types are known by the name that the registry's version gives them; older names (promoted ones) are
resolved while reading."""
import re
import xml.etree.ElementTree as ET

import formats
import protocol


class Variable:
    """A member or an argument: `const char *const *names`, lengths ["count", "null-terminated"]."""

    def __init__(self, text, attributes):
        match = re.match(r"^(.*?)(\w+)\s*((?:\[[^\]]*\])*)\s*(?::\s*(\d+))?$", text.strip(), re.S)
        before, self.name, dims, self.bits = match.groups()
        self.const = re.match(r"\s*const\b", before) is not None
        self.stars = before.count("*")
        self.type = re.sub(r"\b(const|struct)\b|\*", " ", before).split()[0]
        self.dims = [dim.strip() for dim in re.findall(r"\[([^\]]*)\]", dims)]
        self.before = " ".join(before.split())
        lens = attributes.get("altlen") or attributes.get("len") or ""
        self.lens = [length.strip() for length in lens.split(",")] if lens else []
        if self.name in protocol.COUNTS and len(self.lens) == 1:
            self.lens.append(protocol.COUNTS[self.name])
        self.optional = [word == "true" for word in attributes.get("optional", "").split(",")]
        self.unchecked = attributes.get("noautovalidity") == "true"
        self.selector = attributes.get("selector")
        self.selections = [s for s in attributes.get("selection", "").split(",") if s]
        self.values = attributes.get("values")
        self.stride = attributes.get("stride")

    def is_optional(self, level=0):
        return self.unchecked or (level < len(self.optional) and self.optional[level])

    def declare(self, name=None):
        """As C, in this project's style."""
        base = ("const " if self.const else "") + self.type
        pointers = "*const *" if self.stars == 2 and self.before.count("const") > 1 else "*" * self.stars
        if self.stars == 2 and self.before.count("const") == 1 and not self.const:
            pointers = "*const *"
        return f"{base} {pointers}{name or self.name}" + "".join(f"[{dim}]" for dim in self.dims)

    def is_blob(self):
        return self.type == "void" and self.stars == 1 and bool(self.lens)


class Type:
    """category: scalar, enum, flags, handle, struct, union, other."""

    def __init__(self, name, category):
        self.name, self.category = name, category
        self.members = []
        self.base = None        # of flags: VkFlags or VkFlags64; of scalars: a C type
        self.bits = None        # of flags: the enum with their names
        self.values = {}        # of enums
        self.stype = None
        self.extends = []       # structures in whose chains it may stand
        self.chain = []         # structures that may stand in its chain
        self.dispatchable = False
        self.object_type = None
        self.mesa = False
        self.number = None


class Command:
    def __init__(self, name, result, arguments, mesa=False):
        self.name, self.result, self.arguments, self.mesa = name, result, arguments, mesa
        self.aliases = []
        self.number = None


# What C calls them, and their bytes.
SCALARS = {"float": 4, "double": 8, "uint8_t": 1, "uint16_t": 2, "uint32_t": 4, "uint64_t": 8,
           "int8_t": 1, "int16_t": 2, "int32_t": 4, "int64_t": 8, "size_t": 8, "char": 1}


def text_of(element):
    parts = [element.text or ""]
    for child in element:
        if child.tag != "comment":
            parts.append(child.text or "")
        parts.append(child.tail or "")
    return " ".join(parts)


def drop_other_apis(element):
    for child in list(element):
        if "vulkan" not in child.get("api", "vulkan").split(","):
            element.remove(child)
        else:
            drop_other_apis(child)


class Registry:
    def __init__(self, path):
        root = ET.parse(path).getroot()
        drop_other_apis(root)
        self.types, self.commands, self.aliases, self.constants = {}, {}, {}, {}
        self.extensions, self.left_out_extensions = [], []
        self.read_types(root)
        self.read_enums(root)
        self.read_commands(root)
        required = self.read_requirements(root)
        self.formats = formats.read(root)
        self.add_mesa()
        version = next(t for t in root.find("types") if t.findtext("name") == "VK_HEADER_VERSION")
        self.version = int(text_of(version).split()[-1])
        self.cut(required)

    def resolve(self, name):
        return self.aliases.get(name, name)

    # ---- reading ---------------------------------------------------------------------------------

    def read_types(self, root):
        for element in root.find("types").findall("type"):
            name = element.get("name") or element.findtext("name")
            if element.get("alias"):
                self.aliases[name] = element.get("alias")
                continue
            category = element.get("category")
            kind = {"enum": "enum", "bitmask": "flags", "handle": "handle", "struct": "struct",
                    "union": "union", "basetype": "scalar"}.get(category, "other")
            if name in SCALARS:
                kind = "scalar"
            new = Type(name, kind)
            if kind == "scalar":
                new.base = name if name in SCALARS else element.findtext("type")
                if new.base not in SCALARS:
                    new.category = "other"
            elif kind == "flags":
                new.base = element.findtext("type")
                new.bits = element.get("requires") or element.get("bitvalues")
            elif kind == "handle":
                new.dispatchable = element.findtext("type") == "VK_DEFINE_HANDLE"
                new.object_type = element.get("objtypeenum")
            elif kind in ("struct", "union"):
                new.members = [Variable(text_of(m), m.attrib) for m in element.findall("member")]
                if new.members[0].name == "sType" and new.members[0].values:
                    new.stype = new.members[0].values.split(",")[0]
                new.extends = [e for e in element.get("structextends", "").split(",") if e]
            self.types[name] = new

    def read_enums(self, root):
        for element in root.findall("enums"):
            name = element.get("name")
            if element.get("type") == "constants" or name == "API Constants":
                for value in element.findall("enum"):
                    if (value.get("value") or "").isdigit():
                        self.constants[value.get("name")] = int(value.get("value"))
                continue
            if name in self.types:
                for value in element.findall("enum"):
                    self.add_value(name, value, None)

    def add_value(self, enum, element, extension):
        values = self.types[self.resolve(enum)].values
        name = element.get("name")
        if element.get("alias"):
            return
        if element.get("bitpos"):
            value = 1 << int(element.get("bitpos"))
        elif element.get("offset"):
            number = int(element.get("extnumber") or extension)
            value = 1000000000 + (number - 1) * 1000 + int(element.get("offset"))
        else:
            value = int(element.get("value"), 0)
        values.setdefault(name, -value if element.get("dir") == "-" else value)

    def read_commands(self, root):
        for element in root.find("commands").findall("command"):
            if element.get("alias"):
                self.aliases[element.get("name")] = element.get("alias")
                continue
            proto = element.find("proto")
            name = proto.findtext("name")
            arguments = [Variable(text_of(p), p.attrib) for p in element.findall("param")]
            self.commands[name] = Command(name, proto.findtext("type"), arguments)
        for alias, name in list(self.aliases.items()):
            while name in self.aliases:
                name = self.aliases[name]
            self.aliases[alias] = name
            if name in self.commands:
                self.commands[name].aliases.append(alias)

    def read_requirements(self, root):
        """What core and the protocol's extensions need, {name: where}, and the extensions."""
        ours = ["VK_" + name for name in protocol.EXTENSIONS]
        required = {}
        host = set()
        for element in root.findall("feature"):
            for require in element.findall("require"):
                self.require(require, None, element.get("name"), required)
        known = set()
        for element in root.find("extensions").findall("extension"):
            name = element.get("name")
            supported = "vulkan" in element.get("supported", "").split(",")
            for require in element.findall("require"):
                wanted = supported and (name in ours or name in protocol.HOST_EXTENSIONS) and \
                    self.holds(require.get("depends"), ours)
                target = required if name in ours else {}
                self.require(require, element.get("number"), name, target if wanted else {})
                if wanted and name in protocol.HOST_EXTENSIONS:
                    host |= {c for c in target if c in self.commands}
            if supported and name in ours:
                known.add(name)
                version = next(int(e.get("value")) for e in element.iter("enum")
                               if e.get("name").endswith("_SPEC_VERSION"))
                self.extensions.append((name, int(element.get("number")), version))
        self.extensions += protocol.OWN_EXTENSIONS
        self.extensions.sort()
        self.left_out_extensions = [name for name in ours if name not in known]
        self.host_commands = host
        return required

    def require(self, require, extension, where, required):
        for child in require:
            if child.tag == "enum" and child.get("extends"):
                if self.resolve(child.get("extends")) in self.types:
                    self.add_value(child.get("extends"), child, extension)
            elif child.tag in ("type", "command"):
                required.setdefault(self.resolve(child.get("name")), where)

    def holds(self, depends, ours):
        """Whether a condition such as "VK_VERSION_1_1,VK_KHR_a+VK_KHR_b" can be true for a guest."""
        if not depends:
            return True
        words = re.sub(r"[\w:]+", lambda m: str(not m.group().startswith("VK_") or "::" in m.group()
                                                 or m.group().startswith("VK_VERSION_")
                                                 or m.group() in ours), depends)
        return eval(words.replace("+", " and ").replace(",", " or "))  # only True, False, and, or, ()

    def add_mesa(self):
        for name in protocol.MESA_FLAGS:
            self.types[name] = Type(name, "flags")
            self.types[name].base = "VkFlags"
            self.types[name].mesa = True
        for name, values in protocol.MESA_ENUMS.items():
            self.types[name] = Type(name, "enum")
            self.types[name].values = values
            self.types[name].mesa = True
            flags = name.replace("FlagBits", "Flags")
            self.types[flags].bits = name
        for line in protocol.MESA_STRUCTURES:
            head, members = line.split(": ", 1)
            words = head.split()
            new = Type(words[1], "struct")
            new.mesa = True
            new.members = [self.mesa_variable(m) for m in members.split("; ")]
            if len(words) > 2:
                new.stype = "VK_STRUCTURE_TYPE_" + re.sub(
                    r"(?<!^)(?=[A-Z])", "_", words[1][2:-4]).upper() + "_MESA"
                new.number = protocol.MESA_STRUCTURE_BASE + int(words[2])
                chain = "void* pNext" if "out" in words else "const void* pNext"
                new.members[:0] = [Variable("VkStructureType sType", {}), Variable(chain, {"optional": "true"})]
                self.types["VkStructureType"].values[new.stype] = new.number
            if "extends" in words:
                new.extends = [words[words.index("extends") + 1]]
            self.types[new.name] = new
        for line in protocol.MESA_COMMANDS:
            head, arguments = line.split(": ", 1)
            result, name = head.split()
            self.commands[name] = Command(name, result, [self.mesa_variable(a) for a in arguments.split("; ")],
                                          mesa=True)

    @staticmethod
    def mesa_variable(text):
        attributes = {}
        if text.endswith(" optional"):
            text, attributes["optional"] = text[:-9], "true"
        match = re.match(r"^(.*) \((\w+)\)$", text)
        if match:
            text, attributes["len"] = match.groups()
        return Variable(text, attributes)

    # ---- cutting down ----------------------------------------------------------------------------

    def cut(self, required):
        """Keeps what is required and what that is made of; fills chains; numbers commands."""
        for owner, name in protocol.REQUIRED:
            variables = self.commands[owner].arguments if owner in self.commands else self.types[owner].members
            next(v for v in variables if v.name == name).unchecked = False
        todo = [name for name in required] + [n for n, t in self.types.items() if t.mesa]
        todo += [c.name for c in self.commands.values() if c.mesa]
        kept = set()
        while todo:
            name = self.resolve(todo.pop())
            if name in kept or name in protocol.LEFT_OUT_TYPES:
                continue
            kept.add(name)
            if name in self.commands:
                command = self.commands[name]
                todo += [a.type for a in command.arguments] + [command.result]
            elif name in self.types:
                kind = self.types[name]
                todo += [m.type for m in kind.members]
                todo += [t for t in (kind.bits, kind.base) if t and t in self.types]
        self.all_commands = self.commands
        self.commands = {n: c for n, c in self.commands.items() if n in kept}
        for group in (self.commands, self.types):
            for thing in group.values():
                for variable in getattr(thing, "members", None) or getattr(thing, "arguments", []):
                    variable.type = self.resolve(variable.type)
        self.types = {n: t for n, t in self.types.items() if n in kept or t.category == "scalar"
                      or t.category == "other"}
        for kind in self.types.values():
            for extended in kind.extends:
                base = self.types.get(self.resolve(extended))
                if base is not None and kind not in base.chain:
                    base.chain.append(kind)
        self.left_out_commands = []
        for name, number in protocol.numbers().items():
            command = self.commands.get(self.resolve(name))
            if command is None:
                self.left_out_commands.append((number, name))
            else:
                command.number = number
        self.numbered = sorted((c for c in self.commands.values() if c.number is not None),
                               key=lambda c: c.number)
