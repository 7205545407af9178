/* cell.h - a five-server cell of real processes for a test. */
#ifndef COORD_TESTS_LIBCOORD_CELL_H
#define COORD_TESTS_LIBCOORD_CELL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { CELL_MEMBERS = 5 };

struct cell {
    char directory[64];
    char endpoints[256];
    int port;
    pid_t dev;                   /* coordd dev */
    pid_t members[CELL_MEMBERS]; /* as it started them */
    pid_t again[CELL_MEMBERS];   /* as cell_restart did; 0: not */
    int out;                     /* of dev */
};

/* On free ports. False, with a line on stderr, if it does not get ready. Its processes
 * are killed with the thread that calls this, should it not get to cell_stop. */
bool cell_start(struct cell *c);
/* Ends every process and removes the directory. */
void cell_stop(struct cell *c);
/* Members are numbered from 1. */
void cell_signal(struct cell *c, uint32_t member, int signal);
void cell_kill(struct cell *c, uint32_t member);
bool cell_restart(struct cell *c, uint32_t member);

/* Its output goes to `out`, a pipe, or nowhere if that is negative. It is killed with the
 * thread that calls this. */
pid_t child_spawn(const char *const *arguments, int out);
void child_remove_directory(const char *directory); /* with all in it */

/* Polls until condition(context), at most ms; false if it never came. */
bool eventually(bool (*condition)(void *context), void *context, int ms);
int64_t now_ms(void); /* CLOCK_MONOTONIC */
void sleep_ms(int ms);

#endif
