"""Every metric there is: one catalogue, from which they are made and documented."""

from dataclasses import dataclass

# Upper bounds in seconds.
_OF_JOBS = (0.05, 0.25, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 14_400.0)
_OF_FILES = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21_600.0)
_OF_RECOVERY = (1.0, 5.0, 15.0, 30.0, 45.0, 60.0, 90.0, 120.0, 300.0, 600.0, 1800.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric, named as it is scraped. A gauge is asked of the whole fleet, a counter or histogram is the process's.

    No label names a host, a file or a job: their values are few and known.
    """

    name: str
    kind: str  # gauge, counter, histogram
    text: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(name="glimmr_jobs", kind="gauge", labels=("step", "state"), text="jobs in the ledger"),
        Metric(
            name="glimmr_jobs_due", kind="gauge", labels=("step",), text="jobs that wait although their time has come"
        ),
        Metric(
            name="glimmr_jobs_oldest_seconds", kind="gauge", labels=("step",), text="how long the oldest of these waits"
        ),
        Metric(
            name="glimmr_jobs_still_seconds", kind="gauge",
            text="how long the running job that is stuck longest has not got on; 0 without running jobs",
        ),
        Metric(name="glimmr_step_paused", kind="gauge", labels=("step",), text="1 while a step is paused"),
        Metric(
            name="glimmr_price_files", kind="gauge", labels=("state", "class"),
            text="addresses by state and by whose fault their outcome is (empty: none yet)",
        ),
        Metric(name="glimmr_workers", kind="gauge", text="workers that beat"),
        Metric(name="glimmr_hosts_resting", kind="gauge", text="hosts that are left alone for a while (open breakers)"),
        Metric(name="glimmr_last_scan_seconds", kind="gauge", text="how long ago a source last named a price file"),
        Metric(
            name="glimmr_component_up", kind="gauge", labels=("component",),
            text="0 while `/healthz` calls a component `fail`, else 1",
        ),
        Metric(
            name="glimmr_component_latency_seconds", kind="gauge", labels=("component",),
            text="how long the last look at a component took",
        ),
        Metric(
            name="glimmr_disk_free_ratio", kind="gauge",
            text="the part that is free of the disk of the data folder or of scratch, whichever is less",
        ),
        Metric(
            name="glimmr_jobs_ended_total", kind="counter", labels=("step", "outcome", "class"),
            text="jobs that ended, by outcome and whose fault it is (ok, publisher, ours, nobody)",
        ),
        Metric(
            name="glimmr_job_seconds", kind="histogram", labels=("step", "outcome"), bounds=_OF_JOBS,
            text="how long a run took from its claim to its end; the outcome is `retry` or `handed_back`, too",
        ),
        Metric(
            name="glimmr_file_seconds", kind="histogram", bounds=_OF_FILES,
            text="from the begin of a file's download to its prices being published",
        ),
        Metric(
            name="glimmr_recovery_seconds", kind="histogram", bounds=_OF_RECOVERY,
            text="from the last possible sign of life of a worker that died (a lease before the rescue) to its job"
            " running again",
        ),
        Metric(name="glimmr_bytes_total", kind="counter", labels=("step",), text="bytes that jobs brought or freed"),
        Metric(name="glimmr_rows_total", kind="counter", labels=("step",), text="rows that jobs read or published"),
        Metric(name="glimmr_retries_total", kind="counter", labels=("reason",), text="runs that failed and run again"),
        Metric(name="glimmr_rescues_total", kind="counter", labels=("step",), text="runs whose lease ran out"),
        Metric(
            name="glimmr_handed_back_total", kind="counter", labels=("step",),
            text="runs given back unfinished, uncharged: a store or a resting host is away, or the process stops",
        ),
        Metric(
            name="glimmr_repairs_total", kind="counter", labels=("invariant",),
            text="breaches of invariants that were repaired",
        ),
        Metric(name="glimmr_http_requests_total", kind="counter", text="requests sent, redirects included"),
        Metric(
            name="glimmr_http_responses_total", kind="counter", labels=("class",),
            text="whole answers of servers, by class of their status (2xx, 4xx …)",
        ),
        Metric(name="glimmr_http_bytes_total", kind="counter", text="bytes of these answers"),
        Metric(
            name="glimmr_children_resident_memory_bytes", kind="gauge",
            text="memory of this process's children, which read files",
        ),
        Metric(
            name="glimmr_children_cpu_seconds_total", kind="counter",
            text="processor time of this process's children that have ended",
        ),
        Metric(name="glimmr_build_info", kind="gauge", labels=("version",), text="1; the version is the label's"),
    )
}  # fmt: skip

OF_THE_PROCESS = (
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_virtual_memory_bytes",
    "process_open_fds",
    "process_max_fds",
    "process_start_time_seconds",
)
"""What every Prometheus client tells of its process, on Linux."""
