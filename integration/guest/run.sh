#!/bin/bash
# Runs a command as root on a User-mode Linux kernel with cgroup version 2 alone. The guest's root is this machine's own
# tree, read-only below a tmpfs that is thrown away, so that programs built here run there as they are. Neither KVM nor
# an image is needed; the kernel is Debian's user-mode-linux package.
#   integration/guest/run.sh COMMAND [ARGUMENT...]       exit status: the command's; 125 when the guest failed
#   MEMORY=2G        the guest's memory
#   PATIENCE=900     seconds after which the guest is ended
# The guest has the controllers cpu, io, memory and pids; no cpuset (one processor), no nftables for IPv4
# (iptables-legacy works), no time namespaces. Its tmpfs and overlay cannot have idmapped mounts; /var/tmp, an ext4, can.
set -euo pipefail

kernel=/usr/bin/linux.uml
[ -x $kernel ] || { echo "guest: $kernel is missing; install the package user-mode-linux" >&2; exit 125; }
[ $# -gt 0 ] || { sed -n '2,/^set/s/^# \?//p' "$0" >&2; exit 125; }

scratch=$(mktemp -d /var/tmp/gantry-guest.XXXXXX)
trap 'rm -rf "$scratch"' EXIT

# The package has no index of its modules: modprobe gets one beside a link to them.
release=$(basename /usr/lib/uml/modules/*)
mkdir -p "$scratch/modules/lib/modules/$release"
for entry in /usr/lib/uml/modules/"$release"/*; do
  ln -s "$entry" "$scratch/modules/lib/modules/$release/$(basename "$entry")"
done
depmod -b "$scratch/modules" "$release"

modules=(overlay veth bridge br_netfilter macvlan tun loop fuse ip_tables iptable_nat iptable_filter nf_nat xt_MASQUERADE
  xt_comment xt_conntrack xt_addrtype xt_nat xt_tcpudp xt_mark xt_multiport)

cat >"$scratch/init" <<EOF
#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb NO_COLOR=1
fail() { echo "GUEST-FAILED: \$1"; busybox halt -f; }
mount -t proc proc /proc
mount -t tmpfs -o size=90% tmpfs /mnt && mkdir /mnt/upper /mnt/work /mnt/root || fail "mount the scratch space"
for module in ${modules[*]}; do modprobe -q -d "$scratch/modules" \$module; done
# Nothing finds a module later on, and each call of iptables would look for one (bpfilter) several times.
echo >/proc/sys/kernel/modprobe
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root || fail "mount the root"
cd /mnt/root
mount -t proc proc proc && mount -t sysfs sysfs sys && mount -t devtmpfs devtmpfs dev || fail "mount proc, sys, dev"
mkdir -p dev/pts dev/shm
ln -s /proc/self/fd dev/fd
for stream in 0:stdin 1:stdout 2:stderr; do ln -s /proc/self/fd/\${stream%:*} dev/\${stream#*:}; done
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts dev/pts
# The tree that we are run from may lie below one of the directories that become empty.
mkdir kept && mount --bind ".$PWD" kept || fail "keep $PWD"
for point in dev/shm run tmp; do mount -t tmpfs -o mode=1777 tmpfs \$point || fail "mount \$point"; done
# Sparse, in memory as everything else.
truncate -s 1G /mnt/disk && mkfs.ext4 -q -O ^has_journal /mnt/disk && losetup /mnt/root/dev/loop0 /mnt/disk &&
  mount -t ext4 /mnt/root/dev/loop0 var/tmp && chmod 1777 var/tmp || fail "mount var/tmp"
mkdir -p ".$PWD" && mount --bind kept ".$PWD" && umount kept || fail "keep $PWD"
mkdir -p run/lock
mount -t cgroup2 cgroup2 sys/fs/cgroup || fail "mount cgroup2"
echo "+cpu +io +memory +pids" >sys/fs/cgroup/cgroup.subtree_control || fail "enable the controllers"
mkdir -p old && pivot_root . old && umount -l /old || fail "change the root"
ip link set lo up
hostname gantry-guest
cd "$PWD" || fail "enter $PWD"
. "/proc/self/fd/9" 9<<'ENVIRONMENT'
$(export -p | grep -E '^declare -x (GANTRY_|PYTHON|PYTEST)' | sed 's/^declare -x/export/' || true)
ENVIRONMENT
$(printf '%q ' "$@")
echo "GUEST-STATUS=\$?"
busybox halt -f
EOF
chmod 755 "$scratch/init"

timeout --foreground -k 5 "${PATIENCE:-900}" "$kernel" mem="${MEMORY:-2G}" rootfstype=hostfs ro init="$scratch/init" \
  con=null con0=null,fd:1 loglevel=1 </dev/null 2>"$scratch/errors" |
  tee "$scratch/output" | grep --line-buffered -avE '^GUEST-STATUS=|reboot: System halted|^SELinux|mmapper_init|ubd device' || true

status=$(sed -n 's/^GUEST-STATUS=\([0-9]*\).*/\1/p' "$scratch/output" | tail -n 1)
if [ -z "$status" ]; then
  echo "guest: ended without a status" >&2
  tail -n 20 "$scratch/errors" >&2
  exit 125
fi
exit "$status"
