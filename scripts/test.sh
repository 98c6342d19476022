#!/bin/bash
# Installs what the tests need, builds, and runs the unit tests (ctest) and the integration tests (pytest), as root.
#   sudo scripts/test.sh [PRESET]      default: release
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}

scripts/packages.sh build test
cmake --preset "$preset" >/dev/null
cmake --build --preset "$preset"
ctest --preset "$preset" -j2 --no-tests=error
if compgen -G 'integration/test_*.py' integration/*/test_*.py >/dev/null; then
  GANTRY_BUILD="$PWD/build/$preset" /usr/bin/python3 -B -m pytest -p no:cacheprovider integration
fi
