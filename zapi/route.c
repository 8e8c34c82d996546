/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One route: the facts about it, and what follows from them.
 *
 * The hard part is whose a static route is. Ours carries one of our tags. One with another tag, or
 * none, is the operator's and is neither overwritten nor deleted. But a zebra that restarts finds
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

/* Why the route must not be sent; NULL: it may. */
static const char *refusal(const struct table *t, const struct route *r)
{
	if (!zapi_word_has_family(t->word, r->prefix.family))
		return why_family;
	if (t->kind == WORD_SHARED && !has_tag_of_ours(t, r->tag))
		return why_tag;
	if (r->there && !r->ours && !r->orphan)
		return t->kind == WORD_OWN ? why_strange : why_foreign;
	return NULL;
}

bool route_confirms(const struct table *t, const struct route *r)
{
	if (!r->there || !r->ours)
		return false;
	return t->kind == WORD_PASSIVE || !r->readable ||
	       (r->there_tag == r->tag && r->there_metric == r->metric);
}

enum zapi_route_state route_judge(
	const struct table *t, const struct route *r, const char **out_reason)
{
	const char *refused = refusal(t, r);

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
	if (r->there && !r->ours)
		return r->orphan && r->sent;
	return r->there || r->sent;
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
}

/* false: there is nothing to send, after all. */
static bool order_add(const struct table *t, struct route *r, struct order *out)
{
	bool other_metric =
		r->there && (r->ours || r->orphan) && r->readable && r->there_metric != r->metric;

	if (refusal(t, r))
		return false;
	out->add = true;
	out->added = (struct zapi_route){r->prefix, r->tag, r->metric};
	/*
	 * Where the metric is part of the key, the old route would stay beside the new one.
	 * Deleting first is right on every release, and zebra makes one change of both.
	 */
	if (t->by_metric && t->kind == WORD_SHARED &&
		(other_metric || (r->sent && r->sent_metric != r->metric))) {
		out->remove = true;
		out->removed = out->added;
		out->removed.metric = other_metric ? r->there_metric : r->sent_metric;
		r->deleting = true;
	}
	r->sent = true;
	r->sent_metric = r->metric;
	return true;
}

static bool order_remove(struct route *r, struct order *out)
{
	if (!route_can_delete(r))
		return false;
	out->remove = true;
	out->removed = (struct zapi_route){r->prefix, 0, r->sent_metric};
	if (r->there && r->readable)
		out->removed.metric = r->there_metric;
	r->deleting = true;
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
	return r->leaving ? order_remove(r, out) : order_refresh(t, r, out);
}
