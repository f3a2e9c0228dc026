"""The house rules as pure functions from source text to violations; each violation says where, what, and the fix."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

__all__ = [
    "FLOORS",
    "MAX_FILE_LINES",
    "MAX_FUNCTION_LINES",
    "MAX_PARAMETERS",
    "MAY_IMPORT",
    "TASK_FREE",
    "backward_calls",
    "bad_imports",
    "constructor_kwargs",
    "cycles",
    "documentation",
    "imported_modules",
    "length",
    "parameters",
    "task_names",
    "unsafe_loads",
]

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 80
MAX_PARAMETERS = 12
# The options of a verb are those of its command line, one by one, as users expect to write them.
MAX_VERB_PARAMETERS = 17
MAX_POSITIONAL = 5

# The floors of the house, lowest first; docs/rooms.md draws them. A room imports from floors below its own.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("core",),
    ("nn", "metrics", "objectives", "data"),
    ("encoders", "fusion", "heads", "doctor"),
    ("model",),
    ("build",),
    ("explain", "report"),
    ("audit", "train"),
    ("trained",),
    ("task",),
    ("tasks",),
    ("listing",),
    ("runs",),
    ("compare", "predict"),
    ("api",),
    ("demo",),
    ("cli", "studio"),
    ("__main__",),
)
# Rooms that see less than all that lies below them.
_LESS: Mapping[str, frozenset[str]] = {
    **{room: frozenset({"core", "nn"}) for room in ("encoders", "fusion", "heads")},
    "doctor": frozenset({"core", "data"}),
    "model": frozenset({"core", "nn", "encoders", "fusion", "heads"}),
    "explain": frozenset({"core", "nn", "metrics", "data", "model"}),
    "report": frozenset({"core", "metrics", "data", "explain"}),
    "cli": frozenset({"core", "metrics", "report", "task", "tasks", "listing", "api", "demo"}),
    "studio": frozenset({"core", "api"}),
    "__main__": frozenset({"cli"}),
}

# `compare --match params` gives equal budgets, and has the key "match" in files on disk; no task is meant.
_OTHER_MEANING = {(where, "match") for where in ("compare/budget.py", "compare/plan.py", "api/train.py")}
# A map belongs to an image and a caption, as a key of files on disk says; no task is meant.
_OTHER_MEANING |= {("explain/attention.py", "caption")}


def _may_import() -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {"__init__": frozenset({"tasks"})}
    below: set[str] = set()
    for floor in FLOORS:
        found |= {room: _LESS.get(room, frozenset(below)) for room in floor}
        below |= set(floor)
    return found


# Which rooms a room may import. A new room is a name in FLOORS and a section in docs/rooms.md.
MAY_IMPORT: Mapping[str, frozenset[str]] = _may_import()
# What iterates over tasks and never branches: these rooms name none.
TASK_FREE = frozenset(
    {"train", "trained", "task", "runs", "compare", "report", "predict", "audit", "explain", "api", "cli"}
)
_BANNED = {"torchvision", "timm", "open_clip", "matplotlib", "plotly", "seaborn", "sentence_transformers"}
_LATE = {"transformers", "datasets", "spacy", "skimage", "playwright"}
_PIL_HOMES = {"data/images.py", "explain/overlay.py"}
_LIGHT = {"__init__.py", "cli/__init__.py", "cli/parser.py", "listing.py", "task.py", "tasks/__init__.py"}
_LIGHT |= {f"core/{name}.py" for name in ("config", "errors", "tables", "metric", "ranges", "renamed", "show")}
_LIGHT |= {f"report/{name}.py" for name in ("terminal",)}
_UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
_SHAPE = re.compile(r"[Ss]hape|\((?:[A-Za-z0-9_'* +-]+,)[A-Za-z0-9_',* +-]*\)|\(\)")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def length(where: str, text: str) -> list[str]:
    """Hold files to 400 lines and functions, docstring included, to 80."""
    found = []
    lines = len(text.splitlines())
    if lines > MAX_FILE_LINES:
        found.append(f"{where}: {lines} lines, at most {MAX_FILE_LINES}. Fix: move one concept to a file of its own")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, Function):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MAX_FUNCTION_LINES:
                found.append(
                    f"{where}:{node.lineno}: {node.name} has {lines} lines, at most {MAX_FUNCTION_LINES}. "
                    "Fix: give a named step of it its own function"
                )
    return found


def parameters(where: str, text: str) -> list[str]:
    """Hold functions to 12 parameters, verbs of `api` to 17; in public ones options are keyword-only after the second.

    `self` and `cls` do not count. A public function takes at most five by position, all of them needed. Names that
    begin with an underscore are private, dunder methods are as public as their class.
    """
    found = []
    for node, public, method in _functions(ast.parse(text)):
        plain = [*node.args.posonlyargs, *node.args.args]
        if method and plain and plain[0].arg in ("self", "cls"):
            plain = plain[1:]
        total = len(plain) + len(node.args.kwonlyargs)
        at = f"{where}:{node.lineno}: {node.name}"
        most = MAX_VERB_PARAMETERS if where.startswith("src/plait/api/") and public else MAX_PARAMETERS
        if total > most:
            found.append(f"{at} takes {total} parameters, at most {most}. Fix: pass a ready part or record")
        if not public or (plain and plain[0].arg == "ctx"):  # autograd hands its functions everything by position
            continue
        optional = {a.arg for a in plain[len(plain) - len(node.args.defaults) :]} if node.args.defaults else set()
        late = [a.arg for a in plain[2:] if a.arg in optional]
        if late:
            found.append(f"{at} takes {', '.join(late)} by position. Fix: write `*,` before {late[0]}")
        elif len(plain) > MAX_POSITIONAL:
            found.append(
                f"{at} takes {len(plain)} by position, at most {MAX_POSITIONAL}. Fix: write `*,` after the second"
            )
    return found


def constructor_kwargs(where: str, text: str) -> list[str]:
    """Refuse `**kwargs` in public constructors and functions: it swallows a misspelt option in silence."""
    return [
        f"{where}:{node.lineno}: {node.name} takes **{node.args.kwarg.arg}. Fix: name each option"
        for node, public, _ in _functions(ast.parse(text))
        if public and node.args.kwarg is not None
    ]


def bad_imports(where: str, text: str) -> list[str]:
    """Check every import of one file of the package, those inside functions included.

    `where` is the path below the package, such as "fusion/late.py". See `MAY_IMPORT` for rooms; third-party rules are
    in docs/rooms.md.
    """
    room = _room(where)
    if room not in MAY_IMPORT:
        return [
            f"{where}: unknown room {room!r}. Fix: place it in MAY_IMPORT of tests/house/rules.py and docs/rooms.md"
        ]
    found = []
    tree = ast.parse(text)
    at_top = {id(node) for node in _outside_functions(tree)}
    # The root shows type checkers what it hands out late; nothing below it may look up, not even for types.
    seen = _outside_functions(tree) if where == "__init__.py" else ast.walk(tree)
    for node in seen:
        if isinstance(node, ast.ImportFrom):
            if node.level:
                found.append(f"{where}:{node.lineno}: relative import. Fix: from plait.... import ...")
                continue
            if any(alias.name == "*" for alias in node.names):
                found.append(f"{where}:{node.lineno}: star import. Fix: name what you need")
        for name in _targets(node):
            fix = _import_fault(where, room, name, id(node) in at_top)
            if fix:
                found.append(f"{where}:{_line(node)}: imports {name}. Fix: {fix}")
    return found


def _import_fault(where: str, room: str, name: str, at_top: bool) -> str:
    top, _, rest = name.partition(".")
    if top == "plait":
        target = rest.split(".")[0]
        if target in ("", "__version__", room) or target in MAY_IMPORT[room]:
            return ""
        if target not in MAY_IMPORT:
            return "name the room: `import plait` inside the package brings names from above"
        allowed = ", ".join(sorted(MAY_IMPORT[room])) or "no other room"
        return f"{room} may import {allowed}; meet in core/types, or be given the part as an argument"
    if top in _BANNED:
        return "stays out of the package; docs/decisions says why"
    if top == "PIL" and where not in _PIL_HOMES:
        return f"Pillow lives in {' and '.join(sorted(_PIL_HOMES))}; call those"
    if top in _LATE and at_top:
        return "slow or optional: import it inside the function that needs it"
    if top == "torch" and at_top and where in _LIGHT:
        return "this file is read by `plait --help`: import torch inside the function that needs it"
    return ""


def imported_modules(module: str, text: str, known: frozenset[str]) -> set[str]:
    """Give the modules of ours that `module` imports when it is loaded (not those inside functions)."""
    found = set()
    for node in _outside_functions(ast.parse(text)):
        for name in _targets(node):
            while name and name not in known:
                name = name.rpartition(".")[0]
            if name and name not in (module, "plait"):
                found.add(name)
    return found


def cycles(graph: Mapping[str, set[str]]) -> list[str]:
    """Name each ring of modules that import each other."""
    found, done = [], set()

    def visit(module: str, trail: list[str]) -> None:
        if module in trail:
            ring = [*trail[trail.index(module) :], module]
            found.append(f"import cycle {' -> '.join(ring)}. Fix: move what both need to the lower room")
            return
        if module in done:
            return
        for other in sorted(graph.get(module, ())):
            visit(other, [*trail, module])
        done.add(module)

    for module in sorted(graph):
        visit(module, [])
    return found


def backward_calls(where: str, text: str) -> list[str]:
    """Give where gradients are computed backwards: there is one training loop, so one such call in the package."""
    return [
        f"{where}:{node.lineno}"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "backward"
    ]


def task_names(where: str, text: str, tasks: Mapping[str, str]) -> list[str]:
    """Refuse the name of a task, and switches on what kind of task it is, in rooms that serve every task.

    A string constant that is a task's name, an import of `plait.tasks.NAME`, a comparison with `.task` or `["task"]`,
    and attributes or names like `gives_masks` and `is_mask` are such switches.
    """
    if _room(where) not in TASK_FREE:
        return []
    found = []
    switch = re.compile(rf"(?:gives|is|has)_(?:{'|'.join(tasks)})(?:s|es|ing)?$")
    for node in ast.walk(ast.parse(text)):
        at = f"{where}:{_line(node)}:"
        if isinstance(node, ast.Constant) and node.value in tasks and (where, node.value) not in _OTHER_MEANING:
            found.append(f"{at} names the task {node.value!r}. Fix: ask the task (plait.task) instead")
        for name in _targets(node):
            if name.startswith("plait.tasks.") and name.split(".")[2] in tasks:
                found.append(f"{at} imports {name}. Fix: find_task(name) and what plait.task says of it")
        spelled = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        if switch.search(spelled):
            found.append(f"{at} {spelled} is a switch on a task. Fix: a method or field of plait.task")
        if isinstance(node, ast.Compare) and re.search(r"(?:\.task|\[.task.\])(?:$| (?:==|!=|in))", ast.unparse(node)):
            found.append(f"{at} compares a task's name. Fix: a method or field of plait.task")
    return found


def unsafe_loads(where: str, text: str) -> list[str]:
    """Refuse every way of reading a file that can run code hidden in it."""
    found = []
    for node in ast.walk(ast.parse(text)):
        for name in _targets(node):
            if name.split(".")[0] in _UNSAFE_MODULES:
                found.append(f"{where}:{_line(node)}: imports {name}. Fix: safetensors or JSON")
        if not isinstance(node, ast.Call):
            continue
        call = ast.unparse(node.func)
        given = {k.arg: ast.unparse(k.value) for k in node.keywords}
        if call == "torch.load" and given.get("weights_only") != "True":
            found.append(f"{where}:{node.lineno}: torch.load without weights_only=True. Fix: add it")
        if given.get("allow_pickle") == "True":
            found.append(f"{where}:{node.lineno}: {call} unpickles. Fix: save plain arrays, leave allow_pickle out")
        if call in ("eval", "exec"):
            found.append(f"{where}:{node.lineno}: {call}. Fix: parse what you expect")
    return found


def documentation(where: str, text: str) -> list[str]:
    """Ask for a module docstring, `__all__`, a docstring for each name in it, and shapes where tensors are taken.

    A class may name its shapes in its own docstring or in its forward's. A shape is anything like (B, N, D) or ().
    """
    tree = ast.parse(text)
    found = [] if ast.get_docstring(tree) else [f"{where}: no module docstring. Fix: one line, what this file holds"]
    names = _all_names(tree)
    if names is None:
        if any(isinstance(n, Function | ast.ClassDef) and not n.name.startswith("_") for n in tree.body):
            found.append(f"{where}: no __all__. Fix: list the public names")
        return found
    for node in tree.body:
        if not isinstance(node, Function | ast.ClassDef) or node.name not in names:
            continue
        said = ast.get_docstring(node) or ""
        at = f"{where}:{node.lineno}: {node.name}"
        if not said:
            found.append(f"{at} has no docstring. Fix: one imperative line, then shapes, raises, source")
            continue
        inner = [node] if isinstance(node, Function) else [n for n in node.body if isinstance(n, Function)]
        forwards = [n for n in inner if isinstance(node, Function) or n.name in ("forward", "__call__")]
        if any(_takes_tensor(n) for n in forwards):
            said += "".join(ast.get_docstring(n) or "" for n in inner)
            if not _SHAPE.search(said):
                found.append(f"{at} takes tensors and names no shape. Fix: a `Shapes:` section such as (B, N, D) float")
    return found


def _functions(tree: ast.AST, public: bool = True, method: bool = False) -> Iterator[tuple[Function, bool, bool]]:
    """Walk all functions: (node, whether callers outside may use it, whether it is a method)."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function):
            open_name = not node.name.startswith("_") or (node.name.startswith("__") and method)
            yield node, public and open_name, method
            yield from _functions(node, False, False)
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node, public and not node.name.startswith("_"), True)
        else:
            yield from _functions(node, public, method)


def _outside_functions(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function | ast.Lambda) or _is_type_checking(node):
            continue
        yield node
        yield from _outside_functions(node)


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _targets(node: ast.AST) -> list[str]:
    """Give the dotted names an import statement may bind; `from a import b` gives "a.b"."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level:
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def _line(node: ast.AST) -> int:
    return getattr(node, "lineno", 0)


def _room(where: str) -> str:
    return where.split("/")[0].removesuffix(".py")


def _all_names(tree: ast.Module) -> list[str] | None:
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(t, ast.Name) and t.id == "__all__" for t in targets):
            value = getattr(node, "value", None)
            if isinstance(value, ast.List | ast.Tuple):
                return [str(e.value) for e in value.elts if isinstance(e, ast.Constant)]
            return []
    return None


def _takes_tensor(node: Function) -> bool:
    every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    hints = [ast.unparse(a.annotation) for a in every if a.annotation is not None]
    # A mapping of tensors by name, or a callable, has no one shape to state.
    return any(re.search(r"\bTensor\b", h) and not re.match(r"(?:dict|Mapping|Callable)\b", h) for h in hints)
