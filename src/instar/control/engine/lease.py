"""One worker at a time: leases by the store's own clock, and a fence that guards every later write."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Double,
    Integer,
    Select,
    Update,
    and_,
    bindparam,
    case,
    or_,
    select,
    update,
)
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
        self._statements = _Statements(store.clock)

    def due(self, limit: int, *ranks: Collection[str]) -> list[Candidate]:
        """List operations that are due and that nobody holds: of the first rank of kinds before the next.

        Within a rank, those that have a permit go first, as the others may have to wait for them, then the
        longest due. Only operations of the kinds that are named: a worker leaves alone what its release does
        not know.
        """
        named = {f"rank{number}": list(kinds) for number, kinds in enumerate(ranks)}
        everything = [kind for kinds in ranks for kind in kinds]
        with self.store.look() as connection:
            rows = connection.execute(
                self._statements.due(len(ranks)), {**named, "kinds": everything, "most": limit}
            )
            return [Candidate(row.id, row.kind, row.fence) for row in rows]

    def next_due(self, kinds: Collection[str]) -> float | None:
        """Seconds until something may be claimed, None when nothing is open."""
        with self.store.look() as connection:
            return connection.execute(self._statements.next_due, {"kinds": list(kinds)}).scalar()

    def claim(self, candidate: Candidate, *, capped: bool) -> Claim | None:
        """Take one operation, or None when someone else was faster or the concurrency cap is reached."""
        claim = Claim(candidate.operation_id, candidate.fence + 1)
        try:
            with self.store.begin() as session:
                permit = self._permit(session, claim.operation_id) if capped else None
                if capped and permit is None:
                    return None
                values = {
                    "its_id": claim.operation_id,
                    "its_fence": candidate.fence,
                    "new_fence": claim.fence,
                    "new_owner": self.owner,
                    "new_permit": permit,
                    "lease": self.seconds,
                }
                taken = session.connection().execute(self._statements.claim, values)
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
        mine = {"its_id": claim.operation_id, "its_fence": claim.fence}
        with self.store.look() as connection:
            return connection.execute(self._statements.still_mine, mine).first() is not None

    @contextmanager
    def holding(self, claim: Claim) -> Iterator[tuple[Session, Operation, float]]:
        """A transaction on the operation's row that is this worker's alone, and now. Raises LeaseLost."""
        with self.store.begin() as session:
            operation, now = session.execute(self._statements.whole, {"its_id": claim.operation_id}).one()
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

    def _permit(self, session: Session, operation_id: str) -> int | None:
        """Give the permit that the operation has, or the lowest free one, None when all are taken."""
        rows = session.connection().execute(self._statements.permits)
        held: dict[str, int] = {row.id: row.permit for row in rows}
        if operation_id in held:
            return held[operation_id]
        taken = set(held.values())
        free = next(number for number in count() if number not in taken)
        return free if free < self.cap else None


class _Statements:
    """The statements that leases run all the time, made once: to make one takes longer than to run it."""

    def __init__(self, clock: ColumnElement[float]) -> None:
        table = Operation.__table__.c
        mine = and_(table.id == bindparam("its_id"), table.fence == bindparam("its_fence"))
        self._clock = clock
        self._due: dict[int, Select[str, str, int]] = {}
        self.next_due = (
            select(Operation.due_at - clock)
            .where(Operation.state == OperationState.OPEN, self._of_kinds(), self._unheld())
            .order_by(Operation.due_at)
            .limit(1)
        )
        self.permits = select(Operation.id, Operation.permit).where(Operation.permit >= 0)
        self.claim = (
            update(Operation.__table__)  # type: ignore[arg-type]
            .where(mine, self._free())
            .values(
                fence=bindparam("new_fence"),
                owner=bindparam("new_owner"),
                permit=bindparam("new_permit"),
                lease_until=clock + bindparam("lease", type_=Double),
            )
        )
        self.still_mine = select(Operation.id).where(mine, Operation.lease_until > clock)
        self.whole = (
            select(Operation, clock)
            .where(Operation.id == bindparam("its_id"))
            .options(joinedload(Operation.instance, innerjoin=True))
            .with_for_update(of=Operation)
        )

    def due(self, ranks: int) -> Select[str, str, int]:
        """Give the query for what is due, by so many ranks of kinds."""
        if ranks not in self._due:
            named: list[BindParameter[Any]] = [
                bindparam(f"rank{number}", expanding=True) for number in range(ranks)
            ]
            rank = case(*((Operation.kind.in_(each), n) for n, each in enumerate(named)), else_=ranks)
            self._due[ranks] = (
                select(Operation.id, Operation.kind, Operation.fence)
                .where(self._free(), self._of_kinds())
                .order_by(rank, Operation.permit.is_(None), Operation.due_at)
                .limit(bindparam("most", type_=Integer))
            )
        return self._due[ranks]

    def _of_kinds(self) -> ColumnElement[bool]:
        return Operation.kind.in_(bindparam("kinds", expanding=True))

    def _unheld(self) -> ColumnElement[bool]:
        return or_(Operation.lease_until.is_(None), Operation.lease_until < self._clock)

    def _free(self) -> ColumnElement[bool]:
        return and_(Operation.state == OperationState.OPEN, Operation.due_at <= self._clock, self._unheld())
