"""One worker at a time: leases by the store's own clock, and a fence that guards every later write."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

from sqlalchemy import ColumnElement, Update, and_, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from instar.control.store.session import Store
from instar.control.store.tables import Operation
from instar.wire.states import OperationState

_PLAIN = {"synchronize_session": False}


@dataclass(frozen=True)
class Claim:
    """The right to run an operation for as long as the lease is renewed and nobody raised the fence."""

    operation_id: str
    fence: int


@dataclass(frozen=True)
class Candidate:
    """An operation that is due and that nobody holds."""

    operation_id: str
    kind: str
    fence: int


class LeaseLost(Exception):
    """Another worker took the operation over; whatever this one knows of it is history."""


class Leases:
    """The leases of one worker process."""

    def __init__(self, store: Store, owner: str, seconds: float, cap: int) -> None:
        self.store = store
        self.owner = owner
        self.seconds = seconds
        self.cap = cap

    def due(self, limit: int, kinds: Collection[str]) -> list[Candidate]:
        """List operations that are due and that nobody holds, the longest due first.

        Those that have a permit go first: the others may have to wait for them. Only operations of `kinds`: a
        worker leaves alone what its release does not know.
        """
        wanted = Operation.kind.in_(kinds)
        query = select(Operation.id, Operation.kind, Operation.fence).where(self._free(), wanted)
        with self.store.read() as session:
            order = (Operation.permit.is_(None), Operation.due_at)
            rows = session.execute(query.order_by(*order).limit(limit))
            return [Candidate(row.id, row.kind, row.fence) for row in rows]

    def next_due(self, kinds: Collection[str]) -> float | None:
        """Seconds until something may be claimed, None when nothing is open."""
        with self.store.read() as session:
            wait = select(Operation.due_at - self.store.clock).where(
                Operation.state == OperationState.OPEN,
                Operation.kind.in_(kinds),
                or_(Operation.lease_until.is_(None), Operation.lease_until < self.store.clock),
            )
            return session.execute(wait.order_by(Operation.due_at).limit(1)).scalar()

    def claim(self, candidate: Candidate, *, capped: bool) -> Claim | None:
        """Take one operation, or None when someone else was faster or the concurrency cap is reached."""
        claim = Claim(candidate.operation_id, candidate.fence + 1)
        try:
            with self.store.begin() as session:
                permit = self._permit(session, claim.operation_id) if capped else None
                if capped and permit is None:
                    return None
                take = (
                    update(Operation)
                    .where(
                        Operation.id == claim.operation_id, Operation.fence == candidate.fence, self._free()
                    )
                    .values(fence=claim.fence, owner=self.owner, permit=permit, lease_until=self._until())
                )
                taken = session.connection().execute(take)
                return claim if taken.rowcount == 1 else None
        except IntegrityError:  # the permit went to another worker at the same moment
            return None

    def renew(self, claims: list[Claim]) -> None:
        """Prolong what this worker still holds; what it lost stays lost."""
        if not claims:
            return
        with self.store.begin() as session:
            for claim in claims:
                session.execute(self._mine(claim).values(lease_until=self._until()), execution_options=_PLAIN)

    def release(self, claim: Claim) -> None:
        """Give a claim back, so that any worker may go on at once."""
        with self.store.begin() as session:
            free = self._mine(claim).values(owner=None, lease_until=None, due_at=self.store.clock)
            session.execute(free, execution_options=_PLAIN)

    def still_mine(self, claim: Claim) -> bool:
        """Ask the store whether nobody took the operation over and the lease has not run out."""
        with self.store.read() as session:
            query = select(Operation.id).where(
                Operation.id == claim.operation_id,
                Operation.fence == claim.fence,
                Operation.lease_until > self.store.clock,
            )
            return session.execute(query).first() is not None

    @contextmanager
    def holding(self, claim: Claim) -> Iterator[tuple[Session, Operation, float]]:
        """A transaction on the operation's row that is this worker's alone, and now. Raises LeaseLost."""
        with self.store.begin() as session:
            query = select(Operation, self.store.clock).where(Operation.id == claim.operation_id)
            whole = query.options(joinedload(Operation.instance, innerjoin=True))
            operation, now = session.execute(whole.with_for_update(of=Operation)).one()
            if operation.fence != claim.fence or operation.state != OperationState.OPEN:
                raise LeaseLost
            with session.no_autoflush:
                yield session, operation, now

    def _mine(self, claim: Claim) -> Update:
        return update(Operation).where(
            Operation.id == claim.operation_id,
            Operation.fence == claim.fence,
            Operation.state == OperationState.OPEN,
            Operation.lease_until.is_not(None),
        )

    def _until(self) -> ColumnElement[float]:
        return self.store.clock + self.seconds

    def _free(self) -> ColumnElement[bool]:
        return and_(
            Operation.state == OperationState.OPEN,
            Operation.due_at <= self.store.clock,
            or_(Operation.lease_until.is_(None), Operation.lease_until < self.store.clock),
        )

    def _permit(self, session: Session, operation_id: str) -> int | None:
        """Give the permit that the operation has, or the lowest free one, None when all are taken."""
        query = select(Operation.id, Operation.permit).where(Operation.permit >= 0)
        held: dict[str, int] = {row.id: row.permit for row in session.execute(query)}
        if operation_id in held:
            return held[operation_id]
        taken = set(held.values())
        free = next(number for number in count() if number not in taken)
        return free if free < self.cap else None
