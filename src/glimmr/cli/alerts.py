"""`glimmr alerts`: what a person should look at now, what was, and whether a notice would arrive."""

import sys
from datetime import datetime
from typing import Annotated, Any

import typer

from glimmr.cli import show
from glimmr.cli.look import AsJson, Data

_ACTIONS = ("test", "look")


def alerts(
    action: Annotated[
        str | None,
        typer.Argument(
            metavar="[ACTION]",
            help="`test` sends a test by each channel and says how it went; `look` looks once as a worker does, and"
            " sends what is due.",
        ),
    ] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Say what wants a person now, and what did (docs/operate/alerts.md).

    `glimmr serve` and `worker` look every 30 s, and tell GLIMMR_ALERT_WEBHOOK and GLIMMR_ALERT_MAIL once when an alert
    fires and once when it clears. Exit 0: all is well, or the test was sent. 1: something is not, or a channel failed.
    2: wrong usage.
    """
    from glimmr import watching
    from glimmr.cli.options import load, one_of

    one_of("ACTION", action, _ACTIONS)
    settings = load(data=data)
    if action == "test":
        _say_test(watching.try_channels(settings), as_json=as_json)
    if action == "look":
        watching.look_out(settings)
    told = watching.alerts(settings)
    if as_json:
        show.as_json(told)
    else:
        _say(told)
    sys.exit(1 if told["standing"] else 0)


def _say_test(tried: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        show.as_json(tried)
    else:
        for one in tried:
            ended = f"failed: {show.clean(one['fault'])}" if one["fault"] else "sent; see whether it arrived"
            typer.echo(f"{one['channel']} ({show.clean(one['where'])}): {ended}")
    sys.exit(1 if any(one["fault"] for one in tried) else 0)


def _say(told: dict[str, Any]) -> None:
    for one in told["standing"]:
        since = f" since {_moment(one['since'])}" if one["since"] else ""
        typer.echo(f"{one['severity']} {one['alert']}{since}: {show.clean(one['seen'])}")
        typer.echo(f"  what to do: {one['act']}")
    if not told["standing"]:
        typer.echo("nothing wants a person")
    if told["over"]:
        show.as_table(
            ("over", "fired", "alert", "what it was"),
            [(_moment(o["cleared_at"]), _moment(o["fired_at"]), o["name"], o["text"]) for o in told["over"]],
        )
    for one in told["undelivered"]:
        again = f"tried again {_moment(one['try_at'])}" if one["try_at"] else "given up"
        typer.echo(
            f"a notice of {_moment(one['made_at'])} was not sent by {one['channel']}:"
            f" {show.clean(one['fault'])}; {again}"
        )


def _moment(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M:%S} UTC"
