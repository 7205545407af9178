"""What the checking scripts share: which files there are, and C without its comments.

Every script takes the root of the tree to look at as its one argument, so that
its test can point it at a tree with something wrong in it.
"""

import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def files(root, suffixes=None):
    """Paths below root, sorted: tracked and new ones, none that git ignores."""
    listed = subprocess.run(
        ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout
    paths = sorted(set(listed.split("\0")) - {""})
    return [path for path in paths
            if (suffixes is None or path.endswith(suffixes))
            and os.path.isfile(os.path.join(root, path))]


def c_files(root):
    return files(root, (".c", ".h"))


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        return file.read()


_COMMENT_OR_LITERAL = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def without_comments(text, literals=False):
    """Blanks comments (and string and character literals, if told so); lines keep their number."""
    def blank(match):
        found = match.group(0)
        if found[0] in "\"'" and not literals:
            return found
        return re.sub(r"[^\n]", " ", found)
    return _COMMENT_OR_LITERAL.sub(blank, text)


NAME = re.compile(r"`([^`]+)`")


def tests(root):
    """Every name by which a page may call upon a test: see promises."""
    names = set()
    for path in files(root):
        if not path.startswith("tests/"):
            continue
        if path.endswith(".c"):
            text = read(root, path)
            names.update(re.findall(r"\bTEST\((test_\w+)\)", text))
            if path.startswith("tests/sim/"):
                names.update("sim." + name for name in
                             re.findall(r"^(?:static )?\w[\w *]*?\b(\w+)\(", text, re.M))
        elif re.fullmatch(r"tests/\w+/test_\w+\.py", path):
            module = path.rpartition("/")[2].removesuffix(".py")
            names.update(f"{module}.{name}" for name in
                         re.findall(r"^    def (test_\w+)\(", read(root, path), re.M))
    return names


def finish(script, complaints, looked_at):
    """Prints the complaints, and ends the program: 0 only if there are none."""
    for complaint in complaints:
        print(complaint)
    if not looked_at:
        print(f"{script}: found nothing to look at")
        sys.exit(1)
    if complaints:
        print(f"{script}: {len(complaints)} wrong")
        sys.exit(1)
    print(f"{script}: {looked_at} in order")
    sys.exit(0)
