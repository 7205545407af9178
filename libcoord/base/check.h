/* check.h - a bug ends the process, in release builds too.
 *
 * CHECK is for what can only be false if this program is wrong: a broken
 * invariant, a caller that breaks a contract. A failed operation returns
 * enum err and a protocol's "no" is data; neither ever meets CHECK.
 * check_alloc turns a failed allocation into a crash, because a step that
 * fails half way would leave a state that no other replica has. */
#ifndef COORD_BASE_CHECK_H
#define COORD_BASE_CHECK_H

#include <stddef.h>

#define CHECK(condition) ((condition) ? (void)0 : check_failed(#condition, __FILE__, __LINE__))

_Noreturn void check_failed(const char *condition, const char *file, int line);

/* Like malloc, calloc and realloc, but never NULL: out of memory ends the
 * process. A size of 0 yields a pointer that may be freed. */
void *check_malloc(size_t size_bytes);
void *check_calloc(size_t count, size_t size_bytes);
void *check_realloc(void *old, size_t size_bytes);
/* A copy with a NUL behind it, to be freed. */
char *check_strndup(const char *s, size_t length_bytes);
char *check_strdup(const char *s);

#endif
