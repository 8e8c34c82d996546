/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How old the knowledge is: that of the watch which has been without a connection for longest,
 * counted from the last octet that it brought. One that never had a list does not count: nothing is
 * known by it that could be stale.
 */
#include "stale.h"

#include <string.h>

#define MAX_WATCHES 256

double stale_seconds(const struct stale *stale)
{
	struct k8s_stream_status streams[MAX_WATCHES];
	size_t n = k8s_status(stale->k8s, streams, MAX_WATCHES);
	struct mono now = mono_now(), oldest = now;

	for (size_t i = 0; i < MIN(n, MAX_WATCHES); i++) {
		const struct k8s_stream_status *stream = &streams[i];

		/* A file that does not read is mended by whoever wrote it. */
		if (stream->plan && stream->synced && stream->error && stream->last_contact.ns &&
			mono_before(stream->last_contact, oldest))
			oldest = stream->last_contact;
	}
	return mono_to_s(mono_sub(now, oldest));
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
	double seconds = stale_seconds(stale);

	loop_timer_stop(&stale->timer);
	if (seconds == 0 || limit_s == 0) {
		set_over(stale, false);
	} else if (seconds >= (double)limit_s) {
		set_over(stale, true);
	} else {
		int64_t left_ms = limit_s * 1000 - (int64_t)(seconds * 1000);

		set_over(stale, false);
		loop_timer_after(stale->loop, &stale->timer, mono_ms(left_ms), on_limit);
	}
}

void stale_init(struct stale *stale, struct loop *loop, const struct k8s *k8s,
	void (*notify)(void *data), void *data)
{
	*stale = (struct stale){.loop = loop, .k8s = k8s, .notify = notify, .data = data};
}

void stale_deinit(struct stale *stale)
{
	loop_timer_stop(&stale->timer);
}
