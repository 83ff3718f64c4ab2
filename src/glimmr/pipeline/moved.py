"""Former addresses give way to the ones that took their place, once these have prices."""

from datetime import datetime

from glimmr.outcomes import Outcome
from glimmr.stores import catalog, owners, sightings, snapshots
from glimmr.stores.database import Connection


def give_way(connection: Connection, price_file_id: str, now: datetime) -> list[str]:
    """What this address has taken the place of, for all hospitals or for some, gives way, if it has prices.

    Returns the snapshots whose hospitals are others now.
    """
    here = catalog.address(connection, price_file_id)
    if here is None or here.current_file_id is None:
        return []
    changed = owners.leave_for(connection, price_file_id, now)
    for former in sightings.moved_to(connection, price_file_id):
        address = catalog.address(connection, former)
        if address is not None and address.current_file_id is not None:
            changed += filter(None, [snapshots.leave(connection, former)])
            catalog.end(connection, former, Outcome.GONE, "moved", message="the prices have another address now")
    return list(dict.fromkeys(changed))
