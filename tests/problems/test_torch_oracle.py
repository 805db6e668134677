"""A module as f_i: gradients, purity, what training leaves behind, what is refused."""

import numpy as np
import pytest

from netcomp.data import Dataset, Shard
from netcomp.data.builtin import digits_ten
from netcomp.draw import Draw
from netcomp.errors import DataError, SpecError
from netcomp.problems import Cnn, TorchProblem
from netcomp.problems.torch import accuracy
from netcomp.roles import Batch

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn.functional import cross_entropy, mse_loss  # noqa: E402
from torch.utils.data import TensorDataset  # noqa: E402

ROWS, WIDTH, CLASSES = 24, 6, 3
KEY = Draw(3, 5, worker=1)


def shard(seed=1, rows=ROWS):
    rng = np.random.default_rng(seed)
    return Shard(rng.normal(size=(rows, WIDTH)), rng.integers(CLASSES, size=rows).astype(float))


def plain():
    return nn.Sequential(nn.Linear(WIDTH, 5), nn.Tanh(), nn.Linear(5, CLASSES))


def normed():
    return nn.Sequential(nn.Linear(WIDTH, 5), nn.BatchNorm1d(5), nn.Linear(5, CLASSES))


def dropping():
    return nn.Sequential(nn.Linear(WIDTH, 50), nn.Dropout(0.5), nn.Linear(50, CLASSES))


def problem(module=plain, **options):
    return TorchProblem(
        module=module, loss=cross_entropy, metrics={"accuracy": accuracy}, **options
    )


def made(module=plain, worker=0, rows=None, **options):
    """Return an oracle and its starting point."""
    one = problem(module, **options)
    oracle = one.oracle(rows or shard(), worker, 2, Draw(7))
    return oracle, one.x0(oracle.dim, Draw(7))


def batch(size=8, sub=0, **options):
    return Batch(size, KEY.at(sub=sub), **options)


def bits(gradient):
    return gradient.tobytes()


@pytest.mark.parametrize("module", [plain, normed, dropping])
def test_a_probes_gradient_is_that_of_the_loss(module):
    """Along random directions ∇f_i is the central difference of f_i, to 1e-8."""
    oracle, x = made(module, l2=0.1)
    oracle.gradient(x, batch())  # buffers that are not those of a fresh module
    loss, gradient, _ = oracle.probe(x)
    assert loss == oracle.loss(x)
    for seed in range(4):
        direction = np.random.default_rng(seed).normal(size=x.size)
        direction /= np.linalg.norm(direction)
        step = 1e-5 * direction
        slope = (oracle.loss(x + step) - oracle.loss(x - step)) / 2e-5
        assert slope == pytest.approx(gradient @ direction, abs=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_without_random_layers_a_full_gradient_is_the_probes(dtype):
    """In the dtype of x, in an array of its own, whatever the size of a chunk."""
    oracle, x = made()
    expected = oracle.probe(x.astype(dtype))[1]
    tolerance = 1e-6 if dtype is np.float32 else 1e-14
    for chunk in (1, 7, ROWS, 1000):
        found = made(chunk=chunk)[0].gradient(x.astype(dtype))
        assert dtype == found.dtype
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)
    first = oracle.gradient(x)
    kept = first.copy()
    oracle.gradient(x + 1.0)
    assert bits(kept) == bits(first)


def test_batches_are_means_over_their_rows():
    """A batch's gradient is that of a problem of its rows alone; all rows give the full one."""
    oracle, x = made()
    for chosen in (batch(), batch(40, replace=True)):
        rows = chosen.rows(ROWS)
        alone = made(rows=Shard(shard().features[rows], shard().targets[rows]))[0]
        np.testing.assert_allclose(alone.gradient(x), oracle.gradient(x, chosen), atol=1e-14)
    assert bits(oracle.gradient(x)) == bits(oracle.gradient(x, batch(ROWS)))
    with pytest.raises(ValueError, match="a batch of 25 from 24 rows"):
        oracle.gradient(x, batch(ROWS + 1))


