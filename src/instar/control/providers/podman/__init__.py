"""The podman provider: a container of a whole system for each server, in Podman or Docker.

What is wanted of a server stands in a file of ours, `server_record.py`; what there is, the engine tells, by
names and labels that derive from our ids. `servers.py` brings the one to the other.
"""
