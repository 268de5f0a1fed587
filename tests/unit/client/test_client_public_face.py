"""What `instar.client` promises to its users."""

import inspect

import instar.client
from instar.client import errors


def test_exported_names() -> None:
    assert instar.client.__all__ == ["Client", "OperationFailed", "errors"]


def test_every_error_is_in_the_one_tree_and_exported() -> None:
    raised = {
        name
        for name, thing in vars(errors).items()
        if inspect.isclass(thing) and issubclass(thing, errors.InstarError)
    }
    assert raised | {"ErrorBody", "Finding"} == set(errors.__all__)


def test_modules_beside_the_public_ones_are_underscored() -> None:
    import pkgutil

    public = {found.name for found in pkgutil.iter_modules(instar.client.__path__) if found.name[0] != "_"}
    assert public == {"errors"}


def test_every_public_method_says_what_it_does() -> None:
    client = instar.client.Client(endpoint="http://127.0.0.1:1", project="p", token="t")
    managers = list(vars(client).values())
    assert len(managers) == 13
    for manager in managers:
        for name, method in inspect.getmembers(manager, inspect.ismethod):
            assert name.startswith("_") or inspect.getdoc(method), f"{type(manager).__name__}.{name}"
