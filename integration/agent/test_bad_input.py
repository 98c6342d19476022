"""Every kind of bad input: an error that names the field and the reason, and nothing is left behind (the leak check
looks after each test)."""

import gzip
import io
import json
import subprocess
import tarfile

import pytest

from gantrytest.agent import Refused
from gantrytest.images import LyingRegistry, free_port, link

JSON = {"Content-Type": "application/json"}


def refusal(agent, body, headers=JSON, path="/api/v1"):
    text = body if isinstance(body, (str, bytes)) else json.dumps(body)
    status, answer, _ = agent.request("POST", path, text, headers)
    assert 400 <= status < 500, (status, answer)
    return answer.decode(errors="replace")


def refused_launch(agent, *words, status=(400,), **options) -> str:
    with pytest.raises(Refused) as refused:
        agent.launch("refused", *words, **options)
    assert refused.value.status in status, refused.value
    assert "refused" not in agent.containers()
    return refused.value.body


# --- the call itself


def test_an_unknown_call_is_named(agent):
    assert "DANCE" in refusal(agent, {"type": "DANCE"})


def test_a_call_without_a_type(agent):
    assert "type" in refusal(agent, {})


@pytest.mark.parametrize(
    "message, named",
    [
        ({"type": 7}, "type"),
        ({"type": "WAIT_CONTAINER", "wait_container": []}, "wait_container"),
        ({"type": "WAIT_CONTAINER", "wait_container": {"container_id": {"value": 5}}}, "value"),
        ({"type": "KILL_CONTAINER", "kill_container": {"container_id": {"value": "x"}, "signal": "nine"}}, "signal"),
        (
            {
                "type": "LAUNCH_CONTAINER",
                "launch_container": {"container_id": {"value": "x"}, "resources": {"name": "cpus"}},
            },
            "resources",
        ),
        ({"type": "WAIT_CONTAINER", "wait_container": {}}, "container_id"),
        ({"type": "WAIT_CONTAINER"}, "wait_container"),
    ],
)
def test_a_wrong_json_type_names_the_field(agent, message, named):
    assert named in refusal(agent, message)


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '"text"', "{}x", "\xff\xfe"])
def test_bodies_that_are_not_a_json_object(agent, body):
    assert refusal(agent, body.encode("latin-1")).strip()


@pytest.mark.parametrize("body", ["[" * 100000, '{"a":' * 100000], ids=["arrays", "objects"])
def test_deep_nesting_does_not_end_the_agent(agent, body):
    """CVE-2018-11793."""
    refusal(agent, body)
    assert agent.call("GET_HEALTH")


def test_an_oversized_body_is_refused_by_its_size(agent):
    status, answer, _ = agent.request("POST", "/api/v1", b'{"type": "' + b"x" * (64 << 20) + b'"}', JSON)
    assert status == 413
    assert agent.call("GET_HEALTH")


def test_an_oversized_header_is_refused(agent):
    assert agent.request("GET", "/health", headers={"X-Long": "x" * (1 << 20)})[0] in (400, 431)


@pytest.mark.parametrize(
    "headers, status",
    [({}, 400), ({"Content-Type": "text/plain"}, 415), ({"Content-Type": "application/json; charset=utf-8"}, 415)],
)
def test_content_types(agent, headers, status):
    assert agent.request("POST", "/api/v1", '{"type":"GET_HEALTH"}', headers)[0] == status


def test_other_methods_and_paths(agent):
    status, _, headers = agent.request("GET", "/api/v1")
    assert (status, headers.get("Allow")) == (405, "POST")
    for path in ("/nowhere", "//", "/slave(1)//", "/%zz", "/gantry/v1/containers/none"):
        assert agent.get(path)[0] in (400, 404), path


# --- the launch


def test_a_missing_command(agent):
    with pytest.raises(Refused, match="command"):
        agent.call("LAUNCH_CONTAINER", {"container_id": {"value": "refused"}})


def test_an_image_without_command_needs_one(agent, hand_made):
    layer = hand_made.layer(("file", "x"))
    hand_made.image("bare", [layer])
    assert "command" in refused_launch(agent, image=hand_made.reference("bare"))


@pytest.mark.parametrize("id", ["", "a/b", "a.b", "a b", "..", "x" * 300, "new\nline"])
def test_container_ids_that_break_the_rules(agent, id):
    with pytest.raises(Refused, match="container_id") as refused:
        agent.launch(id, "true")
    assert refused.value.status == 400


