/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The routes: what the owner wants, what zebra's feed shows, and what is still to be sent.
 *
 * The one hard idea: nothing here counts messages. zebra merges quick changes, says nothing about
 * routes that lose from the start, and tells of others' doings with the same words. So a route is a
 * handful of facts (wanted? in the feed? with which tag?), and its state is judged from them alone,
 * each time one of them changed. What has to be sent follows from the facts at the moment of
 * sending; a route waits for that on the list of dirty ones at most once.
 */
#include "table.h"

#include <string.h>

#include "route.h"

/* How often a route that a busy zebra does not confirm is looked at before we give up. */
#define TRIES_MAX 40
/* And a quiet one. */
#define TRIES_QUIET 2
/* So long it may be one of many that zebra works on. */
#define TRIES_FRESH 8
/* One that is rejected is sent again after 1, 2, 4, … looks, then every so many. */
#define TRIES_TO_REPEAT 128
/* So many orders for a route within a look are news, more are a storm: only its end is sent. */
#define BURST_MAX 6
/* A route whose deletion shows no effect is deleted again after so many looks. */
#define TRIES_TO_RESEND 20

static const char why_better[] = "a better route for this prefix won in zebra";
static const char why_kernel[] = "zebra could not install the route in the kernel";
static const char why_unselected[] = "zebra does not select our route for this prefix any more";
static const char why_no_address[] = "zebra has no connected route for this prefix any more";
static const char why_silent[] = "zebra has the route but does not select it: "
				 "another one holds the prefix, or its nexthop is not usable";
static const char why_different[] = "zebra shows the route with another tag, metric or distance";

void table_init(struct table *t, const struct zapi_options *options)
{
	*t = (struct table){.word = options->word,
		.kind = word_kind(options->word),
		.distance = options->distance,
		.observe = options->observe};
	if (options->n_tags) {
		t->n_tags = options->n_tags;
		t->tags = xmemdup(options->tags, options->n_tags * sizeof(*options->tags));
	}
	vec_init(&t->routes, prefix_cmp);
	TAILQ_INIT(&t->dirty);
	TAILQ_INIT(&t->awaiting);
	TAILQ_INIT(&t->news);
	TAILQ_INIT(&t->unread);
}

void table_deinit(struct table *t)
{
	vec_deinit(&t->routes, free);
	free(TAKE(t->tags));
}

static struct route *find(const struct table *t, const struct prefix *prefix)
{
	return vec_find(&t->routes, prefix);
}

static struct route *obtain(struct table *t, const struct prefix *prefix)
{
	struct route *r = find(t, prefix);

	if (r)
		return r;
	r = xcalloc(1, sizeof(*r));
	r->prefix = *prefix;
	r->state = ZAPI_GONE;
	r->told = ZAPI_GONE;
	vec_insert(&t->routes, r);
	return r;
}

/* the lists */

static bool may_send(const struct table *t)
{
	return t->kind != WORD_PASSIVE && !t->observe;
}

static void dirty(struct table *t, struct route *r)
{
	if (!t->learned || !may_send(t) || r->is_dirty)
		return;
	TAILQ_INSERT_TAIL(&t->dirty, r, dirty_link);
	r->is_dirty = true;
	t->n_dirty++;
}

static void undirty(struct table *t, struct route *r)
{
	if (!r->is_dirty)
		return;
	TAILQ_REMOVE(&t->dirty, r, dirty_link);
	r->is_dirty = false;
	t->n_dirty--;
}

static void unawait(struct table *t, struct route *r)
{
	if (!r->is_awaiting)
		return;
	TAILQ_REMOVE(&t->awaiting, r, awaiting_link);
	r->is_awaiting = false;
}

static void await(struct table *t, struct route *r, struct mono now)
{
	unawait(t, r);
	r->since = now;
	TAILQ_INSERT_TAIL(&t->awaiting, r, awaiting_link);
	r->is_awaiting = true;
}

