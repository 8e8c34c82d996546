/* SPDX-License-Identifier: Apache-2.0 */
/* /status again and again: a screen that follows it, or a line or table for each change. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "table.h"

/* Asks once. NULL and *out_error (for free()): no answer. */
typedef json_t *watch_ask_fn(void *data, char **out_error);

/*
 * On a terminal until q is pressed, else until the reader has gone. json: one line of it for each
 * change, wherever it goes. Exit code.
 */
int watch_run(watch_ask_fn *ask, void *data, bool wide, bool json);

/* Whether stdout is a terminal that may be written to in colours (NO_COLOR is not set). */
bool watch_has_colours(void);
