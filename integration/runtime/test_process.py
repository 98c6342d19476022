"""The process a container starts: user, capabilities, limits, environment, descriptors, terminal (config.md, "Process")."""

import array
import json
import os
import shutil
import socket
import stat

import pytest

from gantrytest.bundle import CAPABILITIES
from gantrytest.oci_runtime import wait_until

NUMBERS = {
    name: number
    for number, name in enumerate(
        "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
        "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN "
        "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP".split()
    )
}
SETS = {
    "bounding": "CapBnd",
    "effective": "CapEff",
    "permitted": "CapPrm",
    "inheritable": "CapInh",
    "ambient": "CapAmb",
}


def bits(names) -> int:
    return sum(1 << NUMBERS[name.removeprefix("CAP_")] for name in names)


def capability_sets(facts: dict) -> dict[str, int]:
    return {kind: int(facts["status"][field], 16) for kind, field in SETS.items()}


def test_the_five_capability_sets_are_exactly_those_asked_for(runtime, bundle):
    asked = {
        "bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW", "CAP_SETUID"],
        "permitted": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"],
        "effective": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"],
        "inheritable": ["CAP_KILL"],
        "ambient": ["CAP_KILL"],
    }
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    bundle.process["capabilities"] = asked
    sets = capability_sets(runtime.probe(bundle))
    # exec as another user than root leaves what is ambient.
    assert sets == {
        "bounding": bits(asked["bounding"]),
        "inheritable": bits(["KILL"]),
        "ambient": bits(["KILL"]),
        "permitted": bits(["KILL"]),
        "effective": bits(["KILL"]),
    }


def test_the_default_capabilities_of_root(runtime, bundle):
    sets = capability_sets(runtime.probe(bundle))
    expected = bits(CAPABILITIES)
    assert sets == {"bounding": expected, "effective": expected, "permitted": expected, "inheritable": 0, "ambient": 0}


def test_no_capabilities_at_all(runtime, bundle):
    bundle.process["capabilities"] = {}
    assert set(capability_sets(runtime.probe(bundle)).values()) == {0}


def test_another_user_than_root_has_no_capabilities(runtime, bundle):
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    sets = capability_sets(runtime.probe(bundle))
    assert (sets["effective"], sets["permitted"], sets["ambient"], sets["inheritable"]) == (0, 0, 0, 0)


@pytest.mark.ours
def test_a_capability_that_we_do_not_hold_is_left_out_with_a_warning(runtime, bundle):
    held = int(open("/proc/self/status").read().split("CapBnd:")[1].split()[0], 16)
    missing = [name for name, number in NUMBERS.items() if not held >> number & 1]
    if not missing:
        pytest.skip("root holds every capability here")
    for kind in ("bounding", "effective", "permitted"):
        bundle.process["capabilities"][kind].append(f"CAP_{missing[0]}")
    result = runtime.run(bundle)
    assert result.returncode == 0, result.stderr
    assert capability_sets(json.loads(result.stdout))["effective"] == bits(CAPABILITIES)
    assert missing[0] in result.stderr


def test_default_capabilities_are_in_force(runtime, bundle):
    bundle.linux.pop("seccomp")
    allowed = {"chown", "setuid", "setgid", "raw_socket", "chroot", "bind_low_port", "mknod_device"}
    denied = {
        "mount",
        "sethostname",
        "set_clock",
        "init_module",
        "bpf",
        "mount_cgroup",
        "umount_masked",
        "swapoff",
        "new_mount_namespace",
    }
    found = runtime.probe(bundle, "attempts", *allowed, *denied)
    assert {name for name in allowed if not found[name]["ok"]} == set()
    assert {name for name in denied if found[name]["ok"]} == set()


@pytest.mark.parametrize("value", [True, False])
def test_no_new_privileges(runtime, bundle, value):
    bundle.process["noNewPrivileges"] = value
    bundle.linux.pop("seccomp")
    assert runtime.probe(bundle)["status"]["NoNewPrivs"] == str(int(value))


def test_no_new_privileges_defeats_setuid_programs(runtime, bundle):
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    (bundle.rootfs / "suid").mkdir()
    shutil.copy(bundle.rootfs / "bin/probe", bundle.rootfs / "suid/probe")
    (bundle.rootfs / "suid/probe").chmod(0o4755)
    # The probe runs as /bin/probe only.
    bundle.mount("/bin", "bind", bundle.rootfs / "suid", "bind")
    effective = {}
    for value in (False, True):
        bundle.process["noNewPrivileges"] = value
        effective[value] = runtime.probe(bundle)["euid"]
    assert effective == {False: 0, True: 1000}


