"""The generic pair of roles: down channel, momentum, estimator, up channel, participation.

One round, as every algorithm of the five papers has it:

    server   x^{t+1} from ĝ^t, speaks through the down channel
    worker i w_i ≈ x^{t+1};  z_i ← β w_i + (1−β) z_i;  speaks g_i ≈ ∇f_i(z_i) through the up channel
    server   ĝ^{t+1} ≈ (1/n) Σ g_i

What the down channel carries decides how the server moves:

    model    x^{t+1} = x^t − γ_t ĝ^t whatever the channel loses; it carries x^{t+1}
    update   it carries ĝ^t, decoded û at both ends; x^{t+1} = x^t − γ_t û
    step     it carries γ_t ĝ^t, decoded ŝ at both ends; x^{t+1} = x^t − ŝ
    forward  it carries the mean of the uplink's messages as it came, not compressed again, and
             both ends decode û from it: for sketches, whose mean is one; x^{t+1} = x^t − γ_t û

The up channel carries the gradient g_i, or the step γ_t g_i: then ĝ^t is a step already and
no γ_t is applied again. Round 0 has no downlink vector: w⁰ = z⁰ = x⁰ is known to all (MARINA
Alg. 1 l. 1, MARINA-P Alg. 1 and 2 l. 1), so a START message begins it. The server moves, and
finds the words of the next round, where ĝ arrives, in `aggregate`: so `model` is the newest
point, and `downlink` only reads.
"""

from netcomp.algorithms.composed.composition import Composition, DownCarries, Roles, UpCarries
from netcomp.algorithms.composed.server import ComposedServer, ServerState
from netcomp.algorithms.composed.worker import ComposedWorker, WorkerState
from netcomp.roles import ServerRole, WorkerRole

__all__ = [
    "ComposedServer",
    "ComposedWorker",
    "Composition",
    "DownCarries",
    "Roles",
    "ServerState",
    "UpCarries",
    "WorkerState",
    "server_role",
    "worker_role",
]


def server_role(parts: Composition) -> ServerRole:
    """Return the server's role of a composition."""
    return ComposedServer(parts) if parts.roles is None else parts.roles.server(parts)


def worker_role(parts: Composition, worker: int) -> WorkerRole:
    """Return the role of one worker, numbered from 0."""
    if parts.roles is None:
        return ComposedWorker(parts, worker)
    return parts.roles.worker(parts, worker)
