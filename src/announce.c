/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every address on its way in and out. The hard part: the kernel and zebra must change in the right
 * order, while both answer late or not at all, and the mind may change in between.
 *
 * In: bind, then announce. Out: withdraw, wait for zebra's word, then unbind. Each address is a
 * small machine of its own; whatever happens to it, it decides anew from what is true now (is it
 * wanted, bound, asked for), never from how it came there. An address shared by several services is
 * wanted while any of them wants it.
 *
 * Between what services ask for and what is wanted lies its stability, where a rule of that
 * applies.
 */
#include "announce.h"

#include <string.h>

#define WITHDRAW_WAIT mono_s(3) /* for the route's first word; there is none if nobody knows it */

/* Texts */

const char *vip_state_text(enum vip_state state)
{
	static const char *const texts[N_VIP_SHOWN] = {"down", "rising", "suppressed", "unbound",
		"pending", "announced", "rejected", "withdrawing", "degraded", "draining"};

	return texts[state];
}

enum hold vip_hold(const struct vip *vip)
{
	return steady_hold(vip->steady);
}

enum vip_state vip_state(const struct vip *vip)
{
	enum hold hold = vip_hold(vip);

	if (!vip->wanted && vip->withdrawing)
		return VIP_WITHDRAWING;
	if (!vip->wanted)
		return hold == HOLD_RISE         ? VIP_RISING
		       : hold == HOLD_SUPPRESSED ? VIP_SUPPRESSED
						 : VIP_DOWN;
	if (!vip->bound && !vip->foreign)
		return vip->binding ? VIP_PENDING : VIP_UNBOUND;
	switch (vip->zebra) {
	case ZAPI_REDISTRIBUTED: return VIP_ANNOUNCED;
	case ZAPI_REJECTED: return VIP_REJECTED;
	case ZAPI_PENDING:
	case ZAPI_INSTALLED:
	case ZAPI_WITHDRAWING:
	case ZAPI_GONE: break;
	}
	return VIP_PENDING;
}

char *vip_note_text(const struct vip *vip)
{
	const char *note = vip->note ? vip->note : "";
	char holder[IF_NAMESIZE] = "";

	if (!vip->foreign || !vip->announce->config->dry_run)
		return vip->note ? xstrdup(vip->note) : NULL;
	(void)loopback_holder(vip->announce->loopback, &vip->address, holder);
	return xasprintf("somebody else has bound it%s%s%s%s", *holder ? " on " : "", holder,
		*note ? "; " : "", note);
}

/* By what zebra was told: the mind may have changed since. No two of these tags are the same. */
enum vip_state vip_shown(const struct vip *vip)
{
	const struct claim *claim = vip_claim(vip);
	enum vip_state state = vip_state(vip);

	if (state != VIP_ANNOUNCED)
		return state;
	if (vip->tag == (uint32_t)vip->announce->config->announce_drain_tag)
		return VIP_DRAINING;
	if (claim && claim->verdict.reason == REASON_DEGRADED && vip->tag == claim->verdict.tag)
		return VIP_DEGRADED;
	return state;
}

/* Tables */

static int vip_cmp(const void *a, const void *b)
{
	return prefix_cmp(&((const struct vip *)a)->address, &((const struct vip *)b)->address);
}

static int owner_cmp(const void *a, const void *b)
{
	const struct owner *x = a, *y = b;
	int c = strcmp(x->namespace, y->namespace);

	return c ? c : strcmp(x->name, y->name);
}

static struct vip *find_vip(const struct announce *announce, const struct prefix *address)
{
	struct vip wanted = {.address = *address};

	return vec_find(&announce->vips, &wanted);
}

static struct vip *get_vip(struct announce *announce, const struct prefix *address)
{
	struct vip *vip = find_vip(announce, address);

	if (vip)
		return vip;
	vip = xcalloc(1, sizeof(*vip));
	vip->announce = announce;
	vip->address = *address;
	vip->since = wall_now();
	vec_insert(&announce->vips, vip);
	return vip;
}

