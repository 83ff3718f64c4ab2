"""Where the parser's time goes: reading and decoding, building columns, findings, writing Parquet."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

STAGES = ("decode", "columns", "findings", "write")


class Clock:
    """CPU seconds by stage; a stage inside another is taken off it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._open: list[str] = ["decode"]
        self._since = time.process_time()

    def _turn(self) -> None:
        now = time.process_time()
        self.seconds[self._open[-1]] += now - self._since
        self._since = now

    def enter(self, stage: str) -> None:
        self._turn()
        self._open.append(stage)

    def leave(self) -> None:
        self._turn()
        self._open.pop()

    def calling(self, stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """`work`, counted as `stage`."""

        def counted(*given: Any, **named: Any) -> Any:
            self.enter(stage)
            try:
                return work(*given, **named)
            finally:
                self.leave()

        return counted

    def drawing(self, stage: str, source: Iterable[Any]) -> Iterator[Any]:
        """`source`, each step of it counted as `stage`."""
        step = self.calling(stage, iter(source).__next__)
        while True:
            try:
                one = step()
            except StopIteration:
                return
            yield one


def by_stage(path: Path, to: Path) -> dict[str, float]:
    """CPU seconds of each stage of one parse (imports aside). Works in the process it is called in: use a fresh one."""
    from glimmr.parse import intake, parse_in_child, price_list  # noqa: PLC0415
    from glimmr.parse.formats import delimited, json_text  # noqa: PLC0415
    from glimmr.parse.tables import layouts  # noqa: PLC0415

    clock = Clock()
    price_list.PriceList.add = clock.calling("write", price_list.PriceList.add)
    price_list.PriceList.close = clock.calling("write", price_list.PriceList.close)
    intake.Intake.take = clock.calling("findings", intake.Intake.take)
    json_text.read_items = clock.calling("columns", json_text.read_items)
    for module in (delimited, layouts):
        for name in ("read_tall", "read_wide"):
            if hasattr(module, name):
                setattr(module, name, _layout(clock, getattr(module, name)))
    parse_in_child(lambda **_: None, path=str(path), to=str(to), file_id="0" * 64, limits={})
    clock.enter("end")
    return {stage: clock.seconds[stage] for stage in STAGES}


def _layout(clock: Clock, read: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    return lambda rows, *more: clock.drawing("columns", read(clock.drawing("decode", rows), *more))
