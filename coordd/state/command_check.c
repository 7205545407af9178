/* command_check.c - is a command well-formed, and within the limits?
 *
 * The same judgement twice: before ordering by what no cell could ever allow,
 * and when applied by the limits in the state. It looks at the command alone, so
 * it can never refuse what an entry in flight would make right. */
#include <stdio.h>

#include "coordd/state/command.h"
#include "coordd/state/path.h"
#include "coordd/state/sequencer.h"
#include "coordd/state/text.h"

static enum err no(const char **ret_why, enum err e, const char *why)
{
    *ret_why = why;
    return e;
}

/* A field that this version does not know asks for something that it would
 * silently leave out. */
static bool has_unknown(const ProtobufCMessage *m)
{
    return m->n_unknown_fields > 0;
}

static enum err check_content(ProtobufCBinaryData content, const struct limits *limits,
                              const char **ret_why)
{
    if (content.len > limits->content_bytes)
        return no(ret_why, ERR_TOO_LARGE, "content: too large");
    return ERR_OK;
}

static enum err check_sequencer(const char *text, const char **ret_why)
{
    struct sequencer parsed;
    if (*text != '\0' && !sequencer_parse(slice_of_string(text), &parsed))
        return no(ret_why, ERR_INVALID,
                  "sequencer: not of the form cell:instance:mode:generation:path");
    return ERR_OK;
}

static enum err check_condition(const Coord__V1__Condition *condition, const char **ret_why)
{
    if (condition == NULL)
        return ERR_OK;
    if (has_unknown(&condition->base))
        return no(ret_why, ERR_UNSUPPORTED, "condition: has an unknown field");
    return check_sequencer(condition->sequencer, ret_why);
}

static enum err check_path(const char *path, const struct limits *limits, const char **ret_why)
{
    return path_check(slice_of_string(path), limits, ret_why);
}

static enum err check_create(const Coord__V1__Create *c, const struct limits *limits,
                             const char **ret_why)
{
    enum err e = check_path(c->path, limits, ret_why);
    if (e == ERR_OK)
        e = check_content(c->content, limits, ret_why);
    return e == ERR_OK ? check_sequencer(c->sequencer, ret_why) : e;
}

static enum err check_put(const Coord__V1__Put *c, const struct limits *limits,
                          const char **ret_why)
{
    enum err e = check_path(c->path, limits, ret_why);
    if (e == ERR_OK)
        e = check_content(c->content, limits, ret_why);
    return e == ERR_OK ? check_condition(c->condition, ret_why) : e;
}

static enum err check_delete(const Coord__V1__Delete *c, const struct limits *limits,
                             const char **ret_why)
{
    enum err e = check_path(c->path, limits, ret_why);
    if (e != ERR_OK)
        return e;
    if (path_is_root(slice_of_string(c->path)))
        return no(ret_why, ERR_INVALID, "path: the root cannot be deleted");
    return check_condition(c->condition, ret_why);
}

static enum err check_acquire(const Coord__V1__Acquire *c, const struct limits *limits,
                              const char **ret_why)
{
    if (c->handle == 0)
        return no(ret_why, ERR_INVALID, "handle: 0");
    if (c->mode != COORD__V1__LOCK_MODE__LOCK_SHARED &&
        c->mode != COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE)
        return no(ret_why, ERR_INVALID, "mode: neither shared nor exclusive");
    if (c->lock_delay_ms > limits->lock_delay_ms)
        return no(ret_why, ERR_INVALID, "lock_delay_ms: too long");
    if (c->on_grant_case == COORD__V1__ACQUIRE__ON_GRANT_CONTENT) {
        if (c->mode != COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE)
            return no(ret_why, ERR_INVALID, "content: set only by who is alone");
        enum err e = check_content(c->content, limits, ret_why);
        if (e != ERR_OK)
            return e;
    }
    return check_path(c->path, limits, ret_why);
}

static enum err check_release(const Coord__V1__Release *c, const struct limits *limits,
                              const char **ret_why)
{
    if (c->handle == 0)
        return no(ret_why, ERR_INVALID, "handle: 0");
    return check_path(c->path, limits, ret_why);
}

static enum err check_end_delay(const Coord__V1__EndLockDelay *c, const struct limits *limits,
                                const char **ret_why)
{
    if (c->instance == 0)
        return no(ret_why, ERR_INVALID, "instance: 0");
    return check_path(c->path, limits, ret_why);
}

static enum err check_cancel(const Coord__V1__Command *command, const Coord__V1__Cancel *c,
                             const char **ret_why)
{
    /* What comes later could not be kept from being applied. */
    if (c->acquire_seq == 0 || c->acquire_seq >= command->seq)
        return no(ret_why, ERR_INVALID, "acquire_seq: not below the seq of the cancel");
    return ERR_OK;
}

