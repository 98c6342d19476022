#!/usr/bin/env python3
"""Who may include whom. A new arrow is a decision: write it here, and say why in the commit."""
import pathlib
import re
import sys

# Directory -> what its files may include. 'agent' and 'isolators' are one row each; tests may include anything.
ALLOWED = {
    "base": set(),
    "kernel": {"base"},
    "oci": {"base"},
    "async": {"base", "kernel"},
    "http": {"base", "async"},
    "runtime": {"base", "kernel", "oci"},
    "network": {"base", "kernel", "oci", "async"},
    "fetcher": {"base", "kernel", "oci", "async"},
    "isolators": {"base", "kernel", "oci", "async", "network"},
    "agent": {"base", "kernel", "oci", "async", "http", "network", "fetcher", "isolators"},
    "cli": {"base", "kernel", "oci", "async", "http"},
}

# Third-party header prefix -> the files that may include it.
THIRD_PARTY = {
    r"boost/asio": r"^(async/|http/)",
    r"boost/beast": r"^http/.*\.cpp$",
    r"nlohmann/(?!json_fwd)": r"^(oci/.*\.cpp|fetcher/.*\.cpp|network/.*\.cpp|agent/.*\.cpp|cli/.*\.cpp)$",
    r"seccomp\.h": r"^(runtime/.*\.cpp|fetcher/pull/confinement\.cpp)$",
    r"curl/": r"^fetcher/",
    r"archive(_entry)?\.h": r"^fetcher/",
    r"openssl/": r"^(fetcher/|agent/master/)",
    r"zookeeper/": r"^agent/master/",
    r"sqlite3\.h": r"^agent/state/",
    r"google/protobuf": r"^agent/wire/",
    r"toml\+\+": r"^agent/config/",
    r"CLI/": r"^(cli/|runtime/|agent/config/)",
}

INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.M)


def main(root: pathlib.Path) -> int:
    problems = []
    for directory, allowed in ALLOWED.items():
        for path in sorted((root / directory).rglob("*.[hc]pp")):
            name = path.relative_to(root).as_posix()
            for ours, theirs in INCLUDE.findall(path.read_text()):
                top = (ours or "").split("/")[0]
                if top in ALLOWED and top != directory and top not in allowed:
                    problems.append(f"{name}: {directory}/ may not include '{ours}'")
                for prefix, home in THIRD_PARTY.items():
                    if re.match(prefix, ours or theirs) and not re.match(home, name):
                        problems.append(f"{name}: <{ours or theirs}> belongs behind {home}")
    print("\n".join(problems) or "layering holds")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
