/* directory.c - the directory itself: made durably, locked, synced. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordd/storage/internal.h"

_Static_assert(STORE_PATH_BYTES < PATH_MAX, "a path of the store fits");

void store_say(char *why, size_t why_bytes, const char *format, ...)
{
    va_list arguments;

    if (why == NULL || why_bytes == 0)
        return;
    va_start(arguments, format);
    vsnprintf(why, why_bytes, format, arguments);
    va_end(arguments);
}

enum store_result directory_path(const char *directory, const char *name, char *ret, char *why,
                                 size_t why_bytes)
{
    if (strlen(directory) > STORE_DIRECTORY_BYTES_MAX) {
        store_say(why, why_bytes, "the directory's name is longer than %d bytes",
                  STORE_DIRECTORY_BYTES_MAX);
        return STORE_FAILED;
    }
    snprintf(ret, STORE_PATH_BYTES, "%s/%s", directory, name);
    return STORE_OK;
}

bool directory_has(const char *path)
{
    struct stat found;

    return stat(path, &found) == 0 || errno != ENOENT;
}

enum store_result directory_sync(const char *directory, char *why, size_t why_bytes)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = fd < 0 || fsync(fd) != 0;

    if (failed)
        store_say(why, why_bytes, "cannot sync the directory %s: %s", directory, strerror(errno));
    if (fd >= 0)
        close(fd);
    return failed ? STORE_FAILED : STORE_OK;
}

/* One level; the entry is durable in its parent when it returns. */
static enum store_result make_one(char *path, char *why, size_t why_bytes)
{
    char *slash = strrchr(path, '/');
    enum store_result r;

    if (mkdir(path, 0700) != 0) {
        if (errno == EEXIST)
            return STORE_OK;
        store_say(why, why_bytes, "cannot make the directory %s: %s", path, strerror(errno));
        return errno == ENOSPC ? STORE_FULL : STORE_FAILED;
    }
    if (slash == NULL)
        return directory_sync(".", why, why_bytes);
    if (slash == path)
        return directory_sync("/", why, why_bytes);
    *slash = '\0';
    r = directory_sync(path, why, why_bytes);
    *slash = '/';
    return r;
}

enum store_result directory_make(const char *directory, char *why, size_t why_bytes)
{
    char path[STORE_PATH_BYTES];
    enum store_result r = directory_path(directory, "", path, why, why_bytes);

    /* At each slash, the one that directory_path put at the end included. */
    for (char *at = path + 1; r == STORE_OK && *at != '\0'; at++) {
        if (*at != '/' || at[-1] == '/')
            continue;
        *at = '\0';
        r = make_one(path, why, why_bytes);
        *at = '/';
    }
    return r;
}

enum store_result directory_lock(const char *directory, int *ret, char *why, size_t why_bytes)
{
    char path[STORE_PATH_BYTES], holder[32] = "";
    enum store_result r = directory_path(directory, "lock", path, why, why_bytes);
    int fd;

    if (r != STORE_OK)
        return r;
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        store_say(why, why_bytes, "cannot open %s: %s", path, strerror(errno));
        return STORE_FAILED;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int error = errno;
        ssize_t got = pread(fd, holder, sizeof holder - 1, 0);

        close(fd);
        if (error != EWOULDBLOCK) {
            store_say(why, why_bytes, "cannot lock %s: %s", path, strerror(error));
            return STORE_FAILED;
        }
        holder[got > 0 ? strspn(holder, "0123456789") : 0] = '\0';
        store_say(why, why_bytes, "another process (pid %s) has the directory %s",
                  holder[0] == '\0' ? "unknown" : holder, directory);
        return STORE_LOCKED;
    }
    /* The number is for the text above only: a full disk may cost it. */
    snprintf(holder, sizeof holder, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, holder, strlen(holder), 0) < 0)
        errno = 0;
    *ret = fd;
    return STORE_OK;
}
