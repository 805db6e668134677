"""What a theorem may look at, with the errors for what it cannot have."""

from __future__ import annotations

from dataclasses import dataclass, field

from netcomp.algorithms.estimators import Accumulate, Estimator, Full, TwoPoint
from netcomp.algorithms.participation import Everybody, Participation, Uniform
from netcomp.compressors import Collection, Compressor
from netcomp.constants import Constants
from netcomp.errors import SpecError

__all__ = ["Setting"]


@dataclass(frozen=True)
class Setting:
    """Sizes, compressors, constants, and what is settled so far (γ comes last).

    `rows` are the workers' numbers of rows, `rounds` the most the run may have.
    """

    by: str
    d: int
    n: int
    up: Compressor
    down: Compressor
    constants: Constants
    groups: int = 1
    rows: tuple[int, ...] = ()
    rounds: int | None = None
    estimator: Estimator = field(default_factory=Full)
    participation: Participation = field(default_factory=Everybody)
    p_up: float = 1.0
    p_down: float = 1.0
    alpha_up: float = 1.0
    alpha_down: float = 1.0
    eta_up: float = 1.0
    eta_down: float = 1.0
    beta: float = 1.0

    def constant(self, name: str) -> float:
        """Return a constant of the problem; raises `MissingConstant`."""
        return self.constants.need(name, self.by)

    @property
    def omega_up(self) -> float:
        """ω of the uplink's compressors; raises `SpecError` unless unbiased and independent."""
        if (self.up.correlated or self.up.shared) and self.n > 1:
            raise SpecError(
                "algorithm.up",
                f"{self.by} is for independent compressors, which those of {self.up} are not;"
                " give every parameter and a numeric step size to run it all the same",
            )
        return self.omega_each_up

    @property
    def omega_each_up(self) -> float:
        """ω of one worker's compressor, however it depends on the others'; raises `SpecError`."""
        return self._known(self.up.omega(self.d), "up", self.up, "an unbiased")

    @property
    def theta_up(self) -> float:
        """θ of the n uplink compressors as a collection; raises `SpecError` where it is biased."""
        theta = self.up.theta(self.d, self.n, "independent")
        return self._known(theta, "up", self.up, "an unbiased")

    @property
    def written_up(self) -> float:
        """How many workers write each coordinate of the uplink on average, of perm-k all alike."""
        return self.n * self.density_up / self.d

    @property
    def density_up(self) -> float:
        """ζ of the uplink's compressor: the expected number of coordinates it keeps, at most."""
        return self.up.density(self.d)

    @property
    def omega_down(self) -> float:
        """ω of the downlink's compressor; raises `SpecError` where it is biased."""
        return self._known(self.down.omega(self.d), "down", self.down, "an unbiased")

    @property
    def theta(self) -> float:
        """θ of the n downlink compressors as a collection."""
        collection: Collection = (
            "same" if self.groups == 1 and not self.down.correlated else "independent"
        )
        theta = self.down.theta(self.d, self.n, collection)
        if self.groups not in (1, self.n):
            # Groups of equal ones: independent among G only (MARINA-P Lemma A.5 otherwise).
            theta = self.down.omega(self.d)
        return self._known(theta, "down", self.down, "an unbiased")

    @property
    def delta_up(self) -> float:
        """δ of the uplink's compressor; raises `SpecError` unless it is contractive."""
        return self._known(self.up.delta(self.d), "up", self.up, "a contractive")

    @property
    def delta_down(self) -> float:
        """δ of the downlink's compressor; raises `SpecError` unless it is contractive."""
        return self._known(self.down.delta(self.d), "down", self.down, "a contractive")

    @property
    def m(self) -> int:
        """The rows of a worker, of the largest where they differ; raises `SpecError` for none."""
        if not any(self.rows):
            raise SpecError("problem.name", f"{self.by} needs workers that have rows of data")
        return max(self.rows)

    @property
    def b(self) -> int:
        """The batch size of one gradient (b' of a two-point one); all rows for the full one."""
        size = getattr(self.estimator, "b", None)
        return self.m if size is None else int(size.value)

    @property
    def whole(self) -> int | None:
        """B of a two-point estimator's whole vectors, None where they are full gradients."""
        size = self.estimator.whole if isinstance(self.estimator, TwoPoint) else None
        return None if size is None else size.value

    @property
    def accumulated(self) -> int:
        """R of an accumulating estimator, else 1."""
        return self.estimator.r if isinstance(self.estimator, Accumulate) else 1

    @property
    def r(self) -> int:
        """The draws of a uniform participation, else n."""
        return self.participation.r if isinstance(self.participation, Uniform) else self.n

    @property
    def most_rounds(self) -> int:
        """The most rounds; raises `SpecError` where the run has no such limit."""
        if self.rounds is None:
            raise SpecError("stop.rounds", f"{self.by} needs the number of rounds")
        return self.rounds

    def _known(self, value: float | None, way: str, compressor: Compressor, kind: str) -> float:
        if value is None:
            raise SpecError(
                f"algorithm.{way}",
                f"{self.by} needs {kind} compressor, which {compressor} is not;"
                " give every parameter and a numeric step size to run it all the same",
            )
        return value
