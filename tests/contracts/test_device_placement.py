"""Everything that computes makes its tensors where its inputs are, and nothing is brought to the CPU by name."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import plait
from plait.core.tables import load_entry
from plait.core.types import (
    AnswerLogits,
    AnswerTarget,
    Batch,
    CaptionLogits,
    ClassLogits,
    Fused,
    Level,
    MaskLogits,
    MaskTarget,
    Tokens,
)
from plait.encoders import ADAPTERS
from plait.encoders.choose import adapter
from plait.encoders.cnn import SmallCnn
from plait.encoders.vit import SmallVit
from plait.encoders.words.gru import WordGru
from plait.encoders.words.transformer import WordTransformer
from plait.heads.mask import SpatialDecoder, VectorDecoder
from plait.heads.match import LogitHead, SimilarityHead
from plait.nn.attention import MultiHeadAttention, attend_rows
from plait.nn.blocks import CrossBlock, SelfBlock
from plait.nn.dropout import Dropout
from plait.nn.pairs import cosine_similarities, max_similarities, pool_similarities, stacked_similarities
from plait.nn.pooling import AttentionPool, GeneralisedPool, masked_max, masked_mean
from plait.nn.positions import sinusoid_1d, sinusoid_2d
from plait.nn.precision import Precision, autocast_context
from plait.objectives import OBJECTIVES
from plait.objectives.contrastive import InfoNCE
from plait.objectives.match import Matching
from tests.contracts.placement import NoImplicitDevice
from tests.train.toys import toy_feed, toy_learner

PACKAGE = Path(plait.__file__).parent
WIDTH = 16


@pytest.fixture(params=["fp32", "bf16"], autouse=True)
def precision(request: pytest.FixtureRequest) -> Iterator[Precision]:
    """Run the test at this precision, whatever the machine prefers."""
    with autocast_context(request.param):
        yield request.param


def hold(run: Callable[[], Tensor]) -> None:
    """Compute something, and its gradients where it has any, without a tensor of unsaid device."""
    with NoImplicitDevice():
        found = run()
        if found.requires_grad:
            found.float().sum().backward()


def tokens(rows: int = 3, count: int = 4, *, grid: bool = False) -> Tokens:
    """Give random tokens of the common width; without a grid the last one of some rows is padding."""
    valid = torch.ones(rows, count, dtype=torch.bool)
    if not grid:
        valid[1:, -1] = False
    values = torch.randn(rows, count, WIDTH, requires_grad=True)
    return Tokens(values, valid, grid=(2, count // 2) if grid else None, pooled=torch.randn(rows, WIDTH))


@pytest.mark.parametrize("kernel", [partial(stacked_similarities, temperature=9.0), max_similarities])
@pytest.mark.parametrize("rows", [3, 0])
def test_kernels_of_all_pairs(kernel: Callable[..., Tensor], rows: int) -> None:
    text, image = tokens(), tokens(2, 6)
    text = text.take(slice(rows))
    hold(lambda: kernel(text.values, text.valid, image.values, image.valid))
    hold(
        lambda: pool_similarities(
            kernel(image.values, image.valid, text.values, text.valid), text.valid.any(), pool="lse"
        )
    )


def test_cosines_positions_and_dropout() -> None:
    one, other = torch.randn(3, WIDTH, requires_grad=True), torch.randn(2, WIDTH)
    hold(lambda: cosine_similarities(one, other))
    hold(lambda: sinusoid_1d(5, 4, device=one.device))
    hold(lambda: sinusoid_2d((2, 3), 8, device=one.device))
    hold(lambda: Dropout(0.5).train()(one))


@pytest.mark.parametrize("pool", [masked_mean, masked_max, AttentionPool(WIDTH), GeneralisedPool()])
def test_pools(pool: Callable[[Tensor, Tensor], Tensor]) -> None:
    given = tokens()
    hold(lambda: pool(given.values, given.valid))


def test_attention_and_blocks() -> None:
    query, key = tokens(), tokens(3, 6)
    attention, cross, own = MultiHeadAttention(WIDTH), CrossBlock(WIDTH, dropout=0.1), SelfBlock(WIDTH, dropout=0.1)
    row = torch.tensor([2, 0, 1])
    hold(lambda: attention(query.values, key.values, key.valid)[0])
    hold(lambda: attention(query.values, key.values, key.valid, row=row)[0])
    heads = [part.values.unflatten(-1, (2, -1)) for part in (query, key)]
    hold(lambda: attend_rows(heads[0], heads[1], heads[1], key.valid, row))
    hold(lambda: cross(query.values, key.values, key.valid)[0])
    hold(lambda: cross.forward_rows(query.values, query.valid, key.values, key.valid, row))
    hold(lambda: own(query.values, query.valid))


@pytest.mark.parametrize("encoder", [WordGru(9, width=WIDTH), WordTransformer(9, width=WIDTH, heads=2)])
def test_text_encoders(encoder: nn.Module) -> None:
    ids = torch.tensor([[1, 4, 5, 2], [1, 6, 2, 0]])
    hold(lambda: encoder(ids, ids > 0).values)


@pytest.mark.parametrize("encoder", [SmallVit(width=WIDTH, depth=1, heads=2), SmallCnn(width=32)])
def test_image_encoders(encoder: nn.Module) -> None:
    pixels = torch.randn(2, 3, 32, 32)
    hold(lambda: encoder(pixels).values)


@pytest.mark.parametrize("name", ADAPTERS)
def test_adapters(name: str) -> None:
    made = adapter(name, {}, width_in=WIDTH, width=WIDTH, pooled_width_in=WIDTH, modality="image")
    given = tokens(grid=True)
    hold(lambda: made(given).values)


def test_heads_of_matching() -> None:
    text, image = tokens(), tokens(3, 4)
    logit = LogitHead(WIDTH, pool="attention")
    hold(lambda: SimilarityHead()(Fused(text, image)).values)
    hold(lambda: logit(Fused(text, image)).values)


def test_heads_of_masks() -> None:
    level = Level(torch.randn(3, 16, 8), (4, 4))
    grid = tokens(3, 4, grid=True)
    image = Tokens(grid.values, grid.valid, grid=grid.grid, levels=(level,))
    spatial, vector = SpatialDecoder(WIDTH, skips=(8,), channels=16), VectorDecoder(WIDTH, channels=8, side=14)
    fused = Fused(tokens(), image)
    hold(lambda: spatial(fused).values)
    hold(lambda: vector(fused).values)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objectives(name: str) -> None:
    if name == "match":
        objective: nn.Module = Matching(InfoNCE(), given=2)
    else:
        entry = OBJECTIVES[name]
        objective = load_entry(entry)(**(entry.options or {}))
    group, scores = torch.tensor([0, 1, 1, 2]), torch.randn(4, 4, requires_grad=True)
    takes = OBJECTIVES[name].takes
    if takes == "MatchScores":
        scored = (lambda text, image: scores[image, text],) if name == "match" else ()
        hold(lambda: objective(scores, group, *scored).total)
        return
    grid, rows = torch.randn(4, 3, 3, requires_grad=True), torch.randn(4, 5, requires_grad=True)
    mask = MaskTarget(torch.rand(4, 3, 3).round(), torch.ones(4, 3, 3, dtype=torch.bool))
    read = {
        "MaskLogits": (MaskLogits(grid), mask),
        "CaptionLogits": (CaptionLogits(grid, grid.softmax(-1)), torch.tensor([[1, 2, 0]] * 4)),
        "ClassLogits": (ClassLogits(rows), group),
        "AnswerLogits": (AnswerLogits(rows), AnswerTarget(torch.rand(4, 5), torch.tensor([0, -1, 4, 2]))),
    }
    hold(lambda: objective(*read[takes]).total)


@pytest.mark.parametrize("fusion", ["late", "scan_t2i", "cross"])
def test_the_loss_of_a_batch(fusion: str, tmp_path: Path) -> None:
    learner = toy_learner(fusion)
    feed = toy_feed(learner, tmp_path)
    batch = feed.batch(feed.order(0, 0, 8)[0], seed=0, epoch=0)
    hold(lambda: learner.loss(batch).total)


def test_a_feed_puts_all_it_gives_where_the_learner_is(tmp_path: Path) -> None:
    learner = toy_learner()
    feed = toy_feed(learner, tmp_path)
    rows = feed.order(0, 0, 8)[0]
    learner.to("meta")  # a device that is nowhere: its tensors have shapes alone
    assert devices_of(feed.batch(rows, seed=0, epoch=0)) == {"meta"}
    assert devices_of(feed.encode_texts(np.arange(3))) == {"meta"}
    assert devices_of(feed.encode_images([0, 5])) == {"meta"}


def devices_of(record: Batch | Tokens | Tensor) -> set[str]:
    """Give where the tensors of a record are, those of records inside it too."""
    if isinstance(record, Tensor):
        return {record.device.type}
    parts = [part for part in vars(record).values() if isinstance(part, Tensor | Tokens)]
    return set().union(*(devices_of(part) for part in parts))


# Where a device may be named: the files that choose one.
CHOOSES = {"nn/devices.py", "nn/precision.py", "train/hardware.py"}
# What these make arrays of was read from files, and is in main memory.
READS_FILES = ("data/", "runs/", "compare/", "tasks/mask/targets.py")


def sources() -> list[tuple[str, ast.Module]]:
    """Give the package's files, by their path below it."""
    paths = sorted(PACKAGE.rglob("*.py"))
    return [(path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))) for path in paths]


