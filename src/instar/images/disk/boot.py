"""What a machine boots with: its config drive's host name, network and files. A program of the guest's own.

It is copied into disks as it is and runs as root on the guest's Python, once a boot before the agent: the
standard library only. What it does it tells on the console; what fails keeps nothing else from being done.
"""

import contextlib
import ipaddress
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

LABELS = ("config-2", "CONFIG-2")
DRIVE = Path("/run/config-drive")
LATEST = "openstack/latest"
HEADER = "#cloud-config"
LEASE = "/usr/lib/instar/lease"
COMING = "/etc/instar/network_data.json"
"""Of a standby: the network of the card that it is to be given, as a config drive would tell it."""
AWAITED = Path("/run/instar-card-awaited")
"""There once that card is waited for: without it the agent does not say that it is a standby."""
SYSTEM = Path("/sys/class/net")
RTMGRP_LINK = 1
PATIENCE = 30.0
MISSHAPEN = (OSError, ValueError, KeyError, TypeError, AttributeError)

Found = dict[str, Any]


def main() -> None:
    """Boot."""
    drive = read_drive()
    settle("host name", lambda: name_host(drive.get("meta_data.json", "{}")))
    user_data = drive.get("user_data", "")
    settle("files", lambda: write_files(user_data))
    settle("network", lambda: bring_up(json.loads(drive.get("network_data.json", "{}")), coming(user_data)))


def say(text: str) -> None:
    """Tell something on the console."""
    print(f"instar: {text}", flush=True)


def settle(what: str, do: Callable[[], str]) -> None:
    """Take a step, and tell what came of it."""
    try:
        say(f"{what}: {do()}")
    except (*MISSHAPEN, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", None) or b"").decode("utf-8", "replace").strip()
        say(f"{what}: FAILED: {type(error).__name__}: {error} {said}".rstrip())


def run(*words: str) -> None:
    """Run a program to its end."""
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)


# -- the config drive


def read_drive() -> dict[str, str]:
    """Read what is on the config drive, and put it away: it holds secrets."""
    deadline = time.monotonic() + PATIENCE
    while (node := find_drive()) is None:
        if time.monotonic() > deadline:
            say(f"config drive: none appeared within {PATIENCE:g} s")
            return {}
        time.sleep(0.1)
    DRIVE.mkdir(mode=0o700, exist_ok=True)
    found: dict[str, str] = {}
    try:
        run("mount", "-o", "ro", node, str(DRIVE))
        found = {path.name: path.read_text("utf-8") for path in (DRIVE / LATEST).iterdir() if path.is_file()}
        run("umount", str(DRIVE))
    except (*MISSHAPEN, subprocess.CalledProcessError) as error:
        say(f"config drive {node}: FAILED: {error}")
    say(f"config drive: {', '.join(sorted(found)) or 'empty'} on {node}")
    return found


def find_drive() -> str | None:
    """Give the device node of the config drive."""
    for label in LABELS:
        said = subprocess.run(["blkid", "-c", "/dev/null", "-L", label], capture_output=True, check=False)
        if node := said.stdout.decode().strip():
            return node
    return None


