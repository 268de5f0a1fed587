"""Guests that are bootable disks of virtual machines.

What such a system has beyond one for containers: ``machine.py`` says which packages and which user,
``init.py`` has what is PID 1, and ``boot.py`` is a program of the guest's own, which reads the config drive.
``initrd.py`` packs the drivers that lead to the root disk, and ``filling.py`` makes the disk, without a mount
or a loop device. The story is told by ``images/system_image.py``.
"""
