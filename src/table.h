/* SPDX-License-Identifier: Apache-2.0 */
/* The answer of /status as people read it in a terminal. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct table_look {
	bool wide; /* every column */
	bool colour;
	unsigned width;     /* of the terminal: columns that do not fit are left out; 0: any */
	const char *filter; /* words that a line must have; NULL: none */
	size_t first, most; /* lines of addresses from the first one on; most 0: all */
};

/* Node, Kubernetes, zebra, and what is wrong. */
void table_print_head(const json_t *status, const struct table_look *look, FILE *out);
/* The addresses. Returns how many the filter lets through, shown or not. */
size_t table_print_addresses(const json_t *status, const struct table_look *look, FILE *out);
