#!/usr/bin/env python3
"""isf_rules.py FILE... - whether symbol files follow the rules of Volatility 3's format 6.2.0.

What its schema (volatility3/schemas/schema-6.2.0.json) demands, and what the program needs beyond
it: every enum, base type and defined struct that is referred to exists."""
import json
import lzma
import re
import sys


class Broken(Exception):
    pass


def need(condition, where, what):
    if not condition:
        raise Broken(f"{where}: {what}")


def is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


def members(value, where, required, optional=()):
    need(isinstance(value, dict), where, "not an object")
    for key in required:
        need(key in value, where, f"no {key}")
    for key in value:
        need(key in required or key in optional, where, f"a member {key}")


class Checker:
    def __init__(self, doc):
        self.doc = doc

    def descriptor(self, d, where):
        while True:
            need(isinstance(d, dict), where, "not a description")
            kind = d.get("kind")
            if kind == "pointer":
                members(d, where, ("kind", "subtype"), ("base",))
                d = d["subtype"]
            elif kind == "array":
                members(d, where, ("kind", "subtype", "count"))
                need(is_int(d["count"]), where, "a count that is none")
                d = d["subtype"]
            else:
                break
        if kind == "function":
            members(d, where, ("kind",))
        elif kind == "bitfield":
            members(d, where, ("kind", "bit_position", "bit_length", "type"))
            need(is_int(d["bit_position"]) and is_int(d["bit_length"]), where, "bits that are none")
            need(d["type"].get("kind") in ("base", "enum"), where, "bits of what is no integer")
            self.descriptor(d["type"], where)
            table = "enums" if d["type"]["kind"] == "enum" else "base_types"
            bits = 8 * self.doc[table][d["type"]["name"]]["size"]
            need(d["bit_position"] + d["bit_length"] <= bits, where, "bits beyond their integer")
        else:
            need(kind in ("base", "enum", "struct", "class", "union"), where, f"the kind {kind}")
            members(d, where, ("kind", "name"))
            need(isinstance(d["name"], str), where, "a name that is none")
            # A struct may be one that is nowhere described.
            if kind == "base":
                need(d["name"] in self.doc["base_types"], where, f"no base type {d['name']}")
            if kind == "enum":
                need(d["name"] in self.doc["enums"], where, f"no enum {d['name']}")

    def metadata(self, m):
        members(m, "metadata", ("format",), ("producer", "linux"))
        need(re.fullmatch(r"6\.[0-9]+\.[0-9]+", m["format"]), "metadata", "the format")
        for value in m.get("producer", {}).values():
            need(isinstance(value, str), "producer", "not text")
        members(m.get("linux", {}), "linux", (), ("symbols", "types"))
        for items in m.get("linux", {}).values():
            for item in items:
                members(item, "linux", (), ("kind", "name", "hash_type", "hash_value"))
                need(item["kind"] in ("dwarf", "symtab", "system-map"), "linux", "an origin's kind")

    def check(self):
        doc = self.doc
        members(doc, "the file", ("metadata", "base_types", "user_types", "enums", "symbols"))
        self.metadata(doc["metadata"])
        need("void" in doc["base_types"] and "pointer" in doc["base_types"], "base_types", "few")
        for name, t in doc["base_types"].items():
            members(t, name, ("size", "kind", "signed", "endian"))
            need(is_int(t["size"]) and isinstance(t["signed"], bool), name, "a size or sign")
            need(t["kind"] in ("void", "int", "float", "char", "bool"), name, "a kind")
            need(t["endian"] in ("little", "big"), name, "an end")
        for name, t in doc["enums"].items():
            members(t, name, ("size", "base", "constants"))
            need(t["base"] in doc["base_types"], name, f"no base type {t['base']}")
            need(all(is_int(v) for v in t["constants"].values()), name, "a constant")
        for name, t in doc["user_types"].items():
            members(t, name, ("kind", "size", "fields"))
            need(t["kind"] in ("struct", "union", "class") and is_int(t["size"]), name, "a kind")
            for field, f in t["fields"].items():
                members(f, f"{name}.{field}", ("type", "offset"), ("anonymous",))
                need(is_int(f["offset"]), f"{name}.{field}", "an offset")
                need(isinstance(f.get("anonymous", True), bool), f"{name}.{field}", "anonymous")
                self.descriptor(f["type"], f"{name}.{field}")
        for name, s in doc["symbols"].items():
            members(s, name, ("address",), ("type", "linkage_name", "constant_data"))
            need(is_int(s["address"]) and 0 <= s["address"] < 1 << 64, name, "an address")
            if "type" in s:
                self.descriptor(s["type"], name)
        need("constant_data" in doc["symbols"].get("linux_banner", {}), "symbols", "no banner")


def once(pairs):
    result = dict(pairs)
    need(len(result) == len(pairs), "an object", "two members of one name")
    return result


def main():
    for path in sys.argv[1:]:
        opener = lzma.open if path.endswith(".xz") else open
        with opener(path, "rt", encoding="utf-8") as file:
            Checker(json.load(file, object_pairs_hook=once)).check()


try:
    main()
except Broken as broken:
    sys.exit(f"isf_rules: {broken}")
