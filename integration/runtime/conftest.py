"""Every runtime test runs against each runtime named in GANTRY_TEST_RUNTIMES, ours and an established one, which tests the tests."""

import os
import shutil

import pytest

from gantrytest.oci_runtime import OciRuntime

RUNTIMES = os.environ.get("GANTRY_TEST_RUNTIMES", "gantry-runtime,runc").split(",")

# crun 1.8 refuses the hybrid layout; with version 2 out of its sight it takes the machine for a pure version 1 host.
_WITHOUT_V2 = ["unshare", "--mount", "sh", "-c", 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$0" "$@"']


def pytest_configure(config):
    config.addinivalue_line("markers", "ours: what only gantry-runtime promises, or Debian's runc is too old for")


def pytest_generate_tests(metafunc):
    if "runtime" in metafunc.fixturenames:
        ours_only = metafunc.definition.get_closest_marker("ours")
        names = [name for name in RUNTIMES if not ours_only or name == "gantry-runtime"]
        metafunc.parametrize("runtime", names, indirect=True, scope="session")


@pytest.fixture(scope="session")
def runtime(request, session, watched) -> OciRuntime:
    name = request.param
    if name == "gantry-runtime":
        command = [str(session.program(name))]
    else:
        found = shutil.which(name)
        assert found, f"{name} is not installed"
        command = [*_WITHOUT_V2, found] if name == "crun" else [found]
    root = session.temporary(name)
    watched.directories.add(root)
    return OciRuntime(name, command, root)
