#!/bin/bash
# Gantry's main job, shown on this machine: builds it, starts an agent, makes images and a registry, and runs containers
# from them over the HTTP API and by the command line. Needs Debian 12 and root; works without the Internet.
#   sudo scripts/quickstart.sh [IMAGE]      IMAGE: what the first container runs, instead of an image made here
# It may be run again and again. What takes long is kept in build/quickstart/; nothing else is left behind.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=$PWD/build/quickstart
bin=$PWD/build/release/bin
asked=${1:-}
programs=(gantry gantry-agent gantry-runtime gantry-monitor gantry-fetcher)

# --- telling what happens

step=starting
number=0
began=$SECONDS
shown=()
log=$(mktemp /tmp/gantry-quickstart.XXXXXX.log)

say() { printf '%s\n' "$*"; }
heading() {
  step=$1
  number=$((number + 1))
  printf '\n\033[1m%d. %s\033[0m\n' "$number" "$1"
}
showed() { shown+=("$1"); }
fail() {
  trap - ERR
  printf '\nquickstart: %s: %s (details: %s)\n' "$step" "$1" "$log" >&2
  exit 1
}
trap 'fail "$(tail -n 1 "$log" 2>/dev/null | cut -c1-300 | grep . || echo "the command in line $LINENO failed")"' ERR

# Runs a command that takes a while: a line now and then says how far it is; all of it is in the log.
slowly() {
  local what=$1 start=$SECONDS next=$((SECONDS + 10)) pid
  shift
  "$@" >>"$log" 2>&1 </dev/null &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.2
    [ $SECONDS -ge $next ] || continue
    next=$((SECONDS + 10))
    printf '   %s, %d s: %s\n' "$what" $((SECONDS - start)) "$(tail -n 1 "$log" | tr -d '\r' | cut -c1-100)"
  done
  wait "$pid"
}

# --- taking everything down again, whatever happened

agent_pid='' registry_pid='' scratch=''
own_places=() cgroup=gantry
cleanup() {
  trap - ERR
  set +e
  if [ -n "$agent_pid" ] && kill -0 "$agent_pid" 2>/dev/null; then
    for container in quickstart-hello quickstart-busy quickstart-web; do gantry rm --force $container >/dev/null 2>&1; done
    kill "$agent_pid" && wait "$agent_pid" 2>/dev/null
  fi
  [ -z "$registry_pid" ] || { kill "$registry_pid" && wait "$registry_pid"; } 2>/dev/null
  for place in "${own_places[@]}"; do rm -rf --one-file-system "$place"; done
  [ -z "$agent_pid" ] || rmdir /sys/fs/cgroup/{,*/}"$cgroup" 2>/dev/null
  [ -z "$scratch" ] || rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
gantry() { "$bin/gantry" --agent "$endpoint" "$@"; }
# One call of the API, the JSON on standard input; the answer on standard output.
call() {
  local status
  status=$(curl -sS -o "$scratch/answer" -w '%{http_code}' -H 'Content-Type: application/json' -d @- "$url/api/v1" 2>>"$log") ||
    fail "the agent's API does not answer on $url"
  case $status in
    2*) cat "$scratch/answer" ;;
    *) fail "the API answered $status: $(head -c 300 "$scratch/answer")" ;;
  esac
}
# Evaluates a Python expression on the JSON `answer` from standard input.
json() { python3 -c 'import json, sys; answer = json.load(sys.stdin); print('"$1"')'; }

[ "$(id -u)" = 0 ] || fail "this needs root: sudo scripts/quickstart.sh"
command -v apt-get >/dev/null || fail "this needs Debian 12"
scratch=$(mktemp -d /var/tmp/gantry-quickstart.XXXXXX)
mkdir -p "$cache"

# --- what is needed

heading "Debian packages"
slowly "installing" scripts/packages.sh quickstart
say "   all there"

heading "Release build"
cmake --preset release >>"$log" 2>&1
slowly "building" cmake --build --preset release --target "${programs[@]}"
ls -l "${programs[@]/#/$bin/}" | awk '{printf "   %-16s %6.1f MB\n", substr($9, match($9, "[^/]*$")), $5 / 1e6}'
showed "built ${#programs[@]} programs into build/release/bin"

# --- images