static void vip_destroy(void *item)
{
	struct vip *vip = item;

	loop_timer_stop(&vip->timer);
	loop_job_stop(&vip->job);
	free(vip->note);
	free(vip->trace);
	free(vip->cause);
	free(vip);
}

/* Forgets an address that nobody has and nothing is left of. */
static void drop_if_idle(struct vip *vip)
{
	struct announce *announce = vip->announce;

	if (!LIST_EMPTY(&vip->claims) || vip->wanted || vip->bound || vip->withdrawing ||
		vip->job.loop)
		return;
	vec_remove(&announce->vips, vip);
	steady_free(TAKE(vip->steady));
	vip_destroy(vip);
}

/* One of which nothing can be said may be the one that it is announced for. */
static int weight_of(const struct claim *claim)
{
	if (reason_is_up(claim->verdict.reason))
		return 2;
	return claim->verdict.reason == REASON_SLICES_UNKNOWN;
}

/* By the service's name; within one, which may have it as two kinds, as view.c has them. */
static bool is_before(const struct claim *a, const struct claim *b)
{
	int c = owner_cmp(a->owner, b->owner);

	return c ? c < 0 : a < b;
}

const struct claim *vip_claim(const struct vip *vip)
{
	const struct claim *claim, *best = NULL;

	/* The order of arrival must not matter: of those that are up, the first by name. */
	LIST_FOREACH (claim, &vip->claims, linked) {
		int more = best ? weight_of(claim) - weight_of(best) : 1;

		if (more > 0 || (more == 0 && is_before(claim, best)))
			best = claim;
	}
	return best;
}

/* Deciding */

static void note(struct vip *vip, const char *text)
{
	str_set(&vip->note, text && *text ? text : NULL);
}

/* Wherever the state may have changed. */
static void tell(struct vip *vip, const char *why)
{
	const struct claim *claim = vip_claim(vip);
	enum vip_state state = vip_state(vip);
	auto_free char *service = NULL;

	if (state == vip->told)
		return;
	if (claim)
		service = xasprintf("%s/%s", claim->owner->namespace, claim->owner->name);
	journal_transition(vip->announce->journal, &vip->address, vip_state_text(vip->told),
		vip_state_text(state), service, why);
	vip->told = state;
	vip->since = wall_now();
}

static const char *claim_text(const struct claim *claim)
{
	return claim ? claim->text : "no service has it any more";
}

#define LEFT_TEXT "a former life announced it, and no more is known"

static void log_left(const struct vip *vip)
{
	char buf[PREFIX_STRLEN];

	log_info("announce", vip->wanted ? "announce" : "withdraw", "address=%s why=%s",
		prefix_address(&vip->address, buf), LEFT_TEXT);
}

static void log_transition(const struct vip *vip, const struct claim *claim)
{
	char buf[PREFIX_STRLEN];
	auto_free char *service =
		claim ? xasprintf("%s/%s", claim->owner->namespace, claim->owner->name)
		      : xstrdup("");
	enum reason reason = claim ? claim->verdict.reason : REASON_DELETED;
	enum direction direction = vip->wanted ? DIRECTION_ANNOUNCE : DIRECTION_WITHDRAW;
	struct metrics *metrics = vip->announce->metrics;

	metrics->transitions[direction][reason]++;
	metrics->by_family[direction][vip->address.family == AF_INET6]++;
	log_info("announce", vip->wanted ? "announce" : "withdraw",
		"address=%s service=%s reason=%s why=%s", prefix_address(&vip->address, buf),
		service, reason_word(reason), claim_text(claim));
}

static void set_binding(struct vip *vip, bool binding)
{
	struct announce *announce = vip->announce;

	announce->n_binding += binding;
	announce->n_binding -= vip->binding;
	vip->binding = binding;
}

