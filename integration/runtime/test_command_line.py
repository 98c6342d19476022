"""The command line that engines rely on, and how errors are told."""

import json

import pytest


def test_version_names_the_program_and_the_specification(runtime):
    lines = runtime.call("--version").stdout.splitlines()
    assert "version" in lines[0]
    assert any(line.startswith("spec: 1.") for line in lines)


def test_spec_writes_a_default_configuration_that_runs(runtime, bundle):
    bundle.write()
    (bundle.path / "config.json").unlink()
    runtime.call("spec", cwd=bundle.path)
    made = json.loads((bundle.path / "config.json").read_text())
    assert made["ociVersion"].startswith("1.")
    made["process"] |= {"terminal": False, "args": ["/bin/probe", "facts"]}
    bundle.spec.clear()
    bundle.spec.update(made)
    assert runtime.probe(bundle)["pid"] == 1


def test_spec_does_not_overwrite(runtime, bundle):
    bundle.write()
    result = runtime.call("spec", cwd=bundle.path, check=False)
    assert result.returncode != 0
    assert "config.json" in result.stderr


@pytest.mark.ours
def test_features_say_what_the_runtime_can_do(runtime):
    features = json.loads(runtime.call("features").stdout)
    assert features["ociVersionMin"].startswith("1.0") and features["ociVersionMax"].startswith("1.")
    linux = features["linux"]
    assert {"cgroup", "ipc", "mount", "network", "pid", "user", "uts"} <= set(linux["namespaces"])
    assert "CAP_CHOWN" in linux["capabilities"]
    assert linux["cgroup"]["v1"] and linux["cgroup"]["v2"]
    assert linux["seccomp"]["enabled"] and "SCMP_ACT_NOTIFY" in linux["seccomp"]["actions"]
    assert {"createRuntime", "poststop"} <= set(features["hooks"])
    assert {"rbind", "ro", "nosuid"} <= set(features["mountOptions"])


def test_errors_go_to_the_log_as_json(runtime, bundle):
    log = bundle.path / "log"
    result = runtime.call(
        "--log", str(log), "--log-format", "json", "run", "--bundle", str(bundle.args("/absent/program").write()),
        runtime.new_id(), check=False,
    )  # fmt: skip
    assert result.returncode != 0
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    errors = [entry for entry in entries if entry["level"] == "error"]
    assert len(errors) >= 1
    assert "/absent/program" in errors[-1]["msg"] and errors[-1]["time"]


@pytest.mark.ours
def test_an_error_is_one_sentence_on_standard_error(runtime, bundle):
    result = runtime.run(bundle.args("/absent/program"))
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("gantry-runtime: ")
    assert not lines[0].endswith(".")


@pytest.mark.parametrize("words", [["dance"], ["run", "--no-such-option", "x"], ["kill"], ["state"]])
def test_wrong_usage_is_an_error(runtime, words):
    result = runtime.call(*words, check=False)
    assert result.returncode != 0 or "USAGE" in result.stdout


def test_an_unknown_signal_is_named(runtime, bundle):
    with runtime.container(bundle.probe("pause")) as container:
        result = runtime.call("kill", container.id, "SIGNOPE", check=False)
        assert result.returncode != 0
        assert "NOPE" in result.stderr


def test_a_pid_file_that_cannot_be_written_undoes_the_container(runtime, bundle):
    result = runtime.call(
        "create",
        "--bundle",
        str(bundle.probe("pause").write()),
        "--pid-file",
        "/absent/pid",
        runtime.new_id(),
        check=False,
    )
    assert result.returncode != 0
    assert runtime.ids() == []


def test_flags_may_follow_the_id_except_for_exec(runtime, bundle):
    with runtime.container(bundle.args("/bin/sleep", "1000")) as container:
        assert container.exec("/bin/echo", "--tty", "-e").stdout == "--tty -e\n"
        runtime.call("delete", container.id, "--force")
        assert runtime.ids() == []
