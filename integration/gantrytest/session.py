"""One run of the tests: its programs, its own directory, cgroup root and mark, so that nothing of it mixes with the host's."""

import os
import shutil
import tempfile
from pathlib import Path

MARK = "GANTRY_TEST_SESSION"


class Session:
    """Everything this run makes carries `name`: its directory, cgroups, interfaces, and its processes' environment."""

    def __init__(self) -> None:
        build = os.environ.get("GANTRY_BUILD")
        if not build:
            raise SystemExit("set GANTRY_BUILD to a build directory, as scripts/test.sh does")
        self.build = Path(build).resolve()
        self.directory = Path(tempfile.mkdtemp(prefix="gt.", dir="/var/tmp"))
        self.directory.chmod(0o711)
        self.name = self.directory.name.replace(".", "-").replace("_", "-").lower()
        os.environ[MARK] = self.name
        self.cgroups_root = f"gantry-{self.name}"

    def program(self, name: str) -> Path:
        """A program of ours, by name."""
        path = self.build / "bin" / name
        if not path.exists():
            raise FileNotFoundError(f"{path} is not built")
        return path

    @property
    def probe(self) -> Path:
        return self.build / "tests" / "gantry-probe"

    def temporary(self, prefix: str) -> Path:
        """A new directory that lives as long as the session; other users may pass through it, as mapped ones must."""
        made = Path(tempfile.mkdtemp(prefix=f"{prefix}.", dir=self.directory))
        made.chmod(0o711)
        return made

    def close(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
