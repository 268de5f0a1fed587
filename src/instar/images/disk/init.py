"""PID 1 of a machine: what a container engine does for a container, then s6 as in one.

s6's supervisor runs as root here. Its services are the agent, which becomes an ordinary user, and the power
button; that ends the supervisor as SIGTERM does: the agent stops its database, the volume is unmounted, the
machine is off.
"""

from pathlib import Path

from instar.images import guest_agent
from instar.images.disk import boot
from instar.images.disk.machine import USER, VOLUME
from instar.images.system.init import PROGRAM

_SERVICES = "usr/lib/instar/services"
BOOT = "usr/lib/instar/boot.py"

_INIT = f"""\
#!/bin/sh
# PID 1 of this machine. /dev is there already; the root disk can be written to.
echo "instar: starting"
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
umask 022
cd /
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs -o mode=1777,nosuid,nodev run /run
mount -t tmpfs -o mode=1777,nosuid,nodev tmp /tmp
mkdir -p /dev/pts /dev/shm
mount -t devpts pts /dev/pts
mount -t tmpfs -o mode=1777,nosuid,nodev shm /dev/shm
# Drivers for the cards that are there, and for config drives and the power button.
cat /sys/bus/pci/devices/*/modalias /sys/bus/virtio/devices/*/modalias | sort -u | xargs modprobe -abq
modprobe -abq sr_mod isofs vfat nls_cp437 nls_ascii button evdev
# A card that comes up with an address says so, for whoever has known it elsewhere.
echo 1 >/proc/sys/net/ipv4/conf/all/arp_notify
python3 -ISB /{BOOT}
install -d -o {USER} -g {USER} /run/instar
cp -R /{_SERVICES} /run/services
exec s6-svscan -t 0 /run/services
"""
OPEN_FILES = 1 << 20
"""Files that a guest's programs may have open: the kernel's 1024 make MariaDB cut down `max_connections`."""
_AGENT = f"""\
#!/bin/sh
exec 2>&1
ulimit -c 0
ulimit -n {OPEN_FILES}
exec /{guest_agent.LAUNCHER} --root / --user {USER}
"""
_POWER = """\
#!/bin/sh
exec busybox acpid -f -l /dev/null
"""
_BUTTON = """\
#!/bin/sh
echo "instar: the power button was pressed" >/dev/console
exec s6-svscanctl -t /run/services
"""
_LEASE = """\
#!/bin/sh
# What udhcpc calls with a lease in its environment.
case $1 in
bound | renew)
    busybox ifconfig "$interface" "$ip" netmask "$subnet"
    for gateway in $router; do busybox ip route replace default via "$gateway"; done
    for server in $dns; do echo "nameserver $server"; done >/etc/resolv.conf
    echo "instar: network: $interface has $ip by DHCP"
    ;;
esac
"""
# The agent has ended by now. Whoever still holds the volume gets five seconds: a database, say, that the
# agent could not stop.
_FINISH = f"""\
#!/bin/sh
release() {{
    left=$1
    while mountpoint -q /{VOLUME} && ! umount /{VOLUME} 2>/dev/null; do
        [ "$left" -gt 0 ] || return
        sleep 0.1
        left=$((left - 1))
    done
}}
kill -TERM -1
release 50
kill -KILL -1
release 50
sync
mount -o remount,ro / 2>/dev/null
echo "instar: powering off"
exec busybox poweroff -f
"""


def install(root: Path) -> None:
    """Put the machine's init, its services and what it boots with into a system."""
    for path, text in (
        (PROGRAM, _INIT),
        (BOOT, Path(boot.__file__).read_text("utf-8")),
        (f"{_SERVICES}/agent/run", _AGENT),
        (f"{_SERVICES}/power/run", _POWER),
        (f"{_SERVICES}/.s6-svscan/finish", _FINISH),
        (boot.LEASE, _LEASE),
        ("etc/acpi/PWRF/00000080", _BUTTON),
    ):
        path = path.lstrip("/")
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
        (root / path).chmod(0o755)
