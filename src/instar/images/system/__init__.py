"""Guests that are whole Debian systems.

The path of a build: ``mirror.py`` finds where packages come from; ``bootstrap.py`` has ``mmdebstrap.py``
install them and keeps the base; ``finishing.py`` makes the base fit to be kept; ``chroot.py`` runs programs
inside a system; ``init.py`` lays in what is PID 1; ``archive.py`` writes the result as a tar. The story is
told by ``images/system_image.py``.
"""
