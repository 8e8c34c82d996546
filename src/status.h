/* SPDX-License-Identifier: Apache-2.0 */
/* What is, as JSON. */
#pragma once

#include <stdbool.h>

struct daemon;

/* The answer of /status; for free(). */
char *status_json(const struct daemon *daemon);
/* The answer of /readyz; for free(). */
char *status_ready(const struct daemon *daemon, bool *out_ready);
