/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses of an interface are ours, for kernels that keep no mark with an address: a small
 * file that is written before an address is added, and after it is removed. So it may name an
 * address that is not there, and never misses one that is ours.
 *
 * It counts for one boot, network namespace and interface, as addresses do.
 */
#pragma once

#include <stdbool.h>

#include <cosmolet/prefix.h>

struct ledger;

/*
 * Reads it; a file that is not there is an empty one. Never NULL. *out_problem, for free(): why the
 * file counts for nothing, or NULL.
 */
struct ledger *ledger_open(const char *directory, const char *interface, char **out_problem);
/* Accepts NULL, returns NULL. What was not written is lost. */
struct ledger *ledger_close(struct ledger *ledger);

bool ledger_has(const struct ledger *ledger, const struct prefix *address);
void ledger_put(struct ledger *ledger, const struct prefix *address);
void ledger_drop(struct ledger *ledger, const struct prefix *address);

/* Drops those that keep() does not want. */
void ledger_prune(struct ledger *ledger,
	bool (*keep)(const void *data, const struct prefix *address), const void *data);

/* Writes it, if it has changed; survives a crash at any time. 0, or -1 and *out_error for free().
 */
must_check int ledger_write(struct ledger *ledger, char **out_error);
