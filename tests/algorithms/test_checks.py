"""Compositions that are refused, that are doubted, and the presets that change the numbers."""

import pytest

from netcomp.algorithms import ALGORITHMS, StepSize, compose, doubts, theory
from netcomp.channels import Dasha, Direct, ErrorFeedback, Marina, Memory, SingleMemory
from netcomp.errors import SpecError
from support.cases import smooth
from support.simulate import chosen

D, N, ROWS = 30, 4, 40
KNOWN = smooth(1.0, 2.0, L=1.4, L_A=0.3, L_B=1.4, mu=0.01, calL=2.0, L_sample=3.0)
STEP = StepSize(0.1, of_theory=False)


def plan(name, n=N, **options):
    return ALGORITHMS.get(name).plan(chosen(**options), D, n, KNOWN, (ROWS,) * n)


def custom(**options):
    return compose(plan("custom", **{"step_size": STEP, **options}))


# Refusals

CARRIES, COLLECTION = "algorithm.down.carries", "algorithm.down.collection"
ORACLE, PARTICIPATION = "algorithm.oracle", "algorithm.participation"
UNIFORM, PRESENT = {"participation": "uniform:r=2"}, {"participation": "independent:p=0.5"}
FORWARD = {"up": "sketch:m=4", "down_carries": "forward"}
SINGLE = {"down_channel": "single-memory", "down": "natural"}
REFUSED = {
    "forward without a sketch": ({"down_carries": "forward"}, CARRIES),
    "forward of a memory": (FORWARD | {"up_channel": "memory", "up_alpha": 1.0}, CARRIES),
    "forward of steps": (FORWARD | {"up_carries": "step"}, CARRIES),
    "forward with momentum": (FORWARD | {"server_momentum": 0.5}, CARRIES),
    "forward of some": (FORWARD | PRESENT, CARRIES),
    "forward of draws": (FORWARD | UNIFORM, CARRIES),
    "an update each": ({"down_carries": "update", "down_collection": "independent"}, CARRIES),
    "a step in groups": ({"down_carries": "step", "down_collection": "groups:2"}, CARRIES),
    "an update by perm-k": ({"down_carries": "update", "down": "perm-k"}, CARRIES),
    "a single memory for an update": (
        SINGLE | {"down_carries": "update", "down_collection": "independent"},
        CARRIES,
    ),
    "a single memory for all": (SINGLE, COLLECTION),
    "a single memory for groups": (SINGLE | {"down_collection": "groups:2"}, COLLECTION),
    "dasha for each": ({"down_channel": "dasha", "down_collection": "independent"}, COLLECTION),
    "a single memory up": ({"up_channel": "single-memory"}, "algorithm.up.channel"),
    "two points without marina": ({"oracle": "two-point:b=2"}, ORACLE),
    "draws of a memory": (UNIFORM | {"up_channel": "memory"}, PARTICIPATION),
    "draws of error feedback": (UNIFORM | {"up_channel": "error-feedback"}, PARTICIPATION),
    "draws of dasha": (UNIFORM | {"up_channel": "dasha"}, PARTICIPATION),
    "draws of marina on one point": (UNIFORM | {"up_channel": "marina"}, ORACLE),
    "draws of svrg": (UNIFORM | {"oracle": "svrg:b=2"}, ORACLE),
    "some of marina": (PRESENT | {"up_channel": "marina"}, PARTICIPATION),
    "some of error feedback": (PRESENT | {"up_channel": "error-feedback"}, PARTICIPATION),
    "some of dasha": (PRESENT | {"up_channel": "dasha"}, PARTICIPATION),
    "some hear an update": (PRESENT | {"down_carries": "update"}, PARTICIPATION),
    "some hear marina": (PRESENT | {"down_channel": "marina"}, PARTICIPATION),
    "some hear error feedback": (PRESENT | {"down_channel": "error-feedback"}, PARTICIPATION),
    "some of a group": (
        PRESENT | {"down_channel": "memory", "down_collection": "groups:2"},
        PARTICIPATION,
    ),
    "some of perm-k": (PRESENT | {"up": "perm-k"}, PARTICIPATION),
    "some hear perm-k": (PRESENT | {"down": "perm-k", "down_channel": "memory"}, PARTICIPATION),
}


