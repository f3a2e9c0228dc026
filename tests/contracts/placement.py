"""A mode that fails where a tensor is made without saying on which device: code that runs on a GPU must say it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

import pytest
import torch
from torch.overrides import TorchFunctionMode

__all__ = ["NoImplicitDevice"]

_TORCH = str(Path(torch.__file__).parent)
_FACTORIES = frozenset(
    {
        torch.arange,
        torch.as_tensor,
        torch.asarray,
        torch.bartlett_window,
        torch.blackman_window,
        torch.empty,
        torch.empty_strided,
        torch.eye,
        torch.full,
        torch.hamming_window,
        torch.hann_window,
        torch.kaiser_window,
        torch.linspace,
        torch.logspace,
        torch.normal,
        torch.ones,
        torch.rand,
        torch.randint,
        torch.randn,
        torch.randperm,
        torch.scalar_tensor,
        torch.tensor,
        torch.tril_indices,
        torch.triu_indices,
        torch.zeros,
    }
)
# These take the device of a tensor that they are given.
_FOLLOWING = frozenset({torch.as_tensor, torch.asarray, torch.normal})
# PyTorch shows these to no mode, and they know no device.
_CPU_ONLY = ("from_numpy", "frombuffer")


class NoImplicitDevice(TorchFunctionMode):
    """Fail when a tensor factory is called without `device=`, except by torch itself.

    `tensor.new_zeros(...)`, `torch.zeros_like(tensor)` and their like take the device of a tensor and are fine. So is
    everything that is made outside the `with` block, such as inputs and modules.

    Example:
        with NoImplicitDevice():
            learner.loss(batch).total.backward()
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func in _FACTORIES and kwargs.get("device") is None:
            follows = func in _FOLLOWING and any(isinstance(argument, torch.Tensor) for argument in args)
            if not follows:
                _refuse(sys._getframe(1), func.__name__, "give device=tensor.device, or use tensor.new_* or *_like")
        return func(*args, **kwargs)

    def __enter__(self) -> Self:
        self._patch = pytest.MonkeyPatch()
        for name in _CPU_ONLY:
            self._patch.setattr(torch, name, _watched(name, getattr(torch, name)))
        super().__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._patch.undo()


def _watched(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        _refuse(sys._getframe(1), name, "use torch.as_tensor(array, device=tensor.device)")
        return function(*args, **kwargs)

    return call


def _refuse(frame: FrameType, name: str, fix: str) -> None:
    if not frame.f_code.co_filename.startswith(_TORCH):
        raise AssertionError(f"{frame.f_code.co_filename}:{frame.f_lineno}: torch.{name} without device=; {fix}")
