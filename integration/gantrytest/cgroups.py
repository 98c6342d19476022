"""Control groups as the host sees them, on either version, under the same names."""

import math
import os
from pathlib import Path

TOP = Path("/sys/fs/cgroup")


def unified() -> bool:
    return (TOP / "cgroup.controllers").exists()


def hierarchies() -> list[Path]:
    """Every mounted hierarchy; in the hybrid layout that includes version 2 without controllers."""
    if unified():
        return [TOP]
    return sorted(path for path in TOP.iterdir() if path.is_dir() and not path.is_symlink())


def available(controller: str) -> bool:
    if unified():
        return controller in (TOP / "cgroup.controllers").read_text().split()
    return (TOP / controller).is_dir()


def below(root: str) -> set[str]:
    """Every cgroup below /`root`, in every hierarchy."""
    found = set()
    for hierarchy in hierarchies():
        top = hierarchy / root.strip("/")
        for directory, names, _ in os.walk(top):
            found.update(os.path.join(directory, name) for name in names)
    return found


def remove(root: str) -> None:
    for hierarchy in hierarchies():
        for directory, _, _ in os.walk(hierarchy / root.strip("/"), topdown=False):
            try:
                os.rmdir(directory)
            except OSError:
                pass


def members(root: str) -> set[int]:
    """Processes in /`root` or below."""
    found = set()
    for hierarchy in hierarchies():
        for directory, _, _ in os.walk(hierarchy / root.strip("/")):
            try:
                found.update(int(line) for line in Path(directory, "cgroup.procs").read_text().split())
            except OSError:
                pass
    return found


class Cgroup:
    """One container's cgroup."""

    def __init__(self, path: str) -> None:
        self.path = path.strip("/")

    def directory(self, controller: str) -> Path:
        return TOP / self.path if unified() else TOP / controller / self.path

    def exists(self) -> bool:
        return any((hierarchy / self.path).is_dir() for hierarchy in hierarchies())

    def read(self, controller: str, file: str) -> str:
        return (self.directory(controller) / file).read_text().strip()

    def memory_limit(self) -> int:
        text = self.read("memory", "memory.max" if unified() else "memory.limit_in_bytes")
        return -1 if text == "max" or int(text) > 1 << 60 else int(text)

    def swap_limit(self) -> int:
        """Swap alone, as version 2 counts it."""
        if unified():
            text = self.read("memory", "memory.swap.max")
            return -1 if text == "max" else int(text)
        return int(self.read("memory", "memory.memsw.limit_in_bytes")) - self.memory_limit()

    def memory_reservation(self) -> int:
        return int(self.read("memory", "memory.low" if unified() else "memory.soft_limit_in_bytes"))

    def pids_limit(self) -> int:
        text = self.read("pids", "pids.max")
        return -1 if text == "max" else int(text)

    def cpu_quota(self) -> tuple[int, int]:
        """Microseconds per period, and the period; -1 is no quota."""
        if unified():
            quota, period = self.read("cpu", "cpu.max").split()
            return (-1 if quota == "max" else int(quota)), int(period)
        return int(self.read("cpu", "cpu.cfs_quota_us")), int(self.read("cpu", "cpu.cfs_period_us"))

    def has_cpu_shares(self, shares: int) -> bool:
        """Version 1's number, or either weight that runtimes make of it on version 2: the older, linear one, or the one
        that maps the default to the default (runc 1.3.2, crun 1.23)."""
        if not unified():
            return int(self.read("cpu", "cpu.shares")) == shares
        weight = int(self.read("cpu", "cpu.weight"))
        exponent = math.log2(shares)
        return weight in (
            1 + ((shares - 2) * 9999) // 262142,
            math.ceil(10 ** ((exponent * exponent + 125 * exponent) / 612 - 7 / 34)),
        )

    def frozen(self) -> bool:
        if unified():
            return "frozen 1" in self.read("", "cgroup.events")
        return self.read("freezer", "freezer.state") == "FROZEN"
