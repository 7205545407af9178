/* links.c - to each other member one link that counts.
 *
 * The member with the higher id dials; both say in the call's first metadata who
 * they are (greeting.c). A stranger is refused with FAILED_PRECONDITION and a
 * text; so two cells whose addresses were mixed up say so instead of mixing
 * their logs. (Every envelope repeats cell and incarnation; the replica judges
 * those.)
 *
 *            dial_at came         greeted
 *   waiting --------------> dialling ---> up
 *      ^                       |           |
 *      +------ the call ended -+-----------+
 *
 * - A new link that the peer opens replaces the old, for the peer only dials when
 *   it has given the old one up.
 * - LINK_UP is told when the acceptor has answered, LINK_REFUSED when nobody
 *   listens at the address, LINK_DOWN otherwise; each only when it changes.
 * - A channel lives for one attempt: core's own back-off would hide from us
 *   when and why an attempt failed. */
#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "coordd/rpc/link.h"
#include "libcoord/base/avl.h"
#include "libcoord/base/check.h"
#include "libcoord/base/units.h"

enum {
    REDIAL_MS_MIN = 50,
    REDIAL_MS_MAX = 200,
    STABLE_MS = 1000,          /* a link that stood this long was a good one */
    REDIAL_REJECTED_MS = 2000, /* a wrong cell does not mend itself quickly */
    REFUSAL_QUIET_MS = 60000,  /* an equal refusal is told once in this time */
};

#define LINK_METHOD "/coord.v1.Replica/Link"

static void peer_tell(struct peer *p, enum replica_link now)
{
    if (p->told == now)
        return;
    p->told = now;
    struct replica_event event = {
        .kind = REPLICA_EVENT_PEER_LINK,
        .peer = p->id,
        .link = now,
    };
    rpc_emit(p->rpc, &event);
}

/* Once for each new reason. */
static void peer_note(struct peer *p, enum rpc_note note, const char *text)
{
    char line[RPC_LINK_NOTE_BYTES];
    (void)snprintf(line, sizeof line, "%s", text);
    if (strcmp(line, p->noted) == 0)
        return;
    (void)snprintf(p->noted, sizeof p->noted, "%s", line);
    rpc_tell(p->rpc, note, p->id, line);
}

static void peer_up(struct link *l)
{
    l->up_since_ns = rpc_now_ns();
    link_stands(l);
    peer_tell(l->peer, REPLICA_LINK_UP);
}

/* ---- accepting ---- */

static struct peer *peer_find(struct rpc *rpc, uint32_t id)
{
    for (uint32_t i = 0; i < rpc->peers_count; i++) {
        if (rpc->peers[i].id == id)
            return &rpc->peers[i];
    }
    return NULL;
}

/* NULL if the caller must be refused; `why` then says so for both sides. */
static struct peer *find_caller(struct rpc *rpc, const grpc_metadata_array *metadata, char *why,
                                size_t why_bytes)
{
    uint32_t id = greeting_judge_caller(rpc, metadata, why, why_bytes);
    if (id == 0)
        return NULL;
    struct peer *p = peer_find(rpc, id);
    if (p == NULL)
        (void)snprintf(why, why_bytes, "unknown member: %" PRIu32, id);
    else if (p->dial)
        (void)snprintf(why, why_bytes, "member %" PRIu32 " must wait to be called by %" PRIu32, id,
                       rpc->self);
    return p != NULL && !p->dial ? p : NULL;
}

static void link_on_accepted_end(struct rpc_tag *tag, bool ok)
{
    (void)ok;
    struct link *l = container_of(tag, struct link, on_end);
    struct peer *p = l->peer;
    l->tags_out--;
    l->ended = true;
    if (p->link == l) {
        p->link = NULL;
        rpc_tell(l->rpc, RPC_NOTE_LINK_BROKEN, p->id, "the peer's call ended");
        peer_tell(p, REPLICA_LINK_DOWN);
    }
    link_free_if_done(l);
}

