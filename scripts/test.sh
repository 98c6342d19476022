#!/bin/bash
# Installs what the tests need, builds, and runs the unit tests (ctest) and the integration tests (pytest), as root: here,
# and on cgroup version 2 in a User-mode Linux guest that runs beside.
#   sudo scripts/test.sh [PRESET] [PYTEST-ARGUMENT...]      default: release
#   GUEST=no      leaves the guest out
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}
[ $# = 0 ] || shift

[ "$(id -u)" = 0 ] || { echo "test.sh: this needs root" >&2; exit 2; }
scripts/packages.sh build test
cmake --preset "$preset" >/dev/null
cmake --build --preset "$preset"
ctest --preset "$preset" -j2 --no-tests=error

export GANTRY_BUILD="$PWD/build/$preset"
pytest=(/usr/bin/python3 -B -m pytest)
guest_output=$GANTRY_BUILD/guest.log
guest=''
if [ "${GUEST:-yes}" = yes ]; then
  # Version 2 is where only our own runtime is tried: that the tests are right is shown on runc here.
  PATIENCE=1500 GANTRY_TEST_RUNTIMES=gantry-runtime integration/guest/run.sh "${pytest[@]}" integration/runtime integration/agent -q "$@" \
    >"$guest_output" 2>&1 &
  guest=$!
  trap 'kill $guest 2>/dev/null || true' EXIT
fi

status=0
"${pytest[@]}" integration -q "$@" || status=$?

if [ -n "$guest" ]; then
  echo
  echo "=== cgroup version 2, in a User-mode Linux guest"
  guest_status=0
  wait "$guest" || guest_status=$?
  trap - EXIT
  cat "$guest_output"
  [ $status != 0 ] || status=$guest_status
fi
exit $status