/* Once everything that was wanted at the first complete picture is bound, or cannot be. */
static void complete(struct announce *announce)
{
	if (!announce->completing || announce->n_binding)
		return;
	announce->completing = false;
	zapi_complete(announce->zapi);
}

static void unbind(struct vip *vip, const char *why)
{
	loop_timer_stop(&vip->timer);
	loopback_remove(vip->announce->loopback, &vip->address);
	set_binding(vip, false);
	vip->bound = vip->foreign = vip->withdrawing = false;
	vip->zebra = ZAPI_PENDING;
	note(vip, NULL);
	tell(vip, why);
}

static void on_withdraw_timer(struct loop_timer *timer)
{
	struct vip *vip = container_of(timer, struct vip, timer);

	if (!vip->announce->zebra_up || vip->zebra == ZAPI_WITHDRAWING) {
		/* zebra may still have the route: an address it announces must be served. */
		loop_timer_after(vip->announce->loop, timer, WITHDRAW_WAIT, on_withdraw_timer);
		return;
	}
	unbind(vip, "zebra knows no such route of ours");
	drop_if_idle(vip);
}

/* Where kube-proxy binds them, that is every address. */
static void log_foreign(const struct vip *vip)
{
	struct announce *announce = vip->announce;
	auto_free char *text = vip_note_text(vip);
	char buf[PREFIX_STRLEN];
	unsigned suppressed;

	if (!log_allowed(&announce->foreign_limit, &suppressed))
		return;
	if (announce->config->dry_run)
		log_warn("loopback", "a conflict: what is theirs stays",
			"address=%s note=%s suppressed=%u", prefix_address(&vip->address, buf),
			text, suppressed);
	else
		log_warn("loopback", "already there, and not ours: used, and left alone",
			"address=%s suppressed=%u", prefix_address(&vip->address, buf), suppressed);
}

static void take_binding(struct vip *vip, enum loopback_state state, const char *error)
{
	unsigned suppressed;
	char buf[PREFIX_STRLEN];
	bool was_foreign = vip->foreign;

	set_binding(vip, state == LOOPBACK_PENDING);
	vip->bound = state == LOOPBACK_BOUND;
	vip->foreign = state == LOOPBACK_FOREIGN;
	if (vip->foreign && !was_foreign)
		log_foreign(vip);
	if (state == LOOPBACK_FAILED && error) {
		if (log_allowed(&vip->announce->bind_limit, &suppressed))
			log_warn("loopback", "cannot bind; it is tried again",
				"address=%s error=%s suppressed=%u",
				prefix_address(&vip->address, buf), error, suppressed);
		note(vip, error);
	}
}

static bool bind_vip(struct vip *vip)
{
	if (!vip->bound && !vip->foreign)
		take_binding(vip, loopback_add(vip->announce->loopback, &vip->address), NULL);
	return vip->bound || vip->foreign;
}

/* Its own tag of what a former life left, whatever it carries meanwhile. */
static uint32_t left_tag(const struct vip *vip)
{
	const struct zapi_route *route =
		vec_find(&vip->announce->left, &(struct zapi_route){.prefix = vip->address});

	return route ? route->tag : vip->tag;
}

static void go_up(struct vip *vip, const struct claim *claim)
{
	struct announce *announce = vip->announce;
	struct zapi_route route = {
		.prefix = vip->address,
		.tag = announce->draining ? (uint32_t)announce->config->announce_drain_tag
		       : claim            ? claim->verdict.tag
					  : left_tag(vip),
		.metric = claim ? claim->verdict.metric : vip->metric,
	};

	loop_timer_stop(&vip->timer);
	vip->withdrawing = false;
	if (!bind_vip(vip))
		return;
	if (vip->asked && vip->tag == route.tag && vip->metric == route.metric)
		return;
	if (!vip->asked)
		vip->zebra = ZAPI_PENDING;
	vip->asked = true;
	vip->tag = route.tag;
	vip->metric = route.metric;
	trace_mark(vip->trace, STAGE_BIND);
	zapi_route_set(announce->zapi, &route);
}

