"""gateway/ending.py: a task ends, whatever it waits for makes of a cancellation."""

import asyncio

import pytest

from gateway.ending import end


async def _loses_a_cancellation(times: int) -> None:
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if times == 0:
                raise
            times -= 1


@pytest.mark.parametrize("times", [0, 1])
async def test_a_task_ends_although_a_library_loses_its_cancellation(times: int) -> None:
    task = asyncio.create_task(_loses_a_cancellation(times))
    await asyncio.sleep(0)
    await end(task)
    assert task.cancelled()


async def test_what_a_task_failed_with_is_neither_raised_nor_left_unread() -> None:
    unread: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unread.append(context))

    async def fails() -> None:
        raise ValueError("as it is")

    task, endless = asyncio.create_task(fails()), asyncio.create_task(_loses_a_cancellation(0))
    await asyncio.sleep(0)
    await end(task, endless)
    assert endless.cancelled()
    assert isinstance(task.exception(), ValueError)
    del task
    assert not unread


async def test_ending_nothing_returns() -> None:
    await end()
