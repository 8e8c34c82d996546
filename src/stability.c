/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stages lie behind each other: what is asked for passes the delays and, downwards, the anchor;
 * what is up behind them passes the damping. So an address is punished for what the network saw, or
 * would have seen were it not suppressed, and not for what the delays and the anchor kept away.
 *
 * RFC 2439, 4.2: each fall adds a fixed penalty, which decays by half in each half-life. Above
 * `suppress` the address stays down until it has decayed below `reuse`. The penalty is capped so
 * that this takes no longer than the maximum.
 */
#include "stability.h"

#include <math.h>

#define PENALTY_OF_A_FALL 1000.0

const char *hold_word(enum hold hold)
{
	static const char *const words[N_HOLDS] = {"none", "rise", "fall", "suppressed", "anchor"};

	return words[hold];
}

bool stability_applies(const struct config_class *class)
{
	return class->rise_seconds || class->fall_seconds || class->damping_half_life_seconds;
}

/* Damping */

double stability_penalty(
	const struct stability *stability, const struct config_class *class, struct mono now)
{
	double half_life = (double)class->damping_half_life_seconds;

	if (half_life <= 0)
		return 0;
	return stability->penalty * exp2(-mono_to_s(mono_sub(now, stability->decayed)) / half_life);
}

double stability_ceiling(const struct config_class *class)
{
	return (double)class->damping_reuse *
	       exp2((double)class->damping_max_seconds / (double)class->damping_half_life_seconds);
}

static void punish(struct stability *stability, const struct config_class *class, struct mono now)
{
	double penalty = stability_penalty(stability, class, now) + PENALTY_OF_A_FALL;

	stability->penalty = fmin(penalty, stability_ceiling(class));
	stability->decayed = now;
	if (stability->penalty > (double)class->damping_suppress)
		stability->suppressed = true;
}

struct mono stability_release(
	const struct stability *stability, const struct config_class *class, struct mono now)
{
	double penalty = stability_penalty(stability, class, now);
	double reuse = (double)class->damping_reuse;

	if (penalty <= reuse)
		return (struct mono){0};
	return (struct mono){
		(int64_t)(1e9 * (double)class->damping_half_life_seconds * log2(penalty / reuse))};
}

/* Delays */

static struct mono delay_of(
	const struct stability *stability, const struct config_class *class, enum wish wish)
{
	if (wish == WISH_DOWN)
		return (struct mono){0};
	return mono_s(stability->up ? class->fall_seconds : class->rise_seconds);
}

static void step_delays(struct stability *stability, const struct config_class *class,
	enum wish wish, bool may_fall, struct mono now)
{
	bool asked = wish == WISH_UP;
	struct mono end;

	if (wish == WISH_STAY || asked == stability->up) {
		stability->since = (struct mono){0};
		return;
	}
	if (!stability->since.ns)
		stability->since = now;
	end = mono_add(stability->since, delay_of(stability, class, wish));
	if (mono_before(now, end)) {
		stability->hold = stability->up ? HOLD_FALL : HOLD_RISE;
		stability->until = end;
		return;
	}
	if (wish == WISH_DOWN_ILL && !may_fall) {
		stability->hold = HOLD_ANCHOR;
		return;
	}
	stability->up = asked;
	stability->since = (struct mono){0};
	if (wish == WISH_DOWN_ILL && class->damping_half_life_seconds)
		punish(stability, class, now);
}

bool stability_step(struct stability *stability, const struct config_class *class, enum wish wish,
	bool may_fall, struct mono now)
{
	struct mono rest;

	stability->hold = HOLD_NONE;
	stability->until = (struct mono){0};
	step_delays(stability, class, wish, may_fall, now);
	rest = stability_release(stability, class, now);
	if (!rest.ns)
		stability->suppressed = false;
	if (stability->up && stability->suppressed) {
		stability->hold = HOLD_SUPPRESSED;
		stability->until = mono_add(now, rest);
	}
	return stability->up && !stability->suppressed;
}

/* The anchor */

bool anchor_holds(const struct anchor_tally *tally, int64_t percent)
{
	size_t lost = tally->going + tally->gone;

	return percent && tally->going && lost >= ANCHOR_LEAST &&
	       lost * 100 > (tally->up + tally->gone) * (size_t)percent;
}
