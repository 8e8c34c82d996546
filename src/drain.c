/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node that is to be left in peace first says so to the network, and then withdraws.
 *
 * The ladder: the drain tag on every route, which the operator's route-map makes GRACEFUL_SHUTDOWN
 * (RFC 8326), so that traffic moves while the way still works; announce.drain_seconds later the
 * routes go. When the trigger goes away, whatever rung it stands on, all is announced as before.
 */
#include "drain.h"

#include <cosmolet/log.h>

#include "plan.h"

const char *drain_phase_text(enum drain_phase phase)
{
	static const char *const texts[] = {"none", "tagged", "withdrawn"};

	return texts[phase];
}

static void enter(struct drain *d, enum drain_phase phase)
{
	d->phase = phase;
	d->cluster->drained = phase == DRAIN_WITHDRAWN ? d->why : NULL;
	announce_set_draining(d->announce, phase == DRAIN_TAGGED);
	d->replan(d->data);
}

static void on_timer(struct loop_timer *timer)
{
	struct drain *d = container_of(timer, struct drain, timer);

	log_info("drain", "withdrawing everything", "why=%s", d->why);
	enter(d, DRAIN_WITHDRAWN);
}

/* The upper rung, and if that is not all, the way to the lower one. */
static void begin(struct drain *d, const struct config *config, bool tag_only)
{
	log_info("drain", "draining", "why=%s tag=%lld seconds=%lld", d->why,
		(long long)config->announce_drain_tag,
		(long long)(tag_only ? 0 : config->announce_drain_seconds));
	if (tag_only) {
		d->began = (struct mono){0};
		loop_timer_stop(&d->timer);
	} else {
		if (!d->began.ns)
			d->began = loop_now(d->loop);
		loop_timer_at(d->loop, &d->timer,
			mono_add(d->began, mono_s(config->announce_drain_seconds)), on_timer);
	}
	enter(d, DRAIN_TAGGED);
}

static void end(struct drain *d)
{
	log_info("drain", "over: announcing again");
	loop_timer_stop(&d->timer);
	enter(d, DRAIN_NONE);
}

/* One that never was, as among manifests, is no sign of anything; nor is one not listed yet. */
static bool node_is_gone(struct drain *d)
{
	bool there = cluster_node(d->cluster);

	d->node_known = d->node_known || there;
	return d->node_known && !there && d->seen;
}

/* For free(); NULL: nothing. */
static char *find_trigger(struct drain *d, const struct config *config)
{
	uint32_t on = config->announce_drain_on;
	char *of_node;

	if (d->signalled && on & 1u << DRAIN_ON_SIGNAL)
		return xstrdup("a signal (SIGUSR1)");
	if (node_is_gone(d) && on & 1u << DRAIN_ON_DELETION)
		return xstrdup("the node was deleted");
	of_node = plan_drain_trigger(config, cluster_node(d->cluster));
	if (!of_node && d->unwell && config->announce_wait_for && on & 1u << DRAIN_ON_WAIT_FOR)
		return xasprintf(
			"%s: %s (announce.wait_for)", config->announce_wait_for, d->unwell);
	return of_node;
}

/* The cluster borrows it while everything is withdrawn. Takes it over. */
static void set_why(struct drain *d, char *why)
{
	free(d->why);
	d->why = why;
	if (d->phase == DRAIN_WITHDRAWN)
		d->cluster->drained = why;
}

static bool is_stale(const struct drain *d, const struct config *config)
{
	return d->stale && config->fail_static_policy != STALE_KEEP;
}

static void consider(struct drain *d, const struct config *config, bool was_drained)
{
	bool tag_only;

	set_why(d, find_trigger(d, config));
	tag_only = !d->why && config->fail_static_policy == STALE_TAG;
	if (!d->why && is_stale(d, config))
		set_why(d, xstrdup("the API server, which is away (fail_static)"));
	if (!d->why)
		d->began = (struct mono){0};
	if (!d->why && d->phase != DRAIN_NONE) {
		end(d);
	} else if (d->why && d->phase == DRAIN_NONE && was_drained) {
		log_info("drain", "the node is drained: nothing is announced", "why=%s", d->why);
		enter(d, DRAIN_WITHDRAWN);
	} else if (d->why && (d->phase == DRAIN_NONE || (tag_only && d->phase != DRAIN_TAGGED) ||
				     (!tag_only && d->phase == DRAIN_TAGGED && !d->timer.loop))) {
		begin(d, config, tag_only);
	}
}

void drain_consider(struct drain *d, const struct config *config)
{
	bool was_drained = !d->seen && !d->was_up;

	d->seen = true;
	consider(d, config, was_drained);
}

void drain_stale(struct drain *d, const struct config *config, bool stale)
{
	d->stale = stale;
	consider(d, config, false);
}

void drain_signal(struct drain *d, const struct config *config, bool begin_it)
{
	d->signalled = begin_it;
	consider(d, config, false);
}

void drain_unwell(struct drain *d, const struct config *config, const char *reason)
{
	str_set(&d->unwell, reason);
	consider(d, config, false);
}

void drain_init(struct drain *d, struct loop *loop, struct cluster *cluster,
	struct announce *announce, void (*replan)(void *data), void *data)
{
	*d = (struct drain){.loop = loop,
		.cluster = cluster,
		.announce = announce,
		.replan = replan,
		.data = data,
		.signalled = d->signalled,
		.unwell = d->unwell,
		.was_up = d->seen ? d->phase != DRAIN_WITHDRAWN : d->was_up,
		.began = d->began,
		.node_known = d->node_known};
}

void drain_deinit(struct drain *d)
{
	loop_timer_stop(&d->timer);
	str_set(&d->why, NULL);
}

void drain_free(struct drain *d)
{
	str_set(&d->unwell, NULL);
}
