"""The five servers: a cell of tests/e2e that is spread over hosts, and whose logs are read
as they grow, to know who leads and what happened."""

import os
import re
import shutil

import cell
from network import Loopback, NotPermitted, command

PORT = 7400
SMALL_DISK = "256m"
BALLAST = "ballast"
# Often enough that a run sees checkpoints, logs that are cut, and state transfers.
OPTIONS = ("--checkpoint-slots", "4000", "--log-keep-slots", "800")
LEADER_S = 20


class Member(cell.Server):
    def __init__(self, server, network):
        super().__init__(server.id, server.port, server.directory)
        self.network = network
        self.small_disk = False
        self.meant_to_run = False
        self.is_paused = False
        self.role, self.ballot = "none", 0
        self.reigns = set()  # ballots in which it served
        self.expired = set()  # sessions
        self.notices = []  # what it complained of
        self._read = 0
        if not isinstance(network, Loopback):
            self.port = PORT
            self.address = f"{network.address(self.id)}:{PORT}"

    def start(self, *arguments, program=cell.COORDD):
        self.meant_to_run = True
        self.is_paused = False
        self.role = "none"
        with open(self.log, "ab") as log:
            self.process = cell.spawn(
                self.network.inside(self.id, [program, "serve", "--dir", self.directory, *arguments]),
                stdin=cell.subprocess.DEVNULL, stdout=log, stderr=log)

    def kill(self):
        self.meant_to_run = False
        super().kill()

    def pause(self):
        self.is_paused = True
        super().pause()

    def resume(self):
        super().resume()
        self.is_paused = False

    def ended_by_itself(self):
        return self.meant_to_run and not self.is_running()

    # ---- what it says ----

    def listen(self):
        """Takes note of what was added to its log."""
        try:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                file.seek(self._read)
                added = file.read()
        except OSError:
            return
        whole = added.rpartition("\n")[0] + "\n" if "\n" in added else ""
        self._read += len(whole.encode("utf-8", errors="replace"))
        for line in whole.splitlines():
            self._take(line)

    def _take(self, line):
        words = line.split(" ", 3)
        if len(words) < 3:
            self.notices.append(line)
            return
        _, level, event = words[:3]
        rest = dict(re.findall(r"(\w+)=(\S+)", words[3])) if len(words) > 3 else {}
        if event == "role":
            self.role, self.ballot = rest["role"], int(rest["ballot"])
        elif event == "started":
            self.role = "none"
        elif event == "serving":
            self.reigns.add(int(rest["ballot"]))
        elif event == "session" and rest.get("what") == "expired":
            self.expired.add(int(rest["session"]))
        elif level != "info":
            self.notices.append(line)

    # ---- a disk that can be filled ----

    def mount_small_disk(self):
        os.makedirs(self.directory, exist_ok=True)
        command("mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK}", "coord-torture", self.directory)
        self.small_disk = True

    def unmount_small_disk(self):
        if self.small_disk:
            # Lazily: the kernel may still be busy with what the last process had open.
            cell.run(["umount", "--lazy", self.directory])

    def fill_disk(self):
        """Nothing more can be written that needs space; how much was free, in bytes."""
        filled, step = 0, 1 << 20
        with open(os.path.join(self.directory, BALLAST), "wb") as file:
            while step >= 4096:
                try:
                    os.posix_fallocate(file.fileno(), filled, step)
                    filled += step
                except OSError:
                    step //= 2
        return filled

    def empty_disk(self):
        os.unlink(os.path.join(self.directory, BALLAST))


class Members(cell.Cell):
    """Five of them. `small_disks`: members whose directories are small file systems."""

    def __init__(self, network, top, small_disks, options=OPTIONS):
        super().__init__(options=options, top=top)
        self.network = network
        self.control = getattr(network, "count", 0)
        self.servers = [Member(s, network) for s in self.servers]
        self.endpoints = ",".join(s.address for s in self.servers)
        self.members = ",".join(f"{s.id}={s.address}" for s in self.servers)
        for server in self.servers:
            if server.id in small_disks:
                server.mount_small_disk()

    def ctl(self, *arguments, seconds=cell.CALL_S, **options):
        return cell.run(self.network.inside(self.control, [cell.COORDCTL, *arguments]), seconds,
                        env=self.environment(), **options)

    def listen(self):
        for server in self.servers:
            server.listen()

    def leading(self):
        """Who leads, by what the servers say themselves: of those that are up and not
        stopped the one that leads in the highest ballot; or None."""
        self.listen()
        up = [s for s in self.servers if s.is_running() and not s.is_paused]
        leaders = [s for s in up if s.role == "leader" and s.ballot in s.reigns]
        newest = max((s.ballot for s in up), default=0)
        return next((s for s in leaders if s.ballot == newest), None)

    def leader(self, seconds=LEADER_S):
        return cell.until(self.leading, seconds, "somebody leads")

    def others(self, *some):
        return [s for s in self.servers if s not in some]

    def reigns(self):
        self.listen()
        return set().union(*(s.reigns for s in self.servers))

    def expired(self):
        self.listen()
        return set().union(*(s.expired for s in self.servers))

    def keep_small_disks(self):
        """What is in file systems that go with this process, beside them."""
        for server in self.servers:
            if server.small_disk:
                shutil.copytree(server.directory, server.directory + ".kept", dirs_exist_ok=True,
                                ignore=shutil.ignore_patterns(BALLAST))


__all__ = ["Members", "Member", "NotPermitted"]
