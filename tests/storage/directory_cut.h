/* directory_cut.h - what a power cut does to names: links, renames and removals that
 * the directory was not synced after.
 *
 * The functions of the C library that change a directory are replaced in the program
 * that links this; SQLite's calls come here too. For one thread. */
#ifndef COORD_TESTS_STORAGE_DIRECTORY_CUT_H
#define COORD_TESTS_STORAGE_DIRECTORY_CUT_H

#include <stdbool.h>
#include <stdint.h>

/* From now on the process counts, and kills itself before the change, or sync of a
 * directory, of that number. 0: it does not. */
void directory_cut_at(uint64_t number);
/* What was not synced then is taken back, newest first, before it dies. */
void directory_cut_forgets(bool forgets);

#endif
