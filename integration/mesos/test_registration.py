"""How an agent finds its master, registers, and comes back: reference libprocess 4 and 9, master-agent 7.1 to 7.3."""

import socket

import pytest

from gantrytest import wire
from gantrytest.agent import settle
from gantrytest.images import free_port
from gantrytest.libprocess import Node, request


def _steady(node: Node, look, seconds: float = 0.6):
    """What `look` gives after a while, for what must not happen."""
    with pytest.raises(AssertionError):
        node.wait(lambda: False, "nothing", seconds)
    return look()


def test_what_is_registered(mesos_agent, master):
    agent = master.agent
    info = agent.info
    assert str(agent.upid) == f"slave(1)@127.0.0.1:{mesos_agent.port}"
    assert (info.hostname, info.port, info.checkpoint) == ("127.0.0.1", mesos_agent.port, True)
    assert [one.name for one in info.resources] == ["cpus", "mem", "disk", "ports"]
    assert not any(one.HasField("allocation_info") or one.reservations for one in info.resources)
    assert [int(part) for part in agent.version.split(".")[:2]] >= [1, 0]
    assert {"MULTI_ROLE", "HIERARCHICAL_ROLE", "RESERVATION_REFINEMENT"} <= agent.capabilities
    master.wait_pongs()
    assert master.answers(agent.upid.address) == b"", "messages are not answered"
    assert len({message.connection for message in master.messages}) == 1, "one connection carries all messages"


def test_attributes_and_roles(new_mesos_agent, master):
    flags = [
        "--attributes=rack:r1;zone:z9;num:3;span:[1-4]",
        "--default_role=web",
        "--resources=cpus:2;mem(db):64;disk:10;ports:[1-2]",
    ]
    new_mesos_agent(
        master.address, *flags, '--domain={"fault_domain":{"region":{"name":"r"},"zone":{"name":"z"}}}'
    ).start()
    info = master.wait_registered().info
    assert {one.name: one.text.value for one in info.attributes if one.HasField("text")} == {"rack": "r1", "zone": "z9"}
    assert next(one.scalar.value for one in info.attributes if one.name == "num") == 3
    assert {one.name: one.role for one in info.resources} == {"cpus": "web", "mem": "db", "disk": "web", "ports": "web"}
    assert info.domain.fault_domain.region.name == "r"


def test_a_master_that_comes_late(new_mesos_agent, new_master):
    port = free_port()
    new_mesos_agent(f"127.0.0.1:{port}").start()
    new_master(port).wait_registered()


def test_a_registration_that_is_lost_is_tried_again(new_mesos_agent, master):
    master.registers = False
    new_mesos_agent(master.address).start()
    master.wait(lambda: master.count("RegisterSlaveMessage") >= 3, "the agent tries again")
    master.registers = True
    master.wait_registered()
    before = master.count("RegisterSlaveMessage")
    assert _steady(master, lambda: master.count("RegisterSlaveMessage")) == before, "it goes on trying when registered"


def test_told_twice(mesos_agent, master):
    content = {"slave_id": {"value": master.agent.id}, "connection": {"total_ping_timeout_seconds": 75}}
    master.say("SlaveRegisteredMessage", content)
    master.ping()
    master.wait_pongs()


def test_another_id_ends_the_agent(mesos_agent, master):
    master.say("SlaveRegisteredMessage", {"slave_id": {"value": "somebody-S7"}})
    assert mesos_agent.wait_exit() != 0


def test_disconnected_says_the_ping(mesos_agent, master):
    """The master believes that the link broke, so that the agent registers again, under its id."""
    id = master.agent.id
    master.say("PingSlaveMessage", {"connected": False}, "slave-observer(1)")
    master.wait(lambda: master.count("ReregisterSlaveMessage") == 1, "the agent registers again")
    assert master.last("ReregisterSlaveMessage").slave.id.value == id
    assert master.count("RegisterSlaveMessage") == 1


def test_no_pings(new_mesos_agent, new_master):
    """A master that is silent for longer than it said is looked for again."""
    master = new_master(total_ping_timeout=2)
    new_mesos_agent(master.address).start()
    master.wait_registered()
    master.wait(lambda: master.count("ReregisterSlaveMessage"), "the agent registers again", 10)


def test_the_same_after_a_restart(mesos_agent, master):
    first = master.agent
    settle(0.3)  # for the agent to keep its id
    mesos_agent.kill()
    master.wait(lambda: not first.connected, "the link breaks")
    mesos_agent.start()
    again = master.wait_registered()
    assert again.id == first.id
    info = wire.make("AgentInfo")
    info.CopyFrom(again.info)
    info.ClearField("id")
    assert info.SerializeToString(deterministic=True) == first.info.SerializeToString(deterministic=True)


