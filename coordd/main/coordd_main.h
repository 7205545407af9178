/* coordd_main.h - the whole program, for main.c and for test programs that put
 * something else under SQLite. */
#ifndef COORD_MAIN_COORDD_MAIN_H
#define COORD_MAIN_COORDD_MAIN_H

#include "coordd/storage/store.h"

/* Returns the exit status. `storage` may be NULL; shipped programs have no way
 * to set anything dangerous in it. */
int coordd_main(int argc, char **argv, const struct store_options *storage);

#endif
