"""Databases, users and root of one instance."""

from pydantic import Field

from instar.wire.rest.base import Answer, Host, Link, Name, Request
from instar.wire.rest.instances import DatabaseName, NewDatabase, NewUser


class CreateDatabasesRequest(Request):
    databases: list[NewDatabase] = Field(min_length=1)


class CreateUsersRequest(Request):
    users: list[NewUser] = Field(min_length=1)


class UserChange(Request):
    name: Name | None = None
    password: str | None = Field(default=None, min_length=1, max_length=255, repr=False)
    host: Host | None = None


class UpdateUserRequest(Request):
    user: UserChange


class PasswordChange(Request):
    name: Name
    password: str = Field(min_length=1, max_length=255, repr=False)
    host: Host | None = None


class ChangePasswordsRequest(Request):
    users: list[PasswordChange] = Field(min_length=1)


class GrantRequest(Request):
    databases: list[DatabaseName] = Field(min_length=1)


class EnableRootRequest(Request):
    password: str | None = Field(default=None, min_length=1, max_length=255, repr=False)


class Database(Answer):
    name: str


class User(Answer):
    name: str
    host: str = "%"
    databases: list[Database] = []
    password: str | None = Field(default=None, repr=False)


class DatabasesAnswer(Answer):
    databases: list[Database]
    links: list[Link] | None = None


class UsersAnswer(Answer):
    users: list[User]
    links: list[Link] | None = None


class UserAnswer(Answer):
    user: User


class RootHistory(Answer):
    """When the superuser was last let in, or `Never`, and who asked for it, or `Nobody`."""

    id: str
    enabled: str
    user: str


class RootHistoryAnswer(Answer):
    root_history: RootHistory


class RootAnswer(Answer):
    rootEnabled: bool