static void read_by_zebra(struct table *t, struct route *r)
{
	if (!r->is_unread)
		return;
	TAILQ_REMOVE(&t->unread, r, unread_link);
	r->is_unread = false;
}

/*
 * Frees a route of which nothing is known and nobody waits for a word. One that we had sent is
 * remembered until the next look, or a storm that reaches zebra would be ever new routes.
 */
static void drop_if_void(struct table *t, struct route *r)
{
	if (r->wanted || r->leaving || r->there || r->is_news || r->is_dirty || r->is_awaiting ||
		r->is_unread)
		return;
	if (r->n_burst)
		await(t, r, r->burst);
	else
		free(vec_remove(&t->routes, &r->prefix));
}

static bool differs_from_told(const struct route *r)
{
	return r->state != r->told || r->reason != r->told_reason ||
	       (r->state == ZAPI_GONE && r->owes_gone);
}

static void tell(struct table *t, struct route *r)
{
	if (r->is_news || !differs_from_told(r))
		return;
	TAILQ_INSERT_TAIL(&t->news, r, news_link);
	r->is_news = true;
}

/* judging */

static void count(struct table *t, struct route *r)
{
	const bool counted[N_COUNTS] = {
		[COUNT_WANTED] = r->wanted,
		[COUNT_FRESH] = (r->state == ZAPI_PENDING || r->leaving) && r->tries < TRIES_FRESH,
		[COUNT_REDISTRIBUTED] = r->wanted && route_confirms(t, r),
		[COUNT_LEFTOVERS] = !r->wanted && r->there && r->ours && t->kind != WORD_PASSIVE,
		[COUNT_LEAVING] = r->leaving,
	};

	for (size_t i = 0; i < N_COUNTS; i++)
		t->counts[i] += (size_t)counted[i] - (size_t)r->counted[i];
	memcpy(r->counted, counted, sizeof(counted));
}

/* Whether it has to be looked at again if zebra stays silent. */
static bool is_open(const struct route *r)
{
	if (r->later)
		return true;
	switch (r->state) {
	case ZAPI_PENDING:
	case ZAPI_INSTALLED:
	case ZAPI_WITHDRAWING: return true;
	case ZAPI_REJECTED: return r->mend || r->trouble;
	case ZAPI_REDISTRIBUTED: return r->mend;
	case ZAPI_GONE: break;
	}
	return false;
}

static enum zapi_failure failure_of(const struct route *r)
{
	if (r->reason == why_better)
		return ZAPI_BETTER_ROUTE_WON;
	if (r->reason == why_kernel)
		return ZAPI_INSTALL_FAILED;
	return r->reason == r->trouble ? ZAPI_NOT_SELECTED : ZAPI_NOT_SENT;
}

/* To be called whenever a fact of the route changed; the route may be gone afterwards. */
static void assess(struct table *t, struct route *r)
{
	enum zapi_route_state before = r->state;

	r->state = route_judge(t, r, &r->reason);
	if (r->state == ZAPI_REJECTED && before != ZAPI_REJECTED) {
		t->n_failures++;
		t->failures[failure_of(r)]++;
	}
	if (!is_open(r))
		unawait(t, r);
	count(t, r);
	tell(t, r);
	drop_if_void(t, r);
}

/* zebra does not use it, and will say so again if that changes, unless somebody deletes it. */
static void reject(struct table *t, struct route *r, const char *why, struct mono now)
{
	if (r->trouble != why) /* else zebra answers what we sent again */
		r->tries = 0;
	r->trouble = why;
	if (!r->is_dirty && !r->is_awaiting)
		await(t, r, now);
}

/* zebra does not have it from us any more. */
static void forget(struct route *r)
{
	r->leaving = r->sent = r->deleting = false;
}

static void gone(struct table *t, struct route *r)
{
	forget(r);
	undirty(t, r);
	assess(t, r);
}

static void leave(struct table *t, struct route *r)
{
	r->leaving = r->owes_gone = true;
	r->tries = 0;
	dirty(t, r);
	assess(t, r);
}

