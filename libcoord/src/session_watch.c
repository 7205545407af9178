/* session_watch.c - watches that outlive the link.
 *
 * A server knows a watch for as long as the stream stands. So after each Attach
 * all are registered anew, with the last revision that the application was told,
 * and the server tells at once what changed after it. Events of a watch never go
 * back: what is not newer than the registration (`floor`) was told before.
 *
 * Several events can be of one revision; they come in one message, so a revision
 * that was told is told in full.
 *
 * The application has the answer before the first event, unless it asked for the
 * past: then events tell what the answer shows.
 *
 * A progress mark says of all watches of the stream how far they were told, so
 * that a watch of what seldom changes asks for little when it comes back. It holds
 * only for those that the server knew then: whose registration was answered. */
#include <stdlib.h>
#include <string.h>

#include "libcoord/base/check.h"
#include "libcoord/src/session_internal.h"

static int by_id(const void *key, const struct avl_node *node)
{
    uint64_t a = *(const uint64_t *)key;
    uint64_t b = container_of(node, struct client_watch, node)->id;
    return a < b ? -1 : a > b;
}

static struct client_watch *watch_find(const struct client_session *s, uint64_t id)
{
    return container_of_or_null(avl_find(&s->watches, &id, by_id), struct client_watch, node);
}

static void watch_free(struct client_session *s, struct client_watch *w)
{
    list_remove(&w->link);
    avl_remove(&s->watches, &w->node);
    buffer_release(&w->kept);
    free(w->path);
    free(w);
}

static void tell(struct client_session *s, struct client_watch *w, enum err status,
                 const Coord__V1__Answer *answer)
{
    client_tell(s, w->token, status, answer, false);
    w->token = 0;
}

void client_watch_add(struct client_session *s, const struct client_event *event)
{
    enum err refused = ERR_OK;
    if (client_over(s))
        refused = ERR_EXPIRED;
    else if (s->closing)
        refused = ERR_CANCELLED;
    else if (event->deadline_ns <= s->now_ns)
        refused = ERR_TIMEOUT;
    else if (watch_find(s, event->watch->id) != NULL)
        refused = ERR_INVALID;
    else if (s->watches.count >= CLIENT_SESSION_WATCHES_MAX)
        refused = ERR_QUOTA;
    if (refused != ERR_OK) {
        client_tell(s, event->token, refused, NULL, false);
        return;
    }
    struct client_watch *w = check_calloc(1, sizeof *w);
    w->id = event->watch->id;
    w->path = check_strdup(event->watch->path);
    w->content = event->watch->content;
    w->lock = event->watch->lock;
    w->subtree = event->watch->subtree;
    w->children = event->watch->children;
    w->value = event->watch->value;
    w->seen = event->watch->known_revision;
    w->from_past = w->seen != 0;
    w->token = event->token;
    w->deadline_ns = event->deadline_ns;
    list_init(&w->link);
    list_append(&s->watch_queue, &w->link);
    CHECK(avl_insert(&s->watches, &w->node, &w->id, by_id) == NULL);
    s->deadline_min_ns = ns_min(s->deadline_min_ns, w->deadline_ns);
}

static void unwatch(struct client_session *s, struct client_watch *w)
{
    if (w->asked && s->link == CLIENT_LINK_ATTACHED) {
        Coord__V1__Unwatch m = COORD__V1__UNWATCH__INIT;
        m.id = w->id;
        /* Nobody waits for the answer: the number is never asked about. */
        client_wire_message(s, CLIENT_FIELD_UNWATCH, &m.base, s->next_read_seq++);
    }
    watch_free(s, w);
}

void client_watch_remove(struct client_session *s, uint64_t id)
{
    struct client_watch *w = watch_find(s, id);
    if (w == NULL)
        return;
    tell(s, w, ERR_CANCELLED, NULL);
    unwatch(s, w);
}

bool client_watch_give_up(struct client_session *s, uint64_t token)
{
    for (struct avl_node *at = avl_first(&s->watches); at != NULL; at = avl_next(at)) {
        struct client_watch *w = container_of(at, struct client_watch, node);
        if (token != 0 && w->token == token) {
            client_watch_remove(s, w->id);
            return true;
        }
    }
    return false;
}

void client_watches_tick(struct client_session *s)
{
    for (struct avl_node *at = avl_first(&s->watches), *next; at != NULL; at = next) {
        next = avl_next(at);
        struct client_watch *w = container_of(at, struct client_watch, node);
        if (w->token == 0)
            continue;
        if (w->deadline_ns <= s->now_ns) {
            tell(s, w, ERR_TIMEOUT, NULL);
            unwatch(s, w);
        } else {
            s->deadline_min_ns = ns_min(s->deadline_min_ns, w->deadline_ns);
        }
    }
}