def name_host(meta_data: str) -> str:
    """Give the machine the name that Nova gave it."""
    meta = json.loads(meta_data)
    name = str(meta.get("hostname") or meta.get("name") or "instar").partition(".")[0]
    socket.sethostname(name)
    Path("/etc/hostname").write_text(f"{name}\n", "utf-8")
    Path("/etc/hosts").write_text(f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {name}\n", "utf-8")
    return name


# -- the network


def coming(user_data: str) -> Found:
    """Give the network of the card that a standby is to be given; nothing for any other machine.

    It is taken from what the control plane sent: where its file lies, the database's user can write.
    """
    with contextlib.suppress(*MISSHAPEN):  # step `files` has told of it
        for file in files_of(user_data):
            if file["path"] == COMING:
                found: Found = json.loads(file["content"])
                return found
    return {}


def bring_up(told: Found, later: Found) -> str:
    """Configure the cards that are there; in a process of its own, the card that comes `later`."""
    if later and Network(later).is_there():
        return Network(later).bring_up()
    said = Network(told).bring_up()
    if later:
        changes = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        changes.bind((0, RTMGRP_LINK))
        AWAITED.touch()
        if os.fork() == 0:
            await_card(changes, later)
            settle("network taken over", lambda: take_over(told, later))
            os._exit(0)
    return said


def await_card(changes: socket.socket, later: Found) -> None:
    """Wait until a card is plugged in; the kernel tells of each change of a card (rtnetlink(7))."""
    while not Network(later).is_there():
        with contextlib.suppress(OSError):  # more was told than there was room for
            changes.recv(1 << 16)


def take_over(told: Found, later: Found) -> str:
    """Configure the card that was plugged in, and silence those that the standby had before."""
    for words in Network(told).silencing():
        with contextlib.suppress(subprocess.CalledProcessError):  # it may be unplugged by now
            run(*words)
    return Network(later).bring_up()


class Network:
    """What `network_data.json` tells: fixed addresses where it has them, DHCP where it has none."""

    def __init__(self, told: Found, system: Path | None = None) -> None:
        self._told = told
        self._cards = dict(_cards(system or SYSTEM))

    def bring_up(self) -> str:
        """Configure all cards; tells how."""
        commands = list(self.commands())
        for words in commands:
            run(*words)
        if servers := self.name_servers():
            lines = "".join(f"nameserver {server}\n" for server in servers)
            Path("/etc/resolv.conf").write_text(lines, "utf-8")
        return "; ".join(" ".join(words[1:]) for words in commands)

    def is_there(self) -> bool:
        """Tell whether all cards are there that are told of."""
        links = self._told.get("links", [])
        return all(str(link["ethernet_mac_address"]).lower() in self._cards for link in links)

    def silencing(self) -> Iterator[tuple[str, ...]]:
        """Give the programs that take the cards out of use which are there and told of."""
        for link in self._told.get("links", []):
            if card := self._cards.get(str(link["ethernet_mac_address"]).lower()):
                yield "busybox", "ip", "link", "set", card, "down"

    def commands(self) -> Iterator[tuple[str, ...]]:
        """Give the programs to run, in their order."""
        yield "busybox", "ip", "link", "set", "lo", "up"
        for card, link in self._links():
            networks = [each for each in self._told.get("networks", []) if each["link"] == link["id"]]
            for network in networks:
                yield from _address(network, card)
            mtu = ("mtu", str(link["mtu"])) if link.get("mtu") else ()
            yield "busybox", "ip", "link", "set", card, *mtu, "up"
            for network in networks or [{"type": "ipv4_dhcp"}]:
                yield from _ways(network, card)

    def _links(self) -> list[tuple[str, Found]]:
        """Give the cards that are there, each with what is told of it; one may have been unplugged since."""
        links = self._told.get("links") or [{"id": "", "ethernet_mac_address": mac} for mac in self._cards]
        told = {str(link["ethernet_mac_address"]).lower(): link for link in links}
        there = [(self._cards[mac], link) for mac, link in told.items() if mac in self._cards]
        if told and not there:
            raise ValueError(f"no network card has address {sorted(told)}; there are {sorted(self._cards)}")
        return there

    def name_servers(self) -> list[str]:
        """Give the addresses of name servers, each once."""
        places = [self._told, *self._told.get("networks", [])]
        services = [each for place in places for each in place.get("services", [])]
        return list(dict.fromkeys(each["address"] for each in services if each["type"] == "dns"))


def _cards(system: Path) -> Iterator[tuple[str, str]]:
    """Give the hardware address and name of each card; one may be unplugged meanwhile."""
    for card in sorted(system.iterdir()):
        with contextlib.suppress(OSError):
            if card.name != "lo":
                yield (card / "address").read_text().strip().lower(), card.name


def _address(network: Found, card: str) -> Iterator[tuple[str, ...]]:
    """Add a fixed address; before the card is up, since a card that comes up announces those that it has."""
    if network["type"] in ("ipv4", "ipv6"):
        address = f"{network['ip_address'].partition('/')[0]}/{_prefix(network)}"
        yield "busybox", "ip", f"-{network['type'][-1]}", "address", "add", address, "dev", card


def _ways(network: Found, card: str) -> Iterator[tuple[str, ...]]:
    """Add routes, or ask for all by DHCP, which goes on in the background and keeps the lease."""
    if network["type"] == "ipv4_dhcp":
        yield "busybox", "udhcpc", "-i", card, "-s", LEASE, "-t", "15", "-T", "1", "-b"
    if network["type"] not in ("ipv4", "ipv6"):
        return
    for route in network.get("routes", []):
        words = "route", "replace", f"{route['network']}/{_prefix(route)}", "via", route["gateway"]
        yield "busybox", "ip", f"-{network['type'][-1]}", *words, "dev", card


def _prefix(place: Found) -> int:
    """Give the length of a network's prefix, which is told by a mask or with the address."""
    if not place.get("netmask"):
        return int(place["ip_address"].partition("/")[2])
    return int(ipaddress.ip_address(place["netmask"])).bit_count()


# -- files


def write_files(user_data: str, root: Path = Path("/")) -> str:
    """Write the files that the control plane injects; tells where they lie."""
    files = files_of(user_data)
    for file in files:
        write_file(root, file["path"], file["content"], int(str(file.get("permissions", "0644")), 8))
    return ", ".join(file["path"] for file in files) or "none"


def files_of(user_data: str) -> list[Found]:
    """Read which files there are to be written."""
    if not user_data.strip():
        return []
    header, _, text = user_data.partition("\n")
    if header.strip() != HEADER:
        raise ValueError(f"user data does not begin with {HEADER}")
    files: list[Found] = json.loads(text)["write_files"]
    return files


def write_file(root: Path, path: str, content: str, mode: int) -> None:
    """Write a file in one step; it and the folders above it belong to whoever the folder above them does."""
    place = root / path.lstrip("/")
    folder = place.parent
    if ".." in place.parts:
        raise ValueError(f"{path} leads out of its folder")
    for each in [*reversed(folder.parents), folder]:
        if not each.is_dir():
            each.mkdir(mode=0o755)
            belong(each)
    if folder.resolve() != folder:
        raise ValueError(f"{path} leads to {folder.resolve()}")
    beside = folder / f".{place.name}.new"
    beside.unlink(missing_ok=True)
    with os.fdopen(
        os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.chmod(mode)
    belong(beside)
    beside.rename(place)


def belong(path: Path) -> None:
    """Give a file to whoever its folder belongs to."""
    above = path.parent.stat()
    os.chown(path, above.st_uid, above.st_gid)


if __name__ == "__main__":
    main()
