"""Bugs of plug-ins, on either side: they end the run with their reason, and nobody waits."""

import asyncio
import dataclasses
import re
from types import SimpleNamespace

import pytest

from netcomp.errors import NetcompError
from netcomp.experiment.local import load_local
from netcomp.net import loops
from support.cluster import METHODS, serving, small

TREE = small(cluster={"workers": 2}, algorithm=METHODS["m3"])


def test_a_bug_on_the_server_ends_the_run(loop_name):
    """What a plug-in raises unexpectedly comes out of the run; nobody is left waiting."""

    def broken(_ready):
        raise ZeroDivisionError("a bug of a plug-in")

    async def scenario():
        async with serving(TREE) as cluster:
            cluster.coordinator._prepare = broken
            workers = cluster.worker(slots=2)
            with pytest.raises(ZeroDivisionError, match="a bug of a plug-in"):
                await cluster.played()
            return (await asyncio.gather(workers, return_exceptions=True))[0]

    assert isinstance(loops.run(scenario()), NetcompError)


def test_a_bug_in_a_worker_ends_the_run(loop_name):
    """What a worker's own code raises unexpectedly is told to the server, with the worker."""

    def broken(welcome):
        local = load_local(welcome)
        return dataclasses.replace(local, begin=lambda plan: 1 // 0)

    async def scenario():
        async with serving(TREE) as cluster:
            workers = [cluster.worker(), cluster.worker(load=broken)]
            played = await cluster.played()
            return played, await asyncio.gather(*workers, return_exceptions=True)

    played, ends = loops.run(scenario())
    reason = "worker [01] was lost in round 0: .*ZeroDivisionError.*"
    assert re.fullmatch(reason, str(played.outcome.error))
    assert "failed" == played.outcome.stopped_by
    assert str(played.outcome.error) in ends
    assert [True] == ["ZeroDivisionError" in str(e) for e in ends if isinstance(e, NetcompError)]


class Unsaid(Exception):
    """An error of somebody's whose text is a bug of its own."""

    def __str__(self):
        raise RuntimeError("there is no text")


@pytest.mark.parametrize("round_", [0, 3], ids=["on a thread", "on the loop"])
def test_a_bug_without_a_text_ends_the_run(round_, loop_name):
    """Its type is told; the process's other slots hear what they were sent, and the end."""

    def broken(welcome):
        local = load_local(welcome)

        def begin(plan):
            role, *rest = local.begin(plan)

            def step(state, message, oracle, draw):
                if welcome.worker == 0 and draw.round == round_:
                    raise Unsaid
                return role.step(state, message, oracle, draw)

            return SimpleNamespace(init=role.init, step=step), *rest

        return dataclasses.replace(local, begin=begin)

    async def scenario():
        async with serving(TREE) as cluster:
            workers = cluster.worker(slots=2, load=broken)
            played = await cluster.played()
            return played, (await asyncio.gather(workers, return_exceptions=True))[0]

    played, end = loops.run(scenario())
    reason = f"worker 0 was lost in round {round_}: .*Unsaid"
    assert re.fullmatch(reason, str(played.outcome.error))
    assert "Unsaid" in str(end)
