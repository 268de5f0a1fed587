"""Who may do what is the operator's to say, in the files that OpenStack's tools make."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from oslo_config import cfg

from instar.control import settings
from instar.control.api.auth import Identity
from instar.control.api.policies import Gate, list_rules
from instar.control.api.routes import ROUTES
from instar.wire.errors import Forbidden

MEMBER = Identity(project="acme", user="alice", roles=("member",))
DBA = Identity(project="acme", user="dora", roles=("dba",))


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    return tmp_path / "policy.yaml"


@pytest.fixture
def gate(policy_file: Path, tmp_path: Path) -> Gate:
    conf = tmp_path / "instar.conf"
    conf.write_text(f"[oslo_policy]\npolicy_file = {policy_file}\n")
    policy_file.write_text('"is_admin": "role:dba"\n"instance:update": "role:dba"\n')
    return Gate(settings.load([str(conf)]))


def test_a_policy_file_goes_before_the_defaults(gate):
    assert (gate.is_admin(DBA), gate.is_admin(MEMBER)) == (True, False)
    gate.authorise("instance:update", DBA)
    gate.authorise("instance:create", MEMBER)
    with pytest.raises(Forbidden, match="instance:update"):
        gate.authorise("instance:update", MEMBER)


def test_rules_that_other_services_left_on_the_machine_are_not_ours(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "policy.d").mkdir()
    (tmp_path / "policy.d/00_default.yaml").write_text('"is_admin": "@"\n"instance:index": "!"\n')
    gate = Gate(settings.load([], {"state_dir": str(tmp_path)}))
    member = Identity(project="acme", user="ada", roles=("member",))
    assert not gate.is_admin(member)
    gate.authorise("instance:index", member)


def test_every_route_asks_a_rule_that_the_sample_has():
    known = {rule.name for rule in list_rules()}
    assert {route.policy for route in ROUTES if route.policy} <= known


def _generated(program: str) -> str:
    """Run one of oslo's sample generators as an operator would."""
    words = [Path(sys.executable).with_name(program), "--namespace", "instar"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def test_the_sample_of_the_policy_file_says_what_holds_without_one():
    sample = _generated("oslopolicy-sample-generator")
    uncommented = "\n".join(line[1:] for line in sample.splitlines() if line.startswith('#"'))
    assert yaml.safe_load(uncommented) == {rule.name: rule.check_str for rule in list_rules()}
    assert "# PATCH  /v1.0/{project}/instances/{instance_id}" in sample


def test_the_sample_of_the_configuration_names_every_option_and_is_one():
    sample = _generated("oslo-config-generator")
    for section, options in settings.list_opts():
        assert f"[{section or 'DEFAULT'}]" in sample
        for option in options:
            assert f"\n#{option.name} =" in sample  # an empty list is nothing behind it


def test_a_server_that_starts_us_names_the_files_in_the_environment(tmp_path, monkeypatch):
    files = [tmp_path / "one.conf", tmp_path / "two.conf"]
    files[0].write_text("[api]\nport = 1001\nproject = first\n")
    files[1].write_text("[api]\nport = 1002\n")
    monkeypatch.setenv("INSTAR_CONFIG_FILES", ":".join(map(str, files)))
    conf: cfg.ConfigOpts = settings.load()
    assert (conf.api.port, conf.api.project) == (1002, "first")
