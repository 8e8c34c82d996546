/* SPDX-License-Identifier: Apache-2.0 */
/* Time that only goes forward (CLOCK_MONOTONIC), in a type that does not mix with other numbers. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct mono {
	int64_t ns;
};

#define MONO_NEVER ((struct mono){INT64_MAX})

struct mono mono_now(void);

static inline struct mono mono_ms(int64_t ms)
{
	return (struct mono){ms * 1000000};
}

static inline struct mono mono_s(int64_t s)
{
	return (struct mono){s * 1000000000};
}

static inline struct mono mono_add(struct mono a, struct mono b)
{
	return (struct mono){a.ns + b.ns};
}

static inline struct mono mono_sub(struct mono a, struct mono b)
{
	return (struct mono){a.ns - b.ns};
}

static inline bool mono_before(struct mono a, struct mono b)
{
	return a.ns < b.ns;
}

static inline double mono_to_s(struct mono a)
{
	return (double)a.ns / 1e9;
}

/* For tests: every later mono_now() is ahead by this much more. */
void mono_turn(struct mono by);
/* For tests: from now on only mono_turn() moves it. */
void mono_stop(void);

/* Seconds since 1970 with fraction, for what people and Prometheus read. Never for intervals. */
double wall_now(void);
