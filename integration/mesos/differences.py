"""What Gantry says otherwise than the recorded mesos-agent, on purpose; docs/mesos.md tells why.

Of SAID_OTHERWISE each is given a scenario's name and what the recorded agent says there. It changes that into what Gantry
says, or returns None where Gantry says nothing. Of MAY_DIFFER each is given what was recorded and what Gantry said, and
changes the former where both are right.
"""

from gantrytest import wire
from gantrytest.master import enum_name, state_name
from gantrytest.recording import Step

# Announced once their behaviour is there.
LATER_CAPABILITIES = ("RESOURCE_PROVIDER", "RESIZE_VOLUME", "AGENT_OPERATION_FEEDBACK")


def capabilities(scenario: str, said: Step) -> wire.Message | None:
    """Changes of reservations and volumes come by CheckpointResourcesMessage, so that there is no version of resources and
    nothing to be said about operations and providers."""
    if said.name == "UpdateSlaveMessage":
        return None
    if said.name in ("RegisterSlaveMessage", "ReregisterSlaveMessage"):
        kept = [one for one in said.content.agent_capabilities if enum_name(one, "type") not in LATER_CAPABILITIES]
        del said.content.agent_capabilities[:]
        said.content.agent_capabilities.extend(kept)
        said.content.ClearField("resource_version_uuid")
    return said.content


def _state(name: str) -> int:
    return wire.make("TaskStatus", {"task_id": {"value": ""}, "state": name}).state


def _update_of(said: Step, task: str) -> wire.Message | None:
    """The StatusUpdate of this task, if the message is one."""
    if said.name == "StatusUpdateMessage" and said.content.update.status.task_id.value == task:
        return said.content.update
    return None


def refused_at_once(scenario: str, said: Step) -> wire.Message | None:
    """A task that cannot be run is told so in one update, before anything is started for it."""
    for task, state, reason in (
        ("nocommand", "TASK_ERROR", "REASON_TASK_INVALID"),
        ("nocmd", "TASK_FAILED", "REASON_CONTAINER_LAUNCH_FAILED"),
    ):
        update = _update_of(said, task)
        if update is None:
            continue
        if state_name(update.status.state) != "TASK_FAILED":
            return None
        changes = {
            "task_id": {"value": task},
            "state": state,
            "source": "SOURCE_AGENT",
            "reason": reason,
            "message": "-",
        }
        update.status.ClearField("container_status")
        update.status.MergeFrom(wire.make("TaskStatus", changes))
        update.latest_state = update.status.state
    return said.content


# What the recorded agent last said of a task's container, by scenario and task.
_containers: dict[tuple[str, str], wire.Message] = {}


def container_always(scenario: str, said: Step) -> wire.Message | None:
    """Every update that an executor would have sent names the container."""
    if said.name == "StatusUpdateMessage" and enum_name(said.content.update.status, "source") == "SOURCE_EXECUTOR":
        status = said.content.update.status
        key = scenario, status.task_id.value
        if status.HasField("container_status"):
            _containers[key] = status.container_status
        elif key in _containers:
            status.container_status.CopyFrom(_containers[key])
    return said.content


def true_exit(scenario: str, said: Step) -> wire.Message | None:
    """How a task ended while the agent was away is known: its monitor was there."""
    if scenario != "agent-restart":
        return said.content
    finished = _state("TASK_FINISHED")
    statuses = []
    if update := _update_of(said, "short"):
        statuses = [update.status]
        if state_name(update.latest_state) == "TASK_FAILED":
            update.latest_state = finished
    if said.name == "ReregisterSlaveMessage":
        tasks = [*said.content.tasks, *(task for one in said.content.completed_frameworks for task in one.tasks)]
        for task in tasks:
            if task.task_id.value == "short":
                statuses, task.state = task.statuses, finished
    for status in statuses:
        if state_name(status.state) == "TASK_FAILED":
            changes = {"state": "TASK_FINISHED", "source": "SOURCE_EXECUTOR", "message": "Command exited with status 0"}
            status.ClearField("reason")
            status.MergeFrom(wire.make("TaskStatus", {"task_id": {"value": "short"}} | changes))
            status.container_status.CopyFrom(_containers[scenario, "short"])
    return said.content