def test_a_master_that_fails_over(mesos_agent, new_master, master):
    """Another process at the same address, which knows nothing: the agent brings its tasks along."""
    master.launch("t", "sleep 1000")
    master.wait_state("t", "TASK_RUNNING")
    master.total_ping_timeout = 2
    master.say("PingSlaveMessage", {"connected": False}, "slave-observer(1)")
    master.wait(lambda: master.count("ReregisterSlaveMessage") == 1, "the agent takes the shorter timeout")
    framework, id, port = master.default_framework, master.agent.id, master.port
    master.stop()
    second = new_master(port, ping_interval=0.5)
    assert second.wait_registered().id == id
    told = second.last("ReregisterSlaveMessage")
    assert [one.id.value for one in told.frameworks] == [framework]
    (task,) = told.tasks
    assert (task.task_id.value, wire_state(task)) == ("t", "TASK_RUNNING")
    second.kill("t", framework)
    assert second.wait_end("t", framework).state == "TASK_KILLED"


def wire_state(task) -> str:
    return task.DESCRIPTOR.fields_by_name["state"].enum_type.values_by_number[task.state].name


def test_a_gone_agent_is_shut_down(mesos_agent, master):
    master.launch("t", "sleep 1000")
    master.wait_state("t", "TASK_RUNNING")
    master.gone[master.agent.id] = "Agent has been marked gone"
    master.say("PingSlaveMessage", {"connected": False}, "slave-observer(1)")
    assert mesos_agent.wait_exit() == 0


def test_leaving(mesos_agent, master):
    master.launch("t", "sleep 1000")
    master.wait_state("t", "TASK_RUNNING")
    assert mesos_agent.leave() == 0
    master.wait(lambda: not master.agents, "the agent unregisters")


def test_the_master_is_named_in_a_file(new_mesos_agent, master, directory):
    (directory / "master").write_text(f"{master.address}\n")
    new_mesos_agent(f"file://{directory}/master").start()
    master.wait_registered()


# --- authentication


def _credential(directory, content: str) -> str:
    file = directory / "credential"
    file.write_text(content)
    file.chmod(0o600)
    return f"--credential={file}"


def test_authenticates_again_after_each_break(new_mesos_agent, new_master, directory):
    master = new_master(credentials={"agent one": "s3 cret"})
    agent = new_mesos_agent(
        master.address, _credential(directory, '{"principal": "agent one", "secret": "s3 cret"}')
    ).start()
    agent.wait_until(lambda: " registered " in agent.log.read_text())
    settle(0.3)
    agent.kill()
    agent.start()
    master.wait(lambda: master.count("ReregisterSlaveMessage") == 1, "the agent registers again")
    assert master.count("AuthenticateMessage") == 2


def test_an_authentication_error_is_tried_again(new_mesos_agent, master, directory):
    """A master that has no authenticator, until it has one."""
    new_mesos_agent(master.address, _credential(directory, '{"principal": "p", "secret": "s"}')).start()
    master.wait(lambda: master.count("AuthenticateMessage") >= 2, "the agent tries again")
    master.credentials = {"p": "s"}
    master.wait_registered()


# --- the wire


def test_messages_in_every_form(mesos_agent, master):
    """Escaped ids, drips, pipelines, lengths instead of chunks, several chunks: all are pings."""
    to = master.agent.upid
    sender = f"slave-observer(1)@{master.address}"
    whole = request(sender, to.id, "mesos.internal.PingSlaveMessage", b"\x08\x01", f"{to.ip}:{to.port}")
    head = whole.partition(b"Transfer-Encoding")[0]
    forms = [
        whole.replace(b"slave(1)/", b"slave%281%29/"),
        head + b"Content-Length: 2\r\n\r\n\x08\x01",
        head + b"transfer-encoding: chunked\r\n\r\n1\r\n\x08\r\n1\r\n\x01\r\n0\r\n\r\n",
        b"".join(line for line in whole.splitlines(keepends=True) if not line.startswith(b"User-Agent")),
        b"".join(line for line in whole.splitlines(keepends=True) if not line.startswith(b"Libprocess-From")),
        whole * 20,
    ]
    master.wait_pongs()
    pongs = master.agent.pongs
    with socket.create_connection(to.address) as peer:
        for form in forms:
            peer.sendall(form)
        for byte in whole:
            peer.sendall(bytes([byte]))
        master.wait(lambda: master.agent.pongs >= pongs + 26, "every ping is answered", 5)
        # Only the one without User-Agent is answered.
        peer.settimeout(1)
        assert peer.recv(65536).split(b"\r\n")[0] == b"HTTP/1.1 202 Accepted"


def test_nobody_is_there(mesos_agent, master):
    """A message to a process that does not exist, from a peer that reads answers."""
    with socket.create_connection(("127.0.0.1", mesos_agent.port)) as peer:
        peer.sendall(
            b"POST /slave(2)/mesos.internal.PingSlaveMessage HTTP/1.1\r\nLibprocess-From: x@127.0.0.1:1\r\n\r\n"
        )
        peer.settimeout(5)
        assert peer.recv(4096).startswith(b"HTTP/1.1 404 ")
