/* command_check.c - is a command well-formed, and within the limits?
 *
 * The same judgement twice: before ordering by what no cell could ever allow,
 * and when applied by the limits in the state. It looks at the command alone, so
 * it can never refuse what an entry in flight would make right. */
#include <stdio.h>
#include <string.h>

#include "coordd/state/command.h"
#include "coordd/state/path.h"
#include "coordd/state/sequencer.h"
#include "coordd/state/text.h"

static enum err no(struct refusal *refusal, enum err e, const char *why)
{
    refusal->why = why;
    return e;
}

/* A field that this version does not know asks for something that it would
 * silently leave out. */
static bool has_unknown(const ProtobufCMessage *m)
{
    return m->n_unknown_fields > 0;
}

static enum err check_content(ProtobufCBinaryData content, const struct limits *limits,
                              struct refusal *refusal)
{
    if (content.len > limits->content_bytes)
        return no(refusal, ERR_TOO_LARGE, "content: too large");
    return ERR_OK;
}

static enum err check_sequencer(const char *text, struct refusal *refusal)
{
    struct sequencer parsed;
    if (*text != '\0' && !sequencer_parse(slice_of_string(text), &parsed))
        return no(refusal, ERR_INVALID,
                  "sequencer: not of the form cell:instance:mode:generation:path");
    return ERR_OK;
}

static enum err check_condition(const Coord__V1__Condition *condition, struct refusal *refusal)
{
    if (condition == NULL)
        return ERR_OK;
    if (has_unknown(&condition->base))
        return no(refusal, ERR_UNSUPPORTED, "condition: has an unknown field");
    return check_sequencer(condition->sequencer, refusal);
}

static enum err check_path(const char *path, const struct limits *limits, struct refusal *refusal)
{
    return path_check(slice_of_string(path), limits, &refusal->why);
}

/* Judged with its suffix: "/queue/" will do, for a name that is nothing else. */
static enum err check_sequential(const char *path, const struct limits *limits,
                                 struct refusal *refusal)
{
    char name[STATE_PATH_BYTES_HARD + COMMAND_SUFFIX_BYTES];
    struct slice given = slice_of_string(path);
    if (given.length == 0)
        return no(refusal, ERR_INVALID, "path: empty");
    if (given.length > STATE_PATH_BYTES_HARD)
        return no(refusal, ERR_TOO_LARGE, "path: too long");
    memcpy(name, given.data, given.length);
    memset(name + given.length, '0', COMMAND_SUFFIX_BYTES);
    return path_check(slice_of(name, given.length + COMMAND_SUFFIX_BYTES), limits, &refusal->why);
}

static enum err check_create(const Coord__V1__Create *c, const struct limits *limits,
                             struct refusal *refusal)
{
    enum err e = c->sequential ? check_sequential(c->path, limits, refusal)
                               : check_path(c->path, limits, refusal);
    if (e == ERR_OK)
        e = check_content(c->content, limits, refusal);
    return e == ERR_OK ? check_sequencer(c->sequencer, refusal) : e;
}

static enum err check_put(const Coord__V1__Put *c, const struct limits *limits,
                          struct refusal *refusal)
{
    enum err e = check_path(c->path, limits, refusal);
    if (e == ERR_OK)
        e = check_content(c->content, limits, refusal);
    return e == ERR_OK ? check_condition(c->condition, refusal) : e;
}

static enum err check_delete(const Coord__V1__Delete *c, const struct limits *limits,
                             struct refusal *refusal)
{
    enum err e = check_path(c->path, limits, refusal);
    if (e != ERR_OK)
        return e;
    if (path_is_root(slice_of_string(c->path)))
        return no(refusal, ERR_INVALID, "path: the root cannot be deleted");
    return check_condition(c->condition, refusal);
}

static enum err check_acquire(const Coord__V1__Acquire *c, const struct limits *limits,
                              struct refusal *refusal)
{
    if (c->handle == 0)
        return no(refusal, ERR_INVALID, "handle: 0");
    if (c->mode != COORD__V1__LOCK_MODE__LOCK_SHARED &&
        c->mode != COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE)
        return no(refusal, ERR_INVALID, "mode: neither shared nor exclusive");
    if (c->lock_delay_ms > limits->lock_delay_ms)
        return no(refusal, ERR_INVALID, "lock_delay_ms: too long");
    if (c->on_grant_case == COORD__V1__ACQUIRE__ON_GRANT_CONTENT) {
        if (c->mode != COORD__V1__LOCK_MODE__LOCK_EXCLUSIVE)
            return no(refusal, ERR_INVALID, "content: set only by who is alone");
        enum err e = check_content(c->content, limits, refusal);
        if (e != ERR_OK)
            return e;
    }
    return check_path(c->path, limits, refusal);
}

