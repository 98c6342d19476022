"""The whole linux.seccomp section, seen from inside the filter (runtime-spec, config-linux.md, "Seccomp")."""

import errno
import json
import socket
import threading

import pytest

X86_64 = ["SCMP_ARCH_X86_64"]


def profile(bundle, *rules, default="SCMP_ACT_ALLOW", **more):
    bundle.linux["seccomp"] = {"defaultAction": default, "architectures": X86_64, "syscalls": list(rules)} | more
    return bundle


def rule(names, action="SCMP_ACT_ERRNO", **more):
    return {"names": names if isinstance(names, list) else [names], "action": action} | more


def arg(index, value, op, **more):
    return {"index": index, "value": value, "op": op} | more


def test_the_default_profile_is_a_filter_in_force(runtime, bundle):
    status = runtime.probe(bundle)["status"]
    assert (status["Seccomp"], status["Seccomp_filters"]) == ("2", "1")
    for call in ("io_uring_setup", "kcmp", "perf_event_open"):
        assert runtime.probe(bundle, "syscall", call, "0", "0")["errno"] in ("EPERM", "ENOSYS"), call
    found = runtime.probe(bundle, "attempts", "bpf", "init_module", "mount", "chown")
    assert {name for name, answer in found.items() if answer["ok"]} == {"chown"}


def test_no_profile_is_no_filter(runtime, bundle):
    bundle.linux.pop("seccomp")
    assert runtime.probe(bundle)["status"]["Seccomp"] == "0"


def test_errno_is_eperm_unless_the_rule_says_otherwise(runtime, bundle):
    profile(bundle, rule("keyctl"), rule("chmod", errnoRet=errno.EDQUOT))
    assert runtime.probe(bundle, "syscall", "keyctl", "0") == {"ok": False, "errno": "EPERM"}
    assert runtime.probe(bundle, "syscall", "chmod", "0") == {"ok": False, "errno": "EDQUOT"}


def test_a_default_action_with_its_own_errno(runtime, bundle):
    allowed = bundle.linux["seccomp"]["syscalls"]
    profile(bundle, *allowed, default="SCMP_ACT_ERRNO", defaultErrnoRet=errno.ENOSYS)
    assert runtime.probe(bundle, "syscall", "io_uring_setup", "0", "0")["errno"] == "ENOSYS"


@pytest.mark.parametrize("action", ["SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS"])
def test_killing_actions(runtime, bundle, action):
    profile(bundle, rule("keyctl", action))
    assert runtime.probe(bundle, "syscall", "keyctl", "0") == {"ok": False, "signal": 31}


def test_trap_sends_sigsys(runtime, bundle):
    profile(bundle, rule("keyctl", "SCMP_ACT_TRAP"))
    assert runtime.probe(bundle, "syscall", "keyctl", "0") == {"ok": False, "signal": 31}


def test_trace_without_a_tracer_is_enosys(runtime, bundle):
    profile(bundle, rule("keyctl", "SCMP_ACT_TRACE"))
    assert runtime.probe(bundle, "syscall", "keyctl", "0") == {"ok": False, "errno": "ENOSYS"}


def test_log_lets_the_call_pass(runtime, bundle):
    profile(bundle, rule("getppid", "SCMP_ACT_LOG"))
    assert runtime.probe(bundle, "syscall", "getppid")["ok"]


# personality(0xffffffff) only asks; other values set. Values below 0x100 are execution domains that Linux accepts.
COMPARISONS = [
    ("SCMP_CMP_EQ", 8, {8: False, 9: True}),
    ("SCMP_CMP_NE", 8, {8: True, 9: False}),
    ("SCMP_CMP_LT", 8, {7: False, 8: True}),
    ("SCMP_CMP_LE", 8, {8: False, 9: True}),
    ("SCMP_CMP_GT", 8, {8: True, 9: False}),
    ("SCMP_CMP_GE", 8, {7: True, 8: False}),
]


@pytest.mark.parametrize("operator, value, expected", COMPARISONS)
def test_arguments_are_compared(runtime, bundle, operator, value, expected):
    profile(bundle, rule("personality", errnoRet=errno.EDQUOT, args=[arg(0, value, operator)]))
    for given, passes in expected.items():
        assert runtime.probe(bundle, "syscall", "personality", str(given))["ok"] == passes, given


def test_masked_equality_uses_mask_and_value(runtime, bundle):
    # (argument & 0x0c) == 0x08
    profile(bundle, rule("personality", args=[arg(0, 0x0C, "SCMP_CMP_MASKED_EQ", valueTwo=0x08)]))
    assert not runtime.probe(bundle, "syscall", "personality", str(0x18))["ok"]
    assert runtime.probe(bundle, "syscall", "personality", str(0x0C))["ok"]