def test_user_groups_and_umask(runtime, bundle):
    bundle.process["user"] = {"uid": 1000, "gid": 1001, "additionalGids": [5, 2000], "umask": 0o027}
    facts = runtime.probe(bundle)
    assert (facts["uid"], facts["euid"], facts["gid"]) == (1000, 1000, 1001)
    assert sorted(set(facts["groups"]) - {1001}) == [5, 2000]
    assert facts["umask"] == 0o027


def test_the_groups_of_the_caller_are_not_inherited(runtime, bundle):
    result = runtime.run(bundle, extra_groups=[4711])
    assert 4711 not in json.loads(result.stdout)["groups"]


def test_numbers_are_never_looked_up_as_names(runtime, bundle):
    """CVE-2016-3697: a numeric user must not be read as a name of the image's passwd."""
    (bundle.rootfs / "etc/passwd").write_text("1000:x:0:0::/:/bin/sh\n")
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    assert runtime.probe(bundle)["uid"] == 1000


def test_rlimits(runtime, bundle):
    bundle.process["rlimits"] = [
        {"type": "RLIMIT_NOFILE", "soft": 123, "hard": 456},
        {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
        {"type": "RLIMIT_NPROC", "soft": 99, "hard": 100},
    ]
    found = runtime.probe(bundle)["rlimits"]
    assert (found["RLIMIT_NOFILE"], found["RLIMIT_CORE"], found["RLIMIT_NPROC"]) == ([123, 456], [0, 0], [99, 100])


@pytest.mark.parametrize(
    "limits",
    [
        [{"type": "RLIMIT_LUCK", "soft": 1, "hard": 1}],
        [{"type": "RLIMIT_NOFILE", "soft": 2, "hard": 1}],
    ],
)
def test_rlimits_that_make_no_sense_are_refused_by_name(runtime, bundle, limits):
    bundle.process["rlimits"] = limits
    result = runtime.run(bundle)
    assert result.returncode != 0
    assert limits[0]["type"] in result.stderr or "rlimit" in result.stderr.lower()


def test_environment_is_the_specs_alone(runtime, bundle):
    bundle.process["env"] = ["PATH=/bin", "EMPTY=", "WITH=a=b", "TEXT=zwei Wörter\n"]
    found = set(runtime.probe(bundle)["env"])
    assert set(bundle.process["env"]) <= found
    assert {entry.split("=")[0] for entry in found} <= {"PATH", "EMPTY", "WITH", "TEXT", "HOME", "HOSTNAME"}


def test_programs_are_found_by_the_containers_path(runtime, bundle):
    bundle.process["env"] = ["PATH=/nowhere:/bin"]
    assert runtime.run(bundle.args("probe", "exit", "3")).returncode == 3


def test_the_working_directory(runtime, bundle):
    bundle.process["cwd"] = "/home/user"
    assert runtime.probe(bundle)["cwd"] == "/home/user"


def test_a_working_directory_that_its_user_may_not_enter(runtime, bundle):
    """The runtime enters it with its own rights, as images with WORKDIR /root and another user need."""
    (bundle.rootfs / "root").chmod(0o700)
    bundle.spec["process"] |= {"cwd": "/root", "user": {"uid": 1000, "gid": 1000}, "capabilities": {}}
    result = runtime.run(bundle.args("/bin/pwd"))
    assert (result.returncode, result.stdout) == (0, "/root\n"), result.stderr


def test_a_missing_working_directory_is_made(runtime, bundle):
    bundle.process["cwd"] = "/new/place"
    assert runtime.probe(bundle)["cwd"] == "/new/place"


def test_a_relative_working_directory_is_refused(runtime, bundle):
    bundle.process["cwd"] = "home"
    result = runtime.run(bundle)
    assert result.returncode != 0
    assert "cwd" in result.stderr.lower() or "absolute" in result.stderr


def test_only_the_standard_streams_are_open(runtime, bundle):
    extra = os.open("/etc/hostname", os.O_RDONLY)
    os.set_inheritable(extra, True)
    try:
        result = runtime.run(bundle, close_fds=False)
    finally:
        os.close(extra)
    fds = json.loads(result.stdout)["fds"]
    # The probe lists its descriptors through one more, which by then is closed or shows /proc.
    assert {number for number, target in fds.items() if "/proc" not in target} == {"0", "1", "2"}


def test_preserve_fds_hands_down_so_many_descriptors(runtime, bundle, directory):
    (directory / "handed").write_text("through the descriptor")
    handed = os.open(directory / "handed", os.O_RDONLY)
    try:
        os.dup2(handed, 3, inheritable=True) if handed != 3 else os.set_inheritable(3, True)
        result = runtime.run(bundle.shell("cat <&3"), "--preserve-fds", "1", pass_fds=[3])
    finally:
        os.close(handed)
    assert result.stdout == "through the descriptor", result.stderr


def test_oom_score_adj(runtime, bundle):
    bundle.process["oomScoreAdj"] = 777
    assert runtime.probe(bundle)["oom_score_adj"] == 777


def test_the_program_leads_its_own_session(runtime, bundle):
    facts = runtime.probe(bundle)
    assert facts["sid"] == facts["pid"]


@pytest.mark.parametrize(
    "words, status_texts",
    [
        (["absent-program"], ["executable file not found in $PATH"]),
        (["/absent/program"], ["no such file or directory"]),
        (["/etc/passwd"], ["permission denied"]),
        (["/etc"], ["permission denied", "is a directory"]),
    ],
)
def test_a_program_that_cannot_be_run_is_named_with_the_reason(runtime, bundle, words, status_texts):
    result = runtime.run(bundle.args(*words))
    assert result.returncode != 0
    assert any(text in result.stderr for text in status_texts), result.stderr
    assert words[0] in result.stderr
    assert runtime.ids() == []


def test_args_must_not_be_empty(runtime, bundle):
    bundle.process["args"] = []
    result = runtime.run(bundle)
    assert result.returncode != 0
    assert "args" in result.stderr


class Console:
    """The receiving end of --console-socket."""

    def __init__(self, path) -> None:
        self.path = str(path)
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(self.path)
        self._server.listen(1)
        self._server.settimeout(20)

    def receive(self) -> int:
        connection, _ = self._server.accept()
        with connection, self._server:
            _, ancillary, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(4))
        descriptors = array.array("i")
        descriptors.frombytes(ancillary[0][2][:4])
        return descriptors[0]


