"""Bundles and root file systems made to break out. A canary outside the root must stay as it was."""

import contextlib
import ctypes
import hashlib
import json
import os
import stat
import threading
import time
from pathlib import Path

import pytest

from gantrytest import mountinfo
from gantrytest.oci_runtime import RuntimeFailed


LIBC = ctypes.CDLL(None, use_errno=True)


class Canary:
    """A directory and a file on the host that no container may change."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "tree").mkdir(parents=True)
        (path / "file").write_text("untouched\n")
        (path / "tree/inner").write_text("untouched\n")
        self._before = self._look()

    def _look(self):
        found = {}
        for entry in [self.path, *sorted(self.path.rglob("*"))]:
            info = entry.lstat()
            content = entry.read_bytes() if stat.S_ISREG(info.st_mode) else b""
            found[str(entry)] = (info.st_mode, info.st_uid, info.st_gid, hashlib.sha256(content).hexdigest())
        return found

    def check(self) -> None:
        assert self._look() == self._before


@pytest.fixture
def canary(directory):
    made = Canary(directory / "canary")
    yield made
    made.check()


def replace_with_link(path: Path, target) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    path.symlink_to(target)


@pytest.mark.ours  # Debian's runc makes its links on the host
@pytest.mark.parametrize("shape", ["absolute", "climbing"])
def test_dev_is_a_link_to_the_host(runtime, bundle, canary, shape):
    """CVE-2026-41579 and 47766: nothing is made or removed where the image's /dev points."""
    target = canary.path / "tree"
    replace_with_link(bundle.rootfs / "dev", target if shape == "absolute" else "../" * 20 + str(target).lstrip("/"))
    runtime.run(bundle)


@pytest.mark.ours
def test_dev_is_a_link_and_no_dev_is_mounted(runtime, bundle, canary):
    replace_with_link(bundle.rootfs / "dev", canary.path / "tree")
    for point in ("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"):
        bundle.without_mount(point)
    runtime.run(bundle)


@pytest.mark.parametrize("name", ["proc", "sys"])
@pytest.mark.parametrize("target", ["tmp", "/", "../../../.."])
def test_proc_and_sys_of_the_image_are_links(runtime, bundle, canary, name, target):
    """CVE-2019-19921, 2023-27561: refused, or mounted without being led outside."""
    before = {(mount.point, mount.kind) for mount in mountinfo.of_host()}
    replace_with_link(bundle.rootfs / name, target)
    result = runtime.run(bundle)
    assert {(mount.point, mount.kind) for mount in mountinfo.of_host()} == before
    if result.returncode == 0:
        facts = json.loads(result.stdout)
        assert "ro" in mountinfo.at(mountinfo.parse(facts["mountinfo"]), "/proc/sys").options


@pytest.mark.parametrize("destination", ["/proc", "/proc/self", "/proc/sys", "/proc/self/attr"])
def test_a_volume_may_not_cover_proc(runtime, bundle, directory, destination):
    """CVE-2019-16884: what a runtime writes to /proc must be procfs."""
    (directory / "fake").mkdir()
    bundle.mount(destination, "bind", directory / "fake", "bind")
    result = runtime.run(bundle)
    assert result.returncode != 0
    assert "/proc" in result.stderr


@pytest.mark.ours  # Debian's runc lets the container write the host's core pattern
def test_a_fake_null_device_cannot_serve_as_a_mask(runtime, bundle, canary):
    """CVE-2025-31133: masks come from a real /dev/null, not from what the image calls so."""
    for point in ("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"):
        bundle.without_mount(point)
    (bundle.rootfs / "dev/null").symlink_to("/proc/sys/kernel/core_pattern")
    before = Path("/proc/sys/kernel/core_pattern").read_text()
    bundle.linux["maskedPaths"] = ["/proc/kcore"]
    result = runtime.run(bundle.shell("cat /proc/kcore | head -c 10"))
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before
    if result.returncode == 0:
        assert before.strip() not in result.stdout


