/* error.c - what a call says, in words. The detail belongs to the thread, as
 * errno does; it is all that this library keeps outside of its objects. */
#include <stdarg.h>
#include <stdio.h>

#include "libcoord/src/inner.h"

static _Thread_local char detail[DETAIL_BYTES];

const char *coord_error_text(coord_error error)
{
    return err_text((enum err)error);
}

const char *coord_error_name(coord_error error)
{
    return err_name((enum err)error);
}

const char *coord_error_detail(void)
{
    return detail;
}

void detail_clear(void)
{
    detail[0] = '\0';
}

void detail_set(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
}