@pytest.mark.parametrize("module", [plain, normed, dropping])
def test_the_same_point_batch_and_state_give_the_same_bits(module):
    """Nothing else decides: not the calls before, nor PyTorch's own generators and threads."""
    oracle, x = made(module)
    state = oracle.state()
    first = oracle.gradient(x, batch())
    oracle.gradient(2 * x, batch(sub=1))
    torch.manual_seed(99)
    torch.set_num_threads(2)
    before = torch.default_generator.get_state()
    oracle.restore(state)
    assert bits(first) == bits(oracle.gradient(x, batch()))
    oracle.probe(x)
    assert torch.equal(before, torch.default_generator.get_state())
    assert 2 == torch.get_num_threads()


def test_dropout_draws_from_the_batchs_key():
    """Another key another mask; in a gradient of all rows and in probes there is none."""
    oracle, x = made(dropping)
    masks = {bits(oracle.gradient(x, batch(ROWS, sub=sub))) for sub in range(4)}
    assert 4 == len(masks)
    np.testing.assert_allclose(oracle.gradient(x), oracle.probe(x)[1], atol=1e-14)
    assert bits(oracle.gradient(x)) not in masks


# Buffers


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_buffers_are_changed_by_gradients_and_by_nothing_else():
    """Probes, losses and metrics look at the running statistics and leave them alone."""
    oracle, x = made(normed)
    fresh = oracle.state()
    assert {"1.running_mean", "1.running_var", "1.num_batches_tracked"} == fresh.keys()
    untouched = oracle.loss(x)
    oracle.probe(x)
    oracle.metrics(x)
    assert same(fresh, oracle.state())
    oracle.gradient(x, batch())
    assert not same(fresh, oracle.state())
    assert untouched != oracle.loss(x)


def test_two_workers_in_one_process_share_no_buffers():
    """What one learns stays its own, even if the factory hands out one and the same module."""
    shared = normed()
    first, x = made(lambda: shared, worker=0)
    second, _ = made(lambda: shared, worker=1, rows=shard(2))
    before = second.state()
    first.gradient(x)
    assert same(before, second.state())
    second.gradient(x)
    assert not same(first.state(), second.state())
    assert same(before, made(lambda: shared)[0].state())


def test_a_module_that_writes_to_its_buffers_in_evaluation_is_held_back():
    """A probe changes nothing, whatever the module does."""

    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(WIDTH, CLASSES)
            self.register_buffer("seen", torch.zeros(()))

        def forward(self, inputs):
            self.seen += 1
            return self.linear(inputs)

    oracle, x = made(Counting)
    oracle.probe(x)
    assert 0.0 == oracle.state()["seen"]
    oracle.gradient(x, batch())
    assert 1.0 == oracle.state()["seen"]


def test_a_state_is_taken_back_exactly():
    """From a state on everything repeats; it is a copy; another module's is refused."""
    oracle, x = made(normed)
    oracle.gradient(x, batch(sub=1))
    state = oracle.state()
    oracle.gradient(2 * x, batch(sub=2))
    after, loss = oracle.state(), oracle.loss(x)
    oracle.restore(state)
    assert same(state, oracle.state())
    oracle.gradient(2 * x, batch(sub=2))
    assert same(after, oracle.state())
    assert loss == oracle.loss(x)
    with pytest.raises(ValueError, match=r"1\.running_var"):
        oracle.restore({name: one for name, one in state.items() if "var" not in name})
    with pytest.raises(ValueError, match=r"1\.running_mean has the shape \(5,\)"):
        oracle.restore(state | {"1.running_mean": np.zeros(4)})
    assert same(after, oracle.state())


def test_an_oracle_without_a_module_has_no_state():
    """The protocol's default: nothing to keep, and nothing to take."""
    from netcomp.problems import QuadraticHomogeneous  # noqa: PLC0415

    oracle = QuadraticHomogeneous(dim=3).oracle(None, 0, 1, Draw(1))
    assert {} == oracle.state()
    oracle.restore({})
    with pytest.raises(ValueError, match="no state"):
        oracle.restore({"mean": np.zeros(2)})


# Flat vectors


