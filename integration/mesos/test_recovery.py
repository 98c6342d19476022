"""An agent that is killed and comes back: reference master-agent 8. What ran goes on, what ended is told as it ended."""

import os
import random
import signal
import time

import pytest

from gantrytest import wire
from gantrytest.agent import settle
from gantrytest.master import TERMINAL, describe, state_name

STARTED = ["TASK_STARTING", "TASK_RUNNING"]


def _come_back(agent, master, *flags: str) -> wire.Message:
    """Starts the agent again; its ReregisterSlaveMessage."""
    before = master.count("ReregisterSlaveMessage")
    agent.configure(*flags)
    agent.start()
    master.wait(lambda: master.count("ReregisterSlaveMessage") > before, "the agent registers again", 20)
    return master.last("ReregisterSlaveMessage")


def _listed(told: wire.Message) -> dict[str, str]:
    return {task.task_id.value: state_name(task.state) for task in told.tasks}


def test_tasks_go_on(mesos_agent, master):
    master.launch("long", "sleep 1000")
    pid = master.wait_state("long", "TASK_RUNNING").status.container_status.executor_pid
    mesos_agent.kill()
    told = _come_back(mesos_agent, master)
    assert _listed(told) == {"long": "TASK_RUNNING"}
    (task,) = told.tasks
    assert not task.HasField("executor_id"), "a command task has no executor of its own"
    assert [state_name(status.state) for status in task.statuses] == STARTED
    assert os.path.exists(f"/proc/{pid}")
    master.kill("long")
    end = master.wait_end("long")
    assert end.status.message == "Command terminated with signal Terminated"
    assert master.states("long") == [*STARTED, "TASK_KILLING", "TASK_KILLED"]


@pytest.mark.parametrize("command, state, message", [
    ("sleep 0.7; exit 0", "TASK_FINISHED", "Command exited with status 0"),
    ("sleep 0.7; exit 5", "TASK_FAILED", "Command exited with status 5"),
])  # fmt: skip
def test_ended_while_the_agent_was_away(mesos_agent, master, command, state, message):
    master.launch("t", command)
    master.wait_state("t", "TASK_RUNNING")
    mesos_agent.kill()
    time.sleep(1)
    told = _come_back(mesos_agent, master)
    assert _listed(told) == {"t": state}
    end = master.wait_end("t")
    assert (end.state, end.status.message) == (state, message)


def test_killed_while_the_agent_was_away(mesos_agent, master):
    master.launch("t")
    pid = master.wait_state("t", "TASK_RUNNING").status.container_status.executor_pid
    mesos_agent.kill()
    os.kill(pid, signal.SIGKILL)
    _come_back(mesos_agent, master)
    end = master.wait_end("t")
    assert (end.state, end.status.message) == ("TASK_FAILED", "Command terminated with signal Killed")


def test_acknowledgements_that_were_lost(mesos_agent, master):
    """Every update is sent again after the restart, in order, and none twice over."""
    master.acknowledges = False
    master.launch("t", "true")
    first = master.wait_state("t", "TASK_STARTING")
    mesos_agent.wait_until(lambda: not mesos_agent.containers())
    mesos_agent.kill()
    master.acknowledges = True
    told = _come_back(mesos_agent, master)
    assert _listed(told) == {"t": "TASK_FINISHED"}
    master.wait_end("t")
    assert master.states("t") == [*STARTED, "TASK_FINISHED"]
    assert len(first.times) >= 2


def test_ended_tasks_are_history(mesos_agent, master):
    master.launch("t", "exit 3")
    master.wait_end("t")
    time.sleep(0.3)  # for the acknowledgement to arrive
    mesos_agent.kill()
    told = _come_back(mesos_agent, master)
    assert not told.tasks
    (framework,) = told.completed_frameworks
    assert [(task.task_id.value, state_name(task.state)) for task in framework.tasks] == [("t", "TASK_FAILED")]


def test_a_framework_that_does_not_checkpoint(mesos_agent, master):
    """Its tasks do not outlive the agent."""
    fleeting = master.framework("fleeting", checkpoint=False)
    kept = master.framework("kept")
    master.launch("f", framework=fleeting)
    master.launch("k", framework=kept)
    pid = master.wait_state("f", "TASK_RUNNING", fleeting).status.container_status.executor_pid
    master.wait_state("k", "TASK_RUNNING", kept)
    mesos_agent.kill()
    master.launched = {one for one in master.launched if one[0] != fleeting}  # as a master does when the link breaks
    told = _come_back(mesos_agent, master)
    assert _listed(told) == {"k": "TASK_RUNNING"}
    mesos_agent.wait_until(lambda: not os.path.exists(f"/proc/{pid}"))


