"""The classic application of Marathon's tutorial, as Marathon makes a task of it and its driver sends it."""

import shutil
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from gantrytest import images
from gantrytest.master import resources

PORT = 31017

# What Marathon's app file says, {"id": "/web", "cmd": "python3 -m http.server 8080", "cpus": 0.5, "mem": 32, "container":
# {"type": "DOCKER", "docker": {"image": "python:3", "network": "BRIDGE", "portMappings": [{"containerPort": 8080,
# "hostPort": 0}]}}}, with the first port of the offer.
ENVIRONMENT = {
    "MARATHON_APP_VERSION": "2026-11-20T10:45:23.342Z",
    "HOST": "127.0.0.1",
    "MARATHON_APP_RESOURCE_CPUS": "0.5",
    "MARATHON_APP_RESOURCE_GPUS": "0",
    "MARATHON_APP_DOCKER_IMAGE": "python:3",
    "PORT_8080": str(PORT),
    "MESOS_TASK_ID": "web.instance-d0e0a8a0-c4f7-11f0-a3e4-0242ac110002._app.1",
    "PORT": str(PORT),
    "MARATHON_APP_RESOURCE_MEM": "32.0",
    "PORTS": str(PORT),
    "MARATHON_APP_RESOURCE_DISK": "0.0",
    "MARATHON_APP_LABELS": "",
    "MARATHON_APP_ID": "/web",
    "PORT0": str(PORT),
}


def marathon_task(agent_id: str) -> dict:
    return {
        "name": "web",
        "task_id": {"value": ENVIRONMENT["MESOS_TASK_ID"]},
        "agent_id": {"value": agent_id},
        "resources": resources(cpus=0.5, mem=32.0, ports=[(PORT, PORT)]),
        "command": {
            "environment": {"variables": [{"name": name, "value": value} for name, value in ENVIRONMENT.items()]},
            "value": "python3 -m http.server 8080",
            "shell": True,
        },
        "container": {
            "type": "DOCKER",
            "docker": {
                "image": "python:3",
                "network": "BRIDGE",
                "port_mappings": [{"host_port": PORT, "container_port": 8080, "protocol": "tcp"}],
                "privileged": False,
                "force_pull_image": False,
            },
        },
        "discovery": {
            "visibility": "FRAMEWORK",
            "name": "web",
            "ports": {
                "ports": [
                    {
                        "number": PORT,
                        "protocol": "tcp",
                        "labels": {"labels": [{"key": "network-scope", "value": "host"}]},
                    }
                ]
            },
        },
    }


@pytest.fixture(scope="module")
def python_image(session, registry) -> None:
    """`python:3` in the registry, of the files of this machine's packages, as scripts/quickstart.sh makes it without a
    mirror."""
    directory = session.temporary("python")
    root = directory / "root"
    for name in ("usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "dev", "proc", "sys", "tmp", "etc", "run"):
        (root / name).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    packages = [
        "python3.11-minimal",
        "libpython3.11-minimal",
        "libpython3.11-stdlib",
        "python3-minimal",
        "libc6",
        "libexpat1",
        "zlib1g",
    ]
    for listed in subprocess.run(
        ["dpkg-query", "-L", *packages], capture_output=True, text=True, check=True
    ).stdout.split("\n"):
        source = Path(listed)
        if not source.is_absolute() or source.is_dir() and not source.is_symlink() or "/share/" in listed:
            continue
        target = root / Path(*[part for part in source.parent.resolve().parts if part != "/"]) / source.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() and not target.is_symlink():
            shutil.copy2(source, target, follow_symlinks=False)
    shutil.copy2("/bin/busybox", root / "usr/bin/sh")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    layout = directory / "layout"
    images.umoci_image(layout, "3", root, env=["PATH=/usr/bin:/bin"], cmd=["python3"])
    for name in ("python:3", "library/python:3"):
        registry.push(layout, "3", name)


def test_the_tutorials_application(new_mesos_agent, master, registry, python_image):
    agent = new_mesos_agent(master.address, f"--docker_registry={registry.host}").start()
    master.wait_registered()
    framework = master.framework(
        "marathon", capabilities=("TASK_KILLING_STATE", "PARTITION_AWARE"), failover_timeout=604800
    )
    task = marathon_task(master.agent.id)
    id = task["task_id"]["value"]
    # The driver of Marathon is a libprocess program, too.
    master.run(task, framework, pid=f"scheduler-7b9c1f0e-1c1c-4b9a-9f0e-6b0f3a9e4a11@{master.address}")
    running = master.wait_state(id, "TASK_RUNNING", framework, 60)
    address = running.status.container_status.network_infos[0].ip_addresses[0].ip_address
    assert address.startswith(agent.subnet_prefix)

    def served() -> bytes:
        deadline = time.monotonic() + 15
        while True:
            try:
                return urllib.request.urlopen(f"http://127.0.0.1:{PORT}/", timeout=2).read()
            except OSError:
                assert time.monotonic() < deadline, (agent.task_sandbox(id) / "stderr").read_text()
                time.sleep(0.1)

    assert b"Directory listing for /" in served()
    (listed,) = [one for one in agent.get_json("/state")["frameworks"][0]["executors"]]
    assert listed["tasks"][0]["discovery"]["ports"]["ports"][0]["number"] == PORT
    master.kill(id, framework, grace=3)
    end = master.wait_end(id, framework)
    assert end.state == "TASK_KILLED"
    with pytest.raises(OSError):
        urllib.request.urlopen(f"http://127.0.0.1:{PORT}/", timeout=2)
