"""The door: parse, authorise, call one operation's ``request()``, answer. It touches no machine.

``routes.py`` is the table that the router, the validation, the statuses and ``/openapi.json`` are made of.
"""
