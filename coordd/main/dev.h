/* dev.h - `coordd dev`: a cell of real processes on this machine.
 *
 * On stdout, each line flushed at once:
 *
 *   endpoints: 127.0.0.1:7400,127.0.0.1:7401,...
 *   logs: DIR/1/log to DIR/5/log
 *   member 1 at 127.0.0.1:7400, pid 4242, start it again: coordd serve --dir DIR/1
 *   ...
 *   ready
 *   member 3 (pid 4244) died: signal 9; start it again: coordd serve --dir DIR/3
 *
 * The members' own log lines are in DIR/<id>/log. A member that dies is not
 * started again: trying out what happens then is what the command is for. */
#ifndef COORD_MAIN_DEV_H
#define COORD_MAIN_DEV_H

#include "coordd/main/settings.h"
#include "coordd/replica/replica.h"
#include "coordd/storage/store.h"

enum {
    DEV_MEMBERS_DEFAULT = 5,
    DEV_PATH_BYTES_MAX = 4096, /* as PATH_MAX */
};

struct dev_config {
    char dir[DEV_PATH_BYTES_MAX];
    uint16_t port;
    uint32_t members_count;
};

MUST_USE enum err dev_configure(int argc, char **argv, struct dev_config *ret, char *why);
/* Until SIGTERM or SIGINT; returns the exit status. */
int dev_run(const struct dev_config *config, const struct store_options *storage);

/* A word for a shell, quoted if need be. False if `out` is too small. */
bool dev_quote(const char *word, char *out, size_t out_bytes);

#endif
