"""Instar upgrades database instances by moving them from one known machine image to another.

Where a line runs: ``wire`` crosses process boundaries, ``client`` and ``cli`` run on a user's machine,
``control`` is the control plane, ``agent`` runs in every guest, ``images`` builds what guests boot from.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("instar")
except PackageNotFoundError:  # the tree is used without being installed
    __version__ = "0+unknown"
