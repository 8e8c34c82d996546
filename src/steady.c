/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An address is asked for whenever what its services say has changed, and when a delay or a penalty
 * has run out. The anchor looks at all of them after a round of that, since only all together tell
 * how much would go.
 */
#include "steady.h"

#include <cosmolet/log.h>

static void on_anchor_job(struct loop_job *job);

static int steady_cmp(const void *a, const void *b)
{
	return prefix_cmp(
		&((const struct steady *)a)->address, &((const struct steady *)b)->address);
}

static bool is_up(const struct steady *steady)
{
	return steady->stability.up && !steady->stability.suppressed;
}

/* Questions */

enum hold steady_hold(const struct steady *steady)
{
	return steady ? steady->stability.hold : HOLD_NONE;
}

double steady_penalty(const struct steady *steady, const struct config_class *class)
{
	return steady ? stability_penalty(&steady->stability, class, loop_now(steady->all->loop))
		      : 0;
}

char *steady_text(const struct steady *steady, const struct config_class *class)
{
	struct mono now, held;
	double left;

	if (!steady)
		return NULL;
	now = loop_now(steady->all->loop);
	left = MAX(mono_to_s(mono_sub(steady->stability.until, now)), 0);
	switch (steady->stability.hold) {
	case HOLD_NONE:
	case N_HOLDS: return NULL;
	case HOLD_RISE:
		return xasprintf("it is announced when that has lasted for %lld s (rise_seconds), "
				 "in %.0f s",
			(long long)class->rise_seconds, left);
	case HOLD_FALL:
		return xasprintf("it is withdrawn when that has lasted for %lld s (fall_seconds), "
				 "in %.0f s",
			(long long)class->fall_seconds, left);
	case HOLD_SUPPRESSED:
		return xasprintf("but it was withdrawn too often: suppressed until its penalty, "
				 "now %.0f, is down to %lld (damping_reuse), in %.0f s",
			steady_penalty(steady, class), (long long)class->damping_reuse, left);
	case HOLD_ANCHOR:
		held = mono_sub(now, steady->held);
		return xasprintf("but too many addresses would go at once: held for %lld s more "
				 "(stability.anchor_hold_seconds), unless fewer are ill",
			(long long)MAX(
				steady->all->config->anchor_hold_seconds - held.ns / mono_s(1).ns,
				0));
	}
	abort();
}

/* One address */

static void on_steady_timer(struct loop_timer *timer)
{
	const struct steady *steady = container_of(timer, struct steady, timer);

	steady->all->again(steady->all->data, &steady->address);
}

static void begin_hold(const struct steady *steady, const struct config_class *class)
{
	enum hold hold = steady_hold(steady);
	auto_free char *text = steady_text(steady, class);
	char buf[PREFIX_STRLEN];

	steady->all->metrics->holds[hold]++;
	if (text && hold != HOLD_ANCHOR) /* which says it once for all of them */
		log_info("announce", "held", "address=%s by=%s why=%s",
			prefix_address(&steady->address, buf), hold_word(hold), text);
}

static void remember(struct steady *steady, const struct config_class *class)
{
	struct steadiness *all = steady->all;
	enum hold hold = steady_hold(steady);

	if (hold != HOLD_ANCHOR)
		steady->held = (struct mono){0};
	else if (!steady->held.ns)
		steady->held = loop_now(all->loop);
	steady->passed = false;
	if (hold == HOLD_ANCHOR || steady->counted == HOLD_ANCHOR)
		loop_job_queue(all->loop, &all->job, on_anchor_job);
	if (hold != steady->counted)
		begin_hold(steady, class);
	steady->counted = hold;
	loop_timer_stop(&steady->timer);
	if (steady->stability.until.ns)
		loop_timer_at(all->loop, &steady->timer, steady->stability.until, on_steady_timer);
}

bool steady_ask(struct steady *steady, const struct config_class *class, enum wish wish)
{
	const struct steadiness *all = steady->all;
	bool was_up = is_up(steady);
	/* One that is suppressed is not there to be lost. */
	bool may_fall = !all->config->anchor_percent || !was_up || steady->passed;
	struct mono now = loop_now(all->loop);
	bool up = stability_step(&steady->stability, class, wish, may_fall, now);

	if (was_up && !steady->stability.up && wish == WISH_DOWN_ILL)
		steady->gone = now;
	remember(steady, class);
	return up;
}

