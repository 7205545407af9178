/* stat.h - a node's packed coord.v1.Stat.
 *
 * Every change of a node is told by its Stat, in an event and mostly in an
 * answer too, watched or not. So it is written here by hand, field by field as
 * protobuf-c would write it, in a third of the time. node_stat in node.h fills the
 * struct for all else. */
#ifndef COORD_STATE_STAT_H
#define COORD_STATE_STAT_H

#include "coordd/state/node.h"

/* Seventeen fields: the path with its length, one of eight bytes, fifteen numbers,
 * each behind a tag of at most two bytes. */
enum { STAT_BYTES_MAX = (1 + 2 + STATE_PATH_BYTES_HARD) + (1 + 8) + 15 * (2 + 10) };

/* Returns how many of the STAT_BYTES_MAX bytes at `out` were written. */
size_t stat_pack(const struct node *node, struct slice path, uint8_t *out);

#endif
