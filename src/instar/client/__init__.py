"""The Python client of Instar: REST in Python words.

    >>> from instar.client import Client
    >>> client = Client.local()
    >>> operation = client.instances.upgrade("demo", "18.6")
    >>> client.operations.wait(operation, timeout=600).downtime_seconds
    1.21

Results are the models of `instar.wire.rest`; errors are those of `instar.client.errors`.
"""

from instar.client import errors
from instar.client._client import Client
from instar.client.errors import OperationFailed

__all__ = ["Client", "OperationFailed", "errors"]
