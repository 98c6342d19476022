"""Where images come from: a registry, an OCI layout, archives; and what their layers become."""

import json
import os
import stat
import subprocess
import tarfile

import pytest

from gantrytest import images
from gantrytest.images import LAYER_GZIP, LyingRegistry, Layout, link


@pytest.fixture(scope="session")
def archives(layout, session):
    directory = session.temporary("archives")
    images.skopeo_copy(f"oci:{layout}:small", f"docker-archive:{directory}/docker.tar:test/small:1")
    images.skopeo_copy(f"oci:{layout}:small", f"oci-archive:{directory}/oci.tar:small")
    return directory


def program_image(layout: Layout, rootfs, tag: str, *more_layers, config=None):
    """Busybox below the layers given."""
    base = layout.layer(*[(f"bin/{name}", (rootfs / "bin" / name).read_bytes()) for name in ("busybox", "probe")], link("bin/sh", "busybox"),
                        link("bin/cat", "busybox"), link("bin/ls", "busybox"), link("bin/stat", "busybox"), link("bin/find", "busybox"))  # fmt: skip
    layout.image(tag, [base, *more_layers], config or {"Env": ["PATH=/bin"], "Cmd": ["/bin/sh"]})
    return layout.reference(tag)


@pytest.fixture(scope="session")
def rootfs(session, rootfs_maker):
    return rootfs_maker.make(session.temporary("layers") / "rootfs")


@pytest.mark.parametrize("kind", ["registry", "docker://", "oci", "oci-archive", "docker-archive"])
def test_every_source(agent, image, layout, archives, kind):
    reference = {
        "registry": image,
        "docker://": f"docker://{image}",
        "oci": f"oci:{layout}:small",
        "oci-archive": f"oci-archive:{archives}/oci.tar:small",
        "docker-archive": f"docker-archive:{archives}/docker.tar:test/small:1",
    }[kind]
    assert agent.run_container("source", image=reference)[:2] == (0, "from the image\n")


def test_by_digest(agent, image):
    digest = agent.cli("images", "--format", "json", check=True)
    listed = json.loads(digest.stdout)
    entries = listed["images"] if isinstance(listed, dict) else listed
    known = next(entry for entry in entries if entry["reference"].endswith("test/small:1"))
    reference = image.rsplit(":", 1)[0] + "@" + known["manifest_digest"]
    assert agent.run_container("digest", image=reference)[:2] == (0, "from the image\n")


def test_an_index_is_resolved_for_this_machine(agent, hand_made, rootfs):
    reference = program_image(
        hand_made, rootfs, "amd", config={"Cmd": ["/bin/sh", "-c", "echo right"], "Env": ["PATH=/bin"]}
    )
    index = json.loads((hand_made.path / "index.json").read_text())
    right = index["manifests"][0]
    wrong = hand_made.blob(b'{"schemaVersion":2,"config":{},"layers":[]}', images.MANIFEST)
    manifests = [
        wrong | {"platform": {"os": "linux", "architecture": "s390x"}},
        wrong | {"platform": {"os": "unknown", "architecture": "unknown"}},
        {key: right[key] for key in ("mediaType", "digest", "size")}
        | {"platform": {"os": "linux", "architecture": "amd64"}},
    ]
    document = json.dumps({"schemaVersion": 2, "mediaType": images.INDEX, "manifests": manifests}).encode()
    hand_made.tag(hand_made.blob(document, images.INDEX), "many")
    assert agent.run_container("index", image=hand_made.reference("many"))[:2] == (0, "right\n")
    assert reference


def test_an_index_without_this_machine_says_what_there_is(agent, hand_made):
    wrong = hand_made.blob(b'{"schemaVersion":2,"config":{},"layers":[]}', images.MANIFEST) | {
        "platform": {"os": "linux", "architecture": "s390x"}
    }
    document = json.dumps({"schemaVersion": 2, "mediaType": images.INDEX, "manifests": [wrong]}).encode()
    hand_made.tag(hand_made.blob(document, images.INDEX), "other")
    with pytest.raises(AssertionError, match="amd64"):
        agent.launch("other", image=hand_made.reference("other"))