# An image of busybox alone.
make_small_image() {
  local root=$scratch/small applet
  mkdir -p "$root"/{bin,etc,tmp,root,proc,sys,dev}
  cp /bin/busybox "$root/bin/busybox"
  for applet in $(busybox --list); do [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"; done
  printf 'root:x:0:0:root:/root:/bin/sh\n' >"$root/etc/passwd"
  printf 'root:x:0:\n' >"$root/etc/group"
  make_image small "$root" --config.env PATH=/bin --config.cmd /bin/sh --config.cmd -c \
    --config.cmd 'echo "hello from a container on $(uname -sr)"'
}

# A Debian with Python, by debootstrap from the mirror that this machine uses; without a mirror, from the files of the
# packages that are installed here.
make_debian_image() {
  local root=$scratch/debian mirror
  mkdir -p "$root"
  mirror=$(apt-get indextargets --format '$(SITE) $(CODENAME)' 'Created-By: Packages' 2>/dev/null |
    awk '$2 == "bookworm" {print $1; exit}')
  if [ -n "$mirror" ] && debootstrap --variant=minbase --include=python3-minimal,python3 bookworm "$root" "$mirror"; then
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
  else
    echo "no mirror answers: taking the installed packages' files"
    rm -rf "$root"
    mkdir -p "$root"/{dev,proc,sys,tmp,run}
    local wanted
    wanted=$({ dpkg-query -W -f '${Package} ${Essential} ${Priority}\n' | awk '$2 == "yes" || $3 == "required" {print $1}'
      apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances \
        --installed python3 | grep '^[a-z]'; } | cut -d: -f1 | sort -u)
    (dpkg-query -L $wanted 2>/dev/null || true) | sort -u | while read -r path; do
      [ -e "$path" ] && [ "$path" != /. ] && printf '%s\0' "${path#/}"
    done >"$scratch/files"
    # Debian 12 has /bin, /lib and /sbin as links; they come first, so that what follows lands behind them.
    for link in bin sbin lib lib64; do [ ! -L /$link ] || { mkdir -p "$root/usr/$link" && ln -s usr/$link "$root/$link"; }; done
    tar -C / --no-recursion --null -T "$scratch/files" -cf - 2>/dev/null | tar -C "$root" --keep-directory-symlink -xf -
    cp -a /etc/passwd /etc/group /etc/debian_version "$root/etc/"
    ldconfig -r "$root"
  fi
  chroot "$root" /usr/bin/python3 -c 'import http.server'
  make_image debian "$root" --config.env PATH=/usr/bin:/bin --config.cmd /usr/bin/python3 --config.cmd --version
}

# make_image NAME ROOT [UMOCI-CONFIG...]: an OCI layout in the cache, whole or not there.
make_image() {
  local name=$1 root=$2 layout=$scratch/layout-$1
  shift 2
  echo "packing the image"
  umoci init --layout "$layout"
  umoci new --image "$layout:latest"
  umoci insert --image "$layout:latest" "$root" /
  umoci config --image "$layout:latest" "$@"
  du -sb "$root" | cut -f1 >"$layout/unpacked"
  rm -rf "${cache:?}/$name" "$root"
  mv "$layout" "$cache/$name"
}

heading "Images from this machine's own packages"
[ -e "$cache/small/unpacked" ] || slowly "making the busybox image" make_small_image
if [ -e "$cache/debian/unpacked" ]; then
  say "   the Debian image is there from an earlier run"
else
  say "   making an image of Debian with Python; this takes a minute or two, once"
  slowly "debootstrap" make_debian_image
fi
for name in small debian; do
  printf '   %-8s %4d MB unpacked, %3d MB to pull\n' $name $(($(cat "$cache/$name/unpacked") / 1000000)) \
    $(($(du -sb "$cache/$name/blobs" | cut -f1) / 1000000))
done

heading "A registry on loopback"
registry=127.0.0.1:$(free_port)
cat >"$scratch/registry.yml" <<EOF
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $scratch/registry}}
http: {addr: '$registry'}
EOF
docker-registry serve "$scratch/registry.yml" >>"$log" 2>&1 &
registry_pid=$!
for _ in $(seq 100); do curl -fsS "http://$registry/v2/" >/dev/null 2>&1 && break || sleep 0.1; done
curl -fsS "http://$registry/v2/" >/dev/null 2>>"$log" || fail "Debian's docker-registry does not answer on $registry"
for name in small debian; do
  slowly "pushing $name" skopeo --insecure-policy copy --quiet --dest-tls-verify=false "oci:$cache/$name:latest" \
    "docker://$registry/quickstart/$name:latest"
done
say "   docker-registry serves quickstart/small and quickstart/debian on $registry"
small=${asked:-$registry/quickstart/small}
debian=$registry/quickstart/debian

