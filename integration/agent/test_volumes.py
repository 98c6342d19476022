"""Volumes: host paths and paths of the sandbox."""

import json
import os

import pytest


def test_a_host_path(agent, image, directory):
    (directory / "given").write_text("from the host")
    volume = {"container_path": "/data", "host_path": str(directory), "mode": "RW"}
    assert agent.run_container("volume", "cat /data/given; echo back > /data/made", image, volumes=[volume])[:2] == (
        0,
        "from the host",
    )
    assert (directory / "made").read_text() == "back\n"


def test_a_read_only_host_path(agent, image, directory):
    volume = {"container_path": "/data", "host_path": str(directory), "mode": "RO"}
    status, out, _ = agent.run_container(
        "volume", image=image, arguments=["/bin/probe", "write", "/data/x", "y"], volumes=[volume]
    )
    assert json.loads(out) == {"ok": False, "errno": "EROFS"}
    assert not (directory / "x").exists()


def test_the_newer_spelling_of_a_host_path(agent, image, directory):
    (directory / "given").write_text("x")
    volume = {
        "container_path": "/data",
        "mode": "RW",
        "source": {"type": "HOST_PATH", "host_path": {"path": str(directory)}},
    }
    assert agent.run_container("volume", "cat /data/given", image, volumes=[volume])[:2] == (0, "x")


def test_a_path_of_the_sandbox(agent, image):
    source = {"type": "SANDBOX_PATH", "sandbox_path": {"type": "SELF", "path": "kept"}}
    volume = {"container_path": "/data", "mode": "RW", "source": source}
    agent.launch("sandboxed", "echo x > /data/file", image, volumes=[volume])
    agent.wait("sandboxed")
    assert (agent.sandbox("sandboxed") / "kept/file").read_text() == "x\n"
    agent.remove("sandboxed")


def test_a_relative_container_path_is_in_the_sandbox(agent, image, directory):
    (directory / "given").write_text("x")
    volume = {"container_path": "inner", "host_path": str(directory), "mode": "RW"}
    assert agent.run_container("relative", "cat $MESOS_SANDBOX/inner/given", image, volumes=[volume])[:2] == (0, "x")


def test_a_single_file(agent, image, directory):
    (directory / "file").write_text("one file")
    volume = {"container_path": "/etc/one", "host_path": str(directory / "file"), "mode": "RO"}
    assert agent.run_container("file", "cat /etc/one", image, volumes=[volume])[:2] == (0, "one file")


def test_volumes_do_not_follow_links_of_the_image_outside(agent, hand_made, rootfs_maker, directory, session):
    from gantrytest.images import link

    canary = directory / "canary"
    canary.mkdir()
    rootfs = rootfs_maker.make(directory / "rootfs")
    base = hand_made.layer(
        ("bin/busybox", (rootfs / "bin/busybox").read_bytes()),
        link("bin/sh", "busybox"),
        link("bin/touch", "busybox"),
        link("way", str(canary)),
    )
    hand_made.image("linked", [base], {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]})
    (directory / "source").mkdir()
    volume = {"container_path": "/way/data", "host_path": str(directory / "source"), "mode": "RW"}
    try:
        agent.run_container("linked", "touch /way/data/file", hand_made.reference("linked"), volumes=[volume])
    except AssertionError:
        pass
    assert os.listdir(canary) == []


@pytest.mark.parametrize("path", ["/data", "/deep/below/data"])
def test_targets_that_are_missing_are_made(agent, image, directory, path):
    volume = {"container_path": path, "host_path": str(directory), "mode": "RW"}
    assert agent.run_container("made", f"ls -d {path}", image, volumes=[volume])[:2] == (0, f"{path}\n")
