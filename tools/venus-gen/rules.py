"""How each command is carried out: by hand (src/venus/handled.list), by generated code, or not at
all; and which types can be written to a stream."""
import declare
import protocol


def apply(registry, handled):
    """Fills command.encodable, command.handled, registry.ids, registry.ends."""
    registry.ends, registry.ids = [], set()
    serializable = {}

    def type_fits(name, blob=False):
        kind = registry.types.get(name)
        if blob:
            return True
        if kind is None or kind.category == "other":
            return False
        if name in serializable:
            return serializable[name]
        serializable[name] = True
        if kind.category == "union":
            fits = name in protocol.UNION_TAGS or all(m.selections for m in kind.members)
        else:
            fits = all(variable_fits(m) for m in kind.members)
        serializable[name] = fits
        return fits

    def variable_fits(variable):
        if variable.name == "pNext" or (variable.stars and variable.is_optional() and not variable.is_blob()):
            return variable.name == "pNext" or variable.optional[0] or type_fits(variable.type)
        return type_fits(variable.type, variable.is_blob())

    registry.fits = lambda variable: type_fits(variable.type, variable.is_blob())
    registry.type_fits = type_fits
    for command in registry.numbered:
        command.encodable = command.name not in protocol.LEFT_OUT_COMMANDS and \
            (command.result == "void" or type_fits(command.result)) and \
            all(variable_fits(a) for a in command.arguments)
        command.handled = False
    for kind in registry.types.values():
        kind.chain = sorted((k for k in kind.chain if type_fits(k.name)),
                            key=lambda k: registry.types["VkStructureType"].values[k.stype])
    read_handled(registry, handled)
    for command in registry.numbered:
        command.way = way_of(registry, command)
    destroyers(registry)


def out_handle(registry, command):
    """The argument in which a command returns handles, or None."""
    for argument in command.arguments:
        if argument.stars and not argument.const and \
                registry.types.get(argument.type) and registry.types[argument.type].category == "handle":
            return argument
    return None


def way_of(registry, command):
    """How a command is carried out, and on the way which of its handles stay the guest's ids."""
    name, arguments = command.name, command.arguments
    made = out_handle(registry, command)
    if not command.encodable:
        return "unread"
    way = "call"
    if command.mesa or declare.level(command) == "global" or name in protocol.BY_HAND_ONLY:
        way = "refuse"
    elif name.startswith("vkDestroy"):
        registry.ids.add((name, arguments[1].name))
        way = "destroy"
    elif name in ("vkFreeCommandBuffers", "vkFreeDescriptorSets"):
        registry.ids |= {(name, arguments[1].name), (name, arguments[3].name)}
        way = "free"
    elif name == "vkResetDescriptorPool":
        registry.ids.add((name, arguments[1].name))
        way = "reset"
    elif name in ("vkAllocateCommandBuffers", "vkAllocateDescriptorSets"):
        registry.ids.add((arguments[1].type, pool_member(registry, command).name))
        way = "allocate"
    elif made is not None and name.startswith("vkCreate") and arguments[0].type == "VkDevice":
        way = "create" if not made.lens else "create_many"
    elif made is not None:
        way = "refuse"
    if name == "vkFreeMemory":
        registry.ids.add((name, arguments[1].name))
    return "hand" if command.handled else way


def pool_member(registry, command):
    """Of vkAllocate<Things>: the structure's member that says from which pool."""
    return next(m for m in registry.types[command.arguments[1].type].members if "Pool" in m.name)


def destroyers(registry):
    """registry.destroyers: {handle type: the command that destroys it}, of what lives on devices."""
    registry.destroyers = {}
    for command in registry.numbered:
        arguments = command.arguments
        if (command.name.startswith("vkDestroy") or command.name == "vkFreeMemory") and \
                len(arguments) == 3 and arguments[0].type == "VkDevice":
            registry.destroyers[arguments[1].type] = command


def read_handled(registry, text):
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        where = f"handled.list:{number}: "
        if words[0] == "end":
            assert words[1] in registry.types, where + "no such type: " + words[1]
            registry.ends.append(words[1])
        elif words[0] == "id":
            struct, member = words[1].split(".")
            assert struct in registry.types and \
                any(m.name == member for m in registry.types[struct].members), where + "no such member"
            registry.ids.add((struct, member))
        else:
            command = registry.commands.get(registry.resolve(words[0]))
            assert command is not None and command.number is not None, where + "no such command: " + words[0]
            assert command.encodable, where + words[0] + " cannot be written to a stream"
            command.handled = True
            for word in words[1:]:
                assert any(a.name == word for a in command.arguments), where + "no such argument: " + word
                registry.ids.add((command.name, word))


def table(registry):
    """All commands and how each is carried out, as Markdown."""
    passing = {"call": "passes", "create": "passes: makes an object", "create_many": "passes: makes objects",
               "allocate": "passes: from a pool", "free": "passes: back to a pool",
               "reset": "passes: empties a pool", "destroy": "passes: ends an object"}
    rows = []
    for command in registry.numbered:
        if command.way == "hand":
            how = "by hand"
        elif command.way in passing:
            how = passing[command.way]
        elif command.name in protocol.LEFT_OUT_COMMANDS or command.way == "unread":
            how = "refused: addresses or files of the guest's process"
        else:
            how = "refused: Mesa does not send it"
        rows.append((command.number, command.name, how))
    rows += [(number, name, f"unknown: not in Vulkan 1.4.{registry.version}")
             for number, name in registry.left_out_commands]
    kinds = [sum(how.startswith(word) for _, _, how in rows) for word in ("by hand", "passes", "refused", "unknown")]
    text = "{} are carried out by hand, {} by generated code, {} are refused, {} unknown.\n\n".format(*kinds)
    text += "| number | command | how |\n| --- | --- | --- |\n"
    return text + "".join(f"| {n} | `{name}` | {how} |\n" for n, name, how in sorted(rows))
