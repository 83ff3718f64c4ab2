"""All hosts of the simulated world behind one port of this machine: the Host header decides who answers."""

import asyncio
import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from glimmr.world.bodies import Bodies
from glimmr.world.build import PRA_HOST, File, World
from glimmr.world.delivery import Line, deliver
from glimmr.world.gates import Clock, Gates, close, turns
from glimmr.world.http import Answer, NoTls, Request, json_answer, read_request, reset, send
from glimmr.world.instead import AWAY, HOP, without_hop
from glimmr.world.pages import page
from glimmr.world.pra import Pra, PraRules
from glimmr.world.roster import CATALOG_PATH, ROSTER_HOST, ROSTER_PATH, Roster, RosterRules
from glimmr.world.scripts import Step, step_for, steps_of

_CONTROL = "/__sim/"


class Server:
    """The running world. `log` has one dict per request: host, method, path, range, ua, status, bytes, t, seconds.

    `peak_connections` counts, per host, the most connections that were open at once. `clock` is what `down(…)` goes by.
    """

    def __init__(self, world: World, rules: PraRules, log_path: Path | None) -> None:
        self.port = 0
        self.log: list[dict[str, Any]] = []
        self.peak_connections: Counter[str] = Counter()
        self._log_path = log_path
        self._bodies = Bodies()
        self.become(world, rules)
        self._requests: Counter[str] = Counter()
        self._open: Counter[str] = Counter()
        self._thread = 0
        self.clock = Clock()
        self._gates = Gates(self.clock)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def become(self, world: World, rules: PraRules | None = None) -> None:
        """Be this world from now on: its hospitals, sites and addresses; who asks for one it lacks gets 404."""
        self.world = world
        self.pra = Pra(world, rules or self.pra.rules)
        self.roster = Roster(world, RosterRules())
        self._sites = {site.host: site for site in world.sites}
        self._files = {(file.host, file.target): file for file in world.files}
        shared = (file for file in world.files if any(step.name == "share" for step in steps_of(file.script)))
        self._shared = {(file.host, file.target.partition("?")[0]): file for file in shared}
        self._scripts = {file.url: steps_of(file.script) for file in world.files}

    @property
    def settings(self) -> dict[str, str]:
        """The settings that make the product live in this world."""
        ports = {**self._gates.ports, "*": self.port}
        return {
            "GLIMMR_CONNECT_TO": ",".join(f"{host}=127.0.0.1:{port}" for host, port in ports.items()),
            "GLIMMR_ALLOW_ADDRESSES": "127.0.0.0/8",
            "GLIMMR_PRA_URL": f"http://{PRA_HOST}",
            "GLIMMR_CMS_ROSTER_URL": f"http://{ROSTER_HOST}{ROSTER_PATH}",
            "GLIMMR_CMS_CATALOG_URL": f"http://{ROSTER_HOST}{CATALOG_PATH}",
            "GLIMMR_SOURCES": "cms_roster,pra,cms_hpt,page" if self.world.partly_known else "pra",
        }

    def requests_for(self, url: str) -> list[dict[str, Any]]:
        """The log of one address, redirects and links of its own included."""
        file = next(file for file in self.world.files if file.url == url)
        hosts = (file.host, AWAY + file.host)
        return [
            entry for entry in self.log if entry["host"] in hosts and self._file_at(file.host, entry["path"]) is file
        ]

    def set_script(self, url: str, script: str) -> None:
        """Let an address behave otherwise from now on; its requests are counted from 0 again."""
        self._scripts[url] = steps_of(script)
        self._requests[url] = 0

    def set_down(self, host: str, *, down: bool) -> None:
        """Take a host off the net, or bring it back.

        One with a `down` in a script has a port of its own and refuses connections, others answer with a reset.
        """
        self._gates.shut(host, is_shut=down)
        self._turn_gates()

    def set_clock(self, seconds: float) -> None:
        """Let the world's clock show that."""
        self.clock.set(seconds)
        self._turn_gates()

    def _turn_gates(self) -> None:
        """Another thread finds changed what it changed; the server's own must wait for `turn` itself."""
        if self._loop is not None and threading.get_ident() != self._thread:
            asyncio.run_coroutine_threadsafe(self._gates.turn(), self._loop).result()

    def reset(self) -> None:
        """Forget every request: scripts and clock start again, the log and the PRA's memory are empty."""
        self.set_clock(0.0)
        self._requests.clear()
        self.log.clear()
        self.peak_connections.clear()
        self.pra.reset()

    async def start(self, port: int) -> asyncio.Server:
        """Listen on 127.0.0.1; port 0 takes a free one."""
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        spans: dict[str, list[tuple[float, float]]] = {}
        for file in self.world.files:
            for step in (step for step in steps_of(file.script) if step.name == "down"):
                spans.setdefault(file.host, []).append(step.span)
        for host, of_host in spans.items():
            self._gates.build(host, self._connected, of_host)
        self.clock.set(0.0)
        await self._gates.turn()
        listening = await asyncio.start_server(self._connected, "127.0.0.1", port, backlog=4096)
        self.port = listening.sockets[0].getsockname()[1]
        return listening

    async def stop(self, listening: asyncio.Server) -> None:
        """Close every connection and forget the bodies."""
        await close(listening)
        await self._gates.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await listening.wait_closed()
        await turns()  # a connection is closed in the turn after it was told to
        self._bodies.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        hosts: set[str] = set()
        try:
            await self._talk(Line(reader, writer), hosts)
        except NoTls:
            await send(writer, Answer(400, b"this port speaks plain HTTP\n"))  # as real servers do
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client left in the middle: that is its right
        except asyncio.CancelledError:
            writer.transport.abort()  # the server stops
        finally:
            self._open.subtract(hosts)
            self._tasks.discard(task)
            writer.close()

    async def _talk(self, line: Line, hosts: set[str]) -> None:
        while line.is_usable and (request := await read_request(line.reader)) is not None:
            if request.host not in hosts:
                hosts.add(request.host)
                self._open[request.host] += 1
                self.peak_connections[request.host] = max(self.peak_connections[request.host], self._open[request.host])
            line.entry = {}
            if request.path.startswith(_CONTROL):
                await line.say(await self._control(request))
            else:
                await self._answer_logged(line, request)
            line.is_usable = line.is_usable and request.keeps_alive

    async def _answer_logged(self, line: Line, request: Request) -> None:
        began = time.monotonic()
        entry: dict[str, Any] = {
            "t": round(self.clock.now(), 4),
            "host": request.host,
            "method": request.method,
            "path": request.target,
            "range": request.headers.get("range"),
            "ua": request.headers.get("user-agent"),
            "status": 0,
            "bytes": 0,
        }
        self.log.append(entry)
        line.entry = entry
        try:
            await self._answer(line, request)
        finally:
            entry["seconds"] = round(time.monotonic() - began, 4)
            if self._log_path is not None:
                with self._log_path.open("a", encoding="utf-8") as log:
                    log.write(json.dumps(entry) + "\n")

    async def _answer(self, line: Line, request: Request) -> None:
        bodyless = request.method == "HEAD"
        if self._gates.is_down(request.host):
            line.is_usable = False
            await reset(line.writer)
        elif request.host == PRA_HOST:
            await line.say(self.pra.answer(request), bodyless=bodyless)
        elif request.host == ROSTER_HOST:
            await line.say(self.roster.answer(request), bodyless=bodyless)
        elif (file := self._file_at(request.host.removeprefix(AWAY), request.target)) is not None:
            step, count = self._step(file, request)
            await deliver(line, self._bodies, file, request, step=step, count=count)
        elif (site := self._sites.get(request.host)) is not None:
            await line.say(page(self.world, site, request.path), bodyless=bodyless)
        else:
            await line.say(Answer(404, b"no such host in this world\n"), bodyless=bodyless)

    def _file_at(self, host: str, target: str) -> File | None:
        """The file a request means. Of one that is shared by a link only the path counts."""
        plain = without_hop(target)
        return self._files.get((host, plain)) or self._shared.get((host, plain.partition("?")[0]))

    def _step(self, file: File, request: Request) -> tuple[Step, int]:
        """What the script says to this request. HEAD, and what an answer of ours led to, are not counted."""
        steps, count = self._scripts[file.url], self._requests[file.url]
        if HOP in request.query:
            return step_for(steps, max(0, count - 1)), count
        if request.method != "HEAD":
            self._requests[file.url] += 1
        return step_for(steps, count), count

    async def _control(self, request: Request) -> Answer:
        """`/__sim/`: truth, log, state; reset; script?url=&script=; host?name=&up=0|1; clock?seconds=."""
        name, query = request.path.removeprefix(_CONTROL), request.query
        if name == "truth":
            return json_answer(await asyncio.to_thread(self.world.truth))
        if name == "log":
            return json_answer(self.log)
        if name == "state":
            told = {"peak_connections": self.peak_connections, "pra_refused": self.pra.refused}
            return json_answer(told | {"clock_seconds": self.clock.now()})
        if name == "reset":
            self.reset()
        elif name == "script" and query.get("url") in self._scripts:
            self.set_script(query["url"], query.get("script", "ok"))
        elif name == "host" and "name" in query:
            self.set_down(query["name"], down=query.get("up") == "0")
        elif name == "clock" and query.get("seconds", "").isdecimal():
            self.set_clock(float(query["seconds"]))
        else:
            return json_answer({"message": f"no control named {name}"}, 404)
        await self._gates.turn()
        return json_answer({"done": name})


