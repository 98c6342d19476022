"""create, start, state, kill, delete, list, run: what a runtime's caller drives (runtime-spec, runtime.md)."""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

from gantrytest.cgroups import Cgroup, unified
from gantrytest.oci_runtime import RuntimeFailed, wait_until


def test_a_container_goes_from_created_to_gone(runtime, bundle):
    with runtime.container(bundle.probe("signal", "ready"), start=False) as container:
        state = runtime.state(container.id)
        assert state["id"] == container.id
        assert state["status"] == "created"
        assert state["pid"] == container.pid
        assert state["bundle"] == str(bundle.path)
        assert state["ociVersion"]
        assert container.output == "", "the program must not run before start"

        container.start()
        container.wait_for_output("ready")
        assert container.status == "running"
        assert runtime.ids() == [container.id]

        container.kill("TERM")
        container.wait_for("stopped")
        container.delete()
        assert runtime.ids() == []
    assert not Cgroup(bundle.cgroup).exists()


@pytest.mark.parametrize("status", [0, 1, 42, 255])
def test_run_exits_as_the_program_does(runtime, bundle, status):
    assert runtime.run(bundle.probe("exit", str(status))).returncode == status


def test_run_reports_a_killed_program_as_128_and_the_signal(runtime, bundle):
    assert runtime.run(bundle.shell("/bin/probe raise 11 & wait $!; exit $?")).returncode == 128 + signal.SIGSEGV


def test_run_passes_standard_streams(runtime, bundle):
    result = runtime.run(bundle.shell("cat; echo problem >&2"), stdin=None, input="through\n")
    assert (result.stdout, result.stderr) == ("through\n", "problem\n")


