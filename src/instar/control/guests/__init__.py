"""Our end of the guest agents: ``channel.py`` speaks to one, ``enrolment.py`` makes what a server is given,
``authority.py`` signs certificates, ``presence.py`` asks how the databases are, ``fake.py`` plays a fleet.
"""