@pytest.mark.parametrize("label", REFUSED)
def test_what_does_not_fit_together_is_refused_by_field(label):
    """Every pair of parts that cannot work is a SpecError that names one of them."""
    options, field = REFUSED[label]
    with pytest.raises(SpecError) as caught:
        custom(**options)
    assert field == caught.value.field
    assert caught.value.reason


def test_ef21s_opening_needs_everybody():
    """A memory that opens with whole vectors has no mean of some of them."""
    with pytest.raises(SpecError, match="needs a direct or memory uplink") as caught:
        plan("ef21", step_size=STEP, **PRESENT)
    assert PARTICIPATION == caught.value.field


FITS = {
    "draws of a direct uplink": UNIFORM,
    "draws of two-point marina": UNIFORM | {"up_channel": "marina", "oracle": "two-point"},
    "some of a direct uplink": PRESENT,
    "some of memories": PRESENT | {"up_channel": "memory", "down_channel": "memory"},
    "some with a memory each": PRESENT
    | {"down_channel": "memory", "down_collection": "independent"},
    "some with a single memory": PRESENT | SINGLE | {"down_collection": "independent"},
    "groups of marina": {"down_channel": "marina", "down_collection": "groups:2"},
    "groups with errors": {"down_channel": "error-feedback", "down_collection": "groups:3"},
    "forwarded": FORWARD,
}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("custom", FORWARD | {"down": "natural"}),
        ("custom", FORWARD | {"down_channel": "memory"}),
        ("core", {"down": "natural"}),
        ("ef21-p+dcgd", FORWARD | {"down_alpha": 0.5}),
        ("core", {"down_channel": "direct"}),
    ],
)
def test_what_is_forwarded_is_not_compressed_again(name, options):
    """A compressor or channel of its own is refused, not ignored; the plan names the uplink's."""
    with pytest.raises(SpecError, match="has no place") as caught:
        plan(name, step_size=STEP, **options)
    assert "algorithm.down" == caught.value.field
    for made in (plan("core"), plan("ef21-p+dcgd", step_size=STEP, **FORWARD)):
        assert ("direct", "forward") == (made.down.channel, made.down.carries)
        assert made.up.compressor == made.down.compressor
        assert made.up.compressor.startswith("sketch")


@pytest.mark.parametrize("label", FITS)
def test_what_fits_together_is_composed(label):
    """The neighbours of what is refused are not."""
    assert N == custom(**FITS[label]).workers


# Free composition


@pytest.mark.parametrize(
    ("channel", "options", "expected"),
    [
        ("direct", {}, Direct),
        ("memory", {"up_alpha": 0.3}, Memory),
        ("error-feedback", {"up_eta": 0.3}, ErrorFeedback),
        ("marina", {"up_p": 0.3}, Marina),
        ("dasha", {"up_alpha": 0.3}, Dasha),
    ],
)
def test_custom_is_what_is_asked_for(channel, options, expected):
    """The channel named, with the parameter given."""
    up = custom(up_channel=channel, up="rand-k:k=3", **options).up
    assert expected is type(up)
    given = {vars(up).get(key) for key in ("alpha", "eta", "p", "a")} - {None}
    assert given == ({0.3} if options else set())


def test_what_custom_leaves_out_is_gds():
    """Direct both ways, identities, full gradients, everybody, a constant step: gd."""
    own, gd = plan("custom", step_size=STEP), plan("gd", step_size=STEP)
    assert compose(gd) == compose(own)


def test_a_channel_brings_its_usual_parameters():
    """P = 1/(1+ω), α = 1/(1+ω) or 1 for a contractive C, a = 1/(2ω+1); the entry's own stay."""
    omega = D / 3 - 1
    assert 1 / (1 + omega) == pytest.approx(custom(up_channel="marina", up="rand-k:k=3").up.p)
    assert 1 / (1 + omega) == pytest.approx(custom(up_channel="memory", up="rand-k:k=3").up.alpha)
    assert 1.0 == custom(up_channel="memory", up="top-k:k=3").up.alpha
    assert 1 / (1 + 2 * omega) == pytest.approx(custom(up_channel="dasha", up="rand-k:k=3").up.a)
    down = custom(**SINGLE, down_collection="independent").down
    assert isinstance(down, SingleMemory)
    assert (8 / 9, 0) == (pytest.approx(down.alpha), down.reset)
    assert 1 / (8 * omega) == pytest.approx(plan("mcm", down="rand-k:k=3").down.alpha)


