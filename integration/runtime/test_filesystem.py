"""The container's file system: root, mounts and their options, devices, masked and read-only paths."""

import json
import os
import stat
import subprocess

import pytest

from gantrytest import cgroups, mountinfo
from gantrytest.bundle import MASKED, READ_ONLY
from gantrytest.oci_runtime import RuntimeFailed


def mounts_of(facts: dict) -> list[mountinfo.Mount]:
    return mountinfo.parse(facts["mountinfo"])


def test_the_root_is_the_bundles_and_nothing_of_the_hosts_is_seen(runtime, bundle):
    facts = runtime.probe(bundle)
    points = {mount.point for mount in mounts_of(facts)}
    assert "/" in points
    assert not [point for point in points if str(bundle.path) in point or point.startswith("/var")]
    listing = runtime.run(bundle.shell("ls -d /bin/probe /work /boot /lib 2>/dev/null")).stdout.split()
    assert listing == ["/bin/probe"]


def test_default_mounts_have_their_kinds_and_options(runtime, bundle):
    mounts = mounts_of(runtime.probe(bundle))
    expected = {
        "/proc": ("proc", {"nosuid", "nodev", "noexec", "rw"}),
        "/dev": ("tmpfs", {"nosuid", "rw"}),
        "/dev/pts": ("devpts", {"nosuid", "noexec", "rw"}),
        "/dev/shm": ("tmpfs", {"nosuid", "nodev", "noexec", "rw"}),
        "/dev/mqueue": ("mqueue", {"nosuid", "nodev", "noexec", "rw"}),
        "/sys": ("sysfs", {"nosuid", "nodev", "noexec", "ro"}),
    }
    for point, (kind, options) in expected.items():
        mount = mountinfo.at([m for m in mounts if m.kind == kind], point)
        assert options <= mount.options, (point, mount.options)
    shm = mountinfo.at(mounts, "/dev/shm")
    assert {"size=65536k"} <= shm.super_options
    assert {"gid=5", "mode=620", "ptmxmode=666"} <= mountinfo.at(mounts, "/dev/pts").super_options


@pytest.mark.ours  # Debian's runc leaves version 1 writable in a cgroup namespace
def test_cgroups_are_mounted_read_only_and_show_the_containers_own(runtime, bundle):
    mounts = mounts_of(runtime.probe(bundle))
    own = [mount for mount in mounts if mount.point.startswith("/sys/fs/cgroup")]
    assert own and all("ro" in mount.options for mount in own)
    limit = "/sys/fs/cgroup/pids.max" if cgroups.unified() else "/sys/fs/cgroup/pids/pids.max"
    found = runtime.run(bundle.shell(f"cat {limit}; echo 5 > {limit}"))
    assert found.stdout.strip() == "256"
    assert "Read-only" in found.stderr


@pytest.mark.ours  # on version 2 Debian's runc shows the host's whole tree
def test_cgroups_are_mounted_without_a_namespace_too(runtime, bundle):
    bundle.without_namespace("cgroup")
    limit = "/sys/fs/cgroup/pids.max" if cgroups.unified() else "/sys/fs/cgroup/pids/pids.max"
    assert runtime.run(bundle.args("/bin/cat", limit)).stdout.strip() == "256"


def test_default_devices_and_links(runtime, bundle):
    devices = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
    links = {
        "fd": "/proc/self/fd",
        "stdin": "/proc/self/fd/0",
        "stdout": "/proc/self/fd/1",
        "stderr": "/proc/self/fd/2",
    }
    found = runtime.probe(bundle, "paths", *(f"/dev/{name}" for name in (*devices, *links, "ptmx")))
    for name, numbers in devices.items():
        device = found[f"/dev/{name}"]
        assert (device["kind"], tuple(device["device"]), device["mode"]) == ("char", numbers, 0o666), name
    for name, target in links.items():
        assert found[f"/dev/{name}"]["target"] == target
    assert found["/dev/ptmx"].get("target", "pts/ptmx") in ("pts/ptmx", "/dev/pts/ptmx")


