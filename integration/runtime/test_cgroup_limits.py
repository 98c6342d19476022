"""Limits, as the kernel enforces them, on both cgroup versions (config-linux.md, "Control groups")."""

import json
import os
import time

import pytest

from gantrytest import cgroups
from gantrytest.cgroups import Cgroup
from gantrytest.oci_runtime import RuntimeFailed, wait_until

MIB = 1 << 20


def needs(controller):
    return pytest.mark.skipif(not cgroups.available(controller), reason=f"this kernel has no {controller} controller")


def test_limits_are_set_before_the_program_runs(runtime, bundle):
    bundle.linux["resources"] |= {
        "memory": {"limit": 64 * MIB, "reservation": 32 * MIB, "swap": 64 * MIB},
        "cpu": {"shares": 512, "quota": 50000, "period": 100000},
        "pids": {"limit": 17},
    }
    with runtime.container(bundle.probe("pause"), start=False):
        cgroup = Cgroup(bundle.cgroup)
        assert cgroup.memory_limit() == 64 * MIB
        assert cgroup.swap_limit() == 0
        assert cgroup.memory_reservation() == 32 * MIB
        assert cgroup.cpu_quota() == (50000, 100000)
        assert cgroup.has_cpu_shares(512)
        assert cgroup.pids_limit() == 17


def test_the_container_is_in_its_cgroup_in_every_hierarchy(runtime, bundle):
    with runtime.container(bundle.probe("pause")) as container:
        own = {
            line.partition(":")[2]: line.rpartition(":")[2]
            for line in open(f"/proc/{container.pid}/cgroup").read().split()
        }
        controllers = {name: path for name, path in own.items() if not name.startswith("name=")}
        expected = bundle.cgroup
        wrong = {name: path for name, path in controllers.items() if path != expected}
        if not cgroups.unified():
            # Version 2 without controllers need not be joined in the hybrid layout.
            wrong.pop(":/", None)
        assert not [name for name in wrong if name.partition(":")[0]], wrong


def test_an_unlimited_container_has_no_limits(runtime, bundle):
    bundle.resources.clear()
    with runtime.container(bundle.probe("pause")):
        cgroup = Cgroup(bundle.cgroup)
        assert (cgroup.memory_limit(), cgroup.pids_limit(), cgroup.cpu_quota()[0]) == (-1, -1, -1)


def test_minus_one_is_no_limit(runtime, bundle):
    bundle.linux["resources"] |= {"memory": {"limit": -1, "swap": -1}, "pids": {"limit": -1}, "cpu": {"quota": -1}}
    with runtime.container(bundle.probe("pause")):
        cgroup = Cgroup(bundle.cgroup)
        assert (cgroup.memory_limit(), cgroup.pids_limit(), cgroup.cpu_quota()[0]) == (-1, -1, -1)


def test_memory_beyond_the_limit_is_killed(runtime, bundle):
    bundle.resources["memory"] = {"limit": 32 * MIB, "swap": 32 * MIB}
    assert runtime.run(bundle.probe("memory", "16")).returncode == 0
    assert runtime.run(bundle.probe("memory", "128")).returncode == 137


def test_no_more_processes_than_allowed(runtime, bundle):
    bundle.resources["pids"] = {"limit": 10}
    found = runtime.probe(bundle, "processes", "50")
    assert found == {"ok": False, "errno": "EAGAIN", "started": 9}


def test_cpu_quota_is_in_force(runtime, bundle):
    bundle.resources["cpu"] = {"quota": 20000, "period": 100000}
    with runtime.container(bundle.probe("spin", "1", "2")) as container:
        container.wait_for("stopped")
        statistics = Cgroup(bundle.cgroup).read("cpu", "cpu.stat").split()
    throttled = int(statistics[statistics.index("nr_throttled") + 1])
    assert throttled >= 5, statistics


@needs("cpuset")
def test_cpuset(runtime, bundle):
    bundle.resources["cpu"] = {"cpus": "0", "mems": "0"}
    assert runtime.probe(bundle)["cpus"] == [0]


@needs("cpuset")
def test_a_cpu_that_is_not_there_is_named(runtime, bundle):
    bundle.resources["cpu"] = {"cpus": "4000"}
    result = runtime.run(bundle)
    assert result.returncode != 0
    assert "cpuset" in result.stderr


