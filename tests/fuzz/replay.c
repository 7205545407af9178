/* replay.c - gives a target every file that is named, and of every folder: the
 * corpora are tests in builds without a fuzzer too. */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

enum { PATH_BYTES = 4096 };

static bool is_folder(const char *path)
{
    struct stat s;

    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

/* False if it cannot be read. */
static bool replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct buffer bytes = BUFFER_INIT;
    uint8_t piece[4096];
    size_t length;

    if (file == NULL) {
        perror(path);
        return false;
    }
    while ((length = fread(piece, 1, sizeof piece, file)) > 0)
        buffer_put(&bytes, piece, length);
    fclose(file);
    printf("%s\n", path);
    fflush(stdout); /* so that the last line names what ended us */
    uint8_t *copy = fuzz_copy(buffer_slice(&bytes));
    (void)LLVMFuzzerTestOneInput(copy, bytes.length);
    free(copy);
    buffer_release(&bytes);
    return true;
}

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* How many there were; -1 if one cannot be read. */
static int replay_folder(const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, not_hidden, alphasort);
    bool good = count > 0;

    for (int i = 0; i < count; i++) {
        char whole[PATH_BYTES];

        (void)snprintf(whole, sizeof whole, "%s/%s", path, entries[i]->d_name);
        good = replay_file(whole) && good;
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return good ? count : -1;
}

int main(int argc, char **argv)
{
    int total = 0;

    for (int i = 1; i < argc; i++) {
        int count = is_folder(argv[i]) ? replay_folder(argv[i]) : replay_file(argv[i]) ? 1 : -1;

        if (count < 0)
            return EXIT_FAILURE;
        total += count;
    }
    printf("%d inputs\n", total);
    return total > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
