/* journal.c - see journal.h. */
#include "coordd/state/journal.h"

#include <stdlib.h>

#include "coordd/state/lock.h"
#include "coordd/state/machine.h"
#include "coordd/state/node.h"
#include "libcoord/base/check.h"

enum note_kind { NOTE_FIELDS, NOTE_CONTENT, NOTE_ADDED, NOTE_REMOVED, NOTE_LEFT };

struct note {
    struct note *before;
    enum note_kind kind;
    struct node *node;
    struct content *content; /* owned, of NOTE_CONTENT; may be NULL */
    struct claim *claim;     /* owned, of NOTE_LEFT */
    struct node_fields fields;
};

static struct note *add(struct state *s, enum note_kind kind, struct node *node)
{
    CHECK(s->journal.open);
    struct note *note = arena_take(&s->arena, sizeof *note);
    *note = (struct note){.before = s->journal.last, .kind = kind, .node = node};
    s->journal.last = note;
    return note;
}

void journal_fields(struct state *s, struct node *node)
{
    add(s, NOTE_FIELDS, node)->fields = node_fields(node);
}

void journal_content(struct state *s, struct node *node)
{
    add(s, NOTE_CONTENT, node)->content = node->content;
}

void journal_added(struct state *s, struct node *node)
{
    (void)add(s, NOTE_ADDED, node);
}

void journal_removed(struct state *s, struct node *node)
{
    (void)add(s, NOTE_REMOVED, node);
}

void journal_left(struct state *s, struct claim *claim, struct node *node)
{
    add(s, NOTE_LEFT, node)->claim = claim;
}

void journal_open(struct state *s)
{
    CHECK(!s->journal.open);
    s->journal = (struct journal){
        .open = true, .revision = s->revision, .suffixes_given = s->suffixes_given};
}

void journal_keep(struct state *s)
{
    for (struct note *note = s->journal.last; note != NULL; note = note->before) {
        switch (note->kind) {
        case NOTE_CONTENT:
            free(note->content);
            break;
        case NOTE_REMOVED:
            node_free(note->node);
            break;
        case NOTE_LEFT:
            claim_free(note->claim);
            break;
        case NOTE_FIELDS:
        case NOTE_ADDED:
            break;
        }
    }
    s->journal = (struct journal){0};
}

static void take_back(struct state *s, const struct note *note)
{
    struct node *node = note->node;
    switch (note->kind) {
    case NOTE_FIELDS:
        node_put_back_fields(s, node, &note->fields);
        break;
    case NOTE_CONTENT:
        node_put_back_content(s, node, note->content);
        break;
    case NOTE_ADDED:
        node_take_out(s, node);
        node_free(node);
        break;
    case NOTE_REMOVED:
        node_put_back(s, node);
        break;
    case NOTE_LEFT:
        lock_put_back(s, node, note->claim);
        break;
    }
}

void journal_take_back(struct state *s)
{
    const struct journal was = s->journal;
    s->journal = (struct journal){0}; /* what follows is not noted */
    for (const struct note *note = was.last; note != NULL; note = note->before)
        take_back(s, note);
    s->revision = was.revision;
    s->suffixes_given = was.suffixes_given;
}