/* Zebra lost the route. Sent again at once, unless that is what was done a moment ago. */
static void mend(struct table *t, struct route *r, struct mono now)
{
	if (r->mended.ns == 0 || !mono_before(now, mono_add(r->mended, mono_s(1)))) {
		r->mended = now;
		dirty(t, r);
		return;
	}
	r->mend = true;
	await(t, r, now);
}

/* the owner's side */

void table_want(struct table *t, const struct zapi_route *route)
{
	struct route *r = obtain(t, &route->prefix);

	if (r->wanted && r->tag == route->tag && r->metric == route->metric)
		return;
	r->wanted = r->owes_gone = true;
	r->leaving = r->installed = r->mend = false;
	r->trouble = NULL;
	r->tries = 0;
	r->tag = route->tag;
	r->metric = route->metric;
	dirty(t, r);
	assess(t, r);
}

static void unwant(struct table *t, struct route *r)
{
	bool maybe_there = r->sent || (r->there && r->ours);

	if (!r->wanted && !route_is_leftover(t, r))
		return;
	r->wanted = r->installed = r->mend = false;
	r->trouble = NULL;
	if (may_send(t) && maybe_there)
		leave(t, r);
	else
		gone(t, r);
}

void table_unwant(struct table *t, const struct prefix *prefix)
{
	struct route *r = find(t, prefix);

	if (r)
		unwant(t, r);
}

/* Walks from behind, since judging a route may take it out of the vector. */
void table_unwant_all(struct table *t)
{
	for (size_t i = t->routes.n; i-- > 0;)
		unwant(t, t->routes.items[i]);
}

void table_complete(struct table *t)
{
	if (t->complete)
		return;
	t->complete = may_send(t);
	for (size_t i = t->routes.n; t->learned && t->complete && i-- > 0;) {
		struct route *r = t->routes.items[i];

		if (route_is_leftover(t, r))
			leave(t, r);
	}
}

void table_hurry(struct table *t)
{
	struct route *r;

	t->hurry = true;
	vec_foreach (&t->routes, r, i) {
		if (r->later)
			dirty(t, r);
	}
}

size_t table_leftovers(const struct table *t, struct prefix **out)
{
	struct prefix *found = xcalloc(t->counts[COUNT_LEFTOVERS] + 1, sizeof(*found));
	struct route *r;
	size_t n = 0;

	vec_foreach (&t->routes, r, i) {
		if (route_is_leftover(t, r))
			found[n++] = r->prefix;
	}
	*out = found;
	return n;
}

size_t table_feed(const struct table *t, struct zapi_feed_route **out)
{
	struct zapi_feed_route *found = xcalloc(t->n_feed + 1, sizeof(*found));
	const struct route *r;
	size_t n = 0;

	vec_foreach (&t->routes, r, i) {
		if (!r->there)
			continue;
		found[n++] = (struct zapi_feed_route){
			.route = {r->prefix, r->there_tag, r->there_metric},
			.distance = r->there_distance,
			.readable = r->readable,
			.ours = r->ours,
			.orphan = r->orphan,
		};
	}
	*out = found;
	return n;
}

bool table_pop_news(struct table *t, struct zapi_event *out)
{
	struct route *r;

	while ((r = TAILQ_FIRST(&t->news))) {
		bool differs = differs_from_told(r);

		TAILQ_REMOVE(&t->news, r, news_link);
		r->is_news = false;
		if (differs) {
			*out = (struct zapi_event){.type = ZAPI_EVENT_ROUTE,
				.prefix = r->prefix,
				.state = r->state,
				.holder_tag = route_holder_tag(t, r)};
			if (r->reason)
				snprintf(out->text, sizeof(out->text), "%s", r->reason);
			r->told = r->state;
			r->told_reason = r->reason;
			r->owes_gone = r->state != ZAPI_GONE;
		}
		drop_if_void(t, r);
		if (differs)
			return true;
	}
	return false;
}

/* zebra's side */

static void set_there(struct table *t, struct route *r, bool there)
{
	t->n_feed += (size_t)there - (size_t)r->there;
	r->there = there;
}

