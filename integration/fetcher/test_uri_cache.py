"""The cache: shared by containers, asked for news of its files, bounded, and whole whatever happens."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest


@pytest.fixture
def page(nginx, directory):
    path = nginx.root / directory.name
    path.write_text("first")
    os.utime(path, (1_000_000_000, 1_000_000_000))
    return path


def cached(uri, **more) -> dict:
    return {"value": str(uri), "cache": True} | more


def entries(uris) -> list[Path]:
    return list(Path(uris.cache["directory"], "entries").iterdir())


def test_a_file_is_transferred_once(uris, nginx, page):
    uri = f"{nginx.http}/{page.name}"
    assert uris.good(cached(uri)) == {"transferred": 5, "from_cache": 0, "cache_used": 5}
    uris.sandbox = uris.new_sandbox("second")
    assert uris.good(cached(uri)) == {"transferred": 0, "from_cache": 1, "cache_used": 5}
    assert uris.read(page.name) == "first"
    assert nginx.requests(f"/{page.name}") == ["200", "304"]


def test_a_changed_file_is_transferred_again(uris, nginx, page):
    uri = f"{nginx.http}/{page.name}"
    uris.good(cached(uri))
    page.write_text("second")
    assert uris.good(cached(uri))["from_cache"] == 0
    assert uris.read(page.name) == "second"
    assert len(entries(uris)) == 1


def test_a_file_that_is_gone_is_gone_from_the_cache_too(uris, nginx, page):
    uri = f"{nginx.http}/{page.name}"
    uris.good(cached(uri))
    page.unlink()
    uris.bad(cached(uri), code="NotFound", says=["404"])
    assert entries(uris) == []


def test_an_unreachable_server_does_not_matter_once_a_file_is_cached(uris, scripted):
    def once(handler):
        if len(server.requests) == 1:
            return handler.say(200, b"kept", ETag='"1"')
        return handler.say(500)

    server = scripted(once)
    uris.good(cached(f"{server.url}/x"))
    assert uris.good(cached(f"{server.url}/x"))["from_cache"] == 1
    assert uris.read("x") == "kept"


def test_a_server_that_names_no_version_is_not_asked_again(uris, scripted):
    server = scripted(lambda handler: handler.say(200, b"x"))
    uris.good(cached(f"{server.url}/x"))
    assert uris.good(cached(f"{server.url}/x"))["from_cache"] == 1
    assert len(server.requests) == 1


def test_a_file_of_unknown_size_is_cached(uris, scripted):
    def chunked(handler):
        handler.say(200, Transfer_Encoding="chunked", Content_Length=None)
        for _ in range(3):
            handler.wfile.write(b"5\r\nhello\r\n")
        handler.wfile.write(b"0\r\n\r\n")

    server = scripted(chunked)
    uris.good(cached(f"{server.url}/x"))
    assert uris.good(cached(f"{server.url}/x"))["from_cache"] == 1
    assert uris.read("x") == "hello" * 3


def test_archives_and_executables_from_the_cache(uris, directory):
    (directory / "d").mkdir()
    (directory / "d/x").write_text("x")
    assert os.system(f"tar -C {directory} -czf {directory}/a.tgz d") == 0
    for _ in range(2):
        uris.good(cached(directory / "a.tgz"), cached(directory / "d/x", executable=True))
        assert uris.read("d/x") == "x"
        assert sorted(os.listdir(uris.sandbox)) == ["d", "x"], "an archive from the cache does not stay"
        assert (uris.sandbox / "x").stat().st_mode & 0o7777 == 0o755
        uris.sandbox = uris.new_sandbox("next") if uris.sandbox.name == "sandbox" else uris.sandbox


def test_a_local_file_is_compared_and_its_rights_are_checked_each_time(uris, directory):
    file = directory / "file"
    file.write_text("old")
    assert uris.good(cached(file))["from_cache"] == 0
    assert uris.good(cached(file))["from_cache"] == 1
    before = file.stat()
    file.write_text("new")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert uris.good(cached(file))["from_cache"] == 0
    assert uris.read("file") == "new"
    file.chmod(0o600)
    uris.bad(cached(file), code="PermissionDenied")


def test_users_do_not_share(uris, nginx, page):
    uri = f"{nginx.http}/{page.name}"
    uris.good(cached(uri))
    uris.user = {"uid": 1001, "gid": 1001}
    uris.sandbox = uris.new_sandbox("other")
    assert uris.good(cached(uri))["from_cache"] == 0
    assert len(entries(uris)) == 2
    for directory, names, _ in os.walk(uris.cache["directory"]):
        assert os.stat(directory).st_mode & 0o7777 == 0o700


def test_the_least_recently_used_make_room(uris, scripted):
    server = scripted(
        lambda handler: handler.say(200, b"x" * 400, ETag='"1"')
        if "If-None-Match" not in handler.headers
        else handler.say(304)
    )
    uris.cache["size"] = 1000
    uris.good(cached(f"{server.url}/a"))
    uris.good(cached(f"{server.url}/b"))
    uris.good(cached(f"{server.url}/a"))
    uris.good(cached(f"{server.url}/c"))
    assert uris.good(cached(f"{server.url}/a"))["from_cache"] == 1
    assert uris.good(cached(f"{server.url}/b"))["from_cache"] == 0


@pytest.mark.parametrize("tells_size", [True, False])
def test_what_is_larger_than_the_cache_goes_past_it(uris, scripted, tells_size):
    body = b"x" * 3000

    def answer(handler):
        handler.close_connection = True
        handler.say(200, body, Content_Length=len(body) if tells_size else None)

    uris.cache["size"] = 1000
    assert uris.good(cached(f"{scripted(answer).url}/x"))["cache_used"] == 0
    assert len(uris.read("x")) == 3000
    assert entries(uris) == []


def test_containers_at_the_same_time_share_one_transfer(uris, scripted):
    def slow(handler):
        handler.say(200, b"", Content_Length=50, ETag='"1"')
        for _ in range(5):
            handler.wfile.write(b"x" * 10)
            handler.wfile.flush()
            time.sleep(0.1)

    server = scripted(slow)
    running = []
    for number in range(8):
        sandbox = uris.new_sandbox(f"s{number}")
        running.append((sandbox, uris.start(cached(f"{server.url}/x"), sandbox=str(sandbox))))
    answers = [(sandbox, uris.end(process)) for sandbox, process in running]
    assert all(answer.status == 0 for _, answer in answers)
    assert all((sandbox / "x").read_text() == "x" * 50 for sandbox, _ in answers)
    assert sum(answer.fetched["from_cache"] for _, answer in answers) == 7
    assert len(server.requests) == 1


def test_a_fetcher_that_dies_lets_the_next_one_fetch(uris, scripted):
    def stall_first(handler):
        if len(server.requests) == 1:
            handler.say(200, b"x" * 10, Content_Length=1000)
            time.sleep(20)
        else:
            handler.say(200, b"whole")

    server = scripted(stall_first)
    first = uris.start(cached(f"{server.url}/x"))
    deadline = time.monotonic() + 10
    while not server.requests:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.2)
    second = uris.start(cached(f"{server.url}/x"), sandbox=str(uris.new_sandbox("second")))
    time.sleep(0.3)
    assert second.poll() is None
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert uris.end(second).status == 0
    assert (uris.directory / "second/x").read_text() == "whole"
    assert os.listdir(Path(uris.cache["directory"], "staging")) == []


def test_killing_fetchers_at_any_moment_leaves_the_cache_whole(uris, scripted):
    body = os.urandom(200_000)
    server = scripted(lambda handler: handler.say(200, body))
    for number in range(25):
        running = uris.start(cached(f"{server.url}/{number % 3}"))
        time.sleep(0.004 * number)
        running.send_signal(signal.SIGKILL)
        running.communicate()
    for name in "012":
        uris.good(cached(f"{server.url}/{name}"))
        assert (uris.sandbox / name).read_bytes() == body
    assert len(entries(uris)) == 3


def test_a_failed_transfer_is_not_cached(uris, scripted):
    def cut_first(handler):
        if len(server.requests) == 1:
            handler.close_connection = True
            return handler.say(200, b"half", Content_Length=100)
        return handler.say(200, b"whole")

    server = scripted(cut_first)
    uris.bad(cached(f"{server.url}/x"), code="Unavailable")
    assert entries(uris) == []
    uris.good(cached(f"{server.url}/x"))
    assert uris.read("x") == "whole"


def test_many_containers_with_different_files_fit_into_a_small_cache(uris, scripted):
    server = scripted(lambda handler: handler.say(200, handler.path.encode() * 50))
    uris.cache["size"] = 600
    failures = []

    def fetch(number):
        sandbox = uris.new_sandbox(f"s{number}")
        answer = uris.fetch(*(cached(f"{server.url}/{(number + i) % 7}") for i in range(7)), sandbox=str(sandbox))
        if answer.status != 0 or answer.fetched["cache_used"] > 600:
            failures.append(answer)

    threads = [threading.Thread(target=fetch, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_cache_that_cannot_be_used_is_done_without(uris, scripted):
    server = scripted(lambda handler: handler.say(200, b"x"))
    Path(uris.cache["directory"]).write_text("a file")
    assert uris.good(cached(f"{server.url}/x")) == {"transferred": 1, "from_cache": 0, "cache_used": 0}
    assert uris.read("x") == "x"
