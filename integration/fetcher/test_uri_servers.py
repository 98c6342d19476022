"""Files from servers: Debian's nginx and vsftpd, with and without TLS, and servers that misbehave."""

import os
import time

import pytest

from gantrytest import servers
from gantrytest.images import free_port


@pytest.fixture
def page(nginx, directory):
    """A file on nginx that no other test has: its path."""
    name = directory.name
    (nginx.root / name).write_text("served")
    return f"/{name}"


def ftp(session, authority=None):
    made = servers.Vsftpd(session.temporary("ftp"), authority)
    (made.root / "notes.txt").write_text("by ftp")
    (made.root / "empty").write_text("")
    return made


@pytest.fixture(scope="session")
def plain_ftp(session):
    made = ftp(session)
    yield made
    made.stop()


@pytest.fixture(scope="session")
def tls_ftp(session, authority):
    made = ftp(session, authority)
    yield made
    made.stop()


def test_http(uris, nginx, page):
    (nginx.root / "empty").write_text("")
    answer = uris.good(nginx.http + page, nginx.http + "/empty")
    assert uris.read(page[1:]) == "served"
    assert uris.read("empty") == ""
    assert (uris.sandbox / page[1:]).stat().st_mode & 0o7777 == 0o644
    assert answer["transferred"] == len("served")


def test_a_query_is_part_of_the_name(uris, nginx, page):
    uris.good(f"{nginx.http}{page}?a=b&c")
    assert os.listdir(uris.sandbox) == [f"{page[1:]}?a=b&c"]


def test_https_trusts_what_the_operator_adds_and_nobody_else(uris, nginx, page, authority):
    message = uris.bad(nginx.https + page, code="PermissionDenied", says=["certificate"])
    assert message.startswith(f"'{nginx.https}{page}': ")
    uris.good(nginx.https + page, ca_file=str(authority.certificate))
    assert uris.read(page[1:]) == "served"


def test_https_checks_the_name_of_the_server(uris, nginx, page, authority):
    other = nginx.https.replace("127.0.0.1", "127.0.0.2")
    answer = uris.fetch(other + page, ca_file=str(authority.certificate))
    assert answer.status == 1


