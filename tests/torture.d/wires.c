/* wires.c - a network between namespaces that can be made as bad as is wished.
 *
 *   wires PREFIX COUNT SEED
 *
 * Makes COUNT network devices, PREFIX1 to PREFIX<COUNT>, in the namespace that it is
 * started in, and says `ready`. Whoever started it moves them to where they are wanted.
 * A frame goes to the device that its hardware address names, 02:c0:0d:00:00:NN, or to
 * all others if it is for many. Between each two devices there is a wire for each
 * direction. Commands come on standard input, one a line:
 *
 *   wire FROM TO LOSS DELAY JITTER   LOSS: of 1000 frames, 1000 is a cut; DELAY and
 *                                    up to JITTER more: milliseconds
 *   heal                             all wires are as at first
 *   stats                            frames so far: carried, lost at cuts, lost at
 *                                    random, delayed, dropped for want of room
 *
 * Each is answered by one line, `ok ...` or `error ...`. All of it is gone at the end
 * of standard input, or with the process. It is in user space since not every kernel has
 * netem, and none has a wire of one direction between two that are plugged into one bridge. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum {
    DEVICES_MAX = 32,
    FRAME_BYTES_MAX = 2048,
    HEADER_BYTES = 14,
    AT_ONCE = 64,        /* frames read from one device before the others have a turn */
    WAITING_MAX = 32768, /* frames under way; what comes then is dropped */
    LINE_BYTES = 256,
    PERMILLE = 1000,
    DELAY_MS_MAX = 60000,
};

static const uint8_t address_start[5] = {0x02, 0xc0, 0x0d, 0x00, 0x00};

struct wire {
    uint32_t loss, delay_ms, jitter_ms;
};
struct frame {
    int64_t due_ns;
    uint64_t number; /* of two that are due together the first comes first */
    uint32_t to, length;
    uint8_t bytes[];
};

static struct {
    uint32_t count;
    int fds[DEVICES_MAX];
    struct wire wires[DEVICES_MAX][DEVICES_MAX];
    struct frame *waiting[WAITING_MAX]; /* owned; a heap, the first due on top */
    uint32_t waiting_count;
    uint64_t number, random;
    uint64_t carried, cut, lost, delayed, dropped;
    char line[LINE_BYTES];
    size_t line_length;
} net;

