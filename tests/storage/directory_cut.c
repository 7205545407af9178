/* directory_cut.c - see directory_cut.h. */
#define _GNU_SOURCE
#include "tests/storage/directory_cut.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "libcoord/base/check.h"
#include "tests/support/powercut_undo.h"

enum { CHANGES_MAX = 64, NAME_BYTES = 512, SAVED_BYTES = NAME_BYTES + 16 };

enum change_kind { CHANGE_LINK, CHANGE_UNLINK, CHANGE_RENAME };

struct change {
    enum change_kind kind;
    char from[NAME_BYTES], to[NAME_BYTES];
    char saved[SAVED_BYTES]; /* a second name of what the change removed */
    bool has_saved;
};

static struct change changes[CHANGES_MAX]; /* since the last sync */
static uint32_t changes_count;
static uint64_t number, die_at;
static bool forgets_all;

static int real_link(const char *from, const char *to)
{
    return (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
}

static int real_unlink(const char *name)
{
    return (int)syscall(SYS_unlinkat, AT_FDCWD, name, 0);
}

static int real_rename(const char *from, const char *to)
{
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

static void take_back(void)
{
    while (changes_count > 0) {
        const struct change *c = &changes[--changes_count];

        if (c->kind == CHANGE_LINK)
            (void)real_unlink(c->to);
        if (c->kind == CHANGE_RENAME)
            (void)real_rename(c->to, c->from);
        if (c->has_saved)
            (void)real_rename(c->saved, c->kind == CHANGE_UNLINK ? c->from : c->to);
    }
}

/* Before each change and each sync. */
static void count(void)
{
    if (die_at == 0 || ++number != die_at)
        return;
    if (forgets_all)
        take_back();
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

static bool is_counted(const char *name)
{
    const char *suffix = strstr(name, UNDO_SUFFIX);

    return die_at != 0 && (suffix == NULL || suffix[strlen(UNDO_SUFFIX)] != '\0');
}

/* `removed` loses its name. */
static void note(enum change_kind kind, const char *from, const char *to, const char *removed)
{
    struct change *c = &changes[changes_count++];

    CHECK(changes_count < CHANGES_MAX && strlen(from) < NAME_BYTES && strlen(to) < NAME_BYTES);
    c->kind = kind;
    snprintf(c->from, sizeof c->from, "%s", from);
    snprintf(c->to, sizeof c->to, "%s", to);
    c->has_saved = false;
    if (removed == NULL)
        return;
    snprintf(c->saved, sizeof c->saved, "%s.saved%u", removed, (unsigned)number);
    c->has_saved = real_link(removed, c->saved) == 0;
}

int link(const char *from, const char *to)
{
    if (is_counted(to) && access(to, F_OK) != 0) {
        count();
        note(CHANGE_LINK, from, to, NULL);
    }
    return real_link(from, to);
}

int unlink(const char *name)
{
    if (is_counted(name) && access(name, F_OK) == 0) {
        count();
        note(CHANGE_UNLINK, name, "", name);
    }
    return real_unlink(name);
}

int rename(const char *from, const char *to)
{
    if (is_counted(from)) {
        count();
        note(CHANGE_RENAME, from, to, to);
    }
    return real_rename(from, to);
}

int fsync(int fd)
{
    struct stat found;
    bool is_directory = fstat(fd, &found) == 0 && S_ISDIR(found.st_mode);
    int result;

    if (is_directory)
        count();
    result = (int)syscall(SYS_fsync, fd);
    if (is_directory && result == 0)
        changes_count = 0;
    return result;
}

void directory_cut_at(uint64_t at)
{
    number = 0;
    changes_count = 0;
    die_at = at;
}

void directory_cut_forgets(bool forgets)
{
    forgets_all = forgets;
}
