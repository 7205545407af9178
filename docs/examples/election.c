/* Leads as soon as nobody else does, works for a while, and steps down. */
#include <coord/coord.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    coord_client *client;
    coord_session *session;
    coord_election *election;
    if (argc != 3) /* endpoints, our address */
        return 2;
    if (coord_client_open(argv[1], NULL, &client) != COORD_OK ||
        coord_session_open(client, NULL, &session) != COORD_OK ||
        coord_campaign(session, "/demo/leader", argv[2], strlen(argv[2]), COORD_FOREVER,
                       &election) != COORD_OK) {
        fprintf(stderr, "not elected: %s\n", coord_error_detail());
        return 1;
    }
    printf("%s leads as %s\n", argv[2], coord_election_sequencer(election));

    /* Whoever is told to do something by us should be told the sequencer, too. */
    for (int round = 0; round < 3 && coord_election_safe_ms(election) > 0; round++)
        usleep(100 * 1000);

    coord_resign(election, 5000);
    coord_session_close(session, 5000);
    coord_client_close(client);
    return 0;
}
