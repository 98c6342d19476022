"""The same stimuli bring the same answers as from mesos-agent, but for what docs/mesos.md says is done on purpose."""

import json
from pathlib import Path

import differences
import pytest

from gantrytest import images, recording
from gantrytest.recording import Replay

SCENARIOS = sorted((Path(__file__).parent / "recorded").glob("*.txt"))


class Gantry:
    """Our agent in the place of the recorded one."""

    def __init__(self, new_mesos_agent, directory: Path, registry: images.Registry) -> None:
        self._registry = registry
        self._directory = directory
        self._agent = new_mesos_agent("127.0.0.1:1")
        self.port = self._agent.port

    def start(self, master: str, flags: list[str]) -> None:
        self._agent.configure(f"--master={master}", *(self._flag(flag) for flag in flags))
        self._agent.spawn()

    def _flag(self, flag: str) -> str:
        if flag.startswith("images="):
            return f"--docker_registry={self._registry.host}"
        if not flag.startswith("credential="):
            return flag
        principal, secret = flag.removeprefix("credential=").split(":")
        file = self._directory / "credential"
        file.write_text(json.dumps({"principal": principal, "secret": secret}))
        file.chmod(0o600)
        return f"--credential={file}"

    def kill(self) -> None:
        self._agent.kill()

    def leave(self) -> int:
        return self._agent.leave()

    def wait_exit(self) -> int:
        return self._agent.wait_exit()


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_answers_as_recorded(path, new_mesos_agent, directory, registry, layout):
    if "images=" in path.read_text():
        registry.push(layout, "small", "bb:latest")
        registry.push(layout, "small", "library/bb:latest")
    agent = Gantry(new_mesos_agent, directory, registry)
    problems = Replay(recording.read(path), agent, differences.SAID_OTHERWISE, differences.MAY_DIFFER).run()
    assert not problems, "\n".join(problems[:40])
