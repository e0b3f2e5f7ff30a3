-- Made by `vitrine gpu dissector` of the tables of virtio-gpu's protocol.
-- Copy it to Wireshark's plugin directory, or: tshark -X lua_script:FILE -r RECORDING

-- Tables of fields and messages come first, then a program over them that knows no message.
local vgpu = Proto("vgpu", "virtio-gpu")
local f, list, bits, messages = {}, {}, {}, {}
local function field(key, proto) f[key] = proto; list[#list + 1] = proto end
local function bit(of, key, name, width, mask)
    field(key, ProtoField.bool("vgpu." .. key, name, width, nil, mask))
    bits[of] = bits[of] or {}
    table.insert(bits[of], f[key])
end
field("packet.version", ProtoField.uint8("vgpu.version", "version"))
field("packet.kind", ProtoField.uint8("vgpu.kind", "kind", base.DEC,
    {[0]="request", [1]="response", [2]="lost", [3]="reset", [4]="note"}))
field("packet.queue", ProtoField.uint8("vgpu.queue", "queue", base.DEC,
    {[0]="control", [1]="cursor"}))
field("packet.sequence", ProtoField.uint64("vgpu.sequence", "sequence", base.DEC))
field("packet.latency", ProtoField.uint64("vgpu.latency_ns", "latency (ns)", base.DEC))
field("packet.lost", ProtoField.uint64("vgpu.lost", "commands lost", base.DEC))
field("packet.slot", ProtoField.uint16("vgpu.slot", "descriptor", base.DEC))
field("packet.written", ProtoField.uint32("vgpu.written", "bytes written", base.DEC))
field("packet.bytes", ProtoField.uint32("vgpu.bytes", "bytes", base.DEC))
field("packet.note", ProtoField.string("vgpu.note", "note", base.UNICODE))
field("packet.rest", ProtoField.bytes("vgpu.rest", "not decoded"))
field("packet.request_in", ProtoField.framenum("vgpu.request_in", "request in",
    base.NONE, frametype.REQUEST))
field("packet.response_in", ProtoField.framenum("vgpu.response_in", "response in",
    base.NONE, frametype.RESPONSE))
field("seen", ProtoField.uint8("vgpu.seen", "as it was seen", base.HEX))
--@TABLES@

local ELEMENTS_MAX = 4096
vgpu.fields = list
local bad = ProtoExpert.new("vgpu.malformed", "not well-formed",
    expert.group.MALFORMED, expert.severity.ERROR)
local failed = ProtoExpert.new("vgpu.error", "the device refused it",
    expert.group.RESPONSE_CODE, expert.severity.WARN)
vgpu.experts = {bad, failed}
local request_in, response_in = {}, {}
function vgpu.init() request_in, response_in = {}, {} end

local function add_member(tree, buf, at, member)
    local key, offset, bytes, kind, name = table.unpack(member)
    if at + offset + bytes > buf:len() then return nil end
    local range = buf(at + offset, bytes)
    if kind == "rect" then
        local x, y = range(0, 4):le_uint(), range(4, 4):le_uint()
        local w, h = range(8, 4):le_uint(), range(12, 4):le_uint()
        local text = string.format("%dx%d+%d+%d", w, h, x, y)
        local item = tree:add(f[key], range)
        item:set_text(name .. ": " .. text)
        item:add_le(f[key .. ".x"], range(0, 4))
        item:add_le(f[key .. ".y"], range(4, 4))
        item:add_le(f[key .. ".width"], range(8, 4))
        item:add_le(f[key .. ".height"], range(12, 4))
        return text
    elseif kind == "bytes" then
        tree:add(f[key], range)
    elseif kind == "text" then
        tree:add(f[key], range, range:stringz())
    else
        local item = tree:add_le(f[key], range)
        for _, flag in ipairs(bits[key] or {}) do item:add_le(flag, range) end
        if kind == "id" then return range:le_uint() end
    end
    return nil
end

local function add_tail(tree, buf, message)
    local tail, at = message.tail, message.bytes
    local room = math.floor((buf:len() - at) / tail.bytes)
    local count = room
    if tail.count_offset > 0 then count = buf(tail.count_offset, 4):le_uint()
    elseif tail.capacity > 0 then count = tail.capacity end
    if count > room then tree:add_proto_expert_info(bad, tail.name .. " are cut") end
    count = math.min(count, room)
    if tail.bytes == 1 then
        if count > 0 then tree:add(f[tail.fields[1][1]], buf(at, count)) end
        return at + math.max(count, math.min(tail.capacity, room))
    end
    for i = 0, math.min(count, ELEMENTS_MAX) - 1 do
        local part = buf(at + i * tail.bytes, tail.bytes)
        local item = tree:add(vgpu, part, tail.name .. "[" .. i .. "]")
        for _, member in ipairs(tail.fields) do
            add_member(item, buf, at + i * tail.bytes, member)
        end
    end
    return at + count * tail.bytes
end

-- Adds a message's fields; returns what the information column says.
local function add_message(tree, buf)
    if buf:len() < 24 then
        tree:add_proto_expert_info(bad, "no whole header")
        return "no whole header"
    end
    for _, member in ipairs(header) do add_member(tree, buf, 0, member) end
    local type = buf(0, 4):le_uint()
    local message = messages[type]
    if not message then
        tree:add_proto_expert_info(bad, "unknown type")
        if buf:len() > 24 then tree:add(f["packet.rest"], buf(24)) end
        return string.format("type 0x%04x", type)
    end
    tree:append_text(", " .. message.name)
    local info, ending = message.name, message.bytes
    for _, member in ipairs(message.fields) do
        local shown = add_member(tree, buf, 0, member)
        if shown then info = info .. " " .. member[5] .. " " .. tostring(shown) end
    end
    if buf:len() < message.bytes then
        tree:add_proto_expert_info(bad, "too short")
        return info
    end
    if message.tail then ending = add_tail(tree, buf, message) end
    if buf:len() > ending then tree:add(f["packet.rest"], buf(ending)) end
    if type >= 0x1200 and type < 0x1300 then
        tree:add_proto_expert_info(failed, message.name)
    end
    return info
end

function vgpu.dissector(buf, pinfo, root)
    if buf:len() < 40 or buf(0, 1):uint() ~= 1 then return 0 end
    pinfo.cols.protocol = "VGPU"
    local kind, queue = buf(1, 1):uint(), buf(2, 1):uint()
    local sequence = tostring(buf(8, 8):le_uint64())
    local tree = root:add(vgpu, buf())
    tree:add(f["packet.version"], buf(0, 1))
    tree:add(f["packet.kind"], buf(1, 1))
    local side = queue == 1 and "device, cursor queue" or "device, control queue"
    if kind <= 1 then
        tree:add(f["packet.queue"], buf(2, 1))
        pinfo.cols.src = kind == 0 and "driver" or side
        pinfo.cols.dst = kind == 0 and side or "driver"
    end
    local seen = tree:add(f["seen"], buf(3, 1))
    for _, flag in ipairs(bits["seen"]) do seen:add(flag, buf(3, 1)) end
    tree:add_le(f["packet.bytes"], buf(4, 4))
    tree:add_le(f["packet.sequence"], buf(8, 8))
    local rest = buf:len() > 40 and buf(40):tvb() or nil
    if kind == 2 then
        tree:add_le(f["packet.lost"], buf(24, 8))
        pinfo.cols.info = tostring(buf(24, 8):le_uint64()) .. " commands were lost"
    elseif kind == 3 then
        pinfo.cols.info = "the device was reset"
    elseif kind == 4 then
        if rest then tree:add(f["packet.note"], rest()) end
        pinfo.cols.info = rest and rest():string() or ""
    elseif kind <= 1 then
        tree:add_le(f["packet.slot"], buf(32, 2))
        local other
        if kind == 1 then
            if tostring(buf(16, 8):le_uint64()) ~= "0" then
                tree:add_le(f["packet.latency"], buf(16, 8))
            end
            tree:add_le(f["packet.written"], buf(36, 4))
            if not pinfo.visited then response_in[sequence] = pinfo.number end
            other = request_in[sequence]
            if other then tree:add(f["packet.request_in"], other):set_generated() end
        else
            if not pinfo.visited then request_in[sequence] = pinfo.number end
            other = response_in[sequence]
            if other then tree:add(f["packet.response_in"], other):set_generated() end
        end
        if rest then
            local part = root:add(vgpu, rest(), kind == 0 and "request" or "response")
            pinfo.cols.info = add_message(part, rest)
        else
            pinfo.cols.info = kind == 0 and "no bytes" or "done"
        end
    end
    return buf:len()
end
