"""checks.py - how a noun's rows are held against the guest's two views of itself.

The guest was looked at before and after vitrine looked. What both views agree on must be what vitrine
says; what only one of them has may be there or not.
"""
import json
import os

NOUNS = {}  # name -> (function, {result name: arguments})


def noun(name, **looks):
    """Declares the check of a noun. Arguments beside the VM come from `looks`: a name and a list."""

    def declare(function):
        NOUNS[name] = (function, looks or {name.replace("-", "_"): [name]})
        return function

    return declare


class Check:
    def __init__(self, name, before, after, results):
        self.name, self.before, self.after, self.results = name, before, after, results
        self.wrong = []
        self.compared = 0

    def fail(self, what):
        self.wrong.append(what)

    def equal(self, what, want, got):
        self.compared += 1
        if want != got:
            self.fail(f"{what}: guest {want!r}, vitrine {got!r}")

    def between(self, what, low, got, high):
        self.compared += 1
        if not low <= got <= high:
            self.fail(f"{what}: vitrine {got!r}, guest from {low!r} to {high!r}")

    def document(self, look=None):
        """The JSON that a look printed; None, and a failure, when it printed none."""
        path = os.path.join(self.results, (look or self.name).replace("-", "_") + ".json")
        try:
            with open(path, encoding="utf-8") as file:
                return json.load(file)
        except (OSError, ValueError):
            try:
                with open(path + ".error", encoding="utf-8", errors="replace") as file:
                    self.fail(file.read().strip()[:300] or "no output")
            except OSError:
                self.fail("was not run")
            return None

    def rows(self, member=None, look=None):
        """The rows, all of which have to be sound in a quiet guest."""
        document = self.document(look)
        if document is None:
            return []
        if isinstance(document, list):
            rows = document
        else:
            rows = document[member or self.name]
            if document.get("torn"):
                self.fail(f"the list is torn: {document.get('why')}")
        for row in rows:
            if row.get("trust", "ok") != "ok":
                self.fail(f"a row is {row['trust']}: {row.get('why')}: {row}"[:300])
        return rows

    def keyed(self, rows, key):
        """Rows by a key, which no two of them may share."""
        table = {}
        for row in rows:
            k = key(row)
            if k in table:
                self.fail(f"twice: {k}")
            table[k] = row
        return table

    def compare(self, parse, ours, least=1):
        """parse(view) -> {key: {field: value}}; ours likewise, with fields that are not compared."""
        before, after = parse(self.before), parse(self.after)
        both = before.keys() & after.keys()
        for key in sorted(both - ours.keys(), key=str):
            self.fail(f"{key}: only in the guest")
        for key in sorted(ours.keys() - before.keys() - after.keys(), key=str):
            self.fail(f"{key}: only in vitrine")
        for key in both & ours.keys():
            for field, value in before[key].items():
                if after[key].get(field) == value:
                    self.equal(f"{key} {field}", value, ours[key].get(field))
        if len(both) < least:
            self.fail(f"only {len(both)} to compare, {least} were expected")

    def stable(self, read):
        """What read(view) gives, when both views agree; else None."""
        before, after = read(self.before), read(self.after)
        return before if before == after else None
