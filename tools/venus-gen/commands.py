"""Sources of commands: reading and writing their arguments and replies, and carrying them out."""
import declare
import protocol
import rules
from cformat import comment
from wire import FULL, OUT

# Files, and how the names of their commands begin; the first that fits.
GROUPS = [
    ("transport", "what Mesa's driver needs of the protocol itself", ["*mesa"]),
    ("draw", "recording: drawing, dispatching, copying", ["CmdDraw", "CmdDispatch", "CmdCopy", "CmdBlit", "CmdResolve",
              "CmdFill", "CmdUpdate", "CmdClear", "CmdTrace", "CmdBuild", "CmdWrite", "CmdExecute"]),
    ("state", "recording: dynamic state", ["CmdSet"]),
    ("record", "recording: everything else", ["Cmd"]),
    ("instance", "instances and physical devices", ["*VkInstance", "*VkPhysicalDevice", "CreateInstance", "EnumerateInstance"]),
    ("pipeline", "shaders, pipelines, descriptors, render passes", ["*Pipeline", "*Descriptor", "*Shader", "*RenderPass", "*Framebuffer",
                  "*RayTracing", "*Render"]),
    ("memory", "memory, buffers, images, samplers, acceleration structures", ["*Memory", "*Buffer", "*Image", "*Sampler", "*Acceleration"]),
    ("device", "devices, queues, fences, semaphores, events, queries, pools", [""]),
]


def group_of(command):
    bare = command.name[2:]
    first = command.arguments[0].type if command.arguments else ""
    for name, _, starts in GROUPS:
        for start in starts:
            if start == "*mesa":
                found = command.mesa
            elif start.startswith("*Vk"):
                found = first == start[1:]
            elif start.startswith("*"):
                found = start[1:] in bare and not bare.startswith(("AllocateCommandBuffers", "FreeCommandBuffers")) \
                    and "CommandBuffer" not in bare
            else:
                found = bare.startswith(start)
            if found:
                return name
    raise KeyError(command.name)


