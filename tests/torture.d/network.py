"""Where the servers and clients are: hosts with a namespace each and wires between them
that can be cut, or all on this one machine.

Nothing here has a name that outlives its processes: a namespace is there as long as a
process of ours is in it, a device as long as the program torture-wires (wires.c), and all
of them end with this process, however that ends.
"""

import ctypes
import os
import shutil
import subprocess

import cell

CUT = 1000  # permille
CLONE_NEWNS = 0x20000
WIRES = os.path.join(cell.HELPERS, "torture-wires")


class NotPermitted(Exception):
    """It cannot be done here."""


def command(*arguments):
    done = cell.run(list(arguments))
    if done.returncode != 0:
        raise NotPermitted(f"{' '.join(arguments)}: {done.stderr.strip()}")


def apart_in_mounts():
    """What this process and its children mount from now on nobody else sees, and is gone
    with them."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        raise NotPermitted(f"unshare: {os.strerror(ctypes.get_errno())}")
    command("mount", "--make-rprivate", "/")


class Loopback:
    """One machine for all: nothing can be cut."""
    can_cut = False

    def inside(self, _host, arguments):
        return arguments

    def heal(self):
        pass

    def stats(self):
        return {}

    def close(self):
        pass


class Namespaces:
    """Hosts 1 to `count`, each with the address 10.77.0.<number>."""
    can_cut = True

    def __init__(self, count, seed):
        if os.geteuid() != 0:
            raise NotPermitted("network namespaces need root")
        for program in ("ip", "nsenter", "unshare", "mount"):
            if shutil.which(program) is None:
                raise NotPermitted(f"there is no {program} (Debian: iproute2, util-linux, mount)")
        self.count = count
        self.keepers = []
        self.wires = cell.spawn(["unshare", "-n", WIRES, "tt", str(count), str(seed)],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            if self.wires.stdout.readline() != "ready\n":
                raise NotPermitted("no network device can be made (/dev/net/tun)")
            for host in range(1, count + 1):
                self._add(host)
        except BaseException:
            self.close()
            raise

    @staticmethod
    def address(host):
        return f"10.77.0.{host}"

    @staticmethod
    def _hardware(host):
        return f"02:c0:0d:00:00:{host:02x}"

    def _add(self, host):
        keeper = cell.spawn(["unshare", "-n", "sleep", "infinity"], stdin=subprocess.DEVNULL)
        self.keepers.append(keeper)
        mine = os.readlink("/proc/self/ns/net")
        cell.until(lambda: os.readlink(f"/proc/{keeper.pid}/ns/net") != mine, 5, "it is apart")
        device = f"tt{host}"
        command("nsenter", "-t", str(self.wires.pid), "-n", "ip", "link", "set", device,
                "netns", str(keeper.pid))
        steps = ["link set lo up", f"link set {device} address {self._hardware(host)} mtu 1500",
                 f"addr add {self.address(host)}/24 dev {device}", f"link set {device} up"]
        # Known for good: that a host does not answer must look like silence, not like an error.
        steps += [f"neigh replace {self.address(other)} lladdr {self._hardware(other)} "
                  f"dev {device} nud permanent"
                  for other in range(1, self.count + 1) if other != host]
        done = cell.run(self.inside(host, ["ip", "-batch", "-"]), input="\n".join(steps) + "\n")
        if done.returncode != 0:
            raise NotPermitted(f"ip: {done.stderr.strip()}")

    def inside(self, host, arguments):
        """What runs `arguments` at a host. The process is the same, so its pid is, too."""
        return ["nsenter", "-t", str(self.keepers[host - 1].pid), "-n", *arguments]

    def _tell(self, line):
        self.wires.stdin.write(line + "\n")
        self.wires.stdin.flush()
        answer = self.wires.stdout.readline().split()
        if not answer or answer[0] != "ok":
            raise RuntimeError(f"torture-wires: {line}: {' '.join(answer)}")
        return answer[1:]

    def wire(self, sources, targets, loss=0, delay=0, jitter=0):
        """Of all wires from one of the sources to one of the targets."""
        for source in sources:
            for target in targets:
                if source != target:
                    self._tell(f"wire {source} {target} {loss} {delay} {jitter}")

    def cut(self, sources, targets):
        self.wire(sources, targets, loss=CUT)

    def cut_both(self, some, others):
        self.cut(some, others)
        self.cut(others, some)

    def heal(self):
        self._tell("heal")

    def stats(self):
        names = ("carried", "cut", "lost", "delayed", "dropped")
        return dict(zip(names, map(int, self._tell("stats"))))

    def close(self):
        for process in [*self.keepers, self.wires]:
            process.kill()
            process.wait()
