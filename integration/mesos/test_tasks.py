"""The life of command tasks, as their scheduler sees it: reference master-agent 5.8, 7.4 to 7.8, containerizer."""

import io
import os
import signal
import tarfile
import time
from pathlib import Path

import pytest

from gantrytest.master import state_name

STARTED = ["TASK_STARTING", "TASK_RUNNING"]
KILLED = [*STARTED, "TASK_KILLING", "TASK_KILLED"]


def argv(*words: str) -> dict:
    return {"command": {"value": words[0], "shell": False, "arguments": list(words)}}


# --- from start to end


def test_a_task_that_finishes(shared):
    end, out, err = shared.run("t", "echo out; echo err >&2")
    assert shared.states("t") == [*STARTED, "TASK_FINISHED"]
    assert (end.status.message, end.source, end.reason) == ("Command exited with status 0", "EXECUTOR", "")
    assert (out, err) == ("out\n", "err\n")


def test_a_task_that_fails(shared):
    end, _, _ = shared.run("t", "exit 3")
    assert (end.state, end.status.message, end.source) == ("TASK_FAILED", "Command exited with status 3", "EXECUTOR")


def test_a_task_that_is_killed_by_somebody_else(shared):
    shared.launch("t")
    os.kill(shared.wait_state("t", "TASK_RUNNING").status.container_status.executor_pid, signal.SIGKILL)
    end = shared.wait_end("t")
    assert (end.state, end.status.message) == ("TASK_FAILED", "Command terminated with signal Killed")


def test_every_update_names_the_container(shared):
    shared.launch("t")
    update = shared.wait_state("t", "TASK_RUNNING")
    status = update.status.container_status
    assert status.network_infos[0].ip_addresses[0].ip_address == "127.0.0.1"
    assert update.message.executor_id.value == update.status.executor_id.value == "t"
    assert shared.sandbox("t").name == status.container_id.value
    cgroups = Path(f"/proc/{status.executor_pid}/cgroup").read_text()
    assert f"{shared.agent.cgroups_root}/{status.container_id.value}" in cgroups
    shared.kill("t")
    end = shared.wait_end("t")
    assert end.status.container_status.container_id == status.container_id


def test_the_environment(shared):
    variables = [{"name": "OWN", "type": "VALUE", "value": "a b"}]
    _, out, _ = shared.run(
        "t", None, command={"value": "env; pwd", "shell": True, "environment": {"variables": variables}}
    )
    environment = dict(line.split("=", 1) for line in out.splitlines()[:-1])
    sandbox = str(shared.sandbox("t"))
    assert environment["OWN"] == "a b"
    assert environment["MESOS_SANDBOX"] == sandbox == out.splitlines()[-1]
    assert environment["MESOS_EXECUTOR_ID"] == "t"


def test_arguments_without_a_shell(shared):
    _, out, _ = shared.run("t", None, **argv("/bin/echo", "$HOME", "a  b"))
    assert out == "$HOME a  b\n"


def test_a_program_that_is_not_there(shared):
    end, _, _ = shared.run("t", None, **argv("/does/not/exist"))
    assert end.state == "TASK_FAILED"
    assert end.status.message


def test_a_user(shared):
    end, out, _ = shared.run("t", None, command={"value": "id -un; touch mine", "shell": True, "user": "nobody"})
    assert out == "nobody\n"
    assert shared.sandbox("t").stat().st_uid == 65534 == (shared.sandbox("t") / "mine").stat().st_uid


def test_an_unknown_user(shared):
    shared.launch("t", None, command={"value": "true", "user": "nobody-knows-me"})
    end = shared.wait_end("t")
    assert end.state == "TASK_FAILED"
    assert "nobody-knows-me" in end.status.message


def test_many_at_once(shared):
    ids = [f"t{number}" for number in range(12)]
    for id in ids:
        shared.launch(id, "true", cpus=0.01)
    for id in ids:
        assert shared.wait_end(id, 30).state == "TASK_FINISHED", id


