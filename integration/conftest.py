"""Fixtures of all integration tests, the check that each test leaves nothing behind, and the limit of each one's time."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from gantrytest import images, leaks, processes  # noqa: E402
from gantrytest.agent import Agent  # noqa: E402
from gantrytest.bundle import Bundle, Rootfs, default_spec  # noqa: E402
from gantrytest.session import Session  # noqa: E402

# Seconds for each of a test's set-up, call and end; the slowest takes 30 in the guest on a machine with eight users.
# Shortly before, pytest's faulthandler_timeout shows where every thread stands.
TIME_LIMIT = 150


class TookTooLong(Exception):
    """Where a test hung is the traceback; its processes are in the text."""


@contextlib.contextmanager
def _time_limit(item):
    def give_up(*_):
        made = item.funcargs.get("session")
        seen = "".join(f"\n  {processes.standing(pid)}" for pid in sorted(processes.of_session(made))) if made else ""
        raise TookTooLong(f"the test hangs for {limit} s; its processes:{seen}")

    longer = item.get_closest_marker("time_limit")
    limit = longer.args[0] if longer else TIME_LIMIT
    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(limit)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_setup(item):
    with _time_limit(item):
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    with _time_limit(item):
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown(item):
    with _time_limit(item):
        yield


@pytest.fixture(scope="session")
def session():
    if os.geteuid() != 0:
        pytest.exit("the integration tests need root", returncode=2)
    made = Session()
    yield made
    leaks.sweep(made)
    made.close()


@pytest.fixture(scope="session")
def watched() -> leaks.Watched:
    return leaks.Watched()


@pytest.fixture(autouse=True)
def leak_check(session, watched, request):
    """Fails the test that leaves something on the host, naming it."""
    before = leaks.snapshot(session, watched)
    keep = leaks.processes.of_session(session)
    yield
    left = leaks.new_since(before, session, watched)
    if left:
        leaks.sweep(session, keep)
        pytest.fail("left behind:\n  " + "\n  ".join(left), pytrace=False)


@pytest.fixture(scope="session")
def rootfs_maker(session) -> Rootfs:
    return Rootfs(session)


@pytest.fixture
def directory(session, request) -> Path:
    """A directory of the test's own."""
    return session.temporary("t")


@pytest.fixture
def new_bundle(session, rootfs_maker, directory):
    """Makes bundles: busybox and the probe under the default configuration."""
    count = 0

    def make() -> Bundle:
        nonlocal count
        count += 1
        path = directory / f"b{count}"
        path.mkdir()
        rootfs_maker.make(path / "rootfs")
        return Bundle(path, default_spec(f"/{session.cgroups_root}/{directory.name.replace('.', '-')}-{count}"))

    return make


@pytest.fixture
def bundle(new_bundle) -> Bundle:
    return new_bundle()


@pytest.fixture
def new_agent(session, watched, leak_check):
    """Makes agents for tests that stop or configure one."""
    made = []

    def make(*flags: str, **options) -> Agent:
        agent = Agent(session, *flags, **options)
        watched.watch(agent)
        made.append(agent)
        return agent

    yield make
    for agent in made:
        try:
            agent.close()
        finally:
            watched.forget(agent)


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
