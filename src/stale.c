/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The knowledge is fresh while every watch that ever had a list is open. A watch is given up as
 * soon as its connection breaks, or has been silent for longer than a living server is. Before the
 * first lists have ended there is no knowledge but what a former process has left in zebra, which
 * is as old as this one at least.
 */
#include "stale.h"

static bool is_fresh(const struct stale *stale)
{
	struct k8s_stream_status stream = {0};

	if (!stale->synced)
		return false;
	while (k8s_next_stream(stale->k8s, &stream)) {
		/* A file that does not read is mended by whoever wrote it. */
		if (stream.plan && stream.synced && stream.error && !stream.optional)
			return false;
	}
	return true;
}

double stale_seconds(const struct stale *stale)
{
	return stale->since.ns ? mono_to_s(mono_sub(mono_now(), stale->since)) : 0;
}

static void set_over(struct stale *stale, bool over)
{
	if (stale->over == over)
		return;
	stale->over = over;
	stale->notify(stale->data);
}

static void on_limit(struct loop_timer *timer)
{
	set_over(container_of(timer, struct stale, timer), true);
}

void stale_consider(struct stale *stale, int64_t limit_s)
{
	struct mono now = mono_now(), limit;

	loop_timer_stop(&stale->timer);
	if (is_fresh(stale))
		stale->since = (struct mono){0};
	else if (!stale->since.ns)
		stale->since = now;
	limit = mono_add(stale->since, mono_s(limit_s));
	if (!stale->since.ns || limit_s == 0) {
		set_over(stale, false);
	} else if (!mono_before(now, limit)) {
		set_over(stale, true);
	} else {
		set_over(stale, false);
		loop_timer_at(stale->loop, &stale->timer, limit, on_limit);
	}
}

void stale_synced(struct stale *stale)
{
	stale->synced = true;
}

void stale_init(struct stale *stale, struct loop *loop, const struct k8s *k8s, bool files,
	void (*notify)(void *data), void *data)
{
	*stale = (struct stale){.loop = loop,
		.k8s = k8s,
		.notify = notify,
		.data = data,
		.synced = files,
		.since = stale->since.ns ? stale->since : mono_now()};
}

void stale_deinit(struct stale *stale)
{
	loop_timer_stop(&stale->timer);
}
