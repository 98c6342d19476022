"""Namespaces: new, shared by path, or the host's (runtime-spec, config-linux.md, "Namespaces")."""

import os
import subprocess

import pytest

from gantrytest.oci_runtime import RuntimeFailed

KINDS = {"pid": "pid", "network": "net", "ipc": "ipc", "uts": "uts", "mount": "mnt", "cgroup": "cgroup"}


def host_inode(kind: str) -> int:
    return os.stat(f"/proc/self/ns/{kind}").st_ino


def test_every_listed_namespace_is_new(runtime, bundle):
    inside = runtime.probe(bundle)["namespaces"]
    for kind in KINDS.values():
        assert inside[kind] != host_inode(kind), kind
    assert inside["user"] == host_inode("user")


@pytest.mark.parametrize("kind", ["network", "ipc", "uts", "cgroup"])
def test_a_namespace_that_is_not_listed_is_the_hosts(runtime, bundle, kind):
    bundle.without_namespace(kind)
    if kind == "uts":
        bundle.spec.pop("hostname")
    if kind in ("network", "ipc"):
        bundle.without_mount("/sys").without_mount("/dev/mqueue").without_mount("/sys/fs/cgroup")
    inside = runtime.probe(bundle)["namespaces"]
    assert inside[KINDS[kind]] == host_inode(KINDS[kind])
    others = set(KINDS.values()) - {KINDS[kind]}
    assert all(inside[other] != host_inode(other) for other in others)


def test_the_first_process_is_number_one(runtime, bundle):
    facts = runtime.probe(bundle)
    assert (facts["pid"], facts["ppid"]) == (1, 0)


def test_without_pid_namespace_the_host_sees_the_same_number(runtime, bundle):
    assert runtime.probe(bundle.without_namespace("pid"))["pid"] > 1


@pytest.mark.parametrize("kind", ["network", "ipc", "uts", "pid", "cgroup"])
def test_a_namespace_is_joined_by_path(runtime, bundle, new_bundle, kind):
    with runtime.container(bundle.probe("pause")) as first:
        path = f"/proc/{first.pid}/ns/{KINDS[kind]}"
        second = new_bundle().namespace(kind, path)
        if kind == "uts":
            second.spec.pop("hostname")
        assert runtime.probe(second)["namespaces"][KINDS[kind]] == os.stat(path).st_ino


def test_a_namespace_path_of_another_kind_is_refused(runtime, bundle):
    bundle.namespace("network", "/proc/self/ns/uts")
    assert runtime.run(bundle).returncode != 0


def test_a_namespace_path_that_is_missing_is_named(runtime, bundle):
    result = runtime.run(bundle.namespace("network", "/run/netns/absent"))
    assert result.returncode != 0
    assert "/run/netns/absent" in result.stderr


def test_a_new_network_namespace_has_only_loopback(runtime, bundle):
    assert runtime.probe(bundle)["interfaces"] == ["lo"] or "lo" in runtime.probe(bundle)["interfaces"]
    result = runtime.run(
        bundle.shell("ip -o link | grep -v ' lo:' | wc -l; ping -c1 -W1 127.0.0.1 >/dev/null && echo loopback")
    )
    assert "loopback" in result.stdout


def test_a_named_network_namespace_is_joined(runtime, bundle, session):
    name = f"{session.name}-named"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        bundle.namespace("network", f"/run/netns/{name}")
        assert runtime.probe(bundle)["namespaces"]["net"] == os.stat(f"/run/netns/{name}").st_ino
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def test_hostname_is_set_in_a_namespace_of_its_own(runtime, bundle):
    before = os.uname().nodename
    assert runtime.probe(bundle)["hostname"] == "probe-host"
    assert os.uname().nodename == before


@pytest.mark.ours
def test_domainname_is_set(runtime, bundle):
    bundle.spec["domainname"] = "example.test"
    bundle.spec["ociVersion"] = "1.1.0"
    assert runtime.probe(bundle)["domainname"] == "example.test"


def test_hostname_without_uts_namespace_is_refused(runtime, bundle):
    before = os.uname().nodename
    bundle.without_namespace("uts").spec["hostname"] = "stolen"
    assert runtime.run(bundle).returncode != 0
    assert os.uname().nodename == before


