"""Layers and documents that lie: each fails with a sentence that names what is wrong, and leaves nothing behind."""

import gzip
import hashlib
import json
import os
import tarfile

import pytest

from gantrytest.images import CONFIG, INDEX, LAYER_GZIP, MANIFEST, Layout, link

LAYER = LAYER_GZIP.removesuffix("+gzip")


def sha(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def special(name, kind=tarfile.REGTYPE, **members):
    info = tarfile.TarInfo(name)
    info.type = kind
    for member, value in members.items():
        setattr(info, member, value)
    return info, None


ESCAPES = {
    "dot-dot": ([("../canary", "x")], ["'../canary'", "'..'"]),
    "dot-dot within": ([("a", None), ("a/../../canary", "x")], ["'a/../../canary'", "'..'"]),
    "absolute": ([("/canary", "x")], ["'/canary'", "absolute"]),
    "absolute symlink": ([link("lnk", "/etc"), ("lnk/canary", "x")], ["'lnk/canary'", "symlink"]),
    "climbing symlink": ([link("lnk", "../../.."), ("lnk/canary", "x")], ["'lnk/canary'", "symlink"]),
    "symlink by symlink": ([("a", None), link("a/b", ".."), link("c", "a/b/.."), ("c/canary", "x")], ["'c/canary'"]),
    "symlink to itself": ([link("lnk", "lnk"), ("lnk/x", "x")], ["'lnk/x'", "loop"]),
    "file as directory": ([("f", "1"), ("f/x", "2")], ["'f/x'", "no directory"]),
    "dangling symlink": ([link("lnk", "nowhere"), ("lnk/x", "x")], ["'lnk/x'", "no directory"]),
    "hard link out": ([link("h", "../../canary", tarfile.LNKTYPE)], ["'h'", "hard link", "'..'"]),
    "hard link absolute": ([link("h", "/etc/passwd", tarfile.LNKTYPE)], ["'h'", "hard link", "absolute"]),
    "hard link through symlink": ([link("l", "/etc"), link("h", "l/passwd", tarfile.LNKTYPE)], ["'h'", "symlink"]),
    "hard link to nothing": ([link("h", "missing", tarfile.LNKTYPE)], ["'h'", "'missing'", "in no layer"]),
    "hard link to directory": ([("d", None), link("h", "d", tarfile.LNKTYPE)], ["'h'", "directory"]),
    "hard link to root": ([link("h", "./", tarfile.LNKTYPE)], ["'h'"]),
    "whiteout of dot-dot": ([(".wh...", "")], ["'.wh...'", "whiteout"]),
    "whiteout of dot": ([(".wh..", "")], ["'.wh..'", "whiteout"]),
    "whiteout of nothing": ([(".wh.", "")], ["'.wh.'", "whiteout"]),
    "whiteout through dot-dot": ([(".wh../x", "")], ["below a whiteout"]),
    "whiteout through symlink": ([link("l", "/"), ("l/.wh.canary", "")], ["symlink"]),
    "opaque through symlink": ([link("l", "/"), ("l/.wh..wh..opq", "")], ["symlink"]),
    "root as a file": ([(".", "x")], ["root"]),
    "user -1": ([special("f", uid=-1)], ["'f'", "uid"]),
    "user 2^32-1": ([special("f", uid=4294967295)], ["'f'", "uid"]),
    "group 2^40": ([special("f", gid=1 << 40)], ["'f'", "gid"]),
    "name of 256 bytes": ([("x" * 256, "1")], ["too long"]),
    "path of 300 parts": ([("x/" * 300, None)], ["parts"]),
    "path of 5000 bytes": ([(("x" * 100 + "/") * 50, None)], ["4095"]),
}


@pytest.mark.parametrize("case", ESCAPES)
def test_layers_that_want_out(fetcher, layout, case):
    entries, words = ESCAPES[case]
    layout.image("t", [layout.layer(("first", "1")), layout.layer(*entries)])
    fetcher.bad(layout.reference("t"), "layer sha256:", *words)


def test_a_chmod_through_a_symlink_does_not_reach_its_target(fetcher, layout):
    fetcher.canary.chmod(0o640)
    layout.image(
        "t",
        [
            layout.layer(
                link("l", str(fetcher.canary)),
                special("l", tarfile.SYMTYPE, linkname=str(fetcher.canary), mode=0o777, uid=9),
            )
        ],
    )
    fetcher.good(layout.reference("t"))
    info = fetcher.canary.stat()
    assert (info.st_mode & 0o777, info.st_uid) == (0o640, 0)


# --- bytes that are not what was promised ---


def test_a_wrong_digest_is_said_to_be_one(fetcher, layout):
    descriptor, diff_id = layout.layer(("f", "1" * 10000))
    path = layout.blob_path(descriptor["digest"])
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    layout.image("t", [(descriptor, diff_id)])
    fetcher.bad(layout.reference("t"), descriptor["digest"], "wrong digest", sha(bytes(content)))


def test_a_truncated_layer(fetcher, layout):
    descriptor, diff_id = layout.layer(("f", os.urandom(10000)))
    path = layout.blob_path(descriptor["digest"])
    path.write_bytes(path.read_bytes()[:-100])
    layout.image("t", [(descriptor, diff_id)])
    fetcher.bad(layout.reference("t"), "descriptor")


@pytest.mark.parametrize("cut", [1, 8, 20, 5000])
def test_a_gzip_stream_that_ends_early_under_a_right_digest(fetcher, layout, cut):
    _, diff_id = layout.layer(("f", os.urandom(10000)))
    whole = layout.blob_path(_["digest"]).read_bytes()
    layout.image("t", [(layout.blob(whole[:-cut], LAYER_GZIP), diff_id)])
    fetcher.bad(layout.reference("t"), "truncated")


def test_a_tar_that_ends_early_under_a_right_digest(fetcher, layout):
    descriptor, _ = layout.layer(("f", os.urandom(10000)), compress=False)
    raw = layout.blob_path(descriptor["digest"]).read_bytes()[:5000]
    layout.image("t", [(layout.blob(raw, LAYER), sha(raw))])
    fetcher.bad(layout.reference("t"), "archive is broken")


def test_what_is_no_tar(fetcher, layout):
    raw = b"this is no archive at all, " * 1000
    layout.image("t", [(layout.blob(gzip.compress(raw), LAYER_GZIP), sha(raw))])
    fetcher.bad(layout.reference("t"), "archive is broken")


def test_other_archive_formats_are_not_read(fetcher, layout):
    import io
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("f", "x")
    raw = out.getvalue()
    layout.image("t", [(layout.blob(raw, LAYER), sha(raw))])
    fetcher.bad(layout.reference("t"), "archive is broken")


def test_a_wrong_diff_id_under_a_right_digest(fetcher, layout):
    descriptor, diff_id = layout.layer(("f", "1"))
    layout.image("t", [(descriptor, sha(b"other"))])
    fetcher.bad(layout.reference("t"), "diff id", diff_id)


def test_a_descriptor_of_the_wrong_size(fetcher, layout):
    for delta in (-1, 1):
        descriptor, diff_id = layout.layer(("f", "1"))
        descriptor["size"] += delta
        layout.image(f"t{delta}", [(descriptor, diff_id)])
        fetcher.bad(layout.reference(f"t{delta}"), "bytes")


@pytest.mark.parametrize("labelled, packed", [(LAYER_GZIP, False), (LAYER, True)])
def test_a_mislabelled_compression_is_seen_through(fetcher, layout, labelled, packed):
    descriptor, diff_id = layout.layer(("f", "1"), compress=packed)
    layout.image("t", [(descriptor | {"mediaType": labelled}, diff_id)])
    assert (fetcher.good(layout.reference("t")).layers[0] / "f").read_text() == "1"


# --- bombs ---


def test_a_bomb_of_zeroes_is_stopped_by_the_limit(fetcher, layout):
    descriptor, diff_id = layout.layer(("f", bytes(64 << 20)))
    layout.image("t", [(descriptor, diff_id)])
    fetcher.bad(layout.reference("t"), "unpack", "1MiB", code="Exhausted", limits={"unpacked": 1 << 20})


def test_a_bomb_behind_the_end_of_the_archive_is_stopped(fetcher, layout):
    raw = bytes(80 << 20)
    layout.image("t", [(layout.blob(gzip.compress(raw), LAYER_GZIP), sha(raw))])
    fetcher.bad(layout.reference("t"), "decompresses to more", code="Exhausted", limits={"unpacked": 1 << 20})


def test_the_limit_is_the_images_and_not_each_layers(fetcher, layout):
    layout.image("t", [layout.layer((f"f{i}", bytes(600 << 10))) for i in range(3)])
    fetcher.bad(layout.reference("t"), code="Exhausted", limits={"unpacked": 1 << 20})


def test_copies_for_hard_links_count_for_the_limit(fetcher, layout):
    """A few bytes of layer each, and as much disk as the lower file."""
    lower = layout.layer(("f", "\0" * 300_000))
    links = [layout.layer(link(f"l{n}", "f", tarfile.LNKTYPE)) for n in range(5)]
    layout.image("t", [lower, *links])
    fetcher.bad(layout.reference("t"), "hard links", code="Exhausted", limits={"unpacked": 1 << 20})


def test_too_many_entries(fetcher, layout):
    layout.image("t", [layout.layer(*[(f"f{i}", "") for i in range(101)])])
    fetcher.bad(layout.reference("t"), "100 entries", code="Exhausted", limits={"entries": 100})


def test_too_many_layers(fetcher, layout):
    layer = layout.layer(("f", "1"))
    layout.image("t", [layer] * 11)
    fetcher.bad(layout.reference("t"), "layers", "11", code="Exhausted", limits={"layers": 10})


def test_a_manifest_of_12_mebibytes(fetcher, layout):
    layout.image("t", [layout.layer(("f", "1"))], annotations={"x": "y" * (12 << 20)})
    fetcher.bad(layout.reference("t"), "larger", code="Exhausted")


def test_a_configuration_with_a_hundred_thousand_labels(fetcher, layout):
    layout.image("t", [layout.layer(("f", "1"))], {"Labels": {f"label-{i}": "v" for i in range(100_000)}})
    answer = fetcher.good(layout.reference("t"))
    assert len(answer.image["config"]["config"]["Labels"]) == 100_000


# --- documents ---


def document(layout: Layout, manifest: dict | bytes, media_type=MANIFEST) -> str:
    content = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
    layout.tag(layout.blob(content, media_type), "t")
    return layout.reference("t")


def test_documents_that_are_no_image(fetcher, layout):
    layer, diff_id = layout.layer(("f", "1"))
    config = layout.blob(json.dumps({"rootfs": {"type": "layers", "diff_ids": [diff_id]}}).encode(), CONFIG)
    good = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
    cases = [
        ({"schemaVersion": 1, "fsLayers": []}, "old image manifest", "Unsupported"),
        (good | {"layers": [layer | {"mediaType": LAYER_GZIP + "+encrypted"}]}, "encrypted", "Unsupported"),
        (good | {"layers": [layer | {"urls": ["https://elsewhere.invalid/"]}]}, "foreign layer", "Unsupported"),
        (good | {"layers": [layer | {"mediaType": "application/vnd.example"}]}, "no image layer", "Unsupported"),
        (good | {"config": layout.blob(b"{}", "application/vnd.oci.empty.v1+json")}, "artifact", "Unsupported"),
        (good | {"layers": []}, "layers: is empty", "Unsupported"),
        (good | {"layers": [layer, layer]}, "rootfs.diff_ids: has 1 entries for 2 layers", "InvalidArgument"),
        (good | {"layers": [layer | {"digest": "sha256:../../../etc/passwd"}]}, "layers[0].digest", "InvalidArgument"),
        (good | {"manifests": []}, "index or a manifest", "InvalidArgument"),
        (b"[" * 100_000, "", "InvalidArgument"),
        (b'{"a":' * 100_000, "", "InvalidArgument"),
        (b"\x00\xff", "", "InvalidArgument"),
    ]
    for number, (manifest, words, code) in enumerate(cases):
        each = Layout(layout.path / f"case{number}")
        for blob in (layout.path / "blobs/sha256").iterdir():
            (each.path / "blobs/sha256" / blob.name).write_bytes(blob.read_bytes())
        fetcher.bad(document(each, manifest), words, code=code)


def test_an_index_for_other_platforms_says_which(fetcher, layout):
    image = layout.image("x", [layout.layer(("f", "1"))])
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        image | {"platform": {"os": "linux", "architecture": "s390x"}},
        image | {"platform": {"os": "unknown", "architecture": "unknown"}},
    ]}  # fmt: skip
    fetcher.bad(document(layout, index, INDEX), "linux/amd64", "linux/s390x", code="NotFound",
                platform={"os": "linux", "architecture": "amd64"})  # fmt: skip