@pytest.mark.parametrize("target", ["etc", "mnt"])
def test_mount_targets_below_links_of_the_image(runtime, bundle, canary, directory, target):
    """CVE-2019-18837: files for mounts are made inside the root, wherever its links point."""
    (directory / "resolv").write_text("nameserver 127.0.0.1\n")
    path = bundle.rootfs / target
    if target == "etc":
        for entry in path.iterdir():
            entry.unlink()
    replace_with_link(path, canary.path / "tree")
    bundle.mount(f"/{target}/resolv.conf", "bind", directory / "resolv", "bind")
    result = runtime.run(bundle.args("/bin/cat", f"/{target}/resolv.conf"))
    if result.returncode == 0:
        assert result.stdout == "nameserver 127.0.0.1\n"


@pytest.mark.parametrize("destination", ["../../../escaped", "/../../../escaped", "/a/../../../../escaped"])
def test_mount_destinations_that_climb(runtime, bundle, canary, destination):
    bundle.mount(destination, "tmpfs", "tmpfs")
    runtime.run(bundle)
    assert not (bundle.path / "escaped").exists() and not Path("/escaped").exists()


@pytest.mark.parametrize("number", [3, 5, 7, 8, 9])
def test_the_working_directory_is_a_descriptor_of_the_runtime(runtime, bundle, number):
    """CVE-2024-21626."""
    bundle.process["cwd"] = f"/proc/self/fd/{number}"
    result = runtime.run(bundle.shell("pwd; ls etc/passwd ../../../../etc/debian_version 2>/dev/null"))
    assert result.returncode != 0 or "debian_version" not in result.stdout


def test_the_working_directory_is_a_link_to_a_descriptor(runtime, bundle):
    (bundle.rootfs / "trap").symlink_to("/proc/self/fd/8")
    bundle.process["cwd"] = "/trap"
    result = runtime.run(bundle.shell("ls ../../../../etc/debian_version 2>/dev/null"))
    assert "debian_version" not in result.stdout


def test_the_runtime_program_cannot_be_overwritten(runtime, bundle, session):
    """CVE-2019-5736: a container that catches an entering process finds nothing to write to."""
    program = Path(runtime.command()[0])
    digest = hashlib.sha256(program.read_bytes()).hexdigest()
    (bundle.rootfs / "bin/trap").write_text("#!/proc/self/exe\n")
    (bundle.rootfs / "bin/trap").chmod(0o755)
    watch = """
for round in $(seq 1 300); do
  for exe in /proc/[0-9]*/exe; do
    case $(readlink $exe) in /bin/*) continue;; esac
    [ "$(readlink $exe)" ] && { (echo overwritten > $exe) 2>/dev/null && echo WROTE; }
  done
done
"""
    bundle.process["capabilities"] = {}
    with runtime.container(bundle.shell(watch)) as container:
        for _ in range(5):
            container.exec("/bin/trap")
            container.exec("/bin/true")
        assert "WROTE" not in container.output
    assert hashlib.sha256(program.read_bytes()).hexdigest() == digest


def test_a_cgroup_cannot_be_mounted_nor_its_release_agent_written(runtime, bundle):
    """CVE-2022-0492."""
    found = runtime.probe(bundle, "attempts", "mount_cgroup")
    assert not found["mount_cgroup"]["ok"]
    result = runtime.run(
        bundle.shell(
            "for f in $(ls -d /sys/fs/cgroup/*/release_agent 2>/dev/null); do echo /x > $f && echo WROTE; done"
        )
    )
    assert "WROTE" not in result.stdout


def test_processes_of_the_host_are_out_of_sight(runtime, bundle):
    result = runtime.run(bundle.shell("ls -d /proc/[0-9]* | wc -l; kill -0 $PPID; ls /proc/1/root/boot 2>&1"))
    assert int(result.stdout.split()[0]) <= 4


