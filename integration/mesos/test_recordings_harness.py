"""That a replay can tell an agent that answers as the recorded one from an agent that does not."""

from pathlib import Path

import pytest

from gantrytest import recording, wire
from gantrytest.recording import Names, RecordedAgent, Replay, Step

SCENARIOS = sorted((Path(__file__).parent / "recorded").glob("*.txt"))


def replay(scenario: recording.Scenario, change=lambda step: [step], patience: float = 0.5) -> list[str]:
    agent = RecordedAgent(scenario, change)
    try:
        return Replay(scenario, agent, patience=patience).run(settle=0.05)
    finally:
        agent.kill()


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_the_recorded_agent_answers_as_recorded(path):
    scenario = recording.read(path)
    without_pauses = tuple(step for step in scenario.steps if step.words[:1] != ("wait",) or step.words[1] == "for")
    assert replay(recording.Scenario(scenario.name, without_pauses), patience=5) == []


def _changed(value):
    """Another value of the same kind."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return value + "!"
        case bytes():
            return bytes([value[0] ^ 1]) + value[1:] if value else b"!"


def _variants(message: wire.Message, path: str = ""):
    """Copies that differ in one field: another value, or none. Of times and ids made up anew only their absence counts."""
    for field, value in message.ListFields():
        here = f"{path}.{field.name}" if path else field.name
        if field.label == field.LABEL_REPEATED:
            for index in range(len(value)):
                copy = _copy(message)
                del getattr(copy, field.name)[index]
                yield f"{here}[{index}] left out", copy
                if not field.message_type:
                    continue
                for what, inner in _variants(value[index], f"{here}[{index}]"):
                    copy = _copy(message)
                    getattr(copy, field.name)[index].CopyFrom(inner)
                    yield what, copy
            continue
        copy = _copy(message)
        copy.ClearField(field.name)
        yield f"{here} left out", copy
        if field.message_type:
            for what, inner in _variants(value, here):
                copy = _copy(message)
                getattr(copy, field.name).CopyFrom(inner)
                yield what, copy
        elif not recording.made_up(here):
            copy = _copy(message)
            others = [one.number for one in field.enum_type.values if one.number != value] if field.enum_type else []
            setattr(copy, field.name, others[0] if others else _changed(value))
            yield f"{here} changed", copy


def _copy(message: wire.Message) -> wire.Message:
    copy = type(message)()
    copy.CopyFrom(message)
    return copy


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_every_field_counts(path):
    tried = 0
    for step in recording.read(path).steps:
        if step.by == "agent":
            for what, variant in _variants(step.content):
                assert recording.compare(step.content, variant, Names()), f"line {step.line}: nobody notices {what}"
                tried += 1
    assert tried


def test_an_id_must_stay_the_same():
    update = next(step.content for step in recording.read(SCENARIOS[0]).steps if step.name == "StatusUpdateMessage")
    other, third = _copy(update), _copy(update)
    other.update.status.container_status.container_id.value = "another"
    third.update.status.container_status.container_id.value = "a third"
    names = Names()
    assert recording.compare(update, other, names) == []
    assert recording.compare(update, third, names)


def _nth(number: int, change):
    """Changes one status update of all."""
    seen = -1

    def apply(step: Step) -> list[Step]:
        nonlocal seen
        seen += step.name == "StatusUpdateMessage"
        return change(step) if seen == number and step.name == "StatusUpdateMessage" else [step]

    return apply


def _renamed(step: Step) -> Step:
    """The same update once more, as another one."""
    content = _copy(step.content)
    content.update.uuid = content.update.status.uuid = bytes(16)
    return Step(step.by, step.sender, step.to, step.name, content)


CHANGES = {
    "an update that is never sent": lambda step: [],
    "an update that nobody made": lambda step: [step, _renamed(step)],
    "an update of another process": lambda step: [Step(step.by, "slave(2)", step.to, step.name, step.content)],
    "an update to another process": lambda step: [
        Step(step.by, step.sender, "slave-observer(1)", step.name, step.content)
    ],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
@pytest.mark.parametrize("number", [0, 1, 2])
def test_another_conversation_is_noticed(change, number):
    assert replay(recording.read(Path(__file__).parent / "recorded/kill.txt"), _nth(number, change))


def test_an_update_that_is_sent_twice_is_one():
    scenario = recording.read(Path(__file__).parent / "recorded/kill.txt")
    assert replay(scenario, _nth(1, lambda step: [step, step]), patience=5) == []
