/* power_child.c - see power_child.h. */
#define _GNU_SOURCE
#include "tests/storage/power_child.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libcoord/base/check.h"
#include "tests/support/powercut_vfs.h"
#include "tests/support/runner.h"

enum { TOLD_BYTES_MAX = 64 };

void power_child_run(struct fixture *f, power_child_work *work, uint64_t seed, uint64_t kill_at,
                     void *told, size_t size)
{
    char heard[TOLD_BYTES_MAX];
    int ends[2], status;
    pid_t child;

    CHECK(size <= sizeof heard);
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        if (kill_at != 0)
            powercut_vfs_kill_at(f->options.vfs, powercut_vfs_operations(f->options.vfs) + kill_at);
        work(f, told, seed, ends[1]);
    }
    close(ends[1]);
    while (read(ends[0], heard, size) == (ssize_t)size)
        memcpy(told, heard, size);
    close(ends[0]);
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_TRUE(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
}
