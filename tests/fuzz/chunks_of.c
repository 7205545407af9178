/* chunks_of.c - every envelope that the replica of peer_message sends when it gets an
 * input, in hexadecimal, one a line: chunks_of IN. For the corpus (make_corpus.py). */
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/cell.h"
#include "tests/fuzz/fuzz.h"

static void print(struct slice envelope)
{
    char *text = check_malloc(2 * envelope.length + 1);

    hex_encode(envelope.data, envelope.length, text);
    puts(text);
    free(text);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    FILE *file = fopen(argv[1], "rb");
    uint8_t bytes[FUZZ_PART_BYTES_MAX];

    CHECK(file != NULL);
    size_t length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    cell_overhears = print;
    return LLVMFuzzerTestOneInput(bytes, length);
}
