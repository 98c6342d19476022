"""Images: good ones made with Debian's tools and served from Debian's registry, and bad ones made byte by byte."""

import gzip
import hashlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"


def run(*words, **options) -> str:
    result = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=300, **options)
    assert result.returncode == 0, f"{' '.join(map(str, words))}: {result.stderr}"
    return result.stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Layout:
    """An OCI image layout directory that tests write blob by blob (image-spec, image-layout.md)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "blobs/sha256").mkdir(parents=True)
        (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        self._index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}

    def blob_path(self, digest: str) -> Path:
        return self.path / "blobs" / digest.replace(":", "/")

    def blob(self, content: bytes, media_type: str) -> dict:
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        self.blob_path(digest).write_bytes(content)
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def layer(self, *entries, compress=True) -> tuple[dict, str]:
        """A layer of tar entries; each is (name, content), (name, None) for a directory, or a (TarInfo, content)."""
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for what, content in entries:
                info = what
                if not isinstance(what, tarfile.TarInfo):
                    info = tarfile.TarInfo(what)
                    info.mode = 0o755
                    if content is None:
                        info.type = tarfile.DIRTYPE
                if content is not None:
                    content = content if isinstance(content, bytes) else content.encode()
                    info.size = len(content)
                archive.addfile(info, io.BytesIO(content) if content is not None else None)
        diff_id = "sha256:" + hashlib.sha256(raw.getvalue()).hexdigest()
        packed = gzip.compress(raw.getvalue(), 1) if compress else raw.getvalue()
        return self.blob(packed, LAYER_GZIP if compress else LAYER_GZIP.removesuffix("+gzip")), diff_id

    def image(self, tag: str, layers: list, config: dict | None = None, **manifest_changes) -> dict:
        document = {
            "architecture": "amd64",
            "os": "linux",
            "config": config or {},
            "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in layers]},
        }
        described = self.blob(json.dumps(document).encode(), CONFIG)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described,
            "layers": [descriptor for descriptor, _ in layers],
        } | manifest_changes
        descriptor = self.blob(json.dumps(manifest).encode(), MANIFEST)
        self.tag(descriptor, tag)
        return descriptor

    def tag(self, descriptor: dict, tag: str) -> None:
        self._index["manifests"].append(descriptor | {"annotations": {"org.opencontainers.image.ref.name": tag}})
        (self.path / "index.json").write_text(json.dumps(self._index))

    def reference(self, tag: str) -> str:
        return f"oci:{self.path}:{tag}"


def link(name: str, target: str, kind=tarfile.SYMTYPE) -> tuple:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, None


def umoci_image(layout: Path, tag: str, rootfs: Path, **config) -> None:
    """An image of one layer with Debian's umoci. Keywords are `umoci config` flags, with _ for a dot."""
    if not layout.exists():
        run("umoci", "init", "--layout", layout)
    image = f"{layout}:{tag}"
    run("umoci", "new", "--image", image)
    run("umoci", "insert", "--image", image, rootfs, "/")
    words = []
    for name, value in config.items():
        for item in value if isinstance(value, list) else [value]:
            words += [f"--config.{name.replace('_', '.')}", item]
    if words:
        run("umoci", "config", "--image", image, *words)


def skopeo_copy(source: str, destination: str) -> None:
    run(
        "skopeo",
        "--insecure-policy",
        "copy",
        "--quiet",
        "--src-tls-verify=false",
        "--dest-tls-verify=false",
        source,
        destination,
    )


class Registry:
    """Debian's docker-registry on a loopback port of its own, over TLS when there is an authority (servers.py)."""

    def __init__(self, directory: Path, authority=None) -> None:
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        (directory / "config.yml").write_text(
            "version: 0.1\nlog: {level: warn}\n"
            f"storage: {{filesystem: {{rootdirectory: {directory}/storage}}, delete: {{enabled: true}}}}\n"
            f"http: {{addr: '{self.host}'{self._tls(authority)}}}\n"
        )
        self._log = open(directory / "log", "wb")
        program = shutil.which("docker-registry") or "/usr/bin/docker-registry"
        self._process = subprocess.Popen(
            [program, "serve", str(directory / "config.yml")],
            stdout=self._log,
            stderr=self._log,
            stdin=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=2).close()
                return
            except OSError:
                assert self._process.poll() is None, (directory / "log").read_text()
                assert time.monotonic() < deadline, "docker-registry does not answer"
                time.sleep(0.05)

    @staticmethod
    def _tls(authority) -> str:
        if authority is None:
            return ""
        return f", tls: {{certificate: {authority.server_certificate}, key: {authority.server_key}}}"

    def push(self, layout: Path, tag: str, name: str) -> str:
        """The pushed image's reference."""
        skopeo_copy(f"oci:{layout}:{tag}", f"docker://{self.host}/{name}")
        return f"{self.host}/{name}"

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=10)
        self._log.close()


class LyingRegistry:
    """Serves an OCI layout over the registry API, with answers replaced by path: what no honest registry would send."""

    def __init__(self, layout: Layout) -> None:
        self.answers: dict[str, tuple[int, dict, bytes]] = {}
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                status, headers, body = registry._answer(layout, self.path)
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _answer(self, layout: Layout, path: str) -> tuple[int, dict, bytes]:
        for suffix, answer in self.answers.items():
            if path.endswith(suffix):
                return answer
        kind, _, name = path.rpartition("/")
        if path.rstrip("/") == "/v2":
            return 200, {}, b"{}"
        index = json.loads((layout.path / "index.json").read_text())
        tags = {m["annotations"]["org.opencontainers.image.ref.name"]: m["digest"] for m in index["manifests"]}
        blob = layout.blob_path(tags.get(name, name))
        if not name or not blob.is_file():
            return (
                404,
                {"Content-Type": "application/json"},
                b'{"errors":[{"code":"NAME_UNKNOWN","message":"unknown"}]}',
            )
        body = blob.read_bytes()
        media = json.loads(body)["mediaType"] if kind.endswith("/manifests") else "application/octet-stream"
        return 200, {"Content-Type": media}, body

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def directory_digest(path: Path) -> str:
    """One number for a directory's names, kinds, modes, owners and contents."""
    digest = hashlib.sha256()
    for entry in sorted([path, *path.rglob("*")]):
        info = entry.lstat()
        digest.update(f"{entry.relative_to(path)} {info.st_mode} {info.st_uid} {info.st_gid}".encode())
        if entry.is_symlink():
            digest.update(os.readlink(entry).encode())
        elif entry.is_file():
            digest.update(entry.read_bytes())
    return digest.hexdigest()
