"""The twins can fail: a wrong step size, oracle or participation, and the comparison notices."""

from dataclasses import dataclass, replace

import pytest

from netcomp.algorithms import server_role, worker_role
from netcomp.algorithms.composed import ComposedServer, ComposedWorker
from netcomp.algorithms.estimators import Accumulate, LooplessSvrg, Minibatch, TwoPoint
from netcomp.algorithms.participation import Independent, Uniform
from netcomp.algorithms.schedule import Constant, Inverse
from netcomp.draw import Direction, Purpose
from netcomp.roles import Batch
from textbook.rows import NUMBER, ROWS, planned, telling
from textbook.twins import is_noticed

WHERE = "nonconvex logistic"
M3 = ROWS["m3", "given"]


@pytest.mark.parametrize("factor", [1.01, 0.99])
@pytest.mark.parametrize("name", sorted({name for name, _ in ROWS}))
def test_a_slightly_wrong_step_size_is_noticed(name, factor):
    """A step size off by a hundredth is a wrong step, not a rounding."""
    plan, parts = planned(name, "quadratic", telling(name))
    assert is_noticed(plan, replace(parts, gamma=factor * parts.gamma), "quadratic")


class NextStep(Inverse):
    """γ_{t+1} in the place of γ_t."""

    def factor(self, t):
        return super().factor(t + 1)


def late_worker(parts, worker):
    """Return a worker that takes the next round's γ for the update it hears."""
    return worker_role(replace(parts, schedule=NextStep(7.0)), worker)


@pytest.mark.parametrize("ends", ["both", "worker"])
@pytest.mark.parametrize(
    "name", ["artemis", "double-squeeze", "neolithic", "ef21-bc", "core", "gd", "mem-sgd", "mcm"]
)
def test_a_step_size_of_the_neighbouring_round_is_noticed(name, ends):
    """γ is off by one round at both ends, or at the workers alone where updates travel."""
    options = telling(name) | {"schedule": "inverse:kappa=7", "step_size": NUMBER}
    plan, parts = planned(name, WHERE, options)
    if ends == "both":
        assert is_noticed(plan, replace(parts, schedule=NextStep(7.0)), WHERE)
    else:
        roles = server_role, late_worker
        hears_gamma = parts.up_carries == "step" or parts.down_carries in ("update", "forward")
        assert hears_gamma == is_noticed(plan, parts, WHERE, roles=roles)


@pytest.mark.parametrize("name", ["ec-sgd", "mem-sgd", "signsgd-ef"])
def test_a_step_size_outside_the_error_is_noticed(name):
    """With steps that change, compressing γ_t g_t + e is not γ_t times compressing g_t + e."""
    options = telling(name) | {"schedule": "inverse:kappa=7", "step_size": NUMBER}
    plan, parts = planned(name, WHERE, options)
    assert is_noticed(plan, replace(parts, up_carries="gradient"), WHERE)


def test_a_schedule_ignored_is_noticed():
    """A constant step where Theorem 21 (i) has a decreasing one is not it."""
    options = {"up": "top-k:25%", "schedule": "theorem-21-i"}
    plan, parts = planned("ec-sgd", "quadratic", options)
    faster = replace(parts, schedule=Inverse(parts.schedule.kappa / 100))
    assert is_noticed(plan, faster, "quadratic")
    assert is_noticed(plan, replace(parts, schedule=Constant(), gamma=parts.gamma / 2), "quadratic")


def test_missing_momentum_is_noticed():
    """m3 without its momentum (z = w) is not Algorithm 2, nor is β in the place of 1 − β."""
    plan, parts = planned("m3", "quadratic", M3)
    assert 0.4 == parts.beta
    assert is_noticed(plan, replace(parts, beta=1.0), "quadratic")
    assert is_noticed(plan, replace(parts, beta=0.6), "quadratic")


class Eager(ComposedWorker):
    """Speaks of w_i, and moves z_i afterwards."""

    def step(self, state, message, oracle, draw):
        if draw.round == 0:
            return super().step(state, message, oracle, draw)
        heard = self._heard(state, message, draw)
        early = replace(heard, z=heard.down[0])
        gradient = oracle.gradient(early.z)
        key = self.parts.up_key(draw, self.worker)
        said, up = self.parts.up.send(state.up, gradient, {0: key})
        return replace(heard, up=up), said[0]