def test_a_channel_exchanged_takes_the_theorem_away():
    """Another channel, or another thing carried: no theory step, and the guess without one."""
    for options in ({"up_channel": "memory"}, {"down_channel": "memory", "down": "natural"}):
        with pytest.raises(SpecError, match="the channels of marina were changed") as caught:
            plan("marina", step_size=StepSize(), **options)
        assert "algorithm.step_size" == caught.value.field
        assert plan("marina", **options).gamma > 0
    same = plan("marina", up_channel="marina", down_carries="model", step_size=StepSize())
    assert plan("marina") == same


def test_ef21_exchanged_opens_no_more():
    """`opens_whole` belongs to ef21's own memory."""
    assert plan("ef21").up.opens_whole
    assert not plan("ef21", up_channel="error-feedback", step_size=STEP).up.opens_whole


# Doubts

MEMORIES = {"up_channel": "memory", "down_channel": "memory"}
BIASED = "is biased; marina (MARINA Thm 2.1), dasha and memories with alpha < 1"
DOUBTS = {
    "marina of top-k": (
        {"up_channel": "marina", "up": "top-k:3", "up_p": 0.5},
        "algorithm.up: top-k:k=3",
        BIASED,
    ),
    "dasha of sign": (
        {"up_channel": "dasha", "up": "sign", "up_alpha": 0.1},
        "algorithm.up",
        BIASED,
    ),
    "a slow memory of top-k": (
        {"down_channel": "memory", "down": "top-k:3", "down_alpha": 0.5},
        "algorithm.down: top-k:k=3",
        BIASED,
    ),
    "top-k alone": ({"up": "top-k:3"}, "algorithm.up", "nothing corrects it"),
    "error feedback of rand-k": (
        {"up_channel": "error-feedback", "up": "rand-k:k=3"},
        "algorithm.up: rand-k:k=3",
        "is not contractive",
    ),
    "a full memory of rand-k": (
        {"down_channel": "memory", "down": "rand-k:k=3", "down_alpha": 1.0},
        "algorithm.down: rand-k:k=3",
        "scale it by 1/(1 + omega)",
    ),
    "marina of two batches": (
        {"up_channel": "marina", "up_p": 0.5, "oracle": "minibatch:b=2"},
        "algorithm.oracle",
        "two-point",
    ),
    "the model compressed": ({"down": "natural"}, "algorithm.down", "does not converge"),
    "momentum of some": (
        MEMORIES | PRESENT | {"server_momentum": 0.5},
        "algorithm.server_momentum",
        "partial participation",
    ),
    "draws of a direct uplink": (UNIFORM, "algorithm.participation: uniform:r=2", "MARINA Thm 4.1"),
    "some of a direct uplink": (
        MEMORIES | PRESENT | {"up_channel": "direct"},
        "algorithm.participation: independent:p=0.5",
        "MCM §4.1",
    ),
    "some of a direct downlink": (
        PRESENT | {"up_channel": "memory"},
        "algorithm.participation: independent:p=0.5",
        "memories both ways",
    ),
}


@pytest.mark.parametrize("label", DOUBTS)
def test_what_no_theorem_covers_is_said(label):
    """One sentence that begins with the field and says why."""
    options, field, reason = DOUBTS[label]
    (doubt,) = doubts(custom(**options), D)
    assert doubt.startswith(field)
    assert reason in doubt


