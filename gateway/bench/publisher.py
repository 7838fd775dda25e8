"""The devices' side as a process of its own: paho, QoS 1, a window of messages under way.

``python -m gateway.bench.publisher``: a JSON ``Order`` on standard input; on standard output, once the last PUBACK has
come, the epoch seconds just before each publish as native doubles.
"""

import asyncio
import json
import sys
import threading
import time
from array import array
from dataclasses import asdict, dataclass, field

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from gateway.bench.fleet import Fleet

WINDOW = 1000
"""Messages without a PUBACK at any time."""
_DONE_WITHIN_S = 300.0


@dataclass(frozen=True, slots=True)
class Order:
    """What to publish."""

    port: int
    devices: int
    first_at: float
    first: int
    """Number of the first message."""
    count: int
    rate: float | None = None
    """Messages a second; None: as fast as the window allows."""
    warm: list[int] = field(default_factory=list)
    """Numbers of the messages from which on their freezers are too warm."""


async def publish(order: Order) -> list[float]:
    """Let a process publish ``order`` and return when each message was handed to its client, in epoch seconds.

    Raises RuntimeError where it fails.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway.bench.publisher",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_DONE_WITHIN_S):
            output, _ = await process.communicate(json.dumps(asdict(order)).encode())
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode != 0:
        raise RuntimeError(f"the publisher ended with {process.returncode}")
    return array("d", output).tolist()


def _main() -> None:
    order = Order(**json.load(sys.stdin))
    fleet = Fleet(order.devices, order.first_at)
    warm_from = {number % order.devices: number for number in order.warm}
    # Made before the clock runs: what is measured is the gateway, not this process's JSON.
    numbers = range(order.first, order.first + order.count)
    never = order.first + order.count
    messages = [(fleet.topic(n), fleet.payload(n, warm=n >= warm_from.get(n % order.devices, never))) for n in numbers]
    slots, connected = threading.Semaphore(WINDOW), threading.Event()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"bench-{order.first}")
    # The window is ours: paho looks through its own with every PUBACK, which at 1,000 is most of its time.
    client.max_inflight_messages_set(0)
    client.max_queued_messages_set(0)
    client.on_connect = lambda *_: connected.set()
    client.on_publish = lambda *_: slots.release()
    client.connect("127.0.0.1", order.port)
    client.loop_start()
    connected.wait(timeout=30)
    times = array("d")
    began = time.time()
    for index, (topic, payload) in enumerate(messages):
        if order.rate and (left := began + index / order.rate - time.time()) > 0:
            time.sleep(left)
        slots.acquire()
        times.append(time.time())
        client.publish(topic, payload, qos=1)
    for _ in range(WINDOW):
        slots.acquire()
    client.disconnect()
    client.loop_stop()
    sys.stdout.buffer.write(times.tobytes())


if __name__ == "__main__":
    _main()
