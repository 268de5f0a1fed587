"""What happened: ``record.py`` within the change's transaction, ``deliver.py`` and ``stream.py`` after it."""
