"""gantry-fetcher, run by hand on a store of the test's own."""

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from gantrytest import images, servers
from gantrytest.images import Layout

PATIENCE = 60


@dataclass
class Answer:
    status: int
    image: dict | None
    error: dict | None
    progress: list
    log: str

    @property
    def layers(self) -> list[Path]:
        """Their directories, bottom first."""
        return [Path(layer["directory"]) for layer in self.image["layers"]]


class Fetcher:
    def __init__(self, program: Path, store: Path, canary: Path) -> None:
        self.program = program
        self.store = store
        self.canary = canary

    def request(self, reference: str, **request) -> str:
        return json.dumps({"reference": reference, "store": str(self.store)} | request)

    def start(self, reference: str, **request) -> subprocess.Popen:
        with tempfile.TemporaryFile("w+") as asked:
            asked.write(self.request(reference, **request))
            asked.seek(0)
            return subprocess.Popen(
                [self.program], text=True, stdin=asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )

    def pull(self, reference: str, **request) -> Answer:
        result = subprocess.run(
            [self.program], input=self.request(reference, **request), capture_output=True, text=True, timeout=PATIENCE
        )
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        last = lines[-1]
        progress = [line["progress"] for line in lines[:-1]]
        return Answer(result.returncode, last.get("image"), last.get("error"), progress, result.stderr)

    def good(self, reference: str, **request) -> Answer:
        answer = self.pull(reference, **request)
        assert answer.status == 0, answer.error
        assert not os.listdir(self.store / "staging")
        return answer

    def bad(self, reference: str, *words: str, code: str = "InvalidArgument", **request) -> Answer:
        """The pull fails with this code, its message has these words, and nothing is left of it."""
        answer = self.pull(reference, **request)
        assert answer.status == 1, answer.image
        message = answer.error["message"]
        assert answer.error["code"] == code, message
        for word in words:
            assert word in message
        for part in ("layers", "staging", "blobs/sha256"):
            directory = self.store / part
            assert not directory.exists() or os.listdir(directory) == [], f"left in {part}, after: {message}"
        assert set(os.listdir(self.canary.parent)) <= {"canary", "store"}
        assert self.canary.read_text() == "untouched"
        return answer


@pytest.fixture
def fetcher(session, directory) -> Fetcher:
    canary = directory / "canary"
    canary.write_text("untouched")
    return Fetcher(session.program("gantry-fetcher"), directory / "store", canary)


@pytest.fixture
def layout(session) -> Layout:
    return Layout(session.temporary("layout"))


@pytest.fixture(scope="session")
def registry(session):
    made = images.Registry(session.temporary("registry"))
    yield made
    made.stop()


@dataclass
class Fetched:
    status: int
    fetched: dict | None
    error: dict | None
    progress: list
    log: str


class UriFetcher:
    """gantry-fetcher, run by hand for a sandbox of user 1000."""

    def __init__(self, program: Path, directory: Path) -> None:
        self.program = program
        self.user = {"uid": 1000, "gid": 1000}
        self.cache = {"directory": str(directory / "cache"), "size": 1 << 20}
        self.canary = directory / "outside"
        self.canary.mkdir()
        (self.canary / "canary").write_text("untouched")
        self.canary.chmod(0o777)
        self.directory = directory
        self.sandbox = self.new_sandbox("sandbox")

    def new_sandbox(self, name: str) -> Path:
        made = self.directory / name
        made.mkdir(mode=0o750)
        os.chown(made, self.user["uid"], self.user["gid"])
        return made

    def request(self, *uris, **request) -> str:
        listed = [uri if isinstance(uri, dict) else {"value": str(uri)} for uri in uris]
        return json.dumps(
            {"uris": listed, "sandbox": str(self.sandbox), "user": self.user, "cache": self.cache} | request
        )

    def start(self, *uris, **request) -> subprocess.Popen:
        with tempfile.TemporaryFile("w+") as asked:
            asked.write(self.request(*uris, **request))
            asked.seek(0)
            return subprocess.Popen(
                [self.program], text=True, stdin=asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )

    @staticmethod
    def end(running: subprocess.Popen) -> Fetched:
        out, log = running.communicate(timeout=PATIENCE)
        lines = [json.loads(line) for line in out.splitlines()]
        progress = [line["progress"] for line in lines[:-1]]
        return Fetched(running.returncode, lines[-1].get("fetched"), lines[-1].get("error"), progress, log)

    def fetch(self, *uris, **request) -> Fetched:
        return self.end(self.start(*uris, **request))

    def good(self, *uris, **request) -> dict:
        answer = self.fetch(*uris, **request)
        assert answer.status == 0, answer.error
        self._check_ownership()
        return answer.fetched

    def bad(self, *uris, says: list = [], code: str = "InvalidArgument", **request) -> str:
        """The fetch fails with this code and these words, the URI among them; outside the sandbox nothing changed."""
        answer = self.fetch(*uris, **request)
        assert answer.status == 1, answer.fetched
        message = answer.error["message"]
        assert answer.error["code"] == code, message
        for word in says:
            assert word in message
        assert os.listdir(self.canary) == ["canary"]
        assert (self.canary / "canary").read_text() == "untouched"
        assert ".gantry-fetching" not in os.listdir(self.sandbox)
        staging = Path(self.cache["directory"], "staging")
        assert not staging.exists() or not os.listdir(staging)
        self._check_ownership()
        return message

    def _check_ownership(self) -> None:
        for entry in self.sandbox.rglob("*"):
            info = entry.lstat()
            assert (info.st_uid, info.st_gid) == (self.user["uid"], self.user["gid"]), entry
            assert info.st_mode & 0o6000 == 0, f"{entry} has a set-id bit"

    def read(self, name: str) -> str:
        return (self.sandbox / name).read_text()


@pytest.fixture
def uris(session, directory) -> UriFetcher:
    directory.chmod(0o755)
    return UriFetcher(session.program("gantry-fetcher"), directory)


@pytest.fixture(scope="session")
def authority(session) -> servers.Authority:
    return servers.Authority(session.temporary("authority"))


@pytest.fixture(scope="session")
def nginx(session, authority):
    made = servers.Nginx(session.temporary("nginx"), authority)
    yield made
    made.stop()


@pytest.fixture
def scripted():
    made = []

    def start(answer) -> servers.Scripted:
        made.append(servers.Scripted(answer))
        return made[-1]

    yield start
    for server in made:
        server.stop()
