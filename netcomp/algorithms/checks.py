"""Which compositions make no sense, and which no theorem stands behind."""

from __future__ import annotations

from netcomp.algorithms.composed import Composition
from netcomp.algorithms.estimators import Full, LooplessSvrg
from netcomp.algorithms.participation import Everybody, Independent, Uniform
from netcomp.channels import Channel, Dasha, Direct, ErrorFeedback, Marina, Memory, SingleMemory
from netcomp.compressors import Sketch
from netcomp.errors import SpecError

__all__ = ["doubts", "refuse_nonsense"]


def refuse_nonsense(parts: Composition) -> None:
    """Raise `SpecError` for a composition whose parts do not fit together."""
    if parts.roles is not None:
        return
    _refuse_downlinks(parts)
    _refuse_uplinks(parts)
    if isinstance(parts.participation, Uniform):
        _refuse_uniform(parts)
    if isinstance(parts.participation, Independent):
        _refuse_independent(parts)


def _refuse_downlinks(parts: Composition) -> None:
    down = parts.down
    if parts.down_carries == "forward":
        plain = isinstance(parts.participation, Everybody) and not parts.heavy
        sketched = isinstance(parts.up, Direct) and isinstance(parts.up.compressor, Sketch)
        if not (plain and sketched and parts.up_carries == "gradient"):
            raise SpecError(
                "algorithm.down.carries",
                "only a direct uplink's sketch of gradients can be forwarded, from everybody and"
                " without server momentum",
            )
    if parts.down_carries != "model" and (parts.groups > 1 or isinstance(down, SingleMemory)):
        raise SpecError(
            "algorithm.down.carries",
            f"an {parts.down_carries} is one message for all: the server takes it too",
        )
    if isinstance(down, SingleMemory) and parts.groups != parts.workers:
        raise SpecError(
            "algorithm.down.collection", "a single memory serves independent messages only"
        )
    if isinstance(down, Dasha) and parts.groups > 1:
        raise SpecError("algorithm.down.collection", "dasha speaks one message for all")


def _refuse_uplinks(parts: Composition) -> None:
    if isinstance(parts.up, SingleMemory):
        raise SpecError("algorithm.up.channel", "single-memory is a downlink's channel")
    if parts.estimator.two_point and not isinstance(parts.up, Marina):
        raise SpecError(
            "algorithm.oracle", "two-point gradients are differences: they need a marina uplink"
        )


def _refuse_uniform(parts: Composition) -> None:
    if not isinstance(parts.up, Marina | Direct):
        raise SpecError("algorithm.participation", "uniform draws need a marina or a direct uplink")
    if isinstance(parts.up, Marina) and not parts.estimator.two_point:
        raise SpecError(
            "algorithm.oracle",
            "uniform draws over a marina uplink need a two-point oracle: a worker that was not"
            " drawn has no gradient of the last round",
        )
    if isinstance(parts.estimator, LooplessSvrg):
        raise SpecError("algorithm.oracle", "uniform draws leave svrg's reference points behind")


def _refuse_independent(parts: Composition) -> None:
    field = "algorithm.participation"
    up_fits = isinstance(parts.up, Direct) or (
        isinstance(parts.up, Memory) and not parts.up.opens_whole
    )
    if not up_fits:
        raise SpecError(field, "independent participation needs a direct or memory uplink")
    if parts.down_carries != "model" or not isinstance(parts.down, Direct | Memory | SingleMemory):
        raise SpecError(
            field, "independent participation needs a direct or memory downlink of the model"
        )
    if parts.groups == 1 and isinstance(parts.down, Memory) and not parts.catches_up:
        raise SpecError(
            "algorithm.down.channel",
            f"workers that were away are to be told its memory: {type(parts.down).__name__} has a"
            " sender of its own, so it needs a `shared` too",
        )
    if parts.groups not in (1, parts.workers):
        raise SpecError(field, "with independent participation, groups cannot share a memory")
    if parts.down.compressor.correlated or parts.up.compressor.correlated:
        raise SpecError(field, "perm-k needs every worker every round")


def doubts(parts: Composition, d: int) -> list[str]:
    """Return why theorems do not cover a composition, one sentence each, naming them.

    What roles written by hand do with their parts is not known here: no doubts.
    """
    if parts.roles is not None:
        return []
    found = [*_of_channel(parts.up, "up", d, parts.workers)]
    found += _of_channel(parts.down, "down", d, 1)
    if isinstance(parts.up, Marina) and not (
        parts.estimator.two_point or isinstance(parts.estimator, Full)
    ):
        found.append(
            "algorithm.oracle: over a marina uplink a change is between two batches: MARINA"
            " Alg. 2 takes both gradients over one (oracle two-point)"
        )
    down_direct = isinstance(parts.down, Direct) and parts.down_carries == "model"
    if down_direct and not _is_exact(parts.down, d):
        found.append(
            "algorithm.down: the model itself, compressed without a memory, does not converge"
            " (MCM Fig. 1, H = 0)"
        )
    if isinstance(parts.participation, Everybody):
        return found
    if not _have_seen_some(parts):
        found.append(
            f"algorithm.participation: {parts.participation} of these channels is in no paper here:"
            " MARINA Thm 4.1 is for uniform draws of a marina uplink, MCM §4.1 for independent"
            " participation with memories both ways"
        )
    if parts.heavy:
        found.append("algorithm.server_momentum: no theorem has it with partial participation")
    return found


def _have_seen_some(parts: Composition) -> bool:
    """Whether a paper has some of the workers take part over these channels."""
    if isinstance(parts.participation, Uniform):
        return isinstance(parts.up, Marina)
    return isinstance(parts.up, Memory) and isinstance(parts.down, Memory | SingleMemory)


def _of_channel(channel: Channel, way: str, d: int, n: int) -> list[str]:
    c = channel.compressor
    if _is_exact(channel, d):
        return []
    name = f"algorithm.{way}: {c}"
    learns = isinstance(channel, Memory | SingleMemory) and channel.alpha < 1.0
    if not c.unbiased and (learns or isinstance(channel, Marina | Dasha)):
        reason = (
            f"{name} is biased; marina (MARINA Thm 2.1), dasha and memories with alpha < 1"
            " (DIANA, MCM Assumption 1) are for unbiased compressors"
        )
        return [reason]
    if not c.unbiased and isinstance(channel, Direct) and n > 1:
        reason = (
            f"{name} is biased and nothing corrects it: with several workers it may diverge"
            " (Beznosikov et al. Example 1); error-feedback repairs that"
        )
        return [reason]
    contracts = isinstance(channel, ErrorFeedback) or (
        isinstance(channel, Memory) and channel.alpha == 1.0
    )
    damped = isinstance(channel, ErrorFeedback) and channel.eta < 1.0
    if contracts and not damped and c.delta(d) is None:
        reason = (
            f"{name} is not contractive, as error feedback and memories with alpha = 1 need"
            " (Beznosikov et al. Thm 21, EF21): scale it by 1/(1 + omega)"
        )
        return [reason]
    return []


def _is_exact(channel: Channel, d: int) -> bool:
    """Whether nothing is lost but the rounding to the wire's floats."""
    return channel.compressor.omega(d) == 0.0 or channel.compressor.delta(d) == 1.0
