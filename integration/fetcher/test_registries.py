"""Registries: Debian's real one, and ones that lie, redirect and ask for credentials."""

import base64
import json
import os
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gantrytest import images
from gantrytest.images import INDEX, LyingRegistry

CREDENTIALS = {"username": "user", "password": "secret"}
BASIC = "Basic " + base64.b64encode(b"user:secret").decode()


class Server:
    """Answers with what `answer(path, headers)` returns, and remembers what it was asked."""

    def __init__(self, answer, address="127.0.0.1"):
        self.requests = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                server.requests.append((self.path, dict(self.headers)))
                status, headers, body = answer(self.path, self.headers)
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer((address, 0), Handler)
        self._server.daemon_threads = True
        self.host = f"{address}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def authorizations(self, word=""):
        return [headers.get("Authorization") for path, headers in self.requests if word in path]

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def serve():
    made = []

    def start(answer, *address):
        made.append(Server(answer, *address))
        return made[-1]

    yield start
    for server in made:
        server.stop()


@pytest.fixture
def lying(layout):
    made = LyingRegistry(layout)
    yield made
    made.stop()


def serving(layout):
    """An honest registry's answers for an OCI layout."""
    return lambda path, headers: LyingRegistry._answer(type("Registry", (), {"answers": {}}), layout, path)


@pytest.fixture
def small(layout):
    """An image of two layers."""
    layout.image("t", [layout.layer(("bin", None), ("bin/a", "1")), layout.layer(("b", "2"))])
    return layout


# --- the real one ---


def test_by_tag_by_digest_and_again(fetcher, registry, small):
    registry.push(small.path, "t", "by/tag:1")
    first = fetcher.good(f"docker://{registry.host}/by/tag:1")
    assert (first.layers[0] / "bin/a").read_text() == "1"
    digest = first.image["manifest_digest"]
    pinned = fetcher.good(f"{registry.host}/by/tag@{digest}")
    assert pinned.image["layers"] == first.image["layers"]
    assert pinned.progress == [], "what is here is not transferred again"


def test_every_compression_gives_the_same_layers(fetcher, registry, layout, session):
    layer, diff_id = layout.layer(("f", os.urandom(3 << 20)), ("g", "x" * (3 << 20)), compress=False)
    layout.image("plain", [(layer, diff_id)])
    raw = layout.blob_path(layer["digest"])
    zstd = subprocess.run(["zstd", "-c", raw], capture_output=True, check=True).stdout
    layout.image("zstd", [(layout.blob(zstd, layer["mediaType"] + "+zstd"), diff_id)])
    packed = subprocess.run(["gzip", "-c", raw], capture_output=True, check=True).stdout
    layout.image("gzip", [(layout.blob(packed, layer["mediaType"] + "+gzip"), diff_id)])
    directories = set()
    for tag in ("plain", "zstd", "gzip"):
        reference = registry.push(layout.path, tag, f"compression:{tag}")
        subprocess.run(["rm", "-rf", fetcher.store / "layers"], check=True)
        directories.add(fetcher.good(reference).layers[0])
    assert len(directories) == 1


def test_the_platform_decides(fetcher, layout, serve):
    manifests = []
    for variant in ("v6", "v7"):
        image = layout.image(variant, [layout.layer(("variant", variant))])
        manifests.append(image | {"platform": {"os": "linux", "architecture": "arm", "variant": variant}})
    layout.tag(
        layout.blob(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).encode(), INDEX), "all"
    )
    host = serve(serving(layout)).host
    for wanted, got in (("v8", "v7"), ("v7", "v7"), ("v6", "v6")):
        answer = fetcher.good(f"{host}/a:all", platform={"os": "linux", "architecture": "arm", "variant": wanted})
        assert (answer.layers[0] / "variant").read_text() == got


def test_archives_made_by_skopeo(fetcher, small, directory):
    where = fetcher.store
    where.mkdir()
    images.skopeo_copy(f"oci:{small.path}:t", f"docker-archive:{where}/docker.tar:test/name:1")
    images.skopeo_copy(f"oci:{small.path}:t", f"oci-archive:{where}/oci.tar:t")
    layout = fetcher.good(small.reference("t"))
    for reference in (
        f"docker-archive:{where}/docker.tar",
        f"docker-archive:{where}/docker.tar:test/name:1",
        f"oci-archive:{where}/oci.tar:t",
        f"oci-archive:{where}/oci.tar",
    ):
        answer = fetcher.good(reference)
        assert answer.layers == layout.layers
    missing = fetcher.pull(f"docker-archive:{where}/docker.tar:other:1")
    assert missing.error["code"] == "NotFound" and "other:1" in missing.error["message"]
    (where / "cut.tar").write_bytes((where / "docker.tar").read_bytes()[:3000])
    assert fetcher.pull(f"docker-archive:{where}/cut.tar").status == 1


