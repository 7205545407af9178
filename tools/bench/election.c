/* election.c - ten candidates: from the leader's decision to resign, or to close its
 * session, until the next one knows that it leads. */
#define _GNU_SOURCE
#include "tools/bench/bench.h"

static struct {
    pthread_mutex_t mutex;
    uint64_t left_ns; /* when the last leader decided to resign; 0: none did */
    uint32_t transfers_count;
    bool over;
    bool closes; /* its session */
    struct samples all;
} contest = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* True if the contest goes on. */
static bool led(uint64_t at_ns)
{
    pthread_mutex_lock(&contest.mutex);
    if (!contest.over && contest.left_ns != 0)
        samples_add(&contest.all, at_ns - contest.left_ns);
    contest.over |= contest.all.count >= contest.transfers_count;
    bool over = contest.over;
    pthread_mutex_unlock(&contest.mutex);
    return !over;
}

/* Its lock passes on with the session's end. */
static void leave(struct conn *c, coord_election *e)
{
    if (!contest.closes) {
        check(coord_resign(e, CALL_MS), "resign");
        return;
    }
    check(coord_session_close(c->session, CALL_MS), "close the session");
    (void)coord_resign(e, CALL_MS); /* there is nothing to give up: it frees it */
    check(coord_session_open(c->client, NULL, &c->session), "open a session");
}

static void *stand(void *argument)
{
    struct conn *c = argument;
    for (bool going = true; going;) {
        coord_election *e = NULL;
        check(coord_campaign(c->session, "/bench/election", "me", 2, CALL_MS, &e), "campaign");
        going = led(clock_ns());
        if (going)
            sleep_ms(LEAD_MS);
        pthread_mutex_lock(&contest.mutex);
        contest.left_ns = clock_ns();
        pthread_mutex_unlock(&contest.mutex);
        leave(c, e);
    }
    return NULL;
}

static void contend(bool closes)
{
    pthread_t threads[CANDIDATES];
    contest.transfers_count = count_or(TRANSFERS_COUNT);
    contest.closes = closes;
    conns_open(CANDIDATES);
    coord_node_close(node_open(conns[0].session, "/bench/election"));
    meter_start();
    for (uint32_t i = 0; i < CANDIDATES; i++)
        if (pthread_create(&threads[i], NULL, stand, &conns[i]) != 0)
            die("no thread");
    for (uint32_t i = 0; i < CANDIDATES; i++)
        pthread_join(threads[i], NULL);
    meter_stop(contest.all.count, false);
    report_shape(CANDIDATES, CANDIDATES);
    report_latencies("", &contest.all);
    samples_release(&contest.all);
    conns_close(CANDIDATES);
}

void election(void)
{
    contend(false);
}

void election_close(void)
{
    contend(true);
}
