"""Before anything is measured: what is not there is installed and built."""

import os
import subprocess

from machine import run, say

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
RELEASE = os.path.join(ROOT, "build/release/bin")
INSTALL_S = 900
BUILD_S = 1800
OURS = ("coordd", "coord-bench")
BUILD = os.path.join(ROOT, "tests/bench/peers/build")


def base(name):
    """etcd-tuned is etcd."""
    return name.partition("-")[0]


def _install(what):
    run([os.path.join(ROOT, "tools/dev/install-deps"), what], INSTALL_S)


def ours(folder):
    """Our programs, in the folder where they are built; elsewhere they must be there."""
    missing = [name for name in OURS if not os.access(os.path.join(folder, name), os.X_OK)]
    if not missing:
        return
    if folder != RELEASE:
        raise RuntimeError(f"{folder} has no {' and no '.join(missing)}")
    say("building the servers and coord-bench")
    _install("build")
    run(["cmake", "--preset", "release"], BUILD_S, cwd=ROOT)
    run(["cmake", "--build", "--preset", "release", "--target", *OURS], BUILD_S, cwd=ROOT)


def _sources(name):
    folders = [os.path.join(ROOT, "tests/bench/peers", name)]
    if name == "zookeeper":
        folders.append(os.path.join(ROOT, "tools/bench"))
    return [BUILD, *(os.path.join(folder, file) for folder in folders
                     for file in os.listdir(folder))]


def _is_built(name, folder):
    program = os.path.join(folder, f"{name}-load")
    return (os.access(program, os.X_OK) and os.path.getmtime(program)
            >= max(os.path.getmtime(path) for path in _sources(name)))


def peer(name, folder):
    """True if it can be measured; if not, it is said why."""
    try:
        _install(base(name))
        if not _is_built(base(name), folder):
            say(f"building what loads {base(name)}")
            run([BUILD, base(name), folder], BUILD_S)
    except (RuntimeError, OSError, subprocess.TimeoutExpired) as e:
        say(f"{name} is left out: {e}")
        return False
    return True
