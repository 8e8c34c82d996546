/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What it costs to bind many addresses on lo and to unbind them, with the daemon's own code. For
 * bench_loopback.py, in a network namespace; prints seconds, and the longest turn of the loop.
 *
 *	loopback_bench local-route|address N
 */
#include "loopback.h"

#include <string.h>

static size_t n_bound, n_failed;

static void on_news(
	void *data, const struct prefix *address, enum loopback_state state, const char *error)
{
	(void)data;
	(void)address;
	(void)error;
	n_bound += state == LOOPBACK_BOUND;
	n_failed += state == LOOPBACK_FAILED || state == LOOPBACK_FOREIGN;
}

static void on_problem(void *data, const char *text)
{
	(void)data;
	fprintf(stderr, "%s\n", text);
}

/* 10.96.0.0, 10.96.0.1, …, as bench_loopback.py counts them. */
static struct prefix address_of(size_t i)
{
	uint8_t octets[4] = {10, (uint8_t)(96 + (i >> 16)), (uint8_t)(i >> 8), (uint8_t)i};

	return prefix_host(AF_INET, octets);
}

static size_t still_bound(const struct loopback *loopback)
{
	struct loopback_status status;

	loopback_status(loopback, &status);
	return status.n_bound;
}

/* Turns once; *longest is of all turns. */
static void turn(struct loop *loop, double *longest)
{
	struct mono before = mono_now();
	double seconds;

	loop_turn(loop, -1);
	seconds = mono_to_s(mono_sub(mono_now(), before));
	*longest = MAX(*longest, seconds);
}

static void report(const char *verb, struct mono since, double longest)
{
	printf("%s %.6f %.6f\n", verb, mono_to_s(mono_sub(mono_now(), since)), longest);
}

static void bind_and_unbind(struct loop *loop, struct loopback *loopback, size_t n)
{
	struct mono since = mono_now();
	double longest = 0;

	for (size_t i = 0; i < n; i++) {
		struct prefix address = address_of(i);

		loopback_add(loopback, &address);
	}
	while (n_bound + n_failed < n)
		turn(loop, &longest);
	report("add", since, longest);

	since = mono_now();
	longest = 0;
	for (size_t i = 0; i < n; i++) {
		struct prefix address = address_of(i);

		loopback_remove(loopback, &address);
	}
	while (still_bound(loopback))
		turn(loop, &longest);
	report("remove", since, longest);
}

int main(int argc, char **argv)
{
	struct loopback_options options = {
		.interface = "lo", .news = on_news, .problem = on_problem};
	struct loop *loop = loop_new();
	struct loopback *loopback;
	char *error;

	if (argc != 3) {
		fprintf(stderr, "usage: loopback_bench local-route|address N\n");
		return 2;
	}
	options.mode = strcmp(argv[1], "address") ? LOOPBACK_LOCAL_ROUTE : LOOPBACK_ADDRESS;
	if (loopback_new(loop, &options, &loopback, &error) < 0) {
		fprintf(stderr, "%s\n", error);
		return 1;
	}
	bind_and_unbind(loop, loopback, strtoul(argv[2], NULL, 10));
	loopback_free(loopback);
	loop_free(loop);
	return n_failed != 0;
}
