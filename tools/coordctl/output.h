/* output.h - what goes to standard output: tables for a person, JSON for a
 * program. JSON numbers are exact, also above 2^53. */
#ifndef COORDCTL_OUTPUT_H
#define COORDCTL_OUTPUT_H

#include <cjson/cJSON.h>
#include <coord/coord.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { TABLE_COLUMNS_MAX = 12, TABLE_CELL_BYTES_MAX = 2048 };

/* Rows of cells; every column is as wide as its widest cell. */
struct table {
    uint32_t columns;
    char **cells; /* owned, and each of them */
    size_t count, capacity;
};
void table_init(struct table *t, uint32_t columns);
/* The same, with a first row. */
void table_begin(struct table *t, const char *const *titles, uint32_t columns);
void table_release(struct table *t);
/* The next cell, row by row; printf's format. */
__attribute__((format(printf, 2, 3))) void table_add(struct table *t, const char *format, ...);
/* The next one is a number, or "-". */
void table_add_number(struct table *t, uint64_t number, bool known);
void table_print(const struct table *t, FILE *out);

void json_add_u64(cJSON *object, const char *name, uint64_t value);
void json_add_text(cJSON *object, const char *name, const char *value);
void json_add_bool(cJSON *object, const char *name, bool value);
/* Content: "<name>" if it is text, else "<name>_base64". */
void json_add_content(cJSON *object, const char *name, const void *data, size_t length);
void json_add_stat(cJSON *object, const coord_stat *stat);
/* Print it and delete it. One line if `line`, for streams of objects. */
void json_finish(cJSON *object, bool line, FILE *out);

/* "exclusive", "shared" or "free". */
const char *lock_word(const coord_stat *stat);

/* Standard output is flushed: false if anything could not be written. */
bool output_flush(void);

#endif
