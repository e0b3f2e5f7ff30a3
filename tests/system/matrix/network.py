"""network.py - sockets, net."""
import ipaddress
import re

from checks import noun
from view import text

STATES = ["", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE",
          "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "NEW_SYN_RECV"]
UNIX_TYPES = {1: "stream", 2: "dgram", 5: "seqpacket"}


def network(view):
    """(folder of /proc/net, namespace) of each network namespace."""
    seen = set()
    for pid in [1, *view.whole()]:
        here = re.search(r" net -> net:\[(\d+)\]", view.text(pid, "ns"))
        if here and here[1] not in seen:
            seen.add(here[1])
            yield ("net",) if pid == 1 else (pid, "net"), int(here[1])


def endpoint(field):
    address, _, port = field.partition(":")
    words = bytes.fromhex(address)
    words = b"".join(words[i:i + 4][::-1] for i in range(0, len(words), 4))
    ip = ipaddress.ip_address(words)
    mapped = getattr(ip, "ipv4_mapped", None)
    return f"::ffff:{mapped}" if mapped else str(ip), int(port, 16)


def internet(view, folder, protocol, namespace, table):
    for line in view.lines(*folder, protocol)[1:]:
        words = line.split()
        local, peer = endpoint(words[1]), endpoint(words[2])
        tx, rx = (int(x, 16) for x in words[4].split(":"))
        key = int(words[9]) or (protocol, local, peer)  # without a file there is no inode
        if key in table or STATES[int(words[3], 16)] == "TIME_WAIT":
            continue
        table[key] = {
            "netns": namespace,
            "local_address": local[0],
            "local_port": local[1],
            "peer_address": peer[0],
            "peer_port": peer[1],
            "state": STATES[int(words[3], 16)],
            "tx_bytes": tx,
            "rx_bytes": rx,
            "uid": int(words[7]),
            "protocol": protocol.rstrip("6"),
        }


def local_sockets(view, folder, namespace, table):
    # A path may have any byte: a line begins where a number of 16 digits does.
    lines = re.split(rb"\n(?=[0-9a-f]{16}: )", view.bytes(*folder, "unix"))[1:]
    for line in lines:
        words = line.rstrip(b"\n").split(None, 7)
        flags, kind, state = int(words[3], 16), int(words[4], 16), int(words[5], 16)
        path = text(words[7]) if len(words) > 7 else None
        table[int(words[6])] = {
            "netns": namespace,
            "type": UNIX_TYPES[kind],
            "listening": bool(flags & 0x10000),
            "connected": state == 3,
            "path": path,
        }


def sockets_of(view):
    table = {}
    for folder, namespace in network(view):
        for protocol in "tcp", "tcp6", "udp", "udp6":
            internet(view, folder, protocol, namespace, table)
        local_sockets(view, folder, namespace, table)
    for line in view.lines("net", "netlink")[1:]:
        words = line.split()
        table[int(words[-1])] = {"family": "netlink", "local_port": int(words[2])}
    for line in view.lines("net", "packet")[1:]:
        words = line.split()
        table[int(words[-1])] = {"family": "packet", "rx_bytes": int(words[6]),
                                 "uid": int(words[7])}
    return table


@noun("sockets")
def sockets(check):
    ours = {}
    for row in check.rows():
        if not row["listed"] or row["state"] == "TIME_WAIT":
            continue
        key = row["inode"]
        if not key:
            protocol = row["protocol"] + ("6" if row["family"] == "inet6" else "")
            key = (protocol, (row["local_address"], row["local_port"]),
                   (row["peer_address"], row["peer_port"]))
        if row["type"] == "raw" and row["family"] in ("inet", "inet6"):
            continue
        if row["family"] == "unix":
            row["listening"] = row["state"] == "LISTEN"
            row["connected"] = row["state"] == "ESTABLISHED"
            row["path"] = row["local_address"] or None
        if key in ours:
            check.fail(f"twice: {key}")
        ours[key] = row
    inner = {row["inode"] for row in ours.values() if row["family"] in ("netlink", "packet")}
    there = sockets_of(check.before).keys() | sockets_of(check.after).keys()
    for inode in inner - there:  # /proc/net has those of its own namespace only
        if ours[inode]["netns"] == min(row["netns"] for row in ours.values()):
            check.fail(f"{inode}: only in vitrine")
        del ours[inode]
    check.compare(sockets_of, ours, 25)
    owners = {}
    for pid in check.before.whole():
        for inode in re.findall(r"-> socket:\[(\d+)\]", check.before.text(pid, "fd")):
            owners.setdefault(int(inode), set()).add(pid)
    for key, row in ours.items():
        if row["pid"] is not None and row["pid"] in check.after.pids:
            check.equal(f"{key} is held by {row['pid']}", True, row["pid"] in owners.get(key, ()))


def counters(view, folder):
    """(received bytes, packets, sent bytes, packets) by interface."""
    table = {}
    for line in view.lines(*folder, "dev")[2:]:
        name, _, numbers = line.partition(":")
        numbers = list(map(int, numbers.split()))
        table[name.strip()] = {"rx_bytes": numbers[0], "rx_packets": numbers[1],
                               "tx_bytes": numbers[8], "tx_packets": numbers[9]}
    return table


def addresses(view):
    """A row for each address, and for each interface one that has the address None."""
    table = {}
    scopes = {0x00: "global", 0x10: "host", 0x20: "link", 0x40: "site"}
    for folder, namespace in network(view):
        devices = counters(view, folder)
        for name, counts in devices.items():
            table[namespace, name, None] = counts
        for line in view.lines(*folder, "if_inet6"):
            digits, index, prefix, scope, _, name = line.split()
            ip = str(ipaddress.ip_address(bytes.fromhex(digits)))
            table[namespace, name, ip] = {"ifindex": int(index, 16), "prefix": int(prefix, 16),
                                          "scope": scopes[int(scope, 16)], "family": "inet6"}
    ours = next(namespace for folder, namespace in network(view) if folder == ("net",))
    for block in re.split(r"^(?=\d+: )", view.text("ip_addr"), flags=re.MULTILINE)[1:]:
        index, name, flags, mtu = re.match(r"(\d+): ([^:@]+).*?: <(.*?)> mtu (\d+)", block).groups()
        mac = re.search(r"link/ether ([0-9a-f:]{17})", block)
        table[ours, name, None].update(ifindex=int(index), mtu=int(mtu), flags=set(flags.split(",")),
                                       **({"mac": mac[1]} if mac else {}))
        for ip, prefix, scope, label in re.findall(
                r"^ +inet ([0-9.]+)/(\d+)(?: brd \S+)? scope (\w+) ?(\S*)$", block, re.MULTILINE):
            table[ours, name, ip] = {"ifindex": int(index), "prefix": int(prefix), "scope": scope,
                                     "label": label or name, "family": "inet"}
    return table


@noun("net")
def net(check):
    ours = {}
    # Flags that busybox's ip shows.
    known = {"UP", "BROADCAST", "LOOPBACK", "NOARP", "LOWER_UP", "POINTOPOINT", "MULTICAST",
             "PROMISC", "NO-CARRIER"}
    for row in check.rows("interfaces"):
        row["flags"] = set((row["flags"] or "").split(",")) & known
        ours[row["netns"], row["name"], None] = row
        if row["address"] is not None:
            key = row["netns"], row["name"], row["address"]
            if key in ours:
                check.fail(f"twice: {key}")
            ours[key] = row
    # Of other namespaces /proc has IPv4 addresses in its routes only, without the interface.
    for folder, namespace in network(check.before):
        for key in [k for k, r in ours.items() if k[2] and folder != ("net",)
                    and r["netns"] == namespace and r["family"] == "inet"]:
            check.equal(f"{key} is local", True,
                        f"|-- {key[2]}\n" in check.before.text(*folder, "fib_trie"))
            del ours[key]
    check.compare(addresses, ours, 6)
