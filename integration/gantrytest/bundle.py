"""OCI bundles with the configuration that Docker and podman give a container by default."""

import copy
import functools
import json
import os
import shutil
from pathlib import Path

from .session import Session

APPLETS = (
    "sh true false sleep cat ls echo id mount umount ip ping ps kill env touch mkdir rm ln httpd wget nc yes head dd "
    "test wc grep sed stat hostname readlink tr seq stty tty nslookup chmod chown mknod printf date pwd"
).split()

# Docker's fourteen.
CAPABILITIES = [
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID",
    "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
]  # fmt: skip

MASKED = [
    "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
    "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
]  # fmt: skip

READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]

PROFILE = Path("/usr/share/containers/seccomp.json")


def _mount(destination: str, kind: str, source: str, *options: str) -> dict:
    return {"destination": destination, "type": kind, "source": source, "options": list(options)}


def default_mounts() -> list[dict]:
    return [
        _mount("/proc", "proc", "proc", "nosuid", "noexec", "nodev"),
        _mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        _mount(
            "/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"
        ),
        _mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
        _mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro", "nosuid", "noexec", "nodev"),
        _mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
        _mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),
    ]


@functools.lru_cache(maxsize=None)
def _profile_text() -> str:
    return PROFILE.read_text()


def default_seccomp(capabilities: list[str] = tuple(CAPABILITIES)) -> dict:
    """The profile of Debian's container packages, with its conditions on capabilities and machine resolved."""
    profile = json.loads(_profile_text())
    rules = []
    for rule in profile["syscalls"]:
        includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
        if "arches" in includes and not {"amd64", "x86_64"} & set(includes["arches"]):
            continue
        if {"amd64", "x86_64"} & set(excludes.get("arches", [])):
            continue
        if not set(includes.get("caps", [])) <= set(capabilities) or set(excludes.get("caps", [])) & set(capabilities):
            continue
        kept = {key: rule[key] for key in ("names", "action", "args", "errnoRet") if rule.get(key)}
        rules.append(kept)
    return {
        "defaultAction": profile["defaultAction"],
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": rules,
    }


def default_spec(cgroups_path: str) -> dict:
    """What the big engines ask for, whole: every namespace but user, limits, masks, capabilities, seccomp."""
    device = lambda kind, major, minor, access: {
        "allow": True, "type": kind, "major": major, "minor": minor, "access": access,
    }  # fmt: skip
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": ["/bin/probe", "facts"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"],
            "cwd": "/",
            "capabilities": {kind: list(CAPABILITIES) for kind in ("bounding", "effective", "permitted")},
            "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 4096}],
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": False},
        "hostname": "probe-host",
        "mounts": default_mounts(),
        "linux": {
            "cgroupsPath": cgroups_path,
            "resources": {
                "devices": [
                    {"allow": False, "access": "rwm"},
                    *(device("c", 1, minor, "rwm") for minor in (3, 5, 7, 8, 9)),
                    device("c", 5, 0, "rwm"), device("c", 5, 2, "rwm"),
                    {"allow": True, "type": "c", "major": 136, "access": "rwm"},
                    {"allow": True, "type": "c", "access": "m"},
                    {"allow": True, "type": "b", "access": "m"},
                ],
                "memory": {"limit": 256 << 20},
                "cpu": {"shares": 1024, "quota": 100000, "period": 100000},
                "pids": {"limit": 256},
            },
            "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount", "cgroup")],
            "maskedPaths": list(MASKED),
            "readonlyPaths": list(READ_ONLY),
            "seccomp": default_seccomp(),
        },
    }  # fmt: skip


class Rootfs:
    """Makes small root file systems: busybox and the probe, hard-linked from one copy per session."""

    def __init__(self, session: Session) -> None:
        self._programs = session.temporary("programs")
        for source, name in ((Path("/bin/busybox"), "busybox"), (session.probe, "probe")):
            shutil.copy(source, self._programs / name)

    def make(self, path: Path) -> Path:
        for name in ("bin", "dev", "etc", "home/user", "mnt", "proc", "root", "run", "sys", "tmp", "usr/bin", "var"):
            (path / name).mkdir(parents=True, exist_ok=True)
        (path / "tmp").chmod(0o1777)
        os.chown(path / "home/user", 1000, 1000)
        for name in ("busybox", "probe"):
            os.link(self._programs / name, path / "bin" / name)
        for applet in APPLETS:
            (path / "bin" / applet).symlink_to("busybox")
        (path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n")
        (path / "etc/group").write_text("root:x:0:\nuser:x:1000:\nextra:x:2000:user\n")
        return path


class Bundle:
    """A directory with config.json and rootfs/. Change `spec`; it is written when a runtime is given the bundle."""

    def __init__(self, path: Path, spec: dict) -> None:
        self.path = path
        self.spec = copy.deepcopy(spec)

    @property
    def rootfs(self) -> Path:
        return self.path / "rootfs"

    @property
    def process(self) -> dict:
        return self.spec["process"]

    @property
    def linux(self) -> dict:
        return self.spec["linux"]

    @property
    def resources(self) -> dict:
        return self.spec["linux"]["resources"]

    @property
    def cgroup(self) -> str:
        return self.spec["linux"]["cgroupsPath"]

    def args(self, *words: str) -> "Bundle":
        self.process["args"] = list(words)
        return self

    def probe(self, *words: str) -> "Bundle":
        return self.args("/bin/probe", *words)

    def shell(self, script: str) -> "Bundle":
        return self.args("/bin/sh", "-c", script)

    def mount(self, destination: str, kind: str, source: str, *options: str) -> "Bundle":
        self.spec["mounts"].append(_mount(destination, kind, str(source), *options))
        return self

    def without_mount(self, destination: str) -> "Bundle":
        self.spec["mounts"] = [mount for mount in self.spec["mounts"] if mount["destination"] != destination]
        return self

    def namespace(self, kind: str, path: str | None = None) -> "Bundle":
        """Makes the namespace new, or the one at `path`."""
        self.without_namespace(kind)
        self.linux["namespaces"].append({"type": kind} | ({"path": path} if path else {}))
        return self

    def without_namespace(self, kind: str) -> "Bundle":
        self.linux["namespaces"] = [entry for entry in self.linux["namespaces"] if entry["type"] != kind]
        return self

    def write(self) -> Path:
        (self.path / "config.json").write_text(json.dumps(self.spec))
        return self.path
