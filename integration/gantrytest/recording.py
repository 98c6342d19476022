"""Conversations of a real Mesos master with a real mesos-agent, and what another agent answers to the same master.

A scenario is a text file. A step is a line of who says what to whom, and the message below it, indented, in protobuf's
text format; or `do` and something that happens to the master or the agent. `#` begins a comment.

    do start agent --attributes=rack:r1
    agent slave(1) > master: RegisterSlaveMessage
      slave { hostname: "127.0.0.1" … }
    master slave-observer(1) > slave(1): PingSlaveMessage
      connected: true

The master's steps are played in their order, each when everything that the recorded agent had said before it was said
by the agent at hand. Answers are compared in streams, as messages of different tasks cross each other: each task's
updates, the pongs, the authentication, and the rest.
"""

import re
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from . import wire
from .libprocess import Message, Node, Upid
from .oci_runtime import wait_until

# Where the recorded ones listened.
MASTER, AGENT = "127.0.0.1:5050", "127.0.0.1:5051"
AGENT_PORT = 5051

_SAID = re.compile(r"(agent|master) (\S+) > (\S+): (\w+)$")


@dataclass(frozen=True)
class Step:
    by: str  # agent, master, or do
    sender: str = ""
    to: str = ""
    name: str = ""
    content: wire.Message | None = None
    words: tuple[str, ...] = ()
    line: int = 0


@dataclass(frozen=True)
class Scenario:
    name: str
    steps: tuple[Step, ...]


def read(path: Path) -> Scenario:
    steps: list[Step] = []
    lines = path.read_text().splitlines()
    number = 0
    while number < len(lines):
        line, number = lines[number], number + 1
        if not line or line.startswith("#"):
            continue
        first = number
        if line.startswith("do "):
            steps.append(Step("do", words=tuple(line.split()[1:]), line=first))
            continue
        said = _SAID.match(line)
        assert said, f"{path.name}:{first}: neither a message nor a deed: {line}"
        text = ""
        while number < len(lines) and lines[number].startswith(" "):
            text, number = text + lines[number] + "\n", number + 1
        by, sender, to, name = said.groups()
        steps.append(Step(by, sender, to, name, wire.parse_text(name, text), line=first))
    return Scenario(path.stem, tuple(steps))


# --- comparing messages

# Repeated fields whose order says nothing, and what tells their entries apart.
_UNORDERED: dict[str, Callable] = {
    "resources": lambda one: (one.name, one.role),
    "attributes": lambda one: one.name,
    "tasks": lambda one: one.task_id.value,
    "frameworks": lambda one: one.id.value,
    "agent_capabilities": lambda one: one.type,
}

# Made up anew in each run: the same ones must be equal in the same places.
_NAMES = re.compile(r"(^|[._])uuid$|uuid\.value$|container_id\.value$|executor_pid$|status_update_uuid$")
# Different in each run.
_FREE = re.compile(r"(^|\.)timestamp$")


def made_up(path: str) -> bool:
    """Whether the value there is of its run only."""
    return bool(_NAMES.search(path) or _FREE.search(path))


@dataclass(frozen=True)
class Default:
    """A value that is the one that counts when there is none."""

    value: object


def leaves(message: wire.Message, path: str = "") -> Iterator[tuple[str, object]]:
    """Every value with its path; an empty message is a value."""
    present = message.ListFields()
    if not present and path:
        yield path, {}
    for field, value in present:
        here = f"{path}.{field.name}" if path else field.name
        if field.label != field.LABEL_REPEATED:
            value = [value]
            places = [here]
        elif field.message_type and field.message_type.GetOptions().map_entry:
            keys = sorted(value)
            value, places = [value[key] for key in keys], [f"{here}[{key}]" for key in keys]
        else:
            if field.name in _UNORDERED:
                value = sorted(value, key=_UNORDERED[field.name])
            places = [f"{here}[{index}]" for index in range(len(value))]
        for place, one in zip(places, value):
            if isinstance(one, wire.Message):
                yield from leaves(one, place)
            elif field.has_default_value and one == field.default_value:
                yield place, Default(one)
            elif field.enum_type:
                yield place, field.enum_type.values_by_number[one].name
            else:
                yield place, one


class Names:
    """Which name of this run stands for which recorded one."""

    def __init__(self) -> None:
        self._ours: dict = {}
        self._recorded: dict = {}

    def same(self, recorded, ours) -> bool:
        return self._ours.setdefault(recorded, ours) == ours and self._recorded.setdefault(ours, recorded) == recorded