def arrays_without_cpu(tree: ast.Module) -> list[int]:
    """Give the lines of `.numpy()` without `force=True` that no `.cpu()` precedes in the same function."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    found = []
    for call in (node for node in ast.walk(tree) if is_method(node, "numpy")):
        around = [f for f in functions if f.lineno <= call.lineno <= (f.end_lineno or 0)]
        inside = max(around, key=lambda f: f.lineno, default=tree)
        moved = any(is_method(node, "cpu") and node.lineno <= call.lineno for node in ast.walk(inside))
        if not moved and "force=True" not in ast.unparse(call):
            found.append(call.lineno)
    return found


def test_a_tensor_leaves_its_device_before_it_becomes_an_array() -> None:
    wrong = [
        f"{where}:{line}"
        for where, tree in sources()
        if not where.startswith(READS_FILES)
        for line in arrays_without_cpu(tree)
    ]
    assert wrong == [], "write .cpu().numpy(): a tensor of another device cannot become an array"


def test_no_device_is_named_except_where_one_is_chosen() -> None:
    wrong = [f"{where}:{line}" for where, tree in sources() if where not in CHOOSES for line in named_devices(tree)]
    assert wrong == [], "take the device of a tensor, or that of the feed"


def named_devices(tree: ast.Module) -> list[int]:
    """Give the lines of calls that name a device: `.to("cuda")`, `device="cpu"`, `torch.device("cpu")`, `.cuda()`."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            named = [keyword.value for keyword in node.keywords if keyword.arg == "device"]
            if ast.unparse(node.func) in ("torch.device", "torch.autocast") or is_method(node, "to"):
                named += node.args[:1]
            if is_method(node, "cuda") or any(is_device_name(value) for value in named):
                found.append(node.lineno)
    return found


def test_both_rules_find_what_they_look_for() -> None:
    assert arrays_without_cpu(ast.parse("def f(a):\n return a.float().numpy()")) == [2]
    assert arrays_without_cpu(ast.parse("def f(a):\n b = a.cpu()\n return b.numpy()")) == []
    assert arrays_without_cpu(ast.parse("def f(a):\n return a.numpy(force=True)")) == []
    assert arrays_without_cpu(ast.parse("def f(a):\n a.cpu()\ndef g(a):\n return a.numpy()")) == [4]
    text = "a.to('cuda:1')\nb(device='cpu')\ntorch.device('mps')\na.cuda()\na.to(b.device)\nfit(device='auto')"
    assert named_devices(ast.parse(text)) == [1, 2, 3, 4]


def is_method(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == name


def is_device_name(value: ast.expr) -> bool:
    return (
        isinstance(value, ast.Constant)
        and isinstance(value.value, str)
        and value.value.partition(":")[0] in ("cpu", "cuda", "mps")
    )
