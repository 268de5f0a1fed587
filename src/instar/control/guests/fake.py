"""A fleet of guests in memory: it follows a fake provider's servers and passes for real agents in scenarios.

Its dials make hooks fail or guests fall silent. What a "database" holds lives per volume, so that it survives
a rebuild as the real one does.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from instar.control.guests.fake_users import USER_HOOKS, FakeUsers
from instar.wire.agent import (
    AgentInfo,
    DatabaseStatus,
    JobView,
    Manifest,
    Probe,
    ProbeResult,
    ProbesAnswer,
    ReadBack,
    UpgradeCheck,
    UpgradeFacts,
)
from instar.wire.errors import Finding, GuestError, GuestUnreachable, InstarError, NotFound, Severity
from instar.wire.states import JobState, ServiceStatus

_SERIES = {"mariadb": 2}
"""How many leading numbers of a version name the format of an engine's data files, where it is not one."""


@dataclass
class FakeDatabase(FakeUsers):
    """What lies on one data volume."""

    engine_version: str | None = None
    databases: list[str] = field(default_factory=list)
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    pending: set[str] = field(default_factory=set)
    extensions: dict[str, str] = field(default_factory=dict)


@dataclass
class FakeServer:
    """What runs on one server: an image's agent and perhaps its database."""

    manifest: Manifest
    image: str
    boot: int
    running: bool = False
    standby: bool = False
    ram: int | None = None
    jobs: dict[str, JobView] = field(default_factory=dict)


class FakeGuests:
    """All fake guests.

    `failing[hook]` is raised by that hook, `before[hook]` is called before it, `silent` holds the ids of
    those that do not answer, `heeded_at_start` the parameters that wait for a restart. `obstacles` and
    `facts` are what `check_upgrade` finds. `probe_answers` tells by a probe's name what the database
    answers, or how that follows from its engine's version; others get what they expect. `servers` has them by
    name, which is the instance's id for its first; `answering` names the one that has an address.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.servers: dict[str, FakeServer] = {}
        self.databases: dict[str, FakeDatabase] = defaultdict(FakeDatabase)
        self.failing: dict[str, InstarError] = {}
        self.before: dict[str, Callable[[], None]] = {}
        self.silent: set[str] = set()
        self.heeded_at_start = {"max_connections", "shared_buffers", "wal_level"}
        self.obstacles: list[Finding] = []
        self.facts = UpgradeFacts()
        self.probe_answers: dict[str, str | Callable[[str], str]] = {}
        self.calls: list[tuple[str, str]] = []
        self.answering: Callable[[str, str], str] = lambda instance_id, address: instance_id
        self._boots = 0

    def boot(self, name: str, image: str, manifest: Manifest, *, standby: bool = False) -> None:
        """A server has booted from an image; its database does not run yet, a standby has none."""
        with self.lock:
            self._boots += 1
            self.servers[name] = FakeServer(manifest, image, self._boots, standby=standby)

    def halt(self, name: str) -> None:
        """A server is gone."""
        with self.lock:
            self.servers.pop(name, None)

    def give_volume(self, name: str, *, there: bool) -> None:
        """A server has got a volume, or was taken it."""
        with self.lock:
            if name in self.servers:
                self.servers[name].standby = not there

    def at(self, instance_id: str, address: str) -> "FakeGuest":
        """Give the channel to one instance's agent."""
        return FakeGuest(self, instance_id, address)

    def files(self, instance_id: str, facts: dict[str, str], settings: Mapping[str, str]) -> dict[str, str]:
        """Make what is injected: a fake guest is told its id and where its volume is."""
        where = "".join(f"{name} = {value}\n" for name, value in settings.items())
        return {
            "etc/instar/guest_info.conf": f"[guest]\ninstance_id = {instance_id}\n",
            "etc/instar/guestagent.conf": f"[agent]\n{where}",
        }