static enum err check_release(const Coord__V1__Release *c, const struct limits *limits,
                              struct refusal *refusal)
{
    if (c->handle == 0)
        return no(refusal, ERR_INVALID, "handle: 0");
    return check_path(c->path, limits, refusal);
}

bool command_check_asks_of_node(const Coord__V1__Check *c)
{
    return c->exists || c->absent || c->instance != 0 || c->content_generation != 0;
}

static enum err check_check(const Coord__V1__Check *c, const struct limits *limits,
                            struct refusal *refusal)
{
    bool asks_of_node = command_check_asks_of_node(c);
    if (has_unknown(&c->base))
        return no(refusal, ERR_UNSUPPORTED, "checks: has an unknown field");
    if (!asks_of_node && *c->sequencer == '\0')
        return no(refusal, ERR_INVALID, "checks: asks for nothing");
    if (c->absent && (c->exists || c->instance != 0 || c->content_generation != 0))
        return no(refusal, ERR_INVALID, "absent: and something about the node");
    if (asks_of_node || *c->path != '\0') {
        enum err e = check_path(c->path, limits, refusal);
        if (e != ERR_OK)
            return e;
    }
    return check_sequencer(c->sequencer, refusal);
}

static enum err check_change(const Coord__V1__Command *command, const Coord__V1__Change *c,
                             const struct limits *limits, struct refusal *refusal)
{
    if (has_unknown(&c->base))
        return no(refusal, ERR_UNSUPPORTED, "changes: has an unknown field");
    if (c->op_case == COORD__V1__CHANGE__OP__NOT_SET || c->create == NULL)
        return no(refusal, ERR_INVALID, "changes: no operation that is known");
    if (has_unknown(&c->create->base))
        return no(refusal, ERR_UNSUPPORTED, "changes: has an unknown field");
    switch (c->op_case) {
    case COORD__V1__CHANGE__OP_CREATE:
        if (command->session == 0 && c->create->ephemeral)
            return no(refusal, ERR_INVALID, "ephemeral: needs a session");
        return check_create(c->create, limits, refusal);
    case COORD__V1__CHANGE__OP_PUT:
        return check_put(c->put, limits, refusal);
    case COORD__V1__CHANGE__OP_DELETE:
        return check_delete(c->delete_, limits, refusal);
    case COORD__V1__CHANGE__OP__NOT_SET:
    default:
        return no(refusal, ERR_INVALID, "changes: no operation that is known");
    }
}

static size_t content_bytes(const Coord__V1__Change *c)
{
    if (c->op_case == COORD__V1__CHANGE__OP_CREATE)
        return c->create->content.len;
    return c->op_case == COORD__V1__CHANGE__OP_PUT ? c->put->content.len : 0;
}

static enum err check_transaction(const Coord__V1__Command *command, const struct limits *limits,
                                  struct refusal *refusal)
{
    const Coord__V1__Transaction *t = command->transaction;
    enum err e = ERR_OK;
    uint32_t part = 0;
    size_t bytes = 0;
    if (t->n_checks + t->n_changes == 0)
        return no(refusal, ERR_INVALID, "transaction: empty");
    if (t->n_checks + t->n_changes > limits->transaction_parts)
        return no(refusal, ERR_TOO_LARGE, "transaction: too many parts");
    for (size_t i = 0; i < t->n_checks && e == ERR_OK; i++, part++)
        e = check_check(t->checks[i], limits, refusal);
    for (size_t i = 0; i < t->n_changes && e == ERR_OK; i++, part++) {
        e = check_change(command, t->changes[i], limits, refusal);
        bytes += e == ERR_OK ? content_bytes(t->changes[i]) : 0;
    }
    if (e != ERR_OK)
        refusal->part = part;
    else if (bytes > limits->transaction_bytes)
        return no(refusal, ERR_TOO_LARGE, "content: of all changes together too large");
    return e;
}

