"""Problems with one thing wrong each, and the law that names it.

All are an honest problem (least squares, or a quadratic with noise) but for what their own
lines change.
"""

from __future__ import annotations

import itertools
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from netcomp.constants import exact
from netcomp.data import Shard
from netcomp.problems import LeastSquares, LinearOracle, QuadraticHeterogeneous, QuadraticOracle
from netcomp.roles import Batch

CULPRITS = {}
"""The law that each class of this module breaks, by its name."""


def breaks(law):
    def enter(kind):
        CULPRITS[kind.__name__] = law
        return kind

    return enter


class Other(LinearOracle):
    """An honest oracle as somebody else would derive one."""


class Honest(LeastSquares):
    """Least squares as somebody else would write them: passes."""

    def oracle(self, shard, worker, workers, draw):
        super().oracle(shard, worker, workers, draw)
        return self.made(self.settled_on(shard), worker)

    def settled_on(self, shard):
        return shard

    def made(self, shard, worker):
        return Other(self, shard)


def of_oracle(kind):
    """Return a problem whose oracles are of the given class."""

    class Made(Honest):
        def made(self, shard, worker):
            return kind(self, shard)

    Made.__name__ = Made.__qualname__ = kind.__name__.removesuffix("Oracle")
    globals()[Made.__name__] = Made
    return Made


def wrong_oracle(law):
    def enter(kind):
        made = of_oracle(kind)
        CULPRITS[made.__name__] = law
        return kind

    return enter


# Forms


@breaks("options")
class TwoLines(Honest):
    summary = "least\nsquares"


@breaks("options")
class TakesAnything(Honest):
    model_config: ClassVar[dict] = {"extra": "ignore"}


@breaks("bad-data")
class TakesNothing(Honest):
    """Makes up a row where there is none."""

    def oracle(self, shard, worker, workers, draw):
        if shard is None or shard.rows == 0:
            shard = Shard(np.ones((1, 5)), np.ones(1))
        return super().oracle(shard, worker, workers, draw)


@breaks("start")
class StartsSomewhere(Honest):
    """Each worker somewhere else."""

    def x0(self, dim, draw):
        return np.full(dim, float(draw.worker % 7))


@breaks("start")
class ShortStart(Honest):
    def x0(self, dim, draw):
        return np.zeros(dim - 1)


@wrong_oracle("shape-and-dtype")
class AlwaysDoubleOracle(LinearOracle):
    def gradient(self, x, batch=None):
        return super().gradient(x.astype(np.float64), batch)


@wrong_oracle("shape-and-dtype")
class NumpyLossOracle(LinearOracle):
    def loss(self, x):
        return np.float64(super().loss(x))


@wrong_oracle("own-array")
class ReusesItsResultOracle(LinearOracle):
    """Hands out the array it keeps."""

    def gradient(self, x, batch=None):
        key = (x.tobytes(), batch)
        kept = self.__dict__.setdefault("kept", {})
        if key not in kept:
            kept[key] = super().gradient(x, batch)
        return kept[key]


@wrong_oracle("own-array")
class WritesIntoXOracle(LinearOracle):
    """Scales in place and undoes it."""

    def gradient(self, x, batch=None):
        x *= 2.0
        x *= 0.5
        return super().gradient(x, batch)


@wrong_oracle("derivative")
class HalfTheRegulariserOracle(LinearOracle):
    """The loss has l2 ‖x‖² where the gradient has l2 x."""

    def loss(self, x):
        return super().loss(x) + 0.05 * float(x @ x)


@wrong_oracle("derivative")
class WrongSignOracle(LinearOracle):
    def gradient(self, x, batch=None):
        return -super().gradient(x, batch)


@wrong_oracle("determinism")
class CountsItsCallsOracle(LinearOracle):
    """The thousandth digit depends on how often it was asked."""

    calls = itertools.count()

    def gradient(self, x, batch=None):
        return super().gradient(x, batch) * (1.0 + 1e-12 * next(self.calls))


@breaks("determinism")
class DependsOnTheOrder(Honest):
    """The first oracle that is made is another than the later ones."""

    def made(self, shard, worker):
        oracle = Other(self, shard)
        oracle.l2 = 0.0 if next(self._made) % 2 else 0.1
        return oracle

    _made = itertools.count()


# Batches


@wrong_oracle("full-batch")
class NeverTheLastRowOracle(LinearOracle):
    """All rows without replacement are one row fewer."""

    def gradient(self, x, batch=None):
        if batch is not None and batch.size == self.rows and not batch.replace and self.rows > 1:
            batch = Batch(self.rows - 1, batch.draw)
        return super().gradient(x, batch)


@wrong_oracle("single-rows")
class SumInsteadOfMeanOracle(LinearOracle):
    """A batch is scaled by m/b, as if f_i were the sum over its rows."""

    def gradient(self, x, batch=None):
        full = batch is None or batch.size == self.rows
        return super().gradient(x, batch) * (1.0 if full else self.rows / batch.size)


