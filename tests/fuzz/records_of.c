/* records_of.c - the records of the state that state_apply makes of an input, as an
 * input of state_load: records_of IN OUT. For the corpus (make_corpus.py). */
#include <stdio.h>
#include <stdlib.h>

#include "coord/v1/command.pb-c.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/records.h"

static struct buffer read_all(const char *path)
{
    struct buffer b = BUFFER_INIT;
    FILE *file = fopen(path, "rb");
    uint8_t piece[4096];
    size_t length;

    CHECK(file != NULL);
    while ((length = fread(piece, 1, sizeof piece, file)) > 0)
        buffer_put(&b, piece, length);
    fclose(file);
    return b;
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    struct buffer in = read_all(argv[1]), batch = BUFFER_INIT, records = BUFFER_INIT;
    struct state *s = state_new(records_cell);
    struct state_output out;
    struct slice rest = buffer_slice(&in);
    struct fuzz_part part;

    state_output_init(&out);
    while (fuzz_next(&rest, &part)) {
        Coord__V1__Batch b = COORD__V1__BATCH__INIT;
        Coord__V1__Command *c;

        if (part.op > 1) /* reads and cuts */
            continue;
        c = coord__v1__command__unpack(NULL, part.bytes.length, part.bytes.data);
        CHECK(c != NULL);
        b.commands = &c;
        b.n_commands = 1;
        coord__v1__batch__pack(&b, buffer_extend(&batch, coord__v1__batch__get_packed_size(&b)));
        state_apply(s, buffer_slice(&batch), &out);
        buffer_clear(&batch);
        coord__v1__command__free_unpacked(c, NULL);
    }
    records_put(s, &records);
    FILE *file = fopen(argv[2], "wb");
    CHECK(file != NULL && fwrite(records.data, 1, records.length, file) == records.length);
    fclose(file);
    state_output_release(&out);
    buffer_release(&in);
    buffer_release(&batch);
    buffer_release(&records);
    state_free(s);
    return EXIT_SUCCESS;
}