/* The feed shows a wanted route no more, and it was ours. */
static void wanted_lost(struct table *t, struct route *r, struct mono now)
{
	bool expected = r->deleting;

	r->deleting = r->installed = false;
	if (expected)
		return;
	if (!r->trouble)
		reject(t, r, t->kind == WORD_PASSIVE ? why_no_address : why_unselected, now);
	if (t->kind == WORD_SHARED)
		mend(t, r, now);
}

/* The feed shows a wanted route. */
static void wanted_seen(struct table *t, struct route *r)
{
	r->trouble = NULL;
	if (route_confirms(t, r)) {
		r->deleting = r->mend = false;
		r->tries = 0;
	} else if (t->learned && !r->is_dirty && !r->is_awaiting) {
		dirty(t, r);
	}
}

/* It shows one of others, which is better, or a backup that is there when ours is not. */
static void other_seen(struct table *t, struct route *r, bool lost, struct mono now)
{
	if (route_refusal(t, r)) {
		r->trouble = NULL;
		r->installed = false;
	} else if (lost) {
		wanted_lost(t, r, now);
	} else if (t->learned && !r->trouble && !r->is_awaiting) {
		dirty(t, r);
	}
}

/* The feed shows a route that is not wanted: one to be deleted, a left-over, or none of ours. */
static void unwanted_seen(struct table *t, struct route *r)
{
	bool over = r->deleting && !r->is_dirty && !r->later && !route_is_shown(r);

	if (r->leaving && (over || !route_can_delete(r))) {
		forget(r);
	} else if (r->leaving || (t->complete && route_is_leftover(t, r))) {
		r->leaving = r->owes_gone = true;
		dirty(t, r);
	}
}

bool table_feed_add(struct table *t, const struct wire_route *seen, struct mono now)
{
	struct route *r = find(t, &seen->prefix);
	bool was_ours = r && r->there && r->ours;

	t->n_heard++;
	if (t->n_feed >= TABLE_FEED_MAX && !(r && r->there))
		return false;
	if (!r)
		r = obtain(t, &seen->prefix);
	set_there(t, r, true);
	r->shown = true;
	route_see(t, r, seen);
	if (r->wanted && route_is_shown(r))
		wanted_seen(t, r);
	else if (r->wanted)
		other_seen(t, r, was_ours, now);
	else if (t->learned) /* else judged when all of the feed is known */
		unwanted_seen(t, r);
	assess(t, r);
	return true;
}

void table_feed_del(struct table *t, const struct prefix *prefix, struct mono now)
{
	struct route *r = find(t, prefix);

	t->n_heard++;
	if (!r || !r->there)
		return;
	set_there(t, r, false);
	if (r->wanted && !r->ours)
		dirty(t, r);
	else if (r->wanted)
		wanted_lost(t, r, now);
	else if (r->leaving && !r->is_dirty && !r->later)
		forget(r);
	assess(t, r);
}

static void wanted_notified(struct table *t, struct route *r, enum wire_note note, struct mono now)
{
	r->installed = note == WIRE_INSTALLED;
	switch (note) {
	case WIRE_INSTALLED: r->trouble = NULL; break;
	case WIRE_FAIL_INSTALL: reject(t, r, why_kernel, now); break;
	case WIRE_BETTER_ADMIN_WON: reject(t, r, why_better, now); break;
	case WIRE_REMOVED:
		if (!r->deleting)
			mend(t, r, now);
		break;
	case WIRE_REMOVE_FAIL:
	case WIRE_N_NOTES: break;
	}
}

/* While there is no feed, what it has shown last is over with the first word to the contrary. */
static void unsee(struct table *t, struct route *r, enum wire_note note)
{
	bool as_shown = note == WIRE_INSTALLED && route_confirms(t, r);

	if (!t->fed && !as_shown && note != WIRE_REMOVE_FAIL)
		set_there(t, r, false);
}