class FakeGuest:
    """One fake agent."""

    def __init__(self, fleet: FakeGuests, instance_id: str, address: str) -> None:
        self._fleet = fleet
        self._id, self._address = instance_id, address

    def info(self) -> AgentInfo:
        """Ask who answers."""
        server = self._server()
        return AgentInfo(
            agent_version=server.manifest.agent_version,
            instance_id=self._id,
            boot_id=str(server.boot),
            manager=server.manifest.manager,
            image_digest=server.image,
            engine_version=server.manifest.engine_version,
            standby=server.standby,
        )

    def status(self) -> DatabaseStatus:
        """Ask how the database is."""
        server, database = self._server(), self._fleet.databases[self._id]
        status = ServiceStatus.HEALTHY if server.running else ServiceStatus.SHUTDOWN
        return DatabaseStatus(status=status, engine_version=database.engine_version)

    def start_job(self, job_id: str, hook: str, params: dict[str, Any]) -> JobView:
        """Start a named job, or find it when it was started before; fake jobs end at once."""
        with self._fleet.lock:
            server = self._server()
            known = server.jobs.get(job_id)
            if known is None or (known.error is not None and known.error.retryable):
                server.jobs[job_id] = self._run(job_id, hook, params)
            return server.jobs[job_id]

    def job(self, job_id: str, wait: float = 0.0) -> JobView:
        """Tell of a named job."""
        return self._server().jobs.get(job_id) or JobView(id=job_id, state=JobState.NOT_STARTED)

    def call(self, hook: str, params: dict[str, Any]) -> dict[str, Any]:
        """Run a brief hook and give its answer."""
        with self._fleet.lock:
            self._server()
            return self._hook(hook, params)

    def _server(self) -> FakeServer:
        server = self._fleet.servers.get(self._fleet.answering(self._id, self._address))
        if server is None or self._id in self._fleet.silent:
            raise GuestUnreachable(f"The agent of instance {self._id} does not answer", retryable=True)
        return server

    def _run(self, job_id: str, hook: str, params: dict[str, Any]) -> JobView:
        try:
            result = self._hook(hook, params)
        except InstarError as error:
            return JobView(id=job_id, hook=hook, state=JobState.FAILED, error=error.body)
        return JobView(id=job_id, hook=hook, state=JobState.SUCCEEDED, result=result)

    def _hook(self, hook: str, params: dict[str, Any]) -> dict[str, Any]:
        self._fleet.calls.append((self._id, hook))
        self._fleet.before.get(hook, lambda: None)()
        if hook in self._fleet.failing:
            raise self._fleet.failing[hook]
        if self._server().standby:
            raise GuestError("The data volume is not there", seen="a standby", retryable=True)
        answer: dict[str, Any] = self._act(hook, params) or {}
        return answer

    def _act(self, hook: str, params: dict[str, Any]) -> dict[str, Any] | None:
        act: Callable[[dict[str, Any]], dict[str, Any] | None] | None = getattr(self, f"_{hook}", None)
        if act is not None:
            return act(params)
        if hook not in USER_HOOKS:
            raise NotFound(f"There is no hook {hook}")
        answer: dict[str, Any] | None = getattr(self._fleet.databases[self._id], hook)(**params)
        return answer

    def _prepare(self, params: dict[str, Any]) -> None:
        database, server = self._fleet.databases[self._id], self._server()
        if database.engine_version is None:
            database.engine_version = server.manifest.engine_version
            database.databases = [wanted["name"] for wanted in params.get("databases", [])]
            database.create_users(params.get("users", []))
            database.settings = _spelt(params.get("configuration", {}))
        server.running = True

    def _start(self, params: dict[str, Any]) -> None:
        database, server = self._fleet.databases[self._id], self._server()
        if database.engine_version != server.manifest.engine_version:
            raise GuestError("The data files are of another version", seen=str(database.engine_version))
        server.running = True

    def _stop(self, params: dict[str, Any]) -> None:
        self._server().running = False

    def _restart(self, params: dict[str, Any]) -> None:
        self._start(params)
        self._fleet.databases[self._id].pending.clear()

    def _apply_configuration(self, params: dict[str, Any]) -> dict[str, Any]:
        database, wanted = self._fleet.databases[self._id], _spelt(params["configuration"])
        names = {*database.settings, *wanted}
        changed = {name for name in names if database.settings.get(name) != wanted.get(name)}
        database.settings = wanted
        database.pending |= changed & self._fleet.heeded_at_start
        in_force = sorted(changed - self._fleet.heeded_at_start)
        return {"in_force": in_force, "pending_restart": sorted(database.pending)}

    def _check_upgrade(self, params: dict[str, Any]) -> dict[str, Any]:
        results = self._probe(params, self._fleet.databases[self._id].engine_version or "")
        failed = [_failed_probe(result) for result in results if not result.passed]
        found = [*self._fleet.obstacles, *failed]
        facts = self._fleet.facts.model_copy(update={"probes": results})
        answer = UpgradeCheck(findings=[finding.model_dump(mode="json") for finding in found], facts=facts)
        return answer.model_dump(mode="json")

    def _run_probes(self, params: dict[str, Any]) -> dict[str, Any]:
        version = self._fleet.databases[self._id].engine_version or ""
        return ProbesAnswer(results=self._probe(params, version)).model_dump(mode="json")

    def _probe(self, params: dict[str, Any], engine_version: str) -> list[ProbeResult]:
        probes = [Probe.model_validate(each) for each in params.get("probes", [])]
        answers = self._fleet.probe_answers
        seen = [(probe, answers.get(probe.name, probe.expected)) for probe in probes]
        told = [(probe, said if isinstance(said, str) else said(engine_version)) for probe, said in seen]
        return [
            ProbeResult(name=probe.name, passed=said == probe.expected, seen=said, policy=probe.policy)
            for probe, said in told
        ]

    def _pre_upgrade(self, params: dict[str, Any]) -> dict[str, Any]:
        known = params.get("target_parameters")
        settings = self._fleet.databases[self._id].settings
        if unknown := [name for name in settings if known and "." not in name and name not in known]:
            raise GuestError(f"The target does not know {', '.join(unknown)}", remedy="Take it out.")
        self._server().running = False
        return {"read_back": self._read_back(params)}

    def _post_upgrade(self, params: dict[str, Any]) -> dict[str, Any]:
        server = self._server()
        database = self._fleet.databases[self._id]
        database.engine_version = server.manifest.engine_version
        database.pending.clear()
        if params.get("configuration") is not None:
            database.settings = _spelt(params["configuration"])
        results = self._probe(params, server.manifest.engine_version)
        for result in results:
            if not result.passed and result.policy == "block":
                raise GuestError(f"Probe {result.name} failed; no client was let in", seen=result.seen)
        probes = [result.model_dump() for result in results]
        return {"read_back": self._read_back(params), "probes": probes, **self._order(params)}

    def _order(self, params: dict[str, Any]) -> dict[str, Any]:
        """Rebuild what is at risk, at 1 MiB a second, or tell of it."""
        names = [each.index for each in self._fleet.facts.indexes_at_risk]
        if params.get("text_ordering", "rebuild") == "rebuild":
            size = sum(each.bytes for each in self._fleet.facts.indexes_at_risk)
            told = {"indexes": names, "count": len(names), "bytes": size, "seconds": size / (1 << 20)}
            return {"text_ordering": told, "findings": []}
        found = [Finding(check="text_ordering", severity=Severity.WARN, seen=name) for name in names]
        return {"findings": [finding.model_dump(mode="json") for finding in found]}

    def _come_back(self, params: dict[str, Any]) -> dict[str, Any]:
        server, database = self._server(), self._fleet.databases[self._id]
        if self._format(str(database.engine_version)) != self._format(server.manifest.engine_version):
            raise GuestError("The data files are of a newer version", seen=str(database.engine_version))
        database.engine_version = server.manifest.engine_version
        if params.get("configuration") is not None:
            database.settings = _spelt(params["configuration"])
        server.running = True
        policy = "warn" if params.get("text_ordering") == "warn" else "rebuild"
        kept = self._order({"text_ordering": policy})
        return {"read_back": self._read_back(params), **kept}

    def _format(self, version: str) -> list[str]:
        return version.split(".")[: _SERIES.get(self._server().manifest.manager, 1)]

    def _settle(self, params: dict[str, Any]) -> None:
        return None

    def _read_back(self, params: dict[str, Any]) -> dict[str, Any]:
        database = self._fleet.databases[self._id]
        return ReadBack(
            engine_version=database.engine_version or "",
            data_directory="data",
            settings=dict(database.settings),
            extensions=dict(database.extensions),
            databases=sorted(database.databases),
            users=sorted(database.users),
        ).model_dump()

    def _resized(self, params: dict[str, Any]) -> None:
        self._server().ram = params["ram"]

    def _grow_volume(self, params: dict[str, Any]) -> None:
        return None

    def _list_databases(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"databases": [{"name": name} for name in sorted(self._fleet.databases[self._id].databases)]}

    def _create_databases(self, params: dict[str, Any]) -> None:
        self._fleet.databases[self._id].databases += [wanted["name"] for wanted in params["databases"]]

    def _delete_database(self, params: dict[str, Any]) -> None:
        names = self._fleet.databases[self._id].databases
        if params["name"] not in names:
            raise NotFound(f"Database {params['name']} cannot be found.")
        names.remove(params["name"])


def _failed_probe(result: ProbeResult) -> Finding:
    severity = Severity.BLOCK if result.policy == "block" else Severity.WARN
    return Finding(check="probe", severity=severity, seen=f"probe {result.name} answered {result.seen!r}")


def _spelt(configuration: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in configuration.items()}