def test_mappings_beyond_the_kernels_limit_are_refused_or_work(runtime, bundle):
    """CVE-2021-43784: lengths do not wrap."""
    bundle.namespace("user")
    bundle.linux["uidMappings"] = [{"containerID": n, "hostID": 100000 + n, "size": 1} for n in range(70000)]
    bundle.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    assert runtime.run(bundle).returncode != 0


def test_a_namespace_path_of_64_kib_is_refused(runtime, bundle):
    bundle.namespace("network", "/" + "x" * 65536)
    assert runtime.run(bundle).returncode != 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"ociVersion": "1.0.2"}',
        '{"ociVersion": 1}',
        "[" * 100000,
        '{"a":' * 100000,
        '{"ociVersion": "1.0.2", "process": {"args": "not a list", "cwd": "/"}, "root": {"path": "rootfs"}}',
        '{"ociVersion": "1.0.2", "process": {"args": ["x"], "cwd": "/", "user": {"uid": -1}}, "root": {"path": "rootfs"}}',
        '{"ociVersion": "1.0.2", "process": {"args": ["x"], "cwd": "/", "user": {"uid": 4294967296}}, "root": {"path": "rootfs"}}',
    ],
    ids=lambda text: text[:30] or "empty",
)
def test_configurations_that_are_not_one_are_refused_without_a_trace(runtime, bundle, text):
    bundle.write()
    (bundle.path / "config.json").write_text(text)
    result = runtime.call("run", "--bundle", str(bundle.path), runtime.new_id(), check=False)
    assert 0 < result.returncode < 128, result
    assert result.stderr.strip()
    assert runtime.ids() == []


@pytest.mark.parametrize("member", ["uid", "gid"])
def test_the_highest_id_is_not_taken_for_unchanged(runtime, bundle, member):
    """As CVE-2024-40635: the kernel reads 2^32 - 1 as "leave it", which would be root."""
    bundle.process["user"][member] = 4294967295
    result = runtime.run(bundle.args("/bin/id"))
    assert result.returncode != 0, result.stdout
    if runtime.is_ours:
        assert f"process.user.{member}" in result.stderr


@pytest.mark.ours
@pytest.mark.parametrize("version", ["0.9.0", "2.0.0", "", "one"])
def test_a_version_that_we_do_not_speak_is_named(runtime, bundle, version):
    bundle.spec["ociVersion"] = version
    result = runtime.run(bundle)
    assert result.returncode != 0
    assert "ociVersion" in result.stderr


@pytest.mark.ours
@pytest.mark.parametrize("version", ["1.0.0", "1.0.2-dev", "1.1.0", "1.2.1", "1.3.0"])
def test_every_version_of_the_first_series_is_spoken(runtime, bundle, version):
    bundle.spec["ociVersion"] = version
    runtime.probe(bundle)


def test_a_missing_configuration_is_named(runtime, bundle, directory):
    result = runtime.call("run", "--bundle", str(directory), runtime.new_id(), check=False)
    assert result.returncode != 0
    assert "config.json" in result.stderr


def test_the_state_directory_is_closed_to_others(runtime, bundle):
    with runtime.container(bundle.probe("pause")):
        assert stat.S_IMODE(runtime.root.stat().st_mode) <= 0o711
        for path in runtime.root.rglob("*"):
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode) or stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode):
                reachable = all(
                    parent.stat().st_mode & 0o001 for parent in path.parents if runtime.root in parent.parents
                )
                assert not (mode & 0o022 and reachable), (path, oct(mode))


def test_file_capabilities_gain_nothing_from_the_inheritable_set(runtime, bundle):
    """CVE-2022-29162: the inheritable set is empty by default."""
    facts = runtime.probe(bundle)
    assert int(facts["status"]["CapInh"], 16) == 0


def test_an_image_without_directories_still_runs(runtime, bundle):
    for name in ("proc", "sys", "dev", "tmp"):
        (bundle.rootfs / name).rmdir()
    with_nothing = runtime.run(bundle)
    assert with_nothing.returncode == 0, with_nothing.stderr
    assert sorted(os.listdir(bundle.rootfs / "proc")) == []


