"""One file, one story: what an operation checks at the door, its steps in order, its ways back.

``request()`` runs in the API: it validates, freezes the inputs and writes operation, first event and status
in one transaction. The steps run in a worker, under ``engine/``. ``stories.py`` lists every story there is.
"""
