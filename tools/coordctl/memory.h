/* memory.h - allocation that ends the program when there is no memory: a
 * one-shot command has nothing better to do. */
#ifndef COORDCTL_MEMORY_H
#define COORDCTL_MEMORY_H

#include <stddef.h>

void *memory_resize(void *old, size_t count, size_t size_bytes); /* old may be NULL */
/* The texts one behind the other, to be freed. */
char *memory_join(const char *a, const char *b, const char *c);

#endif
