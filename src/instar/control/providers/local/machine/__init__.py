"""The machine of a server: what runs on when the control plane is gone.

`supervisor.py` is started in a bare interpreter, once for each boot of a server, because its start counts
into downtime. Everything here therefore stands on the standard library alone, imports its neighbours (and
`directories/{records,trash}.py`) relatively, and leaves out modules that are slow to import (`dataclasses`,
`typing`, `subprocess`).

What passes between a provider and a machine lies in the server's directory:

    server.json    what is wanted; written by the provider, under the lock `../<name>.lock`
    next/          the provider's alone; in it `root`, made ready for a rebuild: renaming it to `../root` is
                   the moment the rebuild happens, and before it the guest can't reach what it owns there
    root/          the root directory that the guest sees as its own; nothing that it says is believed
    machine.lock   record locks: byte 0 is held by the machine that runs, byte N by the one that booted as N
    machine.json   how far that machine is
    console.log    what the server printed
    trash/         what is to be deleted when there is time
"""
