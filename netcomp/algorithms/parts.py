"""Channels and hand-written roles by name: netcomp's, an installed package's, or module:Name.

Both are named in a plan, which travels: so a worker imports one as module:Name only where it
trusts the server, as it does with compressors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache, partial
from typing import Any, Final, TypeVar

from netcomp.algorithms.composed import Roles
from netcomp.channels import Channel, Dasha, Direct, ErrorFeedback, Marina, Memory, SingleMemory
from netcomp.compressors import Compressor
from netcomp.errors import ImportRefused, SpecError, UnknownName
from netcomp.registry import Registry

__all__ = ["CHANNELS", "ROLES", "ChannelKind", "channel_kind", "roles_of"]


@dataclass(frozen=True)
class ChannelKind:
    """How a channel is built, and which of a side's parameters a user may set."""

    build: Callable[[Compressor, Compressor, Any], Channel]
    params: tuple[str, ...] = ()


_PARAMS: Final = ("p", "alpha", "eta", "reset")
_GIVEN: Final = (*_PARAMS, "opens_whole")


def _built(
    kind: type[Channel], names: Mapping[str, str], c: Compressor, plain: Compressor, side: Any
) -> Channel:
    return kind(c, plain, **{own: getattr(side, name) for own, name in names.items()})


def _kind_of(kind: type[Channel], **renamed: str) -> ChannelKind:
    """Return how a class is built: its fields are given a side's parameters of their names."""
    own = [one for one in fields(kind) if one.name not in ("compressor", "plain") and one.init]
    names = {one.name: renamed.get(one.name, one.name) for one in own}
    given = {name: of for name, of in names.items() if of in _GIVEN}
    for one in own:
        lacking = one.default is MISSING and one.default_factory is MISSING
        if one.name not in given and lacking:
            raise SpecError(
                "channel",
                f"{kind.__name__}.{one.name} is none of {', '.join(_GIVEN)}, and has no default",
            )
    return ChannelKind(
        partial(_built, kind, given), tuple(p for p in _PARAMS if p in given.values())
    )


def _read_channel(found: Any, name: str) -> ChannelKind:
    if isinstance(found, type) and issubclass(found, Channel) and is_dataclass(found):
        return _kind_of(found)
    raise SpecError("channel", f"{name!r} is no dataclass derived from netcomp.channels.Channel")


@cache
def _one_of(kind: type[Roles]) -> Roles:
    """Return the one instance of a class, so that equal plans compose equal parts."""
    return kind()


def _read_roles(found: Any, name: str) -> Roles:
    made = _one_of(found) if isinstance(found, type) and issubclass(found, Roles) else found
    if not isinstance(made, Roles):
        raise SpecError("role", f"{name!r} is no netcomp.algorithms.Roles")
    return made


_BUILT_IN: Final = {
    "direct": _kind_of(Direct),
    "memory": _kind_of(Memory),
    "single-memory": _kind_of(SingleMemory),
    "error-feedback": _kind_of(ErrorFeedback),
    "marina": _kind_of(Marina),
    "dasha": _kind_of(Dasha, a="alpha"),
}

CHANNELS: Final[Registry[ChannelKind]] = Registry("channel", _read_channel)
"""The channels by name: what a side's `channel` may be. Plugins: `netcomp.channels`."""
for _name, _kind in _BUILT_IN.items():
    CHANNELS.register(_name, _kind)

ROLES: Final[Registry[Roles]] = Registry("role", _read_roles)
"""Hand-written roles by name. Plugins: entry points `netcomp.roles`."""


def channel_kind(name: str, field: str, *, imports: bool) -> ChannelKind:
    """Return the channel of a name, or of module:Class where `imports` allows it.

    Raises `SpecError` naming `field`, `ImportRefused` for a class without `imports`.
    """
    try:
        return _found(CHANNELS, name, field, imports=imports)
    except UnknownName as error:
        known = [*_BUILT_IN, *(one for one in error.known if one not in _BUILT_IN)]
        raise SpecError(field, f"{name!r} is none of {', '.join(known)}") from None


def roles_of(name: str, field: str, *, imports: bool) -> Roles:
    """Return the hand-written roles of a name, or of module:Name where `imports` allows it.

    Raises `SpecError` naming `field`, `ImportRefused` for a module without `imports`.
    """
    return _found(ROLES, name, field, imports=imports)


T = TypeVar("T")


def _found(registry: Registry[T], name: str, field: str, *, imports: bool) -> T:
    if ":" in name and not imports:
        raise ImportRefused(field, name, name)
    try:
        return registry.get(name)
    except UnknownName:
        raise
    except SpecError as error:
        raise SpecError(field, error.reason) from error
