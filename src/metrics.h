/* SPDX-License-Identifier: Apache-2.0 */
/* Counters, and all of them as Prometheus text (exposition format 0.0.4). */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include <cosmolet/clock.h>
#include <cosmolet/k8s.h>

#include "plan.h"

struct daemon;

enum direction { DIRECTION_ANNOUNCE, DIRECTION_WITHDRAW, N_DIRECTIONS };

#define N_BUCKETS 14

struct histogram {
	uint64_t buckets[N_BUCKETS]; /* not cumulative; above the last bound: only in count */
	uint64_t count;
	double sum;
};

/* What nobody else counts already. */
struct metrics {
	uint64_t transitions[N_DIRECTIONS][N_REASONS];
	struct histogram propagation[N_DIRECTIONS]; /* from the event to zebra's confirmation */
	uint64_t problems;                          /* input that was ignored */
	uint64_t reloads[3];                        /* by enum reload_result */
};

void histogram_add(struct histogram *histogram, struct mono duration);

void metrics_write(const struct daemon *daemon, FILE *out);
