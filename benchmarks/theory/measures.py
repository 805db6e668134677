"""What the theorems bound, measured on a run."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.theory import bounds
from benchmarks.theory.checks import Run
from benchmarks.theory.setups import Setup
from netcomp.algorithms import Composition, Plan, theory
from netcomp.roles import Array

__all__ = [
    "average_gap",
    "diana_psi",
    "distance",
    "ef21_psi",
    "gap",
    "m3_psi",
    "marina_p_psi",
    "marina_psi",
    "mean_square",
]


def _square(v: Array) -> float:
    return float(v @ v)


def _mean_of_squares(rows: Array) -> float:
    return float((rows**2).sum(axis=1).mean())


def _stacked(run: Run, of: Any) -> Array:
    """Return what `of` gives of each worker after the last round, shape (n, d)."""
    return np.stack([of(worker) for worker in run.rounds[-1].workers])


def mean_square(run: Run) -> float:
    """Return (1/K) Σ_{k<K} ‖∇f(x^k)‖²."""
    return float(np.mean([_square(run.setup.gradients(one.x).mean(axis=0)) for one in run.rounds]))


def gap(run: Run) -> float:
    """Return f(x) − f* of the last model."""
    return run.setup.gap(run.rounds[-1].server.x)


def average_gap(run: Run) -> float:
    """Return f(x̄) − f* of the weighted average x̄^K of x⁰, …, x^K."""
    return run.setup.gap(run.rounds[-1].server.average)


def distance(run: Run) -> float:
    """Return ‖x − x*‖² of the last model."""
    return _square(run.rounds[-1].server.x - run.setup.solution)


def marina_psi(run: Run) -> float:
    """Return Φ^T = f(x^T) − f* + (γ/p)‖g^T − ∇f(x^T)‖² (MARINA, proof of Thm 2.2)."""
    last, plan = run.rounds[-1], run.plan
    error = last.server.up[0] - run.setup.gradients(last.x).mean(axis=0)
    return run.setup.gap(last.x) + plan.gamma / plan.up.p * _square(error)


def marina_p_psi(run: Run) -> float:
    """Return Ψ^T of MARINA-P Thm D.10."""
    last, plan, setup = run.rounds[-1], run.plan, run.setup
    apart = _stacked(run, lambda worker: worker.down[0]) - last.x
    L_A, L_B = setup.constant("L_A"), setup.constant("L_B")
    spread = L_A**2 * _mean_of_squares(apart) + L_B**2 * _square(apart.mean(axis=0))
    return setup.gap(last.x) + plan.gamma / plan.down.p * spread


def m3_psi(run: Run) -> float:
    """Return Ψ^T of MARINA-P Thm E.8."""
    last, plan, setup = run.rounds[-1], run.plan, run.setup
    z = _stacked(run, lambda worker: worker.z)
    w = _stacked(run, lambda worker: worker.down[0])
    at_z = np.mean([f.gradient(one) for f, one in zip(setup.oracles, z, strict=True)], axis=0)
    weights = bounds.m3_weights(
        gamma=plan.gamma,
        L_A=setup.constant("L_A"),
        L_B=setup.constant("L_B"),
        L_max=setup.constant("L_max"),
        omega_D=run.parts.up.compressor.omega(setup.d) or 0.0,
        p_P=plan.down.p,
        p_D=plan.up.p,
        beta=plan.beta,
        n=setup.n,
    )
    return (
        setup.gap(last.x)
        + weights["kappa"] * _square(last.server.up[0] - at_z)
        + weights["eta"] * _square(z.mean(axis=0) - w.mean(axis=0))
        + weights["nu"] * _mean_of_squares(z - w)
        + weights["rho"] * _square(w.mean(axis=0) - last.x)
        + weights["tau"] * _mean_of_squares(w - last.x)
    )


def ef21_psi(run: Run) -> float:
    """Return Ψ^T = f(x^T) − f* + (γ/θ)(1/n) Σ‖g_i^T − ∇f_i(x^T)‖² (EF21 Theorem 2)."""
    last, setup = run.rounds[-1], run.setup
    apart = _stacked(run, lambda worker: worker.up[0]) - setup.gradients(last.x)
    theta = theory.ef21_theta(run.parts.up.compressor.delta(setup.d) or 1.0)
    return setup.gap(last.x) + run.plan.gamma / theta * _mean_of_squares(apart)


def diana_psi(run: Run) -> float:
    """Return V^T of `diana_value`, with the h_i^T the workers hold."""
    shifts = _stacked(run, lambda worker: worker.up[0])
    return diana_value(run.setup, run.plan, run.parts, run.rounds[-1].server.x, shifts)


def diana_value(setup: Setup, plan: Plan, parts: Composition, x: Array, shifts: Array) -> float:
    """Return V = ‖x − x*‖² + Mγ²(1/n) Σ‖h_i − ∇f_i(x*)‖², M = 4ω/(nα) (arXiv 1905.11261)."""
    omega = parts.up.compressor.omega(setup.d) or 0.0
    weight = 4.0 * omega / (setup.n * plan.up.alpha) * plan.gamma**2
    return _square(x - setup.solution) + weight * _mean_of_squares(
        shifts - setup.gradients(setup.solution)
    )
