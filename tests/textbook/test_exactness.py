"""Every composed algorithm takes the step its paper writes down, and a wrong one is noticed."""

from dataclasses import dataclass, replace

import pytest

from netcomp.algorithms import ALGORITHMS, Choice, StepSize, compose
from netcomp.channels import ErrorFeedback, Marina, Memory
from netcomp.compressors import PermK, RandK, parse_compressor
from netcomp.draw import Purpose
from netcomp.errors import RemoteProtocolError
from netcomp.roles import Kind
from support.cases import heterogeneous, logistic
from textbook.twins import PAIRS, largest_error

EXACT, WRONG = 1e-12, 1e-6

CASES = {
    "quadratic": heterogeneous(12, 4),
    "quadratic, n does not divide d": heterogeneous(13, 5),
    "quadratic, d < n": heterogeneous(3, 7),
    "nonconvex logistic": logistic(12, 4),
}

CHOICES = {
    "gd": {"gd": {}},
    "dcgd": {
        "rand-k": {"up": "rand-k:25%"},
        "perm-k": {"up": "perm-k", "step_size": StepSize(0.05, of_theory=False)},
    },
    "diana": {"rand-k": {"up": "rand-k:25%"}, "given alpha": {"up": "rand-k:50%", "alpha": 0.1}},
    "marina": {
        "rand-k": {"up": "rand-k:25%"},
        "perm-k": {"up": "perm-k", "p_up": 0.2, "step_size": StepSize(0.05, of_theory=False)},
        "given p": {"up": "rand-k:50%", "p_up": 0.3},
    },
    "marina-p": {
        "same": {"down": "rand-k:25%", "collection": "same"},
        "independent": {"down": "rand-k:25%", "collection": "independent"},
        "perm-k": {"down": "perm-k"},
    },
    "m3": {
        "Theorem 5.1": {},
        "same": {"down": "rand-k:50%", "collection": "same"},
        "given": {"up": "rand-k:50%", "p_up": 0.3, "p_down": 0.6, "momentum": 0.4},
    },
}
ROWS = [(name, label) for name, choices in CHOICES.items() for label in choices]


def planned(name, case, **options):
    """Return a catalogue entry's plan and composition, values in f64."""
    plan = ALGORITHMS.get(name).plan(
        Choice(values="f64", **options), case.d, case.n, case.constants
    )
    return plan, compose(plan)


def with_error_feedback(case, channel=ErrorFeedback):
    """Top-k with error feedback up: no name of the catalogue yet, but the channel is there."""
    plan, parts = planned("gd", case)
    top = parse_compressor("top-k:25%", values="f64").resolve(case.d, case.n)
    plan = replace(plan, name="error-feedback", up=str(top))
    return plan, replace(parts, up=channel(top, parts.up.plain))


def test_every_name_has_a_textbook_twin():
    """A new name in the catalogue fails here until its paper's version is written."""
    assert set(ALGORITHMS.names()) <= set(PAIRS)
    assert set(ALGORITHMS.names()) == set(CHOICES)


@pytest.mark.parametrize("seed", [0, 1, 2**40])
@pytest.mark.parametrize("where", CASES)
@pytest.mark.parametrize(("name", "label"), ROWS)
def test_each_step_is_the_papers(name, label, where, seed):
    """From the same state, one round gives the textbook's next state to 1e-12."""
    plan, parts = planned(name, CASES[where], **CHOICES[name][label])
    assert largest_error(plan, parts, CASES[where], seed=seed) <= EXACT


@pytest.mark.parametrize("where", CASES)
def test_each_step_of_error_feedback_is_the_papers(where):
    """The channel carries gradients, biased-compression's Algorithm 1 steps: the same method."""
    plan, parts = with_error_feedback(CASES[where])
    assert largest_error(plan, parts, CASES[where]) <= EXACT


class SharedMasks:
    """A compressor whose workers all draw from the key they share."""

    def __init__(self, inner):
        self.inner = inner

    def compress(self, v, draw):
        return self.inner.compress(v, draw.shared())

    def decode(self, parts, d, draw):
        return self.inner.decode(parts, d, draw.shared())


@dataclass(frozen=True)
class OwnCoins(Marina):
    """A coin a worker instead of a coin a round."""

    def send(self, state, v, draws):
        messages = []
        for draw in draws:
            coin = draw.stream(Purpose.COIN).uniforms(1)[0] < self.p
            channel = Marina(self.compressor, self.plain, 1.0 if coin else 0.0)
            messages += channel.send(state, v, [draw])[0]
        return messages, v


@dataclass(frozen=True)
class DriftingPrevious(Marina):
    """v_prev is what the receiver holds, not the sender's true previous vector."""

    def send(self, state, v, draws):
        messages, _ = super().send(state, v, draws)
        if messages[0].kind is Kind.FULL:
            return messages, v
        said = self.compressor.decode(messages[0].parts, v.size, draws[0])
        return messages, state + said.dense()


