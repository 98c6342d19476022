"""An agent, images and a registry for the agent tests."""

import subprocess

import pytest

from gantrytest import images
from gantrytest.agent import Agent


def _watch(watched, agent: Agent) -> None:
    watched.directories.update(agent.run / name for name in ("containers", "netns", "runtime", "cni"))
    watched.directories.add(agent.work / "containers")
    watched.subnets.add(agent.subnet_prefix)
    watched.allocations.add(agent.run / "cni")


def _unwatch(watched, agent: Agent) -> None:
    watched.directories.difference_update(agent.run / name for name in ("containers", "netns", "runtime", "cni"))
    watched.directories.discard(agent.work / "containers")
    watched.subnets.discard(agent.subnet_prefix)
    watched.allocations.discard(agent.run / "cni")


@pytest.fixture(scope="session")
def agent(session, watched):
    """The agent that most tests share; each test leaves it as it was."""
    made = Agent(session)
    _watch(watched, made)
    made.start()
    yield made
    made.close()
    _unwatch(watched, made)


@pytest.fixture(autouse=True)
def no_container_left(agent, leak_check):
    """A test removes its containers; those of a failed one are removed here, so that it fails alone."""
    yield
    left = agent.remove_all()
    assert not left, f"the agent still knows {left}"


@pytest.fixture
def new_agent(session, watched, leak_check):
    """Makes agents for tests that stop or configure one."""
    made = []

    def make(*flags: str, **options) -> Agent:
        agent = Agent(session, *flags, **options)
        _watch(watched, agent)
        made.append(agent)
        return agent

    yield make
    for agent in made:
        try:
            agent.close()
        finally:
            _unwatch(watched, agent)


@pytest.fixture(scope="session")
def registry(session):
    made = images.Registry(session.temporary("registry"))
    yield made
    made.stop()


@pytest.fixture(scope="session")
def layout(session, rootfs_maker):
    """An OCI layout with the tag `small`: busybox and the probe, made with umoci."""
    directory = session.temporary("images")
    rootfs = rootfs_maker.make(directory / "rootfs")
    path = directory / "layout"
    images.umoci_image(path, "small", rootfs, env=["PATH=/bin", "FROM_IMAGE=yes"], cmd=["/bin/echo", "from the image"])
    return path


@pytest.fixture(scope="session")
def image(registry, layout) -> str:
    """The small image's reference in the registry."""
    return registry.push(layout, "small", "test/small:1")


@pytest.fixture(scope="session", autouse=True)
def pulled(agent, image):
    """What the first container of an agent makes, for all that follow, is there before the first leak check looks: the
    image's layers, and the links with which plug-ins find iptables."""
    agent.run_container("first", image=image, network="bridge")


@pytest.fixture
def hand_made(directory) -> images.Layout:
    return images.Layout(directory / "layout")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows the agents' logs with a failure."""
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    agents = [value for value in getattr(item, "funcargs", {}).values() if isinstance(value, Agent)]
    for agent in agents:
        if agent.log.exists():
            tail = subprocess.run(["tail", "-n", "25", agent.log], capture_output=True, text=True).stdout
            report.sections.append((f"log of the agent on port {agent.port}", tail))
