/* exit_codes.h - how coordd ends, for scripts and for `coordd dev`. */
#ifndef COORD_MAIN_EXIT_CODES_H
#define COORD_MAIN_EXIT_CODES_H

enum coordd_exit {
    COORDD_EXIT_OK = 0,
    COORDD_EXIT_OTHER = 1,
    COORDD_EXIT_USAGE = 2,
    COORDD_EXIT_PORT_TAKEN = 10,
    COORDD_EXIT_NOT_INITIALISED = 11,
    COORDD_EXIT_FOREIGN = 12, /* the directory holds a database that is not ours */
    COORDD_EXIT_CORRUPT = 13,
    COORDD_EXIT_LOCKED = 14,   /* another process has the directory */
    COORDD_EXIT_MISMATCH = 15, /* another cell's or member's directory */
    COORDD_EXIT_DISK = 16,     /* an error of the disk: what is durable is not known */
    COORDD_EXIT_FULL = 17,     /* no space to begin with */
    COORDD_EXIT_EXISTS = 18,   /* init: initialised already */
    COORDD_EXIT_HALTED = 19,   /* going on would have been unsafe */
};

#endif
