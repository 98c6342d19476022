"""The HTTP endpoints of an agent with a running task answer in the form in which the recorded mesos-agent's do.

`recorded/agent-api.json` has, for each request, the status and the form of the answer: the same JSON with "string",
"number" or "bool" for each value. Ours may say more, never less; what an error says is in words of our own.
"""

import json
from pathlib import Path

import pytest

RECORDED = Path(__file__).parent / "recorded"
REQUESTS = json.loads((RECORDED / "agent-api.json").read_text())

# What is left out on purpose: facts of the kernel that are not measured, the command line of an executor that there is
# not, and who built an agent that nobody signed.
LEFT_OUT = {
    "mem_critical_pressure_counter",
    "mem_medium_pressure_counter",
    "mem_low_pressure_counter",
    "mem_kmem_tcp_usage_bytes",
    "mem_kmem_usage_bytes",
    "arguments",
    "build_user",
}


def _differences(wanted, given, path: str = "") -> list[str]:
    match wanted, given:
        case dict(), dict():
            missing = [f"{path}.{key} is missing" for key in wanted.keys() - given.keys() - LEFT_OUT]
            common = wanted.keys() & given.keys()
            return missing + [one for key in common for one in _differences(wanted[key], given[key], f"{path}.{key}")]
        case [], list():
            return []
        case [entry], list():
            inside = [one for value in given for one in _differences(entry, value, f"{path}[]")]
            return inside if given else [f"{path} is empty"]
        case "bool", bool():
            return []
        case "number", int() | float() if not isinstance(given, bool):
            return []
        case "string", str():
            return []
    return [f"{path} is {given!r} where {wanted!r} was"]


@pytest.fixture(scope="module")
def loaded(shared_pair):
    """The shared agent with one running task."""
    master = shared_pair.master
    framework = master.framework("rec")
    master.launch("t1", "sleep 1000", framework, cpus=0.1, mem=32)
    master.wait_state("t1", "TASK_RUNNING", framework)
    yield shared_pair.agent
    master.kill("t1", framework)
    master.wait_end("t1", framework)
    master.shutdown_framework(framework)


@pytest.mark.parametrize(
    "request_line, status, form", [[*one, None][:3] for one in REQUESTS], ids=lambda one: str(one)[:60]
)
def test_answers_in_the_recorded_form(loaded, request_line, status, form):
    method, path, *body = request_line.split(" ", 2)
    headers = {"Content-Type": "application/json"} if body else {}
    given, text, _ = loaded.request(method, path, body[0] if body else None, headers)
    assert given == status, text[:300]
    if isinstance(form, str) and form not in ("string", "number"):
        assert text.decode() == form
    elif form is not None:
        problems = _differences(form, json.loads(text))
        assert not problems, "\n".join(sorted(set(problems)))


# Of parts that there are not, or not yet: garbage collection by age, a fetcher and a provisioner inside the agent.
NOT_MEASURED = {
    "containerizer/fetcher/cache_size_total_bytes",
    "containerizer/fetcher/cache_size_used_bytes",
    "containerizer/fetcher/task_fetches_failed",
    "containerizer/fetcher/task_fetches_succeeded",
    "containerizer/mesos/filesystem/containers_new_rootfs",
    "containerizer/mesos/provisioner/bind/remove_rootfs_errors",
    "slave/executor_directory_max_allowed_age_secs",
    "slave/recovery_time_secs",
}


def test_every_metric_is_there(loaded):
    wanted = set((RECORDED / "metrics.list").read_text().split()) - NOT_MEASURED
    missing = wanted - loaded.get_json("/metrics/snapshot").keys()
    assert not missing, " ".join(sorted(missing))
