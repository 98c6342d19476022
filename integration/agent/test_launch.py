"""From a dispatch over the API to a program in an image, and back: Mesos' v1 operator calls."""

import base64
import json
import os
import signal

import pytest

from gantrytest import cgroups
from gantrytest.agent import Refused, in_thread
from gantrytest.bundle import MASKED
from gantrytest.cgroups import Cgroup
from gantrytest.oci_runtime import wait_until

MIB = 1 << 20


def facts(agent, id, image, **options) -> dict:
    status, out, err = agent.run_container(id, "/bin/probe facts", image, **options)
    assert status == 0, err
    return json.loads(out)


def test_health_version_and_flags(agent):
    assert agent.call("GET_HEALTH") == {"type": "GET_HEALTH", "get_health": {"healthy": True}}
    version = agent.call("GET_VERSION")["get_version"]["version_info"]["version"]
    assert agent.get_json("/version")["version"] == version
    flags = {flag["name"]: flag.get("value") for flag in agent.call("GET_FLAGS")["get_flags"]["flags"]}
    assert flags["work_dir"] == str(agent.work)
    assert agent.get_json("/flags")["flags"]["port"] == str(agent.port)
    assert agent.get("/health")[:2] == (200, b"")
    assert agent.get("/healthz")[0] == 200


def test_a_command_in_an_image_from_dispatch_to_exit(agent, image):
    agent.launch("hello", "echo out; echo problem >&2; exit 3", image)
    ended = agent.wait("hello")
    assert os.waitstatus_to_exitcode(ended["exit_status"]) == 3
    assert agent.output("hello") == "out\n"
    assert agent.output("hello", "stderr") == "problem\n"
    agent.call("REMOVE_CONTAINER", {"container_id": {"value": "hello"}})
    assert not agent.sandbox("hello").exists()


def test_the_images_own_command_and_environment(agent, image):
    assert agent.run_container("default", image=image)[:2] == (0, "from the image\n")
    found = facts(agent, "environment", image, environment={"MINE": "1"})["env"]
    assert {"FROM_IMAGE=yes", "MINE=1", "MESOS_SANDBOX=/mnt/mesos/sandbox"} <= set(found)
    assert not [entry for entry in found if entry.startswith("GANTRY_")], "the agent's own environment is not inherited"


def test_arguments_without_a_shell(agent, image):
    status, out, _ = agent.run_container("arguments", image=image, arguments=["/bin/echo", "a  b", "$HOME", "*"])
    assert (status, out) == (0, "a  b $HOME *\n")


def test_a_program_that_is_killed_reports_the_raw_wait_status(agent, image):
    agent.launch("killed", "sleep 1000", image)
    agent.kill_container("killed", signal.SIGKILL)
    assert agent.wait("killed")["exit_status"] == signal.SIGKILL
    agent.remove("killed")


def test_signals_reach_the_program(agent, image):
    agent.launch("signalled", image=image, arguments=["/bin/probe", "signal", "ready"])
    agent.wait_for_output("signalled", "ready")
    agent.kill_container("signalled", signal.SIGUSR1)
    agent.wait_for_output("signalled", "SIGUSR1")
    agent.kill_container("signalled", signal.SIGTERM)
    assert agent.wait("signalled")["exit_status"] == 0
    agent.remove("signalled")


def test_wait_answers_when_the_container_ends(agent, image):
    agent.launch("waited", "sleep 1000", image)
    answers = [in_thread(agent.wait, "waited") for _ in range(3)]
    agent.kill_container("waited")
    assert [answer()["exit_status"] for answer in answers] == [9, 9, 9]
    agent.remove("waited")


def test_launching_the_same_again_is_202_and_another_request_is_refused(agent, image):
    agent.launch("twice", "sleep 1000", image)
    message = {
        "type": "LAUNCH_CONTAINER",
        "launch_container": {
            "container_id": {"value": "twice"},
            "command": {"shell": True, "value": "sleep 1000"},
            "resources": [
                {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.5}},
                {"name": "mem", "type": "SCALAR", "scalar": {"value": 64}},
            ],
            "container": {"type": "MESOS", "mesos": {"image": {"type": "DOCKER", "docker": {"name": image}}}},
        },
    }
    headers = {"Content-Type": "application/json"}
    assert agent.request("POST", "/api/v1", json.dumps(message), headers)[0] == 202
    with pytest.raises(Refused, match="twice") as refused:
        agent.launch("twice", "sleep 2000", image)
    assert refused.value.status in (400, 409)
    agent.remove("twice")


