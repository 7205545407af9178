/* drain.c - what consensus owes to the world goes out as effects. */
#include "coordd/replica/inner.h"
#include "coordd/replica/peer_codec.h"

void replica_note(struct replica *r, enum note_kind note, uint64_t number, const char *text)
{
    struct effect *e = effects_add(r->out, EFFECT_NOTE);

    e->note = note;
    e->number = number;
    effect_say(e, text);
}

static void put_persist(struct replica *r, struct paxos_persist *p)
{
    static const enum effect_kind kinds[] = {EFFECT_PERSIST_PROMISE, EFFECT_PERSIST_ENTRY,
                                             EFFECT_PERSIST_LEASE, EFFECT_PERSIST_FLOOR};
    struct effect *e = effects_add(r->out, kinds[p->kind]);

    e->sequence = p->sequence;
    e->ballot = p->ballot;
    e->lease_ms = p->lease_ms;
    e->last_slot = p->floor;
    e->entry = p->entry; /* the reference moves */
    p->entry.value = NULL;
}

/* Encoded once, however many it goes to. */
static void put_send(struct replica *r, const struct paxos_send *send)
{
    struct blob *bytes = peer_encode(&r->config, &send->message);

    for (uint32_t i = 0; i < r->config.members_count; i++) {
        struct effect *e;

        if ((send->to_mask >> i & 1) == 0)
            continue;
        e = effects_add(r->out, EFFECT_SEND_PEER);
        e->peer = r->config.members[i].id;
        e->bytes = blob_ref(bytes);
    }
    blob_unref(bytes);
}

static void put_note(struct replica *r, const struct paxos_note *note)
{
    switch (note->kind) {
    case PAXOS_NOTE_ROLE:
        break; /* told at the end of the step, if it lasted */
    case PAXOS_NOTE_STRANGER:
        replica_note(r, NOTE_PEER, note->member,
                     "speaks from a data directory that is not the one bound to its id; ignored");
        break;
    case PAXOS_NOTE_FULL:
        replica_note(r, NOTE_WARNING, note->member,
                     "no space on disk: taking nothing new until there is");
        break;
    case PAXOS_NOTE_CROWDED:
        replica_note(r, NOTE_WARNING, note->member,
                     "no more is kept of what cannot be applied: taking nothing new until the "
                     "state of another member is here");
        break;
    case PAXOS_NOTE_SILENT:
        replica_note(r, NOTE_WARNING, note->member,
                     "no vote for this candidate, which might have to learn from here what is "
                     "lost here: there is one again once the state of another is here");
        break;
    case PAXOS_NOTE_BEHIND:
        replica_note(r, NOTE_WARNING, note->member,
                     "away for too long: what is missing was cut from the log of the member; its "
                     "state is fetched");
        break;
    case PAXOS_NOTE_STALLED:
        replica_note(r, NOTE_WARNING, note->member,
                     "stepped down: no quorum answered, or nothing got durable, for too long");
        break;
    }
}

void replica_drain(struct replica *r)
{
    struct paxos_effects *owed = &r->owed;

    for (uint32_t i = 0; i < owed->persists_count; i++)
        put_persist(r, &owed->persists[i]);
    for (uint32_t i = 0; i < owed->sends_count; i++)
        put_send(r, &owed->sends[i]);
    for (uint32_t i = 0; i < owed->reads_count; i++) {
        struct effect *e = effects_add(r->out, EFFECT_READ_LOG);

        e->token = owed->reads[i].token;
        e->first_slot = owed->reads[i].first_slot;
        e->last_slot = owed->reads[i].last_slot;
        e->bytes_max = owed->reads[i].bytes_max;
    }
    for (uint32_t i = 0; i < owed->notes_count; i++)
        put_note(r, &owed->notes[i]);
    if (owed->halt != NULL)
        effect_say(effects_add(r->out, EFFECT_HALT), owed->halt);
    paxos_effects_clear(owed);
}
