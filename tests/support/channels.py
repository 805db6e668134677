"""Every channel with every compressor, and what goes through them."""

import numpy as np
import pytest

from netcomp.channels import Audience, Dasha, Direct, ErrorFeedback, Marina, Memory
from netcomp.compressors import parse_compressor
from netcomp.draw import Direction, Draw
from netcomp.roles import Kind
from support.simulate import received

D, SENDERS = 12, 3
ROUNDS = 8  # few, because error feedback with an unscaled rand-k explodes
TEXTS = ["identity+f64", "rand-k:3+f64", "rand-k:3+f16", "perm-k+natural", "top-k:4+f16", "natural"]
CHANNELS = {
    "direct": (Direct, {}),
    "memory": (Memory, {"alpha": 0.3}),
    "memory, opened": (Memory, {"alpha": 1.0, "opens_whole": True}),
    "error-feedback": (ErrorFeedback, {}),
    "error-feedback, damped": (ErrorFeedback, {"eta": 0.5}),
    "marina": (Marina, {"p": 0.3}),
    "dasha": (Dasha, {"a": 0.3}),
}
SPEAKS = {
    Direct: {Kind.VALUE},
    ErrorFeedback: {Kind.VALUE},
    Memory: {Kind.DELTA},
    Dasha: {Kind.DELTA},
    Marina: {Kind.FULL, Kind.DELTA},
}
"""What a receiver hears that knows a vector already."""

texts = pytest.mark.parametrize("text", TEXTS)
channels = pytest.mark.parametrize("name", CHANNELS)


def build(name, text, senders=SENDERS, values="f64"):
    kind, arguments = CHANNELS[name]
    compressor = parse_compressor(text).resolve(D, senders)
    return kind(compressor, parse_compressor("identity", values=values), **arguments)


def key(round_, worker):
    return Draw(4, round_, direction=Direction.UP, worker=worker)


def vectors(dtype=np.float64, senders=SENDERS, rounds=ROUNDS):
    rng = np.random.default_rng(8)
    return rng.normal(size=(rounds, senders, D)).astype(dtype)


def like(dtype=np.float64):
    return np.zeros(D, dtype)


def run(channel, sequence, known=None):
    """Yield per round: sender states before and after, what is heard, receiver's result."""
    dtype = sequence.dtype
    senders = [channel.sender(known, like(dtype)) for _ in sequence[0]]
    receiver = channel.receiver(known, like(dtype))
    for t, vs in enumerate(sequence):
        before, heard = list(senders), []
        for i, v in enumerate(vs):
            said, senders[i] = channel.send(senders[i], v, {0: key(t, i)})
            heard.append((received(said[0]), key(t, i)))
        estimate, receiver = channel.receive(receiver, Audience.all(heard))
        yield before, list(senders), heard, estimate, receiver


def decoded(channel, heard):
    """Return what each message decodes to, by kind."""
    found = []
    for message, draw in heard:
        coder = channel.plain if message.kind is Kind.FULL else channel.compressor
        found.append(coder.decode(message.parts, D, draw).dense())
    return found