@pytest.mark.parametrize("user", ["nobody-here", "1000:no-group", "4294967296", "-1", "65536:4294967296"])
def test_a_user_that_is_not_in_the_image(agent, image, user):
    body = refused_launch(agent, "true", image, user=user)
    assert "user" in body and user.split(":")[-1] in body


@pytest.mark.parametrize(
    "resources, named",
    [
        ({"gpus": 1}, "gpus"),
        ({"bananas": 3}, "bananas"),
        ({"cpus": -1}, "cpus"),
        ({"cpus": 0}, "cpus"),
        ({"mem": -5}, "mem"),
        ({"mem": 1e18}, "mem"),
        ({"pids": 0.5}, "pids"),
        ({"pids": -3}, "pids"),
    ],
)
def test_resources_that_cannot_be_given_are_named(agent, image, resources, named):
    text = refused_launch(agent, "true", image, resources=resources)
    assert named in text or "resources[" in text


def test_disk_is_enforced_or_refused(agent, image):
    """A limit that this host cannot enforce is refused by name, never accepted and dropped."""
    try:
        agent.launch("disk", "dd if=/dev/zero of=/big bs=1M count=64; sync; sleep 1000", image, resources={"disk": 16})
    except Refused as refused:
        assert refused.status == 400
        assert "disk" in refused.body
        return
    try:
        ended = agent.wait("disk", timeout=30)
        assert "disk" in (ended.get("message") or agent.output("disk", "stderr")).lower()
    finally:
        agent.remove("disk")


@pytest.mark.parametrize(
    "limits, named", [({"cpus": 0.1}, "cpus"), ({"mem": 1}, "mem"), ({"disk": 5}, "disk"), ({"mem": "Lots"}, "mem")]
)
def test_limits_below_the_request_or_unknown_are_named(agent, image, limits, named):
    assert named in refused_launch(agent, "true", image, limits=limits)


def volume(**fields):
    return {"container_path": "/data", "mode": "RW"} | fields


@pytest.mark.parametrize(
    "entry, named",
    [
        (volume(host_path="/absent/on/the/host"), "/absent/on/the/host"),
        (volume(container_path="../up", host_path="/etc"), "container_path"),
        (volume(container_path="/proc", host_path="/etc"), "/proc"),
        (volume(), "volumes"),
        (volume(source={"type": "SANDBOX_PATH", "sandbox_path": {"type": "SELF", "path": "../../out"}}), "path"),
    ],
)
def test_volumes_that_make_no_sense_are_named(agent, image, entry, named):
    assert named in refused_launch(agent, "true", image, volumes=[entry])


def test_an_unknown_network_is_named(agent, image):
    assert "no-such-network" in refused_launch(agent, "true", image, network="no-such-network")


def test_a_host_port_that_another_container_has(agent, image):
    port = free_port()
    mapping = [{"host_port": port, "container_port": 80, "protocol": "tcp"}]
    agent.launch("first-holder", "sleep 1000", image, network="bridge", ports=mapping)
    try:
        body = refused_launch(agent, "true", image=image, network="bridge", ports=mapping)
        assert str(port) in body and "port" in body
    finally:
        agent.remove("first-holder")


def test_a_host_port_that_the_host_listens_on(agent, image):
    mapping = [{"host_port": agent.port, "container_port": 80, "protocol": "tcp"}]
    assert str(agent.port) in refused_launch(agent, "true", image=image, network="bridge", ports=mapping)


@pytest.mark.parametrize(
    "mapping",
    [
        {"host_port": 70000, "container_port": 80},
        {"host_port": 8080, "container_port": 0},
        {"host_port": 8080, "container_port": 80, "protocol": "carrier-pigeon"},
    ],
)
def test_port_mappings_that_make_no_sense(agent, image, mapping):
    body = refused_launch(agent, "true", image=image, network="bridge", ports=[mapping])
    assert "port_mappings" in body


def test_ports_need_a_network_of_their_own(agent, image):
    body = refused_launch(
        agent, "true", image=image, network="host", ports=[{"host_port": free_port(), "container_port": 80}]
    )
    assert "port_mappings" in body or "host" in body


# --- images


@pytest.mark.parametrize("name", ["absent/image:1", "test/small:no-such-tag"])
def test_an_unknown_image_is_named(agent, registry, name):
    assert name.split(":")[0] in refused_launch(agent, "true", image=f"{registry.host}/{name}")


