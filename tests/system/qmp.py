#!/usr/bin/env python3
"""tests/system/qmp.py SOCKET COMMAND [JSON] - one QMP command; prints what it returns."""
import json
import socket
import sys

sock = socket.socket(socket.AF_UNIX)
sock.settimeout(120)
sock.connect(sys.argv[1])
stream = sock.makefile("rw")
stream.readline()
arguments = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
for command, args in (("qmp_capabilities", {}), (sys.argv[2], arguments)):
    stream.write(json.dumps({"execute": command, "arguments": args}) + "\n")
    stream.flush()
    while "event" in (reply := json.loads(stream.readline())):
        pass
    if "error" in reply:
        sys.exit(f"{command}: {reply['error']['desc']}")
print(json.dumps(reply["return"]))
