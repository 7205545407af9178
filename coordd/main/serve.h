/* serve.h - `coordd init` and `coordd serve`. */
#ifndef COORD_MAIN_SERVE_H
#define COORD_MAIN_SERVE_H

#include "coordd/main/config.h"
#include "coordd/storage/store.h"

/* Both return what the process should exit with, having said on stderr what was
 * wrong. `storage` holds what tests do differently. */
int init_run(const struct init_config *config, const struct store_options *storage);
/* Until SIGTERM or SIGINT. */
int serve_run(const struct serve_config *config, const struct store_options *storage);

/* What a store's refusal means for the exit status. */
int exit_for_store(enum store_result result);

#endif