@pytest.mark.parametrize(
    "name", ["UPPER/case", "a b", "image:tag:tag", "", "x@sha256:short", "oci:relative", "docker-archive:/absent.tar"]
)
def test_a_reference_that_cannot_be_read(agent, name):
    body = refused_launch(agent, "true", image=name or " ")
    assert "image" in body or name in body


def test_a_registry_that_does_not_answer_is_named(agent):
    host = f"127.0.0.1:{free_port()}"
    assert host in refused_launch(agent, "true", image=f"{host}/a:1")


@pytest.fixture
def lies(hand_made):
    layer = hand_made.layer(("bin", None), ("bin/program", "#!/bin/sh\n"))
    hand_made.image("good", [layer], {"Cmd": ["/bin/program"]})
    registry = LyingRegistry(hand_made)
    registry.layer = layer[0]
    yield registry
    registry.stop()


def test_a_layer_with_another_digest(agent, lies):
    body = lies.layer["size"] * b"x"
    lies.answers["/blobs/" + lies.layer["digest"]] = (200, {}, body)
    message = refused_launch(agent, "true", image=f"{lies.host}/a:good")
    assert "digest" in message and lies.layer["digest"][:19] in message


def test_a_manifest_with_another_digest(agent, lies, hand_made):
    wanted = "sha256:" + "0" * 64
    manifest = hand_made.blob_path(
        json.loads((hand_made.path / "index.json").read_text())["manifests"][0]["digest"]
    ).read_bytes()
    lies.answers["/manifests/" + wanted] = (
        200,
        {"Content-Type": "application/vnd.oci.image.manifest.v1+json"},
        manifest,
    )
    assert "digest" in refused_launch(agent, "true", image=f"{lies.host}/a@{wanted}")