def test_the_gradient_before_the_momentum_is_noticed():
    """m3's gradients are those at z^{t+1}, not at w^{t+1}."""
    plan, parts = planned("m3", "quadratic", M3)
    assert is_noticed(plan, parts, "quadratic", (server_role, Eager))


def test_server_momentum_nobody_asked_for_is_noticed():
    """A heavy ball at the server is no part of gd."""
    plan, parts = planned("gd", "quadratic", {})
    assert is_noticed(plan, replace(parts, heavy=0.1), "quadratic")


@dataclass(frozen=True)
class SharedBatch(Minibatch):
    """All workers draw the same rows."""

    def gradient(self, state, oracle, z, draw):
        return super().gradient(state, oracle, z, draw.shared())


@dataclass(frozen=True)
class OneBatch(Accumulate):
    """The same batch R times."""

    def gradient(self, state, oracle, z, draw):
        return oracle.gradient(z, Batch(self.b.value, draw)), None


@dataclass(frozen=True)
class SummedBatches(Accumulate):
    """The sum of R gradients, not their mean."""

    def gradient(self, state, oracle, z, draw):
        return self.r * super().gradient(state, oracle, z, draw)[0], None


@dataclass(frozen=True)
class TwoBatches(TwoPoint):
    """The old point's gradient from samples of its own."""

    def change(self, oracle, new, old, draw):
        fresh = Batch(self.b.value, draw.at(sub=9))
        return oracle.gradient(new, Batch(self.b.value, draw)) - oracle.gradient(old, fresh)


@dataclass(frozen=True)
class SmallWhole(TwoPoint):
    """The whole vector from the small batch."""

    def gradient(self, state, oracle, z, draw):
        return oracle.gradient(z, Batch(self.b.value, draw)), None


@dataclass(frozen=True)
class OwnCoinSvrg(LooplessSvrg):
    """Each worker tosses for its reference point."""

    def gradient(self, state, oracle, z, draw):
        coin = draw.stream(Purpose.COIN).uniforms(1)[0] < self.p
        estimate, kept = replace(_plain(self), p=0.0).gradient(state, oracle, z, draw)
        return estimate, (z, oracle.gradient(z)) if coin else kept


@dataclass(frozen=True)
class FixedSvrg(LooplessSvrg):
    """The reference point is x⁰ for ever."""

    def gradient(self, state, oracle, z, draw):
        return replace(_plain(self), p=0.0).gradient(state, oracle, z, draw)


@dataclass(frozen=True)
class EarlySvrg(LooplessSvrg):
    """The reference point moves before this round's estimate, not after it."""

    def gradient(self, state, oracle, z, draw):
        if draw.at(direction=Direction.NONE).coin(self.p):
            state = z, oracle.gradient(z)
        return replace(_plain(self), p=0.0).gradient(state, oracle, z, draw)


def _plain(svrg):
    return LooplessSvrg(svrg.b, svrg.p, svrg.replace)


ORACLES = {
    **{
        f"one batch for all workers: {name}": (name, SharedBatch)
        for name in ("sgd", "qsgd", "mem-sgd", "signsgd-ef", "artemis", "dore", "double-squeeze")
    },
    **{
        f"one batch for all workers: {name}": (name, SharedBatch) for name in ("mcm-pp", "rand-mcm")
    },
    "one batch R times": ("neolithic", OneBatch),
    "one batch R times, uni": ("neolithic-uni", OneBatch),
    "sum of R": ("neolithic", SummedBatches),
    "stale two-point gradient": ("vr-marina", TwoBatches),
    "stale two-point gradient, online": ("vr-marina-online", TwoBatches),
    "small whole batch": ("vr-marina-online", SmallWhole),
    "small batch where all rows belong": ("vr-marina", SmallWhole),
    "own coins: svrg": ("vr-diana", OwnCoinSvrg),
    "reference point fixed": ("vr-diana", FixedSvrg),
    "reference point early": ("vr-diana", EarlySvrg),
}


