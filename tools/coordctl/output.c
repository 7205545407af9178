/* output.c - see output.h. */
#define _GNU_SOURCE
#include "tools/coordctl/output.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tools/coordctl/memory.h"
#include "tools/coordctl/units.h"

enum { U64_TEXT_BYTES = 24, COLUMN_GAP = 2 };

void table_init(struct table *t, uint32_t columns)
{
    *t = (struct table){.columns = columns};
}

void table_begin(struct table *t, const char *const *titles, uint32_t columns)
{
    table_init(t, columns);
    for (uint32_t i = 0; i < columns; i++)
        table_add(t, "%s", titles[i]);
}

void table_release(struct table *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->cells[i]);
    free(t->cells);
    *t = (struct table){0};
}

void table_add(struct table *t, const char *format, ...)
{
    char text[TABLE_CELL_BYTES_MAX];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    if (t->count == t->capacity) {
        t->capacity = t->capacity > 0 ? 2 * t->capacity : 64;
        t->cells = memory_resize(t->cells, t->capacity, sizeof(*t->cells));
    }
    t->cells[t->count++] = memory_join(text, "", "");
}

void table_add_number(struct table *t, uint64_t number, bool known)
{
    if (known)
        table_add(t, "%" PRIu64, number);
    else
        table_add(t, "-");
}

void table_print(const struct table *t, FILE *out)
{
    size_t widths[TABLE_COLUMNS_MAX] = {0};
    for (size_t i = 0; i < t->count; i++) {
        size_t columns = units_columns(t->cells[i]);
        size_t *width = &widths[i % t->columns];
        *width = columns > *width ? columns : *width;
    }
    for (size_t row = 0; row < t->count; row += t->columns) {
        size_t last = t->columns;
        while (last > 1 && t->cells[row + last - 1][0] == '\0')
            last--;
        for (size_t column = 0; column < last; column++) {
            const char *cell = t->cells[row + column];
            size_t pad = column + 1 < last ? widths[column] - units_columns(cell) + COLUMN_GAP : 0;
            fprintf(out, "%s%*s", cell, (int)pad, "");
        }
        fputc('\n', out);
    }
}

void json_add_u64(cJSON *object, const char *name, uint64_t value)
{
    char text[U64_TEXT_BYTES];
    snprintf(text, sizeof(text), "%" PRIu64, value);
    cJSON_AddRawToObject(object, name, text);
}

void json_add_text(cJSON *object, const char *name, const char *value)
{
    cJSON_AddStringToObject(object, name, value != NULL ? value : "");
}

void json_add_bool(cJSON *object, const char *name, bool value)
{
    cJSON_AddBoolToObject(object, name, value);
}

void json_add_content(cJSON *object, const char *name, const void *data, size_t length)
{
    bool is_text = units_is_text(data, length);
    char *key = memory_join(name, is_text ? "" : "_base64", "");
    char *text;
    if (is_text) {
        text = memory_resize(NULL, length + 1, 1);
        if (length > 0)
            memcpy(text, data, length);
        text[length] = '\0';
    } else {
        text = units_base64(data, length);
    }
    cJSON_AddStringToObject(object, key, text);
    free(text);
    free(key);
}

const char *lock_word(const coord_stat *stat)
{
    return stat->lock_exclusive ? "exclusive" : stat->lock_shared ? "shared" : "free";
}

void json_add_stat(cJSON *object, const coord_stat *stat)
{
    char text[U64_TEXT_BYTES];
    json_add_u64(object, "instance", stat->instance);
    json_add_u64(object, "content_generation", stat->content_generation);
    json_add_u64(object, "lock_generation", stat->lock_generation);
    json_add_u64(object, "acl_generation", stat->acl_generation);
    json_add_u64(object, "children_generation", stat->children_generation);
    json_add_u64(object, "modified_revision", stat->modified_revision);
    json_add_u64(object, "created_ms", stat->created_ms);
    json_add_u64(object, "modified_ms", stat->modified_ms);
    json_add_u64(object, "content_bytes", stat->content_bytes);
    snprintf(text, sizeof(text), "%016" PRIx64, stat->content_checksum);
    json_add_text(object, "content_checksum", text);
    json_add_u64(object, "children_count", stat->children_count);
    json_add_bool(object, "ephemeral", stat->owner_session != 0);
    json_add_u64(object, "owner_session", stat->owner_session);
    json_add_text(object, "lock", lock_word(stat));
    json_add_u64(object, "lock_holders_count", stat->lock_holders_count);
    json_add_u64(object, "lock_waiters_count", stat->lock_waiters_count);
    json_add_bool(object, "lock_delayed", stat->lock_delayed);
}

void json_finish(cJSON *object, bool line, FILE *out)
{
    char *text = line ? cJSON_PrintUnformatted(object) : cJSON_Print(object);
    if (text != NULL) {
        fputs(text, out);
        fputc('\n', out);
    }
    cJSON_free(text);
    cJSON_Delete(object);
}

bool output_flush(void)
{
    return fflush(stdout) == 0 && !ferror(stdout);
}