@wrong_oracle("batch-mean")
class ForgetsRepetitionsOracle(LinearOracle):
    """A row that comes twice counts once."""

    def gradient(self, x, batch=None):
        if batch is None or not batch.replace:
            return super().gradient(x, batch)
        rows = np.unique(batch.rows(self.rows))
        part = LinearOracle(self.problem, Shard(self.design.features[rows], self.targets[rows]))
        return part.gradient(x)


@wrong_oracle("bad-batches")
class CutsTheSizeOracle(LinearOracle):
    """More rows than there are become all of them."""

    def gradient(self, x, batch=None):
        if batch is not None and not batch.replace:
            batch = Batch(min(batch.size, self.rows), batch.draw)
        return super().gradient(x, batch)


@wrong_oracle("key-matters")
class SameEveryRoundOracle(LinearOracle):
    def gradient(self, x, batch=None):
        key = None if batch is None else batch.draw.at(round_=0)
        return super().gradient(x, batch and Batch(batch.size, key, replace=batch.replace))


@wrong_oracle("key-matters")
class SameForEveryWorkerOracle(LinearOracle):
    def gradient(self, x, batch=None):
        key = None if batch is None else batch.draw.shared()
        return super().gradient(x, batch and Batch(batch.size, key, replace=batch.replace))


class Noisy(QuadraticHeterogeneous):
    """A quadratic of dimension 4 whose noise is not what it says."""

    dim: int = 4
    noise: float = 1.0

    def oracle(self, shard, worker, workers, draw):
        honest = super().oracle(shard, worker, workers, draw)
        honest.__class__ = self.kind
        return honest


class LouderOracle(QuadraticOracle):
    def gradient(self, x, batch=None):
        quiet = super().gradient(x)
        return quiet + 1.5 * (super().gradient(x, batch) - quiet)


class BiasedOracle(QuadraticOracle):
    def gradient(self, x, batch=None):
        return super().gradient(x, batch) + (0.0 if batch is None else 0.3 / batch.size**0.5)


class NoiseOfThePointOracle(QuadraticOracle):
    """Grows with x, so that it does not cancel."""

    def gradient(self, x, batch=None):
        quiet = super().gradient(x)
        return quiet + (super().gradient(x, batch) - quiet) * min(1.0, float(np.abs(x).max()) / 9)


@breaks("noise")
class Louder(Noisy):
    kind: ClassVar[type] = LouderOracle


@breaks("noise")
class Biased(Noisy):
    kind: ClassVar[type] = BiasedOracle


@breaks("noise")
class NoiseOfThePoint(Noisy):
    kind: ClassVar[type] = NoiseOfThePointOracle


# Constants


def changed(given, changes):
    """Return constants with some of them multiplied."""
    values = {name: exact(one.value * changes.get(name, 1.0)) for name, one in given.items()}
    return MappingProxyType(values)


def local(law, **changes):
    """Enter a problem whose workers' constants are so many times the true ones."""

    class Kind(LinearOracle):
        def _constants(self):
            return changed(super()._constants(), changes)

    Kind.__name__ = f"Local{next(iter(changes))}"
    wrong_oracle(law)(Kind)


def joint(law, **changes):
    """Enter a problem whose joint constants are so many times the true ones."""

    class Made(Honest):
        def joint(self, oracles):
            return changed(super().joint(oracles), changes)

    Made.__name__ = Made.__qualname__ = f"Joint{next(iter(changes))}"
    globals()[Made.__name__] = Made
    CULPRITS[Made.__name__] = law


local("smoothness", L=0.95)
local("convexity", mu=1.1)
local("samples", calL=0.6)
local("samples", L_sample=0.9)
joint("smoothness", L=0.95)
joint("convexity", mu=1.5)
joint("functional", L_B=0.6)
joint("functional", L_A=0.3)
joint("similarity", L_pm=0.7)


@wrong_oracle("samples")
class BoundedSamplesOracle(LinearOracle):
    """Says of the squared loss that its samples have a bounded variance."""

    def _constants(self):
        return {**super()._constants(), "sigma_sq": exact(1.0)}


@breaks("similarity")
class BoundedDissimilarity(Honest):
    """Says of different quadratics that their gradients differ by a bounded amount."""

    def joint(self, oracles):
        return {**super().joint(oracles), "b_sq": exact(0.1)}


@wrong_oracle("constants")
class NegativeOracle(LinearOracle):
    def _constants(self):
        return {**super()._constants(), "mu": exact(-0.1)}


@wrong_oracle("constants")
class MoreConvexThanSmoothOracle(LinearOracle):
    def _constants(self):
        return {"L": exact(1e3), "mu": exact(2e3)}


@wrong_oracle("constants")
class UnknownNameOracle(LinearOracle):
    def _constants(self):
        return {**super()._constants(), "lambda": exact(0.1)}


@breaks("minimum")
class TooHigh(Honest):
    """The value of f at x0 instead of the least one."""

    def minimum(self, oracles):
        return 0.999 * float(np.mean([oracle.loss(np.zeros(oracle.dim)) for oracle in oracles]))


@breaks("minimum")
class TooLow(Honest):
    """Knows where, but not how low."""

    def minimum(self, oracles):
        return super().minimum(oracles) - 1.0