# --- the agent

heading "gantry-agent, with no configuration and no master"
flags=()
taken=''
if curl -s -o /dev/null --max-time 2 http://127.0.0.1:5051/ || [ -S /run/gantry/agent.sock ] || [ -e /etc/gantry ]; then
  if curl -s --max-time 2 --unix-socket /run/gantry/agent.sock http://agent/health >/dev/null 2>&1 || [ -e /etc/gantry ] ||
    curl -s -o /dev/null --max-time 2 http://127.0.0.1:5051/; then
    taken=yes
  fi
fi
if [ -n "$taken" ]; then
  port=$(free_port)
  work=$scratch/work run=$scratch/run cgroup=gantry-quickstart
  flags=("--work_dir=$work" "--runtime_dir=$run" "--cgroups_root=$cgroup" --ip=127.0.0.1 "--port=$port"
    --bridge_subnet=10.214.0.0/20 --bridge_name=gantry-qs0)
  say "   this host has an agent already; this one gets directories, port and subnet of its own"
else
  port=5051 work=/var/lib/gantry run=/run/gantry cgroup=gantry
  for place in $work $run; do [ -e $place ] || own_places+=("$place"); done
fi
endpoint=unix://$run/agent.sock
url=http://127.0.0.1:$port
"$bin/gantry-agent" "${flags[@]}" >>"$log" 2>&1 &
agent_pid=$!
for _ in $(seq 200); do
  kill -0 $agent_pid 2>/dev/null || fail "the agent ended: $(tail -n 1 "$log")"
  curl -fsS "$url/readyz" >/dev/null 2>&1 && break || sleep 0.05
done
curl -fsS "$url/readyz" >/dev/null 2>>"$log" || fail "the agent is not ready on $url"
say "   \$ gantry-agent ${flags[*]}"
say "   version $(curl -fsS "$url/version" | json 'answer["version"]'), serving $url and $run/agent.sock," \
  "$(awk '/VmRSS/ {printf "%.1f MB", $2 / 1000}' /proc/$agent_pid/status) resident"
showed "the agent runs without configuration and without a master"

# --- the main job

heading "Pull an image from the registry"
say "   \$ gantry pull $small"
gantry pull "$small" 2>>"$log" | tail -n 2 | sed 's/^/   /'
say "   \$ gantry pull $debian"
started=$(date +%s%N)
gantry pull "$debian" 2>>"$log" | tail -n 2 | sed 's/^/   /'
say "   $(($(cat "$cache/debian/unpacked") / 1000000)) MB ready to run after $((($(date +%s%N) - started) / 1000000)) ms"
gantry images | sed 's/^/   /'
showed "pulled two images from a registry"

heading "Dispatch a container over the HTTP API"
command='{"shell": false}'
request=$(printf '{"type": "LAUNCH_CONTAINER", "launch_container": {"container_id": {"value": "quickstart-hello"},
    "command": %s, "resources": [
      {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.5}}, {"name": "mem", "type": "SCALAR", "scalar": {"value": 256}}],
    "container": {"type": "MESOS", "mesos": {"image": {"type": "DOCKER", "docker": {"name": "%s"}}}}}}' "$command" "$small")
say "   \$ curl -d '{\"type\": \"LAUNCH_CONTAINER\", ... $small}' $url/api/v1"
printf '%s' "$request" | call >/dev/null
if [ -n "$asked" ] && ! timeout 15 curl -sS -o /dev/null -H 'Content-Type: application/json' \
  -d '{"type": "WAIT_CONTAINER", "wait_container": {"container_id": {"value": "quickstart-hello"}}}' "$url/api/v1"; then
  say "   it runs on by itself, so it is stopped now"
  gantry stop quickstart-hello >>"$log" 2>&1
fi
waited=$(printf '{"type": "WAIT_CONTAINER", "wait_container": {"container_id": {"value": "quickstart-hello"}}}' | call)
gantry logs quickstart-hello 2>&1 | head -n 20 | sed 's/^/   | /'
status=$(printf '%s' "$waited" | json 'answer["wait_container"]["exit_status"]')
say "   WAIT_CONTAINER: exit_status $status"
[ -n "$asked" ] || [ "$status" = 0 ] || fail "the container's exit status is $status, not 0"
gantry rm quickstart-hello >>"$log" 2>&1
showed "dispatched ${asked:-a container} over the HTTP API, read its output and its exit status"

