"""kill -9 on the agent and a new start: containers go on, their logs lose nothing, exits meanwhile are reported."""

import os
import signal
import time

import pytest

from gantrytest.agent import Refused, read_from
from gantrytest.images import free_port
from gantrytest.oci_runtime import wait_until


@pytest.fixture
def own(new_agent, image):
    """An agent of the test's own."""
    return new_agent().start()


def test_a_running_container_goes_on_and_its_log_loses_nothing(own, image):
    ticking = """n=0
        until [ -e "$MESOS_SANDBOX/enough" ]; do echo out $n; echo err $n >&2; n=$((n + 1)); sleep 0.02; done"""
    own.launch("ticking", ticking, image)
    own.wait_for_output("ticking", "out 5\n")
    pid = own.usage("ticking")["container_status"]["executor_pid"]
    before = own.output("ticking").splitlines()
    own.kill()
    time.sleep(0.3)
    own.start()
    assert own.usage("ticking")["container_status"]["executor_pid"] == pid
    (own.sandbox("ticking") / "enough").touch()
    assert own.wait("ticking")["exit_status"] == 0
    out = own.output("ticking").splitlines()
    assert len(out) > len(before)
    assert out == [f"out {n}" for n in range(len(out))]
    assert own.output("ticking", "stderr").splitlines() == [f"err {n}" for n in range(len(out))]
    own.remove("ticking")


def test_the_exit_of_one_that_ended_meanwhile_is_reported(own, image):
    own.launch("ending", "sleep 0.4; echo last words; exit 42", image)
    own.kill()
    time.sleep(1.0)
    own.start()
    ended = own.wait("ending")
    assert os.waitstatus_to_exitcode(ended["exit_status"]) == 42
    assert own.output("ending") == "last words\n"
    own.remove("ending")


def test_an_exit_that_was_reported_before_is_reported_again(own, image):
    own.launch("ended", "exit 7", image)
    assert own.wait("ended")["exit_status"] == 7 << 8
    own.kill()
    own.start()
    assert own.wait("ended")["exit_status"] == 7 << 8
    own.remove("ended")


def test_everything_still_works_on_a_container_of_the_earlier_agent(own, image):
    port = free_port()
    own.launch("kept", image=image, arguments=["/bin/probe", "listen", "8000", "still here"], network="bridge",
               ports=[{"host_port": port, "container_port": 8000}])  # fmt: skip
    own.wait_for_output("kept", "listening")
    address = own.addresses("kept")
    own.kill()
    assert read_from("127.0.0.1", port) == "still here"
    own.start()
    assert own.addresses("kept") == address
    assert read_from("127.0.0.1", port) == "still here"
    assert own.usage("kept")["resource_statistics"]["mem_total_bytes"] > 0
    assert own.cli("exec", "kept", "/bin/echo", "inside").stdout == "inside\n"
    # The port is still known to be taken.
    with pytest.raises(Refused, match=str(port)):
        own.launch("thief", "true", image, network="bridge", ports=[{"host_port": port, "container_port": 1}])
    own.kill_container("kept", signal.SIGKILL)
    assert own.wait("kept")["exit_status"] == 9
    own.remove("kept")


def test_a_stopped_agent_leaves_containers_running(own, image):
    own.launch("staying", "sleep 1000", image)
    pid = own.usage("staying")["container_status"]["executor_pid"]
    assert own.stop() == 0
    assert os.path.exists(f"/proc/{pid}")
    own.start()
    assert own.usage("staying")["container_status"]["executor_pid"] == pid
    own.remove("staying")


def test_launches_that_were_under_way_are_finished_or_undone(own, image):
    for round in range(4):
        from gantrytest.agent import in_thread

        launch = in_thread(lambda: own.launch(f"torn{round}", "sleep 1000", image, network="bridge"))
        time.sleep(0.01 + 0.03 * round)
        own.kill()
        try:
            launch()
        except (OSError, AssertionError, Exception):
            pass
        own.start()
        known = own.containers()
        if f"torn{round}" in known:
            own.remove(f"torn{round}")
        assert own.containers() == []


def test_what_a_dead_agent_left_on_the_host_is_cleaned_up(own, image):
    """The container's first process is killed with the agent away: the next start takes everything down."""
    own.launch("orphan", "sleep 1000", image, network="bridge")
    pid = own.usage("orphan")["container_status"]["executor_pid"]
    own.kill()
    os.kill(pid, signal.SIGKILL)
    own.start()
    assert own.wait("orphan")["exit_status"] == 9
    wait_until(
        lambda: not os.path.exists(own.run / "containers/orphan/rootfs/bin"), "the root file system is unmounted"
    )
    own.remove("orphan")


def test_removed_containers_stay_removed(own, image):
    own.run_container("gone", "true", image)
    own.kill()
    own.start()
    assert own.containers() == []
    with pytest.raises(Refused) as refused:
        own.wait("gone")
    assert refused.value.status == 404
