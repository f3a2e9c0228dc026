"""Show every house rule one small offender that it must catch, and one innocent that it must let pass."""

from __future__ import annotations

import pytest

from tests.house import rules, texts


def one(faults: list[str], *words: str) -> None:
    """Expect exactly one fault, with its fix, that contains all these words."""
    assert len(faults) == 1, faults
    assert "Fix: " in faults[0]
    for word in words:
        assert word in faults[0], faults[0]


def test_length() -> None:
    assert rules.length("a.py", "x = 1\n" * 400) == []
    one(rules.length("a.py", "x = 1\n" * 401), "401 lines", "at most 400")
    assert rules.length("a.py", "def f():\n" + "    x = 1\n" * 79) == []
    one(rules.length("a.py", "def f():\n" + "    x = 1\n" * 80), "f has 81 lines", "at most 80")
    one(rules.length("a.py", "class C:\n    async def g(self):\n" + "        x = 1\n" * 80), "a.py:2", "g has 81")


def test_parameters_count() -> None:
    names = ", ".join(f"p{i}" for i in range(12))
    assert rules.parameters("a.py", f"def f(*, {names}): ...") == []
    one(rules.parameters("a.py", f"def f(*, {names}, q): ..."), "takes 13 parameters")
    assert rules.parameters("a.py", f"class C:\n    def __init__(self, *, {names}): ...") == []
    one(rules.parameters("a.py", f"def _f({names}, q): ..."), "takes 13 parameters")
    verb = "src/plait/api/a.py"
    assert rules.parameters(verb, f"def f(*, {names}, q, r, s, t, u): ...") == []
    one(rules.parameters(verb, f"def f(*, {names}, q, r, s, t, u, v): ..."), "takes 18 parameters, at most 17")
    one(rules.parameters(verb, f"def _f({names}, q): ..."), "takes 13 parameters")


def test_parameters_by_position() -> None:
    assert rules.parameters("a.py", "def f(a, b=1): ...") == []
    assert rules.parameters("a.py", "def f(a, b, c, d, e, *, g=1): ...") == []
    assert rules.parameters("a.py", "def _f(a, b, c=1): ...") == []
    assert rules.parameters("a.py", "class C:\n    def g(self, a, b=1): ...") == []
    assert rules.parameters("a.py", "class F:\n    def forward(ctx, a, b, c, d, e, g): ...") == []
    one(rules.parameters("a.py", "def f(a, b, c=1): ..."), "takes c by position", "`*,` before c")
    one(rules.parameters("a.py", "class C:\n    def __init__(self, a, b, c=1): ..."), "takes c by position")
    one(rules.parameters("a.py", "def f(a, b, c, d, e, g): ..."), "takes 6 by position")
    assert rules.parameters("a.py", "def f(a):\n    def g(a, b, c=1): ...") == []


def test_constructor_kwargs() -> None:
    one(rules.constructor_kwargs("a.py", "class C:\n    def __init__(self, **options): ..."), "takes **options")
    one(rules.constructor_kwargs("a.py", "def make(**kw): ..."), "make takes **kw")
    assert rules.constructor_kwargs("a.py", "class _C:\n    def __init__(self, **kw): ...") == []
    assert rules.constructor_kwargs("a.py", "def _f(**kw): ...") == []


@pytest.mark.parametrize(
    ("where", "text", "words"),
    [
        (
            "nn/a.py",
            "from plait.fusion.two_tower.late import LateFusion",
            ("plait.fusion.two_tower", "nn may import core"),
        ),
        ("fusion/a.py", "def f():\n    from plait.heads import match", ("a.py:2", "plait.heads")),
        ("core/a.py", "import plait.nn.blocks", ("no other room",)),
        ("train/a.py", "from plait import fit", ("imports plait.fit", "name the room")),
        ("train/a.py", "from plait import api", ("plait.api", "train may import")),
        ("cli/verbs.py", "def f():\n    from plait.train.fit import fit", ("cli may import api",)),
        ("nn/a.py", "from ..core import types", ("relative import",)),
        ("data/a.py", "from PIL import Image", ("data/images.py",)),
        ("encoders/a.py", "def f():\n    import torchvision", ("stays out",)),
        ("encoders/a.py", "import transformers", ("inside the function",)),
        ("encoders/a.py", "try:\n    from datasets import load_dataset\nexcept ImportError:\n    pass", ("inside",)),
        ("core/config.py", "import torch", ("plait --help",)),
        ("cli/parser.py", "from torch import nn", ("plait --help",)),
        ("explain/a.py", "from plait.train.fit import fit", ("explain may import",)),
        ("runs/a.py", "from plait.compare.plan import Plan", ("runs may import",)),
        ("tasks/a/b.py", "from plait.runs.fit import fit_run", ("tasks may import",)),
        ("report/a.py", "from plait.train.feed import Feed", ("report may import core, data",)),
        ("__init__.py", "from plait.api import fit", ("may import tasks",)),
        ("fusion/a.py", "if TYPE_CHECKING:\n    from plait.train.fit import fit", ("fusion may import",)),
        ("magic/a.py", "x = 1", ("unknown room 'magic'",)),
    ],
)
def test_bad_imports_are_caught(where: str, text: str, words: tuple[str, ...]) -> None:
    one(rules.bad_imports(where, text), *words)


