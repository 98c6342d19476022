"""A Mesos master of the test's own: what it says is scripted by the test, what every master does it does by itself.

It registers agents, pings them, and acknowledges their updates; each of these can be turned off. It notes what a real
master would drop, or die of, in `violations`.
"""

import hmac
import threading
import uuid
from collections import defaultdict
from dataclasses import dataclass, field

from . import wire
from .libprocess import Message, Node, Tls, Upid

TERMINAL = {"TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_ERROR", "TASK_LOST", "TASK_DROPPED", "TASK_GONE",
            "TASK_GONE_BY_OPERATOR"}  # fmt: skip

# What a scheduler of these days can do; an older one is made with fewer.
CAPABILITIES = ("MULTI_ROLE", "TASK_KILLING_STATE", "PARTITION_AWARE", "RESERVATION_REFINEMENT")

# Of a scheduler that speaks HTTP.
NO_PID = "@0.0.0.0:0"


@dataclass
class AgentRecord:
    """An agent as its master knows it."""

    id: str
    upid: Upid
    info: wire.Message
    version: str
    capabilities: set[str]
    resource_version: bytes
    connected: bool = True
    pings: int = 0
    pongs: int = 0


@dataclass
class Update:
    """A status update, however often it was sent."""

    message: wire.Message  # StatusUpdate
    times: list[float] = field(default_factory=list)
    acknowledged: bool = False

    @property
    def status(self) -> wire.Message:
        return self.message.status

    @property
    def state(self) -> str:
        return state_name(self.status.state)

    @property
    def uuid(self) -> bytes:
        return self.message.uuid

    @property
    def reason(self) -> str:
        """Without the prefix; "" if there is none."""
        return enum_name(self.status, "reason").removeprefix("REASON_")

    @property
    def source(self) -> str:
        return enum_name(self.status, "source").removeprefix("SOURCE_")


def enum_name(message: wire.Message, name: str) -> str:
    if not message.HasField(name):
        return ""
    return message.DESCRIPTOR.fields_by_name[name].enum_type.values_by_number[getattr(message, name)].name


def state_name(number: int) -> str:
    return wire.type_named("TaskStatus").DESCRIPTOR.fields_by_name["state"].enum_type.values_by_number[number].name


def resources(role: str | None = "*", **amounts) -> list[dict]:
    """cpus=1, mem=64, ports=[(31000, 31001)]: allocated to `role`, as those of tasks are."""
    made = []
    for name, amount in amounts.items():
        if isinstance(amount, list):
            ranges = [{"begin": begin, "end": end} for begin, end in amount]
            one = {"name": name, "type": "RANGES", "ranges": {"range": ranges}}
        else:
            one = {"name": name, "type": "SCALAR", "scalar": {"value": amount}}
        made.append(one | ({"allocation_info": {"role": role}} if role else {}))
    return made


