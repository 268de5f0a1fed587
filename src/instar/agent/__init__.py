"""The guest agent: runs beside the database, serves the guest API, runs a datastore's hooks as named jobs.

Its path: ``main.py`` reads the injected files; ``server.py`` routes a request, as one table; ``jobs.py`` runs
named jobs and keeps their state on disk; ``datastores/base.py`` lists every hook; ``commands.py`` is the one
way to run a program; ``volume.py`` takes and lets go of the data volume.
"""
