"""Processes that belong to a test run: by the mark in their environment, or by their cgroup."""

import os
from pathlib import Path

from . import cgroups
from .session import MARK, Session


def _alive(pid: int) -> bool:
    """Neither gone nor a zombie that only its parent can collect."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def describe(pid: int) -> str:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        command = ""
    return f"{pid} ({command[:160]})"


def standing(pid: int) -> str:
    """The same with the process's state and what it waits for in the kernel, which tells where one hangs."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        waits_in = Path(f"/proc/{pid}/wchan").read_text()
    except OSError:
        return f"{pid} (gone)"
    return f"{describe(pid)} {state} {waits_in}"


def of_session(session: Session) -> set[int]:
    mark = f"{MARK}={session.name}".encode()
    found = {pid for pid in cgroups.members(session.cgroups_root) if _alive(pid)}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            environment = Path("/proc", entry, "environ").read_bytes()
        except OSError:
            continue
        if mark in environment.split(b"\0") and _alive(int(entry)):
            found.add(int(entry))
    return found - {os.getpid()}