def test_an_unknown_image_is_named(fetcher, registry):
    fetcher.bad(f"docker://{registry.host}/no/such:image", f"{registry.host}/no/such", "'image'", code="NotFound")


def test_nobody_listens(fetcher):
    port = images.free_port()
    fetcher.bad(f"127.0.0.1:{port}/a", f"127.0.0.1:{port}", code="Unavailable")


def test_two_fetchers_at_once_share_a_store(fetcher, registry, layout):
    layers = [layout.layer(*[(f"d{i}/f{j}", os.urandom(1000)) for j in range(200)]) for i in range(4)]
    layout.image("t", layers)
    reference = registry.push(layout.path, "t", "twins:1")
    processes = [fetcher.start(reference) for _ in range(3)]
    outputs = [process.communicate(timeout=60)[0].splitlines()[-1] for process in processes]
    assert len(set(outputs)) == 1 and "image" in json.loads(outputs[0])
    assert len(os.listdir(fetcher.store / "layers")) == 4
    assert os.listdir(fetcher.store / "staging") == []


def test_a_killed_fetcher_leaves_whole_layers_or_none(fetcher, registry, layout):
    layout.image("t", [layout.layer(*[(f"f{i}", os.urandom(4000)) for i in range(2000)]) for _ in range(3)])
    reference = registry.push(layout.path, "t", "killed:1")
    for delay in (0.02, 0.05, 0.1, 0.2, 0.3):
        process = fetcher.start(reference)
        time.sleep(delay)
        process.kill()
        process.communicate()
        for layer in (fetcher.store / "layers").glob("*"):
            assert len(os.listdir(layer)) == 2000
    fetcher.good(reference)
    assert sum(1 for _ in (fetcher.store / "layers").glob("*/f*")) == 6000


# --- ones that lie ---


def blob_of(layout, index):
    manifest = json.loads(
        layout.blob_path(json.loads((layout.path / "index.json").read_text())["manifests"][0]["digest"]).read_text()
    )
    return manifest["layers"][index]


def test_other_bytes_than_asked_for(fetcher, small, lying):
    layer = blob_of(small, 0)
    lying.answers[layer["digest"]] = (200, {}, b"x" * layer["size"])
    fetcher.bad(f"{lying.host}/a:t", layer["digest"], "wrong digest")


def test_a_layer_that_ends_early(fetcher, small, lying):
    layer = blob_of(small, 0)
    whole = small.blob_path(layer["digest"]).read_bytes()
    lying.answers[layer["digest"]] = (200, {}, whole[:-5])
    fetcher.bad(f"{lying.host}/a:t", layer["digest"], "truncated")


def test_a_connection_that_ends_early(fetcher, small, lying):
    layer = blob_of(small, 0)
    whole = small.blob_path(layer["digest"]).read_bytes()
    lying.answers[layer["digest"]] = (200, {"Content-Length": str(len(whole)), "Connection": "close"}, whole[:-5])
    fetcher.bad(f"{lying.host}/a:t", layer["digest"], lying.host, code="Unavailable")


def test_a_layer_that_does_not_end(fetcher, small, lying):
    layer = blob_of(small, 0)
    lying.answers[layer["digest"]] = (200, {}, small.blob_path(layer["digest"]).read_bytes() + b"x" * (4 << 20))
    fetcher.bad(f"{lying.host}/a:t", layer["digest"], "larger")


def test_a_manifest_without_end(fetcher, small, lying):
    lying.answers["/manifests/t"] = (200, {}, b" " * (12 << 20))
    fetcher.bad(f"{lying.host}/a:t", "larger", code="Exhausted")


def test_a_manifest_of_another_type_than_its_descriptor(fetcher, small, lying):
    body = small.blob_path(json.loads((small.path / "index.json").read_text())["manifests"][0]["digest"]).read_bytes()
    lying.answers["/manifests/t"] = (200, {"Content-Type": INDEX}, body)
    fetcher.bad(f"{lying.host}/a:t", "mediaType")


def test_a_manifest_that_is_not_the_one_pinned(fetcher, small, lying):
    digest = "sha256:" + "0" * 64
    lying.answers[digest] = (200, {}, b'{"schemaVersion":2}')
    fetcher.bad(f"{lying.host}/a@{digest}", "wrong digest")