def test_the_environment_may_name_certificates_too(uris, nginx, page, authority, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    os.chmod(authority.certificate, 0o644)
    uris.good(nginx.https + page)


def test_a_ca_file_that_cannot_be_read_is_named(uris, nginx, page):
    uris.bad(nginx.https + page, code="NotFound", says=["ca_file: open '/nowhere.pem'"], ca_file="/nowhere.pem")


def test_passwords_in_the_uri(uris, nginx):
    (nginx.root / "private/x").write_text("private")
    uris.good(nginx.http.replace("//", "//user:secret@") + "/private/x")
    assert uris.read("x") == "private"
    uris.bad(nginx.http + "/private/x", code="PermissionDenied", says=["the server answers 401"])


def test_redirects(uris, nginx, page, authority):
    uris.good(f"{nginx.http}/moved{page}")
    uris.good({"value": f"{nginx.http}/up{page}", "output_file": "up"}, ca_file=str(authority.certificate))
    assert (uris.read(page[1:]), uris.read("up")) == ("served", "served")
    down = f"{nginx.https}/down{page}"
    uris.bad(down, code="PermissionDenied", says=["redirects to where"], ca_file=str(authority.certificate))
    uris.bad(f"{nginx.http}/to-file", code="PermissionDenied", says=["redirects to where"])
    uris.bad(f"{nginx.http}/loop", code="Unavailable", says=["redirects"])


@pytest.mark.parametrize("path, status, code", [("/none", 404, "NotFound"), ("/broken", 500, "Unavailable")])
def test_refusals_of_the_server(uris, nginx, path, status, code):
    uri = nginx.http + path
    message = uris.bad(uri, code=code)
    assert message == f"'{uri}': the server answers {status}"
    assert os.listdir(uris.sandbox) == []


def test_nobody_answers(uris):
    uri = f"http://127.0.0.1:{free_port()}/x"
    message = uris.bad(uri, code="Unavailable", says=["connect"])
    assert message.startswith(f"'{uri}': ")
    uris.bad("http://no.such.host.invalid/x", code="Unavailable", says=["resolve"])


def test_ftp(uris, plain_ftp):
    uris.good(f"{plain_ftp.url}/notes.txt", f"{plain_ftp.url}/empty")
    assert (uris.read("notes.txt"), uris.read("empty")) == ("by ftp", "")
    uris.bad(f"{plain_ftp.url}/none", code="NotFound", says=["/none': ", "550"])


def test_ftps(uris, tls_ftp, authority):
    uris.bad(f"{tls_ftp.url}/notes.txt", code="PermissionDenied", says=["certificate"])
    uris.good(f"{tls_ftp.url}/notes.txt", ca_file=str(authority.certificate))
    assert uris.read("notes.txt") == "by ftp"


def test_ftp_through_the_cache_notices_a_new_file(uris, plain_ftp):
    file = plain_ftp.root / "changing"
    file.write_text("old")
    asked = {"value": f"{plain_ftp.url}/changing", "cache": True}
    assert uris.good(asked)["from_cache"] == 0
    assert uris.good(asked)["from_cache"] == 1
    file.write_text("newer")
    assert uris.good(asked)["from_cache"] == 0
    assert uris.read("changing") == "newer"


def test_an_answer_other_than_200_is_no_file(uris, scripted):
    server = scripted(lambda handler: handler.say(204))
    uris.bad(f"{server.url}/x", code="Unavailable", says=["the server answers 204"])
    assert os.listdir(uris.sandbox) == []


def test_a_transfer_that_breaks_off_leaves_nothing(uris, scripted):
    def cut(handler):
        handler.say(200, b"only this", Content_Length=1000)
        handler.close_connection = True

    uris.bad(f"{scripted(cut).url}/x", code="Unavailable")
    assert os.listdir(uris.sandbox) == []


def test_a_stall_is_given_up(uris, scripted):
    def stall(handler):
        handler.say(200, b"x" * 10, Content_Length=1000)
        handler.wfile.flush()
        time.sleep(20)

    started = time.monotonic()
    uris.bad(f"{scripted(stall).url}/x", code="Timeout", says=["too slow"], stall_timeout=2)
    assert 1.5 < time.monotonic() - started < 10


def test_a_slow_but_steady_server_is_waited_for(uris, scripted):
    def drip(handler):
        handler.say(200, b"", Content_Length=80)
        for _ in range(16):
            handler.wfile.write(b"x" * 5)
            handler.wfile.flush()
            time.sleep(0.2)

    uris.good(f"{scripted(drip).url}/x", stall_timeout=2)
    assert len(uris.read("x")) == 80


def test_what_fails_for_a_moment_is_tried_again(uris, scripted):
    def recover(handler):
        if len(server.requests) < 3:
            return handler.say(503)
        return handler.say(200, b"at last")

    server = scripted(recover)
    uris.good(f"{server.url}/x")
    assert uris.read("x") == "at last"


def test_progress_is_told_by_uri(uris, scripted):
    def slow(handler):
        handler.say(200, b"", Content_Length=5 << 20)
        for _ in range(5):
            handler.wfile.write(b"x" * (1 << 20))
            time.sleep(0.25)

    server = scripted(slow)
    answer = uris.fetch(f"{server.url}/a", f"{server.url}/b")
    assert answer.status == 0
    told = [(each["uri"], each["total"]) for each in answer.progress if each["step"] == "download"]
    assert {0, 1} == {uri for uri, _ in told}
    assert {5 << 20} == {total for _, total in told}
    done = [each["done"] for each in answer.progress if each["uri"] == 1]
    assert done == sorted(done) and len(done) > 2


def test_uris_are_fetched_one_after_the_other(uris, scripted):
    running = []

    def watch(handler):
        running.append(handler.path)
        time.sleep(0.2)
        assert running[-1] == handler.path
        handler.say(200, b"x")

    server = scripted(watch)
    uris.good(*(f"{server.url}/{name}" for name in "abc"))
    assert running == ["/a", "/b", "/c"]


def test_control_characters_and_header_tricks_reach_no_server(uris, nginx):
    uris.bad(nginx.http + "/x\r\nHost: other", says=["control character"])
