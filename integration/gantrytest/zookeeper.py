"""Debian's ZooKeeper server on a port of its own, and what masters write into it."""

import contextlib
import json
import logging
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from kazoo.client import KazooClient

from .images import free_port
from .oci_runtime import wait_until

logging.getLogger("kazoo").setLevel(logging.CRITICAL)

# Sessions may be as short as twice this, in milliseconds.
TICK = 250


class ZooKeeper:
    """May be stopped and started again on the same data."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._directory = directory
        self._process: subprocess.Popen | None = None
        (directory / "zoo.cfg").write_text(
            f"dataDir={directory}/data\nclientPort={self.port}\nclientPortAddress=127.0.0.1\ntickTime={TICK}\n"
            "admin.enableServer=false\n4lw.commands.whitelist=ruok\nmaxClientCnxns=0\n"
        )
        self.start()

    def start(self) -> None:
        log = open(self._directory / "log", "ab")
        self._process = subprocess.Popen(
            ["java", "-Xmx96m", "-XX:TieredStopAtLevel=1", "-cp", "/etc/zookeeper/conf:/usr/share/java/zookeeper.jar",
             "-Dzookeeper.root.logger=ERROR,CONSOLE", "org.apache.zookeeper.server.quorum.QuorumPeerMain",
             str(self._directory / "zoo.cfg")],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
        log.close()
        wait_until(self._answers, "ZooKeeper answers", 30)

    def _answers(self) -> bool:
        assert self._process.poll() is None, (self._directory / "log").read_text()
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as peer:
                peer.sendall(b"ruok")
                return peer.recv(4) == b"imok"
        except OSError:
            return False

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    stop = kill

    # --- masters

    @contextlib.contextmanager
    def client(self) -> Iterator[KazooClient]:
        """A connection of its own for each use: one that lived through a stop of the server would be another test."""
        made = KazooClient(self.address, timeout=10)
        made.start(timeout=20)
        try:
            yield made
        finally:
            made.stop()
            made.close()

    def enter(self, path: str, master, **changes) -> str:
        """What a master contends with: its znode's path. The one with the smallest number leads."""
        ip = int.from_bytes(socket.inet_aton(master.ip), "little")
        info = {
            "address": {"hostname": "localhost", "ip": master.ip, "port": master.port},
            "capabilities": [{"type": "AGENT_UPDATE"}, {"type": "AGENT_DRAINING"}, {"type": "QUOTA_V2"}],
            "hostname": "localhost",
            "id": master.id,
            "ip": ip,
            "pid": f"master@{master.address}",
            "port": master.port,
            "version": "1.12.0",
        } | changes
        return self.put(f"{path}/json.info_", json.dumps(info).encode())

    def put(self, path: str, data: bytes, sequence: bool = True) -> str:
        with self.client() as client:
            client.ensure_path(path.rpartition("/")[0])
            return client.create(path, data, sequence=sequence)

    def leave(self, node: str) -> None:
        with self.client() as client:
            client.delete(node)

    def exists(self, path: str) -> bool:
        with self.client() as client:
            return client.exists(path) is not None