def ignored_term(scenario: str, said: Step) -> wire.Message | None:
    """The shell of the recorded task was ended before it could say that it ignores the signal."""
    update = _update_of(said, "k2")
    if update is not None and state_name(update.status.state) == "TASK_KILLED":
        update.status.message = "Command terminated with signal Killed"
    return said.content


def no_executor_to_feed(scenario: str, said: Step) -> wire.Message | None:
    """A limit is the task's own: nothing is added to it for an executor."""
    update = _update_of(said, "oom")
    if update is not None and update.status.HasField("limitation"):
        update.status.limitation.resources[0].scalar.value -= 32
    return said.content


def gone_once(scenario: str, said: Step) -> wire.Message | None:
    """Of an agent that is drained to be gone, TASK_GONE_BY_OPERATOR tells the end of a task, and not its beginning too."""
    if scenario != "drain":
        return said.content
    update = _update_of(said, "t2")
    if update is not None and state_name(update.status.state) == "TASK_GONE_BY_OPERATOR":
        if not update.status.message:
            return None
        _gone[:] = [update.status]
    if said.name == "ReregisterSlaveMessage":
        for task in [task for one in said.content.completed_frameworks for task in one.tasks]:
            if task.task_id.value == "t2":
                del task.statuses[-1]
                task.statuses.add().CopyFrom(_gone[0])
    return said.content


# What was told last of the task that was gone.
_gone: list[wire.Message] = []


SAID_OTHERWISE = [
    capabilities,
    container_always,
    refused_at_once,
    true_exit,
    ignored_term,
    no_executor_to_feed,
    gone_once,
]


def version(recorded: wire.Message, ours: wire.Message) -> None:
    """Ours is the version of Mesos whose agents it is like."""
    if "version" in recorded.DESCRIPTOR.fields_by_name:
        recorded.version = ours.version


def newer_state(recorded: wire.Message, ours: wire.Message) -> None:
    """No executor is waited for between TASK_STARTING and TASK_RUNNING: the former is told when the latter is known."""
    if recorded.DESCRIPTOR.name != "StatusUpdateMessage":
        return
    order = ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLING"]
    told = state_name(ours.update.latest_state)
    if state_name(recorded.update.latest_state) in order[: order.index(told) if told in order else 3]:
        recorded.update.latest_state = ours.update.latest_state


def last_sent(recorded: wire.Message, ours: wire.Message) -> None:
    """Which update was sent last is remembered over a restart, and nothing is sent to a master that is away."""
    if recorded.DESCRIPTOR.name != "ReregisterSlaveMessage":
        return
    for framework, other in [(recorded, ours), *zip(recorded.completed_frameworks, ours.completed_frameworks)]:
        theirs = {task.task_id.value: task for task in other.tasks}
        for task in framework.tasks:
            mine = theirs.get(task.task_id.value)
            if mine is None or len(mine.statuses) != len(task.statuses):
                continue
            for told, same in zip(mine.statuses, task.statuses):
                if (told.uuid, told.state) == (mine.status_update_uuid, mine.status_update_state):
                    task.status_update_state, task.status_update_uuid = (same.state, same.uuid)


def own_words(recorded: wire.Message, ours: wire.Message) -> None:
    """Why something failed is said in words of our own; there are some."""
    if recorded.DESCRIPTOR.name != "StatusUpdateMessage":
        return
    status, said = recorded.update.status, ours.update.status
    launch = enum_name(status, "reason") == "REASON_CONTAINER_LAUNCH_FAILED"
    if said.message.startswith("Failed to launch container: ") if launch else said.message:
        if enum_name(status, "source") == "SOURCE_AGENT" and status.HasField("message"):
            status.message = said.message


MAY_DIFFER = [version, newer_state, last_sent, own_words]