static void go_down(struct vip *vip)
{
	struct announce *announce = vip->announce;

	loop_timer_stop(&vip->timer);
	set_binding(vip, false);
	if (vip->asked) {
		vip->asked = false;
		vip->withdrawing = true;
		zapi_route_clear(announce->zapi, &vip->address);
	}
	if (vip->withdrawing)
		loop_timer_after(announce->loop, &vip->timer, WITHDRAW_WAIT, on_withdraw_timer);
	else
		unbind(vip, claim_text(vip_claim(vip)));
}

/* While nothing can be said of it, all stays as it is: also as a former life has left it. */
static bool is_wanted(const struct vip *vip, const struct claim *claim)
{
	if (claim && claim->verdict.reason == REASON_SLICES_UNKNOWN)
		return vip->wanted || vip->kept;
	return claim && reason_is_up(claim->verdict.reason);
}

/* Stability */

static const struct config_class *vip_class(const struct vip *vip)
{
	const struct claim *claim = vip_claim(vip);

	return claim ? claim->verdict.class : &vip->announce->config->defaults;
}

double vip_penalty(const struct vip *vip)
{
	return steady_penalty(vip->steady, vip_class(vip));
}

char *vip_hold_text(const struct vip *vip)
{
	return steady_text(vip->steady, vip_class(vip));
}

static enum wish wish_of(const struct claim *claim, bool asked)
{
	if (claim && claim->verdict.reason == REASON_SLICES_UNKNOWN)
		return WISH_STAY;
	if (asked)
		return WISH_UP;
	return claim && reason_is_ill(claim->verdict.reason) ? WISH_DOWN_ILL : WISH_DOWN;
}

/* What is granted of what is asked for. What a rule first applies to knows no past. */
static bool steadied(struct vip *vip, const struct claim *claim, bool asked)
{
	struct announce *announce = vip->announce;
	const struct config_class *class = vip_class(vip);

	if (!steadiness_applies(announce->steadiness, class)) {
		vip->steady = steady_free(vip->steady);
		return asked;
	}
	if (!vip->steady)
		vip->steady = steady_get(
			announce->steadiness, &vip->address, announce->first ? asked : vip->wanted);
	return steady_ask(vip->steady, class, wish_of(claim, asked));
}

/* Before the first complete picture; what services say by then does not count. */
static void decide_left(struct vip *vip)
{
	if (vip->wanted != vip->announce->leaves) {
		vip->wanted = vip->announce->leaves;
		log_left(vip);
	}
	if (vip->wanted)
		go_up(vip, NULL);
	else if (!vip->withdrawing)
		go_down(vip);
	tell(vip, LEFT_TEXT);
	drop_if_idle(vip);
}

static void decide(struct loop_job *job)
{
	struct vip *vip = container_of(job, struct vip, job);
	const struct announce *announce = vip->announce;
	const struct claim *claim = vip_claim(vip);
	bool wanted;

	if (announce->finished)
		return;
	if (!announce->synced) {
		if (vip->left)
			decide_left(vip);
		return;
	}
	wanted = steadied(vip, claim, is_wanted(vip, claim));
	if (wanted != vip->wanted) {
		vip->wanted = wanted;
		free(vip->trace);
		vip->trace = TAKE(vip->cause);
		trace_mark(vip->trace, STAGE_DECIDE);
		log_transition(vip, claim);
	}
	free(TAKE(vip->cause));
	if (wanted)
		go_up(vip, claim);
	else if (!vip->withdrawing)
		go_down(vip);
	tell(vip, vip_state(vip) == VIP_UNBOUND && vip->note ? vip->note : claim_text(claim));
	drop_if_idle(vip);
}