def test_parameters_and_gradients_are_views_of_one_vector_each():
    """In the order of module.parameters(), without a copy of their own, also after a pass."""
    oracle, x = made()
    oracle.gradient(x)
    parameters = list(oracle._flat.module.parameters())
    assert tuple(one.numel() for one in parameters) == oracle.layers
    assert sum(oracle.layers) == oracle.dim == x.size
    for tensors in (parameters, [one.grad for one in parameters]):
        starts = np.cumsum([0, *oracle.layers])[:-1] * 8 + tensors[0].data_ptr()
        assert starts.tolist() == [one.data_ptr() for one in tensors]


def test_the_starting_point_is_a_fresh_modules():
    """The same for every worker and on every call; what is no parameter to train is left out."""

    def half_frozen():
        module = plain()
        module[0].requires_grad_(requires_grad=False)
        return module

    _, x = made()
    assert bits(x) == bits(made(worker=1)[1])
    torch.manual_seed(5)
    assert bits(x) == bits(made()[1])
    assert bits(x) != bits(problem().x0(x.size, Draw(8)))
    oracle, part = made(half_frozen)
    assert bits(x[-oracle.dim :]) == bits(part)
    np.testing.assert_allclose(oracle.gradient(part), made()[0].gradient(x)[-part.size :])


# Rows


def test_accuracy_is_per_row():
    """The share of rows whose largest output is the target's."""
    oracle, x = made(chunk=7)
    W0, b0, W1, b1 = np.split(x, np.cumsum(oracle.layers)[:-1])
    inner = np.tanh(shard().features @ W0.reshape(5, WIDTH).T + b0)
    guesses = np.argmax(inner @ W1.reshape(CLASSES, 5).T + b1, axis=1)
    assert {"accuracy": np.mean(guesses == shard().targets)} == pytest.approx(oracle.metrics(x))


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("tensors", [False, True])
def test_a_data_set_of_ones_own_is_dealt_out_in_order(lazy, tensors):
    """Worker i of n holds the i-th part; the remainder is dropped and counted."""
    rng = np.random.default_rng(4)
    pairs = (torch.tensor(rng.normal(size=(11, 2))), torch.tensor(rng.normal(size=(11, 1))))
    data = TensorDataset(*pairs) if tensors else list(zip(*pairs, strict=True))
    own = TorchProblem(
        module=lambda: nn.Linear(2, 1), loss=mse_loss, dataset=(lambda: data) if lazy else data
    )
    assert not own.needs_data
    oracles = [own.oracle(None, worker, 2, Draw(1)) for worker in range(2)]
    assert [(5, 1)] * 2 == [(oracle.rows, oracle.dropped) for oracle in oracles]
    x = np.array([0.5, -1.0, 2.0])
    for worker, oracle in enumerate(oracles):
        part = slice(5 * worker, 5 * worker + 5)
        apart = pairs[0][part].numpy() @ x[:2] + x[2] - pairs[1][part].numpy()[:, 0]
        assert np.mean(apart**2) == pytest.approx(oracle.loss(x), rel=1e-14)


def test_csr_rows_are_those_of_the_dense_ones():
    """A sparse shard gives the same bits, whole and by batches."""
    sparse = pytest.importorskip("scipy.sparse")
    rows = shard()
    oracle, x = made()
    other, _ = made(rows=Shard(sparse.csr_matrix(rows.features), rows.targets))
    assert bits(oracle.gradient(x)) == bits(other.gradient(x))
    assert bits(oracle.gradient(x, batch())) == bits(other.gradient(x, batch()))


@pytest.mark.parametrize(
    ("options", "rows", "error", "text"),
    [
        ({}, None, DataError, "needs rows"),
        ({"shape": (2, 2)}, shard(), DataError, r"6 features cannot have the shape \(2, 2\)"),
        ({}, Shard(np.ones((2, 6)), np.array([0.5, 1])), DataError, "whole numbers from 0"),
        ({}, Shard(np.ones((2, 6)), np.array([-1.0, 1])), DataError, "whole numbers from 0"),
        ({"device": "nowhere"}, shard(), SpecError, r"^problem\.device: 'nowhere'"),
        ({"module": nn.Flatten}, shard(), SpecError, "no parameters to train"),
        ({"module": dict}, shard(), SpecError, r"made a dict, not a torch\.nn\.Module"),
        ({"dataset": []}, None, DataError, "needs rows"),
        ({"dataset": [(1, 2, 3)] * 2}, None, SpecError, "items of 3 parts"),
    ],
)
def test_what_cannot_be_is_refused_by_name(options, rows, error, text):
    """An error of the family netcomp raises on purpose, saying what would be right."""
    with pytest.raises(error, match=text):
        problem(**options).oracle(rows, 0, 2, Draw(1)).loss(np.zeros(53))


