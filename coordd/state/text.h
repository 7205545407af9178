/* text.h - is this text?
 *
 * UTF-8 as RFC 3629 has it: no overlong form, no surrogate, nothing above
 * U+10FFFF. Pure. */
#ifndef COORD_STATE_TEXT_H
#define COORD_STATE_TEXT_H

#include "libcoord/base/bytes.h"

enum text_flaw {
    TEXT_GOOD,
    TEXT_NOT_UTF8,
    TEXT_CONTROL, /* U+0000 to U+001F, U+007F to U+009F */
};

/* The first flaw in reading order. */
enum text_flaw text_flaw(struct slice text);
/* UTF-8 without NUL; other control characters are welcome. */
bool text_is_utf8(struct slice text);

#endif
