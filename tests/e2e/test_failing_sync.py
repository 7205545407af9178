#!/usr/bin/env python3
# Runs beside others.
"""One sync of a member's disk fails, and the next would work. What it should have made durable
may be gone, so that member must end at once and say why, the cell must go on, and nothing
that was acknowledged may be missing when the member is back."""

import os
import unittest

import cell

SHIM = os.path.join(cell.HELPERS, "failing-sync.so")
WRITER = os.path.join(cell.HELPERS, "writer")
DISK = 16  # COORDD_EXIT_DISK
END_S = 30


class FailingSync(unittest.TestCase):
    def setUp(self):
        # Checkpoints come soon, so that their syncs do.
        self.own = self.enterContext(cell.Cell(options=("--checkpoint-slots", "50")))

    def restart_with_shim(self, server):
        """Only this member's syncs can fail."""
        wish = server.directory + ".fail"
        server.kill()
        os.environ.update(LD_PRELOAD=SHIM, COORD_FAILING_SYNC=wish)
        try:
            server.start(*self.own.options)
        finally:
            del os.environ["LD_PRELOAD"], os.environ["COORD_FAILING_SYNC"]
        cell.until(lambda: self.is_level(server), END_S, f"member {server.id} is level")
        return wish

    def states(self):
        return {m["id"]: m for m in self.own.json("--deadline", "5s", "status")["members"]}

    def is_level(self, server):
        states = self.states()
        own = states[server.id]
        return own.get("applied") is not None and \
            own["applied"] == max(m.get("applied") or 0 for m in states.values())

    def fail_one_sync(self, server, part, leads):
        """While something is written; returns what was acknowledged, by the name of the node."""
        wish = self.restart_with_shim(server)
        if leads:
            cell.until(lambda: self.own.ctl("step-down", "--to", str(server.id)).returncode == 0,
                       END_S, "it leads")
        with cell.Running([WRITER, "/w", "300"], env=self.own.environment()) as writer:
            writer.line(20, END_S)
            with open(wish + ".new", "w", encoding="ascii") as file:
                file.write(part + "\n")
            os.rename(wish + ".new", wish)
            status = server.process.wait(END_S)
            self.assertFalse(os.path.exists(wish), "no sync failed")
            self.assertEqual(status, DISK, server.said()[-1000:])
            count = len(writer.lines())
            writer.line(count + 50, END_S)  # the others go on
            writer.process.kill()
            writer.wait()
            return {line.split()[1] for line in writer.lines() if line.startswith("ack ")}

    def check(self, server, part, leads=False):
        written = self.fail_one_sync(server, part, leads)
        last = server.said().splitlines()[-1]
        self.assertIn(" error storage ", last)
        self.assertIn("the process ends, for what is durable is not known", last)
        server.start(*self.own.options)
        cell.until(lambda: self.is_level(server), END_S, "it is back and level")
        self.assertEqual(written - set(self.own.ok("ls", "/w").split()), set(), "missing")
        cell.until(lambda: len({m.get("state_hash") for m in self.states().values()}) == 1, END_S,
                   "all have one state")

    def test_case_18__a_follower_whose_log_was_not_synced_ends_and_comes_back(self):
        self.check(self.own.followers()[0], "log.db")

    def test_case_18__a_leader_whose_log_was_not_synced_ends_and_comes_back(self):
        self.check(self.own.followers()[1], "log.db", leads=True)

    def test_case_18__a_member_whose_checkpoint_was_not_synced_ends_and_comes_back(self):
        self.check(self.own.followers()[0], "state.db")


if __name__ == "__main__":
    cell.main()
