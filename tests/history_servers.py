"""InfluxDB 1.6 and VictoriaMetrics for tests, and the proxy through which influxdb-client writes to the former."""

import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

from tests.servers import free_port, require


@contextmanager
def influxd(folder: Path, port: int | None = None) -> Iterator[str]:
    """Run InfluxDB 1.6 in ``folder``, yield its URL, stop it."""
    program, http, rpc = require("influxd", "influxdb"), port or free_port(), free_port()
    config = folder / "influxdb.conf"
    folder.mkdir(parents=True, exist_ok=True)
    config.write_text(
        f"""
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{http}"
  log-enabled = false
"""
    )
    with _running([program, "-config", str(config)], folder, f"http://127.0.0.1:{http}/ping") as url:
        yield url.removesuffix("/ping")


@contextmanager
def victoria_metrics(folder: Path) -> Iterator[str]:
    """Run VictoriaMetrics in ``folder``, yield its URL, stop it."""
    program, port = require("victoria-metrics", "victoria-metrics"), free_port()
    command = [program, f"-storageDataPath={folder}/vm", f"-httpListenAddr=127.0.0.1:{port}", "-retentionPeriod=100y"]
    with _running(command, folder, f"http://127.0.0.1:{port}/health") as url:
        yield url.removesuffix("/health")


@contextmanager
def _running(command: list[str], folder: Path, health: str) -> Iterator[str]:
    folder.mkdir(parents=True, exist_ok=True)
    with (
        (folder / "server.log").open("ab") as output,
        subprocess.Popen(command, stdout=output, stderr=output) as server,
    ):
        try:
            _wait_for(health, server)
            yield health
        finally:
            server.terminate()
            server.wait(timeout=20)


def _wait_for(url: str, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310  (http on the loopback)
                if response.status < 300:
                    return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"{server.args!r} did not answer at {url}")


def influxql(url: str, statement: str) -> None:
    """Run an administrative InfluxQL statement."""
    form = urllib.parse.urlencode({"q": statement}).encode()
    with urllib.request.urlopen(f"{url}/query", data=form, timeout=10) as response:  # noqa: S310
        assert b'"error"' not in response.read()


@asynccontextmanager
async def v2_proxy(influxd_url: str) -> AsyncIterator[str]:
    """Run a proxy that maps ``/api/v2/write`` (of InfluxDB 1.8 and 2) to 1.6's ``/write`` and passes ``/query`` on."""
    precisions = {"us": "u", "ns": "n", "ms": "ms", "s": "s"}
    async with aiohttp.ClientSession(auto_decompress=False) as session:

        async def write(request: web.Request) -> web.Response:
            where = {"db": request.query["bucket"], "precision": precisions[request.query["precision"]]}
            headers = {k: v for k, v in request.headers.items() if k in ("Content-Encoding", "Content-Type")}
            return await passed_on("/write", where, headers, request)

        async def query(request: web.Request) -> web.Response:
            return await passed_on("/query", {}, {"Content-Type": request.headers["Content-Type"]}, request)

        async def passed_on(
            path: str, params: dict[str, str], headers: dict[str, str], request: web.Request
        ) -> web.Response:
            try:
                body = await request.read()
                async with session.post(influxd_url + path, params=params, data=body, headers=headers) as answer:
                    back = {k: v for k, v in answer.headers.items() if k in ("Content-Encoding", "Content-Type")}
                    return web.Response(status=answer.status, body=await answer.read(), headers=back)
            except aiohttp.ClientError:
                return web.Response(status=502)

        app = web.Application(client_max_size=64 * 2**20)
        app.add_routes([web.post("/api/v2/write", write), web.post("/query", query)])
        runner = web.AppRunner(app, auto_decompress=False)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()
