"""The gantry command line: Docker-like verbs, the container's exit code as its own, JSON on request."""

import json
import os
import pty
import select
import signal
import subprocess
import time

import pytest

from gantrytest.cgroups import Cgroup
from gantrytest.images import free_port, umoci_image
from gantrytest.oci_runtime import wait_until
from gantrytest.agent import read_from


@pytest.fixture
def name(agent):
    """A container's name, removed after the test."""
    yield "cli-one"
    agent.cli("rm", "--force", "cli-one")


@pytest.mark.parametrize("status", [0, 1, 42, 255])
def test_run_exits_as_the_program_does(agent, image, status):
    result = agent.cli("run", "--rm", image, "/bin/sh", "-c", f"echo out; echo err >&2; exit {status}")
    assert (result.returncode, result.stdout) == (status, "out\n")
    assert "err\n" in result.stderr
    assert agent.containers() == []


def test_run_of_a_killed_program_is_128_and_the_signal(agent, image):
    result = agent.cli("run", "--rm", image, "/bin/sh", "-c", "/bin/probe raise 6 & wait $!; exit $?")
    assert result.returncode == 128 + signal.SIGABRT


def test_run_without_a_command_is_the_images(agent, image):
    assert agent.cli("run", "--rm", image).stdout == "from the image\n"


@pytest.mark.parametrize("words, status", [(["/absent"], 127), (["absent"], 127), (["/etc/passwd"], 126)])
def test_run_of_a_program_that_cannot_be_run(agent, image, words, status):
    result = agent.cli("run", "--rm", image, *words)
    assert result.returncode == status, result.stderr
    assert words[0] in result.stderr
    assert agent.containers() == []