def test_run_detached_returns_while_the_program_runs(runtime, bundle):
    id = runtime.new_id()
    runtime.call(
        "run", "--detach", "--bundle", str(bundle.probe("pause").write()), "--pid-file", str(bundle.path / "pid"), id,
        capture_output=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert runtime.state(id)["status"] == "running"
    assert int((bundle.path / "pid").read_text()) == runtime.state(id)["pid"]
    runtime.call("delete", "--force", id)


def test_the_bundle_is_the_current_directory_by_default(runtime, bundle):
    bundle.probe("exit", "7").write()
    assert runtime.call("run", runtime.new_id(), cwd=bundle.path, check=False).returncode == 7


@pytest.mark.parametrize("spelling", ["USR1", "SIGUSR1", str(int(signal.SIGUSR1))])
def test_kill_takes_signals_by_name_and_number(runtime, bundle, spelling):
    with runtime.container(bundle.probe("signal", "ready")) as container:
        container.wait_for_output("ready")
        container.kill(spelling)
        container.wait_for_output("SIGUSR1")


def test_kill_without_a_signal_sends_sigterm(runtime, bundle):
    with runtime.container(bundle.probe("signal", "ready")) as container:
        container.wait_for_output("ready")
        runtime.call("kill", container.id)
        container.wait_for_output("SIGTERM")


def test_kill_all_reaches_every_process_of_a_container_without_pid_namespace(runtime, bundle):
    bundle.without_namespace("pid").shell("sleep 1000 & sleep 1000 & wait")
    with runtime.container(bundle) as container:
        cgroup = Cgroup(bundle.cgroup).directory("pids")
        wait_until(lambda: len((cgroup / "cgroup.procs").read_text().split()) == 3, "three processes run")
        container.kill("KILL", "--all")
        wait_until(lambda: not (cgroup / "cgroup.procs").read_text().split(), "all of them are gone")


def test_deleting_the_first_process_of_a_pid_namespace_takes_the_others_along(runtime, bundle):
    with runtime.container(bundle.shell("sleep 1000 & sleep 1000 & echo up; wait")) as container:
        container.wait_for_output("up")
        container.kill("KILL")
        container.wait_for("stopped")
        container.delete()


def test_a_created_container_can_be_killed_and_deleted_without_start(runtime, bundle):
    with runtime.container(bundle.probe("pause"), start=False) as container:
        container.kill("KILL")
        container.wait_for("stopped")
        container.delete()


def test_delete_refuses_a_running_container_and_force_does_not(runtime, bundle):
    with runtime.container(bundle.probe("pause")) as container:
        with pytest.raises(RuntimeFailed, match="(?i)running|not stopped"):
            container.delete()
        assert container.status == "running"
        container.delete("--force")
        assert runtime.ids() == []


def test_delete_force_of_an_unknown_container_succeeds(runtime):
    assert runtime.call("delete", "--force", "nobody", check=False).returncode == 0


@pytest.mark.parametrize("verb", ["start", "state", "delete", "exec"])
def test_verbs_fail_on_an_unknown_container(runtime, verb):
    words = ["nobody", "/bin/true"] if verb == "exec" else ["nobody"]
    result = runtime.call(verb, *words, check=False)
    assert result.returncode != 0
    assert "does not exist" in result.stderr or "not found" in result.stderr or "no such" in result.stderr


def test_start_works_once(runtime, bundle):
    with runtime.container(bundle.probe("pause")) as container:
        with pytest.raises(RuntimeFailed):
            container.start()
        assert container.status == "running"


def test_an_id_can_be_used_once(runtime, bundle, new_bundle):
    with runtime.container(bundle.probe("pause")) as container:
        result = runtime.run(new_bundle(), id=container.id)
        assert result.returncode != 0
        assert "exist" in result.stderr
        assert container.status == "running"


@pytest.mark.parametrize("id", ["", ".", "..", "a/b", "../up", "a b", "a\nb"])
def test_ids_that_are_not_one_file_name_are_refused(runtime, bundle, id):
    result = (
        runtime.run(bundle, id=id or "''")
        if id
        else runtime.call("run", "--bundle", str(bundle.write()), "", check=False)
    )
    assert result.returncode != 0
    assert "id" in result.stderr.lower()


def test_list_names_status_and_bundle(runtime, bundle):
    with runtime.container(bundle.probe("pause")) as container:
        listed = json.loads(runtime.call("list", "--format", "json").stdout)
        assert [(entry["id"], entry["status"], entry["bundle"]) for entry in listed] == [
            (container.id, "running", str(bundle.path))
        ]
        assert listed[0]["pid"] == container.pid
        table = runtime.call("list").stdout.splitlines()
        assert table[0].split()[:3] == ["ID", "PID", "STATUS"]
        assert table[1].split()[:3] == [container.id, str(container.pid), "running"]


def test_the_state_repeats_the_annotations(runtime, bundle):
    bundle.spec["annotations"] = {"com.example.key": "value"}
    with runtime.container(bundle.probe("pause"), start=False) as container:
        assert runtime.state(container.id)["annotations"]["com.example.key"] == "value"


def test_a_program_that_ended_before_start_was_reported_is_stopped(runtime, bundle):
    with runtime.container(bundle.probe("exit", "0")) as container:
        container.wait_for("stopped")
        assert runtime.state(container.id)["pid"] == 0
        container.delete()


def test_the_first_process_of_the_container_is_ours_to_wait_for(runtime, bundle):
    """A supervisor that is a subreaper collects the exit status once `create` has exited: the monitor relies on it."""
    script = f"""
import ctypes, os, subprocess, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
command = {runtime.command()!r}
id = "reaped"
subprocess.run(command + ["create", "--bundle", {str(bundle.probe("exit", "9").write())!r}, "--pid-file", "pid", id], check=True)
subprocess.run(command + ["start", id], check=True)
pid = int(open("pid").read())
_, status = os.waitpid(pid, 0)
subprocess.run(command + ["delete", id], check=True)
sys.exit(os.waitstatus_to_exitcode(status))
"""
    result = subprocess.run(
        ["/usr/bin/python3", "-c", script], cwd=bundle.path, capture_output=True, text=True, timeout=30
    )
    assert result.returncode == 9, result.stderr


def test_many_containers_at_once(runtime, new_bundle):
    bundles = [new_bundle().probe("facts") for _ in range(8)]
    children = [
        subprocess.Popen(
            runtime.command("run", "--bundle", str(bundle.write()), runtime.new_id()),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for bundle in bundles
    ]  # fmt: skip
    outputs = [child.communicate(timeout=60) for child in children]
    assert [child.returncode for child in children] == [0] * 8, outputs
    assert all(json.loads(out)["pid"] == 1 for out, _ in outputs)


def test_a_container_outlives_the_terminal_of_its_creator(runtime, bundle):
    with runtime.container(bundle.probe("facts")) as container:
        wait_until(lambda: container.output.endswith("}\n"), "the probe answers")
        facts = json.loads(container.output)
        assert facts["sid"] == facts["pid"] == 1
        assert os.getsid(0) != container.pid


@pytest.mark.ours  # and runc from 1.2 on
def test_sigkill_ends_every_process_of_a_container_without_pid_namespace(runtime, bundle):
    """Nothing takes the others along when the first one ends."""
    bundle.without_namespace("pid").shell("sleep 1000 & sleep 1000 & wait")
    with runtime.container(bundle) as container:
        cgroup = Cgroup(bundle.cgroup).directory("pids")
        wait_until(lambda: len((cgroup / "cgroup.procs").read_text().split()) == 3, "three processes run")
        container.kill("KILL")
        wait_until(lambda: not (cgroup / "cgroup.procs").read_text().split(), "all of them are gone")


@pytest.mark.ours
def test_a_start_that_was_killed_has_not_started_anything(runtime, bundle):
    with runtime.container(bundle.args("/bin/sleep", "1000"), start=False) as container:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as killed:
            killed.connect(str(runtime.root / container.id / "start.sock"))
        container.start()
        assert container.status == "running"


def test_a_container_that_is_paused_before_start_cannot_be_started(runtime, bundle):
    """start would wait for it, and keep resume and delete from it meanwhile."""
    with runtime.container(bundle.args("/bin/sleep", "1000"), start=False) as container:
        runtime.call("pause", container.id)
        assert container.status == "paused"
        result = runtime.call("start", container.id, check=False, timeout=10)
        assert result.returncode != 0
        assert "paused" in result.stderr
        runtime.call("resume", container.id)
        container.start()
        assert container.status == "running"


@pytest.mark.ours
def test_what_a_killed_create_left_can_be_deleted(runtime, bundle):
    """The state is written before there is a process, so that its cgroups are known."""
    with runtime.container(bundle.args("/bin/sleep", "1000")) as container:
        file = runtime.root / container.id / "state.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"pid": 0, "startTime": 0}))
        assert container.status == "creating"
        assert runtime.call("delete", container.id, check=False).returncode != 0
        assert runtime.call("kill", container.id, "KILL", check=False).returncode != 0
        container.delete("--force")
        assert not Cgroup(bundle.cgroup).directory("pids").exists()


def test_the_state_tells_of_a_container_in_the_making(runtime, bundle, directory):
    (directory / "go").write_text("")
    hook = directory / "hook"
    hook.write_text(f"#!/bin/sh\ntouch {directory}/there\nwhile test -e {directory}/go; do sleep 0.05; done\n")
    hook.chmod(0o755)
    bundle.spec["hooks"] = {"createRuntime": [{"path": str(hook), "env": ["PATH=/bin"]}]}
    command = runtime.command("create", "--bundle", str(bundle.write()), "making")
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as create:
        wait_until((directory / "there").exists, "the hook runs")
        status = runtime.call("state", "making", check=False)
        # It would run in the host's root, which the first process has not left yet.
        execute = runtime.call("exec", "making", "/bin/true", check=False)
        (directory / "go").unlink()
    runtime.call("delete", "--force", "making")
    assert create.returncode == 0
    assert execute.returncode != 0
    if runtime.is_ours:
        assert json.loads(status.stdout)["status"] == "creating"


@pytest.mark.ours  # Debian's runc needs a controlling terminal
def test_a_reader_that_leaves_does_not_end_a_container_with_a_terminal(runtime, bundle):
    bundle.process["terminal"] = True
    bundle.shell("for i in $(seq 2000); do echo line $i; done; exit 7")
    command = runtime.command("run", "--bundle", str(bundle.write()), "left")
    script = '{ "$@" </dev/null; echo "status $?" >&2; } | head -n 1'
    result = subprocess.run(["sh", "-c", script, "sh", *command], timeout=20, capture_output=True, text=True)
    assert "status 7" in result.stderr
    assert runtime.ids() == []


@pytest.mark.ours
def test_input_that_nobody_reads_does_not_hold_the_runtime(runtime, bundle):
    bundle.process["terminal"] = True
    bundle.shell("stty raw -echo; echo up; sleep 1; exit 7")
    command = runtime.command("run", "--bundle", str(bundle.write()), "unread")
    result = subprocess.run(command, timeout=20, capture_output=True, input=b"x" * 1_000_000)
    assert result.returncode == 7, result.stderr


@pytest.mark.parametrize("verb", ["run", "exec"])
@pytest.mark.parametrize("closed", ["<&-", "<&- 2>&-"])
def test_closed_standard_streams_do_no_harm(runtime, bundle, verb, closed):
    """The numbers of closed streams must not go to descriptors of the runtime."""
    script = f'"$@" {closed}'
    with runtime.container(bundle.args("/bin/sleep", "1000")) as container:
        words = ["/bin/sh", "-c", "for n in 0 1 2; do readlink /proc/self/fd/$n || echo none; done"]
        command = runtime.command("exec", container.id, *words)
        if verb == "run":
            bundle.linux["cgroupsPath"] += "-other"
            command = runtime.command("run", "--bundle", str(bundle.args(*words).write()), "other")
        result = subprocess.run(["sh", "-c", script, "sh", *command], timeout=20, capture_output=True, text=True)
    assert result.returncode == 0
    seen = result.stdout.split()
    assert len(seen) == 3
    assert all(name == "none" or name == "/dev/null" or name.startswith("pipe:") for name in seen), seen


@pytest.mark.ours
def test_a_terminal_takes_the_place_of_closed_standard_streams(runtime, bundle):
    with runtime.container(bundle.args("/bin/sleep", "1000")) as container:
        command = runtime.command("exec", "-t", container.id, "/bin/tty")
        result = subprocess.run(
            ["sh", "-c", '"$@" <&- 2>&-', "sh", *command], timeout=20, capture_output=True, text=True
        )
        assert result.stdout.strip() == "/dev/pts/0"
        assert result.returncode == 0


@pytest.mark.ours
def test_commands_at_once_neither_hang_nor_leave_anything(runtime, bundle, directory):
    """Four callers do everything to one id, in any order, while its program ends by itself now and then."""
    bundle.shell("sleep 0.0$(($$ % 9)); exit 3").write()
    over = time.monotonic() + 4
    words = {
        "create": ["--bundle", str(bundle.path), "one"], "run": ["--bundle", str(bundle.path), "one"],
        "start": ["one"], "kill": ["one", "KILL"], "exec": ["one", "/bin/true"], "state": ["one"],
        "pause": ["one"], "resume": ["one"], "delete": ["--force", "one"],
    }  # fmt: skip
    strange = []

    def caller(seed):
        choose = random.Random(seed).choice
        while time.monotonic() < over:
            verb = choose(list(words))
            # A file: the end of a pipe would come with the end of the container, which has it too.
            with open(directory / f"{seed}.err", "w+") as errors:
                options = {"stdout": subprocess.DEVNULL, "stderr": errors, "capture_output": False}
                try:
                    result = runtime.call(verb, *words[verb], check=False, timeout=20, **options)
                    if result.returncode < 0 or result.returncode == 134:
                        errors.seek(0)
                        strange.append((verb, result.returncode, errors.read()))
                except subprocess.TimeoutExpired:
                    strange.append((verb, "hangs"))

    callers = [threading.Thread(target=caller, args=(seed,)) for seed in range(4)]
    for each in callers:
        each.start()
    time.sleep(over - time.monotonic())
    # The `run` of a container that was paused last waits for it, and rightly so.
    while any(each.is_alive() for each in callers):
        runtime.call("delete", "--force", "one")
        time.sleep(0.1)
    runtime.call("delete", "--force", "one")
    assert strange == []
    assert runtime.ids() == []


@contextlib.contextmanager
def _in_background(runtime, *words: str):
    """The process, and a function for what it said. To a file: a process in a container keeps a pipe open."""
    with tempfile.TemporaryFile("w+") as errors:
        output = {"stdout": subprocess.DEVNULL, "stderr": errors}
        child = subprocess.Popen(runtime.command(*words), stdin=subprocess.DEVNULL, **output)

        def said() -> str:
            errors.seek(0)
            return errors.read()

        try:
            yield child, said
        finally:
            if child.poll() is None:
                child.kill()
                child.wait(timeout=20)


@pytest.mark.ours
def test_run_leaves_a_container_alone_that_took_its_id(runtime, bundle):
    bundle.args("/bin/sleep", "1000").write()
    with _in_background(runtime, "run", "--bundle", str(bundle.path), "taken") as (run, said):
        wait_until(lambda: "running" in runtime.call("state", "taken", check=False).stdout, "it runs")
        run.send_signal(signal.SIGSTOP)
        runtime.call("delete", "--force", "taken")
        command = runtime.command("create", "--bundle", str(bundle.path), "taken")
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True, timeout=20)
        run.send_signal(signal.SIGCONT)
        assert run.wait(timeout=20) == 128 + signal.SIGKILL, said()
        assert runtime.state("taken")["status"] == "created"
        runtime.call("delete", "--force", "taken")


@contextlib.contextmanager
def _start_that_waits(runtime, container):
    """`start` of a container whose first process was stopped before it."""
    container.kill("STOP")
    with _in_background(runtime, "start", container.id) as (start, said):
        wait_until(lambda: not (runtime.root / container.id / "start.sock").exists(), "it has been told to start")
        assert start.poll() is None
        yield
        assert start.wait(timeout=10) == 0, said()


@pytest.mark.ours
@pytest.mark.parametrize("then", [("kill", "CONT"), ("kill", "KILL"), ("delete", "--force")], ids=" ".join)
def test_a_start_that_waits_lets_others_continue_and_end_the_container(runtime, bundle, then):
    with runtime.container(bundle.args("/bin/sleep", "1000"), start=False) as container:
        with _start_that_waits(runtime, container):
            verb, word = then
            runtime.call(verb, *([container.id, word] if verb == "kill" else [word, container.id]), timeout=10)


@pytest.mark.ours
def test_a_container_that_is_paused_while_it_starts_has_been_started(runtime, bundle):
    with runtime.container(bundle.shell("echo up; sleep 1000"), start=False) as container:
        with _start_that_waits(runtime, container):
            runtime.call("pause", container.id)
        assert container.status == "paused"
        container.kill("CONT")
        runtime.call("resume", container.id)
        container.wait_for_output("up")


@pytest.mark.ours
@pytest.mark.parametrize("verb", ["create", "run"])
def test_a_cgroup_that_freezes_under_a_container_in_the_making_fails_it(runtime, bundle, directory, verb):
    hook = directory / "hook"
    file, value = ("cgroup.freeze", "1") if unified() else ("freezer.state", "FROZEN")
    hook.write_text(f"#!/bin/sh\necho {value} > {Cgroup(bundle.cgroup).directory('freezer') / file}\n")
    hook.chmod(0o755)
    bundle.spec["hooks"] = {"createRuntime": [{"path": str(hook), "env": ["PATH=/bin"]}]}
    result = runtime.call(verb, "--bundle", str(bundle.write()), "frozen", check=False, timeout=10)
    assert result.returncode != 0
    assert "paused" in result.stderr
    assert runtime.ids() == []
    assert not Cgroup(bundle.cgroup).exists()


def _open_for(reader: Path):
    """The writing end of a FIFO, or None while nobody reads it."""
    try:
        return os.open(reader, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None


@pytest.mark.ours
def test_an_exec_that_a_pause_overtakes_fails_and_runs_nothing(runtime, bundle, directory):
    """Its description of the process is a FIFO, which it reads between the look at the container and the clone."""
    process = {"args": ["/bin/touch", "/tmp/ran"], "cwd": "/", "user": {"uid": 0, "gid": 0}, "env": []}
    os.mkfifo(directory / "process.json")
    with runtime.container(bundle.shell("while :; do sleep 0.1; done")) as container:
        command = ["exec", "--process", str(directory / "process.json"), container.id]
        with _in_background(runtime, *command) as (execute, said):
            writer = wait_until(lambda: _open_for(directory / "process.json"), "it wants to know what to run")
            runtime.call("pause", container.id)
            os.write(writer, json.dumps(process).encode())
            os.close(writer)
            assert execute.wait(timeout=10) != 0
            assert "paused" in said()
        runtime.call("resume", container.id)
        time.sleep(0.2)
        assert not (bundle.rootfs / "tmp/ran").exists()
        assert container.exec("/bin/true").returncode == 0
