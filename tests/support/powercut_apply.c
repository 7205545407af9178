/* powercut_apply.c - cuts the power of directories whose processes are dead:
 *
 *     powercut-apply [--seed N] DIRECTORY...
 *
 * See powercut_undo.h. Prints one line for each directory. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/powercut_undo.h"

static int usage(void)
{
    fprintf(stderr, "usage: powercut-apply [--seed N] DIRECTORY...\n");
    return 2;
}

int main(int argc, char **argv)
{
    unsigned long long seed = 0;
    int first = 1, status = 0;

    if (argc > 2 && strcmp(argv[1], "--seed") == 0) {
        char *end;

        seed = strtoull(argv[2], &end, 10);
        if (end == argv[2] || *end != '\0')
            return usage();
        first = 3;
    }
    if (first >= argc)
        return usage();
    for (int i = first; i < argc; i++) {
        struct powercut_report report;

        if (powercut_apply(argv[i], seed, &report) != 0) {
            fprintf(stderr, "%s: %s\n", argv[i], strerror(errno));
            status = 1;
            continue;
        }
        printf("%s: %u files with %llu unsynced changes, %llu undone\n", argv[i], report.files,
               (unsigned long long)report.changes, (unsigned long long)report.undone);
    }
    return status;
}
