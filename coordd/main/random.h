/* random.h - bytes that nobody can guess. */
#ifndef COORD_MAIN_RANDOM_H
#define COORD_MAIN_RANDOM_H

#include <stddef.h>

/* From the system's generator; ends the process if it has none. */
void random_fill(void *out, size_t length);

#endif
