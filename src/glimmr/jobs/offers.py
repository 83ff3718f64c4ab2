"""Which due jobs to take for so many free slots: in the ledger's order, and no more of a host than it may have."""

from collections import Counter
from collections.abc import Mapping

from glimmr.jobs import ledger
from glimmr.jobs.job import Due
from glimmr.stores.database import Connection


def choose(
    connection: Connection,
    free: Mapping[str, int],
    *,
    sent: Mapping[int, Due],
    connections_per_host: int,
    overdue_seconds: float = 0.0,
) -> list[Due]:
    """Due jobs for the `free` slots of each step, without those `sent` already.

    A host that has its share is passed over, so that it holds up no other. `overdue_seconds`: see `ledger.due`.
    """
    if not ledger.any_due(connection):
        return []
    hosts = Counter(due.host for due in sent.values() if due.host is not None)
    chosen: list[Due] = []
    for step in sorted(free):
        left = free[step]
        while left > 0:
            offers = ledger.due(
                connection,
                step,
                most=left,
                connections_per_host=connections_per_host,
                full_hosts=[host for host, count in hosts.items() if count >= connections_per_host],
                sent=[*sent, *(due.id for due in chosen)],
                overdue_seconds=overdue_seconds,
            )
            picked = _pick(offers, hosts, connections_per_host)
            chosen += picked
            left -= len(picked)
            if not picked:
                break
    return chosen


def _pick(offers: list[Due], hosts: Counter[str], connections_per_host: int) -> list[Due]:
    picked: list[Due] = []
    for due in offers:
        if due.host is not None:
            if hosts[due.host] >= connections_per_host:
                continue
            hosts[due.host] += 1
        picked.append(due)
    return picked
