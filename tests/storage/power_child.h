/* power_child.h - a child that works on the directory and is killed in the middle of it. */
#ifndef COORD_TESTS_STORAGE_POWER_CHILD_H
#define COORD_TESTS_STORAGE_POWER_CHILD_H

#include "tests/storage/fixture.h"

/* In the child: goes on from `told`, writes what is to be told to `to`, all of it each time, and
 * ends with _exit(0). */
typedef void power_child_work(struct fixture *f, const void *told, uint64_t seed, int to);

/* Runs the child until it dies at that operation of its VFS (0: at none), or is done. *told, of
 * that size, is what it told last. */
void power_child_run(struct fixture *f, power_child_work *work, uint64_t seed, uint64_t kill_at,
                     void *told, size_t size);

#endif
