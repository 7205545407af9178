"""Servers and clients with a known bug in them: tests/mutants' way of building a copy of the
tree with a patch, for what a run of tests/torture starts."""

import importlib.machinery
import importlib.util
import os
import pathlib

TARGETS = ("coordd", "coordctl", "torture-client", "torture-probe", "torture-wires",
           "coord-history")


def _load(root):
    """tests/mutants, which is a program, as a module."""
    path = os.path.join(root, "tests/mutants")
    loader = importlib.machinery.SourceFileLoader("mutants", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("mutants", loader))
    loader.exec_module(module)
    return module


class Broken(Exception):
    """It cannot be built."""


def build(root, patch):
    """The folder of its programs. @patch: a file, or the name of a bug of tests/mutants.d."""
    mutants = _load(root)
    mutants.SCRATCH = pathlib.Path(root) / "build/torture"
    mutants.TREE = mutants.SCRATCH / "tree"
    mutants.BUILD = mutants.SCRATCH / "build"
    path = pathlib.Path(patch)
    if not path.is_file():
        path = mutants.PATCHES / f"{patch}.patch"
    if not path.is_file():
        raise Broken(f"{patch}: there is no such file, nor such a bug in {mutants.PATCHES}")
    print(f"torture: builds {path.name}: {mutants.title_of(path)}", flush=True)
    try:
        mutants.copy_tree()
        mutants.apply(path.resolve())
        mutants.build(TARGETS)
    except mutants.Broken as e:
        raise Broken(str(e)) from e
    return str(mutants.BUILD / "bin")
