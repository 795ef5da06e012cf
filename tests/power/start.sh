#!/bin/sh
# The guest's first process: what a system sets up before anything of ours runs. The root stays read-only.
# Where the first file system of the kernel has done so, it is said again to no avail.
for system in proc:/proc sysfs:/sys devtmpfs:/dev; do
    mountpoint -q "${system#*:}" || mount -t "${system%%:*}" none "${system#*:}"
done
mount -t tmpfs -o mode=755 none /run
mount -t tmpfs none /tmp
for module in virtio_pci virtio_blk virtio_console virtio_net ext4 rtc_cmos; do modprobe -q "$module"; done
until [ -e /sys/class/net/eth0 ] && [ -e /dev/vport*p2 ]; do sleep 0.1; done
ip link set lo up
ip address add 10.0.2.15/24 dev eth0
ip link set eth0 up
exec /usr/lib/loa-agent/bin/python3 -I /opt/power/guest.py