def test_devices_of_the_spec_are_made_with_their_mode_and_owner(runtime, bundle):
    bundle.linux["devices"] = [
        {"path": "/dev/gantry-null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o640, "uid": 7, "gid": 8},
        {"path": "/dev/below/fifo", "type": "p", "fileMode": 0o622},
    ]
    found = runtime.probe(bundle, "paths", "/dev/gantry-null", "/dev/below/fifo")
    device = found["/dev/gantry-null"]
    assert (device["kind"], device["device"], device["mode"], device["uid"], device["gid"]) == (
        "char",
        [1, 3],
        0o640,
        7,
        8,
    )
    assert found["/dev/below/fifo"]["kind"] == "fifo"


def test_masked_paths_are_empty(runtime, bundle):
    present = [path for path in MASKED if os.path.exists(path)]
    assert "/proc/kcore" in present or "/sys/firmware" in present
    for path, found in runtime.probe(bundle, "paths", *present).items():
        if found["kind"] == "directory":
            assert found["entries"] == 0, path
            assert found["readOnlyMount"] or found["writable"] != "yes", path
        else:
            assert (found["kind"], found["device"], found["bytes"]) == ("char", [1, 3], 0), path


def test_masked_paths_that_do_not_exist_are_passed_over(runtime, bundle):
    bundle.linux["maskedPaths"] += ["/proc/absent", "/absent/below"]
    runtime.probe(bundle)


def test_read_only_paths_cannot_be_written(runtime, bundle):
    present = [path for path in READ_ONLY if os.path.exists(path)]
    mounts = mounts_of(runtime.probe(bundle))
    for path in present:
        assert "ro" in mountinfo.at(mounts, path).options, path
    found = runtime.probe(bundle, "open", "w", "/proc/sys/kernel/hostname", "/proc/sysrq-trigger")
    assert {answer.get("errno") for answer in found.values()} <= {"EROFS", "ENOENT"}


def test_a_read_only_root(runtime, bundle):
    bundle.spec["root"]["readonly"] = True
    assert runtime.probe(bundle, "write", "/file", "x") == {"ok": False, "errno": "EROFS"}
    assert "ro" in mountinfo.at(mounts_of(runtime.probe(bundle.probe("facts"))), "/").options
    assert not (bundle.rootfs / "file").exists()
    assert runtime.probe(bundle, "write", "/dev/shm/file", "x")["ok"]


def test_a_writable_root_is_written(runtime, bundle):
    assert runtime.probe(bundle, "write", "/file", "text")["ok"]
    assert (bundle.rootfs / "file").read_text() == "text"


@pytest.mark.parametrize(
    "options, writable", [(["bind"], True), (["bind", "ro"], False), (["rbind", "ro"], False), (["rbind", "rw"], True)]
)
def test_bind_mounts(runtime, bundle, directory, options, writable):
    source = directory / "source"
    source.mkdir()
    (source / "there").write_text("content")
    bundle.mount("/deep/in/data", "bind", source, *options)
    result = runtime.run(bundle.shell("cat /deep/in/data/there; echo new > /deep/in/data/new"))
    assert result.stdout == "content"
    assert (source / "new").exists() == writable, result.stderr


def test_a_single_file_is_bound(runtime, bundle, directory):
    (directory / "hosts").write_text("10.0.0.1 me\n")
    bundle.mount("/etc/hosts", "bind", directory / "hosts", "bind", "ro")
    assert runtime.run(bundle.args("/bin/cat", "/etc/hosts")).stdout == "10.0.0.1 me\n"


@pytest.mark.parametrize("option", ["nosuid", "nodev", "noexec", "noatime", "relatime", "ro"])
def test_bind_mounts_take_mount_flags(runtime, bundle, directory, option):
    bundle.mount("/mnt/bound", "bind", directory, "bind", option)
    assert option in mountinfo.at(mounts_of(runtime.probe(bundle)), "/mnt/bound").options


def test_noexec_is_in_force(runtime, bundle, directory):
    (directory / "script").write_text("#!/bin/sh\necho ran\n")
    (directory / "script").chmod(0o755)
    bundle.mount("/mnt/bound", "bind", directory, "bind", "noexec")
    result = runtime.run(bundle.shell("/mnt/bound/script"))
    assert (result.returncode, result.stdout) == (126, "")


def test_a_bind_of_a_missing_source_names_it(runtime, bundle):
    result = runtime.run(bundle.mount("/data", "bind", "/absent/source", "bind"))
    assert result.returncode != 0
    assert "/absent/source" in result.stderr


def test_recursive_bind_brings_the_mounts_below(runtime, bundle, directory):
    (directory / "tree/below").mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "below", directory / "tree/below"], check=True)
    try:
        (directory / "tree/below/file").write_text("x")
        with_below = runtime.run(bundle.mount("/data", "bind", directory / "tree", "rbind").shell("ls /data/below"))
        assert with_below.stdout.split() == ["file"]
        without = runtime.run(
            bundle.without_mount("/data").mount("/data", "bind", directory / "tree", "bind").shell("ls /data/below")
        )
        assert without.stdout.split() == []
    finally:
        subprocess.run(["umount", directory / "tree/below"], check=True)


