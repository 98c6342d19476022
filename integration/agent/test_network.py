"""Network modes: host, none, and the CNI bridge with an address per container and mapped host ports."""

import json
import os
import subprocess

import pytest

from gantrytest.agent import read_from
from gantrytest.images import free_port
from gantrytest.oci_runtime import wait_until


def serve(agent, id, image, text, *, ports=None, network="bridge", port=8000, **options):
    agent.launch(
        id, image=image, arguments=["/bin/probe", "listen", str(port), text], network=network, ports=ports, **options
    )
    agent.wait_for_output(id, "listening")


def probe(agent, id, image, *words, **options):
    status, out, err = agent.run_container(id, image=image, arguments=["/bin/probe", *words], **options)
    assert status == 0, err
    return json.loads(out)


def test_host_is_the_hosts_namespace(agent, image):
    found = probe(agent, "host", image, "facts", network="host")
    assert found["namespaces"]["net"] == os.stat("/proc/self/ns/net").st_ino


def test_none_has_loopback_only(agent, image):
    status, out, _ = agent.run_container("none", "ip -o address; ping -c1 -W1 127.0.0.1", image, network="none")
    assert status == 0
    assert "127.0.0.1" in out and "eth0" not in out


def test_each_container_on_the_bridge_has_an_address_of_its_own(agent, image):
    for id in ("left", "right"):
        agent.launch(id, "sleep 1000", image, network="bridge")
    try:
        left, right = agent.addresses("left"), agent.addresses("right")
        assert len(left) == len(right) == 1 and left != right
        assert left[0].startswith(agent.subnet_prefix)
    finally:
        agent.remove("left")
        agent.remove("right")


def test_a_container_is_reached_over_its_address_from_the_host_and_from_another(agent, image):
    serve(agent, "server", image, "over the bridge")
    try:
        address = agent.addresses("server")[0]
        assert read_from(address, 8000) == "over the bridge"
        assert probe(agent, "client", image, "connect", address, "8000", network="bridge") == {
            "ok": True,
            "text": "over the bridge",
        }
    finally:
        agent.remove("server")


def test_a_container_is_reached_over_a_mapped_host_port(agent, image):
    port = free_port()
    serve(
        agent,
        "mapped",
        image,
        "through the host",
        ports=[{"host_port": port, "container_port": 8000, "protocol": "tcp"}],
    )
    try:
        assert read_from("127.0.0.1", port) == "through the host"
        # Another container comes in by the host's address on the bridge.
        gateway = agent.subnet_prefix + "1"
        assert (
            probe(agent, "client", image, "connect", gateway, str(port), network="bridge")["text"] == "through the host"
        )
    finally:
        agent.remove("mapped")
    with pytest.raises(OSError):
        read_from("127.0.0.1", port)


def test_a_freed_port_can_be_mapped_again(agent, image):
    port = free_port()
    for text in ("first", "second"):
        serve(agent, "again", image, text, ports=[{"host_port": port, "container_port": 8000}])
        assert read_from("127.0.0.1", port) == text
        agent.remove("again")


def test_the_mapping_is_reported(agent, image):
    port = free_port()
    agent.launch(
        "reported",
        "sleep 1000",
        image,
        network="bridge",
        ports=[{"host_port": port, "container_port": 80, "protocol": "tcp"}],
    )
    try:
        info = agent.usage("reported")["container_status"]["network_infos"][0]
        assert info["name"] == "bridge"
        mapping = info["port_mappings"][0]
        assert (mapping["host_port"], mapping["container_port"]) == (port, 80)
    finally:
        agent.remove("reported")


def test_traffic_goes_out_masqueraded(agent, image):
    """A listener on the host sees the container as the host."""
    serve(agent, "outside", image, "host service", network="host", port=(port := free_port()))
    try:
        assert probe(agent, "outgoing", image, "connect", agent.subnet_prefix + "1", str(port), network="bridge")["ok"]
    finally:
        agent.remove("outside")


def test_hosts_hostname_and_resolv_conf_are_made_for_the_container(agent, image):
    agent.launch(
        "files",
        "hostname; cat /etc/hostname /etc/hosts; echo --; cat /etc/resolv.conf; sleep 1000",
        image,
        network="bridge",
    )
    try:
        agent.wait_for_output("files", "--")
        wait_until(lambda: "--" in agent.output("files"), "the files are shown")
        out = agent.output("files")
        address = agent.addresses("files")[0]
        name = out.splitlines()[0]
        assert out.splitlines()[1] == name
        assert any(
            line.split()[0] == address and name in line.split()
            for line in out.splitlines()[2:]
            if line and line[0].isdigit()
        )
        assert "127.0.0.1" in out
    finally:
        agent.remove("files")


def test_resolv_conf_has_no_server_that_only_the_host_reaches(agent, image):
    status, out, _ = agent.run_container("resolver", "cat /etc/resolv.conf", image, network="bridge")
    servers = [line.split()[1] for line in out.splitlines() if line.startswith("nameserver")]
    assert status == 0
    assert not [server for server in servers if server.startswith("127.")]


def test_an_operators_cni_network(new_agent, image, directory, session):
    config = directory / "cni"
    config.mkdir()
    interface = f"gt{os.getpid() % 100000}"
    (config / "10-mine.conflist").write_text(json.dumps({
        "cniVersion": "1.0.0", "name": "mine",
        "plugins": [{"type": "bridge", "bridge": interface, "isGateway": True,
                     "ipam": {"type": "host-local", "dataDir": str(directory / "addresses"), "subnet": "10.223.77.0/24"}}],
    }))  # fmt: skip
    agent = new_agent(f"--network_cni_config_dir={config}").start()
    try:
        serve(agent, "mine", image, "own network", network="mine")
        address = agent.addresses("mine")[0]
        assert address.startswith("10.223.77.")
        assert read_from(address, 8000) == "own network"
        agent.remove("mine")
        left = [name for _, _, names in os.walk(directory / "addresses") for name in names if name.startswith("10.")]
        assert left == []
    finally:
        agent.close()
        subprocess.run(["ip", "link", "delete", interface], capture_output=True)


def test_the_network_statistics_are_the_containers(agent, image):
    serve(agent, "counted", image, "x" * 4000)
    try:
        for _ in range(5):
            read_from(agent.addresses("counted")[0], 8000)
        statistics = agent.usage("counted")["resource_statistics"]
        assert statistics["net_tx_bytes"] > 20000
    finally:
        agent.remove("counted")


@pytest.mark.parametrize("how", ["exit", "kill"])
def test_nothing_of_a_network_is_left(agent, image, how):
    """The leak check does the looking: interface, address, NAT rules, namespace."""
    port = free_port()
    agent.launch(
        "brief",
        "sleep 0.2" if how == "exit" else "sleep 1000",
        image,
        network="bridge",
        ports=[{"host_port": port, "container_port": 80}],
    )
    if how == "kill":
        agent.kill_container("brief")
    agent.wait("brief")
    agent.remove("brief")