def test_an_error_page_is_not_a_layer(fetcher, small, lying):
    layer = blob_of(small, 0)
    lying.answers[layer["digest"]] = (404, {}, b'{"errors":[{"message":"blob unknown"}]}')
    fetcher.bad(f"{lying.host}/a:t", "blob unknown", code="NotFound")


def test_a_registry_that_stumbles_is_asked_again(fetcher, small, serve):
    failures = {"manifests": 2, "blobs": 2}
    honest = serving(small)

    def answer(path, headers):
        for word in failures:
            if word in path and failures[word] > 0:
                failures[word] -= 1
                return 503, {}, b""
        return honest(path, headers)

    fetcher.good(f"{serve(answer).host}/a:t")


# --- credentials ---


def test_basic_credentials(fetcher, small, serve):
    honest = serving(small)

    def answer(path, headers):
        if headers.get("Authorization") != BASIC:
            return 401, {"WWW-Authenticate": 'Basic realm="x"'}, b""
        return honest(path, headers)

    host = serve(answer).host
    fetcher.bad(f"{host}/a:t", "credentials", code="PermissionDenied")
    fetcher.bad(f"{host}/a:t", "refuses", code="PermissionDenied", credentials=CREDENTIALS | {"password": "x"})
    fetcher.good(f"{host}/a:t", credentials=CREDENTIALS)


def test_tokens(fetcher, small, serve):
    honest = serving(small)
    tokens = serve(lambda path, headers: (200, {}, b'{"token":"abc"}'))

    def answer(path, headers):
        if headers.get("Authorization") != "Bearer abc":
            challenge = f'Bearer realm="http://{tokens.host}/token",service="s",scope="repository:a:pull"'
            return 401, {"WWW-Authenticate": challenge}, b""
        return honest(path, headers)

    fetcher.good(f"{serve(answer).host}/a:t", credentials=CREDENTIALS)
    path, headers = tokens.requests[0]
    assert path == "/token?scope=repository%3Aa%3Apull&service=s"
    assert headers["Authorization"] == BASIC
    assert len(tokens.requests) == 1, "one token serves the whole pull"


def test_a_token_server_without_https_gets_no_credentials(fetcher, small, serve):
    challenge = 'Bearer realm="http://registry.invalid/token",service="s"'
    host = serve(lambda path, headers: (401, {"WWW-Authenticate": challenge}, b"")).host
    fetcher.bad(f"{host}/a:t", "not reached over https", code="PermissionDenied", credentials=CREDENTIALS)


def test_redirects_are_followed_without_credentials(fetcher, small, serve):
    honest = serving(small)
    elsewhere = serve(honest)

    def answer(path, headers):
        if headers.get("Authorization") != BASIC:
            return 401, {"WWW-Authenticate": 'Basic realm="x"'}, b""
        if "/blobs/" in path:
            return 307, {"Location": f"http://{elsewhere.host}{path}"}, b""
        return honest(path, headers)

    fetcher.good(f"{serve(answer).host}/a:t", credentials=CREDENTIALS)
    assert len(elsewhere.authorizations("/blobs/")) == 3
    assert set(elsewhere.authorizations()) == {None}


def test_a_challenge_of_a_redirects_target_is_not_answered(fetcher, small, serve):
    honest = serving(small)
    elsewhere = serve(lambda path, headers: (401, {"WWW-Authenticate": 'Basic realm="x"'}, b""))

    def answer(path, headers):
        if "/blobs/" in path:
            return 307, {"Location": f"http://{elsewhere.host}{path}"}, b""
        return honest(path, headers)

    fetcher.bad(f"{serve(answer).host}/a:t", code="PermissionDenied", credentials=CREDENTIALS)
    assert set(elsewhere.authorizations()) == {None}


