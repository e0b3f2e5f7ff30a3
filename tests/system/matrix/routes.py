"""routes.py - routes, neighbours."""
import ipaddress
import re
import struct

from checks import noun

UP, GATEWAY, REJECT = 0x1, 0x2, 0x200


def address(digits):
    return str(ipaddress.ip_address(struct.pack("<I", int(digits, 16))))


def leaves(view):
    """(destination, type) of each leaf of the tries; both tables in one."""
    found, prefix = set(), None
    for line in view.lines("net", "fib_trie"):
        words = line.split()
        if words[:1] == ["|--"]:
            prefix = words[1]
        elif prefix and words and words[0].startswith("/") and len(words) == 3:
            found.add((prefix + words[0], words[2].lower()))
    return found


def routes_of(view):
    table = {}
    for line in view.lines("net", "route")[1:]:
        w = line.split()
        bits = bin(int(w[7], 16)).count("1")
        flags = int(w[3], 16)
        table["inet", "main", f"{address(w[1])}/{bits}", w[0], int(w[6])] = {
            "gateway": address(w[2]) if flags & GATEWAY else None}
    for line in view.lines("net", "ipv6_route"):
        w = line.split()
        if int(w[8], 16) & REJECT:
            continue
        net = f"{ipaddress.ip_address(bytes.fromhex(w[0]))}/{int(w[1], 16)}"
        gateway = str(ipaddress.ip_address(bytes.fromhex(w[4])))
        table["inet6", net, w[9], int(w[5], 16)] = {
            "gateway": None if gateway == "::" else gateway}
    return table


@noun("routes")
def routes(check):
    own = int(re.search(r" net -> net:\[(\d+)\]", check.before.text(1, "ns"))[1])
    rows = [row for row in check.rows() if row["netns"] == own]
    ours = {}
    for row in rows:
        if row["family"] == "inet6" and row["type"] != "unreachable":
            ours["inet6", row["destination"], row["device"], row["metric"]] = row
        elif row["table"] == "main":
            ours["inet", "main", row["destination"], row["device"], row["metric"]] = row
    check.compare(routes_of, ours, 4)
    got = {(row["destination"], row["type"]) for row in rows if row["family"] == "inet"}
    for leaf in leaves(check.before) & leaves(check.after):
        check.equal(f"{leaf} is there", True, leaf in got)
    for leaf in got - leaves(check.before) - leaves(check.after):
        check.fail(f"{leaf}: only in vitrine")


@noun("neighbours")
def neighbours(check):
    own = int(re.search(r" net -> net:\[(\d+)\]", check.before.text(1, "ns"))[1])
    ours = {(row["address"], row["device"]): row for row in check.rows()
            if row["netns"] == own and row["family"] == "inet" and row["state"] != "noarp"}

    def arp(view):
        return {(w[0], w[5]): {"mac": w[3]} for w in map(str.split, view.lines("net", "arp")[1:])
                if int(w[2], 16) & 2}

    check.compare(arp, {key: row for key, row in ours.items() if row["mac"]},
                  check.before.made("interface"))
