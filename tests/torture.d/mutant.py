"""Servers and clients with a known bug in them: tests/mutants' way of building a copy of the
tree with a patch, for what a run of tests/torture starts. One is built at a time, in
build/torture; each run takes its programs along, so several may go on at once."""

import fcntl
import importlib.machinery
import importlib.util
import os
import pathlib
import shutil

PROGRAMS = {"bin": ("coordd", "coordctl", "coord-history"),
            "tests": ("torture-client", "torture-probe", "torture-wires")}


def _load(root):
    """tests/mutants, which is a program, as a module."""
    path = os.path.join(root, "tests/mutants")
    loader = importlib.machinery.SourceFileLoader("mutants", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("mutants", loader))
    loader.exec_module(module)
    module.SCRATCH = pathlib.Path(root) / "build/torture"
    module.TREE = module.SCRATCH / "tree"
    module.BUILD = module.SCRATCH / "build"
    return module


class Broken(Exception):
    """It cannot be built."""


def patch_of(root, name):
    """@name: a file, or the name of a bug of tests/mutants.d."""
    kept = pathlib.Path(root) / "tests/mutants.d" / f"{name}.patch"
    path = kept if kept.is_file() else pathlib.Path(name)
    if not path.is_file():
        raise Broken(f"{name}: there is no such file, nor such a bug in {kept.parent}")
    return path.resolve()


def build(root, name, top):
    """The folder of its programs, in `top`; with name None those of the tree as it is."""
    mutants = _load(root)
    path = patch_of(root, name) if name is not None else None
    mutants.SCRATCH.mkdir(parents=True, exist_ok=True)
    with open(mutants.SCRATCH / "lock", "wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("torture: waits for another that builds", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        if path is not None:
            print(f"torture: builds {path.name}: {mutants.title_of(path)}", flush=True)
        try:
            mutants.copy_tree()
            if path is not None:
                mutants.apply(path)
            mutants.build([program for some in PROGRAMS.values() for program in some])
        except mutants.Broken as e:
            raise Broken(str(e)) from e
        for folder, names in PROGRAMS.items():
            os.makedirs(os.path.join(top, folder))
            for program in names:
                shutil.copy(mutants.BUILD / folder / program, os.path.join(top, folder, program))
    return os.path.join(top, "bin")