class Commands:
    def __init__(self, registry, wire):
        self.registry, self.wire = registry, wire
        for command in registry.numbered:
            command.group = group_of(command)

    def is_out(self, argument):
        return argument.stars > 0 and not argument.const

    def mode(self, command, argument):
        return self.wire.mode(command, argument, not self.is_out(argument))

    def source(self, group, about):
        out = declare.head(self.registry, None, comment("Commands: " + about + "."),
                           ['"venus/vn_commands.h"', '"venus/vn_structs.h"'])
        for command in self.registry.numbered:
            if command.group == group and command.encodable:
                out.line()
                out.line(f"/* ---- {command.name} ---- */")
                self.decode(out, command)
                self.reply(out, command)
                self.encode(out, command)
                self.decode_reply(out, command)
        return out.text()

    def decode(self, out, command):
        arguments = command.arguments
        out.line()
        out.line(f"bool vn_decode_{command.name}(struct vt_venus_in *in, struct vn_{command.name} *args)")
        out.open("{")
        kind = self.registry.types[arguments[0].type] if arguments else None
        if kind is not None and kind.category == "handle" and kind.dispatchable and not arguments[0].stars:
            out.line(f"args->{arguments[0].name} = ({kind.name})(uintptr_t)vt_venus_in_self("
                     f"in, {kind.object_type}, &args->self, \"{arguments[0].name}\");")
            arguments = arguments[1:]
        else:
            out.line("args->self = NULL;")
        self.wire.read_all(out, command, arguments, "args->",
                           lambda argument: self.mode(command, argument))
        for argument in arguments:
            if argument.stride:
                # The elements stand without gaps now, whatever the guest's stride was.
                out.line(f"args->{argument.stride} = sizeof(*args->{argument.name});")
        out.line("return !vt_venus_bad(in);")
        out.shut()

    def result_writer(self, command, source):
        from registry import Variable
        return Variable(f"{command.result} {source}", {})

    def reply(self, out, command):
        out.line()
        out.line(f"void vn_reply_{command.name}(struct vt_venus_out *out, const struct vn_{command.name} *args)")
        out.open("{")
        out.line(f"vt_venus_put_u32(out, VK_COMMAND_TYPE_{command.name}_EXT);")
        used = False
        if command.result != "void":
            self.wire.write(out, command, self.result_writer(command, "ret"), "args->", FULL)
            used = True
        for argument in command.arguments:
            if self.is_out(argument):
                self.wire.write(out, command, argument, "args->", FULL)
                used = True
        if not used:
            out.line("(void)args;")
        out.shut()

    def encode(self, out, command):
        out.line()
        out.line(f"void vn_encode_{command.name}(struct vt_venus_out *out, uint32_t flags, const struct vn_{command.name} *args)")
        out.open("{")
        out.line(f"vt_venus_put_u32(out, VK_COMMAND_TYPE_{command.name}_EXT);")
        out.line("vt_venus_put_u32(out, flags);")
        strides = {a.stride: a for a in command.arguments if a.stride}
        for argument in command.arguments:
            if argument.name in strides:
                out.line(f"vt_venus_put_u32(out, sizeof(*args->{strides[argument.name].name}));")
            else:
                self.wire.write(out, command, argument, "args->", self.mode(command, argument))
        if not command.arguments:
            out.line("(void)args;")
        out.shut()

    def decode_reply(self, out, command):
        out.line()
        out.line(f"bool vn_decode_reply_{command.name}(struct vt_venus_in *in, struct vn_{command.name} *args)")
        out.open("{")
        out.line(f'vt_venus_in_number(in, VK_COMMAND_TYPE_{command.name}_EXT, "{command.name}");')
        used = False
        if command.result != "void":
            self.wire.read(out, command, self.result_writer(command, "ret"), "args->", FULL)
            used = True
        for argument in command.arguments:
            if self.is_out(argument):
                kept = self.registry.types.get(argument.type)
                if kept is not None and kept.category == "handle":
                    self.registry.ids.add((command.name, argument.name))
                self.wire.read(out, command, optional(argument), "args->", FULL)
                used = True
        if not used:
            out.line("(void)args;")
        out.line("return !vt_venus_bad(in);")
        out.shut()

    # ---- carrying out ----------------------------------------------------------------------------

    def run(self, out, command):
        name = command.name
        out.line()
        out.line(f"static void run_{name}(struct vt_venus_run *run, uint32_t flags)")
        out.open("{")
        if command.way == "refuse":
            out.line("(void)flags;")
            out.line(f'vt_venus_fail(&run->in, VT_VENUS_REFUSED, "{name}", {command.number}, 0);')
            out.shut()
            return
        out.line(f"struct vn_{name} args;")
        out.open(f"if (!vn_decode_{name}(&run->in, &args)) {{")
        out.line("return;")
        out.shut()
        if command.way == "hand":
            out.line(f"vt_venus_{name}(run, &args);")
        else:
            self.function(out, command)
            getattr(self, "run_" + command.way)(out, command)
        out.line(f"run->result = {'args.ret' if command.result == 'VkResult' else 'VK_SUCCESS'};")
        out.open("if ((flags & VK_COMMAND_GENERATE_REPLY_BIT_EXT) != 0 && !vt_venus_bad(&run->in)) {")
        out.line(f"vn_reply_{name}(&run->reply, &args);")
        out.shut()
        out.shut()

    def function(self, out, command):
        """The host's function, or the end."""
        out.line(f"PFN_{command.name} call = args.self->{declare.level(command)}->{command.name[2:]};")
        out.open("if (call == NULL) {")
        out.line(f'vt_venus_fail(&run->in, VT_VENUS_REFUSED, "{command.name}", {command.number}, 0);')
        out.line("return;")
        out.shut()

    def call(self, command, **instead):
        words = []
        for argument in command.arguments:
            if argument.type == "VkAllocationCallbacks":
                words.append("NULL")
            elif argument.name == "deferredOperation":
                words.append("VK_NULL_HANDLE")  # at once: what it reads is gone with the command
            else:
                words.append(instead.get(argument.name, "args." + argument.name))
        text = f"call({', '.join(words)})"
        return f"args.ret = {text};" if command.result != "void" else text + ";"

    def run_call(self, out, command):
        out.line(self.call(command))

    def run_create(self, out, command):
        made = rules.out_handle(self.registry, command)
        kind = self.registry.types[made.type]
        destroy = self.registry.destroyers[kind.name]
        out.line(f"uint64_t id = (uint64_t)(uintptr_t)*args.{made.name};")
        out.open(f'if (!vt_venus_unused(run, id, "{made.name}")) {{')
        out.line("return;")
        out.shut()
        out.line(f"{kind.name} made = VK_NULL_HANDLE;")
        out.line(self.call(command, **{made.name: "&made"}))
        out.open(f"if (made != VK_NULL_HANDLE && !vt_venus_made(run, args.self, id, {kind.object_type}, "
                 f"(uint64_t)(uintptr_t)made, \"{made.name}\", &args.ret)) {{")
        out.line(f"args.self->device->{destroy.name[2:]}(args.device, made, NULL);")
        out.shut()

    def run_create_many(self, out, command):
        made = rules.out_handle(self.registry, command)
        kind = self.registry.types[made.type]
        destroy = self.registry.destroyers[kind.name]
        count = self.wire.count(command, made, "args.")
        self.all_unused(out, made, count)
        out.line(f"{kind.name} *made = vt_venus_room_for_handles(run, {count});")
        out.open("if (made == NULL) {")
        out.line("return;")
        out.shut()
        out.line(self.call(command, **{made.name: "made"}))
        out.open(f"for (uint32_t i = 0; i < {count}; i++) {{")
        out.open("if (made[i] == VK_NULL_HANDLE) {")
        out.line(f"args.{made.name}[i] = VK_NULL_HANDLE;")
        out.shut(f"}} else if (!vt_venus_made(run, args.self, (uint64_t)(uintptr_t)args.{made.name}[i], "
                 f"{kind.object_type}, (uint64_t)(uintptr_t)made[i], \"{made.name}\", &args.ret)) {{")
        out.depth += 1
        out.line(f"args.self->device->{destroy.name[2:]}(args.device, made[i], NULL);")
        out.line(f"args.{made.name}[i] = VK_NULL_HANDLE;")
        out.shut()
        out.shut()

    def all_unused(self, out, made, count):
        out.open(f"for (uint32_t i = 0; i < {count}; i++) {{")
        out.open(f'if (!vt_venus_unused(run, (uint64_t)(uintptr_t)args.{made.name}[i], "{made.name}")) {{')
        out.line("return;")
        out.shut()
        out.shut()

    def run_allocate(self, out, command):
        made = rules.out_handle(self.registry, command)
        kind = self.registry.types[made.type]
        info = command.arguments[1]
        pool = rules.pool_member(self.registry, command)
        pool_kind = self.registry.types[pool.type]
        count = made.lens[0].split("->")[1]
        out.line(f"{info.type} info = *args.{info.name};")
        out.line(f"struct vt_venus_object *pool = vt_venus_owned(run, args.self, (uint64_t)(uintptr_t)info.{pool.name}, "
                 f"{pool_kind.object_type}, \"{info.type}.{pool.name}\");")
        out.open("if (pool == NULL) {")
        out.line("return;")
        out.shut()
        out.line(f"info.{pool.name} = ({pool_kind.name})(uintptr_t)pool->handle;")
        self.all_unused(out, made, f"info.{count}")
        out.line(f"{kind.name} *made = vt_venus_room_for_handles(run, info.{count});")
        out.open("if (made == NULL) {")
        out.line("return;")
        out.shut()
        out.line(self.call(command, **{info.name: "&info", made.name: "made"}))
        out.open("if (args.ret == VK_SUCCESS) {")
        out.line(f"args.ret = vt_venus_allocated(run, pool, args.{made.name}, made, info.{count}, {kind.object_type}, \"{made.name}\");")
        out.shut()

    def run_free(self, out, command):
        pool, count, array = command.arguments[1:4]
        pool_kind, kind = self.registry.types[pool.type], self.registry.types[array.type]
        out.line(f"struct vt_venus_object *pool = vt_venus_owned(run, args.self, (uint64_t)(uintptr_t)args.{pool.name}, "
                 f"{pool_kind.object_type}, \"{pool.name}\");")
        out.line(f"{kind.name} *handles = vt_venus_room_for_handles(run, args.{count.name});")
        out.open("if (pool == NULL || handles == NULL) {")
        out.line("return;")
        out.shut()
        out.line("uint32_t found = 0;")
        out.open(f"for (uint32_t i = 0; args.{array.name} != NULL && i < args.{count.name}; i++) {{")
        out.line(f"uint64_t handle = vt_venus_freed(run, pool, (uint64_t)(uintptr_t)args.{array.name}[i], "
                 f"{kind.object_type}, \"{array.name}\");")
        out.open("if (handle != 0) {")
        out.line(f"handles[found++] = ({kind.name})(uintptr_t)handle;")
        out.shut()
        out.shut()
        if command.result != "void":
            out.line("args.ret = VK_SUCCESS;")
        out.open("if (found > 0) {")
        out.line(self.call(command, **{pool.name: f"({pool_kind.name})(uintptr_t)pool->handle",
                                       count.name: "found", array.name: "handles"}))
        out.shut()

    def run_reset(self, out, command):
        pool = command.arguments[1]
        pool_kind = self.registry.types[pool.type]
        out.line(f"struct vt_venus_object *pool = vt_venus_owned(run, args.self, (uint64_t)(uintptr_t)args.{pool.name}, "
                 f"{pool_kind.object_type}, \"{pool.name}\");")
        out.open("if (pool == NULL) {")
        out.line("return;")
        out.shut()
        out.line("vt_venus_objects_end_below(run->in.objects, pool);")
        out.line(self.call(command, **{pool.name: f"({pool_kind.name})(uintptr_t)pool->handle"}))

    def run_destroy(self, out, command):
        # The end of the object calls the host; only that it can is looked at here.
        thing = command.arguments[1]
        kind = self.registry.types[thing.type]
        del out.lines[-5:]
        out.line(f"vt_venus_destroyed(run, args.self, (uint64_t)(uintptr_t)args.{thing.name}, {kind.object_type}, "
                 f"\"{thing.name}\");")

    # ---- tables ----------------------------------------------------------------------------------

    def dispatch(self):
        out = declare.head(self.registry, None, comment(
            "What carries out each command, and the table of all by number."),
            ['"venus/passing.h"', '"venus/vn_commands.h"', '"venus/vn_say.h"', '"venus/vn_tables.h"'])
        for command in self.registry.numbered:
            if command.encodable:
                self.run(out, command)
            else:
                out.line()
                out.line(f"static void run_{command.name}(struct vt_venus_run *run, uint32_t flags)")
                out.open("{")
                out.line("(void)flags;")
                out.line(f'vt_venus_fail(&run->in, VT_VENUS_REFUSED, "{command.name}", {command.number}, 0);')
                out.shut()
        out.line()
        out.open("static const struct vn_command commands[VN_COMMANDS] = {")
        for command in self.registry.numbered:
            kind = {"hand": "VN_HANDLED", "refuse": "VN_REFUSED", "unread": "VN_REFUSED"}.get(command.way, "VN_PASSES")
            out.open(f"[{command.number}] = {{")
            out.line(f".id = {command.number},")
            out.line(f'.name = "{command.name}",')
            out.line(f".run = run_{command.name},")
            if command.encodable:
                out.line(f".describe = vn_describe_{command.name},")
                out.line(f".describe_reply = vn_describe_reply_{command.name},")
            out.line(f".kind = {kind},")
            out.shut("},")
        out.shut("};")
        out.raw("""

const struct vn_command *vn_command_of(uint32_t id)
{
    return id < VN_COMMANDS && commands[id].name != NULL ? &commands[id] : NULL;
}
""")
        return out.text()

    def ends(self):
        out = declare.head(self.registry, None, comment(
            "How objects end when their parent does or the guest destroys them."),
            ['"venus/vn_commands.h"', '"venus/vn_tables.h"'])
        kinds = [k for k in self.registry.destroyers if k not in self.registry.ends]
        for name in kinds:
            command = self.registry.destroyers[name]
            out.line()
            out.line(f"static void end_{name}(struct vt_venus_object *object)")
            out.open("{")
            out.open(f"if (object->device->{command.name[2:]} != NULL) {{")
            out.line(f"object->device->{command.name[2:]}((VkDevice)(uintptr_t)object->owner->handle, "
                     f"({name})(uintptr_t)object->handle, NULL);")
            out.shut()
            out.shut()
        out.line()
        out.line("vt_venus_end_fn *vt_venus_end_of(VkObjectType type)")
        out.open("{")
        out.line("switch (type) {")
        for name in kinds + self.registry.ends:
            out.line(f"case {self.registry.types[name].object_type}:")
            out.line(f"    return {'vt_venus_end_' if name in self.registry.ends else 'end_'}{name};")
        out.line("default:")
        out.line("    return NULL;")
        out.line("}")
        out.shut()
        return out.text()


def optional(argument):
    """The same argument, which need not be there."""
    import copy
    same = copy.copy(argument)
    same.unchecked = True
    return same