def test_run_with_everything(agent, image, directory):
    (directory / "given").write_text("volume")
    result = agent.cli(
        "run", "--rm", "--name", "everything", "-e", "A=1", "-e", "B=two words", "-v", f"{directory}:/data:ro", "--cpus", "0.5",
        "--memory", "48m", "--pids-limit", "30", "--network", "none", image,
        "/bin/sh", "-c", "echo $A $B; cat /data/given; cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null; true",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout == "1 two words\nvolume30\n"


def test_detached_ps_logs_inspect_stats_stop_rm(agent, image, name):
    started = agent.cli("run", "-d", "--name", name, image, "/bin/probe", "signal", "ready")
    assert started.returncode == 0, started.stderr
    assert started.stdout.strip() == name
    wait_until(lambda: "ready" in agent.cli("logs", name).stdout, "the log has the first line")

    table = agent.cli("ps", check=True).stdout
    assert name in table and image.split("/", 1)[1] in table
    listed = json.loads(agent.cli("ps", "--format", "json", check=True).stdout)
    entries = listed["containers"] if isinstance(listed, dict) else listed
    assert [entry["id"] for entry in entries] == [name]

    inspected = json.loads(agent.cli("inspect", name, "--format", "json", check=True).stdout)
    assert name in json.dumps(inspected)

    assert name in agent.cli("stats", "--no-stream", check=True).stdout
    statistics = json.loads(agent.cli("stats", "--no-stream", "--format", "json", check=True).stdout)
    assert name in json.dumps(statistics)

    assert agent.cli("stop", name).returncode == 0
    assert "SIGTERM" in agent.cli("logs", name).stdout
    assert name not in agent.cli("ps").stdout
    assert name in agent.cli("ps", "-a").stdout
    assert agent.cli("rm", name).returncode == 0
    assert agent.containers() == []


def test_stop_kills_what_does_not_listen(agent, image, name):
    agent.cli(
        "run",
        "-d",
        "--name",
        name,
        image,
        "/bin/sh",
        "-c",
        "trap '' TERM; echo up; while :; do sleep 1; done",
        check=True,
    )
    wait_until(lambda: "up" in agent.cli("logs", name).stdout, "it runs")
    begin = time.monotonic()
    assert agent.cli("stop", "--time", "1", name).returncode == 0
    assert time.monotonic() - begin < 8


def test_stop_sends_the_signal_that_the_image_names(agent, rootfs_maker, directory, name):
    layout = directory / "layout"
    umoci_image(layout, "usr1", rootfs_maker.make(directory / "rootfs"), stopsignal="SIGUSR1")
    script = "trap 'echo USR1; exit 3' USR1; echo up; while :; do sleep 0.1; done"
    agent.cli("run", "-d", "--name", name, f"oci:{layout}:usr1", "/bin/sh", "-c", script, check=True)
    wait_until(lambda: "up" in agent.cli("logs", name).stdout, "it runs")
    assert agent.cli("stop", name).returncode == 0
    assert agent.cli("logs", name).stdout == "up\nUSR1\n"


def test_logs_follow_until_the_end(agent, image, name):
    agent.cli("run", "-d", "--name", name, image, "/bin/probe", "ticks", "10", "50", check=True)
    followed = agent.cli("logs", "-f", name)
    assert followed.stdout.splitlines() == [f"out {n}" for n in range(10)]
    assert followed.stderr.splitlines() == [f"err {n}" for n in range(10)]


def test_exec_runs_in_the_container(agent, image, name):
    agent.cli("run", "-d", "--name", name, "-e", "GIVEN=1", image, "/bin/probe", "pause", check=True)
    result = agent.cli("exec", name, "/bin/sh", "-c", "echo $GIVEN; hostname; exit 5")
    assert result.returncode == 5
    assert result.stdout.splitlines()[0] == "1"
    piped = agent.cli("exec", "-i", name, "/bin/cat", stdin=None, input="through exec")
    assert piped.stdout == "through exec"
    assert agent.cli("exec", name, "/absent").returncode in (126, 127)


def test_run_with_standard_input(agent, image):
    result = agent.cli("run", "--rm", "-i", image, "/bin/cat", stdin=None, input="through run\n")
    assert (result.returncode, result.stdout) == (0, "through run\n")


class Terminal:
    """Runs a command on a pseudo terminal, as somebody at a keyboard would."""

    def __init__(self, command: list[str], rows: int = 31, columns: int = 101) -> None:
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execv(command[0], command)
        import fcntl
        import struct
        import termios

        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.text = ""

    def expect(self, text: str, patience: float = 15) -> None:
        deadline = time.monotonic() + patience
        while text not in self.text:
            ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"waited for {text!r} in vain: {self.text!r}"
            try:
                data = os.read(self.master, 4096)
            except OSError:
                data = b""
            assert data, f"ended without {text!r}: {self.text!r}"
            self.text += data.decode(errors="replace")

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def finish(self) -> int:
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            ready, _, _ = select.select([self.master], [], [], 0.05)
            if ready:
                try:
                    self.text += os.read(self.master, 4096).decode(errors="replace")
                except OSError:
                    pass
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.master)
                return os.waitstatus_to_exitcode(status)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        raise AssertionError(f"the command does not end: {self.text!r}")


def cli_command(agent, *words):
    return [str(agent.session.program("gantry")), "--agent", f"unix://{agent.socket_path}", *words]


def test_run_interactively(agent, image):
    terminal = Terminal(cli_command(agent, "run", "--rm", "-it", image, "/bin/sh"))
    terminal.expect("# ")
    terminal.type("echo $((6 * 7)); tty; exit 9\n")
    terminal.expect("42")
    assert terminal.finish() == 9
    assert "/dev/" in terminal.text


def test_exec_interactively_with_the_windows_size(agent, image, name):
    agent.cli("run", "-d", "--name", name, image, "/bin/probe", "pause", check=True)
    terminal = Terminal(cli_command(agent, "exec", "-it", name, "/bin/sh"))
    terminal.expect("# ")
    terminal.type("stty size\n")
    terminal.expect("31 101")
    terminal.type("exit 4\n")
    assert terminal.finish() == 4