def test_an_unwritable_bundle_fails_with_its_name(runtime, bundle):
    with pytest.raises(RuntimeFailed, match="absent-bundle"):
        runtime.call("run", "--bundle", str(bundle.path / "absent-bundle"), runtime.new_id())


def exchange(one: Path, other: Path) -> None:
    """renameat2(RENAME_EXCHANGE): there is no moment without either."""
    if LIBC.renameat2(-100, os.fsencode(one), -100, os.fsencode(other), 2) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


@contextlib.contextmanager
def exchanging(one: Path, other: Path):
    """Another thread exchanges the two, without pause."""
    over = threading.Event()

    def swap():
        while not over.is_set():
            exchange(one, other)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.ours  # Debian's runc makes the file on the host
@pytest.mark.parametrize("target", ["/", "../../../../../../../../.."])
@pytest.mark.parametrize("kind", ["tmpfs", "bind", "file"])
def test_mount_targets_that_are_exchanged_for_links(runtime, bundle, canary, directory, kind, target):
    """CVE-2021-30465 and 2024-45310: a volume shared with an attacker who swaps a directory and a link while we look."""
    volume = directory / "volume"
    below = str(canary.path).lstrip("/")
    (volume / "place").mkdir(parents=True)
    (volume / "link").symlink_to(target)
    (directory / "source").mkdir()
    (directory / "source-file").write_text("")
    destination = f"/volume/place/{below}/tree"
    bundle.mount("/volume", "bind", volume, "rbind")
    if kind == "tmpfs":
        bundle.mount(destination, "tmpfs", "tmpfs")
    elif kind == "bind":
        bundle.mount(f"{destination}/new", "bind", directory / "source", "bind")
    else:
        bundle.mount(f"{destination}/new-file", "bind", directory / "source-file", "bind")
    before = {(mount.point, mount.kind) for mount in mountinfo.of_host()}
    bundle.args("/bin/true")
    with exchanging(volume / "place", volume / "link"):
        for _ in range(15):
            runtime.run(bundle)
            canary.check()
    assert {(mount.point, mount.kind) for mount in mountinfo.of_host()} == before


@pytest.mark.ours  # Debian's runc leaves this to a patched kernel
def test_a_console_that_is_a_link_to_a_protected_file(runtime, bundle, canary):
    """CVE-2025-52565: the console neither gives access to what will be masked nor reaches out of the root."""
    for point in ("/dev", "/dev/shm", "/dev/mqueue", "/dev/pts"):
        bundle.without_mount(point)
    bundle.mount("/dev/pts", "devpts", "devpts", "newinstance", "ptmxmode=0666", "mode=0620")
    (bundle.rootfs / "dev/pts").mkdir()
    bundle.process["terminal"] = True
    for target in ("/proc/sysrq-trigger", str(canary.path / "file"), "/proc/sys/kernel/core_pattern"):
        (bundle.rootfs / "dev/console").unlink(missing_ok=True)
        (bundle.rootfs / "dev/console").symlink_to(target)
        result = runtime.run(bundle.shell("grep -E 'sysrq|core_pattern' /proc/self/mountinfo; echo '|x' > /dev/console"))
        assert "|x" not in Path("/proc/sys/kernel/core_pattern").read_text()
        canary.check()
        assert result.returncode in (0, 1)


def test_a_process_that_enters_shows_no_descriptor_of_the_hosts(runtime, bundle):
    """CVE-2016-9962: between joining the namespaces and exec the container may look, but sees nothing."""
    watch = """
while :; do
  for link in /proc/[0-9]*/fd/*; do
    case $(readlink $link) in ""|pipe:*|/dev/null|/proc|/proc/*|/bin/*|*.out) ;; *) readlink $link; exit 1;; esac
  done
done
"""
    with runtime.container(bundle.shell(watch)) as container:
        for _ in range(25):
            container.exec("/bin/true")
        # Its own standard output is all that it has of the host's.
        assert container.output == ""
        assert container.status == "running"