def test_limits_are_those_asked_for(agent, image):
    agent.launch(
        "limited", "sleep 1000", image, resources={"cpus": 0.5, "mem": 48, "pids": 20}, limits={"cpus": 1.0, "mem": 96}
    )
    cgroup = Cgroup(f"{agent.cgroups_root}/limited")
    assert cgroup.memory_limit() == 96 * MIB
    assert cgroup.pids_limit() == 20
    quota, period = cgroup.cpu_quota()
    assert quota / period == pytest.approx(1.0)
    if cgroups.unified():
        assert cgroup.read("cpu", "cpu.weight") == "50"
    else:
        assert cgroup.read("cpu", "cpu.shares") == "512"
    agent.remove("limited")


def test_too_much_memory_ends_in_a_sentence_and_mesos_reason(agent, image):
    agent.launch("greedy", image=image, arguments=["/bin/probe", "memory", "200"], resources={"mem": 32})
    ended = agent.wait("greedy")
    assert ended["exit_status"] == 9
    assert ended["state"] == "TASK_FAILED"
    assert ended["reason"] == "REASON_CONTAINER_LIMITATION_MEMORY"
    assert "memory limit" in ended["message"].lower()
    agent.remove("greedy")


def test_the_pids_limit_is_in_force(agent, image):
    status, out, _ = agent.run_container(
        "forks", image=image, arguments=["/bin/probe", "processes", "50"], resources={"pids": 10}
    )
    assert json.loads(out) == {"ok": False, "errno": "EAGAIN", "started": 9}


def test_usage_and_status_while_it_runs(agent, image):
    agent.launch(
        "used",
        image=image,
        arguments=["/bin/probe", "spin", "1000"],
        resources={"cpus": 0.2, "mem": 32},
        limits={"cpus": 0.5},
    )

    def counted():
        statistics = agent.usage("used")["resource_statistics"]
        return statistics if statistics.get("cpus_user_time_secs", 0) > 0.1 else None

    statistics = wait_until(counted, "CPU time is counted")
    assert statistics["mem_limit_bytes"] == 32 * MIB
    assert 0 < statistics["mem_total_bytes"] < 32 * MIB
    assert statistics["cpus_limit"] == pytest.approx(0.5)
    assert statistics["timestamp"] > 1.7e9
    status = agent.usage("used")["container_status"]
    assert status["container_id"]["value"] == "used"
    assert os.path.exists(f"/proc/{status['executor_pid']}")
    agent.remove("used")


def test_the_default_isolation(agent, image):
    found = facts(agent, "isolated", image)
    assert found["status"]["Seccomp"] == "2"
    assert found["status"]["NoNewPrivs"] == "1"
    assert int(found["status"]["CapEff"], 16).bit_count() <= 14
    assert int(found["status"]["CapInh"], 16) == int(found["status"]["CapAmb"], 16) == 0
    host = {kind: os.stat(f"/proc/self/ns/{kind}").st_ino for kind in ("pid", "mnt", "ipc", "uts", "cgroup", "net")}
    shared = {kind for kind, inode in host.items() if found["namespaces"][kind] == inode}
    # Without network_infos the host's network is asked for, as with mesos-agent.
    assert shared == {"net"}
    assert {number for number, target in found["fds"].items() if "/proc" not in target} == {"0", "1", "2"}


def test_masked_and_read_only_paths(agent, image):
    present = [path for path in MASKED if os.path.exists(path)]
    assert present
    words = ["/bin/probe", "paths", *present, "/proc/sys/kernel/hostname"]
    _, out, _ = agent.run_container("masked", image=image, arguments=words)
    found = json.loads(out)
    for path in present:
        assert found[path].get("entries", 0) == found[path].get("bytes", 0) == 0, (path, found[path])
    assert found["/proc/sys/kernel/hostname"]["writable"] == "EROFS"


def test_a_container_without_an_image_runs_on_the_hosts_file_system(agent):
    status, out, err = agent.run_container(
        "imageless", "cat /etc/debian_version; echo $MESOS_SANDBOX; echo x > in-sandbox"
    )
    assert status == 0, err
    assert out.splitlines()[0] == open("/etc/debian_version").read().strip()


@pytest.mark.parametrize("user, uid", [("user", 1000), ("1000", 1000), ("1000:5", 1000), ("root", 0)])
def test_users_are_those_of_the_image(agent, image, user, uid):
    assert facts(agent, "user", image, user=user)["uid"] == uid