class Master(Node):
    """Called from the test and from its own connections' threads; state is guarded by `changed`."""

    def __init__(
        self,
        port: int = 0,
        *,
        total_ping_timeout: float = 75,
        ping_interval: float | None = None,
        credentials: dict[str, str] | None = None,
        tls: Tls | None = None,
    ) -> None:
        super().__init__(port, tls)
        self.id = str(uuid.uuid4())
        self.total_ping_timeout = total_ping_timeout
        # principal -> secret; with any, agents must authenticate.
        self.credentials = credentials or {}
        self.registers = True
        self.acknowledges = True
        # By agent id.
        self.agents: dict[str, AgentRecord] = {}
        # Every update, in order of arrival, by (framework, task).
        self.updates: dict[tuple[str, str], list[Update]] = defaultdict(list)
        self.frameworks: dict[str, wire.Message] = {}
        # Tasks that were sent to an agent and of whose end nobody told, by (framework, task).
        self.launched: set[tuple[str, str]] = set()
        # KillTaskMessages, said again to an agent that comes back with the task.
        self.kills: dict[tuple[str, str], dict] = {}
        # Agents that may not come back.
        self.gone: dict[str, str] = {}
        self.drain_config: wire.Message | None = None
        self._admitted = 0
        self._authenticated: dict[str, str] = {}
        self._sessions: dict[str, dict] = {}
        self._stopping = threading.Event()
        self.listen()
        if ping_interval:
            threading.Thread(target=self._ping_all, args=(ping_interval,), daemon=True).start()

    # --- agents

    def _say(self, to: Upid, name: str, content: dict | wire.Message | None = None, sender: str = "master") -> None:
        message = content if isinstance(content, wire.Message) else wire.make(name, content)
        self.send(sender, to, f"mesos.internal.{name}", message.SerializeToString())

    def received(self, message: Message) -> None:
        name = message.name.removeprefix("mesos.internal.")
        try:
            parsed = wire.parse(name, message.body)
        except (KeyError, wire.DecodeError) as problem:
            self.violations.append(f"{message.name} cannot be understood: {problem}")
            return
        handler = getattr(self, f"_on_{name}", None)
        if handler is None:
            self.violations.append(f"no agent sends {message.name} to a master")
        else:
            handler(message, parsed)

    @property
    def agent(self) -> AgentRecord:
        """The only one."""
        assert len(self.agents) == 1, list(self.agents)
        return next(iter(self.agents.values()))

    def wait_registered(self, patience: float = 20) -> AgentRecord:
        self.wait(lambda: any(agent.connected for agent in self.agents.values()), "an agent registers", patience)
        return self.agent

    def count(self, name: str) -> int:
        """How many messages of this name arrived."""
        return sum(message.name == f"mesos.internal.{name}" for message in self.messages)

    def last(self, name: str) -> wire.Message:
        """The newest message of this name."""
        body = next(m.body for m in reversed(self.messages) if m.name == f"mesos.internal.{name}")
        return wire.parse(name, body)

    def _may_register(self, message: Message) -> bool:
        return self.registers and (not self.credentials or str(message.sender) in self._authenticated)

    def _record(self, id: str, message: Message, parsed: wire.Message) -> AgentRecord:
        capabilities = {enum_name(one, "type") for one in parsed.agent_capabilities}
        version = parsed.resource_version_uuid.value
        if "RESOURCE_PROVIDER" in capabilities and len(version) != 16:
            self.violations.append("a master dies of an agent with RESOURCE_PROVIDER and no resource version")
        known = self.agents.get(id)
        record = AgentRecord(id, message.sender, parsed.slave, parsed.version, capabilities, version)
        if known:
            record.pings, record.pongs = known.pings, known.pongs
        self.agents[id] = record
        try:
            self.relink(message.sender.address)
        except OSError:  # it is gone already
            record.connected = False
        return record

    def _connection(self) -> dict:
        return {"total_ping_timeout_seconds": self.total_ping_timeout}

    def _on_RegisterSlaveMessage(self, message: Message, parsed: wire.Message) -> None:
        if parsed.slave.HasField("id"):
            self.violations.append("RegisterSlaveMessage of an agent that has an id")
        if not self._may_register(message):
            return
        known = next((agent for agent in self.agents.values() if agent.upid == message.sender), None)
        if known and not known.connected:  # it forgot who it was
            del self.agents[known.id]
            known = None
        if known is None:
            self._admitted += 1
        record = self._record(known.id if known else f"{self.id}-S{self._admitted - 1}", message, parsed)
        self._ping(record)
        self._say(
            record.upid, "SlaveRegisteredMessage", {"slave_id": {"value": record.id}, "connection": self._connection()}
        )

    def _on_ReregisterSlaveMessage(self, message: Message, parsed: wire.Message) -> None:
        id = parsed.slave.id.value
        self._validate(parsed)
        if id in self.gone:
            self._say(message.sender, "ShutdownMessage", {"message": self.gone[id]})
            return
        if not self._may_register(message):
            return
        record = self._record(id, message, parsed)
        answer = wire.make("SlaveReregisteredMessage", {"slave_id": {"value": id}, "connection": self._connection()})
        answer.reconciliations.extend(self._missing(parsed))
        self._ping(record)
        self._say(record.upid, "SlaveReregisteredMessage", answer)
        for task in parsed.tasks:
            kill = self.kills.get((task.framework_id.value, task.task_id.value))
            if kill and state_name(task.state) not in TERMINAL:
                self._say(record.upid, "KillTaskMessage", kill)
        if self.drain_config:
            self._say(record.upid, "DrainSlaveMessage", self.drain_config)
        for framework in parsed.frameworks:
            self.frameworks.setdefault(framework.id.value, framework)
            self.update_framework(framework.id.value)

    def _missing(self, parsed: wire.Message) -> list[wire.Message]:
        """ReconcileTasksMessages for tasks that should be there and that the agent does not list."""
        listed = {(task.framework_id.value, task.task_id.value) for task in parsed.tasks}
        made = []
        for framework, task in sorted(self.launched - listed):
            status = {"task_id": {"value": task}, "state": "TASK_STAGING", "agent_id": {"value": parsed.slave.id.value}}
            one = wire.make("ReconcileTasksMessage", {"framework_id": {"value": framework}, "statuses": [status]})
            one.framework.CopyFrom(self.frameworks[framework])
            made.append(one)
        return made

    def _validate(self, parsed: wire.Message) -> None:
        """What a master drops without a word, so that the agent never registers again."""
        frameworks = [framework.id.value for framework in parsed.frameworks]
        executors = {(e.framework_id.value, e.executor_id.value) for e in parsed.executor_infos}
        problems = []
        if len(set(frameworks)) != len(frameworks):
            problems.append("a framework is listed twice")
        if not {framework for framework, _ in executors}.issubset(frameworks):
            problems.append("the framework of an executor is not listed")
        for task in parsed.tasks:
            owner = task.framework_id.value
            if owner not in frameworks:
                problems.append(f"the framework of task {task.task_id.value} is not listed")
            if task.agent_id.value != parsed.slave.id.value:
                problems.append(f"task {task.task_id.value} is another agent's")
            running = state_name(task.state) == "TASK_RUNNING"
            if running and task.HasField("executor_id") and (owner, task.executor_id.value) not in executors:
                problems.append(f"the executor of task {task.task_id.value} is not listed")
            if task.HasField("status_update_state") != task.HasField("status_update_uuid"):
                problems.append(f"task {task.task_id.value} has one half of its last update")
            if not all(resource.HasField("allocation_info") for resource in task.resources):
                problems.append(f"task {task.task_id.value} has resources without allocation_info")
        self.violations.extend(f"ReregisterSlaveMessage: {problem}" for problem in problems)

    def _on_UpdateSlaveMessage(self, message: Message, parsed: wire.Message) -> None:
        if parsed.slave_id.value not in self.agents:
            self.violations.append("UpdateSlaveMessage of an agent that is not registered")

    def _on_UnregisterSlaveMessage(self, message: Message, parsed: wire.Message) -> None:
        if self.agents.pop(parsed.slave_id.value, None) is None:
            self.violations.append("UnregisterSlaveMessage of an agent that is not registered")

    def _on_PongSlaveMessage(self, message: Message, parsed: wire.Message) -> None:
        if not message.to.startswith("slave-observer("):
            self.violations.append(f"a pong goes to the ping's sender, not to {message.to}")
        for agent in self.agents.values():
            if agent.upid == message.sender:
                agent.pongs += 1

    def _on_ExitedExecutorMessage(self, message: Message, parsed: wire.Message) -> None:
        pass

    def link_lost(self, address: tuple[str, int]) -> None:
        for agent in self.agents.values():
            if agent.upid.address == address:
                agent.connected = False
                self._authenticated.pop(str(agent.upid), None)

    def _ping(self, agent: AgentRecord) -> None:
        agent.pings += 1
        observer = f"slave-observer({list(self.agents).index(agent.id) + 1})"
        self._say(agent.upid, "PingSlaveMessage", {"connected": agent.connected}, observer)

    def ping(self) -> None:
        """Once, every agent, as it is."""
        with self.changed:
            for agent in self.agents.values():
                self._ping(agent)

    def _ping_all(self, interval: float) -> None:
        while not self._stopping.wait(interval):
            self.ping()

    def wait_pongs(self) -> None:
        """Until every ping is answered, and what was said before it is done with."""
        self.wait(lambda: all(agent.pongs == agent.pings for agent in self.agents.values()), "the pings are answered")

    def say(self, name: str, content: dict | wire.Message | None = None, sender: str = "master") -> None:
        """Any message to the agent."""
        self._say(self.agent.upid, name, content, sender)

    def stop(self) -> None:
        self._stopping.set()
        super().stop()

    # --- authentication

    def _on_AuthenticateMessage(self, message: Message, parsed: wire.Message) -> None:
        self._authenticated.pop(parsed.pid, None)
        session = f"crammd5-authenticator-session({len(self._sessions) + 1})"
        challenge = f"<{len(self._sessions)}.{self.port}@gantry>"
        self._sessions[session] = {"agent": parsed.pid, "challenge": challenge}
        if self.credentials:
            self._say(message.sender, "AuthenticationMechanismsMessage", {"mechanisms": ["CRAM-MD5"]}, session)
        else:
            self._say(message.sender, "AuthenticationErrorMessage", {"error": "No authenticator loaded"}, session)

    def _on_AuthenticationStartMessage(self, message: Message, parsed: wire.Message) -> None:
        if parsed.mechanism != "CRAM-MD5":
            self.violations.append(f"mechanism {parsed.mechanism!r} was not offered")
        challenge = wire.type_named("AuthenticationStepMessage")(data=self._sessions[message.to]["challenge"].encode())
        self._say(message.sender, "AuthenticationStepMessage", challenge, message.to)

    def _on_AuthenticationStepMessage(self, message: Message, parsed: wire.Message) -> None:
        session = self._sessions[message.to]
        principal, _, given = parsed.data.decode().rpartition(" ")
        secret = self.credentials.get(principal, "").encode()
        wanted = hmac.new(secret, session["challenge"].encode(), "md5").hexdigest()
        if principal in self.credentials and given == wanted:
            self._authenticated[session["agent"]] = principal
            self._say(message.sender, "AuthenticationCompletedMessage", None, message.to)
        else:
            self._say(message.sender, "AuthenticationFailedMessage", None, message.to)

    # --- frameworks

    def framework(self, name: str = "test", *, capabilities=CAPABILITIES, checkpoint: bool = True, **fields) -> str:
        """A new one; its id."""
        id = f"{self.id}-{len(self.frameworks):04}"
        content = {
            "user": "root",
            "name": name,
            "id": {"value": id},
            "failover_timeout": 600,
            "checkpoint": checkpoint,
            "capabilities": [{"type": one} for one in capabilities],
            "roles": ["*"],
        }
        self.frameworks[id] = wire.make("FrameworkInfo", content | fields)
        return id

    @property
    def default_framework(self) -> str:
        return next(iter(self.frameworks), None) or self.framework()

    def update_framework(self, id: str) -> None:
        message = wire.make("UpdateFrameworkMessage", {"framework_id": {"value": id}, "pid": NO_PID})
        message.framework_info.CopyFrom(self.frameworks[id])
        self.say("UpdateFrameworkMessage", message)

    def shutdown_framework(self, id: str) -> None:
        self.launched = {one for one in self.launched if one[0] != id}
        self.say("ShutdownFrameworkMessage", {"framework_id": {"value": id}})

    # --- tasks

    def task(
        self, id: str, command: str | None = "sleep 1000", /, *, cpus=0.1, mem=32, more_resources=(), **fields
    ) -> dict:
        """A TaskInfo: a shell command unless `fields` say otherwise."""
        content = {
            "name": id,
            "task_id": {"value": id},
            "agent_id": {"value": self.agent.id},
            "resources": [*resources(cpus=cpus, mem=mem), *more_resources],
        }
        if command is not None:
            content["command"] = {"value": command, "shell": True}
        return content | fields

    def run(self, task: dict | wire.Message, framework: str | None = None, **fields) -> None:
        """RunTaskMessage, as it is sent for a command task."""
        message = wire.make("RunTaskMessage", {"pid": NO_PID, "launch_executor": True} | fields)
        message.framework.CopyFrom(self.frameworks[framework or self.default_framework])
        message.task.CopyFrom(task if isinstance(task, wire.Message) else wire.make("TaskInfo", task))
        self.launched.add((message.framework.id.value, message.task.task_id.value))
        if self.agent.resource_version:
            message.resource_version_uuids.add().uuid.value = self.agent.resource_version
        self.say("RunTaskMessage", message)

    def launch(self, id: str, command: str | None = "sleep 1000", /, framework: str | None = None, **fields) -> None:
        self.run(self.task(id, command, **fields), framework)

    def kill(self, id: str, framework: str | None = None, grace: float | None = None) -> None:
        content = {"framework_id": {"value": framework or self.default_framework}, "task_id": {"value": id}}
        if grace is not None:
            content["kill_policy"] = {"grace_period": {"nanoseconds": int(grace * 1e9)}}
        self.kills[content["framework_id"]["value"], id] = content
        self.say("KillTaskMessage", content)

    def drain(self, grace: float | None = None, mark_gone: bool = False) -> None:
        config: dict = {"mark_gone": mark_gone} if mark_gone else {}
        if grace is not None:
            config["max_grace_period"] = {"nanoseconds": int(grace * 1e9)}
        self.drain_config = wire.make("DrainSlaveMessage", {"config": config})
        self.say("DrainSlaveMessage", self.drain_config)

    def _on_StatusUpdateMessage(self, message: Message, parsed: wire.Message) -> None:
        update = parsed.update
        status = update.status
        stream = self.updates[update.framework_id.value, status.task_id.value]
        what = f"update {state_name(status.state)} of task {status.task_id.value}"
        if not parsed.pid:
            self.violations.append(f"a master dies of an update without pid: {what}")
        if len(update.uuid) != 16 or status.uuid != update.uuid:
            self.violations.append(f"{what}: uuid {update.uuid!r} outside and {status.uuid!r} inside")
        if not update.HasField("latest_state"):
            self.violations.append(f"{what}: no latest_state")
        if update.slave_id.value not in self.agents:
            return  # ignored, as by a master that does not know the agent yet
        known = next((one for one in stream if one.uuid == update.uuid), None)
        if known is None:
            if stream and not stream[-1].acknowledged:
                self.violations.append(f"{what}: sent before {stream[-1].state} was acknowledged")
            if stream and stream[-1].state in TERMINAL:
                self.violations.append(f"{what}: after {stream[-1].state}")
            known = Update(update)
            stream.append(known)
        elif known.status != status:
            self.violations.append(f"{what}: sent again with another content")
        known.times.append(message.at)
        if known.state in TERMINAL:
            self.launched.discard((update.framework_id.value, status.task_id.value))
        if self.acknowledges:
            self.acknowledge(known, message.sender)

    def acknowledge(self, update: Update, to: Upid | None = None) -> None:
        message = wire.make("StatusUpdateAcknowledgementMessage")
        message.slave_id.CopyFrom(update.message.slave_id)
        message.framework_id.CopyFrom(update.message.framework_id)
        message.task_id.CopyFrom(update.status.task_id)
        message.uuid = update.uuid
        update.acknowledged = True
        self._say(to or self.agent.upid, "StatusUpdateAcknowledgementMessage", message)

    def stream(self, task: str, framework: str | None = None) -> list[Update]:
        return self.updates[framework or self.default_framework, task]

    def states(self, task: str, framework: str | None = None) -> list[str]:
        return [update.state for update in self.stream(task, framework)]

    def wait_state(self, task: str, state: str, framework: str | None = None, patience: float = 15) -> Update:
        """Until the task says so; that update. Fails at once when it ended otherwise."""
        framework = framework or self.default_framework

        def there():
            stream = self.stream(task, framework)
            ended = stream and stream[-1].state in TERMINAL
            found = next((update for update in stream if update.state == state), None)
            assert found or not ended, f"task {task} ended with {describe(stream)}"
            return found

        return self.wait(there, f"task {task} becomes {state}", patience)

    def wait_end(self, task: str, framework: str | None = None, patience: float = 15) -> Update:
        """Until the task has ended, however it did; its last update."""

        def ended():
            stream = self.stream(task, framework)
            return stream[-1] if stream and stream[-1].state in TERMINAL else None

        return self.wait(ended, f"task {task} ends", patience)


def describe(stream: list[Update]) -> str:
    return ", ".join(f"{one.state} {one.reason} {one.status.message!r}" for one in stream)