def compare(recorded: wire.Message, ours: wire.Message, names: Names) -> list[str]:
    """One sentence for each field that differs."""
    wanted, given = dict(leaves(recorded)), dict(leaves(ours))
    problems = []
    for path in sorted(wanted.keys() | given.keys()):
        if path not in given:
            problems.append(f"{path} is missing: {wanted[path]!r}")
        elif path not in wanted:
            if isinstance(given[path], Default):
                continue
            problems.append(f"{path} is new: {given[path]!r}")
        elif _FREE.search(path):
            if not given[path]:
                problems.append(f"{path} is {given[path]!r}")
        elif _NAMES.search(path):
            if not given[path] or not names.same(wanted[path], given[path]):
                problems.append(f"{path} does not name what {wanted[path]!r} named")
        elif wanted[path] != given[path]:
            problems.append(f"{path} is {given[path]!r} instead of {wanted[path]!r}")
    return problems


def relocate(message: wire.Message, places: dict[str, str], port: int) -> wire.Message:
    """A copy for other addresses."""
    copy = type(message)()
    copy.CopyFrom(message)
    _relocate(copy, places, port)
    return copy


def _relocate(message: wire.Message, places: dict[str, str], port: int) -> None:
    for field, value in message.ListFields():
        repeated = field.label == field.LABEL_REPEATED
        if field.type == field.TYPE_STRING and not repeated:
            for old, new in places.items():
                value = value.replace(old, new)
            setattr(message, field.name, value)
        elif field.name == "port" and message.DESCRIPTOR.name == "AgentInfo" and value == AGENT_PORT:
            message.port = port
        elif field.message_type and not field.message_type.GetOptions().map_entry:
            for one in value if repeated else [value]:
                _relocate(one, places, port)


# --- streams

Key = tuple[str, ...]


def stream_of(name: str, to: str, content: wire.Message) -> Key:
    if name == "StatusUpdateMessage":
        return ("updates", content.update.framework_id.value, content.update.status.task_id.value)
    if name == "PongSlaveMessage":
        return "pongs", to
    if name.startswith("Authentic"):
        return ("authentication",)
    return ("session",)


@dataclass
class Said:
    sender: str
    to: str
    name: str
    content: wire.Message
    line: int = 0


class Streams:
    """Messages in order, with those that are only said again left out."""

    def __init__(self) -> None:
        self.by_key: dict[Key, list[Said]] = defaultdict(list)

    def add(self, said: Said) -> None:
        stream = self.by_key[stream_of(said.name, said.to, said.content)]
        if not any(self._again(one, said) for one in stream[-1:] if said.name != "PongSlaveMessage"):
            stream.append(said)

    def uuid_place(self, uuid: bytes) -> tuple[Key, int] | None:
        """Where the update with this uuid is."""
        for key, stream in self.by_key.items():
            for index, said in enumerate(stream):
                if key[0] == "updates" and said.content.update.uuid == uuid:
                    return key, index
        return None

    @staticmethod
    def _again(one: Said, other: Said) -> bool:
        if one.name != other.name:
            return False
        if one.name == "StatusUpdateMessage":
            return one.content.update.uuid == other.content.update.uuid
        return one.name in ("RegisterSlaveMessage", "ReregisterSlaveMessage") and one.content == other.content


def compare_streams(recorded: Streams, ours: Streams, tolerances: Sequence["Tolerance"] = ()) -> list[str]:
    names = Names()
    problems = []
    for key in sorted(recorded.by_key.keys() | ours.by_key.keys()):
        wanted, given = recorded.by_key.get(key, []), ours.by_key.get(key, [])
        for index in range(max(len(wanted), len(given))):
            where = f"{' '.join(key)}, message {index + 1}"
            if index >= len(given):
                problems.append(f"{where} (line {wanted[index].line}): {wanted[index].name} was not sent")
            elif index >= len(wanted):
                problems.append(f"{where}: nobody asked for {wire.one_line(given[index].content)}")
            else:
                problems += [
                    f"{where} (line {wanted[index].line}): {one}"
                    for one in _compare(wanted[index], given[index], names, tolerances)
                ]
    return problems


