#!/bin/bash
# Boots systemd on a root of its own, in namespaces that `unshare` has made, and runs check.sh in it. The programs are
# those of this host, under an overlay: nothing outside of FOLDER is written to, in which `place` and `out` are there.
#
#   boot.sh PACKAGE FOLDER NODE
set -e
package=$1 folder=$2/place node=$3
root=$folder/root
mount -t tmpfs -o mode=755 none "$folder"
# For namespaces of units, the root has to be a mount of its own.
mkdir "$root"
mount --bind "$root" "$root"
mkdir -p "$root"/{usr,proc,sys,dev,run,tmp,etc/systemd/system,var/{log/journal,lib,tmp},root,home,opt/package} "$folder"/{upper,work}
mount -t overlay overlay -o "lowerdir=/usr,upperdir=$folder/upper,workdir=$folder/work" "$root/usr"
for name in bin sbin lib lib64; do if [ -L /$name ]; then cp -a /$name "$root/"; fi; done
cp -a /etc/passwd /etc/group /etc/nsswitch.conf /etc/ld.so.cache /etc/alternatives "$root/etc/"
mount --bind "$package" "$root/opt/package"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mountpoint -q "$root/sys/fs/cgroup" || mount -t tmpfs none "$root/sys/fs/cgroup" 2> /dev/null || true
mount -t cgroup2 none "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 none "$root/dev"
for name in null zero random urandom full tty; do touch "$root/dev/$name"; mount --bind /dev/$name "$root/dev/$name"; done
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t devpts -o newinstance,ptmxmode=666 none "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
touch "$root/dev/console"
mount -t tmpfs -o mode=755 none "$root/run"
mount -t tmpfs -o mode=1777 none "$root/tmp"
echo 0123456789abcdef0123456789abcdef > "$root/etc/machine-id"
printf 'ID=test\nNAME=Test\n' > "$root/etc/os-release"
printf '#!/bin/sh\nexec %s /opt/package/dist/cli.js "$@"\n' "$node" > "$root/usr/bin/imds-guard"
chmod 755 "$root/usr/bin/imds-guard"
echo 'imds-guard:x:990:990::/nonexistent:/usr/sbin/nologin' >> "$root/etc/passwd"
echo 'person:x:1500:1500::/nonexistent:/bin/sh' >> "$root/etc/passwd"
printf 'imds-guard:x:990:\nperson:x:1500:\n' >> "$root/etc/group"
units=$root/etc/systemd/system
cp "$package"/examples/systemd/imds-guard-gateway* "$units/"
ln -s /dev/null "$units/console-getty.service"
ln -s /dev/null "$units/getty@.service"
# One that nobody waits for: the check restarts what it is about, and ends the whole with itself.
cat > "$units/check.service" << 'UNIT'
[Service]
Type=exec
ExecStart=/bin/bash /opt/package/test/e2e/systemd/check.sh
StandardOutput=file:/out/answer
StandardError=file:/out/errors
ExecStopPost=/bin/systemctl exit
UNIT
mkdir "$units/multi-user.target.wants" "$root/out"
mount --bind "$2/out" "$root/out"
ln -s ../check.service "$units/multi-user.target.wants/"
ip link set lo up
ip address add 169.254.169.254/32 dev lo
exec env container=test chroot "$root" /lib/systemd/systemd --system --unit=multi-user.target > /dev/null 2>&1
