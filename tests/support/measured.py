"""What the compressors' benchmark measures: a vector, and rows of figures as of real ones."""

import numpy as np

D = 2000


def gaussian(d=D):
    return np.random.default_rng(5).standard_normal(d).astype(np.float32)


def row_of(**changed):
    row = {
        "compressor": "qsgd:s=1",
        "vector": "gaussian",
        "d": 10**7,
        "kept": 10.0**7,
        "payload_bits": 1.0,
        "wire_bits": 1.0,
        "wire_excess_bytes": -100.0,
        "index_bits": 0.0,
        "index_limit_bits": 0.0,
        "value_bits": 1.05,
        "value_limit_bits": 1.0,
        "copy_seconds": 0.002,
        "encode_seconds": 0.01,
        "encode_ratio": 0.2,
        "decode_ratio": 0.3,
        "peak_ratio": 2.0,
    }
    return row | changed


def duel_row(*theirs, ours=0.01, **changed):
    """Return the turns of qsgd's goal beside numpy's codec: an error where there are none."""
    row = {"compressor": "qsgd:s=1", "peer": "numpy", "codec": "dense qsgd s=1"}
    row |= {"vector": "gaussian", "d": 10**7}
    turns = {"theirs": list(theirs), "ours": [ours] * len(theirs)} if theirs else {"error": "no"}
    return row | turns | changed