def _compare(wanted: Said, given: Said, names: Names, tolerances: Sequence["Tolerance"]) -> list[str]:
    if wanted.name != given.name:
        return [f"{given.name} instead of {wanted.name}"]
    recorded = type(wanted.content)()
    recorded.CopyFrom(wanted.content)
    for tolerance in tolerances:
        tolerance(recorded, given.content)
    problems = compare(recorded, given.content, names)
    if (wanted.sender, wanted.to) != (given.sender, given.to):
        problems.append(f"from {given.sender} to {given.to} instead of from {wanted.sender} to {wanted.to}")
    return problems


# --- playing a scenario

# How the recorded agent's message would be said by the agent at hand, by the scenario's name; None if it does not say it.
Difference = Callable[[str, Step], wire.Message | None]
# Changes the recorded message where the other one may differ from it.
Tolerance = Callable[[wire.Message, wire.Message], None]


class Subject(Protocol):
    """The agent that is tried."""

    port: int

    def start(self, master: str, flags: list[str]) -> None:
        ...

    def kill(self) -> None:
        """At once, and what it runs goes on."""

    def leave(self) -> int:
        """SIGUSR1: unregisters and ends; its exit status."""

    def wait_exit(self) -> int:
        """Until it has ended by itself; its exit status."""


class _Ear(Node):
    """Keeps everything in the list of whoever replays, and does nothing by itself."""

    def __init__(self, port: int, heard: list[Message], changed: threading.Condition) -> None:
        super().__init__(port)
        self.messages, self.changed = heard, changed
        self.listen()


class Replay:
    def __init__(
        self,
        scenario: Scenario,
        subject: Subject,
        differences: Sequence[Difference] = (),
        tolerances: Sequence[Tolerance] = (),
        patience: float = 20,
    ) -> None:
        self._scenario = scenario
        self._subject = subject
        self._differences = differences
        self._tolerances = tolerances
        self._patience = patience
        self._heard: list[Message] = []
        self._changed = threading.Condition(threading.RLock())
        self._master: _Ear | None = _Ear(0, self._heard, self._changed)
        self._port = self._master.port
        self._violations: list[str] = []
        self._places = {MASTER: f"127.0.0.1:{self._port}", AGENT: f"127.0.0.1:{subject.port}"}
        self._expected = Streams()

    def run(self, settle: float = 0.3) -> list[str]:
        """What differs; nothing is best."""
        try:
            for step in self._scenario.steps:
                if step.by == "agent":
                    self._expect(step)
                elif not self._satisfied():
                    return [f"at line {step.line} the agent had not said enough: {one}" for one in self._problems()]
                elif step.by == "do":
                    self._do(step)
                else:
                    self._play(step)
            if not self._satisfied():
                return self._problems()
            time.sleep(settle)  # for what should not be said
            return self._problems()
        finally:
            if self._master:
                self._end_master()

    def _problems(self) -> list[str]:
        violations = self._violations + (self._master.violations if self._master else [])
        return compare_streams(self._expected, self._ours(), self._tolerances) + [
            f"on the wire: {one}" for one in violations
        ]

    def _expect(self, step: Step) -> None:
        content: wire.Message | None = step.content
        for difference in self._differences:
            if content is not None:
                content = difference(self._scenario.name, Step("agent", step.sender, step.to, step.name, content))
        if content is not None:
            content = relocate(content, self._places, self._subject.port)
            self._expected.add(Said(step.sender, step.to, step.name, content, step.line))

    def _ours(self) -> Streams:
        streams = Streams()
        with self._changed:
            for message in self._heard:
                name = message.name.removeprefix("mesos.internal.")
                streams.add(Said(message.sender.id, message.to, name, wire.parse(name, message.body)))
        return streams

    def _satisfied(self) -> bool:
        """Waits until every stream is as long as the recorded one is up to here."""
        deadline = time.monotonic() + self._patience
        while True:
            with self._changed:
                ours = self._ours()
                if all(len(ours.by_key.get(key, [])) >= len(said) for key, said in self._expected.by_key.items()):
                    return True
                if time.monotonic() > deadline:
                    return False
                self._changed.wait(0.2)

    def _play(self, step: Step) -> None:
        content = relocate(step.content, self._places, self._subject.port)
        ours = self._ours()
        if step.name == "StatusUpdateAcknowledgementMessage":
            place = self._expected.uuid_place(content.uuid)
            if place is None:
                return  # of an update that the agent at hand does not send
            key, index = place
            content.uuid = ours.by_key[key][index].content.update.uuid
        if step.name == "RunTaskMessage":
            self._name_resources(content, ours)
        to = Upid(step.to, "127.0.0.1", self._subject.port)
        wait_until(lambda: self._master.reaches(to.address), "the agent listens", self._patience)
        self._master.send(step.sender, to, f"mesos.internal.{step.name}", content.SerializeToString())

    @staticmethod
    def _name_resources(run: wire.Message, ours: Streams) -> None:
        """The version of the agent's resources, as it last told it."""
        registered = [said.content for said in ours.by_key[("session",)] if said.name.endswith("egisterSlaveMessage")]
        del run.resource_version_uuids[:]
        if registered and registered[-1].HasField("resource_version_uuid"):
            run.resource_version_uuids.add().uuid.CopyFrom(registered[-1].resource_version_uuid)

    def _do(self, step: Step) -> None:
        match step.words:
            case ("start", "agent", *flags):
                self._subject.start(f"127.0.0.1:{self._port}", list(flags))
            case ("kill", "agent"):
                self._subject.kill()
                self._master.unlink(("127.0.0.1", self._subject.port))
            case ("tell", "agent", "to", "leave"):
                assert self._subject.leave() == 0
            case ("wait", "for", "exit", status):
                given = self._subject.wait_exit()
                assert given == int(status), f"the agent exited with {given} instead of {status}"
                self._master.unlink(("127.0.0.1", self._subject.port))
            case ("wait", seconds):
                time.sleep(float(seconds))
            case ("kill", "master"):
                self._end_master()
            case ("start", "master"):
                self._master = _Ear(self._port, self._heard, self._changed)
            case _:
                raise AssertionError(f"{self._scenario.name}:{step.line}: nobody knows how to {' '.join(step.words)}")

    def _end_master(self) -> None:
        self._violations += self._master.violations
        self._master.stop()
        self._master = None