static void die(const char *what)
{
    fprintf(stderr, "wires: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* xorshift64* (Marsaglia 2003, Vigna 2016). */
static uint32_t below(uint32_t bound)
{
    net.random ^= net.random >> 12;
    net.random ^= net.random << 25;
    net.random ^= net.random >> 27;
    return (uint32_t)((net.random * UINT64_C(2685821657736338717)) >> 32) % bound;
}

/* ---- frames under way ---- */

static bool is_before(const struct frame *a, const struct frame *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->number < b->number;
}

static void waiting_swap(uint32_t a, uint32_t b)
{
    struct frame *f = net.waiting[a];
    net.waiting[a] = net.waiting[b];
    net.waiting[b] = f;
}

static void waiting_push(struct frame *f)
{
    uint32_t at = net.waiting_count++;
    net.waiting[at] = f;
    for (; at > 0 && is_before(net.waiting[at], net.waiting[(at - 1) / 2]); at = (at - 1) / 2)
        waiting_swap(at, (at - 1) / 2);
}

static struct frame *waiting_pop(void)
{
    struct frame *first = net.waiting[0];
    uint32_t at = 0;
    net.waiting[0] = net.waiting[--net.waiting_count];
    for (;;) {
        uint32_t least = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2; child++)
            if (child < net.waiting_count && is_before(net.waiting[child], net.waiting[least]))
                least = child;
        if (least == at)
            return first;
        waiting_swap(at, least);
        at = least;
    }
}

/* A device that is down, or full, loses it: as it would on a real wire. */
static void put(uint32_t to, const void *bytes, size_t length)
{
    if (write(net.fds[to], bytes, length) == (ssize_t)length)
        net.carried++;
}

static void put_due(int64_t at_ns)
{
    while (net.waiting_count > 0 && net.waiting[0]->due_ns <= at_ns) {
        struct frame *f = waiting_pop();
        put(f->to, f->bytes, f->length);
        free(f);
    }
}

static void delay(const struct wire *w, uint32_t to, const void *bytes, size_t length)
{
    struct frame *f = net.waiting_count < WAITING_MAX ? malloc(sizeof *f + length) : NULL;
    uint32_t ms = w->delay_ms + (w->jitter_ms > 0 ? below(w->jitter_ms + 1) : 0);
    if (f == NULL) {
        net.dropped++;
        return;
    }
    *f = (struct frame){.due_ns = now_ns() + (int64_t)ms * 1000000,
                        .number = net.number++,
                        .to = to,
                        .length = (uint32_t)length};
    memcpy(f->bytes, bytes, length);
    waiting_push(f);
    net.delayed++;
}

static void carry(uint32_t from, uint32_t to, const void *bytes, size_t length)
{
    const struct wire *w = &net.wires[from][to];
    if (w->loss >= PERMILLE)
        net.cut++;
    else if (w->loss > 0 && below(PERMILLE) < w->loss)
        net.lost++;
    else if (w->delay_ms + w->jitter_ms > 0)
        delay(w, to, bytes, length);
    else
        put(to, bytes, length);
}

/* False: there is nothing more for now. */
static bool take_frame(uint32_t from)
{
    uint8_t bytes[FRAME_BYTES_MAX];
    ssize_t length = read(net.fds[from], bytes, sizeof bytes);
    if (length < HEADER_BYTES)
        return false;
    bool for_many = bytes[0] & 1;
    if (!for_many && memcmp(bytes, address_start, sizeof address_start) != 0)
        return true;
    for (uint32_t to = 0; to < net.count; to++)
        if (to != from && (for_many || bytes[5] == to + 1))
            carry(from, to, bytes, (size_t)length);
    return true;
}

/* ---- commands ---- */

static bool command_wire(const char *arguments)
{
    uint32_t from, to;
    struct wire w;
    if (sscanf(arguments, "%u %u %u %u %u", &from, &to, &w.loss, &w.delay_ms, &w.jitter_ms) != 5 ||
        from < 1 || from > net.count || to < 1 || to > net.count || w.loss > PERMILLE ||
        w.delay_ms > DELAY_MS_MAX || w.jitter_ms > DELAY_MS_MAX)
        return false;
    net.wires[from - 1][to - 1] = w;
    return true;
}

static void obey(const char *line)
{
    if (strncmp(line, "wire ", 5) == 0) {
        puts(command_wire(line + 5) ? "ok" : "error: wire FROM TO LOSS DELAY JITTER");
    } else if (strcmp(line, "heal") == 0) {
        memset(net.wires, 0, sizeof net.wires);
        puts("ok");
    } else if (strcmp(line, "stats") == 0) {
        printf("ok %llu %llu %llu %llu %llu\n", (unsigned long long)net.carried,
               (unsigned long long)net.cut, (unsigned long long)net.lost,
               (unsigned long long)net.delayed, (unsigned long long)net.dropped);
    } else {
        puts("error: no such command");
    }
    fflush(stdout);
}

/* False: there will be no more. */
static bool take_commands(void)
{
    ssize_t got = read(STDIN_FILENO, net.line + net.line_length, LINE_BYTES - 1 - net.line_length);
    if (got <= 0)
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    net.line_length += (size_t)got;
    net.line[net.line_length] = '\0';
    for (char *end; (end = strchr(net.line, '\n')) != NULL;) {
        *end = '\0';
        obey(net.line);
        net.line_length -= (size_t)(end + 1 - net.line);
        memmove(net.line, end + 1, net.line_length + 1);
    }
    return net.line_length < LINE_BYTES - 1;
}

/* ---- the devices ---- */

static int device_open(const char *prefix, uint32_t number)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        die("/dev/net/tun");
    (void)snprintf(request.ifr_name, sizeof request.ifr_name, "%s%u", prefix, number);
    if (ioctl(fd, TUNSETIFF, &request) != 0)
        die(request.ifr_name);
    return fd;
}

static int timeout_ms(void)
{
    if (net.waiting_count == 0)
        return -1;
    int64_t left_ns = net.waiting[0]->due_ns - now_ns();
    return left_ns <= 0 ? 0 : (int)((left_ns + 999999) / 1000000);
}

static void serve(void)
{
    struct pollfd polled[DEVICES_MAX + 1];
    for (uint32_t i = 0; i < net.count; i++)
        polled[i] = (struct pollfd){.fd = net.fds[i], .events = POLLIN};
    polled[net.count] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    for (;;) {
        if (poll(polled, net.count + 1, timeout_ms()) < 0 && errno != EINTR)
            die("poll");
        put_due(now_ns());
        if (polled[net.count].revents != 0 && !take_commands())
            return;
        for (uint32_t i = 0; i < net.count; i++)
            for (int left = polled[i].revents != 0 ? AT_ONCE : 0; left > 0 && take_frame(i);)
                left--;
    }
}

int main(int argc, char **argv)
{
    char *end = NULL;
    unsigned long count = argc == 4 ? strtoul(argv[2], &end, 10) : 0;
    if (count < 2 || count > DEVICES_MAX || *end != '\0') {
        fputs("usage: wires PREFIX COUNT SEED\n", stderr);
        return 2;
    }
    net.count = (uint32_t)count;
    net.random = strtoull(argv[3], NULL, 10) | 1;
    for (uint32_t i = 0; i < net.count; i++)
        net.fds[i] = device_open(argv[1], i + 1);
    puts("ready");
    fflush(stdout);
    serve();
    return 0;
}