def test_zstd_layers(agent, hand_made, rootfs):
    layer, diff_id = hand_made.layer(("zstd", "unpacked"), compress=False)
    raw = hand_made.blob_path(layer["digest"]).read_bytes()
    packed = subprocess.run(["zstd", "-c"], input=raw, capture_output=True, check=True).stdout
    described = hand_made.blob(packed, LAYER_GZIP.replace("gzip", "zstd"))
    reference = program_image(hand_made, rootfs, "zstd", (described, diff_id))
    assert agent.run_container("zstd", image=reference, arguments=["/bin/cat", "/zstd"])[:2] == (0, "unpacked")


def test_uncompressed_layers(agent, hand_made, rootfs):
    reference = program_image(hand_made, rootfs, "plain", hand_made.layer(("plain", "unpacked"), compress=False))
    assert agent.run_container("plain", image=reference, arguments=["/bin/cat", "/plain"])[:2] == (0, "unpacked")


def test_whiteouts_and_opaque_directories(agent, hand_made, rootfs):
    lower = hand_made.layer(
        ("keep", "1"), ("gone", "1"), ("dir", None), ("dir/old", "1"), ("tree", None), ("tree/deep", "1")
    )
    upper = hand_made.layer(
        (".wh.gone", ""), ("dir", None), ("dir/.wh..wh..opq", ""), ("dir/new", "2"), (".wh.tree", ""), (".wh.never", "")
    )
    reference = program_image(hand_made, rootfs, "white", lower, upper)
    _, out, err = agent.run_container("white", image=reference, arguments=["/bin/ls", "-A", "/", "/dir"])
    names = out.split()
    assert "keep" in names and "new" in names, err
    assert not {"gone", "old", "tree", ".wh.gone", ".wh..wh..opq", "never", ".wh.never"} & set(names)


def test_kinds_modes_owners_times_and_links(agent, hand_made, rootfs):
    setuid = tarfile.TarInfo("setuid")
    setuid.mode, setuid.uid, setuid.gid, setuid.mtime = 0o6755, 12, 34, 1000000000
    fifo = tarfile.TarInfo("fifo")
    fifo.type, fifo.mode = tarfile.FIFOTYPE, 0o640
    device = tarfile.TarInfo("device")
    device.type, device.devmajor, device.devminor, device.mode = tarfile.CHRTYPE, 1, 3, 0o660
    layer = hand_made.layer(
        (setuid, "x"), link("hard", "setuid", tarfile.LNKTYPE), link("soft", "setuid"), (fifo, None), (device, None)
    )
    reference = program_image(hand_made, rootfs, "kinds", layer)
    _, out, _ = agent.run_container(
        "kinds", image=reference, arguments=["/bin/probe", "paths", "/setuid", "/hard", "/soft", "/fifo", "/device"]
    )
    found = json.loads(out)
    assert (found["/setuid"]["mode"], found["/setuid"]["uid"], found["/setuid"]["gid"]) == (0o6755, 12, 34)
    assert found["/setuid"]["inode"] == found["/hard"]["inode"] and found["/hard"]["links"] == 2
    assert found["/soft"]["target"] == "setuid"
    assert (found["/fifo"]["kind"], found["/fifo"]["mode"]) == ("fifo", 0o640)
    assert (found["/device"]["kind"], found["/device"]["device"]) == ("char", [1, 3])


def test_extended_attributes(agent, hand_made, rootfs):
    info = tarfile.TarInfo("marked")
    info.mode = 0o755
    # CAP_NET_RAW permitted and effective, as setcap writes it.
    info.pax_headers = {
        "SCHILY.xattr.user.note": "kept",
        "SCHILY.xattr.security.capability": "\x01\x00\x00\x02\x00\x20\x00\x00" + "\x00" * 12,
    }
    reference = program_image(hand_made, rootfs, "xattr", hand_made.layer((info, "x")))
    agent.launch("xattr", image=reference, arguments=["/bin/probe", "pause"])
    pid = agent.usage("xattr")["container_status"]["executor_pid"]
    try:
        assert os.getxattr(f"/proc/{pid}/root/marked", "security.capability")[:4] == b"\x01\x00\x00\x02"
    finally:
        agent.remove("xattr")