static void ask(struct client_session *s, struct client_watch *w)
{
    Coord__V1__Watch m = COORD__V1__WATCH__INIT;
    m.id = w->id;
    m.path = w->path;
    m.content = w->content;
    m.lock = w->lock;
    m.subtree = w->subtree;
    m.children = w->children;
    m.value = w->value;
    m.known_revision = w->seen;
    w->floor = w->seen;
    w->asked = true;
    w->retry_at_ns = 0;
    w->request = s->next_read_seq++;
    list_remove(&w->link);
    list_append(&s->watch_asked, &w->link);
    client_wire_message(s, CLIENT_FIELD_WATCH, &m.base, w->request);
}

void client_watches_send(struct client_session *s)
{
    bool coming_back = s->link == CLIENT_LINK_BEGINNING && s->id != 0;
    if (s->link != CLIENT_LINK_ATTACHED && !coming_back)
        return;
    for (struct list *at = s->watch_queue.next, *next; at != &s->watch_queue; at = next) {
        next = at->next;
        struct client_watch *w = container_of(at, struct client_watch, link);
        /* A new one is a call, and waits until the session is safe. */
        if (!w->answered && (s->state != CLIENT_SESSION_SAFE || coming_back))
            continue;
        if (w->retry_at_ns <= s->now_ns)
            ask(s, w);
        else
            s->retry_min_ns = ns_min(s->retry_min_ns, w->retry_at_ns);
    }
}

void client_watch_answered(struct client_session *s, uint64_t request,
                           const Coord__V1__Answer *answer)
{
    struct client_watch *w = NULL;
    for (struct list *at = s->watch_asked.next; at != &s->watch_asked; at = at->next) {
        w = container_of(at, struct client_watch, link);
        if (w->request == request)
            break;
        w = NULL;
    }
    if (w == NULL)
        return;
    enum err status = client_status_of(answer);
    if (status == ERR_NOT_LEADER) {
        client_link_redirect(s, answer->message);
        return;
    }
    list_remove(&w->link);
    if (status == ERR_NO_NODE)
        status = ERR_OK; /* a name that does not exist can be watched */
    if (w->answered) {
        if (status != ERR_OK) {
            w->asked = false;
            w->retry_at_ns = s->now_ns + ms_to_ns(CLIENT_SESSION_THROTTLED_MS);
            list_append(&s->watch_queue, &w->link);
        }
        return;
    }
    if (status != ERR_OK) {
        tell(s, w, status, answer);
        watch_free(s, w);
        return;
    }
    if (!w->from_past && s->state != CLIENT_SESSION_SAFE) {
        /* Kept until the session is safe it would come behind events that are newer.
         * Asked for again then, it tells a present that no event went ahead of. */
        list_append(&s->watch_queue, &w->link);
        return;
    }
    w->answered = true;
    /* All up to here was told before: it is in the answer, or events brought it. */
    if (answer->revision > w->seen)
        w->seen = answer->revision;
    w->floor = w->seen;
    if (s->state == CLIENT_SESSION_SAFE)
        tell(s, w, ERR_OK, answer);
    else
        client_answer_keep(&w->kept, answer);
}

static void progress(struct client_session *s, uint64_t revision)
{
    for (struct avl_node *at = avl_first(&s->watches); at != NULL; at = avl_next(at)) {
        struct client_watch *w = container_of(at, struct client_watch, node);
        bool registered = w->asked && list_empty(&w->link);
        if (registered && revision > w->seen)
            w->seen = revision;
    }
}

/* What a registration brings of the past need not be in order, only newer than
 * what was known; afterwards revisions do not fall. */
static bool is_old(const struct client_watch *w, uint64_t revision)
{
    bool catching_up = !list_empty(&w->link);
    return revision <= w->floor || (!catching_up && revision < w->seen);
}

void client_watch_event(struct client_session *s, const Coord__V1__Event *event)
{
    if (event->kind == COORD__V1__EVENT__KIND__PROGRESS) {
        progress(s, event->revision);
        return;
    }
    struct client_watch *w = watch_find(s, event->watch);
    if (w == NULL || !(w->answered || w->from_past) || is_old(w, event->revision))
        return;
    if (event->revision > w->seen)
        w->seen = event->revision;
    client_effect_add(s, CLIENT_EFFECT_WATCHED)->event = event;
}

void client_watches_unlinked(struct client_session *s)
{
    for (struct avl_node *at = avl_first(&s->watches); at != NULL; at = avl_next(at)) {
        struct client_watch *w = container_of(at, struct client_watch, node);
        w->asked = false;
        w->retry_at_ns = 0;
        list_remove(&w->link);
        list_append(&s->watch_queue, &w->link);
    }
}

void client_watches_safe(struct client_session *s)
{
    for (struct avl_node *at = avl_first(&s->watches); at != NULL; at = avl_next(at)) {
        struct client_watch *w = container_of(at, struct client_watch, node);
        if (w->answered && w->token != 0)
            tell(s, w, ERR_OK, client_answer_unpack(s, &w->kept));
    }
}

void client_watches_finish(struct client_session *s, bool tell_callers)
{
    for (struct avl_node *at; (at = avl_first(&s->watches)) != NULL;) {
        struct client_watch *w = container_of(at, struct client_watch, node);
        if (tell_callers)
            tell(s, w, ERR_EXPIRED, NULL);
        watch_free(s, w);
    }
}
