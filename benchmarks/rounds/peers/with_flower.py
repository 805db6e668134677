"""Flower: FedAvg over gRPC, a NumPy client a process, telemetry off."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from typing import Any

os.environ["FLWR_TELEMETRY_ENABLED"] = "0"

import flwr
import numpy as np
from contest import Mean, answer, main

LARGEST = 2**31 - 1


class Client(flwr.client.NumPyClient):
    """Answers with the gradient of ½‖x‖²."""

    def fit(self, parameters: list[Any], _config: Any) -> tuple[list[Any], int, dict[str, Any]]:
        """Flower's callback."""
        x = parameters[0]
        return [np.frombuffer(answer(x, 0, x.size), np.float32)], 1, {}


def serve(mean: Mean, listening: Callable[[int], Any]) -> None:
    """Run a server; its strategy takes the step, the clock ticks where it is asked for x."""
    logging.disable()

    class Strategy(flwr.server.strategy.FedAvg):
        def configure_fit(self, **arguments: Any) -> Any:
            mean.message()
            return super().configure_fit(**arguments)

        def aggregate_fit(self, server_round: int, results: Any, failures: Any) -> Any:
            if failures or len(results) < mean.n:
                raise SystemExit(f"round {server_round}: {len(failures)} failures")
            for _, result in results:
                mean.take(flwr.common.parameters_to_ndarrays(result.parameters)[0])
            return flwr.common.ndarrays_to_parameters([mean.x]), {}

    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    listening(port)
    mean.head = 0
    flwr.server.start_server(
        server_address=f"127.0.0.1:{port}",
        config=flwr.server.ServerConfig(num_rounds=mean.rounds + mean.warm),
        grpc_max_message_length=LARGEST,
        strategy=Strategy(
            fraction_evaluate=0.0,
            min_fit_clients=mean.n,
            min_available_clients=mean.n,
            initial_parameters=flwr.common.ndarrays_to_parameters([mean.x]),
        ),
    )


def work(port: int, n: int, _d: int, _head: int) -> None:
    """Be n clients, each in a process."""
    logging.disable()
    for _ in range(n - 1):
        if os.fork() == 0:
            break
    flwr.client.start_client(
        server_address=f"127.0.0.1:{port}",
        client=Client().to_client(),
        grpc_max_message_length=LARGEST,
    )


if __name__ == "__main__":
    main(serve, work, ("flwr", "numpy"))