def test_seen_from_outside(shared):
    shared.launch("t", "echo hello; sleep 1000", labels={"labels": [{"key": "k", "value": "v"}]})
    shared.wait_state("t", "TASK_RUNNING")
    for path in ("/state", "/slave(1)/state"):
        frameworks = shared.agent.get_json(path)["frameworks"]
        (framework,) = [one for one in frameworks if one["id"] == shared.framework]
        (executor,) = framework["executors"]
        (task,) = executor["tasks"]
        assert (task["id"], task["state"], task["labels"]) == ("t", "TASK_RUNNING", [{"key": "k", "value": "v"}])
        assert Path(executor["directory"]).resolve() == shared.sandbox("t")
    listed = shared.agent.call("GET_TASKS")["get_tasks"]["launched_tasks"]
    assert [one["task_id"]["value"] for one in listed if one["framework_id"]["value"] == shared.framework] == ["t"]
    read = shared.agent.get_json(f"/files/read?path={executor['directory']}/stdout&offset=0&length=100")
    assert read["data"] == "hello\n"
    statistics = [
        one for one in shared.agent.get_json("/monitor/statistics") if one["framework_id"] == shared.framework
    ]
    assert statistics[0]["executor_id"] == "t"
    assert statistics[0]["statistics"]["mem_rss_bytes"] > 0
    shared.kill("t")
    shared.wait_end("t")


# --- what it is given


