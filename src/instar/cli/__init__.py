"""The `instar` command: one file a command, each found by its entry point in the group "instar.cli".

Modules that begin with an underscore are what the commands share. Everything goes through `instar.client`,
which commands import when they run, so that `instar --help` stays quick.
"""
