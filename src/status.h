/* SPDX-License-Identifier: Apache-2.0 */
/* What is, as JSON. */
#pragma once

#include <stdbool.h>

struct daemon;
struct http_answer;

/* The answer of /status, which is written step by step. */
void status_answer(const struct daemon *daemon, struct http_answer *out);
/* The answer of /readyz; for free(). */
char *status_ready(const struct daemon *daemon, bool *out_ready);