def test_cgroup_namespace_hides_the_hosts_path(runtime, bundle):
    lines = runtime.probe(bundle)["cgroup"].split()
    assert lines and all(line.rpartition(":")[2] == "/" for line in lines if ":pids:" in line or line.startswith("0::"))


def user_namespace(bundle, size=65536, base=100000):
    bundle.namespace("user")
    for kind in ("uidMappings", "gidMappings"):
        bundle.linux[kind] = [{"containerID": 0, "hostID": base, "size": size}]
    # Only what the mapped root may mount or create.
    bundle.resources.pop("devices")
    for path in [bundle.rootfs, *bundle.rootfs.rglob("*")]:
        if not path.is_symlink() and path.is_dir():
            os.chown(path, base, base)
    return bundle


def test_user_namespace_maps_root_to_another_user(runtime, bundle):
    with runtime.container(user_namespace(bundle).probe("pause")) as container:
        assert os.stat(f"/proc/{container.pid}").st_uid == 100000
        facts = container.probe("facts")
    assert facts["uid"] == 0
    assert facts["uid_map"].split() == ["0", "100000", "65536"]
    assert facts["gid_map"].split() == ["0", "100000", "65536"]
    assert facts["namespaces"]["user"] != host_inode("user")


def test_user_namespace_keeps_the_default_mounts_and_masks(runtime, bundle):
    user_namespace(bundle)
    found = runtime.probe(bundle, "paths", "/proc/kcore", "/dev/null", "/proc/sys/kernel/hostname")
    assert found["/proc/kcore"].get("bytes", 0) == 0
    assert found["/dev/null"]["kind"] == "char"
    assert found["/proc/sys/kernel/hostname"]["writable"] in ("EROFS", "EACCES")


def test_user_namespace_needs_mappings(runtime, bundle):
    bundle.namespace("user")
    result = runtime.run(bundle)
    assert result.returncode != 0
    assert "mapping" in result.stderr.lower()


def test_an_unknown_namespace_kind_is_named(runtime, bundle):
    result = runtime.run(bundle.namespace("parallel"))
    assert result.returncode != 0
    assert "parallel" in result.stderr


def test_a_namespace_listed_twice_is_refused(runtime, bundle):
    bundle.linux["namespaces"].append({"type": "ipc"})
    with pytest.raises(RuntimeFailed):
        runtime.probe(bundle)


@pytest.mark.ours
def test_time_namespace_has_offsets(runtime, bundle):
    if not os.path.exists("/proc/self/ns/time"):
        pytest.skip("the kernel has no time namespaces (CONFIG_TIME_NS)")
    bundle.spec["ociVersion"] = "1.2.0"
    bundle.namespace("time").linux["timeOffsets"] = {"boottime": {"secs": 1000000}}
    with open("/proc/uptime") as file:
        host = float(file.read().split()[0])
    result = runtime.run(bundle.args("/bin/cat", "/proc/uptime"))
    assert float(result.stdout.split()[0]) > host + 999999, result.stderr


def test_the_runtime_may_itself_be_in_a_user_namespace(runtime, bundle):
    """As its root, without the host's rights: no device rules, no setgroups, devices bound instead of made."""
    for point in ("/sys", "/sys/fs/cgroup"):
        bundle.without_mount(point)
    bundle.without_namespace("network").without_namespace("cgroup")
    bundle.linux["resources"] = {}
    for mount in bundle.spec["mounts"]:
        mount["options"] = [option for option in mount["options"] if not option.startswith("gid=")]
    bundle.shell("id -u; cat /proc/self/setgroups; echo x > /dev/null && echo up; sleep 1000")
    root = bundle.path / "state"
    words = [runtime.command()[0], "--root", str(root)]
    script = f"""
{' '.join(words)} run --detach --bundle {bundle.write()} inner >{bundle.path}/out </dev/null 2>&1 || cat {bundle.path}/out
for i in $(seq 100); do grep -q up {bundle.path}/out && break; sleep 0.05; done
cat {bundle.path}/out
{' '.join(words)} exec inner /bin/id -u
{' '.join(words)} delete --force inner
"""
    result = subprocess.run(["unshare", "-Urm", "sh", "-c", script], timeout=30, capture_output=True, text=True)
    assert result.stdout.split() == ["0", "deny", "up", "0"], result.stderr
    assert result.returncode == 0
