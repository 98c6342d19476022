"""What layers become: overlayfs form, metadata, links to lower layers."""

import os
import stat
import struct
import subprocess
import tarfile

import pytest

from gantrytest.images import link

WHITEOUT = stat.S_IFCHR


def entry(name, content=None, kind=None, **members):
    info = tarfile.TarInfo(name)
    info.mode = 0o644 if content is not None else 0o755
    info.type = kind or (tarfile.DIRTYPE if content is None else tarfile.REGTYPE)
    for member, value in members.items():
        setattr(info, member, value)
    return info, content


def is_whiteout(path):
    info = path.lstat()
    return stat.S_ISCHR(info.st_mode) and info.st_rdev == 0


def is_opaque(path):
    try:
        return os.getxattr(path, "trusted.overlay.opaque") == b"y"
    except OSError:
        return False


@pytest.fixture
def unpack(fetcher, layout):
    """Layers of entries as directories, bottom first."""

    def unpacked(*layers, **request):
        layout.image("t", [layout.layer(*entries) for entries in layers])
        return fetcher.good(layout.reference("t"), **request).layers

    return unpacked


@pytest.fixture
def merged(unpack, directory):
    """Layers of entries, merged by overlayfs."""
    target = directory / "merged"

    def merge(*layers):
        target.mkdir()
        lower = ":".join(str(layer) for layer in reversed(unpack(*layers)))
        if len(layers) == 1:
            (directory / "empty").mkdir()
            lower += f":{directory / 'empty'}"
        subprocess.run(["mount", "-t", "overlay", "none", "-o", f"lowerdir={lower}", str(target)], check=True)
        return target

    yield merge
    if target.exists():
        subprocess.run(["umount", str(target)], check=False)


def names(path):
    return sorted(os.listdir(path))


# --- whiteouts ---


def test_whiteouts_hide_files_directories_and_links_but_not_their_targets(merged):
    root = merged(
        [("f", "1"), ("d", None), ("d/x", "1"), ("target", "1"), link("l", "target"), ("keep", "1")],
        [(".wh.f", ""), (".wh.d", ""), (".wh.l", ""), (".wh.missing", ""), (".wh.f", "")],
    )
    assert names(root) == ["keep", "target"]


def test_a_whiteout_is_a_device_and_hides_what_comes_again_later(unpack, merged):
    layers = unpack([("f", "1")], [(".wh.f", "")])
    assert is_whiteout(layers[1] / "f")


@pytest.mark.parametrize("order", ["before", "after"])
def test_an_opaque_directory_hides_what_is_below_wherever_its_mark_stands(merged, order):
    mark, new = ("d/.wh..wh..opq", ""), ("d/new", "2")
    second = [("d", None), mark, new] if order == "before" else [("d", None), new, mark]
    root = merged([("d", None), ("d/old", "1")], second)
    assert names(root / "d") == ["new"]


@pytest.mark.parametrize("order", ["before", "after"])
def test_a_whiteout_spares_what_its_own_layer_has(merged, order):
    mine = [("d", None), ("d/new", "2"), ("f", "2")]
    marks = [(".wh.d", ""), (".wh.f", "")]
    root = merged([("d", None), ("d/old", "1"), ("f", "1")], marks + mine if order == "before" else mine + marks)
    assert names(root / "d") == ["new"]
    assert (root / "f").read_text() == "2"


def test_files_of_aufs_are_ignored(unpack):
    (layer,) = unpack([(".wh..wh.plnk", None), (".wh..wh.plnk/1.2", "x"), (".wh..wh.aufs", ""), ("f", "1")])
    assert names(layer) == ["f"]


def test_kinds_may_change_between_layers_and_within_one(merged):
    root = merged(
        [("a", "1"), ("b", None), ("b/x", "1"), ("c", None), ("c/x", "1"), ("t", None)],
        [("a", None), ("a/x", "2"), ("b", "2"), link("c", "t")],
        [("a", "3"), ("b", None), ("b/y", "3"), ("b", "4"), ("b", None), ("b/z", "3")],
    )
    assert (root / "a").read_text() == "3"
    assert names(root / "b") == ["z"]
    assert os.readlink(root / "c") == "t"


# --- what a layer does not say itself ---


