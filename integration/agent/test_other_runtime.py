"""--runtime=<path>: everything the agent wants of a container is in the bundle, so another OCI runtime will do."""

import json
import shutil

import pytest

from gantrytest.agent import read_from
from gantrytest.images import free_port


@pytest.fixture
def runc_agent(new_agent, image):
    path = shutil.which("runc") or "/usr/sbin/runc"
    return new_agent(f"--runtime={path}").start()


def test_containers_run_under_runc(runc_agent, image):
    assert runc_agent.run_container("hello", "echo from runc; exit 3", image)[:2] == (3, "from runc\n")
    status, out, _ = runc_agent.run_container("facts", "/bin/probe facts", image)
    assert json.loads(out)["status"]["Seccomp"] == "2"


def test_network_exec_and_restart_under_runc(runc_agent, image):
    port = free_port()
    runc_agent.launch("server", image=image, arguments=["/bin/probe", "listen", "8000", "runc"], network="bridge",
                      ports=[{"host_port": port, "container_port": 8000}])  # fmt: skip
    runc_agent.wait_for_output("server", "listening")
    assert read_from("127.0.0.1", port) == "runc"
    assert runc_agent.cli("exec", "server", "/bin/echo", "inside").stdout == "inside\n"
    runc_agent.kill()
    runc_agent.start()
    assert read_from("127.0.0.1", port) == "runc"
    runc_agent.remove("server")


def test_a_runtime_that_is_not_there_is_named(new_agent):
    agent = new_agent("--runtime=/absent/runtime")
    with pytest.raises(AssertionError, match="/absent/runtime"):
        agent.start()