def test_the_terminal_comes_through_the_console_socket(runtime, bundle):
    console = Console(bundle.path / "console.sock")
    bundle.process["terminal"] = True
    bundle.process["consoleSize"] = {"height": 33, "width": 111}
    bundle.shell(
        "stty size; tty; readlink /proc/self/fd/0; [ -c /dev/console ] && echo console; read line; echo got $line"
    )
    with runtime.container(bundle, "--console-socket", console.path):
        terminal = console.receive()
        try:
            assert stat.S_ISCHR(os.fstat(terminal).st_mode)
            os.write(terminal, b"word\n")
            text = b""

            def finished():
                nonlocal text
                try:
                    text += os.read(terminal, 4096)
                except OSError:  # EIO: the other end is closed
                    return True
                return b"got word" in text

            wait_until(finished, "the shell answers")
        finally:
            os.close(terminal)
    assert b"33 111" in text
    assert b"/dev/" in text
    assert b"console" in text


def test_a_terminal_needs_a_console_socket_when_detached(runtime, bundle):
    bundle.process["terminal"] = True
    result = runtime.call("create", "--bundle", str(bundle.write()), runtime.new_id(), check=False)
    assert result.returncode != 0
    assert "console" in result.stderr


def test_a_console_socket_needs_a_terminal(runtime, bundle):
    result = runtime.call(
        "create", "--bundle", str(bundle.write()), "--console-socket", "/nowhere.sock", runtime.new_id(), check=False
    )
    assert result.returncode != 0


@pytest.mark.ours
def test_scheduler_and_io_priority(runtime, bundle):
    bundle.spec["ociVersion"] = "1.1.0"
    bundle.process["scheduler"] = {"policy": "SCHED_BATCH", "nice": 5}
    bundle.process["ioPriority"] = {"class": "IOPRIO_CLASS_BE", "priority": 6}
    facts = runtime.probe(bundle)
    assert (facts["scheduler"], facts["nice"], facts["ioprio"]) == (3, 5, 2 << 13 | 6)


def test_personality_is_not_inherited(runtime, bundle):
    assert runtime.probe(bundle)["personality"] == 0