static enum err check_open(const Coord__V1__OpenSession *c, const struct limits *limits,
                           const char **ret_why)
{
    if (c->nonce.len != STATE_NONCE_BYTES)
        return no(ret_why, ERR_INVALID, "nonce: not 16 bytes");
    if (c->secret.len != STATE_SECRET_BYTES)
        return no(ret_why, ERR_INVALID, "secret: not 16 bytes");
    if (c->ttl_ms < limits->session_ttl_min_ms)
        return no(ret_why, ERR_INVALID, "ttl_ms: too short");
    if (c->ttl_ms > limits->session_ttl_max_ms)
        return no(ret_why, ERR_INVALID, "ttl_ms: too long");
    struct slice host = slice_of_string(c->host);
    if (host.length > STATE_HOST_BYTES_MAX)
        return no(ret_why, ERR_TOO_LARGE, "host: too long");
    if (!text_is_utf8(host))
        return no(ret_why, ERR_INVALID, "host: not UTF-8");
    return ERR_OK;
}

/* Which commands need a session, and which must have none. */
static enum err check_session(const Coord__V1__Command *c, const char **ret_why)
{
    switch (c->op_case) {
    case COORD__V1__COMMAND__OP_CREATE:
        if (c->session == 0 && c->create->ephemeral)
            return no(ret_why, ERR_INVALID, "ephemeral: needs a session");
        break;
    case COORD__V1__COMMAND__OP_ACQUIRE:
    case COORD__V1__COMMAND__OP_RELEASE:
    case COORD__V1__COMMAND__OP_CANCEL:
    case COORD__V1__COMMAND__OP_END_SESSION:
        if (c->session == 0)
            return no(ret_why, ERR_INVALID, "session: this needs one");
        break;
    case COORD__V1__COMMAND__OP_OPEN_SESSION:
    case COORD__V1__COMMAND__OP_EXPIRE_SESSION:
    case COORD__V1__COMMAND__OP_END_LOCK_DELAY:
        if (c->session != 0)
            return no(ret_why, ERR_INVALID, "session: this is not asked within one");
        break;
    default:
        break;
    }
    if (c->session != 0 && c->seq == 0)
        return no(ret_why, ERR_INVALID, "seq: 0 in a session");
    if (c->session != 0 && c->lowest > c->seq)
        return no(ret_why, ERR_INVALID, "lowest: above seq");
    return ERR_OK;
}

static enum err check_frame(const Coord__V1__Command *c, const char **ret_why)
{
    if (has_unknown(&c->base))
        return no(ret_why, ERR_UNSUPPORTED, "op: has an unknown field");
    /* Every choice of `op` is a message, so any of the union's pointers will do. */
    if (c->op_case == COORD__V1__COMMAND__OP__NOT_SET || c->create == NULL)
        return no(ret_why, ERR_INVALID, "op: none that is known");
    if (has_unknown(&c->create->base))
        return no(ret_why, ERR_UNSUPPORTED, "op: has an unknown field");
    struct slice principal = slice_of_string(c->principal);
    if (principal.length > STATE_PRINCIPAL_BYTES_MAX)
        return no(ret_why, ERR_TOO_LARGE, "principal: too long");
    if (!text_is_utf8(principal))
        return no(ret_why, ERR_INVALID, "principal: not UTF-8");
    return check_session(c, ret_why);
}

enum err command_check(const Coord__V1__Command *c, const struct limits *limits,
                       const char **ret_why)
{
    enum err e = check_frame(c, ret_why);
    if (e != ERR_OK)
        return e;
    switch (c->op_case) {
    case COORD__V1__COMMAND__OP_CREATE:
        return check_create(c->create, limits, ret_why);
    case COORD__V1__COMMAND__OP_PUT:
        return check_put(c->put, limits, ret_why);
    case COORD__V1__COMMAND__OP_DELETE:
        return check_delete(c->delete_, limits, ret_why);
    case COORD__V1__COMMAND__OP_ACQUIRE:
        return check_acquire(c->acquire, limits, ret_why);
    case COORD__V1__COMMAND__OP_RELEASE:
        return check_release(c->release, limits, ret_why);
    case COORD__V1__COMMAND__OP_CANCEL:
        return check_cancel(c, c->cancel, ret_why);
    case COORD__V1__COMMAND__OP_OPEN_SESSION:
        return check_open(c->open_session, limits, ret_why);
    case COORD__V1__COMMAND__OP_EXPIRE_SESSION:
        if (c->expire_session->session == 0)
            return no(ret_why, ERR_INVALID, "session: 0");
        return ERR_OK;
    case COORD__V1__COMMAND__OP_END_LOCK_DELAY:
        return check_end_delay(c->end_lock_delay, limits, ret_why);
    case COORD__V1__COMMAND__OP_END_SESSION:
        return ERR_OK;
    default:
        return no(ret_why, ERR_INVALID, "op: none that is known");
    }
}

enum err state_check_command(const Coord__V1__Command *command, char *why, size_t why_bytes)
{
    const char *reason = "";
    enum err e = command_check(command, &limits_hard, &reason);
    if (e != ERR_OK)
        snprintf(why, why_bytes, "%s", reason);
    return e;
}