static void decide_soon(struct vip *vip)
{
	const struct announce *announce = vip->announce;

	if (announce->synced && !vip->job.loop) {
		struct trace cause = announce->cause.came.ns
					     ? announce->cause
					     : trace_begin(loop_now(announce->loop));

		free(vip->cause);
		vip->cause = xmemdup(&cause, sizeof(cause));
	}
	loop_job_queue(vip->announce->loop, &vip->job, decide);
}

static void decide_again(void *data, const struct prefix *address)
{
	struct vip *vip = find_vip(data, address);

	if (vip)
		decide_soon(vip);
}

/* Claims */

static void unlink_claims(struct owner *owner)
{
	for (size_t i = 0; i < owner->n_claims; i++) {
		struct claim *claim = &owner->claims[i];

		if (claim->vip) {
			LIST_REMOVE(claim, linked);
			decide_soon(claim->vip);
		}
	}
}

static void free_claims(struct claim *claims, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(claims[i].text);
	free(claims);
}

static void remove_claims(struct owner *owner)
{
	unlink_claims(owner);
	free_claims(TAKE(owner->claims), owner->n_claims);
	owner->n_claims = 0;
}

static void owner_destroy(void *item)
{
	struct owner *owner = item;

	remove_claims(owner);
	free(owner);
}

static void add_claim(struct announce *announce, struct owner *owner, struct claim *claim,
	const struct verdict *verdict)
{
	claim->owner = owner;
	claim->verdict = *verdict;
	claim->verdict.tally.example = NULL;
	claim->verdict.holder = NULL; /* nor any of the others in its place */
	claim->text = verdict_text(announce->config, verdict);
	claim->vip = get_vip(announce, &verdict->address);
	LIST_INSERT_HEAD(&claim->vip->claims, claim, linked);
	decide_soon(claim->vip);
}

/* Of an address about which nothing can be said what was said last stays. */
static void keep_known(struct claim *claim, struct claim *before, size_t n)
{
	const struct config_class *class = claim->verdict.class;

	for (size_t i = 0; i < n && claim->verdict.reason == REASON_SLICES_UNKNOWN; i++) {
		if (prefix_cmp(&before[i].verdict.address, &claim->verdict.address) != 0)
			continue;
		claim->verdict = before[i].verdict;
		claim->verdict.class = class;
		free(claim->text);
		claim->text = TAKE(before[i].text);
		return;
	}
}

/* Whether it changes anything that the service says so. */
static bool matters(const struct announce *announce, const struct verdict *verdict)
{
	return reason_is_up(verdict->reason) || verdict->reason == REASON_SLICES_UNKNOWN ||
	       (verdict->address.family &&
		       (find_vip(announce, &verdict->address) ||
			       steady_find(announce->steadiness, &verdict->address)));
}

static size_t count_mattering(
	const struct announce *announce, const struct verdict *verdicts, size_t n)
{
	size_t n_mattering = 0;

	for (size_t i = 0; i < n; i++)
		n_mattering += matters(announce, &verdicts[i]);
	return n_mattering;
}

static struct owner *get_owner(struct announce *announce, struct owner *key)
{
	struct owner *owner = vec_find(&announce->owners, key);
	size_t n_namespace = strlen(key->namespace) + 1, n_name = strlen(key->name) + 1;

	if (owner)
		return owner;
	owner = xcalloc(1, sizeof(*owner) + n_namespace + n_name);
	owner->namespace = memcpy(owner + 1, key->namespace, n_namespace);
	owner->name = memcpy(owner->namespace + n_namespace, key->name, n_name);
	vec_insert(&announce->owners, owner);
	return owner;
}