@pytest.mark.parametrize("target", ["http://registry.invalid/x", "file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_redirects_to_anything_but_https_are_refused(fetcher, serve, target):
    host = serve(lambda path, headers: (302, {"Location": target}, b"")).host
    fetcher.bad(f"{host}/a:t", "redirect", code="PermissionDenied")


def test_redirects_end(fetcher, serve):
    server = serve(lambda path, headers: (302, {"Location": path + "x"}, b""))
    fetcher.bad(f"{server.host}/a:t", "redirects", code="Unavailable")


def own_address():
    """An address of this machine that is no loopback; packets to it do not leave the machine."""
    addresses = subprocess.run(["hostname", "-I"], capture_output=True, text=True).stdout.split()
    return next((address for address in addresses if ":" not in address), None)


@pytest.mark.skipif(own_address() is None, reason="this machine has loopback addresses only")
def test_plain_http_is_for_this_machine_and_listed_hosts_only(fetcher, small, serve):
    server = serve(serving(small), own_address())
    fetcher.bad(f"{server.host}/a:t", server.host, code="Unavailable")
    assert server.requests == [], "nothing was said in the clear"
    fetcher.good(f"{server.host}/a:t", insecure_hosts=[server.host])


@pytest.mark.parametrize("program, suffix", [("gzip", "gz"), ("zstd", "zst")])
def test_archives_that_are_compressed(fetcher, small, directory, program, suffix):
    docker, oci = directory / "docker.tar", directory / "oci.tar"
    images.skopeo_copy(f"oci:{small.path}:t", f"docker-archive:{docker}:test/name:1")
    images.skopeo_copy(f"oci:{small.path}:t", f"oci-archive:{oci}:t")
    for archive in (docker, oci):
        images.run(program, "-q", archive)
    layers = {
        tuple(layer["chain_id"] for layer in fetcher.good(reference).image["layers"])
        for reference in (f"docker-archive:{docker}.{suffix}", f"oci-archive:{oci}.{suffix}:t")
    }
    assert len(layers) == 1


def test_a_compressed_archive_is_bounded_and_checked(fetcher, small, directory):
    where = directory.parent
    images.skopeo_copy(f"oci:{small.path}:t", f"docker-archive:{where}/bounded.tar:test/name:1")
    images.run("gzip", "-q", where / "bounded.tar")
    packed = f"docker-archive:{where}/bounded.tar.gz"
    fetcher.bad(packed, "decompresses to more than 1KiB", code="Exhausted", limits={"unpacked": 1024})
    cut = where / "cut.tar.gz"
    cut.write_bytes((where / "bounded.tar.gz").read_bytes()[:-40])
    fetcher.bad(f"docker-archive:{cut}", str(cut), "truncated")


# --- TLS ---


@pytest.fixture(scope="session")
def tls_registry(session, authority):
    made = images.Registry(session.temporary("registry"), authority)
    yield made
    made.stop()


def test_a_registry_over_tls_is_trusted_when_the_operator_says_so(fetcher, layout, tls_registry, authority):
    layout.image("t", [layout.layer(("f", "over TLS"))])
    reference = tls_registry.push(layout.path, "t", "secure/image:1")
    fetcher.bad(reference, tls_registry.host, "certificate", code="PermissionDenied")
    answer = fetcher.good(reference, ca_file=str(authority.certificate))
    assert (answer.layers[0] / "f").read_text() == "over TLS"


def test_a_registry_that_anybody_signed_is_not_spoken_to_in_the_clear_instead(fetcher, layout, tls_registry):
    layout.image("t", [layout.layer(("f", "1"))])
    reference = tls_registry.push(layout.path, "t", "secure/other:1")
    fetcher.bad(reference, "certificate", code="PermissionDenied", insecure_hosts=[tls_registry.host])


def test_a_ca_file_must_hold_certificates(fetcher, directory):
    empty = directory / "canary"
    fetcher.bad("127.0.0.1:1/a", "ca_file", "holds no PEM certificates", ca_file=str(empty))
    fetcher.bad("127.0.0.1:1/a", "ca_file", "No such file", code="NotFound", ca_file="/nowhere.pem")


# --- privilege ---


def test_the_half_that_speaks_to_the_network_is_nobody(fetcher, layout, serve):
    seen = {}
    layout.image("t", [layout.layer(("f", "1"))])
    honest = serving(layout)

    def answer(path, headers):
        if "/blobs/" in path and not seen:
            for process in os.listdir("/proc"):
                if not process.isdigit():
                    continue
                try:
                    status = open(f"/proc/{process}/status").read()
                    parent = status.split("PPid:")[1].split()[0]
                    if status.startswith("Name:\tgantry-fetcher") and f"PPid:\t{os.getpid()}" not in status and parent:
                        seen[process] = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
                except (FileNotFoundError, ProcessLookupError):
                    continue
        return honest(path, headers)

    fetcher.good(f"{serve(answer).host}/a:t")
    downloaders = [status for status in seen.values() if status["Uid"].split()[0] == "65534"]
    assert downloaders
    for status in downloaders:
        assert {status[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
        assert status["NoNewPrivs"].strip() == "1" and status["Seccomp"].strip() == "2"
        assert status["Groups"].strip() == ""
