/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two rings of fixed size: a flood of changes costs the memory of the past, never more of the
 * machine's.
 */
#include "journal.h"

#include <cosmolet/clock.h>
#include <cosmolet/mem.h>

/* The slot of the i-th of those that a ring still has, the oldest first. */
static size_t slot(uint64_t n_ever, size_t size, size_t i)
{
	return (size_t)((n_ever < size ? i : n_ever + i) % size);
}

void journal_transition(struct journal *journal, const struct prefix *address, const char *from,
	const char *to, const char *service, const char *why)
{
	struct transition *entry =
		&journal->transitions[journal->n_transitions++ % JOURNAL_TRANSITIONS];

	entry->when = wall_now();
	entry->address = *address;
	entry->from = from;
	entry->to = to;
	str_set(&entry->service, service);
	str_set(&entry->why, why);
}

void journal_latency(struct journal *journal, const char *direction, double ms)
{
	journal->latencies[journal->n_latencies++ % JOURNAL_LATENCIES] =
		(struct latency){wall_now(), direction, ms};
}

void journal_deinit(struct journal *journal)
{
	for (size_t i = 0; i < JOURNAL_TRANSITIONS; i++) {
		free(journal->transitions[i].service);
		free(journal->transitions[i].why);
	}
	*journal = (struct journal){0};
}

const struct transition *journal_transition_at(const struct journal *journal, size_t i)
{
	if (i >= MIN(journal->n_transitions, JOURNAL_TRANSITIONS))
		return NULL;
	return &journal->transitions[slot(journal->n_transitions, JOURNAL_TRANSITIONS, i)];
}

const struct latency *journal_latency_at(const struct journal *journal, size_t i)
{
	if (i >= MIN(journal->n_latencies, JOURNAL_LATENCIES))
		return NULL;
	return &journal->latencies[slot(journal->n_latencies, JOURNAL_LATENCIES, i)];
}