def test_files_by_uri(shared, directory):
    (directory / "plain").write_text("plain\n")
    with tarfile.open(directory / "packed.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("inside/file")
        info.size = 6
        archive.addfile(info, io.BytesIO(b"inside"))
    (directory / "run.sh").write_text("#!/bin/sh\necho ran\n")
    uris = [
        {"value": f"file://{directory}/plain", "output_file": "renamed"},
        {"value": f"file://{directory}/packed.tar.gz"},
        {"value": f"{directory}/run.sh", "executable": True},
    ]
    end, out, _ = shared.run("t", None, command={"value": "cat renamed inside/file; ./run.sh", "uris": uris})
    assert out == "plain\ninsideran\n"


def test_volumes(shared, directory):
    (directory / "given").write_text("given")
    volumes = [{"container_path": "/mnt", "host_path": str(directory), "mode": "RW"}]
    volumes.append(
        {
            "container_path": "data",
            "mode": "RW",
            "source": {"type": "SANDBOX_PATH", "sandbox_path": {"type": "SELF", "path": "kept"}},
        }
    )
    _, out, err = shared.run(
        "t", "cat /mnt/given; echo kept > data/file", container={"type": "MESOS", "volumes": volumes}
    )
    assert (out, err) == ("given", "")
    assert (shared.sandbox("t") / "kept/file").read_text() == "kept\n"


def test_an_image(shared, image):
    container = {"type": "MESOS", "mesos": {"image": {"type": "DOCKER", "docker": {"name": image}}}}
    shared.master.run(shared.master.task("warm", "true", container=container), shared.framework)
    assert shared.wait_end("warm", 30).state == "TASK_FINISHED"
    end, out, _ = shared.run(
        "t", "echo $FROM_IMAGE $MESOS_SANDBOX; pwd; ls -d /etc/debian_version", container=container
    )
    assert out == "yes /mnt/mesos/sandbox\n/mnt/mesos/sandbox\n"
    # Its own command, and nothing else.
    end, out, _ = shared.run("default", None, command={"shell": False}, container=container)
    assert (end.state, out) == ("TASK_FINISHED", "from the image\n")


def test_memory(shared):
    end, _, _ = shared.run("t", "exec tail /dev/zero", mem=32)
    assert (end.state, end.reason, end.source) == ("TASK_FAILED", "CONTAINER_LIMITATION_MEMORY", "AGENT")
    assert "32" in end.status.message
    assert end.status.limitation.resources[0].name == "mem"


def test_limits_above_requests(shared):
    """What it asks for is kept free for it, and what it may use is more."""
    limits = {"mem": {"value": 256}, "cpus": {"value": "Infinity"}}
    end, _, err = shared.run("t", "head -c 64m /dev/zero | tail | wc -c", mem=32, limits=limits)
    assert end.state == "TASK_FINISHED", err


def test_max_completion_time(shared):
    end, _, _ = shared.run("t", "sleep 1000", max_completion_time={"nanoseconds": 300_000_000})
    assert (end.state, end.reason) == ("TASK_FAILED", "MAX_COMPLETION_TIME_REACHED")
    assert end.status.message == "Command terminated with signal Terminated"
    assert shared.states("t") == [*STARTED, "TASK_FAILED"]


# --- kills


def test_kill(shared):
    shared.launch("t")
    shared.wait_state("t", "TASK_RUNNING")
    asked = time.monotonic()
    shared.kill("t")
    end = shared.wait_end("t")
    assert shared.states("t") == KILLED
    assert end.status.message == "Command terminated with signal Terminated"
    assert time.monotonic() - asked < 2, "a command that does not catch TERM ends at once"


def test_a_task_that_ends_itself_on_term(shared):
    shared.launch("t", "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.05; done")
    shared.wait_ready("t")
    shared.kill("t")
    end = shared.wait_end("t")
    assert (end.state, end.status.message) == ("TASK_KILLED", "Command exited with status 7")
    assert shared.output("t") == "ready\nbye\n"


def test_a_task_that_ignores_term(shared):
    shared.launch("t", "trap '' TERM; echo ready; while :; do sleep 0.05; done")
    shared.wait_ready("t")
    asked = time.monotonic()
    shared.kill("t", grace=0.5)
    end = shared.wait_end("t")
    assert (end.state, end.status.message) == ("TASK_KILLED", "Command terminated with signal Killed")
    assert 0.5 <= time.monotonic() - asked < 3


def test_the_tasks_own_grace(shared):
    shared.launch(
        "t",
        "trap '' TERM; echo ready; while :; do sleep 0.05; done",
        kill_policy={"grace_period": {"nanoseconds": 300_000_000}},
    )
    shared.wait_ready("t")
    asked = time.monotonic()
    shared.kill("t")
    shared.wait_end("t")
    assert 0.3 <= time.monotonic() - asked < 2.5


def test_a_second_kill_hastens(shared):
    shared.launch("t", "trap '' TERM; echo ready; while :; do sleep 0.05; done")
    shared.wait_ready("t")
    shared.kill("t", grace=600)
    shared.wait_state("t", "TASK_KILLING")
    shared.kill("t", grace=0.1)
    shared.wait_end("t", 5)
    assert shared.states("t") == KILLED


def test_killed_while_it_is_launched(shared):
    for number in range(6):
        id = f"t{number}"
        shared.launch(id)
        time.sleep(0.02 * number)
        shared.kill(id)
    for number in range(6):
        assert shared.wait_end(f"t{number}").state == "TASK_KILLED"


def test_a_kill_of_an_unknown_task(shared):
    shared.launch("known")
    shared.wait_state("known", "TASK_RUNNING")
    shared.kill("unknown")
    end = shared.wait_end("unknown")
    assert (end.state, end.reason) == ("TASK_DROPPED", "EXECUTOR_TERMINATED")
    shared.kill("known")
    shared.wait_end("known")


def test_a_scheduler_of_old(shared):
    """Without PARTITION_AWARE and TASK_KILLING_STATE none of their states is told."""
    master = shared.master
    shared.framework = master.framework("old", capabilities=("MULTI_ROLE",))
    shared.launch("t")
    shared.wait_state("t", "TASK_RUNNING")
    shared.kill("unknown")
    assert shared.wait_end("unknown").state == "TASK_LOST"
    shared.kill("t")
    shared.wait_end("t")
    assert shared.states("t") == [*STARTED, "TASK_KILLED"]


# --- frameworks


def test_a_teardown(shared):
    shared.launch("a")
    shared.launch("b", "trap '' TERM; sleep 1000", kill_policy={"grace_period": {"nanoseconds": 100_000_000}})
    pid = shared.wait_state("a", "TASK_RUNNING").status.container_status.executor_pid
    shared.wait_state("b", "TASK_RUNNING")
    shared.master.shutdown_framework(shared.framework)
    shared.agent.wait_until(lambda: not os.path.exists(f"/proc/{pid}"))
    shared.agent.wait_until(lambda: not shared.agent.containers(), 10)
    time.sleep(0.2)
    assert (shared.states("a"), shared.states("b")) == (STARTED, STARTED), "nobody wants to know any more"


def test_an_update_is_sent_again_when_the_framework_fails_over(shared):
    shared.master.acknowledges = False
    try:
        shared.launch("t")
        first = shared.wait_state("t", "TASK_STARTING")
        shared.master.update_framework(shared.framework)
        shared.master.wait(lambda: len(first.times) == 2, "the update is sent again")
        assert shared.states("t") == ["TASK_STARTING"], "the next one waits for the acknowledgement"
    finally:
        shared.master.acknowledges = True
    shared.master.acknowledge(first)
    running = shared.wait_state("t", "TASK_RUNNING")
    # Again, and one that nobody sent: both are errors of the master's, and no more.
    shared.master.acknowledge(first)
    shared.master.acknowledge(running)
    shared.kill("t")
    assert shared.wait_end("t").state == "TASK_KILLED"


def test_the_newest_state_is_told_with_an_old_update(shared):
    shared.master.acknowledges = False
    try:
        shared.launch("t", "true")
        first = shared.wait_state("t", "TASK_STARTING")
        shared.agent.wait_until(lambda: not shared.agent.containers())
        time.sleep(0.3)
        shared.master.update_framework(shared.framework)
        shared.master.wait(lambda: len(first.times) == 2, "the update is sent again")
        again = shared.master.last("StatusUpdateMessage").update
        assert state_name(again.latest_state) == "TASK_FINISHED"
    finally:
        shared.master.acknowledges = True
    shared.master.acknowledge(first)
    shared.wait_end("t")
    assert shared.states("t") == [*STARTED, "TASK_FINISHED"]


# --- draining


def test_drain(mesos_agent, master):
    master.launch("polite")
    master.launch("rude", "trap '' TERM; echo ready; while :; do sleep 0.05; done")
    for id in ("polite", "rude"):
        master.wait_state(id, "TASK_RUNNING")
    mesos_agent.wait_until(lambda: "ready" in (mesos_agent.task_sandbox("rude") / "stdout").read_text())
    master.drain(grace=0.3)
    for id in ("polite", "rude"):
        end = master.wait_end(id)
        assert (end.state, end.reason) == ("TASK_KILLED", "AGENT_DRAINING")
        assert master.stream(id)[2].reason == "AGENT_DRAINING"


def test_no_launch_while_draining(mesos_agent, master):
    """Of an agent that is drained to be gone one update tells the end."""
    master.launch("rude", "trap '' TERM; echo ready; while :; do sleep 0.05; done")
    master.wait_state("rude", "TASK_RUNNING")
    mesos_agent.wait_until(lambda: "ready" in (mesos_agent.task_sandbox("rude") / "stdout").read_text())
    master.drain(grace=1, mark_gone=True)
    master.launch("late")
    end = master.wait_end("late")
    assert (end.state, end.reason) == ("TASK_DROPPED", "AGENT_DRAINING")
    master.wait_end("rude")
    assert master.states("rude") == [*STARTED, "TASK_GONE_BY_OPERATOR"]
    assert master.stream("rude")[-1].reason == "AGENT_DRAINING"
