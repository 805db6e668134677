"""The catalogue's rows as the twins run them, and the cases they run on."""

from netcomp.algorithms import ALGORITHMS, StepSize, compose
from support.cases import heterogeneous, logistic
from support.simulate import chosen

EXACT = 1e-12
NUMBER = StepSize(0.05, of_theory=False)

CASES = {
    "quadratic": heterogeneous(12, 4),
    "quadratic, n does not divide d": heterogeneous(13, 5),
    "quadratic, d < n": heterogeneous(3, 7),
    "nonconvex logistic": logistic(12, 4),
}

_NOISY = {"oracle": "minibatch:b=3"}
_TUNED = {"step_size": NUMBER}
_RAND = {"up": "rand-k:25%"}
_BOTH = {"up": "rand-k:25%", "down": "rand-k:25%"}
_FCC = {"up": "fcc:r=3(top-k:25%)", "down": "fcc:r=3(top-k:25%)", "oracle": "accumulate:r=3,b=2"}
_DEFAULT = _NOISY | _TUNED
_CHOICES = {
    "gd": {"gd": {}},
    "sgd": {"minibatch": _DEFAULT},
    "cgd": {"rand-k": _RAND, "one bit": {"up": "sign"} | _TUNED},
    "dcgd": {
        "rand-k": _RAND,
        "perm-k": {"up": "perm-k"} | _TUNED,
        "natural": {"up": "natural"},
        "both": {"up": "rand-k:50%+natural"},
    },
    "qsgd": {"default": _DEFAULT},
    "ec-sgd": {"top-k": {"up": "top-k:25%"}, "noisy": {"up": "top-k:25%"} | _DEFAULT},
    "mem-sgd": {"top-k": {"up": "top-k:25%"} | _NOISY},
    "signsgd-ef": {"default": _DEFAULT},
    "diana": {
        "rand-k": _RAND,
        "given alpha": {"up": "rand-k:50%", "up_alpha": 0.1} | _NOISY,
        "its program": {"preset": "mcm-program"},
    },
    "vr-diana": {"rand-k": _RAND | {"oracle": "svrg:b=3,p=0.3"} | _TUNED},
    "dasha": {"rand-k": _RAND, "given a": _RAND | {"up_alpha": 0.3} | _TUNED},
    "marina": {
        "rand-k": _RAND,
        "perm-k": {"up": "perm-k", "up_p": 0.2} | _TUNED,
        "given p": {"up": "rand-k:50%", "up_p": 0.3},
    },
    "vr-marina": {"rand-k": _RAND | {"oracle": "two-point:b=3", "up_p": 0.2} | _TUNED},
    "vr-marina-online": {
        "rand-k": _RAND | {"oracle": "two-point:b=2,whole=6", "up_p": 0.2} | _TUNED
    },
    "pp-marina": {
        "r = 2": _RAND | {"up_p": 0.2},
        "r = 1": _RAND | {"participation": "uniform:r=1"},
        "r > n": _RAND | {"participation": "uniform:r=11", "up_p": 0.3},
    },
    "marina-p": {
        "same": {"down": "rand-k:25%", "down_collection": "same"},
        "independent": {"down": "rand-k:25%", "down_collection": "independent"},
        "perm-k": {"down": "perm-k"},
        "groups": {"down": "rand-k:25%", "down_collection": "groups:3"},
    },
    "m3": {
        "Theorem 5.1": {},
        "same": {"down": "rand-k:50%", "down_collection": "same"},
        "given": {"up": "rand-k:50%", "up_p": 0.3, "down_p": 0.6, "momentum": 0.4},
    },
    "ef21": {"top-k": {"up": "top-k:25%"}},
    "ef21-p": {"top-k": {"down": "top-k:25%"}},
    "ef21-p+dcgd": {"rand-k": {"up": "rand-k:25%", "down": "top-k:25%"} | _TUNED},
    "ef21-bc": {"top-k": {"up": "top-k:25%", "down": "top-k:25%"} | _TUNED},
    "core": {"default": {"up": "sketch:m=50%"} | _TUNED},
    "artemis": {"default": _NOISY, "rand-k": _BOTH | _NOISY},
    "artemis-nd-direct": {"default": _DEFAULT, "rand-k": _BOTH | _DEFAULT},
    "artemis-nd-memory": {"default": _DEFAULT, "rand-k": _BOTH | _DEFAULT},
    "artemis-nd-update": {"default": _DEFAULT, "rand-k": _BOTH | _DEFAULT},
    "dore": {"default": _DEFAULT, "rand-k": _BOTH | _DEFAULT},
    "double-squeeze": {"top-k": {"up": "top-k:25%", "down": "top-k:25%"} | _DEFAULT},
    "neolithic": {"R = 3": _FCC | _TUNED},
    "neolithic-uni": {"R = 3": {k: v for k, v in _FCC.items() if k != "down"} | _TUNED},
    "mcm": {"default": _NOISY, "rand-k": _BOTH | _NOISY, "homogeneous": {"preset": "homogeneous"}},
    "rand-mcm": {"default": _NOISY, "rand-k": _BOTH | _NOISY},
    "rand-mcm-g": {"default": _NOISY, "rand-k": _BOTH | _NOISY | {"down_collection": "groups:3"}},
    "mcm-pp": {
        "default": _NOISY,
        "rand-k": _BOTH | _DEFAULT | {"down_alpha": 0.4},
        "rarely anybody": _BOTH | _DEFAULT | {"participation": "independent:p=0.1"},
    },
    "rand-mcm-pp": {
        "default": _NOISY,
        "rand-k": _BOTH | _DEFAULT | {"down_alpha": 0.4, "participation": "independent:p=0.2"},
    },
    "rand-mcm-pp-single": {"default": _NOISY, "rand-k": _BOTH | _DEFAULT | {"down_alpha": 0.4}},
    "rand-mcm-pp-reset": {
        "default": _NOISY | {"down_reset": 7},
        "rand-k": _BOTH | _DEFAULT | {"down_alpha": 0.4, "down_reset": 4},
    },
}
_CHOICES["dist-ef-sgd"] = _CHOICES["double-squeeze"]
ROWS = {(name, label): options for name, own in _CHOICES.items() for label, options in own.items()}
"""By name and label, what each row is run with."""


def planned(name, where, options):
    """Return a catalogue entry's plan and composition, values in f64."""
    case = CASES[where] if isinstance(where, str) else where
    rows = tuple(oracle.rows for oracle in case.oracles)
    choice = chosen(values="f64", **options)
    plan = ALGORITHMS.get(name).plan(choice, case.d, case.n, case.constants, rows)
    return plan, compose(plan)


def telling(name):
    """Return the options of a name's last row with rand-k, in which a mistake shows most."""
    own = [options for (row, _), options in ROWS.items() if row == name]
    return ([options for options in own if "rand-k" in str(options)] or own)[-1]
