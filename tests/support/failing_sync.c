/* failing_sync.c - a library to preload, under which one sync fails.
 *
 * COORD_FAILING_SYNC names a file whose one line is a part of a path, such as "log.db".
 * When it is there, the next fsync or fdatasync of a file with that in its path fails with
 * EIO, and the file that asked for it is removed: the sync behind it works again, as it
 * does on a disk that lost what it could not write. Without such a file nothing changes. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINK_BYTES = 64 };

static bool read_wish(const char *name, char ret[PATH_MAX])
{
    int file = open(name, O_RDONLY | O_CLOEXEC);
    ssize_t got = file < 0 ? -1 : read(file, ret, PATH_MAX - 1);
    if (file >= 0)
        close(file);
    if (got <= 0)
        return false;
    ret[got] = '\0';
    ret[strcspn(ret, "\n")] = '\0';
    return ret[0] != '\0';
}

static bool is_to_fail(int fd)
{
    const char *name = getenv("COORD_FAILING_SYNC");
    char wish[PATH_MAX], link[LINK_BYTES], path[PATH_MAX];
    if (name == NULL || !read_wish(name, wish))
        return false;
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0)
        return false;
    path[length] = '\0';
    /* Whoever removes it is the one that fails. */
    return strstr(path, wish) != NULL && unlink(name) == 0;
}

static int sync_unless(int fd, const char *function)
{
    if (is_to_fail(fd)) {
        errno = EIO;
        return -1;
    }
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, function);
    return real(fd);
}

__attribute__((visibility("default"))) int fsync(int fd)
{
    return sync_unless(fd, "fsync");
}

__attribute__((visibility("default"))) int fdatasync(int fd)
{
    return sync_unless(fd, "fdatasync");
}
