/* lab.c - see lab.h. */
#include "tests/history/lab.h"

#include <CUnit/CUnit.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "tests/history/format.h"

static void put(struct buffer *out, const char *text)
{
    buffer_put(out, text, strlen(text));
}

static void put_call(struct buffer *file, const char *line, unsigned number)
{
    char text[1024], head[128];
    unsigned client;
    unsigned long long from, to;
    int length = 0;
    if (sscanf(line, "%u %llu-%llu %n", &client, &from, &to, &length) == 3 && length > 0) {
        const char *arrow = strstr(line, " -> ");
        CHECK(arrow != NULL);
        snprintf(text, sizeof(text), "invoke %llu %u %u %.*s\n", from, client, number,
                 (int)(arrow - line) - length, line + length);
        put(file, text);
        snprintf(head, sizeof(head), "return %llu %u %u ", to, client, number);
        put(file, head);
        put(file, arrow + 4);
        put(file, "\n");
        return;
    }
    CHECK(sscanf(line, "%u %llu %n", &client, &from, &length) == 2 && length > 0);
    snprintf(text, sizeof(text), "invoke %llu %u %u %s\n", from, client, number, line + length);
    put(file, text);
}

void lab_judge(const char *const *lines, struct history_report *ret)
{
    struct history h;
    struct history_problem problem = {0};
    struct buffer file = BUFFER_INIT;
    history_format_head(&file);
    for (unsigned i = 0; lines[i] != NULL; i++) {
        if (lines[i][0] >= '0' && lines[i][0] <= '9') {
            put_call(&file, lines[i], i + 1);
        } else {
            put(&file, lines[i]);
            put(&file, "\n");
        }
    }
    history_init(&h);
    if (!history_read(&h, buffer_slice(&file), &problem)) {
        fprintf(stderr, "line %zu: %s\n", problem.line, problem.text);
        CU_FAIL("the history cannot be read");
    }
    history_report_init(ret, 0);
    history_judge(&h, ret);
    history_release(&h);
    buffer_release(&file);
}

uint32_t lab_found(const char *const *lines)
{
    struct history_report r;
    uint32_t found = 0;
    lab_judge(lines, &r);
    CU_ASSERT_EQUAL(r.gave_up, 0);
    for (int i = 0; i < HISTORY_CHECKERS; i++)
        if (r.anomalies[i] > 0)
            found |= UINT32_C(1) << i;
    return found;
}

void lab_is(uint32_t found, const char *const *lines, const char *file, int line)
{
    uint32_t is = lab_found(lines);
    CU_ASSERT_EQUAL(is, found);
    if (is == found)
        return;
    struct history_report r;
    lab_judge(lines, &r);
    fprintf(stderr, "%s:%d: found by 0x%x, not 0x%x\n", file, line, is, found);
    for (uint32_t i = 0; i < r.kept_count; i++)
        fprintf(stderr, "  %s: %s\n", history_checker_name(r.kept[i].by), r.kept[i].text);
}