# --- the recorded agent itself


def _listens(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=1).close()
    except OSError:
        return False
    return True


Change = Callable[[Step], list[Step]]


class RecordedAgent:
    """Says what the recorded agent said, when it has heard what that one had heard: to try the comparison on. What is
    said may be changed: `change` is given each step of the agent, and gives what is said in its place.
    """

    def __init__(self, scenario: Scenario, change: Change = lambda step: [step]) -> None:
        # One list for each time that it is started.
        self._lives: list[list[Step]] = []
        for step in scenario.steps:
            if step.words[:2] == ("start", "agent"):
                self._lives.append([])
            else:
                self._lives[-1].append(step)
        self._change = change
        self._life = -1
        self._node: Node | None = Node()
        self.port = self._node.port
        self._said_all = threading.Event()
        self._ended = threading.Event()

    def start(self, master: str, flags: list[str]) -> None:
        self._node = self._node or Node(self.port)
        self._node.listen()
        self._life += 1
        self._said_all.clear()
        self._ended.clear()
        threading.Thread(target=self._talk, args=(self._node, Upid.parse(f"@{master}")), daemon=True).start()

    def _talk(self, node: Node, master: Upid) -> None:
        places = {MASTER: f"127.0.0.1:{master.port}", AGENT: f"127.0.0.1:{self.port}"}
        to_hear = 0
        for step in self._lives[self._life]:
            if step.by == "master":
                to_hear += 1
            elif step.words == ("kill", "master"):
                node.wait(lambda: node.exited, "the master goes")
            elif step.words == ("start", "master"):
                wait_until(lambda: _listens(master.address), "the master comes back")
            elif step.by == "agent":
                with node.changed:
                    while len(node.messages) < to_hear and not self._ended.is_set():
                        node.changed.wait(0.1)
                if self._ended.is_set():
                    return
                for one in self._change(step):
                    content = relocate(one.content, places, self.port).SerializeToString()
                    node.send(one.sender, Upid(one.to, master.ip, master.port), f"mesos.internal.{one.name}", content)
        self._said_all.set()

    def kill(self) -> None:
        if self._node:
            self._ended.set()
            self._node.stop()
            self._node = None

    def leave(self) -> int:
        self._said_all.wait(5)
        return 0

    def wait_exit(self) -> int:
        status = next(step.words[-1] for step in self._lives[self._life] if step.words[:2] == ("wait", "for"))
        self.kill()
        return int(status)
