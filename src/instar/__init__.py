"""Instar upgrades database instances by moving them from one known machine image to another.

Where a line runs: ``wire`` crosses process boundaries, ``client`` and ``cli`` run on a user's machine,
``control`` is the control plane, ``agent`` runs in every guest, ``images`` builds what guests boot from.
"""

__version__: str


def __getattr__(name: str) -> str:
    """Look the version up when it is asked for: the look-up takes longer than starting a guest agent may."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("instar")
    except PackageNotFoundError:  # the tree is used without being installed
        return "0+unknown"
