"""Masters, and agents of theirs."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from gantrytest.agent import Agent, MesosAgent, settle
from gantrytest.master import Master, Update

# What every agent of these tests has to offer, so that no test depends on the machine.
RESOURCES = "--resources=cpus:8;mem:16384;disk:40960;ports:[31000-32000]"
# As fast as the flags allow: a test does not wait for another agent's sake.
HASTE = ("--registration_backoff_factor=50ms", "--authentication_backoff_factor=50ms")


def _honest(masters: list[Master]) -> None:
    """None of them heard what a real one would drop or die of."""
    violations = [violation for master in masters for violation in master.violations]
    for master in masters:
        master.violations.clear()
    assert not violations, "\n".join(violations)


@pytest.fixture
def new_master():
    """Makes masters of the test's own."""
    made: list[Master] = []

    def make(*words, **options) -> Master:
        made.append(Master(*words, **options))
        return made[-1]

    yield make
    for master in made:
        master.stop()
    _honest(made)


@pytest.fixture
def master(new_master) -> Master:
    return new_master()


def _make(session, watched, where: str, *flags: str, **options) -> MesosAgent:
    agent = MesosAgent(session, f"--master={where}", "--hostname=127.0.0.1", RESOURCES, *HASTE, **options)
    agent.configure(*flags)
    watched.watch(agent)
    return agent


def _settle(agent: MesosAgent) -> None:
    """Until it knows that it is registered, and no second registration is on its way, which would have the master link anew."""
    agent.wait_until(lambda: " registered " in agent.log.read_text())
    settle(0.1)


def _close(watched, agent: MesosAgent) -> None:
    try:
        agent.close()
    finally:
        watched.forget(agent)


@pytest.fixture
def new_mesos_agent(session, watched, leak_check, new_master):
    """Makes agents that look for a master at `where`, without starting them."""
    made: list[MesosAgent] = []

    def make(where: str, *flags: str, **options) -> MesosAgent:
        made.append(_make(session, watched, where, *flags, **options))
        return made[-1]

    yield make
    for agent in made:
        _close(watched, agent)


@pytest.fixture
def mesos_agent(new_mesos_agent, master) -> MesosAgent:
    """One of the test's own, registered with `master`."""
    agent = new_mesos_agent(master.address).start()
    master.wait_registered()
    _settle(agent)
    return agent


@dataclass
class Shared:
    """A master and its agent, for tests that leave them as they were. Every test has a framework of its own."""

    master: Master
    agent: MesosAgent
    framework: str = ""

    def launch(self, id: str, command: str | None = "sleep 1000", /, **fields) -> None:
        self.master.launch(id, command, self.framework, **fields)

    def kill(self, id: str, grace: float | None = None) -> None:
        self.master.kill(id, self.framework, grace)

    def wait_state(self, id: str, state: str, patience: float = 15) -> Update:
        return self.master.wait_state(id, state, self.framework, patience)

    def wait_end(self, id: str, patience: float = 15) -> Update:
        return self.master.wait_end(id, self.framework, patience)

    def states(self, id: str) -> list[str]:
        return self.master.states(id, self.framework)

    def run(self, id: str, command: str | None = None, /, **fields) -> tuple[Update, str, str]:
        """Launches a task and waits for its end: that update, and what it wrote to its two streams."""
        self.launch(id, command, **fields)
        end = self.wait_end(id)
        return end, self.output(id), self.output(id, "stderr")

    def wait_ready(self, id: str) -> None:
        """Until a task that says so is ready."""
        self.wait_state(id, "TASK_RUNNING")
        self.agent.wait_until(lambda: "ready" in self.output(id))

    def output(self, id: str, stream: str = "stdout") -> str:
        return (self.sandbox(id) / stream).read_text()

    def sandbox(self, id: str) -> Path:
        (found,) = self.agent.work.glob(f"slaves/*-S*/frameworks/{self.framework}/executors/{id}/runs/latest")
        return found.resolve()


@pytest.fixture(scope="session")
def shared_pair(session, watched, first_container):
    master = Master(ping_interval=5)
    agent = _make(session, watched, master.address, "--attributes=rack:r1")
    agent.start()
    master.wait_registered()
    _settle(agent)
    pair = Shared(master, agent, master.framework())
    pair.run("first", "true")  # what it makes once stays
    yield pair
    _close(watched, agent)
    master.stop()


@pytest.fixture
def shared(shared_pair, leak_check):
    """The shared ones, with a framework that is torn down after the test."""
    pair = Shared(shared_pair.master, shared_pair.agent, shared_pair.master.framework())
    yield pair
    pair.master.shutdown_framework(pair.framework)
    assert pair.agent.process.poll() is None, "the shared agent ended"
    _honest([pair.master])


@pytest.fixture(scope="session", autouse=True)
def first_container(session, watched, image):
    """What the first container of all makes on the host is there before the first leak check looks."""
    agent = Agent(session)
    watched.watch(agent)
    agent.start()
    agent.run_container("first", image=image, network="bridge")
    agent.close()
    watched.forget(agent)
