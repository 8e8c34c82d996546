/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One route: the facts about it, and what follows from them.
 *
 * The hard part is whose a static route is. Ours carries one of our tags. One with another tag, or
 * none, is the operator's and is neither overwritten nor deleted: of another distance it lives
 * beside ours, shown or not, as the better one of the two is. But a zebra that restarts finds
 * the routes of its predecessor in the kernel, without tags, and some releases keep them for good:
 * such an orphan is free to be taken over, and to be deleted if we know that we had sent it. If
 * staticd claims it after all, the feed shows it as the operator's.
 */
#include "route.h"

/* Compared by address: each reason is one object. */
static const char why_family[] = "this kind of route exists for IPv4 only";
static const char why_tag[] = "static routes of ours must carry one of our tags";
static const char why_foreign[] = "a static route of the operator holds this prefix";
static const char why_strange[] = "a route of another daemon of this type holds this prefix";

const char *zapi_route_state_text(enum zapi_route_state state)
{
	static const char *const texts[] = {
		[ZAPI_PENDING] = "pending",
		[ZAPI_INSTALLED] = "installed",
		[ZAPI_REDISTRIBUTED] = "redistributed",
		[ZAPI_REJECTED] = "rejected",
		[ZAPI_WITHDRAWING] = "withdrawing",
		[ZAPI_GONE] = "gone",
	};

	return texts[state];
}

static bool has_tag_of_ours(const struct table *t, uint32_t tag)
{
	for (size_t i = 0; i < t->n_tags; i++) {
		if (t->tags[i] == tag)
			return true;
	}
	return false;
}

bool route_is_shown(const struct route *r)
{
	return r->there && (r->ours || r->orphan);
}

static bool has_other_distance(const struct table *t, const struct route *r)
{
	return t->kind == WORD_SHARED && r->there_distance != t->distance;
}

/* Whether what the feed shows stays and loses, as a backup, once ours is there. */
static bool gives_way(const struct table *t, const struct route *r)
{
	return t->kind == WORD_SHARED && r->readable && r->there_distance > t->distance;
}

const char *route_refusal(const struct table *t, const struct route *r)
{
	if (!zapi_word_has_family(t->word, r->prefix.family))
		return why_family;
	if (t->kind == WORD_SHARED && !has_tag_of_ours(t, r->tag))
		return why_tag;
	if (r->there && !route_is_shown(r) && !gives_way(t, r))
		return t->kind == WORD_OWN ? why_strange : why_foreign;
	return NULL;
}

/*
 * Whether what the feed shows lives beside one of ours of that metric: static routes are told apart
 * by their distance, and by their metric where that is part of the key, too.
 */
static bool is_beside(const struct table *t, const struct route *r, uint32_t metric)
{
	return r->readable &&
	       (has_other_distance(t, r) || (t->by_metric && r->there_metric != metric));
}

bool route_confirms(const struct table *t, const struct route *r)
{
	if (!r->there || !r->ours)
		return false;
	return t->kind == WORD_PASSIVE || !r->readable ||
	       (r->there_tag == r->tag && r->there_metric == r->metric &&
		       !has_other_distance(t, r));
}

enum zapi_route_state route_judge(
	const struct table *t, const struct route *r, const char **out_reason)
{
	const char *refused = route_refusal(t, r);

	*out_reason = NULL;
	if (!r->wanted)
		return r->leaving ? ZAPI_WITHDRAWING : ZAPI_GONE;
	if (refused || (t->learned && r->trouble)) {
		*out_reason = refused ? refused : r->trouble;
		return ZAPI_REJECTED;
	}
	if (!t->learned)
		return ZAPI_PENDING;
	if (route_confirms(t, r) && !r->deleting)
		return ZAPI_REDISTRIBUTED;
	return r->installed ? ZAPI_INSTALLED : ZAPI_PENDING;
}