def test_devices_that_are_not_allowed_cannot_be_opened(runtime, bundle):
    bundle.process["capabilities"]["effective"].append("CAP_MKNOD")
    script = "mknod /kmsg c 1 11; mknod /null c 1 3; cat /kmsg 2>&1 | head -1; echo x > /null && echo null"
    output = runtime.run(bundle.shell(script)).stdout
    assert "Operation not permitted" in output
    assert "null" in output.split()[-1]


FUSE = {"type": "c", "major": 10, "minor": 229}


def fuse_outcomes(runtime, bundle, *rules):
    """What opening a device answers that is not among those every container has. Allowed is all but EPERM: the host
    need not have the driver."""
    bundle.linux["devices"] = [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o666}]
    bundle.resources["devices"] += rules
    return {
        flags: runtime.probe(bundle, "open", flags, "/dev/fuse")["/dev/fuse"].get("errno") != "EPERM"
        for flags in ("r", "w", "rw")
    }


def test_a_device_that_no_rule_allows(runtime, bundle):
    assert fuse_outcomes(runtime, bundle) == {"r": False, "w": False, "rw": False}


def test_a_device_allowed_for_reading_only(runtime, bundle):
    assert fuse_outcomes(runtime, bundle, FUSE | {"allow": True, "access": "r"}) == {"r": True, "w": False, "rw": False}


def test_a_device_allowed_whole(runtime, bundle):
    assert fuse_outcomes(runtime, bundle, FUSE | {"allow": True, "access": "rwm"}) == {"r": True, "w": True, "rw": True}


def test_later_device_rules_win(runtime, bundle):
    found = fuse_outcomes(
        runtime, bundle, FUSE | {"allow": True, "access": "rwm"}, FUSE | {"allow": False, "access": "w"}
    )
    assert found == {"r": True, "w": False, "rw": False}


def test_a_container_allowed_every_device(runtime, bundle):
    bundle.resources["devices"] = []
    assert fuse_outcomes(runtime, bundle, {"allow": True, "access": "rwm"}) == {"r": True, "w": True, "rw": True}


def test_exec_joins_the_limits(runtime, bundle):
    bundle.resources["memory"] = {"limit": 32 * MIB, "swap": 32 * MIB}
    with runtime.container(bundle.probe("pause")) as container:
        assert container.exec("/bin/probe", "memory", "128").returncode == 137
        assert container.status == "running"


def test_an_existing_cgroup_parent_stays(runtime, bundle, session):
    runtime.run(bundle)
    assert not Cgroup(bundle.cgroup).exists()
    bundle.linux["cgroupsPath"] = f"/{session.cgroups_root}/a/b/c"
    with runtime.container(bundle.probe("pause")):
        assert Cgroup(bundle.cgroup).exists()
    assert not Cgroup(bundle.cgroup).exists()
    cgroups.remove(f"{session.cgroups_root}/a")


def test_without_a_path_the_container_gets_a_cgroup_of_its_own(runtime, bundle):
    bundle.linux.pop("cgroupsPath")
    with runtime.container(bundle.probe("pause")) as container:
        lines = open(f"/proc/{container.pid}/cgroup").read().split()
        paths = {
            line.rpartition(":")[2] for line in lines if ":pids:" in line or ":memory:" in line or cgroups.unified()
        }
        assert paths and all(container.id in path for path in paths), lines


@pytest.mark.parametrize("climb", ["/../../../..", "/a/../../../../../.."])
def test_a_cgroup_path_cannot_leave_the_hierarchy(runtime, bundle, session, directory, climb):
    """Either refused, or taken as a path that stays below the top."""
    bundle.linux["cgroupsPath"] = f"/{session.cgroups_root}{climb}{directory}/outside"
    try:
        with runtime.container(bundle.probe("pause"), start=False):
            assert not (directory / "outside").exists()
    except RuntimeFailed as failed:
        assert "cgroup" in str(failed)
    cgroups.remove(str(directory).split("/")[1])


def test_pause_and_resume(runtime, bundle):
    with runtime.container(bundle.shell("while :; do echo tick; sleep 0.02; done")) as container:
        container.wait_for_output("tick")
        runtime.call("pause", container.id)
        assert container.status == "paused"
        cgroup = Cgroup(bundle.cgroup)
        wait_until(cgroup.frozen, "the cgroup is frozen")
        time.sleep(0.1)
        before = container.output
        time.sleep(0.2)
        assert container.output == before
        runtime.call("resume", container.id)
        assert container.status == "running"
        wait_until(lambda: container.output != before, "it goes on")