@pytest.mark.parametrize(
    ("where", "text", "words"),
    [
        ("train/a.py", 'if recipe.task == "mask": ...', ("names the task 'mask'",)),
        ("api/a.py", "from plait.tasks.mask.work import WORK", ("imports plait.tasks.mask.work",)),
        ("runs/a.py", "if model.gives_masks: ...", ("gives_masks is a switch",)),
        ("cli/a.py", "is_mask = found", ("is_mask is a switch",)),
        ("compare/a.py", "x = recipe.task == other", ("compares a task's name",)),
    ],
)
def test_switches_on_tasks_are_caught(where: str, text: str, words: tuple[str, ...]) -> None:
    faults = rules.task_names(where, text, {"mask": "", "match": ""})
    assert any(all(word in fault for word in words) and "Fix: " in fault for fault in faults), faults


def test_tasks_may_name_themselves() -> None:
    assert rules.task_names("tasks/mask/a.py", 'name = "mask"', {"mask": ""}) == []
    assert rules.task_names("train/a.py", "task = find_task(recipe.task)", {"mask": ""}) == []


def test_star_import_is_caught() -> None:
    faults = rules.bad_imports("nn/a.py", "from math import *")
    one(faults, "star import", "name what you need")


@pytest.mark.parametrize(
    ("where", "text"),
    [
        (
            "fusion/a.py",
            "from plait.core.types import Tokens\nfrom plait.nn import blocks\nfrom plait.fusion import late",
        ),
        ("data/images.py", "from PIL import Image"),
        ("encoders/hub/folder.py", "def f():\n    import transformers"),
        ("encoders/hub/folder.py", "if TYPE_CHECKING:\n    import transformers"),
        ("build.py", "from plait.fusion import FUSIONS\nfrom plait.model import FusionModel"),
        ("train/a.py", "from plait import __version__"),
        ("core/types.py", "import torch"),
        ("__init__.py", "if TYPE_CHECKING:\n    from plait.api import fit as fit"),
        ("cli/verbs.py", "def f():\n    from plait import api\n    import torch"),
    ],
)
def test_good_imports_pass(where: str, text: str) -> None:
    assert rules.bad_imports(where, text) == []


def test_cycles() -> None:
    known = frozenset({"plait.a", "plait.b", "plait.c"})
    a = rules.imported_modules("plait.a", "from plait.b import thing", known)
    b = rules.imported_modules("plait.b", "import plait.c", known)
    late = rules.imported_modules("plait.c", "def f():\n    from plait import a", known)
    early = rules.imported_modules("plait.c", "from plait import a", known)
    assert (a, b, late, early) == ({"plait.b"}, {"plait.c"}, set(), {"plait.a"})
    assert rules.cycles({"plait.a": a, "plait.b": b, "plait.c": late}) == []
    one(rules.cycles({"plait.a": a, "plait.b": b, "plait.c": early}), "plait.a -> plait.b -> plait.c -> plait.a")


