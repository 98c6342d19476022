"""Files of this host and what a request may ask for: names, modes, owners, rights."""

import gzip
import os
import shutil
import signal
import socket
import time

import pytest

NOBODY_READS = 0o600


@pytest.fixture
def source(uris):
    made = uris.directory / "source"
    made.mkdir()
    (made / "plain.txt").write_text("plain")
    (made / "tool").write_text("#!/bin/sh\n")
    (made / "tool").chmod(0o755)
    return made


def test_a_local_file_is_copied_by_path_and_by_file_uri(uris, source):
    uris.good(source / "plain.txt", {"value": f"file://{source}/plain.txt", "output_file": "again"})
    assert uris.read("plain.txt") == "plain"
    assert uris.read("again") == "plain"
    assert (uris.sandbox / "plain.txt").stat().st_mode & 0o7777 == 0o644


def test_executables_are_made_so_and_others_keep_their_mode(uris, source):
    uris.good({"value": str(source / "plain.txt"), "executable": True}, source / "tool")
    assert (uris.sandbox / "plain.txt").stat().st_mode & 0o7777 == 0o755
    assert (uris.sandbox / "tool").stat().st_mode & 0o7777 == 0o755


def test_output_files_get_their_directories(uris, source):
    uris.good({"value": str(source / "plain.txt"), "output_file": "a/b/c"})
    assert uris.read("a/b/c") == "plain"
    assert (uris.sandbox / "a/b").stat().st_mode & 0o7777 == 0o755


def test_a_file_replaces_what_has_its_name_but_no_directory(uris, source):
    (uris.sandbox / "plain.txt").write_text("old")
    (uris.sandbox / "link").symlink_to(uris.canary / "canary")
    for entry in ("plain.txt", "link"):
        os.chown(uris.sandbox / entry, 1000, 1000, follow_symlinks=False)
    uris.good(source / "plain.txt", {"value": str(source / "plain.txt"), "output_file": "link"})
    assert uris.read("plain.txt") == "plain"
    assert not (uris.sandbox / "link").is_symlink()
    assert (uris.canary / "canary").read_text() == "untouched"
    (uris.sandbox / "directory").mkdir()
    os.chown(uris.sandbox / "directory", 1000, 1000)
    uris.bad(
        {"value": str(source / "plain.txt"), "output_file": "directory"}, says=["'directory' is a directory already"]
    )


def test_files_are_read_with_the_rights_of_the_user(uris, source):
    secret = source / "secret"
    secret.write_text("secret")
    secret.chmod(NOBODY_READS)
    message = uris.bad(secret, code="PermissionDenied", says=[str(secret), "Permission denied"])
    assert message.startswith(f"'{secret}': ")
    os.chown(secret, 0, 4242)
    secret.chmod(0o640)
    uris.bad(secret, code="PermissionDenied")
    uris.user["groups"] = [4242]
    uris.good(secret)
    assert uris.read("secret") == "secret"


def test_root_without_its_capabilities_reads_what_root_owns(uris, source):
    (source / "root").write_text("root")
    (source / "root").chmod(NOBODY_READS)
    other = source / "other"
    other.write_text("other")
    other.chmod(NOBODY_READS)
    os.chown(other, 1000, 1000)
    uris.user = {"uid": 0, "gid": 0}
    uris.sandbox = uris.new_sandbox("of-root")
    uris.good(source / "root")
    uris.bad(other, code="PermissionDenied")


@pytest.mark.parametrize("kind", ["directory", "pipe", "socket", "device", "missing", "loop"])
def test_what_is_no_file_is_refused(uris, source, kind):
    path = source / kind
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path, 0o666)
        path.chmod(0o666)
    elif kind == "socket":
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(path))
        path.chmod(0o666)
    elif kind == "device":
        os.mknod(path, 0o666 | 0o020000, os.makedev(1, 5))
        path.chmod(0o666)
    elif kind == "loop":
        path.symlink_to("loop")
    reason, code = {
        "directory": ("is a directory", "InvalidArgument"),
        "pipe": ("is no regular file", "InvalidArgument"),
        "socket": ("No such device or address", "Internal"),
        "device": ("is no regular file", "InvalidArgument"),
        "missing": ("No such file or directory", "NotFound"),
        "loop": ("symbolic links", "InvalidArgument"),
    }[kind]
    answer = uris.fetch(path)
    assert answer.status == 1
    assert reason in answer.error["message"] and str(path) in answer.error["message"]


def test_files_without_a_size_are_read_to_their_end(uris):
    uris.good("/proc/cpuinfo")
    assert "processor" in uris.read("cpuinfo")


def test_relative_paths_begin_in_the_frameworks_home(uris, source):
    uris.bad("plain.txt", says=["'plain.txt': the path is relative"])
    uris.good("plain.txt", frameworks_home=str(source))
    assert uris.read("plain.txt") == "plain"


