"""Device placement, tested without a GPU: no tensor may be made on the default device by leaving the device out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

__all__ = ["FACTORIES", "NoImplicitDevice"]

FACTORIES: frozenset[Callable[..., Any]] = frozenset(
    {
        torch.arange,
        torch.empty,
        torch.eye,
        torch.full,
        torch.linspace,
        torch.ones,
        torch.rand,
        torch.randint,
        torch.randn,
        torch.randperm,
        torch.tensor,
        torch.zeros,
    }
)


class NoImplicitDevice(TorchFunctionMode):
    """While active, a tensor factory that is called without `device=` fails the test."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in FACTORIES and kwargs.get("device") is None:
            raise AssertionError(
                f"torch.{func.__name__} without device=: the tensor would be on the default device, wherever the "
                "model is; pass the device of a tensor that it meets"
            )
        return func(*args, **kwargs)
