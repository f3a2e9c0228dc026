"""A short name for the weights of a module, by their content."""

from __future__ import annotations

import hashlib

import torch
from torch import nn

__all__ = ["weights_digest"]


def weights_digest(module: nn.Module) -> str:
    """Give the SHA-256 of a module's state: names, types, shapes and bytes of its tensors, in the order of names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
