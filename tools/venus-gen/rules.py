"""How each command is carried out: by hand (src/venus/handled.list), by generated code, or not at
all; and which types can be written to a stream."""
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