static enum err check_end_delay(const Coord__V1__EndLockDelay *c, const struct limits *limits,
                                struct refusal *refusal)
{
    if (c->instance == 0)
        return no(refusal, ERR_INVALID, "instance: 0");
    return check_path(c->path, limits, refusal);
}

/* In order, so that what is left can be looked up. */
static enum err check_hand_over(const Coord__V1__HandOver *c, const struct limits *limits,
                                struct refusal *refusal)
{
    for (size_t i = 1; i < c->n_leases; i++) {
        if (c->leases[i - 1]->session >= c->leases[i]->session)
            return no(refusal, ERR_INVALID, "leases: not in the order of their sessions");
    }
    for (size_t i = 0; i < c->n_delays; i++) {
        enum err e = check_path(c->delays[i]->path, limits, refusal);
        if (e != ERR_OK)
            return e;
        if (i > 0 && slice_compare(slice_of_string(c->delays[i - 1]->path),
                                   slice_of_string(c->delays[i]->path)) >= 0)
            return no(refusal, ERR_INVALID, "delays: not in the order of their paths");
    }
    return ERR_OK;
}

static enum err check_compare_states(const Coord__V1__CompareStates *c, struct refusal *refusal)
{
    if (c->n_hashes > STATE_COMPARED_MAX)
        return no(refusal, ERR_TOO_LARGE, "hashes: too many");
    if (c->slot == 0 && c->n_hashes > 0)
        return no(refusal, ERR_INVALID, "slot: 0, and hashes of it");
    for (size_t i = 0; i < c->n_hashes; i++) {
        if (c->hashes[i]->hash.len != STATE_HASH_BYTES)
            return no(refusal, ERR_INVALID, "hash: not 16 bytes");
        if (i > 0 && c->hashes[i - 1]->member >= c->hashes[i]->member)
            return no(refusal, ERR_INVALID, "hashes: not in the order of the members");
    }
    return ERR_OK;
}

static enum err check_cancel(const Coord__V1__Command *command, const Coord__V1__Cancel *c,
                             struct refusal *refusal)
{
    /* What comes later could not be kept from being applied. */
    if (c->acquire_seq == 0 || c->acquire_seq >= command->seq)
        return no(refusal, ERR_INVALID, "acquire_seq: not below the seq of the cancel");
    return ERR_OK;
}

static enum err check_open(const Coord__V1__OpenSession *c, const struct limits *limits,
                           struct refusal *refusal)
{
    if (c->nonce.len != STATE_NONCE_BYTES)
        return no(refusal, ERR_INVALID, "nonce: not 16 bytes");
    if (c->secret.len != STATE_SECRET_BYTES)
        return no(refusal, ERR_INVALID, "secret: not 16 bytes");
    if (c->ttl_ms < limits->session_ttl_min_ms)
        return no(refusal, ERR_INVALID, "ttl_ms: too short");
    if (c->ttl_ms > limits->session_ttl_max_ms)
        return no(refusal, ERR_INVALID, "ttl_ms: too long");
    struct slice host = slice_of_string(c->host);
    if (host.length > STATE_HOST_BYTES_MAX)
        return no(refusal, ERR_TOO_LARGE, "host: too long");
    if (!text_is_utf8(host))
        return no(refusal, ERR_INVALID, "host: not UTF-8");
    return ERR_OK;
}

/* Which commands need a session, and which must have none. */
static enum err check_session(const Coord__V1__Command *c, struct refusal *refusal)
{
    switch (c->op_case) {
    case COORD__V1__COMMAND__OP_CREATE:
        if (c->session == 0 && c->create->ephemeral)
            return no(refusal, ERR_INVALID, "ephemeral: needs a session");
        break;
    case COORD__V1__COMMAND__OP_ACQUIRE:
    case COORD__V1__COMMAND__OP_RELEASE:
    case COORD__V1__COMMAND__OP_CANCEL:
    case COORD__V1__COMMAND__OP_END_SESSION:
        if (c->session == 0)
            return no(refusal, ERR_INVALID, "session: this needs one");
        break;
    case COORD__V1__COMMAND__OP_OPEN_SESSION:
    case COORD__V1__COMMAND__OP_EXPIRE_SESSION:
    case COORD__V1__COMMAND__OP_END_LOCK_DELAY:
    case COORD__V1__COMMAND__OP_HAND_OVER:
    case COORD__V1__COMMAND__OP_COMPARE_STATES:
        if (c->session != 0)
            return no(refusal, ERR_INVALID, "session: this is not asked within one");
        break;
    default:
        break;
    }
    if (c->session != 0 && c->seq == 0)
        return no(refusal, ERR_INVALID, "seq: 0 in a session");
    if (c->session != 0 && c->lowest > c->seq)
        return no(refusal, ERR_INVALID, "lowest: above seq");
    return ERR_OK;
}

