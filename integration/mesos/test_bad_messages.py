"""What no master should send, or somebody who is not the master sends: a status that says why, or nothing, and the agent
goes on."""

import os
import random
import socket
import time

import pytest

from gantrytest import wire
from gantrytest.libprocess import Node, request
from gantrytest.master import resources


@pytest.fixture(autouse=True)
def goes_on(shared):
    """After each test the same agent runs a task as if nothing had been."""
    before = shared.agent.process.pid
    yield
    end, out, _ = shared.run("afterwards", "echo fine")
    assert (end.state, out) == ("TASK_FINISHED", "fine\n")
    assert shared.agent.process.pid == before
    assert shared.master.count("ReregisterSlaveMessage") == 0


# --- bytes

MESSAGES = ["RunTaskMessage", "RunTaskGroupMessage", "KillTaskMessage", "StatusUpdateAcknowledgementMessage", "ShutdownMessage",
            "ShutdownFrameworkMessage", "ShutdownExecutorMessage", "UpdateFrameworkMessage", "FrameworkToExecutorMessage",
            "CheckpointResourcesMessage", "ApplyOperationMessage", "AcknowledgeOperationStatusMessage", "DrainSlaveMessage",
            "ReconcileOperationsMessage", "SlaveRegisteredMessage", "SlaveReregisteredMessage", "PingSlaveMessage",
            "AuthenticationMechanismsMessage", "AuthenticationStepMessage", "NoSuchMessage"]  # fmt: skip


def _send(shared, name: str, body: bytes) -> None:
    shared.master.send("master", shared.master.agent.upid, f"mesos.internal.{name}", body)


@pytest.mark.parametrize("name", MESSAGES)
def test_no_protobuf(shared, name):
    # A field that promises more bytes than there are, a group that never ends, a varint that never ends, no field.
    for body in (b"\x0a\xff", b"\x0b" * 400, b"\xff" * 40, b"\x00", b"<html>"):
        _send(shared, name, body)


def test_deep_nesting(shared):
    """Container ids have parents, and nobody says how many: here, that of a task to reconcile."""
    body = b""
    # Out of ContainerID.parent, ContainerStatus.container_id, TaskStatus.container_status, and the two lists around.
    for tag in (*[b"\x12"] * 5000, b"\x22", b"\x6a", b"\x12", b"\x12"):
        body = tag + _varint(len(body)) + body
    _send(shared, "SlaveReregisteredMessage", b"\x0a\x05\x0a\x03a-S" + body)


def _varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def test_damaged_launches(shared):
    """A launch with bytes changed, cut out or doubled: whatever still parses is run or refused."""
    chance = random.Random(20261120)
    message = wire.make(
        "RunTaskMessage", {"pid": "@0.0.0.0:0", "launch_executor": True, "task": shared.master.task("victim", "true")}
    )
    message.framework.CopyFrom(shared.master.frameworks[shared.framework])
    whole = message.SerializeToString()
    for _ in range(300):
        body = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(body))
            match chance.randrange(3):
                case 0:
                    body[place] = chance.randrange(256)
                case 1:
                    del body[place : place + chance.randint(1, 8)]
                case 2:
                    body[place:place] = body[place : place + chance.randint(1, 8)]
        _send(shared, "RunTaskMessage", bytes(body))
    shared.run("last", "true")
    shared.agent.wait_until(lambda: not shared.agent.containers(), 30)
    shared.master.violations.clear()  # many of them have the same id


def test_no_message_at_all(shared):
    """Garbage on the port, and a body that ends early."""
    to = shared.master.agent.upid
    for data in (b"\0" * 100, b"POST /slave(1)/mesos.internal.RunTaskMessage HTTP/1.1\r\nLibprocess-From: nobody\r\n\r\n",
                 request(f"master@{shared.master.address}", to.id, "mesos.internal.RunTaskMessage", b"x" * 50, "h")[:-20],
                 b"POST /slave(1) HTTP/1.1\r\nUser-Agent: libprocess/master@1.2.3.4:5\r\n\r\n",
                 b"POST /slave(1)/../x HTTP/1.1\r\nLibprocess-From: a@1.2.3.4:99999\r\n\r\n"):  # fmt: skip
        with socket.create_connection(to.address) as peer:
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
            peer.settimeout(5)
            while peer.recv(4096):
                pass


