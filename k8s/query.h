/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of the API server: paths with their queries, for free(). */
#pragma once

#include "reflector.h"

/* version NULL: what is in the store; "0": whatever is cached. next_page NULL: the first page. */
char *query_list(const struct reflector_options *options, bool beta, const char *version,
	const char *next_page);
char *query_watch(
	const struct reflector_options *options, bool beta, const char *version, unsigned seconds);
