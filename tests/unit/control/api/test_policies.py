"""Whose rules the gate heeds."""

from instar.control import settings
from instar.control.api.auth import Identity
from instar.control.api.policies import Gate


def test_rules_that_other_services_left_on_the_machine_are_not_ours(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "policy.d").mkdir()
    (tmp_path / "policy.d/00_default.yaml").write_text('"is_admin": "@"\n"instance:index": "!"\n')
    gate = Gate(settings.load([], {"state_dir": str(tmp_path)}))
    member = Identity(project="acme", user="ada", roles=("member",))
    assert not gate.is_admin(member)
    gate.authorise("instance:index", member)
