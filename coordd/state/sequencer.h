/* sequencer.h - the printable name of one grant of one lock.
 *
 *   <cell id, 32 hex digits>:<instance>:<x or s>:<generation>:<path>
 *
 * The path stands last, since it may have colons in it. There is one spelling
 * for each grant: lower-case digits, no leading zeros. */
#ifndef COORD_STATE_SEQUENCER_H
#define COORD_STATE_SEQUENCER_H

#include "coord/v1/command.pb-c.h"
#include "coordd/state/machine.h"

struct claim;

enum {
    SEQUENCER_BYTES_MAX =
        2 * STATE_CELL_ID_BYTES + 1 + 20 + 1 + 1 + 1 + 20 + 1 + STATE_PATH_BYTES_HARD,
};

struct sequencer {
    uint8_t cell[STATE_CELL_ID_BYTES];
    uint64_t instance, generation;
    Coord__V1__LockMode mode;
    struct slice path; /* borrowed from what was parsed */
};

/* False if the text is no sequencer. */
bool sequencer_parse(struct slice text, struct sequencer *ret);
/* Of a claim that is held. */
void sequencer_print(const struct state *s, const struct claim *claim, struct buffer *text);
/* ERR_OK if the grant that it names is held now, else ERR_STALE_SEQUENCER or
 * ERR_INVALID; *ret_why is then a constant that says why. */
MUST_USE enum err sequencer_check(const struct state *s, struct slice text, const char **ret_why);

#endif