def test_a_directory_replaced_by_a_file_and_back(agent, hand_made, rootfs):
    lower = hand_made.layer(("a", None), ("a/inside", "1"), ("b", "file"))
    upper = hand_made.layer(("a", "now a file"), ("b", None), ("b/inside", "now a directory"))
    reference = program_image(hand_made, rootfs, "swap", lower, upper)
    assert (
        agent.run_container("swap", image=reference, arguments=["/bin/cat", "/a", "/b/inside"])[1]
        == "now a filenow a directory"
    )


def test_the_last_of_duplicate_entries_wins(agent, hand_made, rootfs):
    reference = program_image(hand_made, rootfs, "twice", hand_made.layer(("file", "first"), ("file", "last")))
    assert agent.run_container("twice", image=reference, arguments=["/bin/cat", "/file"])[1] == "last"


def test_long_and_odd_names(agent, hand_made, rootfs):
    deep = "/".join(["d" * 60] * 5)
    reference = program_image(
        hand_made,
        rootfs,
        "names",
        hand_made.layer((f"{deep}/file", "deep"), ("./dotted", "dotted"), ("wörter", "utf-8")),
    )
    out = agent.run_container("names", image=reference, arguments=["/bin/cat", f"/{deep}/file", "/dotted", "/wörter"])[
        1
    ]
    assert out == "deepdottedutf-8"


def test_layers_are_shared_and_unpacked_once(agent, hand_made, rootfs):
    shared = hand_made.layer(("shared", "x" * 1000))
    first = program_image(hand_made, rootfs, "one", shared)
    second = program_image(hand_made, rootfs, "two", shared, hand_made.layer(("own", "y")))
    agent.run_container("one", image=first, arguments=["/bin/cat", "/shared"])
    before = set(os.listdir(agent.work / "images/layers"))
    agent.run_container("two", image=second, arguments=["/bin/cat", "/own"])
    assert len(set(os.listdir(agent.work / "images/layers")) - before) == 1


def test_a_pull_asks_for_each_blob_once(agent, hand_made, rootfs):
    program_image(hand_made, rootfs, "counted", hand_made.layer(("x", "y")))
    registry = LyingRegistry(hand_made)
    asked = []
    answer = registry._answer
    registry._answer = lambda layout, path: (asked.append(path), answer(layout, path))[1]
    try:
        result = agent.cli("pull", f"{registry.host}/a/b:counted")
        assert result.returncode == 0, result.stderr
        blobs = [path for path in asked if "/blobs/" in path]
        assert len(blobs) == len(set(blobs)) or len(blobs) <= 2 * len(set(blobs)), asked
        count = len(asked)
        agent.run_container("cached", image=f"{registry.host}/a/b:counted", arguments=["/bin/cat", "/x"])
        assert len(asked) == count, "a cached image is not asked for again"
    finally:
        registry.stop()


def test_pull_and_images(agent, image):
    assert agent.cli("pull", image, check=True).returncode == 0
    assert "test/small" in agent.cli("images", check=True).stdout


def test_the_fetcher_works_alone(session, image, directory):
    """One JSON request in, lines of JSON out: what it does, it does without the agent."""
    request = {
        "reference": image,
        "store": str(directory / "store"),
        "platform": {"os": "linux", "architecture": "amd64"},
    }
    result = subprocess.run(
        [str(session.program("gantry-fetcher"))], input=json.dumps(request), capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr + result.stdout
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    layer = lines[-1]["image"]["layers"][0]["directory"]
    assert os.path.exists(f"{layer}/bin/busybox")
    assert os.listdir(directory / "store/staging") == [] if (directory / "store/staging").exists() else True


def test_an_interrupted_pull_leaves_nothing_or_whole_layers(session, image, directory):
    store = directory / "store"
    request = json.dumps(
        {"reference": image, "store": str(store), "platform": {"os": "linux", "architecture": "amd64"}}
    )
    for milliseconds in (1, 5, 20, 50):
        child = subprocess.Popen(
            [str(session.program("gantry-fetcher"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            child.communicate(request.encode(), timeout=milliseconds / 1000)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
    result = subprocess.run(
        [str(session.program("gantry-fetcher"))], input=request, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stdout
    layers = os.listdir(store / "layers")
    assert len(layers) == 1
    assert stat.S_ISREG(os.stat(store / "layers" / layers[0] / "bin/busybox").st_mode)