void announce_service(struct announce *announce, const char *namespace, const char *name,
	const struct verdict *verdicts, size_t n)
{
	auto_free char *ns = xstrdup(namespace);
	auto_free char *own = xstrdup(name);
	struct owner wanted = {.namespace = ns, .name = own};
	struct owner *owner;
	struct claim *before;
	size_t n_before;

	if (count_mattering(announce, verdicts, n) == 0) {
		owner = vec_remove(&announce->owners, &wanted);
		if (owner)
			owner_destroy(owner);
		return;
	}
	owner = get_owner(announce, &wanted);
	unlink_claims(owner);
	before = TAKE(owner->claims);
	n_before = owner->n_claims;
	owner->claims = xcalloc(n, sizeof(*owner->claims));
	owner->n_claims = 0;
	for (size_t i = 0; i < n; i++) {
		struct claim *claim = &owner->claims[owner->n_claims];

		if (!matters(announce, &verdicts[i]))
			continue;
		owner->n_claims++;
		add_claim(announce, owner, claim, &verdicts[i]);
		keep_known(claim, before, n_before);
	}
	free_claims(before, n_before);
}

/* The first complete picture */

/* What a former life bound and nobody wants goes the ordinary way out. */
static void adopt_bound(struct announce *announce)
{
	auto_free struct prefix *bound = NULL;
	size_t n = loopback_list(announce->loopback, &bound);

	for (size_t i = 0; i < n; i++) {
		struct vip *vip = get_vip(announce, &bound[i]);

		vip->kept = true;
		vip->asked = true; /* zebra may have it; if not, the wait for its word is short */
		decide_soon(vip);
	}
}

/* Routes without anything bound: zapi withdraws them by itself, unless they are wanted. */
static void adopt_routes(struct announce *announce)
{
	auto_free struct prefix *routes = NULL;
	size_t n = zapi_leftovers(announce->zapi, &routes);

	for (size_t i = 0; i < n; i++) {
		struct vip *vip = find_vip(announce, &routes[i]);

		if (vip)
			vip->kept = true;
	}
}

/* What a former life of the process knew of addresses that nobody has any more. */
static void forget_others(struct announce *announce)
{
	const struct vec *known = &announce->steadiness->addresses;

	for (size_t i = known->n; i-- > 0;) {
		struct steady *steady = known->items[i];
		const struct vip *vip = find_vip(announce, &steady->address);

		if (!vip || !vip->steady)
			steady_free(steady);
	}
}

void announce_synced(struct announce *announce)
{
	struct vip *vip;

	announce->synced = true;
	adopt_bound(announce);
	adopt_routes(announce);
	vec_foreach (&announce->vips, vip, i)
		loop_job_stop(&vip->job);
	/* At once and not as jobs: zebra must hear of all that is wanted before "that was all". */
	announce->first = true;
	for (size_t i = announce->vips.n; i-- > 0;)
		decide(&((struct vip *)announce->vips.items[i])->job);
	announce->first = false;
	forget_others(announce);
	vec_clear(&announce->left, free);
	announce->completing = true;
	complete(announce);
}

/* No picture */

static int route_cmp(const void *a, const void *b)
{
	return prefix_cmp(
		&((const struct zapi_route *)a)->prefix, &((const struct zapi_route *)b)->prefix);
}

static void keep_left(struct announce *announce, const struct zapi_route *route)
{
	struct vip *vip = get_vip(announce, &route->prefix);

	vip->left = true;
	vip->tag = route->tag;
	vip->metric = route->metric;
	decide_soon(vip);
}

/* Once: later it may be there with another tag, by us. */
static void find_left(struct announce *announce, const struct zapi_route *route)
{
	if (vec_find(&announce->left, route))
		return;
	vec_insert(&announce->left, xmemdup(route, sizeof(*route)));
	keep_left(announce, route);
}

void announce_left(struct announce *announce)
{
	bool connected = announce->config->word == ZAPI_CONNECTED; /* the addresses are it */
	auto_free struct zapi_feed_route *feed = NULL;
	auto_free struct prefix *bound = NULL;
	size_t n = zapi_feed(announce->zapi, &feed);
	size_t n_bound = loopback_list(announce->loopback, &bound);

	announce->leaves = true;
	for (size_t i = 0; i < n; i++) {
		if (feed[i].ours)
			find_left(announce, &feed[i].route);
	}
	for (size_t i = 0; connected && i < n_bound; i++)
		find_left(announce, &(struct zapi_route){.prefix = bound[i]});
}

