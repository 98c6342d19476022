"""gantry-fetcher, run by hand on a store of the test's own."""

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from gantrytest import images
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
            return subprocess.Popen([self.program], text=True, stdin=asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

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
