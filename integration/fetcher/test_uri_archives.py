"""Archives: good ones of every kind, and ones that want to write where they must not."""

import bz2
import gzip
import io
import lzma
import os
import subprocess
import tarfile
import zipfile

import pytest

from gantrytest.images import link


def tar(*entries, format=tarfile.PAX_FORMAT, encoding="utf-8") -> bytes:
    """Entries are (name, content), (name, None) for a directory, or a (TarInfo, content)."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=format, encoding=encoding, errors="surrogateescape") as archive:
        for what, content in entries:
            info = what
            if not isinstance(what, tarfile.TarInfo):
                info = tarfile.TarInfo(what)
                info.mode = 0o755
                info.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            if content is not None:
                content = content.encode() if isinstance(content, str) else content
                info.size = len(content)
            archive.addfile(info, io.BytesIO(content) if content is not None else None)
    return raw.getvalue()


def zstd(content: bytes) -> bytes:
    return subprocess.run(["zstd", "-q", "-c"], input=content, capture_output=True, check=True).stdout


def entry(name: str, **members) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for member, value in members.items():
        setattr(info, member, value)
    return info


@pytest.fixture
def pack(uris):
    """Puts an archive where a URI can name it."""

    def write(name: str, content: bytes):
        path = uris.directory / name
        path.write_bytes(content)
        return path

    return write


GOOD = tar(("bin/", None), ("bin/run", "#!/bin/sh"), ("lib/a", "a"))


@pytest.mark.parametrize(
    "name, compress",
    [
        ("a.tar", lambda raw: raw),
        ("a.tgz", gzip.compress),
        ("a.tar.gz", gzip.compress),
        ("a.tbz2", bz2.compress),
        ("a.tar.bz2", bz2.compress),
        ("a.txz", lzma.compress),
        ("a.tar.xz", lzma.compress),
        ("a.tzst", zstd),
        ("a.tar.zst", zstd),
        # What it is is told by its first bytes.
        ("plain.tar.gz", lambda raw: raw),
        ("gzip.tar", gzip.compress),
    ],
)
def test_tars_of_every_compression(uris, pack, name, compress):
    uris.good(pack(name, compress(GOOD)))
    assert uris.read("bin/run") == "#!/bin/sh"
    assert (uris.sandbox / "bin/run").stat().st_mode & 0o7777 == 0o755
    assert uris.read("lib/a") == "a"
    assert (uris.sandbox / name).exists(), "the archive stays, unless it came from the cache"


def test_zips_with_their_modes_and_links(uris, pack):
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("d/plain", "x" * 10000)
        tool = zipfile.ZipInfo("d/tool")
        tool.external_attr = 0o100755 << 16
        archive.writestr(tool, "tool")
        points = zipfile.ZipInfo("d/link")
        points.external_attr = 0o120777 << 16
        archive.writestr(points, "plain")
        archive.writestr("d/grüße", "hello")
    uris.good(pack("a.zip", raw.getvalue()))
    assert uris.read("d/link") == "x" * 10000
    assert (uris.sandbox / "d/tool").stat().st_mode & 0o7777 == 0o755
    assert os.readlink(uris.sandbox / "d/link") == "plain"
    assert uris.read("d/grüße") == "hello"


def test_an_archive_is_left_alone_when_it_is_not_to_be_extracted(uris, pack):
    path = pack("a.tgz", gzip.compress(GOOD))
    uris.good({"value": str(path), "extract": False})
    assert os.listdir(uris.sandbox) == ["a.tgz"]
    uris.good({"value": str(path), "executable": True})
    assert os.listdir(uris.sandbox) == ["a.tgz"]
    assert (uris.sandbox / "a.tgz").stat().st_mode & 0o7777 == 0o755


def test_an_archive_goes_to_the_top_of_the_sandbox_wherever_it_lies(uris, pack):
    uris.good({"value": str(pack("x", gzip.compress(GOOD))), "output_file": "deep/down.tar.gz"})
    assert uris.read("lib/a") == "a"
    assert (uris.sandbox / "deep/down.tar.gz").exists()


def test_names_of_every_kind(uris, pack):
    long = "/".join(["directory" * 10] * 20) + "/file"
    names = ["sp ace", "grüße/ÿ", "新しい", "-dash", long, "./dotted/./x", "doubled//slash"]
    uris.good(pack("a.tar", tar(*((name, "x") for name in names))))
    for name in names:
        assert uris.read(name) == "x"
    uris.good(pack("b.tar", tar(("caf\udce9", "latin"), format=tarfile.GNU_FORMAT)))
    assert (uris.sandbox / os.fsdecode(b"caf\xe9")).read_text() == "latin"


def test_times_and_tamed_modes(uris, pack):
    uris.good(
        pack(
            "a.tar",
            tar(
                (entry("closed", type=tarfile.DIRTYPE, mode=0o555, mtime=1_000_000_000), None),
                (entry("closed/in", mode=0o6777, mtime=1_000_000_001), "x"),
                (entry("odd", mode=0o7400, uid=0, gid=0, mtime=-5), "x"),
            ),
        )
    )
    closed = (uris.sandbox / "closed").stat()
    assert (closed.st_mode & 0o7777, closed.st_mtime) == (0o555, 1_000_000_000)
    inside = (uris.sandbox / "closed/in").stat()
    assert (inside.st_mode & 0o7777, inside.st_mtime) == (0o755, 1_000_000_001)
    assert (uris.sandbox / "odd").stat().st_mode & 0o7777 == 0o400


def test_links_inside(uris, pack):
    uris.good(
        pack(
            "a.tar",
            tar(
                ("real/", None),
                link("alias", "real"),
                ("alias/through", "x"),
                link("hard", "real/through", tarfile.LNKTYPE),
                link("absolute", "/etc/ssl/certs/java/cacerts"),
                link("dangling", "../nowhere"),
            ),
        )
    )
    assert uris.read("real/through") == "x"
    assert (uris.sandbox / "hard").stat().st_ino == (uris.sandbox / "real/through").stat().st_ino
    assert os.readlink(uris.sandbox / "absolute") == "/etc/ssl/certs/java/cacerts"


def test_a_later_entry_replaces_an_earlier_one(uris, pack):
    uris.good(
        pack(
            "a.tar",
            tar(
                ("x", "first"),
                ("x", "second"),
                link("y", "x"),
                ("y", "file now"),
                link("z", "nowhere"),
                ("z/", None),
                ("z/in", "z"),
            ),
        )
    )
    assert (uris.read("x"), uris.read("y"), uris.read("z/in")) == ("second", "file now", "z")


def test_sparse_files(uris, pack):
    path = uris.directory / "sparse"
    with open(path, "wb") as file:
        file.write(b"a" * 4096)
        file.seek(5 << 20)
        file.write(b"b")
        file.truncate(10 << 20)
    subprocess.run(["tar", "-cSf", uris.directory / "s.tar", "-C", uris.directory, "sparse"], check=True)
    uris.good(uris.directory / "s.tar")
    assert (uris.sandbox / "sparse").read_bytes() == path.read_bytes()
    assert (uris.sandbox / "sparse").stat().st_blocks < 1000


def test_empty_archives(uris, pack):
    uris.good(pack("zeros.tar", tar()), pack("nothing.tar", b""), pack("packed.tar.gz", gzip.compress(tar())))
    assert sorted(os.listdir(uris.sandbox)) == ["nothing.tar", "packed.tar.gz", "zeros.tar"]


@pytest.mark.parametrize(
    "entries, says",
    [
        ([("/etc/canary", "x")], ["'/etc/canary'", "absolute"]),
        ([("../outside/new", "x")], ["'../outside/new'", "leads out"]),
        ([("a/../../outside/new", "x")], ["leads out"]),
        ([link("out", "../outside"), ("out/new", "x")], ["'out' leads out of the sandbox"]),
        ([link("out", "/proc/1/root/tmp"), ("out/new", "x")], ["leads out of the sandbox"]),
        ([link("a", "b"), link("b", "../outside"), ("a/new", "x")], ["leads out of the sandbox"]),
        ([("d/", None), link("d/up", "../../outside"), ("d/up/new", "x")], ["leads out of the sandbox"]),
        ([link("a", "a"), ("a/new", "x")], ["is a loop of symlinks"]),
        ([link("hard", "../outside/canary", tarfile.LNKTYPE)], ["target of the hard link", "leads out"]),
        ([link("hard", "/etc/passwd", tarfile.LNKTYPE)], ["target of the hard link", "absolute"]),
        ([link("out", "../outside"), link("hard", "out/canary", tarfile.LNKTYPE)], ["leads out of the sandbox"]),
        ([link("hard", "missing", tarfile.LNKTYPE)], ["'missing', which is not in the sandbox"]),
        ([("d/", None), link("hard", "d", tarfile.LNKTYPE)], ["hard link to a directory"]),
        ([(entry("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3), None)], ["'null'", "is a device or a pipe"]),
        ([(entry("disk", type=tarfile.BLKTYPE, devmajor=8), None)], ["is a device or a pipe"]),
        ([(entry("pipe", type=tarfile.FIFOTYPE), None)], ["is a device or a pipe"]),
        ([("d/", None), ("d", "x")], ["'d' is a directory already"]),
        ([("f", "x"), ("f/below", "x")], ["'f' is no directory"]),
        ([("a/" * 300 + "x", "x")], ["more than 256 parts"]),
        ([("n" * 300, "x")], ["File name too long"]),
    ],
)
def test_hostile_entries(uris, pack, entries, says):
    path = pack("a.tar", tar(*entries))
    uris.bad(path, says=[f"'{path}': unpack: ", *says])


def test_a_hard_link_to_a_symlink_does_not_reach_its_target(uris, pack):
    uris.good(
        pack("a.tar", tar(link("out", "../outside/canary"), link("hard", "out", tarfile.LNKTYPE), ("hard", "mine")))
    )
    assert (uris.canary / "canary").read_text() == "untouched"
    assert uris.read("hard") == "mine"


def test_a_symlink_that_one_archive_planted_does_not_lead_the_next_one_out(uris, pack):
    first = pack("a.tar", tar(link("out", str(uris.canary)), link("file", str(uris.canary / "canary"))))
    uris.bad(first, pack("b.tar", tar(("out/new", "x"))), says=["b.tar", "'out' leads out of the sandbox"])
    uris.good(pack("c.tar", tar(("file", "mine"))))
    assert (uris.canary / "canary").read_text() == "untouched"
    assert uris.read("file") == "mine"


def test_hostile_zips(uris, pack):
    for name in ("../outside/new", "/etc/canary"):
        raw = io.BytesIO()
        with zipfile.ZipFile(raw, "w") as archive:
            archive.writestr(name, "x")
        uris.bad(pack("a.zip", raw.getvalue()), says=[name])
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        points = zipfile.ZipInfo("out")
        points.external_attr = 0o120777 << 16
        archive.writestr(points, str(uris.canary))
        archive.writestr("out/new", "x")
    uris.bad(pack("b.zip", raw.getvalue()), says=["'out' leads out of the sandbox"])


@pytest.mark.parametrize(
    "name, content",
    [
        ("page.tar.gz", b"<html>404</html>"),
        ("cut.tar.gz", gzip.compress(os.urandom(4) + GOOD)[:-20]),
        ("cut.tar", tar(("x", "y" * 5000))[:2000]),
        ("cut.tar.xz", lzma.compress(GOOD)[:-30]),
        ("cut.zip", b"PK\3\4" + b"\0" * 10),
        ("damaged.tar.gz", gzip.compress(GOOD)[:50] + b"\xff" * 40),
        ("seven.zip", b"7z\xbc\xaf\x27\x1c" + b"\0" * 100),
    ],
)
def test_broken_archives(uris, pack, name, content):
    path = pack(name, content)
    uris.bad(path, says=[f"'{path}': unpack: ", "the archive is broken"])


def test_bombs_end_at_their_limit(uris, pack):
    raw = gzip.compress(tar(("zeros", b"\0" * (30 << 20))))
    limits = {"unpacked": 10 << 20, "entries": 100}
    uris.bad(pack("a.tgz", raw), code="Exhausted", says=["unpacks to more than 10MiB"], limits=limits)
    uris.bad(
        pack("b.gz", gzip.compress(b"\0" * (30 << 20))),
        code="Exhausted",
        says=["unpacks to more than 10MiB"],
        limits=limits,
    )
    many = pack("c.tar", tar(*((f"f{i}", "") for i in range(101))))
    uris.bad(many, code="Exhausted", says=["more than 100 entries"], limits=limits)


def test_an_archive_that_unpacks_over_itself(uris, pack):
    path = pack("a.tar", tar(("a.tar", "gone"), ("b", "still there")))
    uris.good(path)
    assert (uris.read("a.tar"), uris.read("b")) == ("gone", "still there")