void announce_withdraw_left(struct announce *announce)
{
	struct vip *vip;

	if (announce->synced)
		return;
	announce->leaves = false;
	vec_foreach (&announce->vips, vip, i) {
		if (!vip->left || vip->withdrawing)
			continue;
		vip->asked = true; /* zebra has it, whether it was told or not */
		decide_soon(vip);
	}
}

void announce_restore_left(struct announce *announce)
{
	const struct zapi_route *route;

	if (announce->synced)
		return;
	announce->leaves = true;
	vec_foreach (&announce->left, route, i) {
		const struct vip *vip = find_vip(announce, &route->prefix);

		if (!vip || !vip->wanted)
			keep_left(announce, route);
	}
}

/* The loopback */

void announce_bound(struct announce *announce, const struct prefix *address,
	enum loopback_state state, const char *error)
{
	struct vip *vip = find_vip(announce, address);

	if (vip) {
		bool was_bound = vip->bound || vip->foreign;

		take_binding(vip, state, error);
		if (vip->wanted && !was_bound && (vip->bound || vip->foreign)) {
			note(vip, NULL);
			/* else what services say is to be decided first */
			if (!vip->job.loop && !announce->finished)
				go_up(vip, announce->synced ? vip_claim(vip) : NULL);
		}
		tell(vip, error ? error : "the loopback has answered");
	}
	complete(announce);
}

/* zebra */

/* The event has arrived where it was to go. */
static void confirmed(struct vip *vip, enum direction direction)
{
	auto_free struct trace *trace = TAKE(vip->trace);

	if (!trace)
		return;
	journal_latency(vip->announce->journal,
		direction == DIRECTION_ANNOUNCE ? "announce" : "withdraw",
		mono_to_s(mono_sub(trace->last, trace->came)) * 1000);
	metrics_arrived(vip->announce->metrics, direction, trace);
}

/* What zebra says of the route, with the way out where our own configuration may be the cause. */
static char *news_text(const struct zapi_event *event)
{
	if (!event->holder_tag)
		return xstrdup(event->text);
	return xasprintf("%s; if cosmolet sent it before announce.tag was changed, name its tag, "
			 "%u, in announce.policy_tags",
		event->text, (unsigned)event->holder_tag);
}

static void route_news(struct announce *announce, const struct zapi_event *event)
{
	struct vip *vip = find_vip(announce, &event->prefix);
	auto_free char *text = NULL;
	char buf[PREFIX_STRLEN];
	unsigned suppressed;

	if (!vip)
		return;
	if (!vip->wanted) {
		if (event->state == ZAPI_WITHDRAWING)
			vip->zebra = ZAPI_WITHDRAWING; /* its word will come, however late */
		if (event->state == ZAPI_GONE && vip->withdrawing) {
			trace_mark(vip->trace, STAGE_ZEBRA);
			unbind(vip, "zebra has withdrawn the route");
			trace_mark(vip->trace, STAGE_BIND);
			confirmed(vip, DIRECTION_WITHDRAW);
			drop_if_idle(vip);
		}
		return;
	}
	if (event->state == vip->zebra && event->state != ZAPI_REJECTED)
		return;
	vip->zebra = event->state;
	text = news_text(event);
	note(vip, text);
	if (event->state == ZAPI_REDISTRIBUTED) {
		trace_mark(vip->trace, STAGE_ZEBRA);
		confirmed(vip, DIRECTION_ANNOUNCE);
	}
	tell(vip, event->state == ZAPI_REDISTRIBUTED ? "zebra has selected the route"
		  : vip->note                        ? vip->note
						     : zapi_route_state_text(event->state));
	if (event->state == ZAPI_REJECTED && log_allowed(&announce->reject_limit, &suppressed))
		log_warn("zapi", "zebra does not use our route",
			"address=%s reason=%s suppressed=%u", prefix_address(&vip->address, buf),
			text, suppressed);
}

