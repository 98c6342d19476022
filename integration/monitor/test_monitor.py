"""gantry-monitor with real containers: streams, logs, exit status, terminals, sessions, and what goes wrong."""

import os
import signal
import subprocess
import time

from gantrytest.monitor import window_of
from gantrytest.oci_runtime import wait_until


def test_output_goes_to_the_files_and_the_status_to_the_record(new_monitor):
    monitor = new_monitor("echo out; echo problem >&2; exit 7")
    assert monitor.created() > 0
    assert monitor.log("stdout") == "", "the program must not run before start"
    monitor.start()
    assert os.waitstatus_to_exitcode(monitor.exit_status()) == 7
    assert (monitor.log("stdout"), monitor.log("stderr")) == ("out\n", "problem\n")


def test_a_killed_program_is_recorded_as_killed(new_monitor):
    monitor = new_monitor("sleep 1000")
    pid = monitor.created()
    monitor.start()
    os.kill(pid, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(monitor.exit_status()) == -signal.SIGKILL


def test_a_runtime_that_refuses_leaves_its_sentence(new_monitor, new_bundle):
    bundle = new_bundle()
    bundle.spec["root"]["path"] = "nowhere"
    monitor = new_monitor("true", bundle=bundle)
    client_says = None
    try:
        client_says = monitor.connect().until("F")
    except (AssertionError, ConnectionError, FileNotFoundError):
        pass  # it was quicker than we were
    monitor.process.wait(20)
    assert client_says is None or os.waitstatus_to_exitcode(int(client_says)) == 1
    assert "nowhere" in (monitor.directory / "runtime.log").read_text()
    assert not (monitor.directory / "exit").exists()


def test_it_adopts_and_reaps_what_the_container_leaves(new_monitor, new_bundle):
    # With the host's pid namespace the orphans are the monitor's to reap.
    bundle = new_bundle().without_namespace("pid")
    monitor = new_monitor("for i in 1 2 3 4 5; do (sleep 0.1 &) ; done; sleep 1; echo done", bundle=bundle)
    monitor.created()
    monitor.start()
    monitor.connect().until("E")
    monitor.exit_status()
    assert monitor.log("stdout") == "done\n"


def test_a_client_gets_output_and_gives_input(new_monitor):
    monitor = new_monitor("read line; echo got $line; cat", stdin=True)
    monitor.created()
    client = monitor.connect()
    client.send("A")
    monitor.start()
    client.send("I", "one\n")
    assert client.output_until(b"got one\n")
    client.send("I", "two\n")
    client.send("Q")
    rest = client.output_to_end()
    assert rest["O"] == b"two\n"
    assert int(rest["E"].split()[0]) == 0
    assert monitor.log("stdout") == "got one\ntwo\n"


def test_a_terminal_has_a_window_and_an_end_of_input(new_monitor):
    monitor = new_monitor("tty; read line; stty size; cat; echo end", terminal=True)
    pid = monitor.created()
    client = monitor.connect()
    client.send("A")
    client.send("W", "33 99")
    monitor.start()
    assert b"/dev/" in client.output_until(b"\n")
    assert window_of(pid) == (33, 99)
    client.send("I", "go\n")
    assert client.output_until(b"33 99\r\n")
    client.send("I", "half a line")
    client.send("Q")
    assert b"end\r\n" in client.output_to_end()["O"]
    assert "33 99" in monitor.log("stdout")
    assert monitor.log("stderr") == ""


def test_a_terminal_survives_that_nobody_has_it_open(new_monitor):
    monitor = new_monitor("exec 3>/dev/console; exec </dev/null >/dev/null 2>&1; sleep 0.3; echo back >&3", terminal=True)
    monitor.created()
    monitor.start()
    monitor.exit_status()
    assert "back" in monitor.log("stdout")


def test_rotation_keeps_up_and_loses_nothing(new_monitor):
    count, size = 40, 8 << 20
    # Numbered lines of 64 bytes, as fast as the program can.
    monitor = new_monitor("yes 0123456789012345678901234567890123456789012345678901234567890ab | head -c 320000000",
                          log_size=size, log_files=count + 2)  # fmt: skip
    monitor.created()
    began = time.monotonic()
    monitor.start()
    monitor.exit_status()
    took = time.monotonic() - began
    files = sorted(monitor.logs.glob("stdout*"))
    assert sum(path.stat().st_size for path in files) == 320_000_000
    assert all(path.stat().st_size <= size for path in files)
    assert all(path.read_bytes()[-1:] == b"\n" for path in files), "files end at line ends"
    # It does many times that; the machine may be busy with other tests.
    assert took < 320 / 10, f"{320 / took:.0f} MB/s"
    print(f"{320 / took:.0f} MB/s")


def test_a_full_disk_costs_output_but_not_the_container(new_monitor, directory):
    disk = directory / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], check=True)
    try:
        filler = disk / "filler"
        monitor = new_monitor("head -c 3000000 /dev/zero | tr '\\0' x; touch /filled; read go; echo after; exit 3", logs=disk, stdin=True)
        monitor.created()
        filler.write_bytes(b"f" * 500_000)
        client = monitor.connect()
        monitor.start()
        wait_until((monitor.bundle.rootfs / "filled").exists, "all is written")
        assert "output is being dropped: No space left on device" in monitor.words
        filler.unlink()
        client.send("I", "go\n")
        client.send("Q")
        assert os.waitstatus_to_exitcode(monitor.exit_status()) == 3
        text = monitor.log("stdout")
        assert "bytes of output were lost: No space left on device]\n" in text
        assert text.endswith("after\n")
        client.close()
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_an_exec_session_waits_for_its_reader(new_monitor):
    container = new_monitor("sleep 1000")
    pid = container.created()
    container.start()
    process = dict(container.bundle.process, args=["/bin/sh", "-c", "echo inside; echo problem >&2; exit 5"], terminal=False)
    session = new_monitor(bundle=container.bundle, exec=process, id=container.id)
    session.created()
    time.sleep(0.2)
    assert not (session.directory / "exit").exists()
    client = session.connect()
    client.send("A")
    heard = client.output_to_end()
    assert (heard["O"], heard["R"]) == (b"inside\n", b"problem\n")
    assert os.waitstatus_to_exitcode(session.exit_status()) == 5
    os.kill(pid, signal.SIGKILL)
    container.exit_status()