def test_a_starting_point_of_another_size_is_refused():
    """A server whose function makes another module than the workers' says so."""
    with pytest.raises(SpecError, match="the module has 53 parameters where d = 54"):
        problem().x0(54, Draw(1))


# The built-in network


def test_the_network_takes_squares_of_any_size():
    """8 × 8, 28 × 28 and three colours; d does not depend on the size of the images."""
    digits = Cnn().prepare(digits_ten())
    small = Cnn().oracle(digits.take(np.arange(4)), 0, 1, Draw(1))
    images = np.random.default_rng(1).random((4, 784))
    large = Cnn().oracle(Shard(images, np.arange(4.0)), 0, 1, Draw(1))
    assert 3818 == small.dim == large.dim == Cnn().x0(3818, Draw(1)).size
    colour = Cnn(colours=3).oracle(Shard(images[:, :768], np.arange(4.0)), 0, 1, Draw(1))
    assert 3818 + 2 * 8 * 9 == colour.dim
    for oracle in (small, large, colour):
        loss, gradient, metrics = oracle.probe(np.zeros(oracle.dim))
        assert np.log(10) == pytest.approx(loss)
        assert 0 < np.abs(gradient).max()
        assert {"accuracy": 0.25} == metrics


@pytest.mark.parametrize("options", [{}, {"norm": True}, {"dropout": 0.3}, {"norm": True, "l2": 1}])
def test_the_networks_gradient_is_that_of_its_loss(options):
    """By central differences, in evaluation mode."""
    one = Cnn(width=2, **options)
    oracle = one.oracle(one.prepare(digits_ten()).take(np.arange(30)), 0, 1, Draw(1))
    x = one.x0(oracle.dim, Draw(2))
    oracle.gradient(x, batch())
    gradient = oracle.probe(x)[1]
    direction = np.random.default_rng(1).normal(size=x.size)
    step = 1e-6 * direction
    slope = (oracle.loss(x + step) - oracle.loss(x - step)) / 2e-6
    assert slope == pytest.approx(gradient @ direction, rel=1e-5)


def test_labels_of_two_classes_are_taken_as_they_come():
    """-1 and +1 become 0 and 1, whichever of them a shard has; 0 … 9 stay."""
    features = np.ones((2, 64))

    def prepared(*labels):
        return Cnn().prepare(Dataset("x", features, np.array(labels, float), "")).targets.tolist()

    assert [[0, 1], [1, 1], [0, 0], [9, 0]] == [
        prepared(-1, 1),
        prepared(1, 1),
        prepared(-1, -1),
        prepared(9, 0),
    ]


@pytest.mark.parametrize(
    ("width", "labels", "text"),
    [
        (60, [0.0, 1.0], "60 features are no 1 square planes"),
        (64, [0.0, 10.0], "0 … 9"),
        (64, [0.5, 1.0], "0 … 9"),
        (64, [-1.0, 2.0], "0 … 9"),
        (1, [0.0, 1.0], "at least 2 × 2"),
    ],
)
def test_other_data_are_refused(width, labels, text):
    """Rows that are no images, and labels that are no classes."""
    with pytest.raises(DataError, match=text):
        Cnn().prepare(Dataset("x", np.ones((2, width)), np.array(labels), ""))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_gives_what_the_cpu_gives():
    """To float tolerance."""
    one = {device: made(device=device)[0] for device in ("cpu", "cuda")}
    _, x = made()
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-5)):
        point = x.astype(dtype)
        np.testing.assert_allclose(
            one["cpu"].gradient(point), one["cuda"].gradient(point), atol=tolerance
        )