heading "The same by the command line, with an exit status of its own"
say "   \$ gantry run --rm $debian python3 -c '...; sys.exit(7)'"
code=0
gantry run --rm "$debian" python3 -c \
  'import os, sys; print("python", sys.version.split()[0], "is process", os.getpid(), "in its container"); sys.exit(7)' \
  >"$scratch/output" 2>>"$log" || code=$?
sed 's/^/   | /' "$scratch/output"
say "   exit code $code"
[ $code = 7 ] || fail "the exit code is $code, not 7: $(tail -n 1 "$log")"
showed "ran a container by the command line; its exit code came through"

heading "Usage while a container runs"
gantry run -d --name quickstart-busy --cpus 0.5 --memory 128m "$debian" python3 -c 'while True: pass' >>"$log" 2>&1
sleep 2
gantry stats --no-stream 2>>"$log" | sed 's/^/   /'
printf '{"type": "GET_CONTAINERS", "get_containers": {"show_standalone": true}}' | call | json '"   GET_CONTAINERS: "
  + ", ".join("%s %.2f s CPU, %.1f MB" % (c["container_id"]["value"],
      c["resource_statistics"]["cpus_user_time_secs"] + c["resource_statistics"].get("cpus_system_time_secs", 0),
      c["resource_statistics"]["mem_total_bytes"] / 1e6) for c in answer["get_containers"]["containers"])'
gantry rm --force quickstart-busy >>"$log" 2>&1
showed "read its usage while it ran, limited to half a core"

heading "A second container, reached over its own address and over a mapped host port"
web=$(free_port)
say "   \$ gantry run -d --name quickstart-web --network bridge -p $web:8000 $debian python3 -m http.server 8000"
gantry run -d --name quickstart-web --network bridge -p "$web:8000" "$debian" \
  /bin/sh -c 'mkdir -p /srv/www && echo "served by $(hostname)" > /srv/www/index.html && exec python3 -m http.server -d /srv/www 8000' \
  >>"$log" 2>&1
address=$(gantry inspect --format json quickstart-web | python3 -c 'import re, sys
found = re.search(r"\"(10(?:\.\d+){3})\"", sys.stdin.read()); print(found.group(1) if found else "")')
[ -n "$address" ] || fail "the container has no address"
for place in "$address:8000" "127.0.0.1:$web"; do
  answer=$(curl -sS --retry 20 --retry-connrefused --retry-delay 0 --retry-max-time 20 --max-time 5 "http://$place/" 2>>"$log") ||
    fail "the container does not answer on $place"
  say "   http://$place/ says: $answer"
done
showed "reached a second container over its address $address and over host port $web"

heading "Stop it, and look for leftovers"
gantry stop quickstart-web >>"$log" 2>&1
gantry rm quickstart-web >>"$log" 2>&1
left=()
leftover() { [ -z "$2" ] || left+=("$1: $(printf '%s' "$2" | tr '\n' ' ')"); }
for _ in $(seq 30); do
  left=()
  leftover containers "$(gantry ps -a --format json 2>>"$log" | json '" ".join(c["id"] for c in (answer["containers"] if isinstance(answer, dict) else answer))')"
  leftover processes "$(pgrep -f "$bin/gantry-monitor.*quickstart" || true)"
  leftover mounts "$(awk -v run="$run/" -v work="$work/containers/" 'index($5, run) == 1 || index($5, work) == 1 {print $5}' /proc/self/mountinfo)"
  leftover cgroups "$(find /sys/fs/cgroup -path "*/$cgroup/*" -type d 2>/dev/null || true)"
  leftover "network namespaces" "$(ls "$run/netns" 2>/dev/null || true)"
  leftover addresses "$(find "$run/cni" -regex '.*/[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+' 2>/dev/null || true)"
  leftover interfaces "$(ip -oneline -4 address | awk -v net="${address%.*}." 'index($4, net) == 1 {print $2}')"
  leftover "NAT rules" "$(iptables-save -t nat 2>/dev/null | grep -E -- "-A.*($address|:$web )" || true)"
  [ ${#left[@]} -gt 0 ] || break
  sleep 0.2
done
[ ${#left[@]} = 0 ] || fail "something is left: ${left[*]}"
say "   no container, process, mount, cgroup, network namespace, interface, address or NAT rule is left"
showed "stopped it; nothing is left"

printf '\n\033[1mShown in %d s\033[0m\n' $((SECONDS - began))
for line in "${shown[@]}"; do say "   - $line"; done
say ""
say "The README has seven commands to try next. Start an agent with: sudo $bin/gantry-agent"
trap - ERR
rm -f "$log"
