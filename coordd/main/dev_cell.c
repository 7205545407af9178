/* dev_cell.c - see dev_cell.h. */
#define _GNU_SOURCE
#include "coordd/main/dev_cell.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordd/main/exit_codes.h"
#include "coordd/main/random.h"
#include "coordd/main/serve.h"
#include "libcoord/base/check.h"

_Static_assert(DEV_PATH_BYTES_MAX >= PATH_MAX, "realpath writes as much");

enum {
    FILE_NAME_BYTES_MAX = DEV_PATH_BYTES_MAX + 32,
    DEV_RESERVE_MIB = 4, /* all members are in one file system */
    EXEC_FAILED = 127,   /* what shells say */
};

static int complain(const char *what, const char *why)
{
    (void)fprintf(stderr, "coordd dev: %s: %s\n", what, why);
    return COORDD_EXIT_OTHER;
}

bool dev_quote(const char *word, char *out, size_t out_bytes)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:,@%";
    size_t length = 0;
    bool quote = word[0] == '\0' || word[strspn(word, plain)] != '\0';
    if (!quote) {
        if (strlen(word) >= out_bytes)
            return false;
        memcpy(out, word, strlen(word) + 1);
        return true;
    }
    if (out_bytes < 3)
        return false;
    out[length++] = '\'';
    for (const char *c = word; *c != '\0'; c++) {
        const char *piece = *c == '\'' ? "'\\''" : NULL;
        size_t needs = piece == NULL ? 1 : strlen(piece);
        if (length + needs + 2 > out_bytes)
            return false;
        memcpy(out + length, piece == NULL ? c : piece, needs);
        length += needs;
    }
    out[length++] = '\'';
    out[length] = '\0';
    return true;
}

/* ---- the plan: DIR/cell ---- */

static int write_plan(const struct dev_cell *c, const char *path)
{
    char cell[2 * REPLICA_CELL_ID_BYTES + 1], fresh[FILE_NAME_BYTES_MAX + 8];
    hex_encode(c->id, sizeof c->id, cell);
    (void)snprintf(fresh, sizeof fresh, "%s.new", path);
    FILE *file = fopen(fresh, "we");
    if (file == NULL)
        return complain(fresh, strerror(errno));
    bool written = fprintf(file,
                           "# What `coordd dev` made here; see its members in 1, 2, ...\n"
                           "cell = %s\nport = %u\nmembers = %" PRIu32 "\n",
                           cell, c->port, c->members_count) > 0;
    written = fflush(file) == 0 && written;
    written = fsync(fileno(file)) == 0 && written;
    written = fclose(file) == 0 && written;
    if (!written || rename(fresh, path) != 0)
        return complain(path, strerror(errno));
    return COORDD_EXIT_OK;
}

static int read_plan(struct dev_cell *c, const char *path, bool *ret_found)
{
    char cell[SETTING_TEXT_BYTES_MAX] = "", why[SETTINGS_WHY_BYTES];
    uint64_t port = 0, members = 0;
    const struct setting settings[] = {
        {.key = "cell", .kind = SETTING_TEXT, .in_file = true, .value = cell},
        {"port", SETTING_NUMBER, true, &port, 1, UINT16_MAX},
        {"members", SETTING_NUMBER, true, &members, 1, REPLICA_MEMBERS_MAX},
    };
    enum err e = settings_take_file(settings, sizeof settings / sizeof settings[0], path, why);
    *ret_found = e != ERR_NO_NODE;
    if (e == ERR_NO_NODE)
        return COORDD_EXIT_OK;
    if (e != ERR_OK) {
        (void)fprintf(stderr, "coordd dev: %s\n", why);
        return COORDD_EXIT_OTHER;
    }
    if (!config_parse_cell(cell, c->id))
        return complain(path, "cell: wanted 32 hexadecimal digits");
    if (port != c->port || members != c->members_count) {
        (void)fprintf(stderr,
                      "coordd dev: %s holds a cell of %" PRIu64 " members from port %" PRIu64
                      " on; addresses are fixed when a cell is made: use --port %" PRIu64
                      " --members %" PRIu64 ", or another directory\n",
                      c->dir, members, port, port, members);
        return COORDD_EXIT_MISMATCH;
    }
    return COORDD_EXIT_OK;
}

static int name_member(const struct dev_cell *c, struct dev_member *m, uint32_t id)
{
    char executable[DEV_PATH_BYTES_MAX + 64], dir[DEV_PATH_BYTES_MAX + 64];
    m->id = id;
    (void)snprintf(m->address, sizeof m->address, "127.0.0.1:%" PRIu32, c->port + id - 1);
    (void)snprintf(m->dir, sizeof m->dir, "%s/%" PRIu32, c->dir, id);
    if (!dev_quote(c->executable, executable, sizeof executable) ||
        !dev_quote(m->dir, dir, sizeof dir))
        return complain(c->dir, "the name is too long");
    (void)snprintf(m->command, sizeof m->command, "%s serve --dir %s --reserve-mib %d", executable,
                   dir, DEV_RESERVE_MIB);
    return COORDD_EXIT_OK;
}