def test_an_exec_session_with_a_terminal(new_monitor):
    container = new_monitor("sleep 1000")
    pid = container.created()
    container.start()
    process = dict(container.bundle.process, args=["/bin/sh", "-c", "tty; exit 6"], terminal=True)
    session = new_monitor(bundle=container.bundle, exec=process, id=container.id, terminal=True)
    client = session.connect()
    client.send("A")
    assert b"/dev/" in client.output_to_end()["O"]
    assert os.waitstatus_to_exitcode(session.exit_status()) == 6
    os.kill(pid, signal.SIGKILL)
    container.exit_status()


def test_the_container_outlives_its_monitor(new_monitor):
    monitor = new_monitor("sleep 1000")
    pid = monitor.created()
    monitor.start()
    monitor.process.send_signal(signal.SIGTERM)
    time.sleep(0.1)
    assert monitor.process.poll() is None, "a request to stop is ignored"
    monitor.process.kill()
    monitor.process.wait()
    os.kill(pid, 0)
    assert not (monitor.directory / "exit").exists(), "nobody saw it end, and nobody says otherwise"


def test_it_is_small(new_monitor):
    monitor = new_monitor("echo some output; sleep 1000")
    pid = monitor.created()
    monitor.start()
    wait_until(lambda: monitor.log("stdout"), "there is output")
    assert monitor.private_kib() <= 200
    print(f"{monitor.private_kib()} KiB")
    os.kill(pid, signal.SIGKILL)
    monitor.exit_status()
