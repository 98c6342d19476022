"""An OCI runtime's command line: ours, or another one that has the same."""

import contextlib
import json
import os
import subprocess
import time
from pathlib import Path

from .bundle import Bundle

PATIENCE = 30


class RuntimeFailed(AssertionError):
    def __init__(self, command: list[str], result: subprocess.CompletedProcess) -> None:
        self.result = result
        super().__init__(f"{' '.join(command)} exited with {result.returncode}: {result.stderr or result.stdout}")


def wait_until(condition, what: str, patience: float = 10.0):
    """The first true value of `condition()`."""
    deadline = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {patience:g} s in vain until {what}"
        time.sleep(0.01)


class OciRuntime:
    def __init__(self, name: str, command: list[str], root: Path) -> None:
        self.name = name
        self.root = root
        self._command = [*command, "--root", str(root)]
        self._count = 0

    @property
    def is_ours(self) -> bool:
        return self.name == "gantry-runtime"

    def new_id(self) -> str:
        self._count += 1
        return f"c{self._count}"

    def command(self, *words: str) -> list[str]:
        return [*self._command, *words]

    def call(self, *words: str, check: bool = True, **options) -> subprocess.CompletedProcess:
        """Runs one command to its end. Output is captured by way of files: a container that lives on may keep a pipe."""
        command = self.command(*words)
        options = {"timeout": PATIENCE, "text": True, "stdin": subprocess.DEVNULL, "capture_output": True} | options
        result = subprocess.run(command, **options)
        if check and result.returncode != 0:
            raise RuntimeFailed(command, result)
        return result

    def run(self, bundle: Bundle, *options: str, id: str | None = None, **more) -> subprocess.CompletedProcess:
        """Runs the bundle in the foreground, to its end; its exit status is the result's."""
        more.setdefault("check", False)
        return self.call("run", "--bundle", str(bundle.write()), *options, id or self.new_id(), **more)

    def probe(self, bundle: Bundle, *words: str) -> dict:
        """Runs the probe in the bundle and returns what it says."""
        if words:
            bundle.probe(*words)
        result = self.run(bundle, check=True)
        return json.loads(result.stdout)

    def create(self, bundle: Bundle, *options: str, id: str | None = None) -> "Container":
        container = Container(self, bundle, id or self.new_id())
        container.create(*options)
        return container

    @contextlib.contextmanager
    def container(self, bundle: Bundle, *options: str, start: bool = True):
        """A container that is there inside the `with`, and deleted after it."""
        container = Container(self, bundle, self.new_id())
        try:
            container.create(*options)
            if start:
                container.start()
            yield container
        finally:
            self.call("delete", "--force", container.id, check=False)

    def state(self, id: str) -> dict:
        return json.loads(self.call("state", id).stdout)

    def ids(self) -> list[str]:
        return self.call("list", "-q").stdout.split()


class Container:
    def __init__(self, runtime: OciRuntime, bundle: Bundle, id: str) -> None:
        self.runtime, self.bundle, self.id = runtime, bundle, id
        self.pid_file = bundle.path / f"{id}.pid"
        self._output = bundle.path / f"{id}.out"

    def create(self, *options: str) -> None:
        command = self.runtime.command(
            "create", "--bundle", str(self.bundle.write()), "--pid-file", str(self.pid_file), *options, self.id
        )
        with open(self._output, "wb") as output:
            result = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=PATIENCE,
                pass_fds=[int(fd) for fd in os.environ.get("GANTRY_TEST_PASS", "").split()],
            )  # fmt: skip
        if result.returncode != 0:
            result.stderr = self.output
            raise RuntimeFailed(command, result)

    def start(self) -> None:
        self.runtime.call("start", self.id)

    @property
    def output(self) -> str:
        return self._output.read_text()

    @property
    def pid(self) -> int:
        return int(self.pid_file.read_text())

    @property
    def status(self) -> str:
        return self.runtime.state(self.id)["status"]

    def wait_for(self, status: str) -> None:
        wait_until(lambda: self.status == status, f"container {self.id} is {status}")

    def wait_for_output(self, text: str) -> None:
        wait_until(lambda: text in self.output, f"container {self.id} prints {text!r}; it printed {self.output!r}")

    def exec(self, *words: str, options: tuple = (), **more) -> subprocess.CompletedProcess:
        more.setdefault("check", False)
        return self.runtime.call("exec", *options, self.id, *words, **more)

    def probe(self, *words: str, options: tuple = ()) -> dict:
        return json.loads(self.exec("/bin/probe", *words, options=options, check=True).stdout)

    def kill(self, signal: str, *options: str) -> None:
        self.runtime.call("kill", *options, self.id, signal)

    def delete(self, *options: str) -> None:
        self.runtime.call("delete", *options, self.id)