@pytest.mark.ours
def test_rro_makes_mounts_below_read_only_too(runtime, bundle, directory):
    (directory / "tree/below").mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "below", directory / "tree/below"], check=True)
    try:
        bundle.mount("/data", "bind", directory / "tree", "rbind", "rro")
        assert runtime.probe(bundle, "write", "/data/below/file", "x") == {"ok": False, "errno": "EROFS"}
    finally:
        subprocess.run(["umount", directory / "tree/below"], check=True)


def test_tmpfs_options(runtime, bundle):
    bundle.mount("/scratch", "tmpfs", "tmpfs", "nosuid", "nodev", "size=1m", "mode=1700", "uid=1000", "gid=1000")
    found = runtime.probe(bundle, "paths", "/scratch")["/scratch"]
    assert (found["mode"], found["uid"], found["gid"]) == (0o1700, 1000, 1000)
    result = runtime.run(bundle.shell("dd if=/dev/zero of=/scratch/big bs=64k count=32 2>&1"))
    assert "No space left" in result.stdout


def test_tmpcopyup_brings_the_directorys_content(runtime, bundle):
    (bundle.rootfs / "etc/kept").write_text("kept")
    bundle.mount("/etc", "tmpfs", "tmpfs", "tmpcopyup")
    result = runtime.run(bundle.shell("cat /etc/kept; echo changed > /etc/kept"))
    assert result.stdout == "kept"
    assert (bundle.rootfs / "etc/kept").read_text() == "kept"


def test_mounts_are_made_in_order(runtime, bundle, directory):
    (directory / "file").write_text("upper")
    bundle.mount("/stack", "tmpfs", "tmpfs").mount("/stack/inner", "tmpfs", "tmpfs")
    bundle.mount("/stack/inner/file", "bind", directory / "file", "bind")
    assert runtime.run(bundle.args("/bin/cat", "/stack/inner/file")).stdout == "upper"


def test_mount_targets_follow_links_inside_the_root_only(runtime, bundle, directory):
    canary = directory / "canary"
    canary.mkdir()
    (bundle.rootfs / "alias").symlink_to(f"{canary}")
    bundle.mount("/alias", "tmpfs", "tmpfs")
    result = runtime.run(bundle.shell(f"echo x > /alias/file; ls {canary}"))
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["file"]
    assert list(canary.iterdir()) == []


@pytest.mark.parametrize(
    "asked, seen", [("private", "private"), ("slave", "master"), ("shared", "shared"), ("unbindable", "unbindable")]
)
def test_propagation_of_a_mount(runtime, bundle, directory, asked, seen):
    (directory / "shared").mkdir()
    point = directory / "shared"
    subprocess.run(["mount", "-t", "tmpfs", "shared", point], check=True)
    try:
        subprocess.run(["mount", "--make-shared", point], check=True)
        bundle.linux["rootfsPropagation"] = "shared" if asked == "shared" else "slave"
        bundle.mount("/data", "bind", point, "rbind", asked)
        assert seen in mountinfo.at(mounts_of(runtime.probe(bundle)), "/data").propagation
    finally:
        subprocess.run(["umount", point], check=True)


def test_mounts_of_the_container_stay_in_it(runtime, bundle):
    before = {mount.point for mount in mountinfo.of_host()}
    with runtime.container(bundle.mount("/inner", "tmpfs", "tmpfs").probe("pause")):
        assert {mount.point for mount in mountinfo.of_host()} == before