def test_an_index_of_itself_ends(fetcher, layout):
    inner = layout.image("x", [layout.layer(("f", "1"))])
    platform = {"platform": {"os": "linux", "architecture": "amd64"}}
    for _ in range(10):
        inner = layout.blob(
            json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [inner | platform]}).encode(), INDEX
        )
    layout.tag(inner, "t")
    fetcher.bad(layout.reference("t"), "index")


def test_a_layout_that_leads_out_of_its_directory(fetcher, layout):
    descriptor, diff_id = layout.layer(("f", "1"))
    layout.image("t", [(descriptor, diff_id)])
    path = layout.blob_path(descriptor["digest"])
    moved = fetcher.canary.parent.parent / "moved"
    path.rename(moved)
    path.symlink_to(moved)
    fetcher.bad(layout.reference("t"), code="Internal")
    path.unlink()
    os.mkfifo(path)
    fetcher.bad(layout.reference("t"), "no regular file")


def test_missing_things_are_named(fetcher, layout, directory):
    fetcher.bad(f"oci:{layout.path}:t", code="NotFound")
    layout.image("there", [layout.layer(("f", "1"))])
    fetcher.bad(f"oci:{layout.path}:absent", "'absent'", code="NotFound")
    fetcher.bad("oci:/nowhere/at/all", "/nowhere/at/all", code="NotFound")
    fetcher.bad("docker-archive:/nowhere.tar", "/nowhere.tar", code="NotFound")
    fetcher.bad("docker-archive:/dev/zero", "no regular file")


def test_bad_requests_are_refused_by_name(fetcher):
    for request, words in [
        ({"limits": {"unpackd": 1}}, "limits.unpackd"),
        ({"insecure_hosts": "h"}, "insecure_hosts"),
        ({"colour": 1}, "colour"),
    ]:
        answer = fetcher.pull("a/b", **request)
        assert answer.status == 1 and words in answer.error["message"]
    assert not fetcher.store.exists()