def test_cleanup(mesos_agent, master):
    """--recover=cleanup ends what is there and the agent."""
    master.launch("t")
    pid = master.wait_state("t", "TASK_RUNNING").status.container_status.executor_pid
    mesos_agent.kill()
    mesos_agent.configure("--recover=cleanup")
    mesos_agent.spawn()
    assert mesos_agent.wait_exit() == 0
    assert not os.path.exists(f"/proc/{pid}")
    assert master.count("ReregisterSlaveMessage") == 0


def test_a_launch_that_was_lost(mesos_agent, master):
    """Sent when nobody was there: the master asks, and is told that it was dropped."""
    record = master.agent
    settle(0.3)  # for the agent to keep its id
    mesos_agent.kill()
    master.wait(lambda: not record.connected, "the link breaks")
    master.launch("t")
    _come_back(mesos_agent, master)
    end = master.wait_end("t")
    assert (end.state, end.reason) == ("TASK_DROPPED", "RECONCILIATION")


def test_other_resources(mesos_agent, master):
    """Refused under the policy that is the default, and told apart by name."""
    settle(0.3)
    mesos_agent.kill()
    mesos_agent.configure("--resources=cpus:4;mem:16384;disk:40960;ports:[31000-32000]")
    mesos_agent.spawn()
    assert mesos_agent.wait_exit() != 0
    assert "cpus" in mesos_agent.log.read_text().splitlines()[-1]
    mesos_agent.configure(
        "--resources=cpus:16;mem:16384;disk:40960;ports:[31000-32000]", "--reconfiguration_policy=additive"
    )
    told = _come_back(mesos_agent, master)
    assert next(one.scalar.value for one in told.slave.resources if one.name == "cpus") == 16


def test_draining_goes_on(mesos_agent, master):
    master.launch("rude", "trap '' TERM; echo ready; while :; do sleep 0.05; done")
    master.wait_state("rude", "TASK_RUNNING")
    mesos_agent.wait_until(lambda: "ready" in (mesos_agent.task_sandbox("rude") / "stdout").read_text())
    master.drain(grace=2)
    master.wait_state("rude", "TASK_KILLING")
    mesos_agent.kill()
    master.drain_config = None  # a master that forgot
    _come_back(mesos_agent, master)
    assert master.wait_end("rude", patience=10).state == "TASK_KILLED"


# What a task may say at its end that was cut while it was launched.
CUT = {"TASK_FAILED", "TASK_LOST", "TASK_DROPPED", "TASK_GONE"}


def _kill_unless_ended(master, id: str) -> None:
    if (master.states(id) or [""])[-1] not in TERMINAL and id in [task for _, task in master.launched]:
        master.kill(id)


KILLS = int(os.environ.get("KILLS", 20))


@pytest.mark.time_limit(120 + 10 * KILLS)
def test_killed_at_any_moment(mesos_agent, master):
    """The agent is killed in the midst of launches, again and again. No update is lost, made up or out of order (the
    master looks at that), and nothing is left behind (the fixtures look at that). KILLS says how often.
    """
    seed = int(os.environ.get("SEED", time.time_ns() % 1_000_000))
    print(f"SEED={seed}")
    chance = random.Random(seed)
    expected: dict[str, tuple[str, str]] = {}
    for turn in range(KILLS):
        for kind, command, end in (
            ("short", "true", ("TASK_FINISHED", "Command exited with status 0")),
            ("fails", "exit 3", ("TASK_FAILED", "Command exited with status 3")),
            ("long", "sleep 1000", ("TASK_KILLED", "Command terminated with signal Terminated")),
        ):
            id = f"{kind}{turn}"
            expected[id] = end
            master.launch(id, command, cpus=0.01, mem=16)
        time.sleep(chance.uniform(0, 0.35))
        mesos_agent.kill()
        if chance.random() < 0.25:  # and once more while it recovers
            mesos_agent.spawn()
            time.sleep(chance.uniform(0, 0.3))
            mesos_agent.kill()
        _come_back(mesos_agent, master)
        if turn:
            _kill_unless_ended(master, f"long{turn - 1}")
    _kill_unless_ended(master, f"long{KILLS - 1}")
    cut = 0
    for id, (state, message) in expected.items():
        end = master.wait_end(id, patience=60)
        if id.startswith("long") and end.state in CUT or (end.state, end.status.message) != (state, message):
            # It never ran, or so the agent must believe.
            assert end.state in CUT | {"TASK_KILLED"}, f"{id}: {describe(master.stream(id))}"
            assert end.status.message or end.reason, f"{id}: {describe(master.stream(id))}"
            assert "monitor" not in end.status.message, "nobody killed a monitor"
            cut += 1
    print(f"{cut} of {len(expected)} tasks were cut")
    assert cut < len(expected)
    assert not master.launched
    mesos_agent.wait_until(lambda: not mesos_agent.containers(), 20)
    assert all(one.acknowledged for stream in master.updates.values() for one in stream)
    assert all(stream[-1].state in TERMINAL for stream in master.updates.values())