def test_missing_parents_look_as_they_do_below(unpack):
    layers = unpack(
        [
            entry("tmp", mode=0o1777, uid=7, gid=8, mtime=1000, pax_headers={"SCHILY.xattr.user.k": "v"}),
            ("only/here/f", "1"),
        ],
        [("tmp/x", "1")],
        [("tmp/deep/er/y", "2")],
    )
    for layer in layers[1:]:
        info = (layer / "tmp").stat()
        assert (stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid, info.st_mtime) == (0o1777, 7, 8, 1000)
        assert os.getxattr(layer / "tmp", "user.k") == b"v"
    assert stat.S_IMODE((layers[0] / "only/here").stat().st_mode) == 0o755


def test_a_whiteout_without_its_parent_does_not_change_it(unpack):
    layers = unpack([entry("etc", mode=0o700), ("etc/a", "1"), ("etc/b", "1")], [("etc/.wh.a", "")])
    assert stat.S_IMODE((layers[1] / "etc").stat().st_mode) == 0o700


def test_hard_links_within_a_layer_are_one_file(unpack):
    (layer,) = unpack([("a", "1"), link("b", "a", tarfile.LNKTYPE), link("./c", "./a", tarfile.LNKTYPE)])
    assert (layer / "a").stat().st_ino == (layer / "b").stat().st_ino == (layer / "c").stat().st_ino


def test_hard_links_to_lower_layers_become_copies(unpack):
    capability = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)
    target = entry("bin/tool", b"program", mode=0o4751, uid=5, gid=6, mtime=99,
                   pax_headers={"SCHILY.xattr.security.capability": capability.decode("latin1")})  # fmt: skip
    layers = unpack(
        [entry("bin", mode=0o711, mtime=50), target, link("lnk", "bin/tool")],
        [("other", "1")],
        [
            link("bin/alias", "bin/tool", tarfile.LNKTYPE),
            link("bin/again", "bin/alias", tarfile.LNKTYPE),
            link("lnk2", "lnk", tarfile.LNKTYPE),
        ],
    )
    copy = layers[2] / "bin/alias"
    info = copy.stat()
    assert copy.read_bytes() == b"program"
    assert (stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid, info.st_mtime) == (0o4751, 5, 6, 99)
    assert info.st_ino == (layers[2] / "bin/again").stat().st_ino
    assert os.getxattr(copy, "security.capability") == os.getxattr(layers[0] / "bin/tool", "security.capability")
    assert os.readlink(layers[2] / "lnk2") == "bin/tool"
    assert (stat.S_IMODE((layers[2] / "bin").stat().st_mode), (layers[2] / "bin").stat().st_mtime) == (0o711, 50)


def test_hard_links_to_the_same_lower_file_are_one_copy(unpack):
    layers = unpack(
        [entry("d"), ("d/f", "1"), link("l", "d")],
        [link("a", "d/f", tarfile.LNKTYPE), link("b", "d/f", tarfile.LNKTYPE), link("c", "l/f", tarfile.LNKTYPE)],
    )
    assert len({(layers[1] / name).stat().st_ino for name in "abc"}) == 1
    assert (layers[1] / "c").read_text() == "1"