def test_a_truncated_layer(agent, lies, hand_made):
    whole = hand_made.blob_path(lies.layer["digest"]).read_bytes()
    lies.answers["/blobs/" + lies.layer["digest"]] = (200, {}, whole[: len(whole) // 2])
    assert lies.layer["digest"][:19] in refused_launch(agent, "true", image=f"{lies.host}/a:good")


def test_a_layer_that_is_cut_off_by_the_network(agent, lies, hand_made):
    whole = hand_made.blob_path(lies.layer["digest"]).read_bytes()
    headers = {"Content-Length": str(len(whole)), "Connection": "close"}
    lies.answers["/blobs/" + lies.layer["digest"]] = (200, headers, whole[:10])
    assert refused_launch(agent, "true", image=f"{lies.host}/a:good")


def test_a_layer_whose_gzip_is_truncated(agent, hand_made):
    packed = gzip.compress(b"x" * 100000)
    hand_made.image(
        "cut",
        [
            (
                hand_made.blob(packed[: len(packed) // 2], "application/vnd.oci.image.layer.v1.tar+gzip"),
                "sha256:" + "1" * 64,
            )
        ],
    )
    assert "layer" in refused_launch(agent, "true", image=hand_made.reference("cut"))


def test_a_layer_with_the_wrong_diff_id(agent, hand_made):
    layer, _ = hand_made.layer(("file", "x"))
    hand_made.image("diff", [(layer, "sha256:" + "2" * 64)], {"Cmd": ["/x"]})
    assert "diff" in refused_launch(agent, "true", image=hand_made.reference("diff")).lower()


def canary_paths(directory):
    return f"{directory}/canary"


@pytest.mark.parametrize(
    "shape", ["dotdot", "absolute", "symlink", "symlink-up", "hardlink", "hardlink-up", "whiteout", "opaque"]
)
def test_a_layer_that_would_escape(agent, hand_made, directory, shape):
    canary = directory / "canary"
    canary.mkdir()
    (canary / "file").write_text("untouched")
    outside = str(canary)
    up = "../" * 24 + outside.lstrip("/")
    hard = tarfile.LNKTYPE
    shapes = {
        "dotdot": [("bin", None), (f"{up}/planted", "x")],
        "absolute": [(f"{outside}/planted", "x")],
        "symlink": [link("way", outside), ("way/planted", "x")],
        "symlink-up": [link("way", up), ("way/planted", "x")],
        "hardlink": [link("copy", f"{outside}/file", hard), ("copy", "overwritten")],
        "hardlink-up": [link("copy", f"{up}/file", hard), ("copy", "overwritten")],
        "whiteout": [link("way", outside), ("way/.wh.file", "")],
        "opaque": [link("way", outside), ("way/.wh..wh..opq", "")],
    }
    hand_made.image("escape", [hand_made.layer(*shapes[shape])], {"Cmd": ["/bin/true"]})
    agent_names = set(agent.containers())
    try:
        agent.launch("escape", image=hand_made.reference("escape"))
    except Refused as refused:
        assert refused.status == 400
    else:
        agent.wait("escape")
        agent.remove("escape")
    assert set(agent.containers()) == agent_names
    assert [entry.name for entry in canary.iterdir()] == ["file"]
    assert (canary / "file").read_text() == "untouched"


@pytest.mark.parametrize("shape", ["dotdot", "absolute-link"])
def test_an_escaping_layer_error_names_the_entry(agent, hand_made, shape):
    entries = {
        "dotdot": [("../escaped", "x")],
        "absolute-link": [link("copy", "../../../etc/passwd", tarfile.LNKTYPE)],
    }[shape]
    hand_made.image("escape", [hand_made.layer(*entries)], {"Cmd": ["/bin/true"]})
    body = refused_launch(agent, image=hand_made.reference("escape"))
    assert "escaped" in body or "copy" in body or "etc/passwd" in body


def test_an_archive_of_devices_and_odd_kinds_is_held_to_its_destination(agent, hand_made):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for name, kind in (("fifo", tarfile.FIFOTYPE), ("null", tarfile.CHRTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.devmajor, info.devminor = kind, 1, 3
            archive.addfile(info)
    raw = raw.getvalue() + b"garbage after the end"
    import hashlib

    layer = hand_made.blob(gzip.compress(raw), "application/vnd.oci.image.layer.v1.tar+gzip")
    hand_made.image("odd", [(layer, "sha256:" + hashlib.sha256(raw).hexdigest())], {"Cmd": ["/bin/true"]})
    try:
        agent.launch("odd", image=hand_made.reference("odd"))
        agent.wait("odd")
        agent.remove("odd")
    except Refused as refused:
        assert refused.status == 400


def test_a_gzip_bomb_is_bounded(agent, hand_made):
    """64 KiB of gzip that holds 64 MiB of nothing."""
    bomb = hand_made.blob(gzip.compress(bytes(64 << 20), 1), "application/vnd.oci.image.layer.v1.tar+gzip")
    hand_made.image("bomb", [(bomb, "sha256:" + "3" * 64)], {"Cmd": ["/x"]})
    assert refused_launch(agent, image=hand_made.reference("bomb"))


# --- the configuration


def start_refused(session, *flags, environment=None):
    result = subprocess.run(
        [str(session.program("gantry-agent")), *flags], capture_output=True, text=True, timeout=20, env=environment
    )
    assert result.returncode != 0
    return result.stderr


def test_a_configuration_file_with_a_misspelt_key_names_the_nearest(session, directory):
    (directory / "agent.toml").write_text('wrok_dir = "/tmp/x"\n')
    text = start_refused(session, f"--config={directory}/agent.toml")
    assert "wrok_dir" in text and "work_dir" in text


@pytest.mark.parametrize(
    "content, named",
    [
        ('port = "many"\n', "port"),
        ("port = 70000\n", "port"),
        ("port = \n", "agent.toml"),
        ("[section]\nport = 1\n", "section"),
    ],
)
def test_a_configuration_file_with_a_wrong_value_names_the_key(session, directory, content, named):
    (directory / "agent.toml").write_text(content)
    assert named in start_refused(session, f"--config={directory}/agent.toml")


@pytest.mark.parametrize(
    "flag, named",
    [
        ("--no_such_flag=1", "no_such_flag"),
        ("--port=x", "port"),
        ("--wrok_dir=/x", "work_dir"),
        ("--bridge_subnet=10.0.0.0/99", "bridge_subnet"),
    ],
)
def test_wrong_flags_are_named(session, directory, flag, named):
    assert named in start_refused(session, f"--work_dir={directory}/w", f"--runtime_dir={directory}/r", flag)


def test_a_second_agent_on_the_same_directories_is_refused(session, agent):
    text = start_refused(
        session, *[flag for flag in agent.flags if not flag.startswith("--port")], f"--port={free_port()}"
    )
    assert str(agent.work) in text or str(agent.run) in text
    assert agent.call("GET_HEALTH")


def test_a_port_in_use_is_named(session, agent, directory):
    text = start_refused(
        session, f"--work_dir={directory}/w", f"--runtime_dir={directory}/r", "--ip=127.0.0.1", f"--port={agent.port}"
    )
    assert str(agent.port) in text
