"""A record store of each kind with an instance in it, and stories whose steps a test writes."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from instar.control.engine.outcomes import Story
from instar.control.engine.runner import Work
from instar.control.engine.submit import Submission, submit
from instar.control.engine.worker import Worker, WorkerSettings
from instar.control.store import schema
from instar.control.store.session import Store
from instar.control.store.tables import Datastore, DatastoreVersion, Event, Instance, Operation, StepRecord
from instar.wire.ids import new_id
from instar.wire.states import InstanceStatus, OperationState
from waiting import until


class Shop:
    """A store with instances, workers on demand, and short looks at what the record says."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.workers: list[Worker] = []
        with store.begin() as session:
            datastore = Datastore(id=new_id(), name="toy", created=0.0)
            self.version = DatastoreVersion(
                id=new_id(),
                datastore=datastore,
                name="1",
                number="1",
                manager="toy",
                image_tags=[],
                packages=[],
                active=True,
                created=0.0,
            )
            session.add(self.version)

    def instance(self) -> str:
        """Make an instance at rest."""
        with self.store.begin() as session:
            row = Instance(
                id=new_id(),
                project="p",
                name="toy",
                version_id=self.version.id,
                flavor_id="1",
                volume_size=1,
                status=InstanceStatus.ACTIVE,
                next_check=0.0,
                created=0.0,
                updated=0.0,
            )
            session.add(row)
            return row.id

    def submit(self, story: Story[Any], instance_id: str | None = None, **inputs: Any) -> str:
        """Submit an operation."""
        instance_id = instance_id or self.instance()
        with self.store.begin() as session:
            instance = session.get_one(Instance, instance_id)
            operation = submit(
                session, self.store.now(session), story, instance, Submission("someone", inputs=inputs)
            )
            return operation.id

    def worker(
        self,
        *stories: Story[Any],
        lease: float = 5.0,
        make_context: Callable[[Work], Any] = lambda work: work,
        **settings: Any,
    ) -> Worker:
        """Start a worker."""
        kinds = {story.kind: story for story in stories}
        worker = Worker(self.store, kinds, make_context, WorkerSettings(lease=lease, poll=0.02, **settings))
        self.workers.append(worker)
        worker.start()
        return worker

    def operation(self, operation_id: str) -> Operation:
        """Read an operation with its instance."""
        with self.store.read() as session:
            operation = session.get_one(Operation, operation_id)
            assert operation.instance
            return operation

    def end_of(self, operation_id: str) -> Operation:
        """Wait for an operation's end."""
        until(lambda: self.operation(operation_id).state != OperationState.OPEN)
        return self.operation(operation_id)

    def steps(self, operation_id: str) -> list[StepRecord]:
        """Read an operation's passages through steps."""
        with self.store.read() as session:
            rows = session.query(StepRecord).where(StepRecord.operation_id == operation_id)
            return rows.order_by(StepRecord.number).all()

    def events(self, operation_id: str) -> list[Event]:
        """Read an operation's events."""
        with self.store.read() as session:
            return session.query(Event).where(Event.operation_id == operation_id).order_by(Event.id).all()


@pytest.fixture
def shop(record_store_url: str) -> Iterator[Shop]:
    """A migrated store on each engine in turn."""
    store = Store(record_store_url)
    schema.upgrade(store)
    shop = Shop(store)
    yield shop
    for worker in shop.workers:
        worker.stop()
    store.close()