@pytest.mark.parametrize("scheme", ["hdfs", "s3", "gopher", "dict", "scp"])
def test_other_schemes_are_refused_by_name(uris, scheme):
    uris.bad(f"{scheme}://host/x", code="Unsupported", says=[f"'{scheme}://host/x': the scheme '{scheme}'"])


def test_nothing_is_fetched_when_one_uri_is_wrong(uris, source):
    uris.bad(source / "plain.txt", {"value": "/x", "output_file": "../x"}, says=["'/x': output_file: '../x'"])
    assert os.listdir(uris.sandbox) == []


def test_what_was_complete_stays_when_a_later_uri_fails(uris, source):
    uris.bad(source / "plain.txt", source / "missing", code="NotFound")
    assert os.listdir(uris.sandbox) == ["plain.txt"]


def test_no_uris_are_no_work(uris):
    assert uris.good() == {"transferred": 0, "from_cache": 0, "cache_used": 0}


def test_a_sandbox_that_is_a_symlink_or_missing_is_refused(uris, source):
    link = uris.directory / "link"
    link.symlink_to(uris.canary)
    for sandbox in (link, uris.directory / "missing"):
        answer = uris.fetch(source / "plain.txt", sandbox=str(sandbox))
        assert answer.error["message"].startswith("sandbox: ")
    assert os.listdir(uris.canary) == ["canary"]


def test_a_sandbox_of_another_user_cannot_be_written_to(uris, source):
    os.chown(uris.sandbox, 1001, 1001)
    answer = uris.fetch(source / "plain.txt")
    assert answer.error["code"] == "PermissionDenied"
    assert "write into the sandbox" in answer.error["message"]


def test_directories_prepared_as_symlinks_do_not_lead_out(uris, source):
    for name, target in (("out", uris.canary), ("up", "../outside"), ("proc", "/proc/1/root")):
        (uris.sandbox / name).symlink_to(target)
        os.chown(uris.sandbox / name, 1000, 1000, follow_symlinks=False)
        uris.bad(
            {"value": str(source / "plain.txt"), "output_file": f"{name}/x"},
            says=[f"'{name}' leads out of the sandbox"],
        )
    (uris.sandbox / "inside").mkdir()
    (uris.sandbox / "in").symlink_to("inside")
    os.chown(uris.sandbox / "inside", 1000, 1000)
    os.chown(uris.sandbox / "in", 1000, 1000, follow_symlinks=False)
    uris.good({"value": str(source / "plain.txt"), "output_file": "in/x"})
    assert uris.read("inside/x") == "plain"


def test_a_full_disk_is_named_and_leaves_no_part(uris, source, session):
    with open(source / "large", "wb") as file:
        file.truncate(8 << 20)
    small = uris.new_sandbox("small")
    assert os.system(f"mount -t tmpfs -o size=1m,uid=1000,gid=1000,mode=750 tmpfs {small}") == 0
    try:
        uris.sandbox = small
        uris.bad(source / "large", code="Exhausted", says=["No space left on device"])
        assert os.listdir(small) == []
    finally:
        assert os.system(f"umount {small}") == 0


def test_killing_the_fetcher_ends_everything_of_it(uris, scripted):
    def stall(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        handler.wfile.write(b"x" * 1000)
        time.sleep(30)

    server = scripted(stall)
    running = uris.start(f"{server.url}/x")
    deadline = time.monotonic() + 10
    while ".gantry-fetching" not in os.listdir(uris.sandbox):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    # That no process is left is for the leak check to see. The next fetch clears up.
    (uris.directory / "y").write_text("y")
    uris.good(uris.directory / "y")
    assert os.listdir(uris.sandbox) == ["y"]


def test_the_password_in_a_uri_is_not_shown(uris):
    answer = uris.fetch("http://user:hunter2@127.0.0.1:1/x")
    assert "user:***@127.0.0.1:1/x" in answer.error["message"]
    assert "hunter2" not in answer.error["message"] + answer.log


def test_a_packed_file_is_unpacked_beside_itself(uris, source):
    with gzip.open(source / "notes.txt.gz", "wb") as packed:
        packed.write(b"first ")
    with open(source / "notes.txt.gz", "ab") as file:
        file.write(gzip.compress(b"second"))
    uris.good(
        source / "notes.txt.gz", {"value": str(source / "notes.txt.gz"), "output_file": "d/kept.gz", "extract": False}
    )
    assert uris.read("notes.txt") == "first second"
    assert (uris.sandbox / "notes.txt.gz").exists()
    assert os.listdir(uris.sandbox / "d") == ["kept.gz"]


def test_a_packed_file_that_is_none_is_refused(uris, source):
    shutil.copy(source / "plain.txt", source / "lie.gz")
    uris.bad(source / "lie.gz", says=["unpack: is compressed by neither gzip nor zstd"])
    (source / "cut.gz").write_bytes(gzip.compress(os.urandom(5000))[:-100])
    uris.bad(source / "cut.gz", says=["cut.gz': unpack: "])
    (source / "...gz").write_bytes(gzip.compress(b"x"))
    uris.bad(source / "...gz", says=["unpack: '..': the name leads out"])
