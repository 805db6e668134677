"""The golden payloads: what is in tests/golden/payloads.json and how an entry is made.

Of a vector of 20 coordinates everything is written out. "large" has those of one of 3000, where
symbols and indices take other forms, in base64, and of what they decode to a digest.

`python tests/support/payloads.py` adds entries for notations that have none, and touches no
other: an entry that changed means that the bytes did, hence a new version of the format.
"""

import json
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import numpy as np

from netcomp.compressors import parse_compressor
from netcomp.compressors.container import dump
from netcomp.draw import Direction, Draw

PATH = Path(__file__).parent.parent / "golden" / "payloads.json"
KEY = {"seed": 7, "round": 3, "sub": 0, "direction": 1, "worker": 2}
D, N = 20, 4
LARGE = 3000

NOTATIONS = [
    "identity",
    "f32",
    "f64",
    "f16",
    "natural",
    "rand-k:k=5",
    "rand-k:k=5,scaled=no",
    "rand-k:d/n+natural",
    "bernoulli:p=0.3",
    "bernoulli:p=0.3,scaled=yes+f16",
    "perm-k",
    "perm-k:order=cyclic",
    "perm-k+natural",
    "top-k:25%",
    "top-k:k=15+f16",
    "top-k:k=20",
    "top-k:k=3+natural",
    "adaptive",
    "sketch:m=4",
    "fcc:r=3(top-k:k=2)",
    "fcc:r=2(perm-k+natural)",
    "scale:0.5(rand-k:k=5)",
    "bf16",
    "sign",
    "round:b=2",
    "round:b=1.5",
    "round:b=4,steps=1/1.5/2/3",
    "round:b=2,biased=yes",
    "natural:coding=entropy",
    "dither:s=8",
    "dither:s=4,p=1",
    "dither:s=3,b=1.5,p=inf",
    "qsgd:s=1",
    "qsgd:s=4",
    "qsgd:s=16,p=inf",
    "ternary",
    "top-k:k=6+dither:s=8",
    "top-k:k=6+natural:coding=entropy",
    "rand-k:k=5+qsgd:s=4",
    "perm-k+ternary",
    "fcc:r=2(qsgd:s=1)",
    "rand-k:k=5+f64",
    "rand-k:k=5+sign",
    "rand-k:k=5,scaled=no+bf16",
    "bernoulli:p=0.5+sign",
    "perm-k+bf16",
    "perm-k:order=cyclic+f16",
    "top-k:25%+bf16",
    "top-k:k=4+round:b=2",
    "adaptive+f16",
    "fcc:r=2(rand-k:k=4+bf16)",
    "fcc:r=2(bernoulli:p=0.3)",
    "fcc:r=3(sign)",
    "fcc:r=2(fcc:r=2(top-k:k=2+f16))",
    "scale:0.25(bernoulli:p=0.5+f16)",
    "scale:0.1(sketch:m=4)",
    "scale:0.5(fcc:r=2(top-k:k=3))",
    "layers:sizes=12/1/7(top-k:25%)",
    "layers:sizes=8/...(natural)",
    "fcc:r=2(layers:sizes=5/15(rand-k:d/n))",
]

LARGE_NOTATIONS = [
    "qsgd:s=1",
    "qsgd:s=4",
    "qsgd:s=64",
    "dither:s=8",
    "natural:coding=entropy",
    "round:b=2",
    "top-k:1%",
    "top-k:40%+sign",
    "top-k:60%+sign",
    "top-k:1%+dither:s=8",
    "rand-k:1%+qsgd:s=4",
    "perm-k+natural:coding=entropy",
    "adaptive",
    "layers:sizes=300/2000/...(top-k:1%)",
    "layers:sizes=512/...(qsgd:s=4)",
]


def vector():
    """Return the vector they are made of: binary fractions, so that any machine has the same."""
    return np.array([(37 * i % 41 - 20) / 8 for i in range(D)], dtype=np.float32)


def large_vector():
    """Return binary fractions whose squares are added without rounding, the larger the rarer."""
    powers = [pow(5, i, 1_000_003) for i in range(LARGE)]
    whole = [((u >> 8) % 7 - 3) * (u & -u & 0x7F or 0x80) for u in powers]
    return np.array(whole, dtype=np.float32) / 8


def draw():
    return Draw(
        KEY["seed"],
        KEY["round"],
        sub=KEY["sub"],
        direction=Direction(KEY["direction"]),
        worker=KEY["worker"],
    )


def made(text, v):
    """Return (the resolved compressor, the payload, the container's bytes)."""
    compressor = parse_compressor(text).resolve(v.size, N)
    payload = compressor.compress(v, draw())
    return compressor, payload, dump(payload, compressor, v.size)


def entry(text):
    compressor, payload, data = made(text, vector())
    return {
        "resolved": str(compressor),
        "container": data.hex(),
        "dense": [float(x).hex() for x in payload.dense()],
    }


def large_entry(text):
    compressor, payload, data = made(text, large_vector())
    return {
        "resolved": str(compressor),
        "container": b64encode(data).decode(),
        "dense": digest(payload),
    }


def digest(payload):
    """Return the SHA-256 of what a payload decodes to, as little-endian float64."""
    return sha256(payload.dense().astype("<f8").tobytes()).hexdigest()


if __name__ == "__main__":
    golden = json.loads(PATH.read_text()) if PATH.exists() else {"payloads": {}}
    golden |= {"version": 1, "key": KEY, "d": D, "n": N}
    golden["vector"] = [float(x) for x in vector()]
    for notation in NOTATIONS:
        golden["payloads"].setdefault(notation, entry(notation))
    for notation in LARGE_NOTATIONS:
        golden.setdefault("large", {}).setdefault(notation, large_entry(notation))
    PATH.write_text(json.dumps(golden, indent=1) + "\n")
