"""The control plane. One request's path through it, by room:

1.  ``api/``         the door: parse, authorise, call one operation's ``request()``, answer.
2.  ``operations/``  one file, one story: what an operation checks, its steps in order, its way back.
2b. ``engine/``      runs any story: leases, cursor, deadlines, retries.
3a. ``providers/``   where servers, volumes and addresses come from, behind one contract.
3b. ``guests/``      our end of the guest agent: mutual TLS, enrolment, presence.
4.  ``events/``      recorded with the change, delivered after commit.

Beside the path: ``catalog/`` (datastores, versions, upgrade paths, flavors), ``store/`` (tables, sessions,
migrations), ``settings.py``, ``wiring.py`` (the only file that names concrete providers), ``main.py``.
"""
