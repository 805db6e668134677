"""Network tests run on asyncio's loop and on uvloop."""

import pytest


@pytest.fixture(params=["asyncio", "uvloop"])
def loop_name(request, monkeypatch):
    monkeypatch.setenv("NETCOMP_LOOP", request.param)
    return request.param