def test_the_working_directory_of_overlay_bundles(runtime, bundle, directory):
    for name in ("upper", "work", "merged"):
        (directory / name).mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "layers", directory / "work"], check=True)
    try:
        for name in ("u", "w"):
            (directory / "work" / name).mkdir()
        options = f"lowerdir={bundle.rootfs},upperdir={directory}/work/u,workdir={directory}/work/w"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, directory / "merged"], check=True)
        try:
            bundle.spec["root"]["path"] = str(directory / "merged")
            assert runtime.probe(bundle, "write", "/etc/new", "x")["ok"]
            assert (directory / "work/u/etc/new").exists() and not (bundle.rootfs / "etc/new").exists()
        finally:
            subprocess.run(["umount", directory / "merged"], check=True)
    finally:
        subprocess.run(["umount", directory / "work"], check=True)


def test_an_overlay_mount_of_the_spec(runtime, bundle, directory):
    (directory / "lower").mkdir()
    (directory / "lower/file").write_text("lower")
    bundle.mount("/scratch", "tmpfs", "tmpfs")
    bundle.mount("/mnt", "overlay", "overlay", f"lowerdir={directory}/lower")
    bundle.spec["mounts"][-1]["options"] = [f"lowerdir={directory}/lower:{bundle.rootfs}/etc"]
    assert runtime.run(bundle.args("/bin/cat", "/mnt/file")).stdout == "lower"


def test_an_unknown_file_system_is_named(runtime, bundle):
    result = runtime.run(bundle.mount("/odd", "oddfs", "none"))
    assert result.returncode != 0
    assert "oddfs" in result.stderr or "/odd" in result.stderr


def test_a_relative_destination_is_taken_from_the_root_or_refused(runtime, bundle):
    bundle.mount("scratch", "tmpfs", "tmpfs")
    result = runtime.run(bundle)
    if result.returncode == 0:
        points = {m.point for m in mountinfo.parse(json.loads(result.stdout)["mountinfo"])}
        assert "/scratch" in points
    else:
        assert "scratch" in result.stderr


def test_mount_targets_that_are_missing_are_made(runtime, bundle, directory):
    (directory / "file").write_text("x")
    bundle.mount("/made/file", "bind", directory / "file", "bind").mount("/made/directory", "tmpfs", "tmpfs")
    found = runtime.probe(bundle, "paths", "/made/file", "/made/directory")
    assert (found["/made/file"]["kind"], found["/made/directory"]["kind"]) == ("file", "directory")


def test_sysctls_are_set_in_the_containers_namespaces(runtime, bundle):
    bundle.linux["sysctl"] = {"net.ipv4.ip_unprivileged_port_start": "80", "kernel.shmmni": "77"}
    result = runtime.run(bundle.shell("cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/shmmni"))
    assert result.stdout.split() == ["80", "77"]
    with open("/proc/sys/kernel/shmmni") as file:
        assert file.read().strip() != "77"


@pytest.mark.parametrize(
    "key", ["kernel.core_pattern", "vm.swappiness", "kernel.shm_rmid_forced=1+kernel.core_pattern"]
)
def test_sysctls_of_the_whole_host_are_refused(runtime, bundle, key):
    before = open("/proc/sys/kernel/core_pattern").read()
    bundle.linux["sysctl"] = {key: "1"}
    result = runtime.run(bundle)
    assert result.returncode != 0
    assert key.split("=")[0].split(".")[-1].split("/")[0] in result.stderr
    assert open("/proc/sys/kernel/core_pattern").read() == before


def test_sysctls_are_taken_with_slashes_too(runtime, bundle):
    bundle.linux["sysctl"] = {"net/ipv4/ip_unprivileged_port_start": "81"}
    result = runtime.run(bundle.args("/bin/cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start"))
    assert result.stdout == "81\n", result.stderr