def test_a_paused_container_can_be_deleted_by_force(runtime, bundle):
    with runtime.container(bundle.probe("pause")) as container:
        runtime.call("pause", container.id)
        runtime.call("delete", "--force", container.id, timeout=5)


def test_huge_limits_are_taken_or_refused_by_name(runtime, bundle):
    bundle.resources["pids"] = {"limit": 1 << 40}
    result = runtime.run(bundle)
    assert result.returncode == 0 or "pids" in result.stderr


@pytest.mark.ours
@pytest.mark.skipif(not cgroups.unified(), reason="cgroup version 2 only")
def test_unified_settings_are_written_as_they_are(runtime, bundle):
    bundle.resources["unified"] = {"memory.high": "100663296", "pids.max": "33"}
    with runtime.container(bundle.probe("pause")):
        cgroup = Cgroup(bundle.cgroup)
        assert cgroup.read("memory", "memory.high") == "100663296"
        assert cgroup.pids_limit() == 33


@pytest.mark.ours
@pytest.mark.skipif(cgroups.unified(), reason="cgroup version 1 only")
def test_unified_settings_are_refused_on_version_1(runtime, bundle):
    bundle.resources["unified"] = {"memory.high": "100663296"}
    result = runtime.run(bundle)
    assert result.returncode != 0
    assert "unified" in result.stderr


@pytest.mark.skipif(cgroups.unified(), reason="cgroup version 1 only")
def test_network_class_or_unknown_hierarchies_do_not_matter(runtime, bundle):
    bundle.resources["memory"] |= {"swappiness": 10, "disableOOMKiller": False}
    with runtime.container(bundle.probe("pause")):
        assert Cgroup(bundle.cgroup).read("memory", "memory.swappiness") == "10"


@pytest.mark.ours
@pytest.mark.skipif(not cgroups.unified(), reason="version 1 has kernel memory limits to refuse instead")
def test_version_1_limits_without_a_version_2_meaning_are_refused(runtime, bundle):
    bundle.resources["cpu"] = {"realtimeRuntime": 1000, "realtimePeriod": 100000}
    result = runtime.run(bundle)
    assert result.returncode != 0
    assert "realtime" in result.stderr.lower()


def test_a_limit_that_cannot_be_set_fails_and_leaves_nothing(runtime, bundle):
    bundle.resources["memory"] = {"limit": 4096 * 4}
    result = runtime.run(bundle)
    assert result.returncode != 0
    assert not Cgroup(bundle.cgroup).exists()


def test_update_changes_limits_of_a_running_container(runtime, bundle):
    with runtime.container(bundle.probe("pause")) as container:
        runtime.call("update", "--resources", "-", container.id, stdin=None, input=json.dumps({"pids": {"limit": 5}}))
        assert Cgroup(bundle.cgroup).pids_limit() == 5


@pytest.mark.ours  # Debian's runc warns, and kills them all when the second container is deleted
def test_a_cgroup_that_holds_other_containers_is_refused(runtime, bundle, new_bundle):
    with runtime.container(bundle.args("/bin/sleep", "1000")) as inner:
        outer = new_bundle().args("/bin/true")
        outer.linux["cgroupsPath"] = os.path.dirname(bundle.cgroup)
        outer.linux["resources"] = {"devices": [{"allow": True, "access": "rwm"}]}
        result = runtime.run(outer)
        assert result.returncode != 0
        assert "linux.cgroupsPath" in result.stderr
        assert inner.status == "running"


@pytest.mark.ours
def test_a_frozen_cgroup_is_refused(runtime, bundle):
    """A child that joined it would never go on."""
    group = Cgroup(bundle.cgroup).directory("freezer")
    group.mkdir(parents=True)
    name, frozen, thawed = ("cgroup.freeze", "1", "0") if cgroups.unified() else ("freezer.state", "FROZEN", "THAWED")
    (group / name).write_text(frozen)
    try:
        result = runtime.run(bundle.args("/bin/true"))
        assert result.returncode != 0
        assert "is frozen" in result.stderr
    finally:
        (group / name).write_text(thawed)
        group.rmdir()
