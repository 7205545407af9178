/* main.c - coord-history: judges what real clients recorded.
 *
 * One file for each client process; they are one history. Exit status: 0 fine, 10 an
 * anomaly, 11 a search ended at its bound and nothing else was wrong, 2 wrong usage or a file
 * that is none. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcoord/base/check.h"
#include "tests/history/format.h"
#include "tests/history/judge.h"

enum { EXIT_FINE = 0, EXIT_USAGE = 2, EXIT_ANOMALY = 10, EXIT_GAVE_UP = 11 };

static const char usage_text[] =
    "usage: coord-history [--steps N] [--quiet] FILE...\n"
    "\n"
    "Judges what clients recorded, one file for each process, with all checkers.\n"
    "\n"
    "  --steps N   bound of one search (default %d)\n"
    "  --quiet     say nothing if all is fine\n"
    "\n"
    "Exit status: 0 fine, 10 an anomaly, 11 a search ended at its bound, 2 usage.\n";

/* NULL: see errno. */
static uint8_t *read_whole(const char *name, size_t *ret_length)
{
    struct stat status;
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        errno = errno == 0 ? EINVAL : errno;
        close(fd);
        return NULL;
    }
    size_t size = (size_t)status.st_size, length = 0;
    uint8_t *bytes = check_malloc(size + 1);
    while (length < size) {
        ssize_t got = read(fd, bytes + length, size - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        length += (size_t)got;
    }
    close(fd);
    *ret_length = length;
    return bytes;
}

static bool add_file(struct history *h, const char *name)
{
    struct history_problem problem = {0};
    size_t length = 0;
    errno = 0;
    uint8_t *bytes = read_whole(name, &length);
    if (bytes == NULL) {
        fprintf(stderr, "coord-history: %s: %s\n", name, strerror(errno));
        return false;
    }
    bool read = history_read(h, slice_of(bytes, length), &problem);
    if (!read)
        fprintf(stderr, "coord-history: %s:%zu: %s\n", name, problem.line, problem.text);
    free(bytes);
    return read;
}

static void print_counts(const struct history *h, const struct history_report *r, int files)
{
    uint64_t outcomes[4] = {0};
    for (size_t i = 0; i < h->calls_count; i++)
        outcomes[history_outcome(&h->calls[i])]++;
    printf("%d files, %zu calls: %" PRIu64 " done, %" PRIu64 " refused, %" PRIu64
           " without effect, %" PRIu64 " of unknown outcome\n",
           files, h->calls_count, outcomes[HISTORY_DONE], outcomes[HISTORY_REFUSED],
           outcomes[HISTORY_NOTHING], outcomes[HISTORY_UNKNOWN]);
    printf("%zu beliefs, %zu losses, %zu states of sessions, %zu events\n", h->beliefs_count,
           h->losses_count, h->sessions_count, h->events_count);
    for (int i = 0; i < HISTORY_CHECKERS; i++)
        printf("%-8s judged %" PRIu64 ", anomalies %" PRIu64 "\n",
               history_checker_name((enum history_checker)i), r->judged[i], r->anomalies[i]);
    printf("searches %" PRIu64 ", steps %" PRIu64 ", gave up %" PRIu64 ", paths left out %" PRIu64
           "\n",
           r->searched, r->search_steps, r->gave_up, r->left_out);
}

static int tell(const struct history *h, const struct history_report *r, int files, bool quiet)
{
    enum history_verdict verdict = history_verdict(r);
    if (verdict == HISTORY_FINE && quiet)
        return EXIT_FINE;
    print_counts(h, r, files);
    for (uint32_t i = 0; i < r->kept_count; i++)
        printf("ANOMALY %s: %s\n", history_checker_name(r->kept[i].by), r->kept[i].text);
    if (r->gave_up > 0)
        printf("gave up on %s\n", r->gave_up_on);
    if (verdict == HISTORY_ANOMALY) {
        printf("verdict: anomaly\n");
        return EXIT_ANOMALY;
    }
    if (verdict == HISTORY_GAVE_UP) {
        printf("verdict: gave up\n");
        return EXIT_GAVE_UP;
    }
    printf("verdict: fine\n");
    return EXIT_FINE;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"steps", required_argument, NULL, 's'},
        {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    uint64_t steps = 0;
    bool quiet = false, wrong = false;
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        char *end = NULL;
        if (o == 's') {
            steps = strtoull(optarg, &end, 10);
            wrong |= *end != '\0' || steps == 0;
        } else if (o == 'q') {
            quiet = true;
        } else if (o == 'h') {
            printf(usage_text, HISTORY_SEARCH_STEPS_MAX);
            return EXIT_FINE;
        } else {
            wrong = true;
        }
    }
    if (wrong || optind == argc) {
        fprintf(stderr, usage_text, HISTORY_SEARCH_STEPS_MAX);
        return EXIT_USAGE;
    }
    struct history h;
    struct history_report report;
    history_init(&h);
    history_report_init(&report, steps);
    int status = EXIT_USAGE, files = argc - optind;
    for (; optind < argc; optind++)
        if (!add_file(&h, argv[optind]))
            goto out;
    history_judge(&h, &report);
    status = tell(&h, &report, files, quiet);
out:
    history_release(&h);
    return status;
}
