"""A gantry-agent of the test's own, and what clients say to it."""

import base64
import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

from . import cgroups
from .images import free_port
from .oci_runtime import wait_until
from .session import Session


class Refused(AssertionError):
    """An answer other than 2xx."""

    def __init__(self, status: int, body: str) -> None:
        self.status, self.body = status, body
        super().__init__(f"HTTP {status}: {body}")


class Agent:
    """Every agent of a run has its own directories, cgroup root, subnet and port; one may be started again and again."""

    _count = 0

    def __init__(self, session: Session, *flags: str, environment: dict | None = None) -> None:
        Agent._count += 1
        number = Agent._count
        self.session = session
        self.directory = session.temporary("a")
        self.directory.chmod(0o755)
        self.work = self.directory / "work"
        self.run = self.directory / "run"
        self.log = self.directory / "log"
        self.port = free_port()
        # One of 1024 /24 networks of 10.224.0.0/14, by process, so that two runs on one machine rarely meet.
        block = (os.getpid() * 7 + number) % 1024
        self.subnet_prefix = f"10.{224 + block // 256}.{block % 256}."
        self.subnet = self.subnet_prefix + "0/24"
        self.cgroups_root = f"{session.cgroups_root}/a{number}"
        self.flags = [
            f"--work_dir={self.work}",
            f"--runtime_dir={self.run}",
            f"--cgroups_root={self.cgroups_root}",
            "--ip=127.0.0.1",
            f"--port={self.port}",
            f"--bridge_subnet={self.subnet}",
            f"--bridge_name=gt{os.getpid() % 1000000}n{number}",
            *flags,
        ]
        self._environment = environment or {}
        self.process: subprocess.Popen | None = None

    def configure(self, *flags: str) -> None:
        """Flags for the next start, in place of those with the same names."""
        named = {flag.partition("=")[0] for flag in flags}
        self.flags = [flag for flag in self.flags if flag.partition("=")[0] not in named] + list(flags)

    @property
    def socket_path(self) -> Path:
        return self.run / "agent.sock"

    def spawn(self) -> None:
        """Starts the program without waiting until it answers."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [str(self.session.program("gantry-agent")), *self.flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=os.environ | self._environment,
            )  # fmt: skip

    def start(self) -> "Agent":
        self.spawn()

        def ready():
            assert (
                self.process.poll() is None
            ), f"the agent ended with {self.process.returncode}:\n{self.log.read_text()}"
            try:
                return self.get("/readyz")[0] == 200
            except OSError:
                return False

        wait_until(ready, "the agent is ready", 30)
        return self

    def stop(self) -> int:
        """SIGTERM, which leaves containers running."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=20)
        self.process = None
        return status

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process = None

    def close(self) -> None:
        """Ends and forgets every container, then the agent."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.remove_all()
            self.stop()
        self.remove_cgroups()

    def remove_cgroups(self) -> None:
        """Its root's; what lies below one would be a leak, and keeps it there to be found."""
        for hierarchy in cgroups.hierarchies():
            try:
                os.rmdir(hierarchy / self.cgroups_root)
            except OSError:
                pass

    def remove_all(self) -> list[str]:
        """Ends and forgets every container; the ids of those there were."""
        ids = self.containers()
        for id in ids:
            self.remove(id)
        return ids

    def descriptors(self) -> list[str]:
        directory = Path(f"/proc/{self.process.pid}/fd")
        found = []
        for name in os.listdir(directory):
            try:
                found.append(os.readlink(directory / name))
            except FileNotFoundError:
                pass  # closed meanwhile
        return found

    # --- HTTP

    def request(
        self, method: str, path: str, body: bytes | str | None = None, headers: dict | None = None, timeout: float = 60
    ):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            try:
                connection.request(method, path, body, headers or {})
            except BrokenPipeError:
                pass  # refused before all of it was sent: the answer is there
            response = connection.getresponse()
            return response.status, response.read(), dict(response.getheaders())
        finally:
            connection.close()

    def get(self, path: str):
        return self.request("GET", path)

    def get_json(self, path: str):
        status, body, _ = self.get(path)
        if status != 200:
            raise Refused(status, body.decode())
        return json.loads(body)

    def call(self, type: str, part: dict | None = None, timeout: float = 60) -> dict | None:
        """One call of Mesos' v1 operator API, as JSON. Raises Refused for anything but success."""
        message = {"type": type} | ({type.lower(): part} if part is not None else {})
        status, body, _ = self.request(
            "POST", "/api/v1", json.dumps(message), {"Content-Type": "application/json"}, timeout
        )
        if status not in (200, 202):
            raise Refused(status, body.decode(errors="replace"))
        return json.loads(body) if body else None

    # --- containers

    def launch(self, id: str, command=None, image: str | None = None, *, arguments=None, resources=None, limits=None,
               environment=None, volumes=None, network=None, ports=None, user=None, container=None, **more) -> None:  # fmt: skip
        """LAUNCH_CONTAINER. `command` is for the shell unless `arguments` are given; `resources` are name to number."""
        part: dict = {"container_id": {"value": id}}
        if arguments is not None:
            part["command"] = {"shell": False, "value": command or arguments[0], "arguments": arguments}
        elif command is not None:
            part["command"] = {"shell": True, "value": command}
        elif image:
            part["command"] = {"shell": False}
        if environment:
            variables = [{"name": name, "type": "VALUE", "value": value} for name, value in environment.items()]
            part["command"]["environment"] = {"variables": variables}
        if user:
            part["command"]["user"] = user
        part["resources"] = [
            {"name": name, "type": "SCALAR", "scalar": {"value": value}}
            for name, value in ({"cpus": 0.5, "mem": 64} | (resources or {})).items()
        ]
        if limits:
            part["limits"] = {
                name: ({"value": value} if not isinstance(value, str) else value) for name, value in limits.items()
            }
        info: dict = {"type": "MESOS"}
        if image:
            info["mesos"] = {"image": {"type": "DOCKER", "docker": {"name": image}}}
        if volumes:
            info["volumes"] = volumes
        if network:
            info["network_infos"] = [{"name": network} | ({"port_mappings": ports} if ports else {})]
        part["container"] = info | (container or {})
        self.call("LAUNCH_CONTAINER", part | more)

    def wait(self, id: str, timeout: float = 60) -> dict:
        return self.call("WAIT_CONTAINER", {"container_id": {"value": id}}, timeout)["wait_container"]

    def kill_container(self, id: str, number: int = signal.SIGKILL) -> None:
        self.call("KILL_CONTAINER", {"container_id": {"value": id}, "signal": int(number)})

    def remove(self, id: str) -> None:
        """Ends the container if need be, and forgets it."""
        try:
            self.kill_container(id)
            self.wait(id)
        except Refused as refused:
            assert refused.status == 404, refused
        self.call("REMOVE_CONTAINER", {"container_id": {"value": id}})

    def run_container(self, id: str, *words, **options) -> tuple[int, str, str]:
        """Launch, wait, read the output, remove: exit code, standard output, standard error."""
        self.launch(id, *words, **options)
        ended = self.wait(id)
        out, err = self.output(id), self.output(id, "stderr")
        self.call("REMOVE_CONTAINER", {"container_id": {"value": id}})
        return os.waitstatus_to_exitcode(ended["exit_status"]), out, err

    def sandbox(self, id: str) -> Path:
        return self.work / "containers" / id / "sandbox"

    def output(self, id: str, stream: str = "stdout") -> str:
        """By the API, in pieces, as Mesos' clients read it."""
        text, offset = b"", 0
        while True:
            answer = self.call("READ_FILE", {"path": str(self.sandbox(id) / stream), "offset": offset})["read_file"]
            data = base64.b64decode(answer.get("data", ""))
            if not data:
                return text.decode(errors="replace")
            text += data
            offset += len(data)

    def wait_until(self, condition, patience: float = 15) -> None:
        wait_until(condition, "what the test waits for", patience)

    def wait_for_output(self, id: str, text: str, patience: float = 15) -> None:
        wait_until(lambda: text in self.output(id), f"container {id} prints {text!r}", patience)

    def containers(self) -> list[str]:
        """Every container known, also those that ended."""
        return [entry["id"] for entry in self.get_json("/gantry/v1/containers?all=true")["containers"]]

    def inspect(self, id: str) -> dict:
        return self.get_json(f"/gantry/v1/containers/{id}")

    def usage(self, id: str) -> dict:
        for entry in self.call("GET_CONTAINERS", {"show_standalone": True})["get_containers"]["containers"]:
            if entry["container_id"]["value"] == id:
                return entry
        raise AssertionError(f"GET_CONTAINERS does not list {id}")

    def addresses(self, id: str) -> list[str]:
        infos = self.usage(id)["container_status"]["network_infos"]
        return [address["ip_address"] for info in infos for address in info.get("ip_addresses", [])]

    # --- the command line

    def cli(self, *words: str, check: bool = False, **options) -> subprocess.CompletedProcess:
        options = {"timeout": 60, "text": True, "stdin": subprocess.DEVNULL, "capture_output": True} | options
        command = [str(self.session.program("gantry")), "--agent", f"unix://{self.socket_path}", *words]
        result = subprocess.run(command, **options)
        assert (
            not check or result.returncode == 0
        ), f"{' '.join(words)} exited with {result.returncode}: {result.stderr}"
        return result


