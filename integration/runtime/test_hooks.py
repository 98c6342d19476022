"""Hooks: when they run, what they are told, what their failure does (runtime-spec, config.md, "POSIX-platform Hooks")."""

import json

import pytest

from gantrytest.cgroups import Cgroup
from gantrytest.oci_runtime import RuntimeFailed

STAGES = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]


def record(bundle, stage, command="cat >> {log}; echo >> {log}"):
    log = bundle.path / f"{stage}.log"
    return {"path": "/bin/sh", "args": ["sh", "-c", command.format(log=log)], "env": [f"STAGE={stage}"]}


def test_every_hook_runs_at_its_stage_with_the_state_on_standard_input(runtime, bundle):
    inside = {"createContainer": False, "startContainer": True}
    order = bundle.path / "order"
    order.touch()
    bundle.mount("/order", "bind", order, "bind")
    bundle.spec["hooks"] = {}
    for stage in STAGES:
        place = "/order" if inside.get(stage) else str(order)
        bundle.spec["hooks"][stage] = [record(bundle, stage, f"cat > /dev/null; echo {stage} >> {place}")]
    with runtime.container(bundle.probe("exit", "0"), start=False) as container:
        # Debian's runc runs poststart at the end of create.
        done = [stage for stage in order.read_text().split() if runtime.is_ours or stage != "poststart"]
        assert done == ["prestart", "createRuntime", "createContainer"]
        container.start()
        container.wait_for("stopped")
        assert set(order.read_text().split()) == set(STAGES) - {"poststop"}
        container.delete()
    assert order.read_text().split()[-1] == "poststop"


def test_the_state_given_to_hooks(runtime, bundle):
    bundle.spec["hooks"] = {
        "createRuntime": [record(bundle, "createRuntime")],
        "poststop": [record(bundle, "poststop")],
    }
    bundle.spec["annotations"] = {"key": "value"}
    with runtime.container(bundle.probe("pause"), start=False) as container:
        state = json.loads((bundle.path / "createRuntime.log").read_text())
        assert (state["id"], state["pid"], state["bundle"]) == (container.id, container.pid, str(bundle.path))
        assert state["status"] in ("creating", "created")
        assert state["annotations"]["key"] == "value"
        id = container.id
    after = json.loads((bundle.path / "poststop.log").read_text())
    assert (after["id"], after["status"]) == (id, "stopped")


def test_hooks_have_their_own_environment_only(runtime, bundle):
    """CVE-2025-23266: what the container's environment says has no effect on a hook."""
    bundle.process["env"].append("LD_PRELOAD=/evil.so")
    bundle.spec["hooks"] = {"createRuntime": [record(bundle, "createRuntime", "cat > /dev/null; env > {log}")]}
    runtime.probe(bundle)
    found = (bundle.path / "createRuntime.log").read_text()
    assert "STAGE=createRuntime" in found
    assert "LD_PRELOAD" not in found


@pytest.mark.parametrize("stage", ["prestart", "createRuntime", "createContainer", "startContainer"])
def test_a_failing_hook_before_the_program_undoes_the_container(runtime, bundle, stage):
    shell = {"path": "/bin/sh", "args": ["sh", "-c", "exit 3"]}
    bundle.spec["hooks"] = {stage: [shell]}
    result = runtime.run(bundle.args("/bin/echo", "ran"))
    assert result.returncode != 0
    assert "ran" not in result.stdout
    assert "hook" in result.stderr
    runtime.call("delete", "--force", "c0", check=False)
    for id in runtime.ids():
        runtime.call("delete", "--force", id)
    assert not Cgroup(bundle.cgroup).exists()


def test_a_failing_poststop_hook_does_not_keep_the_container(runtime, bundle):
    bundle.spec["hooks"] = {"poststop": [{"path": "/bin/false"}]}
    with runtime.container(bundle.probe("exit", "0")) as container:
        container.wait_for("stopped")
        runtime.call("delete", container.id, check=False)
        assert runtime.ids() == []


def test_a_hook_that_takes_too_long_is_ended(runtime, bundle):
    bundle.spec["hooks"] = {"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "1000"], "timeout": 1}]}
    with pytest.raises(RuntimeFailed, match="(?i)time|deadline"):
        runtime.probe(bundle)


def test_a_missing_hook_is_named(runtime, bundle):
    bundle.spec["hooks"] = {"createRuntime": [{"path": "/absent/hook"}]}
    result = runtime.run(bundle)
    assert result.returncode != 0
    assert "/absent/hook" in result.stderr


def test_the_network_can_be_prepared_by_a_hook(runtime, bundle):
    """What CNI callers of the old way do: the namespace exists when createRuntime runs."""
    script = "pid=$(sed 's/.*\"pid\": *\\([0-9]*\\).*/\\1/'); nsenter -t $pid -n ip link add hooked type bridge"
    bundle.spec["hooks"] = {
        "createRuntime": [
            {"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}
        ]
    }
    assert "hooked" in runtime.run(bundle.shell("ip -o link")).stdout
