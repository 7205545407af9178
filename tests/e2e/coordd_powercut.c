/* coordd_powercut.c - the server on a disk that knows what a power cut would lose.
 *
 * As coordd in everything, but SQLite works through powercut_vfs.h. Afterwards
 * powercut-apply takes away what was not synced. With
 * COORD_POWERCUT_SYNCHRONOUS_OFF in the environment it does not sync at all: to
 * show that the test would notice. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "coordd/main/coordd_main.h"
#include "tests/support/powercut_vfs.h"

int main(int argc, char **argv)
{
    static const char vfs[] = "powercut";
    if (!powercut_vfs_register(vfs, false)) {
        fputs("coordd-powercut: SQLite does not take the VFS\n", stderr);
        return EXIT_FAILURE;
    }
    const struct store_options storage = {
        .vfs = vfs,
        .synchronous_off = getenv("COORD_POWERCUT_SYNCHRONOUS_OFF") != NULL,
    };
    return coordd_main(argc, argv, &storage);
}