def test_backward_calls() -> None:
    assert rules.backward_calls("a.py", "loss.total.backward()\nscaler.scale(x).backward(g)") == ["a.py:1", "a.py:2"]
    assert rules.backward_calls("a.py", "backward = 1\nname = 'x.backward()'") == []


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("import pickle", "pickle"),
        ("def f():\n    from joblib import load", "joblib"),
        ("torch.load(p)", "weights_only"),
        ("torch.load(p, weights_only=False)", "weights_only"),
        ("np.load(p, allow_pickle=True)", "unpickles"),
        ("eval(text)", "eval"),
    ],
)
def test_unsafe_loads(text: str, word: str) -> None:
    one(rules.unsafe_loads("a.py", text), word)
    assert rules.unsafe_loads("a.py", "torch.load(p, weights_only=True)\nnp.load(p)\nmodel.eval()") == []


def test_documentation() -> None:
    head = '"""A file."""\n__all__ = ["f"]\n'
    one(rules.documentation("a.py", '__all__ = ["f"]\ndef f():\n    """Do."""'), "no module docstring")
    one(rules.documentation("a.py", '"""A file."""\ndef f():\n    """Do."""'), "no __all__")
    one(rules.documentation("a.py", head + "def f(): ..."), "f has no docstring")
    one(rules.documentation("a.py", head + 'def f(x: Tensor):\n    """Do (quickly)."""'), "names no shape")
    one(rules.documentation("a.py", head + 'def f(x, *, y: Tensor | None):\n    """Do."""'), "names no shape")
    assert rules.documentation("a.py", head + 'def f(x: Tensor):\n    """Do it to x (B, N, D)."""') == []
    assert rules.documentation("a.py", head + 'def f(x: Tensor):\n    """Do it to x ()."""') == []
    assert rules.documentation("a.py", head + 'def f(x: dict[str, Tensor]):\n    """Do."""') == []
    assert rules.documentation("a.py", head + "def _g(): ...") == []
    layer = head + 'class f:\n    """A layer."""\n    def forward(self, x: Tensor):\n        """Go."""'
    one(rules.documentation("a.py", layer), "names no shape")
    assert rules.documentation("a.py", layer.replace("Go.", "Take (B, N, D) float.")) == []


@pytest.mark.parametrize("word", ["# TO" + "DO: later", "raise NotImplemented" + "Error", "a Place" + "holder text"])
def test_unfinished(word: str) -> None:
    one(texts.unfinished("a.py", "x = 1\n" + word), "a.py:2", "unfinished")
    assert texts.unfinished("a.html", "<input place" + 'holder="a sentence">') == []
    assert texts.unfinished("a.md", "the todos of a hacker") == []


@pytest.mark.parametrize(
    "words",
    ["each ru" + "ng", "pairs a " + "step", "captions_a" + "_photo", "what it sp" + "eaks of", "start a" + "new"],
)
def test_private_words(words: str) -> None:
    one(texts.private_words("a.py", f"x = 1\n# {words}."), "a.py:2", words.split()[-1])
    fine = "`cu" + "re` and 't2i_r1_lu" + "ck' are old names; a wrung towel, a brainstorm"
    assert texts.private_words("a.md", fine) == []


def test_machine_traces() -> None:
    one(texts.machine_traces("a.md", "see /home" + "/me/x"), "absolute path")
    one(texts.machine_traces("a.md", "see http:" + "//mirror/simple"), "'mirror'")
    one(texts.machine_traces("a.md", "see http:" + "//10.1.2.3:80/"), "'10.1.2.3'")
    one(texts.machine_traces("a.md", "run on tower-17", "tower-17"), "tower-17")
    fine = "https://arxiv.org/abs/1803.08024 http://127.0.0.1:8000 out/demo ../shared/data src/data/a.py /usr/bin/env"
    assert texts.machine_traces("a.md", fine, "tower-17") == []


def test_changelog() -> None:
    assert texts.missing_from_changelog("- `fit(recipe)` and `plait.load` are new", ["fit", "load"]) == []
    one(texts.missing_from_changelog("- fit is new", ["fit"]), "no `fit`")


def test_decisions() -> None:
    good = "# 1. A\n\nStatus: accepted\n\n## Context\n\n## Choice\n\n## Price\n"
    assert texts.decision_faults({"0001-a.md": good}) == []
    one(texts.decision_faults({"0002-a.md": good}), "expected the number 0001")
    one(texts.decision_faults({"0001-a.md": good.replace("Status: accepted", "Status: maybe")}), "no status")
    one(texts.decision_faults({"0001-a.md": good.replace("## Price", "")}), "no section 'Price'")
