"""/proc/PID/mountinfo as values (proc(5))."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Mount:
    root: str
    point: str
    options: frozenset
    propagation: str
    kind: str
    source: str
    super_options: frozenset


def _plain(text: str) -> str:
    return text.encode("latin-1", "backslashreplace").decode("unicode_escape") if "\\" in text else text


def parse(text: str) -> list[Mount]:
    mounts = []
    for line in text.splitlines():
        own, _, rest = line.partition(" - ")
        fields, (kind, source, super_options) = own.split(" "), rest.split(" ", 2)
        mounts.append(
            Mount(
                root=_plain(fields[3]),
                point=_plain(fields[4]),
                options=frozenset(fields[5].split(",")),
                propagation=" ".join(fields[6:]) or "private",
                kind=kind,
                source=_plain(source),
                super_options=frozenset(super_options.split(",")),
            )
        )
    return mounts


def of_host() -> list[Mount]:
    return parse(Path("/proc/self/mountinfo").read_text())


def at(mounts: list[Mount], point: str) -> Mount:
    """The uppermost mount at `point`."""
    found = [mount for mount in mounts if mount.point == point]
    assert found, f"nothing is mounted at {point}; mounted are {sorted(m.point for m in mounts)}"
    return found[-1]