def test_several_arguments_must_all_match(runtime, bundle):
    """socket(AF_INET, SOCK_RAW): only this pair."""
    profile(bundle, rule("socket", errnoRet=errno.EDQUOT, args=[arg(0, 2, "SCMP_CMP_EQ"), arg(1, 3, "SCMP_CMP_EQ")]))
    assert runtime.probe(bundle, "syscall", "socket", "2", "3", "1") == {"ok": False, "errno": "EDQUOT"}
    assert runtime.probe(bundle, "syscall", "socket", "2", "1", "0")["ok"]
    assert runtime.probe(bundle, "syscall", "socket", "1", "1", "0")["ok"]


def test_the_same_argument_twice_means_either(runtime, bundle):
    profile(bundle, rule("personality", args=[arg(0, 4, "SCMP_CMP_EQ"), arg(0, 5, "SCMP_CMP_EQ")]))
    found = [runtime.probe(bundle, "syscall", "personality", str(value))["ok"] for value in (4, 5, 6)]
    assert found == [False, False, True]


def test_unknown_system_calls_are_passed_over(runtime, bundle):
    profile(bundle, rule(["no_such_call_at_all", "keyctl"]))
    assert runtime.probe(bundle, "syscall", "keyctl", "0") == {"ok": False, "errno": "EPERM"}


@pytest.mark.parametrize(
    "section, named",
    [
        ({"defaultAction": "SCMP_ACT_PERHAPS"}, "SCMP_ACT_PERHAPS"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_ABACUS"]}, "SCMP_ARCH_ABACUS"),
        (
            {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule("chmod", args=[arg(0, 1, "SCMP_CMP_ABOUT")])]},
            "SCMP_CMP_ABOUT",
        ),
    ],
)
def test_what_the_profile_cannot_mean_is_named(runtime, bundle, section, named):
    bundle.linux["seccomp"] = section
    result = runtime.run(bundle)
    assert result.returncode != 0
    assert named in result.stderr


@pytest.mark.ours  # Debian's runc takes no flags at all
def test_an_unknown_flag_is_named(runtime, bundle):
    result = runtime.run(profile(bundle, flags=["SECCOMP_FILTER_FLAG_ODD"]))
    assert result.returncode != 0
    assert "SECCOMP_FILTER_FLAG_ODD" in result.stderr


def test_the_filter_holds_without_no_new_privileges(runtime, bundle):
    bundle.process["noNewPrivileges"] = False
    profile(bundle, rule("keyctl"))
    facts = runtime.probe(bundle.probe("facts"))
    assert (facts["status"]["Seccomp"], facts["status"]["NoNewPrivs"]) == ("2", "0")


def test_exec_runs_under_the_same_filter(runtime, bundle):
    with runtime.container(profile(bundle, rule("keyctl", errnoRet=errno.EDQUOT)).probe("pause")) as container:
        assert container.probe("syscall", "keyctl", "0") == {"ok": False, "errno": "EDQUOT"}


@pytest.mark.ours
@pytest.mark.parametrize(
    "flag", ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC"]
)
def test_the_flags_of_the_specification_are_taken(runtime, bundle, flag):
    profile(bundle, rule("keyctl"), flags=[flag])
    assert runtime.probe(bundle, "syscall", "keyctl", "0")["errno"] == "EPERM"


def test_thirty_two_bit_calls_do_not_pass_by_the_filter(runtime, bundle):
    """With only x86_64 listed, i386 and x32 calls are not a way around."""
    profile(bundle, rule("keyctl"))
    x32 = 0x40000000 | 250  # keyctl, by the x32 numbering
    found = runtime.probe(bundle, "syscall", str(x32), "0")
    assert not found["ok"]


def test_notify_hands_the_listener_to_the_agent(runtime, bundle):
    """SCMP_ACT_NOTIFY: the listener's descriptor arrives at listenerPath with the state (config-linux.md)."""
    path = bundle.path / "notify.sock"
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(path))
    server.listen(1)
    server.settimeout(20)
    received = {}

    def receive():
        connection, _ = server.accept()
        data, ancillary, _, _ = connection.recvmsg(65536, socket.CMSG_SPACE(16))
        received["state"], received["fds"] = json.loads(data), len(ancillary)
        connection.close()

    thread = threading.Thread(target=receive, daemon=True)
    thread.start()
    profile(bundle, rule("keyctl", "SCMP_ACT_NOTIFY"), listenerPath=str(path), listenerMetadata="secret")
    runtime.probe(bundle.probe("facts"))
    thread.join(timeout=10)
    server.close()
    assert received["state"]["metadata"] == "secret"
    assert received["state"]["fds"] == ["seccompFd"]
    assert received["fds"] == 1


def test_what_comes_before_exec_is_not_subject_to_the_filter(runtime, bundle):
    """With no_new_privs nothing is left to do that a filter for the program alone would refuse."""
    bundle.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{"names": ["capset", "prctl", "setgroups", "setresuid", "chdir"], "action": "SCMP_ACT_ERRNO"}],
    }
    result = runtime.run(bundle.args("/bin/true"))
    assert result.returncode == 0, result.stderr
