/* txn_script.c - a file for coordctl txn. */
#include "tools/coordctl/txn_script.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

/* Reads it to its end: the sanitizer knows whether that is still within the text. */
static void read_text(const char *text)
{
    DEMAND(text != NULL && strlen(text) < SIZE_MAX);
}

static void judge(const struct txn_part *part)
{
    DEMAND(txn_verb_words(part->verb) != NULL && part->line > 0);
    if (part->verb == TXN_CHECK_SEQUENCER)
        read_text(part->sequencer);
    else
        read_text(part->path);
    if (part->sequencer != NULL)
        read_text(part->sequencer);
    DEMAND(part->value_length == 0 || memchr(part->value, 0, part->value_length) != part->value ||
           part->value[0] == '\0');
    DEMAND(part->verb != TXN_CHECK_GENERATION || part->generation > 0);
    DEMAND(!txn_is_check(part->verb) || part->value_length == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct txn_script *script = check_calloc(1, sizeof *script);
    uint8_t *text = fuzz_copy(slice_of(data, size));
    char why[TXN_WHY_BYTES] = "";
    uint32_t line = 0;

    if (txn_script_parse(script, (const char *)text, size, &line, why)) {
        DEMAND(script->count <= TXN_PARTS_MAX);
        for (uint32_t i = 0; i < script->count; i++)
            judge(&script->parts[i]);
    } else {
        DEMAND(why[0] != '\0' && memchr(why, 0, sizeof why) != NULL);
    }
    txn_script_release(script);
    free(script);
    free(text);
    return 0;
}
