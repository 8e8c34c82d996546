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

static void begin(struct drain *d, const struct config *config, bool first)
{
	if (first) {
		log_info("drain", "the node is drained: nothing is announced", "why=%s", d->why);
		enter(d, DRAIN_WITHDRAWN);
		return;
	}
	log_info("drain", "draining", "why=%s tag=%lld seconds=%lld", d->why,
		(long long)config->announce_drain_tag, (long long)config->announce_drain_seconds);
	loop_timer_after(d->loop, &d->timer, mono_s(config->announce_drain_seconds), on_timer);
	enter(d, DRAIN_TAGGED);
}

void drain_consider(struct drain *d, const struct config *config, bool first)
{
	bool by_signal = d->signalled && config->announce_drain_on & 1u << DRAIN_ON_SIGNAL;

	d->why = by_signal ? "a signal (SIGUSR1)"
			   : plan_drain_trigger(config, cluster_node(d->cluster));
	if (d->why && d->phase == DRAIN_NONE) {
		begin(d, config, first);
	} else if (!d->why && d->phase != DRAIN_NONE) {
		log_info("drain", "over: announcing again");
		loop_timer_stop(&d->timer);
		enter(d, DRAIN_NONE);
	}
}

void drain_signal(struct drain *d, const struct config *config, bool begin_it)
{
	d->signalled = begin_it;
	drain_consider(d, config, false);
}

void drain_init(struct drain *d, struct loop *loop, struct cluster *cluster,
	struct announce *announce, void (*replan)(void *data), void *data)
{
	*d = (struct drain){.loop = loop,
		.cluster = cluster,
		.announce = announce,
		.replan = replan,
		.data = data,
		.signalled = d->signalled};
}

void drain_deinit(struct drain *d)
{
	loop_timer_stop(&d->timer);
}