static enum err check_frame(const Coord__V1__Command *c, struct refusal *refusal)
{
    if (has_unknown(&c->base))
        return no(refusal, ERR_UNSUPPORTED, "op: has an unknown field");
    /* Every choice of `op` is a message, so any of the union's pointers will do. */
    if (c->op_case == COORD__V1__COMMAND__OP__NOT_SET || c->create == NULL)
        return no(refusal, ERR_INVALID, "op: none that is known");
    if (has_unknown(&c->create->base))
        return no(refusal, ERR_UNSUPPORTED, "op: has an unknown field");
    struct slice principal = slice_of_string(c->principal);
    if (principal.length > STATE_PRINCIPAL_BYTES_MAX)
        return no(refusal, ERR_TOO_LARGE, "principal: too long");
    if (!text_is_utf8(principal))
        return no(refusal, ERR_INVALID, "principal: not UTF-8");
    return check_session(c, refusal);
}

enum err command_check(const Coord__V1__Command *c, const struct limits *limits,
                       struct refusal *refusal)
{
    enum err e = check_frame(c, refusal);
    if (e != ERR_OK)
        return e;
    switch (c->op_case) {
    case COORD__V1__COMMAND__OP_CREATE:
        return check_create(c->create, limits, refusal);
    case COORD__V1__COMMAND__OP_PUT:
        return check_put(c->put, limits, refusal);
    case COORD__V1__COMMAND__OP_DELETE:
        return check_delete(c->delete_, limits, refusal);
    case COORD__V1__COMMAND__OP_ACQUIRE:
        return check_acquire(c->acquire, limits, refusal);
    case COORD__V1__COMMAND__OP_RELEASE:
        return check_release(c->release, limits, refusal);
    case COORD__V1__COMMAND__OP_CANCEL:
        return check_cancel(c, c->cancel, refusal);
    case COORD__V1__COMMAND__OP_OPEN_SESSION:
        return check_open(c->open_session, limits, refusal);
    case COORD__V1__COMMAND__OP_EXPIRE_SESSION:
        if (c->expire_session->session == 0)
            return no(refusal, ERR_INVALID, "session: 0");
        return ERR_OK;
    case COORD__V1__COMMAND__OP_END_LOCK_DELAY:
        return check_end_delay(c->end_lock_delay, limits, refusal);
    case COORD__V1__COMMAND__OP_TRANSACTION:
        return check_transaction(c, limits, refusal);
    case COORD__V1__COMMAND__OP_HAND_OVER:
        return check_hand_over(c->hand_over, limits, refusal);
    case COORD__V1__COMMAND__OP_COMPARE_STATES:
        return check_compare_states(c->compare_states, refusal);
    case COORD__V1__COMMAND__OP_FORCE_UNLOCK:
        return check_path(c->force_unlock->path, limits, refusal);
    case COORD__V1__COMMAND__OP_KILL_SESSION:
        if (c->kill_session->session == 0)
            return no(refusal, ERR_INVALID, "session: 0");
        return ERR_OK;
    case COORD__V1__COMMAND__OP_END_SESSION:
        return ERR_OK;
    default:
        return no(refusal, ERR_INVALID, "op: none that is known");
    }
}

enum err state_check_command(const Coord__V1__Command *command, char *why, size_t why_bytes)
{
    struct refusal refusal = {.why = ""};
    enum err e = command_check(command, &limits_hard, &refusal);
    if (e != ERR_OK && refusal.part > 0)
        snprintf(why, why_bytes, "part %u: %s", (unsigned)refusal.part, refusal.why);
    else if (e != ERR_OK)
        snprintf(why, why_bytes, "%s", refusal.why);
    return e;
}