def test_a_hard_link_to_a_lower_sparse_file_keeps_its_holes(fetcher, layout, directory):
    """A copy of its size would fill any disk, past every limit."""
    with open(directory / "sparse", "wb") as file:
        file.seek(1 << 40)
        file.write(b"tail")
        file.truncate(2 << 40)
    command = ["tar", "-S", "--format=posix", "-C", directory, "-c", "sparse"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    layout.image("t", [raw_layer(layout, raw), layout.layer(link("copy", "sparse", tarfile.LNKTYPE))])
    copy = fetcher.good(layout.reference("t"), limits={"unpacked": 1 << 20}).layers[1] / "copy"
    assert copy.stat().st_size == 2 << 40
    assert copy.stat().st_blocks < 1000
    with open(copy, "rb") as file:
        file.seek(1 << 40)
        assert file.read(6) == b"tail\0\0"


def test_a_hard_link_to_a_lower_file_works_when_that_layer_is_in_the_store_already(fetcher, layout):
    base = layout.layer(("f", "1"))
    layout.image("base", [base])
    fetcher.good(layout.reference("base"))
    layout.image("top", [base, layout.layer(link("g", "f", tarfile.LNKTYPE))])
    answer = fetcher.good(layout.reference("top"))
    assert (answer.layers[1] / "g").read_text() == "1"
    assert len(os.listdir(fetcher.store / "layers")) == 2, "the base is shared"


@pytest.mark.parametrize("hider", [[(".wh.f", "")], [("d/.wh..wh..opq", "")]])
def test_a_hard_link_to_what_a_layer_between_deletes_is_refused(fetcher, layout, hider):
    name = "f" if hider[0][0] == ".wh.f" else "d/f"
    layout.image("t", [layout.layer((name, "1")), layout.layer(*hider), layout.layer(link("g", name, tarfile.LNKTYPE))])
    fetcher.bad(layout.reference("t"), "'g'", "hard link", "in no layer")


def test_entries_below_a_symlink_that_stays_inside_follow_it(unpack):
    (layer,) = unpack(
        [
            ("usr", None),
            ("usr/lib", None),
            link("lib", "usr/lib"),
            ("lib/x", "1"),
            link("hard", "lib/x", tarfile.LNKTYPE),
        ]
    )
    assert (layer / "usr/lib/x").read_text() == "1"
    assert (layer / "hard").read_text() == "1"


def test_entries_below_a_lower_layers_symlink_follow_it(merged):
    root = merged(
        [
            ("usr", None),
            entry("usr/lib", mode=0o711),
            ("usr/lib/libc", "1"),
            link("lib", "usr/lib"),
            link("abs", "/usr/lib"),
        ],
        [("lib/x", "2"), ("lib/d/y", "2"), ("abs/z", "2")],
        [("usr/lib/x", "3"), ("lib/x", "4"), ("lib/.wh.libc", "")],
    )
    assert os.readlink(root / "lib") == "usr/lib"
    assert names(root / "lib/") == ["d", "x", "z"]
    assert (root / "lib/x").read_text() == "4"
    assert stat.S_IMODE((root / "usr/lib").stat().st_mode) == 0o711


# --- metadata ---


def test_metadata(unpack):
    (layer,) = unpack([
        entry("setuid", b"x", mode=0o6755, uid=1, gid=2, mtime=-1000.5),
        entry("sticky", mode=0o1777, mtime=1.25),
        entry("far", b"", uid=3_000_000_000, gid=4_294_967_294, mtime=4_102_444_800),
        entry("fifo", kind=tarfile.FIFOTYPE, mode=0o600),
        entry("null", kind=tarfile.CHRTYPE, mode=0o666, devmajor=1, devminor=3),
        entry("disk", kind=tarfile.BLKTYPE, mode=0o660, devmajor=8, devminor=0, gid=6),
        entry("link", kind=tarfile.SYMTYPE, linkname="/anywhere/../at all", uid=9, mtime=77),
        entry("attributes", b"x", pax_headers={"SCHILY.xattr.user.a": "1", "SCHILY.xattr.user.b\u00e9": "\u00ff"}),
    ])  # fmt: skip
    info = (layer / "setuid").stat()
    assert (stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid) == (0o6755, 1, 2)
    assert info.st_mtime == -1000.5
    assert (layer / "sticky").stat().st_mtime == 1.25
    assert stat.S_IMODE((layer / "sticky").stat().st_mode) == 0o1777
    info = (layer / "far").stat()
    assert (info.st_uid, info.st_gid, info.st_mtime) == (3_000_000_000, 4_294_967_294, 4_102_444_800)
    assert stat.S_ISFIFO((layer / "fifo").stat().st_mode)
    assert (layer / "null").stat().st_rdev == os.makedev(1, 3)
    info = (layer / "disk").stat()
    assert stat.S_ISBLK(info.st_mode) and info.st_rdev == os.makedev(8, 0) and info.st_gid == 6
    info = (layer / "link").lstat()
    assert (os.readlink(layer / "link"), info.st_uid, info.st_mtime) == ("/anywhere/../at all", 9, 77)
    assert os.getxattr(layer / "attributes", "user.a") == b"1"


def test_attributes_that_steer_the_host_are_dropped(unpack):
    headers = {f"SCHILY.xattr.{name}": "/" for name in
               ("trusted.overlay.redirect", "trusted.overlay.opaque", "user.overlay.opaque", "security.selinux")}  # fmt: skip
    (layer,) = unpack([entry("d", pax_headers=headers), ("d/x", "1")])
    assert os.listxattr(layer / "d") == []


def test_names_of_every_kind(fetcher, layout):
    long = "/".join(["n" * 100] * 20)
    strange = "bad\udcff\udcfe\n\x1b'\"name"
    layout.image("t", [layout.layer(("x" * 255, "1"), (long, "2"), (strange, "3"), ("é", "4"), link("l", "t" * 4000))])
    layer = fetcher.good(layout.reference("t")).layers[0]
    assert (layer / ("x" * 255)).read_text() == "1"
    assert (layer / long).read_text() == "2"
    assert (layer / strange).read_text() == "3"
    assert (layer / "é").read_text() == "4"
    assert os.readlink(layer / "l") == "t" * 4000


@pytest.mark.parametrize("version", ["oldgnu", "0.0", "0.1", "1.0"])
def test_sparse_files_keep_their_holes(fetcher, layout, directory, version):
    tree = directory / "store" / "tree"
    tree.mkdir(parents=True)
    with open(tree / "sparse", "wb") as file:
        file.write(b"head")
        file.seek(8 << 20)
        file.write(b"tail")
        file.truncate(16 << 20)
    style = ["--format=gnu"] if version == "oldgnu" else ["--format=posix", f"--sparse-version={version}"]
    raw = subprocess.run(["tar", "-S", *style, "-C", tree, "-c", "sparse"], check=True, capture_output=True).stdout
    layout.image("t", [raw_layer(layout, raw)])
    made = fetcher.good(layout.reference("t")).layers[0] / "sparse"
    assert made.read_bytes() == (tree / "sparse").read_bytes()
    assert made.stat().st_blocks < 1000


def raw_layer(layout, raw):
    """A layer of exactly these uncompressed bytes."""
    import hashlib

    from gantrytest.images import LAYER_GZIP

    digest = "sha256:" + hashlib.sha256(raw).hexdigest()
    return layout.blob(raw, LAYER_GZIP.removesuffix("+gzip")), digest


def test_odd_but_valid_archives(fetcher, layout):
    import io

    def tar(*entries):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as archive:
            for info, content in entries:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return out.getvalue()

    one = tar((tarfile.TarInfo("one"), b"1"))
    two = tar((tarfile.TarInfo("two"), b"2"))
    layout.image("t", [raw_layer(layout, raw) for raw in (b"", tar(), one + two, one + b"garbage" * 100)])
    layers = fetcher.good(layout.reference("t")).layers
    assert [names(layer) for layer in layers] == [[], [], ["one"], ["one"]]


def test_the_same_layer_twice(fetcher, layout):
    layer = layout.layer(("f", "1"))
    layout.image("t", [layer, layer])
    answer = fetcher.good(layout.reference("t"))
    assert [names(path) for path in answer.layers] == [["f"], ["f"]]
    assert answer.layers[0] != answer.layers[1]


def test_127_layers(fetcher, layout):
    layout.image("t", [layout.layer((f"f{i}", str(i))) for i in range(127)])
    answer = fetcher.good(layout.reference("t"))
    assert len(set(answer.layers)) == 127


def test_a_tree_comes_out_as_tar_unpacks_it(fetcher, layout, directory):
    """A whole directory of this machine, packed by tar and compared with what tar itself makes of it."""
    raw = subprocess.run(["tar", "--xattrs", "-C", "/", "-c", "etc", "usr/share/doc/bash", "usr/lib/python3.11/json", "bin/busybox"],
                         check=True, capture_output=True).stdout  # fmt: skip
    layout.image("t", [raw_layer(layout, raw)])
    layer = fetcher.good(layout.reference("t")).layers[0]
    expected = fetcher.store / "expected"
    expected.mkdir()
    subprocess.run(["tar", "--xattrs", "-C", expected, "-xp"], input=raw, check=True)

    def listing(root):
        found = subprocess.run(["find", ".", "-mindepth", "1", "-printf", r"%p %y %m %U %G %T@ %l %n %s\n"], cwd=root,
                               check=True, capture_output=True).stdout  # fmt: skip
        return sorted(line for line in found.splitlines() if b" d " not in line)

    assert listing(layer) == listing(expected)
    subprocess.run(["diff", "-r", "--no-dereference", layer, expected], check=True, stderr=subprocess.DEVNULL)
