"""Which settings' values are kept from answers."""

import pytest

from instar.wire.secrets import is_secret


@pytest.mark.parametrize(
    "name",
    ["primary_conninfo", "ssl_passphrase_command", "archive_command", "wsrep-sst-auth", "Report_Password"],
)
def test_what_may_hold_a_password_is_secret(name):
    assert is_secret(name)


@pytest.mark.parametrize("name", ["password_encryption", "max_password_errors", "work_mem", "ssl_key"])
def test_what_only_speaks_of_passwords_is_not(name):
    assert not is_secret(name)