@pytest.mark.ours
@pytest.mark.parametrize(
    "kind, key", [("ipc", "kernel.shm_rmid_forced"), ("network", "net.ipv4.ip_forward"), ("uts", "kernel.domainname")]
)
def test_sysctls_of_a_namespace_shared_with_the_host_are_refused(runtime, bundle, kind, key):
    """CVE-2022-0532: the namespace is listed, but is the host's."""
    file = {"ipc": "ipc", "network": "net", "uts": "uts"}[kind]
    bundle.namespace(kind, f"/proc/{os.getpid()}/ns/{file}")
    bundle.spec.pop("hostname", None)
    if kind == "network":
        bundle.without_mount("/sys").without_mount("/sys/fs/cgroup")
    with open("/proc/sys/" + key.replace(".", "/")) as now:
        bundle.linux["sysctl"] = {key: now.read().strip()}
    result = runtime.run(bundle.args("/bin/true"))
    assert result.returncode != 0
    assert f"linux.sysctl.{key}: the {kind} namespace is the host's" in result.stderr


def test_network_sysctls_need_a_network_namespace(runtime, bundle):
    bundle.without_namespace("network").without_mount("/sys").without_mount("/sys/fs/cgroup")
    bundle.linux["sysctl"] = {"net.ipv4.ip_unprivileged_port_start": "80"}
    result = runtime.run(bundle)
    assert result.returncode != 0
    assert "net.ipv4.ip_unprivileged_port_start" in result.stderr


def test_a_missing_root_is_named(runtime, bundle):
    bundle.spec["root"]["path"] = "elsewhere"
    result = runtime.run(bundle)
    assert result.returncode != 0
    assert "elsewhere" in result.stderr


def test_files_made_for_mounts_do_not_inherit_the_callers_umask(runtime, bundle):
    bundle.mount("/made", "tmpfs", "tmpfs", "mode=755")
    result = runtime.run(bundle.probe("paths", "/dev/null", "/made"), preexec_fn=lambda: os.umask(0o077))
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["/dev/null"]["mode"] == 0o666
    assert stat.S_IMODE(found["/made"]["mode"]) == 0o755


def test_a_mount_option_that_the_file_system_does_not_know_fails(runtime, bundle):
    with pytest.raises(RuntimeFailed):
        runtime.probe(bundle.mount("/x", "tmpfs", "tmpfs", "flavour=sweet"))


@pytest.mark.ours  # runc from 1.2 on
@pytest.mark.parametrize("options", [["bind"], ["rbind"], ["rbind", "ridmap"]], ids="-".join)
def test_idmapped_mounts_show_other_owners(runtime, bundle, directory, options):
    """The mount's own mappings, whatever the container's user namespace is."""
    (directory / "shared").mkdir(mode=0o755)
    (directory / "shared/file").write_text("content")
    os.chown(directory / "shared/file", 1000, 1001)
    bundle.mount("/shared", "none", directory / "shared", *options)
    bundle.spec["mounts"][-1]["uidMappings"] = [{"containerID": 0, "hostID": 5000, "size": 2000}]
    bundle.spec["mounts"][-1]["gidMappings"] = [{"containerID": 0, "hostID": 7000, "size": 2000}]
    result = runtime.run(bundle.args("/bin/stat", "-c", "%u %g", "/shared/file"))
    assert result.stdout == "6000 8001\n", result.stderr


@pytest.mark.ours
def test_the_containers_own_mappings_serve_for_idmapped_mounts(runtime, bundle, directory):
    (directory / "shared").mkdir(mode=0o777)
    (directory / "shared").chmod(0o777)
    bundle.namespace("user")
    bundle.linux["uidMappings"] = bundle.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    bundle.mount("/shared", "none", directory / "shared", "bind", "idmap")
    result = runtime.run(bundle)
    assert "'/shared': make directory 'shared': Permission denied" in result.stderr, "the root is not the container's"
    (bundle.rootfs / "shared").mkdir()
    result = runtime.run(bundle.shell("echo x > /shared/made; stat -c '%u %g' /shared/made"))
    assert result.stdout == "0 0\n", result.stderr
    made = (directory / "shared/made").stat()
    assert (made.st_uid, made.st_gid) == (0, 0)


@pytest.mark.ours
def test_an_idmapped_mount_without_mappings_is_refused(runtime, bundle, directory):
    bundle.mount("/shared", "none", directory, "bind", "idmap")
    result = runtime.run(bundle)
    assert result.returncode != 0
    assert "'idmap' needs uidMappings" in result.stderr