# --- strangers


@pytest.fixture
def stranger():
    node = Node()
    node.listen()
    yield node
    node.stop()


@pytest.mark.parametrize("id", ["master", "slave(1)", "scheduler-x"])
def test_only_the_master_commands(shared, stranger, id):
    """Of all that a stranger says nothing is done but pings answered; `from` says who it is, truly here."""
    shared.launch("t")
    running = shared.wait_state("t", "TASK_RUNNING")
    agent = shared.master.agent.upid
    framework = {"value": shared.framework}
    run = wire.make("RunTaskMessage", {"task": shared.master.task("foreign", "true")})
    run.framework.CopyFrom(shared.master.frameworks[shared.framework])
    said = {
        "KillTaskMessage": {"framework_id": framework, "task_id": {"value": "t"}},
        "ShutdownFrameworkMessage": {"framework_id": framework},
        "ShutdownMessage": {"message": "go away"},
        "SlaveRegisteredMessage": {"slave_id": {"value": "elsewhere-S0"}},
        "SlaveReregisteredMessage": {"slave_id": {"value": "elsewhere-S0"}},
        "RunTaskMessage": run,
    }
    for name, content in said.items():
        message = content if isinstance(content, wire.Message) else wire.make(name, content)
        stranger.send(id, agent, f"mesos.internal.{name}", message.SerializeToString())
    stranger.send(
        id,
        agent,
        "mesos.internal.PingSlaveMessage",
        wire.make("PingSlaveMessage", {"connected": True}).SerializeToString(),
    )
    stranger.wait(lambda: stranger.messages, "the ping is answered")
    assert [one.name for one in stranger.messages] == ["mesos.internal.PongSlaveMessage"]
    assert shared.states("t")[-1] == "TASK_RUNNING"
    assert not shared.states("foreign")
    shared.kill("t")
    shared.wait_end("t")
    assert running.acknowledged


def test_the_task_of_another_agent(shared):
    shared.launch("t", agent_id={"value": "another-S0"})
    shared.run("u", "true")
    assert not shared.states("t")


def test_a_framework_without_id(shared):
    message = wire.make("RunTaskMessage", {"framework": {"user": "root", "name": "f"}, "task": shared.master.task("t")})
    shared.master.say("RunTaskMessage", message)
    shared.run("u", "true")


# --- tasks that cannot be


def test_an_id_that_is_taken(shared):
    """By a task that runs; the first one goes on."""
    shared.launch("t")
    pid = shared.wait_state("t", "TASK_RUNNING").status.container_status.executor_pid
    shared.launch("t", "true")
    shared.master.wait(lambda: shared.states("t")[-1] == "TASK_DROPPED", "the second one is refused")
    assert shared.master.stream("t", shared.framework)[-1].reason == "TASK_INVALID"
    assert os.path.exists(f"/proc/{pid}")
    shared.kill("t")
    shared.agent.wait_until(lambda: not shared.agent.containers())
    shared.master.violations.clear()  # two tasks of one name told their stories


def test_an_id_that_was_used(shared):
    """The first one has ended: the id is free, once the agent is done with it."""
    shared.run("t", "true")
    shared.agent.wait_until(lambda: not shared.agent.containers())
    time.sleep(0.3)
    shared.launch("t", "true")
    shared.master.wait(lambda: len(shared.states("t")) == 6, "it runs again")
    shared.master.violations.clear()


