/* SPDX-License-Identifier: Apache-2.0 */
/* Why is this service (not) announced? In words. */
#pragma once

#include <stdbool.h>

struct daemon;

/* Answers for an address or a NAMESPACE/NAME; for free(). *out_known: it is one that is known. */
char *why_text(const struct daemon *daemon, const char *subject, bool *out_known);