def test_an_interrupt_reaches_the_program_on_the_terminal(agent, image, name):
    agent.cli("run", "-d", "--name", name, image, "/bin/probe", "pause", check=True)
    terminal = Terminal(
        cli_command(
            agent,
            "exec",
            "-it",
            name,
            "/bin/sh",
            "-c",
            "trap 'echo caught; exit 6' INT; echo up; while :; do sleep 0.1; done",
        )
    )
    terminal.expect("up")
    terminal.type("\x03")
    terminal.expect("caught")
    assert terminal.finish() == 6


def test_the_second_interrupt_ends_a_program_that_ignores_the_first(agent, image, name):
    """Without a terminal; the kernel drops what the first process of a pid namespace does not handle."""
    command = cli_command(agent, "run", "--name", name, image, "/bin/sh", "-c", "echo up; sleep 1000")
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "up\n"
        run.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            run.wait(timeout=1)
        run.send_signal(signal.SIGINT)
        assert run.wait(timeout=20) == 137


def test_ports_are_mapped(agent, image, name):
    port = free_port()
    agent.cli(
        "run",
        "-d",
        "--name",
        name,
        "--network",
        "bridge",
        "-p",
        f"{port}:8000",
        image,
        "/bin/probe",
        "listen",
        "8000",
        "mapped",
        check=True,
    )
    wait_until(lambda: "listening" in agent.cli("logs", name).stdout, "it listens")
    assert read_from("127.0.0.1", port) == "mapped"


def test_limits_given_on_the_command_line(agent, image, name):
    agent.cli(
        "run", "-d", "--name", name, "--memory", "64m", "--pids-limit", "17", image, "/bin/probe", "pause", check=True
    )
    cgroup = Cgroup(f"{agent.cgroups_root}/{name}")
    assert (cgroup.memory_limit(), cgroup.pids_limit()) == (64 << 20, 17)


@pytest.mark.parametrize(
    "words",
    [["stop", "nobody"], ["logs", "nobody"], ["inspect", "nobody"], ["rm", "nobody"], ["exec", "nobody", "true"]],
)
def test_verbs_name_an_unknown_container(agent, words):
    result = agent.cli(*words)
    assert result.returncode != 0
    assert "nobody" in result.stderr


@pytest.mark.parametrize(
    "words, named",
    [
        (["run", "--memory", "lots", "IMAGE", "true"], "memory"),
        (["run", "--cpus", "-1", "IMAGE", "true"], "cpus"),
        (["run", "-p", "80:http", "IMAGE", "true"], "http"),
        (["run", "-v", "relative:/data", "IMAGE", "true"], "relative"),
        (["run", "--network", "nowhere", "IMAGE", "true"], "nowhere"),
        (["dance"], "dance"),
        (["run"], "image"),
    ],
)
def test_wrong_usage_names_what_is_wrong(agent, image, words, named):
    result = agent.cli(*[image if word == "IMAGE" else word for word in words])
    assert result.returncode != 0
    assert named in (result.stderr + result.stdout).lower()
    assert agent.containers() == []


def test_an_agent_that_does_not_answer_is_named(session):
    result = subprocess.run(
        [str(session.program("gantry")), "--agent", "unix:///absent/agent.sock", "ps"],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert result.returncode != 0
    assert "/absent/agent.sock" in result.stderr


def test_the_agent_may_be_named_by_http_and_by_the_environment(agent, session):
    by_flag = subprocess.run(
        [str(session.program("gantry")), "--agent", f"http://127.0.0.1:{agent.port}", "ps"],
        capture_output=True,
        text=True,
    )
    by_environment = subprocess.run(
        [str(session.program("gantry")), "ps"],
        capture_output=True,
        text=True,
        env=os.environ | {"GANTRY_AGENT": f"unix://{agent.socket_path}"},
    )
    assert by_flag.returncode == by_environment.returncode == 0
