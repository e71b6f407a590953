"""Find generators by name: every module of `engines.generators` that assigns a `SPEC`.

Specs are read from the source text. Importing a generator imports PyTorch, which takes seconds and is not installed
everywhere, while command lines and style cards need names, bounds and steps only.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib
import pkgutil
import re
import threading
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines import generators
from engines.errors import EngineError, OptionsError
from engines.generators.spec import Argument, GeneratorSpec
from engines.text import did_you_mean, first_line

if TYPE_CHECKING:
    from torch import nn

_PACKAGE = generators.__name__
_NAME = re.compile(r'^SPEC = GeneratorSpec\(\s*(?:name=)?"([^"]+)"', re.MULTILINE)
_MAX_PARSES = 20
_PARSER_IN_USE = threading.Lock()
_CLASSES = {"Argument": Argument, "GeneratorSpec": GeneratorSpec}


def generator_names() -> tuple[str, ...]:
    """Return the names of all generators, sorted."""
    return tuple(sorted(_modules()))


def generator_specs() -> tuple[GeneratorSpec, ...]:
    """Return the specs of all generators, sorted by name."""
    return tuple(map(generator_spec, generator_names()))


def generator_spec(name: str) -> GeneratorSpec:
    """Return the spec of one generator.

    Raises OptionsError if no generator has this name; EngineError if its `SPEC` is not made of literals.
    """
    path = _path(_module(name))
    return _spec_in(path, _version(path))


@lru_cache
def _spec_in(path: Path, _version: tuple[int, int]) -> GeneratorSpec:
    for node in _parsed(path.read_bytes()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SPEC":
            try:
                spec = _evaluate(node.value)
            except (KeyError, TypeError, ValueError) as error:
                got = f"not made of literals ({first_line(error)})"
                raise EngineError(f"SPEC in {path}", got, "see docs/add-a-generator.md") from error
            assert isinstance(spec, GeneratorSpec)
            return spec
    raise AssertionError(f"{path} was found by its SPEC")


def fresh_generator(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Build a generator with fresh weights that takes and returns images in 0..1.

    Raises:
        OptionsError: No generator has this name.
        ValueError: The arguments do not fit; the message is one line.
    """
    spec = generator_spec(name)
    checked = spec.check(arguments)
    network = getattr(importlib.import_module(_module(name)), spec.network)
    try:
        net: nn.Module = network(**checked)
    except (TypeError, ValueError, RuntimeError, ArithmeticError, MemoryError) as error:
        raise ValueError(first_line(error)) from error
    return spec.adapt_range(net, checked)


def source_digest(name: str) -> str:
    """Return the SHA-256 of the generator's source and of all `engines.generators` modules that it imports.

    Imports are followed transitively, so that a change in a shared layer invalidates every engine built from it.
    """
    pending, sources = [_module(name)], {}
    while pending:
        module = pending.pop()
        if module not in sources:
            sources[module] = _path(module).read_bytes()
            pending += _imports(sources[module])
    digest = hashlib.sha256()
    for module in sorted(sources):
        digest.update(f"{module} {len(sources[module])}\n".encode() + sources[module])
    return digest.hexdigest()


def _modules() -> dict[str, str]:
    """Return the module of each generator by the generator's name. The first folder of the package's path wins."""
    found: dict[str, str] = {}
    for info in pkgutil.iter_modules(generators.__path__, f"{_PACKAGE}."):
        path = _path(info.name)
        if name := _declared_name(path, _version(path)):
            found.setdefault(name, info.name)
    return found


@lru_cache
def _declared_name(path: Path, _version: tuple[int, int]) -> str:
    match = _NAME.search(path.read_text(encoding="utf-8"))
    return match[1] if match else ""


def _version(path: Path) -> tuple[int, int]:
    """Return what changes when the file is edited: a key for the caches."""
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def _module(name: str) -> str:
    modules = _modules()
    if name not in modules:
        do = did_you_mean(name, modules, otherwise=f"use {', '.join(sorted(modules))}")
        raise OptionsError(f"generator {name[:60]!r}", "there is no such generator", do)
    return modules[name]


def _path(module: str) -> Path:
    """Return the source file of a module of the package, without importing it."""
    stem = module.rpartition(".")[2]
    return next(path for folder in generators.__path__ if (path := Path(folder) / f"{stem}.py").is_file())


def _imports(source: bytes) -> Iterator[str]:
    """Yield the modules of the package that a source imports, in any form of the import statement."""
    here = {info.name for info in pkgutil.iter_modules(generators.__path__, f"{_PACKAGE}.")}
    for node in ast.walk(_parsed(source)):
        named: list[str] = []
        if isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(filter(None, (_PACKAGE if node.level else "", node.module)))
            named = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        yield from here.intersection(named)


def _parsed(source: bytes) -> ast.Module:
    """Parse a module. Python 3.10 and 3.11 raise SystemError where two threads parse at once (gh-106905).

    Libraries parse as well, in threads that do not know the lock: then it is parsed again.
    """
    with _PARSER_IN_USE:
        for _ in range(_MAX_PARSES - 1):
            with contextlib.suppress(SystemError):
                return ast.parse(source)
        return ast.parse(source)


def _evaluate(node: ast.expr) -> Any:
    """Evaluate an expression of literals and of calls of `GeneratorSpec` and `Argument`."""
    if isinstance(node, ast.Call):
        keywords = {str(keyword.arg): _evaluate(keyword.value) for keyword in node.keywords}
        return _CLASSES[ast.unparse(node.func)](*map(_evaluate, node.args), **keywords)
    if isinstance(node, ast.Dict):
        keys = (None if key is None else ast.literal_eval(key) for key in node.keys)
        return dict(zip(keys, map(_evaluate, node.values), strict=True))
    return ast.literal_eval(node)
