"""Both event loops, and processes that do not outlive their test."""

import pytest

from support.commands import Family


@pytest.fixture(params=["asyncio", "uvloop"])
def loop_name(request, monkeypatch):
    """Run the test, and the processes it starts, on this loop."""
    monkeypatch.setenv("NETCOMP_LOOP", request.param)
    return request.param


@pytest.fixture
def family(tmp_path, request):
    """Commands; none of them, and nothing they started, may be left when the test ends."""
    family, before = Family(tmp_path), request.session.testsfailed
    try:
        yield family
        left = [] if request.session.testsfailed > before else family.died_out()
    finally:
        family.close()
    assert [] == left
