/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of the API server: paths with their queries, for free(). */
#pragma once

#include "reflector.h"

/* Services that some proxy serves. */
#define QUERY_ANY_PROXY "!service.kubernetes.io/headless"

/*
 * labels NULL: those that the resource has by itself. version NULL: what is in the store; "0":
 * whatever is cached. next_page NULL: the first page.
 */
char *query_list(const struct reflector_options *options, const char *labels, bool beta,
	const char *version, const char *next_page);
/* Nothing, of what query_list() is for: but a server that has not come to that version says so. */
char *query_probe(const struct reflector_options *options, const char *labels, bool beta,
	const char *version);
char *query_watch(const struct reflector_options *options, const char *labels, bool beta,
	const char *version, unsigned seconds);
/* The same in words: what is watched, and why just that. */
char *query_text(const struct reflector_options *options, const char *labels, const char *why);
