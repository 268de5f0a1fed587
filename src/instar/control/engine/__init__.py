"""Runs any operation's story: one worker at a time, each step's outcome in one transaction.

``outcomes.py`` says what stories and outcomes are; ``submit.py`` opens an operation and reopens a failed one;
``lease.py`` admits one worker; ``record.py`` writes what came of a step; ``runner.py`` runs the steps;
``worker.py`` finds what is due. It knows no database engine and no provider. Decision record 1 says why it
is ours.
"""
