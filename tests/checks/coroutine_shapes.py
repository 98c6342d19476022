#!/usr/bin/env python3
"""Finds the coroutine shapes that g++ 12.2 compiles to wrong code without a warning:

- `switch (co_await …)` takes the wrong branch;
- an aggregate `T{…}`, a `?:` or a capturing lambda in one expression with `co_await` is destroyed twice;
- a lambda that captures and is itself a coroutine: its captures die with the lambda.

So co_await stands alone, as an initialiser, in CO_TRY or after co_return, and its arguments are names, moves or numbers.
"""
import pathlib
import re
import sys

STATEMENT = re.compile(r"[^;{}]*\bco_await\b[^;]*;", re.S)
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
STRING = re.compile(r'"(?:\\.|[^"\\])*"')


def complaints(text: str):
    text = COMMENT.sub(lambda m: "\n" * m.group().count("\n"), text)
    text = STRING.sub('""', text)
    for match in re.finditer(r"(switch|if|while|for)\s*\([^;{}]*\bco_await\b", text):
        if match.group(1) == "switch":
            yield match.start(), "switch (co_await …)"
    for match in STATEMENT.finditer(text):
        awaited = match.group()[match.group().index("co_await"):]
        if re.search(r"(\b[A-Za-z_][\w:]*(<[^;<>]*>)?|[(,])\s*\{", awaited):
            yield match.start() + match.group().index("co_await"), "an aggregate in one expression with co_await"
        if re.search(r"\?[^:]*[^:]:[^:]", awaited):
            yield match.start() + match.group().index("co_await"), "?: in one expression with co_await"
        if re.search(r"\[[^\]]+\]\s*(\([^)]*\))?\s*(mutable)?\s*(->[^{]*)?\{", awaited):
            yield match.start() + match.group().index("co_await"), "a capturing lambda in one expression with co_await"
    for match in re.finditer(r"\[([^\]\[]+)\]\s*\([^)]*\)\s*(mutable)?\s*->\s*(async::)?Task<", text):
        yield match.start(), "a capturing lambda that is a coroutine"


def main(root: pathlib.Path) -> int:
    found = 0
    for directory in ("async", "http", "network", "fetcher", "isolators", "agent", "cli", "tests"):
        for path in sorted((root / directory).rglob("*.[hc]pp")):
            text = path.read_text()
            for offset, what in complaints(text):
                print(f"{path.relative_to(root)}:{text[:offset].count(chr(10)) + 1}: {what}")
                found += 1
    print("no miscompiled coroutine shapes" if not found else f"{found} found")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
