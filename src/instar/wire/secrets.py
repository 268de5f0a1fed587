"""Which settings of a database may hold secrets: their values are not told."""

HIDDEN = "***"
"""What is told instead of such a value."""

_ENDS = ("_command", "conninfo", "_passphrase", "_token", "_filekey", "_sst_auth")
_NAMES = frozenset({"report_password"})


def is_secret(name: str) -> bool:
    """Tell whether a setting's value may hold a password or a key, in whatever spelling its name is."""
    plain = name.lower().replace("-", "_")
    return plain in _NAMES or plain.endswith(_ENDS)
