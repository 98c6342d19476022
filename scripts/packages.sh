#!/bin/bash
# Installs the Debian 12 packages that building, testing or the quickstart needs, and nothing when all are there.
#   scripts/packages.sh build|test|quickstart...
set -euo pipefail

build=(g++ cmake ninja-build ccache pkg-config libboost1.81-dev libseccomp-dev libcap-dev libarchive-dev libisal-dev
  libzstd-dev zlib1g-dev libssl-dev libcurl4-openssl-dev nlohmann-json3-dev libprotobuf-dev protobuf-compiler libsqlite3-dev
  libtomlplusplus-dev libcli11-dev libfmt-dev libzookeeper-mt-dev libgtest-dev libgmock-dev libbenchmark-dev python3)
run=(containernetworking-plugins iptables ca-certificates)
images=(docker-registry skopeo umoci busybox-static debootstrap)
test=(zstd nginx-light vsftpd openssl crun runc golang-github-containers-common iproute2 procps kmod curl jq user-mode-linux python3-pytest python3-requests
  python3-protobuf zookeeper python3-kazoo)

wanted=()
for set in "$@"; do
  case $set in
    build) wanted+=("${build[@]}") ;;
    test) wanted+=("${build[@]}" "${run[@]}" "${images[@]}" "${test[@]}") ;;
    quickstart) wanted+=("${build[@]}" "${run[@]}" "${images[@]}" iproute2 curl) ;;
    *) echo "packages.sh: unknown set '$set'" >&2; exit 2 ;;
  esac
done

missing=()
for package in "${wanted[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

echo "installing ${#missing[@]} packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
# Debian starts a docker-registry of its own on installation where systemd runs; ours are started by hand.
apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