def test_the_writable_layer_belongs_to_one_container(agent, image):
    assert agent.run_container("writer", "echo mine > /etc/written; cat /etc/written", image)[:2] == (0, "mine\n")
    status, out, _ = agent.run_container("reader", "cat /etc/written", image)
    assert status != 0


def test_a_hundred_short_containers_in_a_row_leave_no_descriptors(agent, image):
    agent.run_container("warm", "true", image)
    before = len(agent.descriptors())
    for number in range(20):
        assert agent.run_container(f"short{number}", "true", image)[0] == 0
    wait_until(lambda: len(agent.descriptors()) <= before + 2, "the agent's descriptors are closed again")


def test_many_at_once(agent, image):
    launches = [in_thread(agent.launch, f"many{n}", f"echo {n}", image) for n in range(12)]
    for launch in launches:
        launch()
    for number in range(12):
        assert agent.wait(f"many{number}")["exit_status"] == 0
        assert agent.output(f"many{number}") == f"{number}\n"
        agent.remove(f"many{number}")


def test_list_and_read_files(agent, image):
    agent.launch("files", "echo content > $MESOS_SANDBOX/made; sleep 1000", image)
    path = str(agent.sandbox("files"))
    made = agent.sandbox("files") / "made"
    wait_until(lambda: made.exists() and made.stat().st_size, "the file is written")
    listed = agent.call("LIST_FILES", {"path": path})["list_files"]["file_infos"]
    entries = {os.path.basename(entry["path"]): entry for entry in listed}
    assert {"stdout", "stderr", "made"} <= set(entries)
    assert entries["made"]["size"] == 8
    read = agent.call("READ_FILE", {"path": f"{path}/made", "offset": 2, "length": 3})["read_file"]
    assert (base64.b64decode(read["data"]), read["size"]) == (b"nte", 8)
    agent.remove("files")


def test_files_outside_of_sandboxes_are_not_read(agent, image, directory):
    (directory / "secret").write_text("hidden content")
    agent.launch(
        "escape", f"ln -s {directory}/secret $MESOS_SANDBOX/link; ln -s / $MESOS_SANDBOX/root; sleep 1000", image
    )
    wait_until(lambda: os.path.lexists(agent.sandbox("escape") / "root"), "the links are there")
    base = agent.sandbox("escape")
    for path in (
        f"{base}/link",
        f"{base}/root{directory}/secret",
        f"{base}/../../../../../etc/passwd",
        str(directory / "secret"),
        "/etc/passwd",
    ):
        with pytest.raises(Refused) as refused:
            agent.call("READ_FILE", {"path": path, "offset": 0})
        assert refused.value.status in (400, 403, 404), path
        assert "hidden content" not in refused.value.body
    agent.remove("escape")


def test_removing_a_running_container_is_refused(agent, image):
    agent.launch("busy", "sleep 1000", image)
    with pytest.raises(Refused, match="busy"):
        agent.call("REMOVE_CONTAINER", {"container_id": {"value": "busy"}})
    agent.remove("busy")


def test_the_slave_prefix_is_the_same_api(agent):
    message = json.dumps({"type": "GET_HEALTH"})
    status, body, _ = agent.request("POST", "/slave(1)/api/v1", message, {"Content-Type": "application/json"})
    assert (status, json.loads(body)["get_health"]["healthy"]) == (200, True)


def test_metrics_are_prometheus_text(agent, image):
    agent.run_container("measured", "true", image)
    status, body, headers = agent.get("/metrics")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain")
    lines = body.decode().splitlines()
    samples = [line for line in lines if line and not line.startswith("#")]
    assert samples and all(len(line.rpartition(" ")[2]) for line in samples)
    assert any(line.startswith("# TYPE gantry_") for line in lines)


def test_the_unix_socket_speaks_the_same_and_is_closed_to_others(agent):
    assert oct(agent.socket_path.stat().st_mode)[-3:] == "600"
    result = agent.cli("ps", "--format", "json", check=True)
    assert json.loads(result.stdout) == [] or json.loads(result.stdout).get("containers") == []


def test_state_directories_are_closed_to_others(agent):
    for path in (agent.work, agent.run, agent.work / "containers", agent.work / "images"):
        assert not path.stat().st_mode & 0o066, path
    state = next(agent.work.glob("state.db"))
    assert not state.stat().st_mode & 0o077
