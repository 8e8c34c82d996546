/* SPDX-License-Identifier: Apache-2.0 */
/* Counters, and all of them for Prometheus: text 0.0.4, or OpenMetrics 1.0. */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include <cosmolet/clock.h>
#include <cosmolet/k8s.h>

#include "http.h"
#include "plan.h"
#include "stability.h"

struct daemon;

enum direction { DIRECTION_ANNOUNCE, DIRECTION_WITHDRAW, N_DIRECTIONS };

/* What an event passes on its way to zebra's confirmation; a withdrawal is unbound last. */
enum stage {
	STAGE_DECODE, /* from its arrival in the process until it is an object */
	STAGE_DECIDE,
	STAGE_BIND,
	STAGE_ZEBRA,
	N_STAGES,
};

#define N_BUCKETS 17

struct histogram {
	uint64_t buckets[N_BUCKETS]; /* not cumulative; above the last bound: only in count */
	uint64_t count;
	double sum;
};

/* An event on its way. Zeroed: there is none. */
struct trace {
	struct mono came;
	struct mono last; /* the end of the latest stage */
	struct mono spent[N_STAGES];
};

/* What nobody else counts already. */
struct metrics {
	uint64_t transitions[N_DIRECTIONS][N_REASONS];
	uint64_t by_family[N_DIRECTIONS][2]; /* IPv4, IPv6 */
	struct histogram propagation[N_DIRECTIONS];
	struct histogram stages[N_DIRECTIONS][N_STAGES];
	struct histogram turns;  /* of the loop: the time in which it does not wait */
	uint64_t holds[N_HOLDS]; /* of addresses, each time one begins */
	uint64_t problems;       /* input that was ignored */
	uint64_t reloads[3];     /* by enum reload_result */
	double configured;       /* wall clock: when the configuration in use was last read */
};

/* Begins with the event's arrival; it is decoded now. */
struct trace trace_begin(struct mono came);
/* This stage ends now. NULL, or without an event: nothing. */
void trace_mark(struct trace *trace, enum stage stage);

void histogram_add(struct histogram *histogram, struct mono duration);
/* The event has arrived where it was to go. */
void metrics_arrived(struct metrics *metrics, enum direction direction, const struct trace *trace);

/*
 * The answer of /metrics: OpenMetrics if the Accept header prefers it. It is written step by step,
 * so that thousands of addresses do not keep the loop from its work.
 */
void metrics_answer(const struct daemon *daemon, const char *accept, struct http_answer *out);

/* Prints a Markdown table of all metrics. */
void metrics_print_table(FILE *out);
