"""A monitor with a real runtime below it: ours, and an established one."""

import os
import shutil

import pytest

from gantrytest.monitor import Monitor

RUNTIMES = os.environ.get("GANTRY_TEST_RUNTIMES", "gantry-runtime,runc").split(",")


@pytest.fixture(params=[name for name in RUNTIMES if name != "crun"])
def new_monitor(request, session, new_bundle, directory):
    """Makes monitors; what they created is deleted after the test."""
    name = request.param
    runtime = str(session.program(name)) if name == "gantry-runtime" else shutil.which(name)
    assert runtime, f"{name} is not installed"
    made = []

    def make(script: str | None = None, **options) -> Monitor:
        bundle = options.pop("bundle", None) or new_bundle()
        if script is not None:
            bundle.shell(script)
        monitor = Monitor(session, runtime, directory, bundle, len(made), **options)
        made.append(monitor)
        return monitor

    yield make
    for monitor in reversed(made):
        monitor.clean()