void table_notify(struct table *t, const struct wire_notify *notify, struct mono now)
{
	struct route *r = find(t, &notify->prefix);
	bool over = notify->note == WIRE_REMOVED || notify->note == WIRE_BETTER_ADMIN_WON;

	t->n_heard++;
	if (!r)
		return;
	unsee(t, r, notify->note);
	if (r->wanted)
		wanted_notified(t, r, notify->note, now);
	else if (r->leaving && over && !r->there && !r->is_dirty)
		forget(r);
	assess(t, r);
}

const struct prefix *table_stranger(const struct table *t)
{
	const struct route *r;

	vec_foreach (&t->routes, r, i) {
		if (t->kind == WORD_OWN && r->there && !r->ours)
			return &r->prefix;
	}
	return NULL;
}

void table_doubt(struct table *t)
{
	struct route *r;

	vec_foreach (&t->routes, r, i) {
		if (r->wanted && !r->there)
			dirty(t, r);
	}
}

/*
 * Whether it is wanted is not known yet, and may not be before zebra sweeps what a client that died
 * has not sent again.
 */
static void refresh(struct table *t, struct route *r)
{
	r->refresh = true;
	dirty(t, r);
}

void table_learned(struct table *t, bool by_metric)
{
	t->learned = t->fed = true;
	t->by_metric = by_metric && t->kind == WORD_SHARED;
	for (size_t i = t->routes.n; i-- > 0;) {
		struct route *r = t->routes.items[i];

		r->tries = 0;
		if (r->wanted)
			dirty(t, r);
		assess(t, r);
	}
	for (size_t i = t->routes.n; i-- > 0;) {
		struct route *r = t->routes.items[i];

		if (r->leaving || (t->complete && route_is_leftover(t, r)))
			leave(t, r);
		else if (t->kind == WORD_OWN && route_is_leftover(t, r))
			refresh(t, r);
	}
}

void table_feed_end(struct table *t)
{
	t->fed = t->quiet = false;
}

void table_feed_begin(struct table *t)
{
	struct route *r;

	vec_foreach (&t->routes, r, i)
		r->shown = false;
}

/* It was not shown again. What is under way may just not be selected yet. */
static void not_shown(struct table *t, struct route *r, struct mono now)
{
	if (!r->wanted || !(r->is_dirty || r->is_awaiting)) {
		table_feed_del(t, &r->prefix, now);
		return;
	}
	set_there(t, r, false);
	r->installed = false;
	assess(t, r);
}

/* Only from now on silence means something again. */
void table_feed_complete(struct table *t, struct mono now)
{
	t->fed = true;
	for (size_t i = t->routes.n; i-- > 0;) {
		struct route *r = t->routes.items[i];

		if (!r->trouble)
			r->tries = 0;
		if (r->there && !r->shown)
			not_shown(t, r, now);
	}
}

void table_lost(struct table *t)
{
	t->learned = t->fed = false;
	t->answered = 0;
	for (size_t i = t->routes.n; i-- > 0;) {
		struct route *r = t->routes.items[i];

		undirty(t, r);
		unawait(t, r);
		read_by_zebra(t, r);
		if (r->there && !route_is_shown(r))
			r->sent = false; /* zebra may come back with theirs as an orphan */
		set_there(t, r, false);
		r->barrier = 0;
		r->n_burst = 0;
		r->installed = r->deleting = r->mend = r->later = false;
		r->trouble = NULL;
		assess(t, r);
	}
}

/* sending */

/* What had to wait for that goes on; the rest of a storm waits for the next look. */
void table_answered(struct table *t, uint64_t barrier)
{
	struct route *r;

	t->answered = barrier;
	if (!t->fed) { /* else a zebra that slept would be silent the moment it wakes */
		t->n_heard++;
		t->quiet = false;
	}
	while ((r = TAILQ_FIRST(&t->unread)) && r->barrier <= barrier) {
		read_by_zebra(t, r);
		if (!r->later)
			continue;
		r->later = false;
		unawait(t, r);
		dirty(t, r);
	}
}

