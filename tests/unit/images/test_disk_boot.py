"""What a machine makes of its config drive: network commands and injected files."""

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from instar.images.disk import boot
from instar.wire.agent import CARD_AWAITED, NETWORK_DATA

MAC = "fa:16:3e:00:00:01"
LINK = {"id": "tap1", "ethernet_mac_address": MAC.upper(), "mtu": 1450, "type": "bridge"}
FIXED = {
    "link": "tap1",
    "type": "ipv4",
    "ip_address": "10.77.0.9",
    "netmask": "255.255.255.0",
    "routes": [{"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "10.77.0.1"}],
    "services": [{"type": "dns", "address": "10.77.0.2"}],
}


@pytest.fixture
def cards(tmp_path: Path) -> Path:
    for name, address in (("lo", "00:00:00:00:00:00"), ("eth0", MAC)):
        (tmp_path / "net" / name).mkdir(parents=True)
        (tmp_path / "net" / name / "address").write_text(f"{address}\n")
    return tmp_path / "net"


def commands(told: boot.Found, cards: Path) -> list[str]:
    return [" ".join(words[1:]) for words in boot.Network(told, cards).commands()]


def test_a_fixed_address_its_routes_and_the_ports_mtu_are_set(cards: Path) -> None:
    assert commands({"links": [LINK], "networks": [FIXED]}, cards) == [
        "ip link set lo up",
        "ip -4 address add 10.77.0.9/24 dev eth0",
        "ip link set eth0 mtu 1450 up",
        "ip -4 route replace 0.0.0.0/0 via 10.77.0.1 dev eth0",
    ]


def test_an_address_of_ipv6_with_its_prefix_is_set(cards: Path) -> None:
    network = {"link": "tap1", "type": "ipv6", "ip_address": "2001:db8::9/64", "netmask": None}
    assert "ip -6 address add 2001:db8::9/64 dev eth0" in commands(
        {"links": [LINK], "networks": [network]}, cards
    )


@pytest.mark.parametrize(
    "told", [{}, {"links": [LINK]}, {"links": [LINK], "networks": [{"link": "tap1", "type": "ipv4_dhcp"}]}]
)
def test_without_a_fixed_address_the_card_asks_for_one(cards: Path, told: boot.Found) -> None:
    assert [line for line in commands(told, cards) if line.startswith("udhcpc -i eth0")]


def test_name_servers_are_each_told_once(cards: Path) -> None:
    told = {"networks": [FIXED], "services": [{"type": "dns", "address": "10.77.0.2"}]}
    assert boot.Network(told, cards).name_servers() == ["10.77.0.2"]


def test_a_card_that_was_unplugged_since_is_left_out(cards: Path) -> None:
    gone = {**LINK, "id": "tap2", "ethernet_mac_address": "fa:16:3e:ff:ff:ff"}
    told = {"links": [gone, LINK], "networks": [{**FIXED, "link": "tap2"}, FIXED]}
    assert commands(told, cards) == commands({"links": [LINK], "networks": [FIXED]}, cards)


def test_a_card_that_is_missing_is_told(cards: Path) -> None:
    with pytest.raises(ValueError, match="fa:16:3e:ff:ff:ff"):
        commands({"links": [{**LINK, "ethernet_mac_address": "fa:16:3e:ff:ff:ff"}]}, cards)


def test_a_standby_knows_its_coming_card_when_it_is_plugged_in_and_silences_the_other(cards: Path) -> None:
    coming = {"links": [{**LINK, "ethernet_mac_address": "fa:16:3e:00:00:02"}], "networks": [FIXED]}
    assert not boot.Network(coming, cards).is_there()
    (cards / "eth1").mkdir()
    assert not boot.Network(coming, cards).is_there()
    (cards / "eth1/address").write_text("fa:16:3e:00:00:02\n")
    assert boot.Network(coming, cards).is_there()
    assert list(boot.Network({"links": [LINK]}, cards).silencing()) == [
        ("busybox", "ip", "link", "set", "eth0", "down")
    ]


def test_what_a_standby_is_told_is_read_from_what_was_sent_alone() -> None:
    sent = {"path": boot.COMING, "content": json.dumps({"links": [LINK]})}
    assert boot.coming(user_data({"path": "/etc/a", "content": ""}, sent)) == {"links": [LINK]}
    for other in ("", "#!/bin/sh", "#cloud-config\n{", user_data({**sent, "content": "{"}), user_data()):
        assert boot.coming(other) == {}


def test_the_address_is_taken_over_though_the_standby_s_own_card_is_gone(
    cards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = []

    def run(*words: str) -> None:
        ran.append(words[-1])
        if words[-1] == "down":
            raise subprocess.CalledProcessError(1, words)

    monkeypatch.setattr(boot, "run", run)
    monkeypatch.setattr(boot, "SYSTEM", cards)
    later = {"links": [{**LINK, "ethernet_mac_address": "fa:16:3e:00:00:02"}]}
    (cards / "eth1").mkdir()
    (cards / "eth1/address").write_text("fa:16:3e:00:00:02\n")
    boot.take_over({"links": [LINK]}, later)
    assert ran == ["down", "up", "up", "-b"]


def test_boot_program_and_agent_mean_the_same_files() -> None:
    assert (boot.COMING, str(boot.AWAITED)) == (f"/{NETWORK_DATA}", f"/{CARD_AWAITED}")


def user_data(*files: dict[str, str]) -> str:
    return "#cloud-config\n" + json.dumps({"write_files": files})


def test_files_are_written_with_their_permissions_and_belong_to_their_folders_owner(tmp_path: Path) -> None:
    (tmp_path / "etc/instar").mkdir(parents=True)
    if os.geteuid() == 0:
        os.chown(tmp_path / "etc/instar", 9779, 9779)
    key = {"path": "/etc/instar/tls/agent.key", "content": "secret\n", "permissions": "0600"}
    said = boot.write_files(user_data(key, {"path": "/etc/instar/a.conf", "content": "[a]\n"}), tmp_path)
    written = tmp_path / "etc/instar/tls/agent.key"
    assert written.read_text() == "secret\n"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "etc/instar/a.conf").stat().st_mode) == 0o644
    owner = (tmp_path / "etc/instar").stat().st_uid
    assert {written.stat().st_uid, written.parent.stat().st_uid} == {owner}
    assert "agent.key" in said
    assert "secret" not in said


def test_files_replace_those_of_the_boot_before(tmp_path: Path) -> None:
    for content in ("first", "second"):
        boot.write_files(user_data({"path": "/etc/a", "content": content}), tmp_path)
    assert (tmp_path / "etc/a").read_text() == "second"
    assert [path.name for path in (tmp_path / "etc").iterdir()] == ["a"]


def test_a_link_that_the_guests_user_left_leads_root_nowhere(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "etc/instar").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "etc/passwd").write_text("root")
    (tmp_path / "etc/a").symlink_to("passwd")
    with pytest.raises(ValueError, match="elsewhere"):
        boot.write_files(user_data({"path": "/etc/instar/a", "content": "x"}), tmp_path)
    with pytest.raises(ValueError, match=r"leads out"):
        boot.write_files(user_data({"path": "/etc/../b", "content": "x"}), tmp_path)
    boot.write_files(user_data({"path": "/etc/a", "content": "x"}), tmp_path)
    assert (tmp_path / "etc/passwd").read_text() == "root"
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_step_that_fails_is_told_without_the_files_content(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    boot.settle("files", lambda: boot.write_files("#!/bin/sh\nsecret", tmp_path))
    boot.settle("files", lambda: boot.write_files("#cloud-config\n{secret", tmp_path))
    boot.settle("files", lambda: boot.write_files('#cloud-config\n{"secret": 1}', tmp_path))
    boot.settle("files", lambda: boot.write_files("", tmp_path))
    said = capsys.readouterr().out.splitlines()
    assert [line.partition("files: ")[2][:6] for line in said] == ["FAILED", "FAILED", "FAILED", "none"]
    assert "secret" not in "".join(said)