def test_several_doubts_are_all_said():
    """Both directions at once."""
    options = {"up": "top-k:3", "down": "natural"}
    assert ["algorithm.up", "algorithm.down"] == [
        text.partition(":")[0] for text in doubts(custom(**options), D)
    ]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"up": "top-k:100%", "up_channel": "marina", "up_p": 0.5},
        {"up_channel": "error-feedback", "up": "rand-k:k=3,scaled=no"},
        {"up_channel": "error-feedback", "up": "rand-k:k=3", "up_eta": 0.1},
        {"up_channel": "memory", "up": "top-k:3"},
        {"up_channel": "memory", "up": "rand-k:k=3"},
        {"up_channel": "marina", "up": "natural", "oracle": "two-point:b=2"},
        {"down_carries": "update", "down": "natural"},
        {"server_momentum": 0.5},
        MEMORIES | PRESENT,
        MEMORIES | PRESENT | {"down_collection": "independent"},
        UNIFORM | {"up_channel": "marina", "up": "natural", "oracle": "two-point:b=2"},
    ],
)
def test_what_theorems_cover_is_not_doubted(options):
    """Contractive where that is asked, unbiased where that is: nothing to say."""
    assert [] == doubts(custom(**options), D)


@pytest.mark.parametrize("name", sorted(set(ALGORITHMS.names()) - {"custom"}))
def test_the_catalogue_is_not_doubted(name):
    """The papers' own defaults raise no doubt, but for the row that is there to fail."""
    found = doubts(compose(plan(name)), D)
    expected = {"artemis-nd-direct": ["algorithm.down"], "artemis-nd-memory": ["algorithm.down"]}
    # Marina(p = 0) on the model is no theorem's either, but its compressor is unbiased.
    assert expected.get(name, []) == [text.partition(":")[0] for text in found]


def test_one_worker_may_be_biased():
    """Compressed gradient descent of one worker needs no correction (Beznosikov et al. §3)."""
    assert [] == doubts(compose(plan("cgd", n=1, up="top-k:3", step_size=STEP)), D)


# Presets


def test_presets_are_the_programs_and_theorems_they_are_named_after():
    """The numbers of each preset, recomputed."""
    omega = D / 3 - 1
    both = {"up": "rand-k:k=3", "down": "rand-k:k=3"}
    program = plan("mcm", preset="mcm-program", **both)
    alpha = theory.mcm_alpha_up(omega)
    assert (alpha, alpha, 1 / 2.0) == (program.up.alpha, program.down.alpha, program.gamma)
    assert 0.0 == plan("mcm", preset="homogeneous").up.alpha
    assert plan("mcm").gamma == plan("mcm", preset="homogeneous").gamma
    diana = plan("diana", preset="mcm-program", up="rand-k:k=3")
    assert (alpha, 1 / 2.0) == (diana.up.alpha, diana.gamma)
    rms, p = KNOWN.need("L_rms", ""), 3 / D
    pl = plan("marina", preset="pl", up="rand-k:k=3")
    assert theory.marina_pl_step(rms, 0.01, omega, p, N) == pytest.approx(pl.gamma)
    b1 = plan("cgd", n=1, preset="b1", up="top-k:3")
    assert 1 / (1.4 * 1.0) == pytest.approx(b1.gamma)
    for name in ("artemis", "dore"):
        assert 1 / 2.0 == plan(name, preset="mcm-program").gamma


def test_what_is_given_beats_the_preset():
    """A number of the user's own is kept."""
    made = plan("mcm", preset="mcm-program", up_alpha=0.3, step_size=STEP)
    assert (0.3, 0.1) == (made.up.alpha, made.gamma)


@pytest.mark.parametrize("part", ["i", "ii", "iii"])
def test_regimes_bring_their_step_schedule_and_average(part):
    """Theorem 21's schedules by name; a step size scales or replaces theirs, an average too."""
    name = f"theorem-21-{part}"
    made = plan("ec-sgd", up="top-k:3", schedule=name)
    averages = {"i": "linear", "ii": "geometric", "iii": "equal"}
    assert averages[part] == made.average.partition(":")[0]
    assert ("inverse" if part == "i" else "constant") == made.schedule.partition(":")[0]
    twice = plan("ec-sgd", up="top-k:3", schedule=name, step_size=StepSize.parse("2*theory"))
    assert 2 * made.gamma == pytest.approx(twice.gamma)
    own = plan("ec-sgd", up="top-k:3", schedule=name, step_size=STEP, average="none")
    assert (0.1, "none", made.schedule) == (own.gamma, own.average, own.schedule)
