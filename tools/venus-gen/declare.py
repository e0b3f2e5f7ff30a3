"""What handlers and their callers include: vn_mesa.h, vn_commands.h, vn_tables.h and .c."""
from cformat import Writer, comment

MADE = "/* Made by tools/venus-gen from the Vulkan registry (1.4.{version}); not edited. */"


def level(command):
    """Which table a command stands in."""
    first = command.arguments[0].type if command.arguments else None
    if command.name in ("vkGetInstanceProcAddr", "vkGetDeviceProcAddr"):
        return "instance"
    if command.mesa:
        return None
    return {"VkInstance": "instance", "VkPhysicalDevice": "instance", "VkDevice": "device",
            "VkQueue": "device", "VkCommandBuffer": "device"}.get(first, "global")


def head(registry, guard, about, includes):
    out = Writer()
    out.raw(about)
    out.line(MADE.format(version=registry.version))
    if guard:
        out.line(f"#ifndef {guard}")
        out.line(f"#define {guard}")
    out.line()
    for include in includes:
        out.line(f"#include {include}" if include else "")
    out.line()
    return out


def vn_mesa_h(registry):
    out = head(registry, "VT_VENUS_VN_MESA_H", comment(
        "venus/vn_mesa.h - what Mesa's Venus driver uses beside Vulkan: the commands' numbers "
        "(VK_COMMAND_TYPE_<command>_EXT), and the structures of VK_MESA_venus_protocol as Vulkan's "
        "own headers would declare them."), ['"venus/vulkan.h"'])
    for kind in registry.types.values():
        if kind.mesa and kind.stype:
            out.line(f"#define {kind.stype} ((VkStructureType){kind.number})")
    out.line()
    out.open("typedef enum VkCommandTypeEXT {")
    for command in registry.numbered:
        out.line(f"VK_COMMAND_TYPE_{command.name}_EXT = {command.number},")
    out.shut("} VkCommandTypeEXT;")
    out.line(f"#define VN_COMMANDS {registry.numbered[-1].number + 1}u /**< above the largest number */")
    for kind in registry.types.values():
        if kind.mesa and kind.category == "enum":
            out.line()
            out.open(f"typedef enum {kind.name} {{")
            for name, value in kind.values.items():
                out.line(f"{name} = {value},")
            out.shut(f"}} {kind.name};")
    out.line()
    for kind in registry.types.values():
        if kind.mesa and kind.category == "flags":
            out.line(f"typedef {kind.base} {kind.name};")
    for kind in registry.types.values():
        if kind.mesa and kind.category == "struct":
            out.line()
            out.open(f"typedef struct {kind.name} {{")
            for member in kind.members:
                out.line(member.declare() + ";")
            out.shut(f"}} {kind.name};")
    out.line()
    out.line("#endif")
    return out.text()


ABOUT_COMMANDS = """\
/* venus/vn_commands.h - every command of the protocol: its arguments as a structure, and what reads
 * and writes it.
 *
 * struct vn_<command>: `self` is the object of the first argument (NULL for commands without one,
 * and whenever a stream is read without objects), then the arguments as in Vulkan's prototype, then
 * `ret` unless the command returns nothing. All that pointers lead to lives in the command's arena
 * or in the stream: it is gone with the command, and what points into the stream must not be
 * written to.
 *
 * Host side: vn_decode_<command> reads what follows the command's number and flags; false:
 * in->fault says why. Handles are the host's already, but for those that src/venus/handled.list or the
 * generator's own rules leave as the guest's ids: destroyed objects, new objects (what pointers to
 * handles hold), the pools of vkAllocate*. Memory for what the command returns is there, zeroed,
 * with sType and pNext filled. vn_reply_<command> writes the reply: number, `ret`, what pointers
 * return.
 *
 * Guest's side, for tests, replays and fuzzing: vn_encode_<command> writes number, flags and
 * arguments exactly as Mesa's driver does (handles as they stand: ids); vn_decode_reply_<command>
 * reads a reply, its number included, and makes memory for what it holds.
 *
 * void vt_venus_<command>(run, args) are the handlers of commands in handled.list; all others are
 * called through the tables of vn_tables.h by generated code. */"""


def vn_commands_h(registry):
    out = head(registry, "VT_VENUS_VN_COMMANDS_H", ABOUT_COMMANDS,
               ['"venus/context.h"', '"venus/vn_mesa.h"'])
    for command in registry.numbered:
        out.open(f"struct vn_{command.name} {{")
        out.line("struct vt_venus_object *self;")
        for argument in command.arguments:
            text = argument.declare()
            if argument.dims and text.startswith("const "):
                text = text[len("const "):]
            out.line(text + ";")
        if command.result != "void":
            out.line(f"{command.result} ret;")
        out.shut("};")
    out.line()
    for command in registry.numbered:
        name = command.name
        if command.encodable:
            out.line(f"bool vn_decode_{name}(struct vt_venus_in *in, struct vn_{name} *args);")
            out.line(f"void vn_reply_{name}(struct vt_venus_out *out, const struct vn_{name} *args);")
            out.line(f"void vn_encode_{name}(struct vt_venus_out *out, uint32_t flags, const struct vn_{name} *args);")
            out.line(f"bool vn_decode_reply_{name}(struct vt_venus_in *in, struct vn_{name} *args);")
    out.line()
    out.line("/* Handlers: those of src/venus/handled.list are called, and have to be there. */")
    for command in registry.numbered:
        if command.encodable:
            out.line(f"void vt_venus_{command.name}(struct vt_venus_run *run, struct vn_{command.name} *args);")
    if registry.ends:
        out.line()
        out.line("/* Ends by hand (handled.list's \"end\" lines). */")
        for kind in registry.ends:
            out.line(f"void vt_venus_end_{kind}(struct vt_venus_object *object);")
    out.line()
    out.line("#endif")
    return out.text()