bool route_is_leftover(const struct table *t, const struct route *r)
{
	return r->there && r->ours && !r->wanted && !r->leaving && t->kind != WORD_PASSIVE;
}

uint32_t route_holder_tag(const struct table *t, const struct route *r)
{
	bool held = r->state == ZAPI_REJECTED && r->reason == why_foreign;

	return held && t->kind == WORD_SHARED && r->readable ? r->there_tag : 0;
}

bool route_can_delete(const struct route *r)
{
	return r->sent || (r->there && r->ours);
}

/*
 * Ours are host routes with a tag, of another configuration maybe, or without one if a new zebra
 * has found them in the kernel. Other daemons of the type have other prefixes, or no tags.
 */
static bool could_be_ours(const struct wire_route *seen)
{
	return prefix_is_host(&seen->prefix) && seen->readable && (seen->tag || seen->reread);
}

static bool is_ours(const struct table *t, const struct wire_route *seen)
{
	switch (t->kind) {
	case WORD_OWN: return could_be_ours(seen);
	case WORD_SHARED: return seen->readable && has_tag_of_ours(t, seen->tag);
	case WORD_PASSIVE: break;
	}
	return true;
}

void route_see(const struct table *t, struct route *r, const struct wire_route *seen)
{
	r->ours = is_ours(t, seen);
	r->orphan = t->kind == WORD_SHARED && seen->reread && seen->readable && seen->tag == 0;
	r->readable = seen->readable;
	r->there_tag = seen->tag;
	r->there_metric = seen->metric;
	r->there_distance = seen->distance;
	if (!route_is_shown(r) && !is_beside(t, r, r->sent_metric))
		r->sent = false; /* it has taken our place */
}

/*
 * What is deleted is what the feed shows; else what was sent. An orphan goes whatever the distance,
 * and staticd's own, which may be as good and there any moment, only for its own.
 */
static void remove_it(const struct table *t, struct route *r, bool as_shown, struct order *out)
{
	bool shown = as_shown && route_is_shown(r) && r->readable;

	out->remove = true;
	out->removed = (struct zapi_route){r->prefix, 0, shown ? r->there_metric : r->sent_metric};
	out->removed_distance = shown && !r->orphan ? r->there_distance : t->distance;
	r->deleting = true;
}

/* false: there is nothing to send, after all. */
static bool order_add(const struct table *t, struct route *r, struct order *out)
{
	bool shows_other = route_is_shown(r) && is_beside(t, r, r->metric);
	bool sent_other = r->sent && t->by_metric && r->sent_metric != r->metric;

	if (route_refusal(t, r))
		return false;
	out->add = true;
	out->added = (struct zapi_route){r->prefix, r->tag, r->metric};
	/*
	 * Where distance or metric are part of the key, the old route would stay beside the new
	 * one. Deleting first is right on every release, and zebra makes one change of both.
	 */
	if (shows_other || sent_other)
		remove_it(t, r, !r->sent || (shows_other && !r->deleting), out);
	r->sent = true;
	r->sent_metric = r->metric;
	return true;
}

static bool order_remove(const struct table *t, struct route *r, struct order *out)
{
	if (!route_can_delete(r))
		return false;
	remove_it(t, r, true, out);
	return true;
}

/* zebra takes the same route for no change, and for one that it need not sweep. */
static bool order_refresh(const struct table *t, struct route *r, struct order *out)
{
	bool needed = r->refresh && route_is_leftover(t, r);

	r->refresh = false;
	if (!needed)
		return false;
	out->add = r->sent = true;
	out->added = (struct zapi_route){r->prefix, r->there_tag, r->there_metric};
	r->sent_metric = r->there_metric;
	return true;
}

bool route_order(const struct table *t, struct route *r, struct order *out)
{
	*out = (struct order){.remove = false};
	if (r->wanted)
		return order_add(t, r, out);
	return r->leaving ? order_remove(t, r, out) : order_refresh(t, r, out);
}
