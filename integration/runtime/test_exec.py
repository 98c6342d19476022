"""exec: another process in a running container."""

import json
import os
import subprocess

import pytest

from gantrytest.cgroups import Cgroup
from gantrytest.oci_runtime import RuntimeFailed, wait_until
from test_process import Console, capability_sets


@pytest.fixture
def container(runtime, bundle):
    with runtime.container(bundle.probe("pause")) as container:
        yield container


def test_exec_joins_every_namespace_and_limit(container):
    first = {
        kind: os.stat(f"/proc/{container.pid}/ns/{kind}").st_ino
        for kind in ("pid", "net", "ipc", "uts", "mnt", "cgroup")
    }
    facts = container.probe("facts")
    assert {kind: facts["namespaces"][kind] for kind in first} == first
    assert facts["pid"] > 1
    assert facts["status"]["Seccomp"] == "2"
    assert facts["status"]["NoNewPrivs"] == "1"
    # Debian's runc sometimes raises the soft limit of what it executes to the hard one.
    assert facts["rlimits"]["RLIMIT_NOFILE"] in ([1024, 4096], [4096, 4096] if not container.runtime.is_ours else None)
    assert facts["hostname"] == "probe-host"


def test_exec_has_the_capabilities_of_the_container(container):
    sets = capability_sets(container.probe("facts"))
    assert sets["inheritable"] == sets["ambient"] == 0
    assert sets["effective"] == sets["permitted"] == sets["bounding"] != 0


def test_exec_is_in_the_containers_cgroup(container):
    cgroup = Cgroup(container.bundle.cgroup).directory("pids") / "cgroup.procs"
    child = subprocess.Popen(container.runtime.command("exec", container.id, "/bin/sleep", "1000"))
    try:
        wait_until(lambda: len(cgroup.read_text().split()) == 2, "the second process is in the cgroup")
    finally:
        container.kill("KILL", "--all")
        child.wait(timeout=10)


@pytest.mark.parametrize("status", [0, 3, 255])
def test_exec_exits_as_the_program_does(container, status):
    assert container.exec("/bin/probe", "exit", str(status)).returncode == status


def test_exec_reports_a_signal_as_128_and_the_number(container):
    assert container.exec("/bin/sh", "-c", "kill -9 $$").returncode == 137


def test_exec_passes_streams(container):
    result = container.exec("/bin/sh", "-c", "cat; echo err >&2", stdin=None, input="in")
    assert (result.stdout, result.stderr) == ("in", "err\n")


def test_exec_options(container):
    options = ("--cwd", "/tmp", "--env", "A=1", "--env", "B=2", "--user", "1000:1000", "--additional-gids", "2000")
    facts = container.probe("facts", options=options)
    assert (facts["cwd"], facts["uid"], facts["gid"], facts["groups"]) == ("/tmp", 1000, 1000, [2000])
    assert {"A=1", "B=2"} <= set(facts["env"])
    assert capability_sets(facts)["effective"] == 0


def test_exec_takes_a_process_file(container):
    process = dict(container.bundle.process)
    process |= {
        "args": ["/bin/probe", "facts"],
        "cwd": "/home/user",
        "env": ["ONLY=this"],
        "user": {"uid": 5, "gid": 6},
    }
    process["capabilities"] = {}
    path = container.bundle.path / "process.json"
    path.write_text(json.dumps(process))
    result = container.runtime.call("exec", "--process", str(path), container.id)
    facts = json.loads(result.stdout)
    assert (facts["cwd"], facts["uid"], facts["gid"]) == ("/home/user", 5, 6)
    assert "ONLY=this" in facts["env"]
    assert capability_sets(facts)["bounding"] == 0


def test_exec_detached_writes_its_pid_and_returns(container):
    pid_file = container.bundle.path / "exec.pid"
    container.runtime.call(
        "exec", "--detach", "--pid-file", str(pid_file), container.id, "/bin/sleep", "1000",
        capture_output=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    pid = int(pid_file.read_text())
    assert os.stat(f"/proc/{pid}/ns/mnt").st_ino == os.stat(f"/proc/{container.pid}/ns/mnt").st_ino


def test_exec_with_a_terminal(container):
    console = Console(container.bundle.path / "exec.sock")
    container.runtime.call(
        "exec", "--detach", "--tty", "--console-socket", console.path, container.id, "/bin/sh", "-c", "tty; echo done",
        capture_output=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    terminal = console.receive()
    text = b""
    try:
        while b"done" not in text:
            text += os.read(terminal, 4096)
    finally:
        os.close(terminal)
    assert b"/dev/" in text


@pytest.mark.parametrize(
    "words, text", [(["absent"], "executable file not found in $PATH"), (["/absent"], "no such file or directory")]
)
def test_exec_of_a_missing_program(container, words, text):
    result = container.exec(*words)
    assert result.returncode in (1, 127, 255)
    assert text in result.stderr
    assert container.status == "running"


@pytest.mark.parametrize("user", ["1000:abc", "-1", "+1", " 1", "1000:0x0"])
def test_exec_never_turns_an_odd_user_into_root(container, user):
    """CVE-2026-30892 and its kin: the user is what was said, or an error."""
    result = container.exec("/bin/probe", "facts", options=("--user", user))
    if result.returncode == 0:
        facts = json.loads(result.stdout)
        assert 0 not in (facts["uid"], facts["euid"]), facts["uid"]


@pytest.mark.ours  # Debian's runc wraps these round to root
@pytest.mark.parametrize("user", ["4294967296", "4294967295", "65536:4294967296"])
def test_exec_refuses_users_beyond_the_kernels_numbers(container, user):
    result = container.exec("/bin/true", options=("--user", user))
    assert result.returncode != 0
    assert "user" in result.stderr


def test_exec_into_a_created_or_stopped_container_is_refused_or_harmless(runtime, bundle):
    with runtime.container(bundle.probe("exit", "0")) as container:
        container.wait_for("stopped")
        with pytest.raises(RuntimeFailed, match="(?i)stopped|not running"):
            container.exec("/bin/true", check=True)


def test_exec_cannot_leave_the_container_through_its_working_directory(container):
    """CVE-2024-21626: no descriptor of the host's is there to be entered."""
    for number in range(3, 15):
        result = container.exec("/bin/pwd", options=("--cwd", f"/proc/self/fd/{number}"))
        assert result.returncode != 0 or result.stdout.startswith("/proc"), (number, result.stdout)


def test_exec_sees_no_descriptor_of_the_hosts(container):
    facts = container.probe("facts")
    assert {number for number, target in facts["fds"].items() if "/proc" not in target} == {"0", "1", "2"}


def test_ps_lists_the_processes(container):
    listed = json.loads(container.runtime.call("ps", "--format", "json", container.id).stdout)
    assert listed == [container.pid]


@pytest.mark.ours
@pytest.mark.parametrize("options", [(), ("--detach",)], ids=["foreground", "detached"])
def test_exec_leaves_no_process_whose_pid_it_could_not_write(container, options):
    """The caller takes the failure for "there is none"."""
    result = container.exec("/bin/sleep", "1234", options=(*options, "--pid-file", "/absent/pid"))
    assert result.returncode != 0
    assert "pid file" in result.stderr
    wait_until(lambda: "1234" not in container.exec("/bin/ps").stdout, "the process is gone")
