"""`veneer train STYLE --cluster`: one training process on each of several nodes of Ray, with the same checkpoints."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from engines.errors import OptionsError
from engines.text import one_line


def train_on_cluster(address: str, nodes: int, loop: Callable[[], None]) -> None:
    """Run a training loop on several nodes at once, as `torchrun` does.

    Args:
        address: Of the cluster; "auto" for the one of this machine.
        nodes: Number of nodes; each has one process.
        loop: Runs in each process; its folders are reached by all nodes.

    Raises:
        OptionsError: There is no such cluster, or the training failed there.
    """
    from live.batch.ray_batch import connected  # imports what films need

    with connected(address):
        import ray
        from ray.train import RunConfig, ScalingConfig
        from ray.train.torch import TorchTrainer

        scaling = ScalingConfig(num_workers=nodes, use_gpu=ray.cluster_resources().get("GPU", 0) >= nodes)
        config = {"loop": loop}
        trainer = TorchTrainer(
            _in_one_process, train_loop_config=config, scaling_config=scaling, run_config=RunConfig()
        )
        try:
            trainer.fit()
        except Exception as error:  # Ray wraps what a process raised
            raise OptionsError("training on the cluster", one_line(_cause(error)), "continue with --resume") from None


def _in_one_process(config: dict[str, Any]) -> None:
    """Run the loop in a process of Ray, which looks to Fabric like one that `torchrun` started on a node of its own."""
    rank = os.environ["RANK"]
    os.environ.update(TORCHELASTIC_RUN_ID="ray", GROUP_RANK=rank, LOCAL_RANK="0", LOCAL_WORLD_SIZE="1")
    config["loop"]()


def _cause(error: BaseException) -> BaseException:
    """Return what a process raised."""
    failures = getattr(error, "worker_failures", None)
    cause = next(iter(failures.values())) if failures else getattr(error, "cause", None) or error.__cause__
    return error if cause is None else _cause(cause)