static void refuse_link(struct rpc *rpc, grpc_call *call, const char *why)
{
    int64_t now_ns = rpc_now_ns();
    if (strncmp(why, rpc->refusal, sizeof rpc->refusal - 1) != 0 ||
        now_ns >= rpc->refusal_until_ns) {
        (void)snprintf(rpc->refusal, sizeof rpc->refusal, "%s", why);
        rpc->refusal_until_ns = now_ns + ms_to_ns(REFUSAL_QUIET_MS);
        rpc_tell(rpc, RPC_NOTE_LINK_REFUSED, 0, why);
    }
    rpc_refuse_call(rpc, call, GRPC_STATUS_FAILED_PRECONDITION, why);
}

void rpc_link_accept(struct rpc *rpc, grpc_call *call, const grpc_metadata_array *metadata)
{
    char why[RPC_LINK_NOTE_BYTES];
    struct peer *p = find_caller(rpc, metadata, why, sizeof why);
    if (p == NULL) {
        refuse_link(rpc, call, why);
        return;
    }
    struct link *old = p->link;
    p->link = NULL;
    if (old != NULL) {
        link_break(old);
        peer_tell(p, REPLICA_LINK_DOWN);
    }
    struct link *l = link_new(p);
    l->call = call;
    l->on_end.done = link_on_accepted_end;
    p->link = l;

    struct greeting g;
    greeting_init(&g, rpc, 0);
    grpc_op op = {.op = GRPC_OP_SEND_INITIAL_METADATA};
    op.data.send_initial_metadata.count = g.count;
    op.data.send_initial_metadata.metadata = g.list;
    l->writing = true;
    link_start(l, &op, 1, &l->on_written);
    greeting_release(&g);
    op = (grpc_op){.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
    op.data.recv_close_on_server.cancelled = &l->cancelled;
    link_start(l, &op, 1, &l->on_end);
    peer_up(l);
}

/* ---- dialling ---- */

static void link_on_greeted(struct rpc_tag *tag, bool ok)
{
    struct link *l = container_of(tag, struct link, on_start);
    struct peer *p = l->peer;
    l->tags_out--;
    if (ok && !l->ended && !l->broken && p->link == l) {
        /* A refusal has no metadata, and its status comes right behind. */
        if (greeting_is_from(l->rpc, &l->metadata, p->id))
            peer_up(l);
        else if (l->metadata.count > 0)
            link_break(l);
    }
    link_free_if_done(l);
}

static bool is_refused(const char *details)
{
    /* There is no code for it; tests/rpc pins the words. */
    return strstr(details, "Connection refused") != NULL;
}

/* A dialled link that counted has ended: when is the next attempt, and what is
 * told? After a link that held the next one is made at once, for whether anybody
 * listens is worth knowing; one that breaks as soon as it stands waits longer
 * each time. */
static void peer_lost(struct peer *p, const struct link *l, const char *details)
{
    int64_t now_ns = rpc_now_ns();
    if (l->up && now_ns - l->up_since_ns >= ms_to_ns(STABLE_MS)) {
        p->backoff_ms = 0;
        p->noted[0] = '\0';
    }
    p->dial_at_ns = now_ns + ms_to_ns(p->backoff_ms);
    p->backoff_ms = p->backoff_ms == 0 ? REDIAL_MS_MIN : p->backoff_ms * 2;
    if (p->backoff_ms > REDIAL_MS_MAX)
        p->backoff_ms = REDIAL_MS_MAX;

    if (l->status == GRPC_STATUS_FAILED_PRECONDITION) {
        peer_note(p, RPC_NOTE_LINK_REJECTED, details);
        p->dial_at_ns = now_ns + ms_to_ns(REDIAL_REJECTED_MS);
    } else if (l->up) {
        peer_note(p, RPC_NOTE_LINK_BROKEN, details);
    }
    bool refused = !l->up && l->status == GRPC_STATUS_UNAVAILABLE && is_refused(details);
    peer_tell(p, refused ? REPLICA_LINK_REFUSED : REPLICA_LINK_DOWN);
}

static void link_on_dialled_end(struct rpc_tag *tag, bool ok)
{
    (void)ok; /* a status always "succeeds" */
    struct link *l = container_of(tag, struct link, on_end);
    struct peer *p = l->peer;
    l->tags_out--;
    l->ended = true;
    if (p->link == l) {
        char *details = grpc_slice_to_c_string(l->details);
        p->link = NULL;
        peer_lost(p, l, details);
        gpr_free(details);
    }
    link_free_if_done(l);
}

static void peer_dial(struct peer *p)
{
    struct rpc *rpc = p->rpc;
    p->dial_at_ns = NEVER_NS;
    struct link *l = link_new(p);
    l->on_start.done = link_on_greeted;
    l->on_end.done = link_on_dialled_end;
    p->link = l;

    struct args args;
    rpc_args_peer(&args);
    grpc_channel_credentials *insecure = grpc_insecure_credentials_create();
    l->channel = grpc_channel_create(p->target, insecure, &args.args);
    grpc_channel_credentials_release(insecure);
    l->call = grpc_channel_create_call(l->channel, NULL, GRPC_PROPAGATE_DEFAULTS, rpc->queue,
                                       grpc_slice_from_static_string(LINK_METHOD), NULL,
                                       gpr_inf_future(GPR_CLOCK_REALTIME), NULL);

    struct greeting g;
    greeting_init(&g, rpc, p->id);
    grpc_op ops[2] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA},
        {.op = GRPC_OP_RECV_INITIAL_METADATA},
    };
    ops[0].data.send_initial_metadata.count = g.count;
    ops[0].data.send_initial_metadata.metadata = g.list;
    ops[1].data.recv_initial_metadata.recv_initial_metadata = &l->metadata;
    link_start(l, ops, 2, &l->on_start);
    greeting_release(&g);

    grpc_op end = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    end.data.recv_status_on_client.trailing_metadata = &l->trailing;
    end.data.recv_status_on_client.status = &l->status;
    end.data.recv_status_on_client.status_details = &l->details;
    link_start(l, &end, 1, &l->on_end);
}

