"""Cells whose members each have a small file system of their own. Needs root."""

import contextlib
import ctypes
import os
import subprocess
import sys

import cell

CLONE_NEWNS = 0x20000


def be_apart():
    """File systems that only this process and its children see. What keeps it from it."""
    if os.geteuid() != 0:
        return "small file systems need root"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        return f"unshare: {os.strerror(ctypes.get_errno())}"
    done = cell.run(["mount", "--make-rprivate", "/"])
    return done.stderr.strip() if done.returncode != 0 else None


class SmallCell(cell.Cell):
    def __init__(self, size_mib, **more):
        self.size_mib = size_mib
        super().__init__(**more)

    def init(self):
        for server in self.servers:
            os.mkdir(server.directory)
            done = cell.run(["mount", "-t", "tmpfs", "-o", f"size={self.size_mib}m", "tmpfs",
                             server.directory])
            if done.returncode != 0:
                raise AssertionError(done.stderr)
        super().init()

    def close(self):
        for server in self.servers:
            server.kill()
            if os.path.ismount(server.directory):
                subprocess.run(["umount", "-l", server.directory], check=True)
        super().close()


def fill_up(server):
    """As somebody else does, to the last byte."""
    with open(os.path.join(server.directory, "foreign"), "ab") as file:
        for size in (1 << 16, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    os.write(file.fileno(), b"x" * size)


def main():
    """Skipped without root."""
    missing = be_apart()
    if missing is not None:
        print(f"skipped: no small file systems here: {missing}")
        print("0 passed, 0 failed")
        sys.exit(0)
    cell.main()
