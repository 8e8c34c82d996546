/* SPDX-License-Identifier: Apache-2.0 */
/* cosmolet zebra: what zebra is, and which routes of our word it has. */
#pragma once

#include <stdbool.h>

#include "config.h"

/*
 * Asks zebra itself, as nobody, and changes nothing; a daemon may run beside it or not. Prints to
 * stdout, as JSON or as a table; complains on stderr. SIGTERM and SIGINT must be blocked already.
 * Exit code: 0, or 1 if zebra cannot be asked.
 */
int look_at_zebra(const struct config *config, bool as_json);