@contextlib.asynccontextmanager
async def serve(
    world: World, *, port: int = 0, pra: PraRules | None = None, log_path: Path | None = None
) -> AsyncGenerator[Server]:
    """Serve a world on 127.0.0.1 while the block runs."""
    server = Server(world, pra or PraRules(), log_path)
    listening = await server.start(port)
    try:
        yield server
    finally:
        await server.stop(listening)


@contextlib.contextmanager
def serve_in_thread(
    world: World, *, port: int = 0, pra: PraRules | None = None, log_path: Path | None = None
) -> Generator[Server]:
    """As `serve`, from a thread of its own; for callers that are not asynchronous. Raises OSError for a taken port."""
    ready: list[tuple[Server, asyncio.AbstractEventLoop, asyncio.Event]] = []
    is_up = threading.Event()

    async def main() -> None:
        done = asyncio.Event()
        try:
            async with serve(world, port=port, pra=pra, log_path=log_path) as server:
                ready.append((server, asyncio.get_running_loop(), done))
                is_up.set()
                await done.wait()
        finally:
            is_up.set()

    with ThreadPoolExecutor(1, thread_name_prefix="glimmr-world") as pool:
        running = pool.submit(asyncio.run, main())
        is_up.wait()
        if not ready:
            running.result()
        server, loop, done = ready[0]
        try:
            yield server
        finally:
            loop.call_soon_threadsafe(done.set)
            running.result()
