"""gantry-monitor as its agent would use it: started by hand, spoken to over its socket."""

import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import termios
import time
from pathlib import Path

from .bundle import Bundle
from .oci_runtime import wait_until

PATIENCE = 20


class Client:
    """One connection to a monitor."""

    def __init__(self, path: Path) -> None:
        # By the directory's descriptor: a socket's path has room for 107 bytes.
        directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(f"/proc/self/fd/{directory}/{path.name}")
        os.close(directory)

    def send(self, type: str, payload: bytes | str = b"") -> None:
        self.socket.send(type.encode() + (payload.encode() if isinstance(payload, str) else payload))

    def receive(self) -> tuple[str, bytes] | None:
        packet = self.socket.recv(64 << 10)
        return (chr(packet[0]), packet[1:]) if packet else None

    def until(self, type: str) -> bytes:
        """The payload of the next message of this type; others are skipped."""
        while True:
            message = self.receive()
            assert message, f"the monitor hung up before {type}"
            if message[0] == type:
                return message[1]

    def output_until(self, text: bytes) -> bytes:
        heard = b""
        while text not in heard:
            message = self.receive()
            assert message, f"the monitor hung up; it said {heard!r}"
            if message[0] in "OR":
                heard += message[1]
        return heard

    def output_to_end(self) -> dict[str, bytes]:
        heard = {"O": b"", "R": b"", "G": b"", "E": b""}
        while message := self.receive():
            if message[0] in heard:
                heard[message[0]] += message[1]
        return heard

    def close(self) -> None:
        self.socket.close()


class Monitor:
    def __init__(self, session, runtime: str, directory: Path, bundle: Bundle, number: int, *, logs: Path | None = None,
                 log_size: int = 0, log_files: int = 1, terminal: bool = False, stdin: bool = False,
                 exec: dict | None = None, id: str | None = None) -> None:  # fmt: skip
        self.runtime, self.root, self.bundle = runtime, directory / "root", bundle
        self.id = id or f"m{number}"
        self.is_exec = exec is not None
        self.directory = directory / f"monitor-{number}"
        self.directory.mkdir(0o700)
        self.logs = logs or directory / f"logs-{number}"
        self.logs.mkdir(exist_ok=True)
        command = [
            str(session.program("gantry-monitor")), "--directory", str(self.directory), "--runtime", runtime,
            "--runtime-root", str(self.root), "--id", self.id,
        ]  # fmt: skip
        if exec is not None:
            process = self.directory / "process.json"
            process.write_text(json.dumps(exec))
            command += ["--exec", str(process), "--session"]
        else:
            bundle.process["terminal"] = terminal
            command += ["--bundle", str(bundle.write()), "--stdout", str(self.logs / "stdout"), "--stderr", str(self.logs / "stderr"),
                        "--log-size", str(log_size), "--log-files", str(log_files)]  # fmt: skip
        command += ["--terminal"] * terminal + ["--stdin"] * stdin
        self._words = open(self.directory / "monitor.log", "wb")
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._words, start_new_session=True
        )
        assert self.process.stdout.readline() == b"ready\n", self.words

    @property
    def words(self) -> str:
        return (self.directory / "monitor.log").read_text()

    def connect(self) -> Client:
        return Client(self.directory / "monitor.sock")

    def created(self) -> int:
        """The first process' pid."""
        client = self.connect()
        pid = int(client.until("C").split()[0])
        client.close()
        return pid

    def start(self) -> None:
        subprocess.run([self.runtime, "--root", str(self.root), "start", self.id], check=True, timeout=PATIENCE)

    def log(self, name: str) -> str:
        return (self.logs / name).read_text()

    def exit_status(self) -> int:
        """The wait status in the exit record, once the monitor is gone."""
        self.process.wait(PATIENCE)
        status, when = (self.directory / "exit").read_text().split()
        assert abs(time.time() - int(when) / 1e9) < 60
        return int(status)

    def private_kib(self) -> int:
        """Anonymous memory. The program's own pages are shared with every other monitor."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1])
        raise AssertionError("no RssAnon")

    def clean(self) -> None:
        if not self.is_exec:
            subprocess.run(
                [self.runtime, "--root", str(self.root), "delete", "--force", self.id],
                capture_output=True,
                timeout=PATIENCE,
            )
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.process.stdout.close()
            self._words.close()


def window_of(pid: int) -> tuple[int, int]:
    """Rows and columns of a process' terminal."""
    terminal = os.open(f"/proc/{pid}/fd/0", os.O_RDWR | os.O_NOCTTY)
    try:
        rows, columns, _, _ = struct.unpack("HHHH", fcntl.ioctl(terminal, termios.TIOCGWINSZ, b"\0" * 8))
        return rows, columns
    finally:
        os.close(terminal)


__all__ = ["Client", "Monitor", "signal", "wait_until", "window_of"]