/* The anchor */

static bool is_recent(const struct steadiness *all, struct mono when)
{
	struct mono window = mono_s(all->config->anchor_seconds);

	return when.ns && mono_before(loop_now(all->loop), mono_add(when, window));
}

static struct anchor_tally tally(const struct steadiness *all)
{
	struct anchor_tally tally = {0};
	const struct steady *steady;

	vec_foreach (&all->addresses, steady, i) {
		tally.up += is_up(steady);
		tally.going += steady_hold(steady) == HOLD_ANCHOR;
		tally.gone += !is_up(steady) && is_recent(all, steady->gone);
	}
	return tally;
}

static void on_anchor_timer(struct loop_timer *timer)
{
	struct steadiness *all = container_of(timer, struct steadiness, timer);

	loop_job_queue(all->loop, &all->job, on_anchor_job);
}

static void log_anchor(struct steadiness *all, const struct anchor_tally *tally, bool holds)
{
	if (holds && !all->anchored)
		log_warn("announce",
			"too many addresses would be withdrawn at once for too few ready pods: "
			"held by the anchor",
			"going=%zu gone=%zu announced=%zu anchor_percent=%lld "
			"anchor_hold_seconds=%lld",
			tally->going, tally->gone, tally->up,
			(long long)all->config->anchor_percent,
			(long long)all->config->anchor_hold_seconds);
	else if (!holds && all->anchored)
		log_info("announce", "the anchor holds nothing any more");
	all->anchored = holds;
}

/* After a round; and each second while something is held. */
static void on_anchor_job(struct loop_job *job)
{
	struct steadiness *all = container_of(job, struct steadiness, job);
	struct mono longest = mono_s(all->config->anchor_hold_seconds);
	struct mono now = loop_now(all->loop);
	struct anchor_tally sums = tally(all);
	bool holds = anchor_holds(&sums, all->config->anchor_percent), any = false;
	struct steady *steady;

	vec_foreach (&all->addresses, steady, i) {
		if (steady_hold(steady) != HOLD_ANCHOR)
			continue;
		if (holds && mono_before(now, mono_add(steady->held, longest))) {
			any = true;
			continue;
		}
		steady->passed = true;
		all->again(all->data, &steady->address);
	}
	log_anchor(all, &sums, any);
	if (any)
		loop_timer_after(all->loop, &all->timer, mono_s(1), on_anchor_timer);
	else
		loop_timer_stop(&all->timer);
}

/* Life */

bool steadiness_applies(const struct steadiness *all, const struct config_class *class)
{
	return stability_applies(class) || all->config->anchor_percent;
}

struct steady *steady_find(const struct steadiness *all, const struct prefix *address)
{
	struct steady wanted = {.address = *address};

	return vec_find(&all->addresses, &wanted);
}

struct steady *steady_get(struct steadiness *all, const struct prefix *address, bool up)
{
	struct steady *steady = steady_find(all, address);

	if (steady)
		return steady;
	steady = xcalloc(1, sizeof(*steady));
	steady->address = *address;
	steady->all = all;
	steady->stability.up = up;
	vec_insert(&all->addresses, steady);
	return steady;
}

struct steady *steady_free(struct steady *steady)
{
	if (!steady)
		return NULL;
	if (steady->counted == HOLD_ANCHOR) /* it may hold nothing any more */
		loop_job_queue(steady->all->loop, &steady->all->job, on_anchor_job);
	vec_remove(&steady->all->addresses, steady);
	loop_timer_stop(&steady->timer);
	free(steady);
	return NULL;
}

void steadiness_init(struct steadiness *all, struct loop *loop, const struct config *config,
	struct metrics *metrics, void (*again)(void *data, const struct prefix *address),
	void *data)
{
	*all = (struct steadiness){.loop = loop,
		.config = config,
		.metrics = metrics,
		.again = again,
		.data = data,
		.addresses = all->addresses,
		.anchored = all->anchored};
	all->addresses.cmp = steady_cmp;
}

void steadiness_stop(struct steadiness *all)
{
	struct steady *steady;

	loop_job_stop(&all->job);
	loop_timer_stop(&all->timer);
	vec_foreach (&all->addresses, steady, i)
		loop_timer_stop(&steady->timer);
}

void steadiness_deinit(struct steadiness *all)
{
	steadiness_stop(all);
	vec_deinit(&all->addresses, free);
}
