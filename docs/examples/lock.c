/* Adds one line to a file, and nobody else does so at the same time. */
#include <coord/coord.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    coord_client *client;
    coord_session *session;
    coord_node *node;
    coord_lock *lock;
    if (argc != 4) /* endpoints, file, line */
        return 2;
    if (coord_client_open(argv[1], NULL, &client) != COORD_OK ||
        coord_session_open(client, NULL, &session) != COORD_OK ||
        coord_open(session, "/demo/lock", COORD_CREATE | COORD_PARENTS, 5000, &node) != COORD_OK ||
        coord_lock_acquire(node, 30000, &lock) != COORD_OK) {
        fprintf(stderr, "no lock: %s\n", coord_error_detail());
        return 1;
    }
    printf("we hold %s, for %lld ms at least\n", coord_lock_sequencer(lock),
           (long long)coord_lock_safe_ms(lock));

    FILE *file = fopen(argv[2], "a");
    bool done = file != NULL && coord_lock_safe_ms(lock) > 0 && fprintf(file, "%s\n", argv[3]) > 0;
    if (file != NULL && fclose(file) != 0)
        done = false;
    if (!done)
        fprintf(stderr, "%s: nothing was added\n", argv[2]);
    coord_unlock(lock, 5000);
    coord_node_close(node);
    coord_session_close(session, 5000);
    coord_client_close(client);
    return done ? 0 : 1;
}
