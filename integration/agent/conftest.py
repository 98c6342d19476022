"""The agent that most of the agent tests share."""

import pytest

from gantrytest.agent import Agent


@pytest.fixture(scope="session")
def agent(session, watched):
    """The agent that most tests share; each test leaves it as it was."""
    made = Agent(session)
    watched.watch(made)
    made.start()
    yield made
    made.close()
    watched.forget(made)


@pytest.fixture(autouse=True)
def no_container_left(agent, leak_check):
    """A test removes its containers; those of a failed one are removed here, so that it fails alone."""
    yield
    left = agent.remove_all()
    assert not left, f"the agent still knows {left}"


@pytest.fixture(scope="session", autouse=True)
def pulled(agent, image):
    """What the first container of an agent makes, for all that follow, is there before the first leak check looks: the
    image's layers, and the links with which plug-ins find iptables."""
    agent.run_container("first", image=image, network="bridge")