def test_a_container_that_may_trace_finds_no_way_to_the_host_in_a_process_that_enters(runtime, bundle):
    """CVE-2016-9962 with CAP_SYS_PTRACE: then being undumpable hides nothing, and there must be nothing to find."""
    for kind in ("bounding", "effective", "permitted"):
        bundle.process["capabilities"][kind].append("CAP_SYS_PTRACE")
    watch = """
while :; do
  for link in /proc/[2-9]*/fd/* /proc/[1-9][0-9]*/fd/*; do
    case $(readlink "$link" 2>/dev/null) in /proc|/sys/fs/cgroup*|*/tasks|*/cgroup.procs) echo "found $link"; exit 1;; esac
  done
done
"""
    with runtime.container(bundle.shell(watch)) as container:
        # Fewer on a slow machine, where the watch takes half of each exec's time.
        deadline = time.monotonic() + 10
        for count in range(100):
            if count > 20 and time.monotonic() > deadline:
                break
            container.exec("/bin/true")
        assert container.output == ""
        assert container.status == "running"


@pytest.mark.ours  # runc refuses, which is as good
def test_exec_writes_nothing_to_a_proc_that_the_container_made(runtime, bundle, canary):
    """CVE-2025-52881: /proc is covered by links to files of the host's that must not be written."""
    for kind in ("bounding", "effective", "permitted"):
        bundle.process["capabilities"][kind].append("CAP_SYS_ADMIN")
    del bundle.linux["seccomp"]
    cover = """
mount -t tmpfs none /proc && mkdir -p /proc/self/attr /proc/self/fd &&
for name in oom_score_adj attr/exec attr/apparmor setgroups uid_map timens_offsets; do
  mkdir -p /proc/self/$(dirname $name); echo 7 > /proc/self/$name
done; echo covered; sleep 1000
"""
    with runtime.container(bundle.shell(cover)) as container:
        container.wait_for_output("covered")
        process = dict(bundle.process, args=["/bin/cat", "/proc/self/oom_score_adj", "/proc/self/attr/exec"], oomScoreAdj=100)
        file = bundle.path / "process.json"
        file.write_text(json.dumps(process))
        result = container.exec(options=("--process", str(file)))
        assert (result.returncode, result.stdout) == (0, "7\n7\n"), result.stderr


@pytest.mark.ours  # Debian's runc makes the group
def test_cgroups_are_read_only_in_a_user_namespace_without_a_cgroup_namespace(runtime, bundle):
    """CVE-2023-25809."""
    bundle.namespace("user").without_namespace("cgroup")
    bundle.linux["uidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    bundle.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    result = runtime.run(bundle.shell("for d in /sys/fs/cgroup /sys/fs/cgroup/*; do mkdir $d/x 2>/dev/null && echo MADE $d; done"))
    assert "MADE" not in result.stdout


@pytest.mark.parametrize("shape", ["fifo", "zero", "directory", "huge", "loop"])
def test_a_passwd_file_that_is_a_trap(runtime, bundle, shape):
    """CVE-2024-9676 and 2026-47262: looking for the home directory neither waits nor takes much memory."""
    passwd = bundle.rootfs / "etc/passwd"
    passwd.unlink()
    if shape == "fifo":
        os.mkfifo(passwd)
    elif shape == "zero":
        passwd.symlink_to("/dev/zero")
    elif shape == "directory":
        passwd.mkdir()
    elif shape == "huge":
        with open(passwd, "wb") as file:
            file.truncate(2 << 30)
    else:
        passwd.symlink_to("passwd")
    bundle.process["env"] = ["PATH=/bin"]
    if runtime.is_ours or shape in ("directory", "loop"):  # Debian's runc waits
        result = runtime.run(bundle.shell("echo home=$HOME"), timeout=10)
        if result.returncode == 0:
            assert result.stdout == "home=/\n"
