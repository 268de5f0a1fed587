"""The hooks that the guest API reaches: jobs and calls, each with the shape of its parameters.

Only what stands in `JOBS` and `CALLS` can be reached from outside.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from instar.agent.datastores.base import Datastore, Report
from instar.agent.jobs import Task, never
from instar.wire.agent import (
    ComeBackParams,
    ConfigurationParams,
    DatabaseSpec,
    PostUpgradeParams,
    PrepareParams,
    ProbesParams,
    UpgradeParams,
    UserSpec,
)
from instar.wire.errors import BadRequest, NotFound

Shape = TypeVar("Shape", bound=BaseModel)


class Nothing(BaseModel):
    """No parameters."""


class Databases(BaseModel):
    databases: list[DatabaseSpec]


class Users(BaseModel):
    users: list[UserSpec]


class Name(BaseModel):
    name: str


class Size(BaseModel):
    ram: int = Field(ge=1, description="MiB")


class User(BaseModel):
    name: str
    host: str = "%"


class Change(BaseModel):
    """What becomes of a user; a field left out stays as it is."""

    name: str | None = None
    password: str | None = Field(default=None, repr=False)
    host: str | None = None


class UserUpdate(User):
    change: Change


class Grant(User):
    databases: list[str]


class Revoke(User):
    database: str


class Password(BaseModel):
    password: str = Field(min_length=1, repr=False)


@dataclass(frozen=True)
class Job:
    """A hook that is run as a named job.

    `patience` is how many seconds it may stand still: a little less than those who wait for it allow, so that
    they learn the reason. One that `gives_way` to a hook ends when a job of that hook is started.
    """

    params: type[BaseModel]
    run: Callable[[Datastore, Any, Report], dict[str, Any]]
    patience: float = 170.0
    gives_way: Callable[[str], bool] = never


@dataclass(frozen=True)
class Call:
    """A hook that ends within seconds; what it gives back is put into a JSON object."""

    params: type[BaseModel]
    run: Callable[[Datastore, Any], Any]


JOBS: Mapping[str, Job] = {
    "prepare": Job(PrepareParams, lambda d, p, report: d.prepare(p, report), patience=590),
    "start": Job(Nothing, lambda d, p, report: d.start(report)),
    "stop": Job(Nothing, lambda d, p, report: d.stop(report)),
    "restart": Job(Nothing, lambda d, p, report: d.restart(report)),
    "pre_upgrade": Job(
        UpgradeParams, lambda d, p, report: d.pre_upgrade(p, report), gives_way=lambda hook: hook == "start"
    ),
    "post_upgrade": Job(PostUpgradeParams, lambda d, p, report: d.post_upgrade(p, report), patience=590),
    "come_back": Job(ComeBackParams, lambda d, p, report: d.come_back(p, report)),
    "apply_configuration": Job(ConfigurationParams, lambda d, p, report: d.apply_configuration(p, report)),
    "settle": Job(Nothing, lambda d, p, report: d.settle(report), patience=590, gives_way=lambda hook: True),
}

CALLS: Mapping[str, Call] = {
    "status": Call(Nothing, lambda d, p: d.status()),
    "check_upgrade": Call(UpgradeParams, lambda d, p: d.check_upgrade(p)),
    "run_probes": Call(ProbesParams, lambda d, p: d.run_probes(p)),
    "read_back": Call(Nothing, lambda d, p: d.read_back()),
    "resized": Call(Size, lambda d, p: d.resized(p.ram)),
    "grow_volume": Call(Nothing, lambda d, p: d.grow_volume()),
    "list_databases": Call(Nothing, lambda d, p: Databases(databases=d.list_databases())),
    "create_databases": Call(Databases, lambda d, p: d.create_databases(p.databases)),
    "delete_database": Call(Name, lambda d, p: d.delete_database(p.name)),
    "list_users": Call(Nothing, lambda d, p: Users(users=d.list_users())),
    "create_users": Call(Users, lambda d, p: d.create_users(p.users)),
    "update_user": Call(UserUpdate, lambda d, p: d.update_user(p.name, p.host, changed(p))),
    "delete_user": Call(User, lambda d, p: d.delete_user(p.name, p.host)),
    "grant": Call(Grant, lambda d, p: d.grant(p.name, p.host, p.databases)),
    "revoke": Call(Revoke, lambda d, p: d.revoke(p.name, p.host, p.database)),
    "root_enabled": Call(Nothing, lambda d, p: {"enabled": d.root_enabled()}),
    "enable_root": Call(Password, lambda d, p: d.enable_root(p.password)),
    "disable_root": Call(Nothing, lambda d, p: d.disable_root()),
}


def changed(update: UserUpdate) -> UserSpec:
    """Spell out a change: the old name and host where no new one was asked for."""
    return UserSpec(
        name=update.name if update.change.name is None else update.change.name,
        password=update.change.password,
        host=update.host if update.change.host is None else update.change.host,
    )


def bind(datastore: Datastore, hook: str, params: Mapping[str, Any]) -> Task:
    """Give what a job runs. Raises NotFound for an unknown hook, BadRequest naming the parameter."""
    if hook not in JOBS:
        raise NotFound(f"There is no job hook {hook!r}", remedy=f"Hooks are: {', '.join(JOBS)}.")
    job = JOBS[hook]
    given = parse(job.params, params)
    return Task(lambda report: job.run(datastore, given, report), job.patience, job.gives_way)


def call(datastore: Datastore, hook: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Run a brief hook and give its answer as JSON data. Raises as `bind` does, and the hook's error."""
    if hook not in CALLS:
        raise NotFound(f"There is no call {hook!r}", remedy=f"Calls are: {', '.join(CALLS)}.")
    answer = CALLS[hook].run(datastore, parse(CALLS[hook].params, params))
    if isinstance(answer, BaseModel):
        return answer.model_dump(mode="json")
    return dict(answer or {})


def parse(shape: type[Shape], data: Any) -> Shape:
    """Check data against a shape. Raises BadRequest naming every wrong field, without its value."""
    try:
        return shape.model_validate(data)
    except ValidationError as error:
        raise BadRequest(wrong_fields(error)) from None


def wrong_fields(error: ValidationError) -> str:
    """Name every wrong field in a line, without telling its value."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg']}" for each in found)
