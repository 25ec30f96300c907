/**
 * Becomes the first process of a host: run by sh in namespaces of its own (mount, uts, ipc, pid, cgroup), in the cgroup that is the root of
 * all of its groups. Arguments: the tree below, the directory of the host (upper, work, root), its name.
 * What the kernel has once for all hosts (/proc/sys but for its network, /sys) can be read only, as systemd-nspawn does it.
 */
export const bootScript = `set -e
tree=$1 own=$2 name=$3 root=$2/root
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$tree,upperdir=$own/upper,workdir=$own/work" "$root"
hostname "$name"
cd "$root"
mount -t proc -o nosuid,nodev,noexec proc proc
for each in sys sysrq-trigger; do [ -e "proc/$each" ] || continue; mount --bind "proc/$each" "proc/$each"; mount -o remount,bind,ro,nosuid,nodev,noexec "proc/$each"; done
mount --bind proc/sys/net proc/sys/net; mount -o remount,bind,rw,nosuid,nodev,noexec proc/sys/net
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755,nosuid tmpfs dev
node() { mknod -m "$2" "dev/$1" c "$3" "$4"; }
node null 666 1 3; node zero 666 1 5; node full 666 1 7; node random 666 1 8; node urandom 666 1 9; node tty 666 5 0
mkdir dev/net dev/pts dev/shm
node net/tun 666 10 200; node fuse 666 10 229; node loop-control 660 10 237
if [ -e /dev/kvm ]; then node kvm 666 10 232; fi
mount -t devpts -o newinstance,mode=620,ptmxmode=666,gid=5,nosuid,noexec devpts dev/pts
ln -s pts/ptmx dev/ptmx; ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin; ln -s fd/1 dev/stdout; ln -s fd/2 dev/stderr
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs dev/shm
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs run
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs tmp
mkdir run/lock; chmod 1777 run/lock
mkdir -p mnt/old
pivot_root . mnt/old
umount -l /mnt/old
rmdir /mnt/old
exec env -i container=zor-test PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin /sbin/init >/dev/null 2>&1
`;
