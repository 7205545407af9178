/* consumer.c - the least program that uses an installed libcoord. It needs no
 * cell: that there is none is what it expects to be told. */
#include <coord/coord.h>
#include <stdio.h>
#include <string.h>

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
    return error == COORD_ERR_UNAVAILABLE ? 0 : 1;
}
