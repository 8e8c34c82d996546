/* SPDX-License-Identifier: Apache-2.0 */
/* What happened lately: the last changes of state, and how long zebra's last words took. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <cosmolet/prefix.h>

#define JOURNAL_TRANSITIONS 200u
#define JOURNAL_LATENCIES   240u

struct transition {
	double when; /* wall clock */
	struct prefix address;
	const char *from, *to; /* states; literals */
	char *service;         /* "namespace/name"; NULL: none has the address any more */
	char *why;
};

struct latency {
	double when;           /* wall clock, of the confirmation */
	const char *direction; /* a literal */
	double ms;             /* from the event's arrival */
};

/* Zeroed is empty. The newest replaces the oldest. */
struct journal {
	struct transition transitions[JOURNAL_TRANSITIONS];
	uint64_t n_transitions; /* ever; those that are left are the last ones */
	struct latency latencies[JOURNAL_LATENCIES];
	uint64_t n_latencies;
};

/* Copies service and why. */
void journal_transition(struct journal *journal, const struct prefix *address, const char *from,
	const char *to, const char *service, const char *why);
void journal_latency(struct journal *journal, const char *direction, double ms);
void journal_deinit(struct journal *journal);

/* The i-th of those that are left, the oldest first; NULL: there are no more. */
const struct transition *journal_transition_at(const struct journal *journal, size_t i);
const struct latency *journal_latency_at(const struct journal *journal, size_t i);
