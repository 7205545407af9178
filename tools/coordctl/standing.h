/* standing.h - how a cell stands, in a phrase: why it serves nobody. Pure. */
#ifndef COORDCTL_STANDING_H
#define COORDCTL_STANDING_H

#include <coord/coord.h>
#include <stdbool.h>
#include <stddef.h>

enum { STANDING_BYTES = 1024 };

/* Somebody leads, and the cell is founded. */
bool standing_serves(const coord_status *status);

/* What the servers said, and what follows from it; cut if it is longer than the text. */
void standing_text(const coord_status *status, char text[STANDING_BYTES]);

/* Of those that take nothing new for want of a state; "" if there is none. */
void standing_crowded(const coord_status *status, char text[STANDING_BYTES]);

#endif