@dataclass(frozen=True)
class FrozenMemory(Memory):
    """h is never updated, at either end."""

    def send(self, state, v, draws):
        return super().send(state, v, draws)[0], state

    def receive(self, state, heard):
        return super().receive(state, heard)[0], state


@dataclass(frozen=True)
class DeafMemory(Memory):
    """The sender's h moves, the receiver's does not."""

    def receive(self, state, heard):
        return super().receive(state, heard)[0], state


@dataclass(frozen=True)
class Forgetful(ErrorFeedback):
    """e is dropped."""

    def send(self, state, v, draws):
        return super().send(state, v, draws)[0], state


def changed(parts, way, kind=None, compressor=None):
    """Return the composition with one channel's class or compressor exchanged."""
    channel = getattr(parts, way)
    fields = dict(vars(channel))
    if compressor is not None:
        fields["compressor"] = compressor(channel.compressor)
    return replace(parts, **{way: (kind or type(channel))(**fields)})


RAND_UP = {"up": "rand-k:25%"}
INDEPENDENT = {"down": "rand-k:25%", "collection": "independent"}
M3 = {"p_up": 0.4, "p_down": 0.4}
MUTATIONS = {
    "shared masks: dcgd": ("dcgd", RAND_UP, {"way": "up", "compressor": SharedMasks}),
    "shared masks: diana": ("diana", RAND_UP, {"way": "up", "compressor": SharedMasks}),
    "shared masks: marina": ("marina", RAND_UP, {"way": "up", "compressor": SharedMasks}),
    "shared masks: marina-p": ("marina-p", INDEPENDENT, {"way": "down", "compressor": SharedMasks}),
    "shared masks: m3": ("m3", {}, {"way": "up", "compressor": SharedMasks}),
    "own coins: marina": ("marina", RAND_UP | {"p_up": 0.5}, {"way": "up", "kind": OwnCoins}),
    "own coins: marina-p": ("marina-p", INDEPENDENT, {"way": "down", "kind": OwnCoins}),
    "own coins: m3 down": ("m3", M3, {"way": "down", "kind": OwnCoins}),
    "own coins: m3 up": ("m3", M3, {"way": "up", "kind": OwnCoins}),
    "h frozen: diana": ("diana", RAND_UP, {"way": "up", "kind": FrozenMemory}),
    "h deaf: diana": ("diana", RAND_UP, {"way": "up", "kind": DeafMemory}),
    "v_prev drifts: marina": ("marina", RAND_UP, {"way": "up", "kind": DriftingPrevious}),
    "v_prev drifts: marina-p": ("marina-p", INDEPENDENT, {"way": "down", "kind": DriftingPrevious}),
    "v_prev drifts: m3": ("m3", M3, {"way": "up", "kind": DriftingPrevious}),
}


def is_noticed(plan, parts, case):
    try:
        return largest_error(plan, parts, case) > WRONG
    except RemoteProtocolError:
        return True


@pytest.mark.parametrize("where", ["quadratic", "nonconvex logistic"])
@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_wrong_channel_is_noticed(mutation, where):
    """The comparison fails, or the other end refuses, when one thing is done wrong."""
    name, options, change = MUTATIONS[mutation]
    plan, parts = planned(name, CASES[where], **options)
    assert is_noticed(plan, changed(parts, **change), CASES[where])


@pytest.mark.parametrize("where", ["quadratic", "nonconvex logistic"])
def test_a_dropped_error_is_noticed(where):
    """The comparison fails when error feedback forgets its error."""
    plan, parts = with_error_feedback(CASES[where], Forgetful)
    assert is_noticed(plan, parts, CASES[where])


@pytest.mark.parametrize("where", ["quadratic", "nonconvex logistic"])
@pytest.mark.parametrize(
    ("name", "sparsifier"),
    [
        *(("dcgd", RandK), ("diana", RandK), ("marina", RandK), ("m3", RandK)),
        *(("marina-p", PermK), ("m3", PermK)),
    ],
)
def test_a_missing_scale_is_noticed(name, sparsifier, where, monkeypatch):
    """The comparison fails when rand-k lacks its d/k or perm-k its n."""
    case = CASES[where]
    plan, parts = planned(name, case, **({} if name in ("marina-p", "m3") else RAND_UP))
    monkeypatch.setattr(sparsifier, "scale", lambda _self, _d: 1.0)
    assert is_noticed(plan, parts, case)


@pytest.mark.parametrize("factor", [1.01, 0.99])
@pytest.mark.parametrize("name", ["gd", "dcgd", "diana", "marina", "marina-p", "m3"])
def test_a_slightly_wrong_step_size_is_noticed(name, factor):
    """A step size off by a hundredth is a wrong step, not a rounding."""
    plan, parts = planned(name, CASES["quadratic"])
    assert is_noticed(plan, replace(parts, gamma=factor * parts.gamma), CASES["quadratic"])


def test_missing_momentum_is_noticed():
    """m3 without its momentum (z = w) is not Algorithm 2."""
    plan, parts = planned("m3", CASES["quadratic"])
    assert parts.beta < 1
    assert is_noticed(plan, replace(parts, beta=1.0), CASES["quadratic"])