REFUSED = {
    "no command": ({"command": None}, "command"),
    "an unknown resource": ({"more_resources": resources(unobtainium=3)}, "unobtainium"),
    "more than there is": ({"cpus": 1000}, "cpus"),
    "an id with a slash": ({"id": "../../etc"}, "id"),
    "a negative amount": ({"mem": -5}, "mem"),
    "no number": ({"cpus": "NaN"}, "cpus"),
    "an absent volume": ({"container": {"type": "MESOS", "volumes": [{"container_path": "/mnt", "host_path": "/does/not/exist", "mode": "RW"}]}}, "/does/not/exist"),
    "a volume out of the sandbox": ({"container": {"type": "MESOS", "volumes": [{"container_path": "x", "mode": "RW", "source": {"type": "SANDBOX_PATH", "sandbox_path": {"type": "SELF", "path": "../../.."}}}]}}, ".."),
    "an unknown network": ({"container": {"type": "MESOS", "network_infos": [{"name": "nonet"}]}}, "nonet"),
    "an absent URI": ({"command": {"value": "true", "uris": [{"value": "file:///does/not/exist"}]}}, "/does/not/exist"),
    "a parameter of docker's": ({"container": {"type": "DOCKER", "docker": {"image": "x", "parameters": [{"key": "no-such-flag", "value": "1"}]}}}, "no-such-flag"),
    "a privileged capability": ({"container": {"type": "DOCKER", "docker": {"image": "x", "parameters": [{"key": "cap-add", "value": "NO_SUCH_CAP"}]}}}, "NO_SUCH_CAP"),
}  # fmt: skip


@pytest.mark.parametrize("fields, named", REFUSED.values(), ids=REFUSED.keys())
def test_a_task_that_cannot_be(shared, fields, named):
    fields = dict(fields)
    id = fields.pop("id", "t")
    command = fields.pop("command", "true")
    if isinstance(command, dict):
        fields["command"], command = command, None
    shared.launch(id, command, **fields)
    end = shared.wait_end(id)
    assert end.state in ("TASK_FAILED", "TASK_ERROR"), end.message
    assert named in end.status.message, end.status.message


def test_an_absent_image(shared, registry):
    for kind in ("MESOS", "DOCKER"):
        name = f"{registry.host}/no/such:1"
        image = (
            {"mesos": {"image": {"type": "DOCKER", "docker": {"name": name}}}}
            if kind == "MESOS"
            else {"docker": {"image": name}}
        )
        shared.launch(kind, "true", container={"type": kind, **image})
        end = shared.wait_end(kind)
        assert (end.state, end.reason) == ("TASK_FAILED", "CONTAINER_LAUNCH_FAILED")
        assert "no/such" in end.status.message


def test_an_executor_of_its_own(shared):
    """Not yet ours to run: said so, and the master gets back what the executor was given."""
    before = shared.master.count("ExitedExecutorMessage")
    executor = {
        "executor_id": {"value": "e"},
        "type": "CUSTOM",
        "command": {"value": "true"},
        "framework_id": {"value": shared.framework},
    }
    shared.launch("t", None, executor=executor)
    end = shared.wait_end("t")
    assert end.state in ("TASK_ERROR", "TASK_FAILED", "TASK_DROPPED")
    assert end.status.message
    shared.master.wait(lambda: shared.master.count("ExitedExecutorMessage") == before + 1, "the executor is given up")


def test_a_flood(shared):
    """Far more launches and kills than the agent can be at; each is answered, and other tasks go on."""
    count = 150
    for number in range(count):
        shared.launch(f"t{number}", "true", cpus=0.001, mem=1)
        if number % 3 == 0:
            shared.kill(f"t{number}")
    for number in range(count):
        shared.wait_end(f"t{number}", 60)


def test_a_flood_of_kills_and_pings(shared):
    shared.launch("t", "trap '' TERM; sleep 1000")
    shared.wait_state("t", "TASK_RUNNING")
    for _ in range(500):
        shared.kill("t", grace=100)
        shared.master.ping()
    shared.master.wait_pongs()
    shared.kill("t", grace=0)
    shared.wait_end("t")
    assert shared.states("t") == ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLING", "TASK_KILLED"]
