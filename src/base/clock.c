/* SPDX-License-Identifier: Apache-2.0 */
/* The clock. Tests turn it by hand, stopped or not; timers then see the time they wait for. */
#include <cosmolet/clock.h>

#include <time.h>

static int64_t turned_ns;
static bool stopped;

static int64_t read_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

struct mono mono_now(void)
{
	return (struct mono){(stopped ? 0 : read_ns(CLOCK_MONOTONIC)) + turned_ns};
}

void mono_turn(struct mono by)
{
	turned_ns += by.ns;
}

void mono_stop(void)
{
	turned_ns = mono_now().ns;
	stopped = true;
}

double wall_now(void)
{
	return (double)read_ns(CLOCK_REALTIME) / 1e9;
}