/* With its parents. */
static bool make_directory(const char *path)
{
    char part[DEV_PATH_BYTES_MAX];
    (void)snprintf(part, sizeof part, "%s", path);
    for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0755) != 0 && errno != EEXIST)
            return false;
        *slash = '/';
    }
    return mkdir(part, 0755) == 0 || errno == EEXIST;
}

int dev_cell_plan(struct dev_cell *c, const struct dev_config *config)
{
    char path[FILE_NAME_BYTES_MAX];
    bool found = false;
    memset(c, 0, sizeof *c);
    c->port = config->port;
    c->members_count = config->members_count;
    ssize_t length = readlink("/proc/self/exe", c->executable, sizeof c->executable - 1);
    if (length < 0)
        return complain("/proc/self/exe", strerror(errno));
    if (!make_directory(config->dir))
        return complain(config->dir, strerror(errno));
    if (realpath(config->dir, c->dir) == NULL)
        return complain(config->dir, strerror(errno));
    (void)snprintf(path, sizeof path, "%s/cell", c->dir);
    int status = read_plan(c, path, &found);
    for (uint32_t i = 0; status == COORDD_EXIT_OK && i < c->members_count; i++)
        status = name_member(c, &c->members[i], i + 1);
    if (status == COORDD_EXIT_OK)
        status = dev_cell_check_ports(c);
    if (status != COORDD_EXIT_OK || found)
        return status;
    random_fill(c->id, sizeof c->id);
    return write_plan(c, path);
}

/* ---- processes ---- */

int dev_cell_check_ports(const struct dev_cell *c)
{
    for (uint32_t i = 0; i < c->members_count; i++) {
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(c->port + i))};
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            return complain("socket", strerror(errno));
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        int failure = bind(fd, (struct sockaddr *)&at, sizeof at) == 0 ? 0 : errno;
        (void)close(fd);
        if (failure == EADDRINUSE) {
            (void)fprintf(stderr, "coordd dev: port %" PRIu32 " is taken by another process\n",
                          c->port + i);
            return COORDD_EXIT_PORT_TAKEN;
        }
        if (failure != 0)
            return complain(c->members[i].address, strerror(failure));
    }
    return COORDD_EXIT_OK;
}

int dev_cell_initialise(const struct dev_cell *c, const struct store_options *storage)
{
    struct store_identity identity;
    memset(&identity, 0, sizeof identity);
    memcpy(identity.cell, c->id, sizeof identity.cell);
    (void)snprintf(identity.cell_name, sizeof identity.cell_name, "local");
    identity.members_count = c->members_count;
    for (uint32_t i = 0; i < c->members_count; i++) {
        identity.members[i].id = c->members[i].id;
        memcpy(identity.members[i].address, c->members[i].address, REPLICA_ADDRESS_BYTES_MAX + 1);
    }
    for (uint32_t i = 0; i < c->members_count; i++) {
        char why[SETTINGS_WHY_BYTES] = "";
        identity.self = c->members[i].id;
        do
            random_fill(&identity.incarnation, sizeof identity.incarnation);
        while (identity.incarnation == 0);
        enum store_result result =
            store_initialise(c->members[i].dir, &identity, storage, why, sizeof why);
        if (result != STORE_OK && result != STORE_EXISTS) {
            (void)complain(store_result_text(result), why);
            return exit_for_store(result);
        }
    }
    return COORDD_EXIT_OK;
}

/* In the child; there is nobody to tell but the log. */
_Noreturn static void become_member(const struct dev_cell *c, const struct dev_member *m,
                                    pid_t parent, int log)
{
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    /* The cell is for trying out: it goes when we go, in whatever way. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXEC_FAILED);
    int null = open("/dev/null", O_RDONLY);
    (void)dup2(null, STDIN_FILENO);
    (void)dup2(log, STDOUT_FILENO);
    (void)dup2(log, STDERR_FILENO);
    (void)execl(c->executable, c->executable, "serve", "--dir", m->dir, (char *)NULL);
    _exit(EXEC_FAILED);
}

int dev_cell_start(struct dev_cell *c, struct dev_member *m)
{
    char path[FILE_NAME_BYTES_MAX];
    (void)snprintf(path, sizeof path, "%s/log", m->dir);
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (log < 0)
        return complain(path, strerror(errno));
    pid_t parent = getpid();
    (void)fflush(NULL);
    m->pid = fork();
    if (m->pid == 0)
        become_member(c, m, parent, log);
    (void)close(log);
    if (m->pid < 0) {
        m->pid = 0;
        return complain("fork", strerror(errno));
    }
    return COORDD_EXIT_OK;
}