@pytest.mark.parametrize("mutation", ORACLES)
def test_a_wrong_oracle_is_noticed(mutation):
    """Samples shared, not shared or stale, and reference points at the wrong time."""
    name, kind = ORACLES[mutation]
    options = {"double-squeeze": ROWS["double-squeeze", "top-k"]}.get(name, telling(name))
    plan, parts = planned(name, WHERE, options)
    assert is_noticed(plan, replace(parts, estimator=kind(**vars(parts.estimator))), WHERE)


class StalePrevious(ComposedWorker):
    """∇f_i at the model of the last round this worker was drawn in (pp-marina)."""

    def _heard(self, state, message, draw):
        heard = super()._heard(state, message, draw)
        last = draw.at(round_=draw.round - 1)
        key = self.parts.up_key(last, self.worker)
        spoke = draw.round == 1 or self.parts.up.sends_whole(state.up, key)
        if spoke or self.parts.participation.keys(self.parts.workers, self.worker, key):
            return heard
        return replace(heard, before=state.before)


@dataclass(frozen=True)
class DividesByAll(Uniform):
    """The mean over n where r were drawn."""

    def speakers(self, n):
        return n


@dataclass(frozen=True)
class EachOnce(Uniform):
    """A worker drawn twice speaks once."""

    def keys(self, n, worker, key):
        return super().keys(n, worker, key)[:1]


@dataclass(frozen=True)
class Unscaled(Independent):
    """(1/n) Σ_S c where (1/(pn)) Σ_S c is the estimate."""

    @property
    def share(self):
        return 1.0


class Spreading(ComposedServer):
    """Memories of absent workers move as if they had heard."""

    def _say(self, state, v, draw):
        everybody = ComposedServer(replace(self.parts, participation=_all()))
        spoken = everybody._say(replace(state, missed=None), v, draw)
        here = set(self.parts.participation.hearers(self.parts.workers, draw))
        return replace(spoken, said={i: m for i, m in spoken.said.items() if i in here})


def _all():
    return Independent(1.0)


@pytest.mark.parametrize("kind", [DividesByAll, EachOnce])
def test_a_wrong_divisor_is_noticed(kind):
    """pp-marina divides by r, and hears a worker as often as it was drawn."""
    plan, parts = planned("pp-marina", WHERE, ROWS["pp-marina", "r = 2"])
    assert is_noticed(plan, replace(parts, participation=kind(2)), WHERE)


def test_a_stale_previous_gradient_is_noticed():
    """pp-marina's v_prev is ∇f_i at the previous model, drawn or not."""
    plan, parts = planned("pp-marina", WHERE, ROWS["pp-marina", "r = 2"])
    assert is_noticed(plan, parts, WHERE, roles=(server_role, StalePrevious))


@pytest.mark.parametrize(
    "name", ["mcm-pp", "rand-mcm-pp", "rand-mcm-pp-single", "rand-mcm-pp-reset"]
)
@pytest.mark.parametrize("mutation", ["unscaled", "spreading"])
def test_wrong_partial_participation_is_noticed(name, mutation):
    """The uplink's 1/p is there, and nothing of an absent worker moves."""
    plan, parts = planned(name, WHERE, telling(name))
    if mutation == "unscaled":
        assert is_noticed(
            plan, replace(parts, participation=Unscaled(parts.participation.p)), WHERE
        )
    else:
        assert is_noticed(plan, parts, WHERE, roles=(Spreading, worker_role))


class HearsOnlyItself(ComposedServer):
    """The server moves by the update before it was compressed."""

    def _answer(self, state, audience, draw):
        estimate, _ = self.parts.up.receive(state.up, audience)
        answered = super()._answer(state, audience, draw)
        return replace(answered, x=state.x - self.parts.step(draw.round) * estimate)


@pytest.mark.parametrize("name", ["artemis", "double-squeeze", "neolithic", "ef21-bc"])
def test_an_undegraded_server_is_noticed(name):
    """Where updates travel, the server moves by what the workers decode."""
    plan, parts = planned(name, WHERE, telling(name))
    assert is_noticed(plan, parts, WHERE, roles=(HearsOnlyItself, worker_role))
