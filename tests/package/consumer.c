/* consumer.c - the least program that uses an installed libcoord. It needs no
 * cell: that there is none is what it expects to be told. */
#include <coord/coord.h>
#include <stdio.h>
#include <string.h>

/* Each struct of options says its size, so that a program built before one grew can be
 * told from one built after. */
static int sizes_are_wrong(void)
{
    coord_client_options client = COORD_CLIENT_OPTIONS_INIT;
    coord_session_options session = COORD_SESSION_OPTIONS_INIT;
    coord_write_options write = COORD_WRITE_OPTIONS_INIT;
    coord_read_options read = COORD_READ_OPTIONS_INIT;
    coord_lock_options lock = COORD_LOCK_OPTIONS_INIT;
    coord_watch_options watch = COORD_WATCH_OPTIONS_INIT;
    return client.size != sizeof client || session.size != sizeof session ||
           write.size != sizeof write || read.size != sizeof read || lock.size != sizeof lock ||
           watch.size != sizeof watch || session.on_loss != NULL || session.ttl_ms != 12000;
}

int main(void)
{
    coord_client_options options = COORD_CLIENT_OPTIONS_INIT;
    coord_client *client = NULL;
    coord_sequencer sequencer;
    options.connect_timeout_ms = 100;
    coord_error error = coord_client_open("127.0.0.1:7699", &options, &client);
    printf("coord %s: %s, %s\n", coord_version(), coord_error_name(error), coord_error_detail());
    if (coord_sequencer_parse("00112233445566778899aabbccddeeff:1:x:2:/a", &sequencer) !=
            COORD_OK ||
        strcmp(sequencer.path, "/a") != 0)
        return 1;
    if (sizes_are_wrong())
        return 1;
    return error == COORD_ERR_UNAVAILABLE ? 0 : 1;
}