void announce_zebra(struct announce *announce, const struct zapi_event *event)
{
	struct vip *vip;

	switch (event->type) {
	case ZAPI_EVENT_UP: announce->zebra_up = true; break;
	case ZAPI_EVENT_DOWN:
		announce->zebra_up = false;
		vec_foreach (&announce->vips, vip, i) {
			if (vip->wanted)
				vip->zebra = ZAPI_PENDING;
			tell(vip, "the connection to zebra is lost");
		}
		break;
	case ZAPI_EVENT_ROUTE: route_news(announce, event); break;
	case ZAPI_EVENT_PROBLEM: break;
	}
}

/* Life */

void announce_init(struct announce *announce, struct loop *loop, const struct config *config,
	struct loopback *loopback, struct zapi *zapi, struct metrics *metrics,
	struct journal *journal, struct steadiness *steadiness)
{
	*announce = (struct announce){.loop = loop,
		.config = config,
		.loopback = loopback,
		.zapi = zapi,
		.metrics = metrics,
		.journal = journal,
		.steadiness = steadiness};
	vec_init(&announce->vips, vip_cmp);
	vec_init(&announce->owners, owner_cmp);
	vec_init(&announce->left, route_cmp);
	steadiness_init(announce->steadiness, loop, config, metrics, decide_again, announce);
}

void announce_configure(struct announce *announce, const struct config *config)
{
	announce->config = config;
	announce->steadiness->config = config;
}

void announce_deinit(struct announce *announce)
{
	announce->synced = false;
	vec_deinit(&announce->owners, owner_destroy);
	vec_deinit(&announce->vips, vip_destroy);
	vec_deinit(&announce->left, free);
	steadiness_stop(announce->steadiness);
}

/* Whose the prefix is, if not ours: of interest when it is rejected, or only would be announced. */
static bool wants_rival(const struct vip *vip)
{
	enum vip_state state = vip_state(vip);

	return state == VIP_REJECTED ||
	       (vip->announce->config->dry_run && state == VIP_PENDING && !vip->note);
}

void announce_rival(struct announce *announce, const struct prefix *prefix, const char *text)
{
	struct vip *vip = find_vip(announce, prefix);
	auto_free char *whole = NULL;
	char buf[PREFIX_STRLEN];
	unsigned suppressed;

	if (!vip || !wants_rival(vip))
		return;
	if (log_allowed(&announce->rival_limit, &suppressed))
		log_info("zapi", "zebra has another route", "address=%s route=%s suppressed=%u",
			prefix_address(prefix, buf), text, suppressed);
	whole = xasprintf(
		"%s%szebra has: %s", vip->note ? vip->note : "", vip->note ? "; " : "", text);
	note(vip, whole);
}

size_t announce_contested(const struct announce *announce, struct prefix **out)
{
	const struct vip *vip;
	size_t n = 0;

	*out = xcalloc(announce->vips.n + 1, sizeof(**out));
	vec_foreach (&announce->vips, vip, i) {
		if (wants_rival(vip))
			(*out)[n++] = vip->address;
	}
	return n;
}

void announce_set_draining(struct announce *announce, bool draining)
{
	struct vip *vip;

	if (announce->draining == draining)
		return;
	announce->draining = draining;
	vec_foreach (&announce->vips, vip, i)
		decide_soon(vip);
}

void announce_finish(struct announce *announce)
{
	announce->finished = true;
}

void announce_unbind_all(struct announce *announce)
{
	struct vip *vip;

	vec_foreach (&announce->vips, vip, i)
		unbind(vip, "everything is withdrawn");
}
