"""What providers share that keep all of their state in directories of this machine.

Volumes with their snapshots, addresses, images, flavors, records and locks lie in files below the provider's
state directory; any number of processes may work on them at once. What a server is, each provider says.

`records.py` and `trash.py` stand on the standard library alone: the local provider's machines use them in a
bare interpreter.
"""
