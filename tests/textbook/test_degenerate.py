"""Special cases collapse to gradient descent as the papers say, over whole trajectories."""

import numpy as np
import pytest

from netcomp.algorithms import ALGORITHMS
from support.simulate import models
from textbook.whole import CASES, ROUNDS, STEP, assert_same_models, composition, gd_models

# Compressions that compress nothing, and coins and memories that make no difference then.
BOTH = {"up": "identity", "down": "identity", "oracle": "full"}
COLLAPSED = {
    "gd": ("gd", {}),
    "sgd, full": ("sgd", {"oracle": "full"}),
    "mcm-pp, all": ("mcm-pp", {**BOTH, "participation": "all"}),
    "mcm-pp, p = 1": ("mcm-pp", {**BOTH, "participation": "independent:p=1"}),
    "single memory": ("rand-mcm-pp-single", {**BOTH, "participation": "independent:p=1"}),
    "single memory, reset": (
        "rand-mcm-pp-reset",
        {**BOTH, "participation": "independent:p=1", "down_reset": 5},
    ),
    "neolithic": (
        "neolithic",
        {"up": "fcc:3(f32)", "down": "fcc:3(f32)", "oracle": "full"},
    ),
    "neolithic-uni": ("neolithic-uni", {"up": "fcc:3(f32)", "oracle": "full"}),
    "vr-marina, p = 1": ("vr-marina", {"up": "rand-k:25%", "up_p": 1.0}),
    "vr-diana, identity": ("vr-diana", {"up": "identity", "oracle": "svrg:b=100%,p=0.3"}),
    "pp-marina, p = 1": ("pp-marina", {"up_p": 1.0}),
    "dasha, a = 0.3": ("dasha", {"up": "identity", "up_alpha": 0.3}),
    **{
        name: (name, {"up": "identity", "oracle": "full"})
        for name in ("cgd", "qsgd", "ec-sgd", "mem-sgd", "signsgd-ef", "ef21", "dasha")
    },
    **{
        name: (name, {**BOTH})
        for name in (
            *("artemis", "artemis-nd-direct", "artemis-nd-memory", "artemis-nd-update", "dore"),
            *("double-squeeze", "dist-ef-sgd", "ef21-p+dcgd", "ef21-bc"),
            *("mcm", "rand-mcm", "rand-mcm-g"),
        )
    },
    "ef21-p": ("ef21-p", {"down": "identity"}),
    "dcgd, identity": ("dcgd", {"up": "identity"}),
    "dcgd, all of rand-k": ("dcgd", {"up": "rand-k:100%"}),
    "diana, identity": ("diana", {"up": "identity", "up_alpha": 1.0}),
    "diana, identity, another alpha": ("diana", {"up": "identity", "up_alpha": 0.2}),
    "marina, identity": ("marina", {"up": "identity", "up_p": 0.3}),
    "marina, p = 1": ("marina", {"up": "rand-k:25%", "up_p": 1.0}),
    "marina-p, identity": ("marina-p", {"down": "identity", "down_p": 0.3}),
    "marina-p, p = 1": ("marina-p", {"down": "perm-k", "down_p": 1.0}),
    "m3, identity": (
        "m3",
        {"down": "identity", "up": "identity", "momentum": 1.0, "up_p": 0.3, "down_p": 0.3},
    ),
    "m3, p = 1": ("m3", {"momentum": 1.0, "up_p": 1.0, "down_p": 1.0}),
}


@pytest.mark.parametrize("where", CASES)
@pytest.mark.parametrize("label", COLLAPSED)
def test_what_compresses_nothing_is_gd(label, where):
    """Identity, p = 1 and β = 1 make every algorithm gd, over a whole trajectory."""
    name, options = COLLAPSED[label]
    case = CASES[where]
    parts = composition(name, case, **options)
    expected = gd_models(case, parts.gamma)
    assert_same_models(expected, models(parts, case.oracles, case.x0, ROUNDS, seed=3))


WAYS = ["direct", "memory", "error-feedback", "marina", "dasha"]


@pytest.mark.parametrize("where", ["quadratic", "d < n", "logistic"])
@pytest.mark.parametrize("down", [*WAYS, "single-memory"])
@pytest.mark.parametrize("up", WAYS)
def test_any_channels_with_the_identity_are_gd(up, down, where):
    """Free compositions: whatever is plugged together, what loses nothing is gd."""
    case = CASES[where]
    carried = ["model"] if down == "single-memory" else ["model", "update", "step"]
    expected = gd_models(case, STEP.value, 20)
    for down_carries in carried:
        for up_carries in ("gradient", "step"):
            options = {"up_channel": up, "down_channel": down, "up_carries": up_carries}
            options |= {"down_carries": down_carries}
            options |= {"up_p": 0.3} if up == "marina" else {}
            options |= {"down_p": 0.3} if down == "marina" else {}
            if down == "single-memory":
                options |= {"down_collection": "independent", "down_reset": 7}
            parts = composition("custom", case, **options)
            assert_same_models(expected, models(parts, case.oracles, case.x0, 20, seed=3))


ROUNDED = ("qsgd", "sign", "sketch")


@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_one_worker_of_one_dimension_is_gd_with_defaults(name):
    """For n = d = 1 there is nothing to leave out: every default is gd, given its step size.

    Rand-k keeps the one coordinate, perm-k has one block, and all probabilities are 1. Only a
    worker that is not always there, and scales that travel as 32-bit floats, make it differ.
    """
    case = CASES["one of each"]
    there = {"participation": "all"} if "-pp" in name else {}
    svrg = {"oracle": "svrg:b=1,p=0.5"} if name == "vr-diana" else {}
    certain = {"up_p": 1.0} if name.startswith("vr-marina") else {}
    parts = composition(name, case, **there, **svrg, **certain)
    expected = gd_models(case, parts.gamma)
    texts = f"{parts.up.compressor} {parts.down.compressor}"
    if not any(text in texts for text in ROUNDED):
        assert_same_models(expected, models(parts, case.oracles, case.x0, ROUNDS))
    elif "sketch" not in texts:
        actual = np.array(models(parts, case.oracles, case.x0, ROUNDS))
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-7)
    else:
        assert np.isfinite(models(parts, case.oracles, case.x0, ROUNDS)).all()
