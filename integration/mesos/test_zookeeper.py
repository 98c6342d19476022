"""The leading master is found by ZooKeeper, a real one: reference libprocess 8."""

import signal
import time

import pytest
from kazoo.security import make_digest_acl

from gantrytest.master import Master
from gantrytest.zookeeper import ZooKeeper

TIMEOUT = "--zk_session_timeout=1secs"


@pytest.fixture(scope="module")
def zookeeper(session):
    made = ZooKeeper(session.temporary("zookeeper"))
    yield made
    made.stop()


@pytest.fixture
def own_zookeeper(directory, leak_check):
    """One that may be stopped."""
    made = ZooKeeper(directory)
    yield made
    made.stop()


@pytest.fixture
def path(request):
    """A place of the test's own."""
    return f"/{request.node.name.replace('[', '-').replace(']', '')}"


def _moves(master: Master, patience: float = 15) -> None:
    """The agent comes to this master, whether it was here before or not."""
    before = master.count("ReregisterSlaveMessage") + master.count("RegisterSlaveMessage")
    master.wait(
        lambda: master.count("ReregisterSlaveMessage") + master.count("RegisterSlaveMessage") > before,
        "the agent registers",
        patience,
    )


def test_the_leader_changes(zookeeper, path, new_mesos_agent, new_master):
    first, second = new_master(), new_master()
    one, _ = zookeeper.enter(path, first), zookeeper.enter(path, second)
    agent = new_mesos_agent(f"zk://{zookeeper.address}{path}", TIMEOUT).start()
    id = first.wait_registered().id
    first.launch("t")
    first.wait_state("t", "TASK_RUNNING")
    # The first one is slow to notice that it leads no more: nobody listens to it.
    zookeeper.leave(one)
    assert second.wait_registered().id == id
    assert [task.task_id.value for task in second.last("ReregisterSlaveMessage").tasks] == ["t"]
    first.kill("t")
    second.kill("t", first.default_framework)
    second.wait_end("t", first.default_framework)
    assert first.states("t") == ["TASK_STARTING", "TASK_RUNNING"]
    assert agent.process.poll() is None


def test_no_leader_for_a_while(zookeeper, path, new_mesos_agent, new_master):
    """The path is there only when the first master comes; the agent makes it itself."""
    agent = new_mesos_agent(f"zk://{zookeeper.address}{path}/deep/er", TIMEOUT).start()
    agent.wait_until(lambda: zookeeper.exists(f"{path}/deep/er"))
    master = new_master()
    node = zookeeper.enter(f"{path}/deep/er", master)
    master.wait_registered()
    zookeeper.leave(node)
    master.launch("t")
    time.sleep(0.3)
    zookeeper.enter(f"{path}/deep/er", master)
    _moves(master)


def test_the_server_is_restarted(own_zookeeper, path, new_mesos_agent, new_master):
    """Tasks and the master's link do not mind; afterwards changes are noticed as before."""
    first, second = new_master(ping_interval=1), new_master()
    zookeeper = own_zookeeper
    one = zookeeper.enter(path, first)
    agent = new_mesos_agent(f"zk://{zookeeper.address}{path}", TIMEOUT).start()
    first.wait_registered()
    first.launch("t")
    first.wait_state("t", "TASK_RUNNING")
    zookeeper.kill()
    time.sleep(2)
    assert agent.process.poll() is None
    zookeeper.start()
    zookeeper.enter(path, second)
    zookeeper.leave(one)
    second.wait_registered(30)
    second.kill("t", first.default_framework)
    second.wait_end("t", first.default_framework)


def test_the_session_expires(zookeeper, path, new_mesos_agent, new_master):
    """The agent is stopped for longer than its session lasts, and the leader changes meanwhile."""
    first, second = new_master(), new_master()
    one = zookeeper.enter(path, first)
    agent = new_mesos_agent(f"zk://{zookeeper.address}{path}", TIMEOUT).start()
    first.wait_registered()
    agent.process.send_signal(signal.SIGSTOP)
    try:
        time.sleep(2.5)
        zookeeper.enter(path, second)
        zookeeper.leave(one)
    finally:
        agent.process.send_signal(signal.SIGCONT)
    second.wait_registered(20)


def test_a_server_that_hangs(zookeeper, path, new_mesos_agent, new_master):
    first, second = new_master(), new_master()
    one = zookeeper.enter(path, first)
    agent = new_mesos_agent(f"zk://{zookeeper.address}{path}", TIMEOUT).start()
    first.wait_registered()
    zookeeper.pause()
    try:
        time.sleep(2)
        assert agent.get("/health")[0] == 200
    finally:
        zookeeper.resume()
    zookeeper.enter(path, second)
    zookeeper.leave(one)
    second.wait_registered(30)


def test_other_children(zookeeper, path, new_mesos_agent, master):
    """Only what has a label of a master's and a number counts."""
    for name in ("log_replicas", "json.info_", "json.info_12x", "lock", "nothing_", "-0000000001"):
        zookeeper.put(f"{path}/{name}", b"garbage", sequence=False)
    zookeeper.enter(path, master)
    new_mesos_agent(f"zk://{zookeeper.address}{path}", TIMEOUT).start()
    master.wait_registered()


def test_a_leader_that_was_there_before(zookeeper, path, new_mesos_agent, new_master):
    """Numbers decide, not the order of the children."""
    first, second = new_master(), new_master()
    nodes = [zookeeper.enter(path, first), zookeeper.enter(path, second)]
    assert nodes == sorted(nodes)
    new_mesos_agent(f"zk://{zookeeper.address}{path}", TIMEOUT).start()
    first.wait_registered()
    assert not second.messages


@pytest.mark.parametrize("data", [b"{not json", b"", b"{}", b'{"pid": "nobody"}', b"\xff" * 2000], ids=len)
def test_a_leader_that_says_nothing(zookeeper, path, new_mesos_agent, master, data):
    """Its znode is none of a master: there is no leader, the log says why, and the agent waits for another one."""
    garbage = zookeeper.put(f"{path}/json.info_", data)
    zookeeper.enter(path, master)
    agent = new_mesos_agent(f"zk://{zookeeper.address}{path}", TIMEOUT).start()
    agent.wait_until(lambda: garbage.rpartition("/")[2] in agent.log.read_text())
    assert not master.messages
    zookeeper.leave(garbage)
    master.wait_registered()


def test_credentials(zookeeper, path, new_mesos_agent, new_master):
    """A path that only those who know the password may read."""
    acl = [make_digest_acl("us", "pass@word", all=True)]
    master = new_master()
    zookeeper.put(path, b"", sequence=False)
    node = zookeeper.enter(path, master)
    with zookeeper.client() as client:
        for place in (node, path):
            client.set_acls(place, acl)
    new_mesos_agent(f"zk://us:pass@word@{zookeeper.address}{path}", TIMEOUT).start()
    master.wait_registered()


def test_the_address_is_in_a_file(zookeeper, path, new_mesos_agent, master, directory):
    """One server of the two that it names is there."""
    (directory / "master").write_text(f"zk://127.0.0.1:1,{zookeeper.address}{path}\n")
    zookeeper.enter(path, master)
    new_mesos_agent(f"file://{directory}/master", TIMEOUT).start()
    master.wait_registered(30)
