"""What a test may leave behind, found by looking at the host before and after it.

Only things that carry this run's marks are counted (its directory, cgroup root, bridge, subnet, container ids), so
that other users of the machine neither hide a leak nor cause one.
"""

import os
import signal
import socket
import struct
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from . import cgroups, mountinfo, processes
from .session import Session


@dataclass
class Watched:
    """What the fixtures in use could leave behind, beside the session's own marks."""

    # Directories whose entries are counted, such as a runtime's state directory.
    directories: set = field(default_factory=set)
    # Directories below which CNI's host-local keeps one file per address.
    allocations: set = field(default_factory=set)
    # How addresses of the agents' bridges begin, "10.224.7.".
    subnets: set = field(default_factory=set)

    def watch(self, agent) -> None:
        """All that an agent makes on the host for its containers."""
        self.directories.update(self._directories(agent))
        self.subnets.add(agent.subnet_prefix)
        self.allocations.add(agent.run / "cni")

    def forget(self, agent) -> None:
        self.directories.difference_update(self._directories(agent))
        self.subnets.discard(agent.subnet_prefix)
        self.allocations.discard(agent.run / "cni")

    @staticmethod
    def _directories(agent) -> list[Path]:
        return [*(agent.run / name for name in ("containers", "netns", "runtime", "cni")), agent.work / "containers"]


def _interfaces(watched: Watched) -> set[str]:
    """Interfaces with a route into a subnet of ours, and the ports of those that are bridges."""
    found = set()
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        name, destination = line.split()[:2]
        address = socket.inet_ntoa(struct.pack("=I", int(destination, 16)))
        if not any(address.startswith(subnet) for subnet in watched.subnets):
            continue
        found.add(f"{name} into {address}")
        try:
            found.update(f"{port} on {name}" for port in os.listdir(f"/sys/class/net/{name}/brif"))
        except FileNotFoundError:
            pass  # no bridge, or gone meanwhile
    return found


# Debian has both kinds of tables; a kernel may lack one.
_nat_listers = ["iptables-legacy-save", "iptables-nft-save"]


def _nat_rules(watched: Watched) -> set[str]:
    if not watched.subnets:
        return set()
    found = set()
    for program in list(_nat_listers):
        listed = subprocess.run([program], capture_output=True, text=True, timeout=20)
        if listed.returncode != 0:
            _nat_listers.remove(program)
        rules = [line for line in listed.stdout.splitlines() if line.startswith("-A")]
        found.update(line for line in rules if any(subnet in line for subnet in watched.subnets))
    return found


def _allocations(watched: Watched) -> set[str]:
    found = set()
    for directory in watched.allocations:
        for place, _, names in os.walk(directory):
            found.update(os.path.join(place, name) for name in names if name.count(".") == 3 and name[0].isdigit())
    return found


def _entries(watched: Watched) -> set[str]:
    """Without caches, such as that of compiled seccomp filters, whose names no container can have."""
    found = set()
    for directory in watched.directories:
        if Path(directory).is_dir():
            found.update(str(entry) for entry in Path(directory).iterdir() if entry.name[0] != "@")
    return found


def _mounts(session: Session) -> set[str]:
    inside = str(session.directory) + "/"
    return {f"{mount.point} ({mount.kind})" for mount in mountinfo.of_host() if mount.point.startswith(inside)}


def _network_namespaces(session: Session, pids: set[int]) -> set[str]:
    """Named ones that carry our name, and any that a process of ours holds."""
    found = set()
    named = Path("/run/netns")
    if named.is_dir():
        found.update(str(entry) for entry in named.iterdir() if session.name in entry.name)
    host = os.readlink("/proc/self/ns/net")
    for pid in pids:
        try:
            own = os.readlink(f"/proc/{pid}/ns/net")
            held = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        except OSError:
            continue
        found.update(link for link in (own, *held) if link.startswith("net:") and link != host)
    return found


def snapshot(session: Session, watched: Watched) -> dict[str, set[str]]:
    pids = processes.of_session(session)
    return {
        "cgroup": cgroups.below(session.cgroups_root),
        "mount": _mounts(session),
        "process": {processes.describe(pid) for pid in pids},
        "network namespace": _network_namespaces(session, pids),
        "interface": _interfaces(watched),
        "NAT rule": _nat_rules(watched),
        "address": _allocations(watched),
        "state": _entries(watched),
    }


def new_since(before: dict, session: Session, watched: Watched, patience: float = 3.0) -> list[str]:
    """What is there now and was not before. The kernel takes some things down late, hence the patience."""
    deadline = time.monotonic() + patience
    while True:
        after = snapshot(session, watched)
        leaked = [
            f"{kind}: {item}" for kind, items in after.items() for item in sorted(items - before.get(kind, set()))
        ]
        if not leaked or time.monotonic() > deadline:
            return leaked
        time.sleep(0.05)


def sweep(session: Session, keep: set[int] = frozenset()) -> None:
    """Ends and removes everything of the session but the processes in `keep`, so that one leak fails one test."""
    for pid in processes.of_session(session) - set(keep):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    deadline = time.monotonic() + 3
    while processes.of_session(session) - set(keep) and time.monotonic() < deadline:
        time.sleep(0.05)
    inside = str(session.directory) + "/"
    for mount in reversed([m for m in mountinfo.of_host() if m.point.startswith(inside)]):
        subprocess.run(["umount", "-l", mount.point], capture_output=True)
    if not keep:
        cgroups.remove(session.cgroups_root)