/* Puts the route off if it changes faster than zebra reads, or than anybody could follow. */
static bool put_off(struct table *t, struct route *r, struct mono now)
{
	if (t->hurry)
		return r->later = false;
	if (r->later)
		return true;
	if (!mono_before(now, mono_add(r->burst, mono_ms(TABLE_SETTLE_MS)))) {
		r->burst = now;
		r->n_burst = 0;
	}
	if (r->barrier <= t->answered && r->n_burst++ < BURST_MAX)
		return false;
	r->later = true;
	await(t, r, now);
	if (r->barrier > t->answered && !r->is_unread) {
		TAILQ_INSERT_TAIL(&t->unread, r, unread_link);
		r->is_unread = true;
	}
	return true;
}

bool table_next_order(struct table *t, struct mono now, uint64_t barrier, struct order *out)
{
	struct route *r;

	while ((r = TAILQ_FIRST(&t->dirty))) {
		undirty(t, r);
		if (put_off(t, r, now))
			continue;
		if (route_order(t, r, out)) {
			r->barrier = barrier;
			await(t, r, now);
			assess(t, r);
			return true;
		}
		if (r->wanted)
			assess(t, r);
		else
			gone(t, r);
	}
	return false;
}

static bool is_power_of_two(unsigned n)
{
	return (n & (n - 1)) == 0;
}

static void look_at_leaving(struct table *t, struct route *r, struct mono now)
{
	if (!route_is_shown(r) || !route_can_delete(r)) {
		gone(t, r);
		return;
	}
	count(t, r);
	if (r->tries % TRIES_TO_RESEND == 0)
		dirty(t, r);
	else
		await(t, r, now);
}

/* A busy zebra is waited for longer. */
static bool is_given_up(const struct table *t, const struct route *r, bool different)
{
	return r->tries >= TRIES_MAX ||
	       (t->quiet && r->tries >= TRIES_QUIET && !r->installed && !different);
}

/*
 * Of a route that loses from the start zebra says nothing, on most releases. But it has read it,
 * and if it is not busy with others of the type either, it will not say anything any more.
 *
 * The same silence is all there is if somebody deletes a route while it loses, or before zebra came
 * to select it. So whatever is rejected is sent again, to no effect if zebra has it; less and less
 * often, since that will not help most of the time.
 */
static void look_at_wanted(struct table *t, struct route *r, struct mono now)
{
	bool different = route_is_shown(r) && !route_confirms(t, r);

	r->deleting = false;
	if (r->mend) {
		r->mend = false;
		r->mended = now;
		dirty(t, r);
	} else if (route_confirms(t, r)) {
		r->tries = 0;
	} else if (r->trouble) {
		if (is_power_of_two(r->tries) || r->tries % TRIES_TO_REPEAT == 0)
			dirty(t, r);
		else
			await(t, r, now);
	} else if (t->fed && is_given_up(t, r, different)) {
		if (!r->installed) {
			r->trouble = different ? why_different : why_silent;
			await(t, r, now);
		}
	} else if (different) {
		dirty(t, r);
	} else {
		await(t, r, now);
	}
	assess(t, r);
}

bool table_settle(struct table *t, struct mono now, uint64_t answered)
{
	struct mono ripe = mono_sub(now, mono_ms(TABLE_SETTLE_MS));
	struct route *r;

	t->quiet = t->n_heard == t->n_heard_ago;
	t->n_heard_ago = t->n_heard;
	while ((r = TAILQ_FIRST(&t->awaiting)) && !mono_before(ripe, r->since)) {
		if (r->barrier > answered) /* zebra has not even read it, nor what came after */
			break;
		unawait(t, r);
		if (r->later) {
			r->later = false;
			r->n_burst = 0;
			dirty(t, r);
			continue;
		}
		r->tries++;
		if (!r->wanted && !r->leaving)
			r->n_burst = 0;
		if (r->wanted)
			look_at_wanted(t, r, now);
		else
			look_at_leaving(t, r, now);
	}
	return !TAILQ_EMPTY(&t->awaiting);
}