class MesosAgent(Agent):
    """One that belongs to a master, whose tasks end with it."""

    def leave(self) -> int:
        """SIGUSR1: it unregisters, ends its tasks, and exits; with which status."""
        self.process.send_signal(signal.SIGUSR1)
        return self.wait_exit()

    def wait_exit(self, patience: float = 30) -> int:
        """Until it has ended by itself."""
        status = self.process.wait(timeout=patience)
        self.process = None
        return status

    def close(self) -> None:
        """Ends all tasks and the agent, also when the test has killed the agent."""
        if self.process is not None and self.process.poll() is None:
            self.leave()
        elif self.work.exists():
            self.configure("--recover=cleanup")
            self.spawn()
            self.wait_exit()
        self.remove_cgroups()

    def sandboxes(self) -> list[Path]:
        """Of all runs of all executors."""
        return sorted(self.work.glob("slaves/*/frameworks/*/executors/*/runs/*-*-*-*-*"))

    def task_sandbox(self, task: str) -> Path:
        """Of its newest run."""
        (found,) = self.work.glob(f"slaves/*-S*/frameworks/*/executors/{task}/runs/latest")
        return found.resolve()


def read_from(host: str, port: int, timeout: float = 3) -> str:
    """What a TCP server says before it closes."""
    with socket.create_connection((host, port), timeout=timeout) as peer:
        peer.settimeout(timeout)
        text = b""
        while data := peer.recv(4096):
            text += data
        return text.decode()


def in_thread(function, *words):
    """Runs it beside the test; call the result to have its value."""
    box = {}

    def body():
        try:
            box["value"] = function(*words)
        except BaseException as problem:  # handed to the caller
            box["problem"] = problem

    thread = threading.Thread(target=body, daemon=True)
    thread.start()

    def finish(timeout: float = 60):
        thread.join(timeout)
        assert not thread.is_alive(), "still waiting"
        if "problem" in box:
            raise box["problem"]
        return box["value"]

    return finish


def settle(seconds: float) -> None:
    """For the rare case where nothing can be waited for, only shown not to happen."""
    time.sleep(seconds)