ABOUT_TABLES = """\
/* venus/vn_tables.h - the host driver's functions, by instance and by device, and the extensions
 * that the protocol carries.
 *
 * Members are called as the command is, without "vk": device->CreateBuffer. Each is filled from
 * whichever of its names the driver knows (core, KHR, EXT); NULL when it has none. All of core and of
 * the protocol's extensions is there, and what the host itself calls (VK_EXT_external_memory_host,
 * VK_EXT_debug_utils). Plain data, shared by threads once loaded. */"""


def table_commands(registry):
    tables = {"global": [], "instance": [], "device": []}
    names = {c.name for c in registry.commands.values()} | registry.host_commands
    for name in sorted(names):
        command = registry.all_commands[name]
        if level(command):
            tables[level(command)].append(command)
    return tables


def vn_tables_h(registry):
    out = head(registry, "VT_VENUS_VN_TABLES_H", ABOUT_TABLES, ['"venus/vulkan.h"', "", "<stdint.h>"])
    for name, commands in table_commands(registry).items():
        out.open(f"struct vn_{name}_table {{")
        for command in commands:
            out.line(f"PFN_{command.name} {command.name[2:]};")
        out.shut("};")
    out.raw("""
/* What is called without an instance. */
void vn_global_table_load(struct vn_global_table *table, PFN_vkGetInstanceProcAddr get);
void vn_instance_table_load(struct vn_instance_table *table, PFN_vkGetInstanceProcAddr get,
                            VkInstance instance);
void vn_device_table_load(struct vn_device_table *table, PFN_vkGetDeviceProcAddr get,
                          VkDevice device);

/** An extension that guests may be offered when the host has it, sorted by name. `version` is the
 * registry's. */
struct vn_extension {
    const char *name;
    uint32_t number, version;
};
extern const struct vn_extension vn_extensions[];
""")
    out.line(f"#define VN_EXTENSIONS {len(registry.extensions)}u")
    out.line("/** VK_HEADER_VERSION of the registry: the capset's vk_xml_version is 1.4.<this>. */")
    out.line(f"#define VN_REGISTRY_VERSION {registry.version}u")
    out.line()
    out.line("#endif")
    return out.text()


def vn_tables_c(registry):
    out = head(registry, None, comment(
        "Tables of the host driver's functions. Each line is a member's offset and the names that "
        "fill it, the newest first, an empty one at the end."),
        ['"venus/vn_tables.h"', "", "<stddef.h>", "<string.h>"])
    out.raw("""
struct entry {
    size_t offset;
    const char *names;
};

/* The function of the first name that is known, or NULL. */
static void fill(void *table, const struct entry *entry,
                 PFN_vkVoidFunction (*find)(const char *name, void *get, void *of), void *get,
                 void *of)
{
    PFN_vkVoidFunction found = NULL;
    for (const char *name = entry->names; found == NULL && *name != 0; name += strlen(name) + 1) {
        found = find(name, get, of);
    }
    memcpy((char *)table + entry->offset, &found, sizeof(found));
}

static PFN_vkVoidFunction find_instance(const char *name, void *get, void *of)
{
    return (*(PFN_vkGetInstanceProcAddr *)get)((VkInstance)of, name);
}

static PFN_vkVoidFunction find_device(const char *name, void *get, void *of)
{
    return (*(PFN_vkGetDeviceProcAddr *)get)((VkDevice)of, name);
}
""")
    for table, commands in table_commands(registry).items():
        out.line()
        out.open(f"static const struct entry {table}_entries[] = {{")
        for command in commands:
            names = "\\0".join([command.name] + command.aliases) + "\\0"
            out.line(f'{{offsetof(struct vn_{table}_table, {command.name[2:]}), "{names}"}},')
        out.shut("};")
    out.raw("""

#define LOAD(table, entries, find, of)                                                             \\
    for (size_t i = 0; i < sizeof(entries) / sizeof((entries)[0]); i++) {                          \\
        fill(table, &(entries)[i], find, &get, of);                                                \\
    }

void vn_global_table_load(struct vn_global_table *table, PFN_vkGetInstanceProcAddr get)
{
    LOAD(table, global_entries, find_instance, NULL)
}

void vn_instance_table_load(struct vn_instance_table *table, PFN_vkGetInstanceProcAddr get,
                            VkInstance instance)
{
    LOAD(table, instance_entries, find_instance, instance)
}

void vn_device_table_load(struct vn_device_table *table, PFN_vkGetDeviceProcAddr get,
                          VkDevice device)
{
    LOAD(table, device_entries, find_device, device)
}

""".rstrip("\n"))
    out.line()
    out.open("const struct vn_extension vn_extensions[] = {")
    for name, number, version in registry.extensions:
        out.line(f'{{"{name}", {number}, {version}}},')
    out.shut("};")
    return out.text()
