# Brings a host up on its disk. $1 disk, $2 name, $3 `plain` or `systemd`. Says its own process number,
# waits for `go` (its cable is laid meanwhile), then becomes the host's first process.
set -e
read -r pid rest </proc/self/stat
echo "$2" >/proc/sys/kernel/hostname
root=$1/.root
mkdir -p "$root"
mount -t tmpfs -o size=16m,mode=0755 root "$root"
cd "$root"
mkdir usr etc home root srv opt var proc dev run tmp sys
for name in bin sbin lib lib32 lib64 libx32; do
    if [ -L "/$name" ]; then ln -s "$(readlink "/$name")" "$name"
    elif [ -d "/$name" ]; then mkdir "$name"; mount --bind -o ro "/$name" "$name"
    fi
done
mount --rbind /usr usr
mount -o remount,bind,ro usr
for name in etc home root srv opt var; do mount --bind "$1/$name" "$name"; done
mount -t tmpfs -o size=64m,mode=0755 run run
mount -t tmpfs -o size=64m,mode=1777 tmp tmp
mount -t tmpfs -o size=1m,mode=0755 dev dev
mkdir dev/pts dev/shm run/sshd
mount -t tmpfs -o size=256m,mode=1777 shm dev/shm
for name in null zero full random urandom tty; do
    : >"dev/$name"
    mount --bind "/dev/$name" "dev/$name"
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
mount -t proc -o nosuid,nodev,noexec proc proc
if [ "$3" = systemd ]; then
    mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
    mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
fi
echo "$pid"
read -r go
if [ "$3" = systemd ]; then
    # Its services get mount namespaces of their own, which a mere chroot would confuse.
    mkdir .old
    pivot_root . .old
    umount -l /.old
    exec </dev/null >/dev/null
    exec env -i container=friday-bed PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
        /lib/systemd/systemd
fi
# The first process starts what a server starts, then waits, which also buries orphans.
exec chroot "$root" /bin/sh -c '
    exec </dev/null >/dev/null
    export PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
    [ ! -x /usr/sbin/cron ] || /usr/sbin/cron
    /usr/sbin/sshd -D -e &
    while :; do wait; sleep 1; done'
