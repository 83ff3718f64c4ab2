"""A question to a source, as a job: scans put it, and downloads that find nothing where something was."""

from glimmr.jobs.job import NewJob

_FIRST = "cms_roster"  # with the roster known, what the others say finds its hospital


def scan_job(source: str, place: str, *, refresh: bool) -> NewJob:
    """Ask `source` about `place` (a state's code, a domain, a list's path)."""
    priority = 1 if source == _FIRST else 0
    return NewJob(step="scan", args={"source": source, "place": place, "refresh": refresh}, priority=priority)