/* ---- the door ---- */

bool rpc_links_init(struct rpc *rpc, const struct replica_member *members, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct address address;
        if (!address_parse(members[i].address, &address))
            return false;
        if (members[i].id == rpc->self)
            continue;
        struct peer *p = &rpc->peers[rpc->peers_count++];
        p->rpc = rpc;
        p->id = members[i].id;
        p->dial = p->id < rpc->self;
        p->told = REPLICA_LINK_DOWN;
        p->dial_at_ns = p->dial ? 0 : NEVER_NS;
        address_target(&address, p->target, sizeof p->target);
    }
    return true;
}

void rpc_links_dial_due(struct rpc *rpc, int64_t now_ns)
{
    for (uint32_t i = 0; i < rpc->peers_count; i++) {
        if (rpc->peers[i].dial_at_ns <= now_ns)
            peer_dial(&rpc->peers[i]);
    }
}

int64_t rpc_links_wake_at_ns(const struct rpc *rpc)
{
    int64_t at_ns = NEVER_NS;
    for (uint32_t i = 0; i < rpc->peers_count; i++)
        at_ns = ns_min(at_ns, rpc->peers[i].dial_at_ns);
    return at_ns;
}

void rpc_send_peer(struct rpc *rpc, uint32_t peer, struct blob *bytes)
{
    struct peer *p = peer_find(rpc, peer);
    struct link *l = p == NULL ? NULL : p->link;
    if (l == NULL || !l->up || l->broken)
        return;
    /* Core may drop its copy from a thread of its own, and a blob's references
     * belong to one thread: hence one copy, shared by core's own count. */
    if (rpc->shared_blob != bytes) {
        blob_unref(rpc->shared_blob);
        grpc_slice_unref(rpc->shared_slice);
        rpc->shared_blob = blob_ref(bytes);
        rpc->shared_slice = grpc_slice_from_copied_buffer((const char *)bytes->data, bytes->length);
    }
    link_send(l, grpc_slice_ref(rpc->shared_slice));
}

void rpc_links_stop(struct rpc *rpc)
{
    for (uint32_t i = 0; i < rpc->peers_count; i++) {
        struct peer *p = &rpc->peers[i];
        p->dial_at_ns = NEVER_NS;
        if (p->link != NULL)
            link_break(p->link);
    }
}
