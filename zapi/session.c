/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conversation with zebra: one connection after the other, each brought to the same end.
 *
 * The idea: every connection walks the same way (detect the release, learn the feed, replay all
 * that is wanted, then follow), whatever ended the one before. Nothing is patched up. Two
 * properties of zebra shape it. It drops unread input when the peer closes, so nothing is closed on
 * purpose before a barrier was answered. And it may handle a HELLO before it has noticed that the
 * old connection is gone, which with graceful restart ends in an assertion of zebra's: hence a
 * second between the two.
 */
#include "session.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/random.h>

#include <cosmolet/log.h>

#define BACKOFF_FIRST_MS 1000 /* never less: see above */
#define BACKOFF_MAX_MS   30000
#define DETECT_LIMIT_S   10
#define LEARN_LIMIT_S    60
#define STALL_S          30
/* Messages that are always kept room for, besides the orders: barriers, the feed, the restart. */
#define ROOM_FOR_CONTROL 8
/* So many orders do not wait for the end of the turn in which they come up. */
#define PUSH_MIN 1024
/* So many routes under way at a time are a burst; so few are none any more. */
#define BURST_BEGIN 256
#define BURST_END   16

static const uint8_t families[] = {AF_INET, AF_INET6};

static void lost(struct session *s, const char *why);
static void on_pump(struct loop_job *job);
static void on_settle(struct loop_timer *timer);

/* Once per connection and kind. */
static void printf_like(3, 4) tell_problem(struct session *s, bool *told, const char *format, ...)
{
	char text[sizeof(s->down_text)];
	va_list args;

	if (*told)
		return;
	*told = true;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	s->owner->event(s, ZAPI_EVENT_PROBLEM, text);
}

/* sending */

static bool owns_type(const struct session *s)
{
	return word_kind(s->word) == WORD_OWN && !s->observe;
}

static bool restart_is_complete(const struct session *s)
{
	return owns_type(s) && s->table.complete && !s->restart_completed && !s->withdrawing &&
	       s->replay_barrier && s->barrier_answered >= s->replay_barrier;
}

/*
 * Silence of a zebra that has read everything ends it as well: it may not tell us of these routes
 * at all.
 */
static bool burst_is_over(const struct session *s)
{
	const struct table *t = &s->table;
	bool silent = t->quiet && s->barrier_answered == s->barrier_sent;

	return !s->subscribed && t->n_dirty == 0 && (t->counts[COUNT_FRESH] == 0 || silent);
}

static bool has_to_send(const struct session *s)
{
	return s->table.n_dirty || s->barrier_due || restart_is_complete(s) || burst_is_over(s) ||
	       (s->finishing && !s->finish_barrier);
}

/* Starts whatever the last change makes necessary. To be called at the end of every entry. */
void session_kick(struct session *s)
{
	struct table *t = &s->table;

	if (!TAILQ_EMPTY(&t->news))
		s->owner->news(s);
	if (s->phase != SESSION_READY)
		return;
	if (has_to_send(s) && channel_queued(&s->channel) == 0) /* else when it has drained */
		loop_job_queue(s->loop, &s->pump_job, on_pump);
	if (!TAILQ_EMPTY(&t->awaiting) && !s->settle_timer.loop)
		loop_timer_after(s->loop, &s->settle_timer, mono_ms(TABLE_SETTLE_MS), on_settle);
}

static uint64_t send_barrier(struct session *s)
{
	struct writer w = channel_writer(&s->channel);

	wire_write_probe(&w);
	channel_wrote(&s->channel, &w);
	s->barrier_due = false;
	if (s->barrier_answered == s->barrier_sent)
		s->waiting_since = loop_now(s->loop);
	return ++s->barrier_sent;
}

static void give_order(struct session *s, const struct order *order)
{
	struct writer w;

	if (order->remove) {
		w = channel_writer(&s->channel);
		wire_write_route_delete(
			&w, s->releases, &s->kind, &order->removed, order->removed_distance);
		channel_wrote(&s->channel, &w);
	}
	if (order->add) {
		w = channel_writer(&s->channel);
		wire_write_route_add(&w, s->releases, &s->kind, &order->added);
		channel_wrote(&s->channel, &w);
	}
	s->barrier_due = true;
}

/* Ends graceful restart's waiting: zebra sweeps what we did not send again. */
static void complete_restart(struct session *s)
{
	for (size_t i = 0; i < N_ELEMENTS(families); i++) {
		struct writer w = channel_writer(&s->channel);

		wire_write_restart_complete(&w, s->releases, s->kind.vrf, families[i]);
		channel_wrote(&s->channel, &w);
	}
	s->restart_completed = true;
}

/* Sent with the deletes under way: even a finish that is cut short then leaves no stale routes. */
static void send_finish(struct session *s)
{
	if (s->withdrawing && owns_type(s)) {
		struct writer w = channel_writer(&s->channel);

		wire_write_restart_off(&w, s->releases, s->kind.vrf);
		channel_wrote(&s->channel, &w);
	}
	s->finish_barrier = send_barrier(s);
}

static void send_feed_request(struct session *s, bool on)
{
	for (size_t i = 0; i < N_ELEMENTS(families); i++) {
		struct writer w;

		if (!zapi_word_has_family(s->word, families[i]))
			continue;
		w = channel_writer(&s->channel);
		if (on)
			wire_write_redistribute_add(&w, s->releases, &s->kind, families[i]);
		else
			wire_write_redistribute_delete(&w, s->releases, &s->kind, families[i]);
		channel_wrote(&s->channel, &w);
	}
	s->subscribed = on;
}

/*
 * The feed costs zebra as much as the routes themselves, and in a burst of our own says little that
 * owner notifications do not say as well: so for as long we do without.
 */
static void leave_feed(struct session *s)
{
	const struct table *t = &s->table;
	bool whole = s->subscribed && !s->feed_barrier;
	bool burst = t->n_dirty > 0 && t->counts[COUNT_FRESH] >= BURST_BEGIN;

	if (!owns_type(s) || !whole || !burst ||
		!channel_has_room(&s->channel, ROOM_FOR_CONTROL + 2))
		return;
	send_feed_request(s, false);
	table_feed_end(&s->table);
}

static void rejoin_feed(struct session *s)
{
	send_feed_request(s, true);
	table_feed_begin(&s->table);
	s->feed_barrier = send_barrier(s);
}

/* What follows when all orders are given. */
static void follow_up(struct session *s)
{
	if (s->barrier_due) {
		uint64_t barrier = send_barrier(s);

		if (!s->replay_barrier)
			s->replay_barrier = barrier;
	}
	if (burst_is_over(s))
		rejoin_feed(s);
	if (restart_is_complete(s))
		complete_restart(s);
	if (s->finishing && !s->finish_barrier)
		send_finish(s);
}

/* finishing */

void session_end(struct session *s, bool ok)
{
	if (s->phase == SESSION_OVER)
		return;
	s->phase = SESSION_OVER;
	channel_close(&s->channel);
	loop_timer_stop(&s->phase_timer);
	loop_timer_stop(&s->settle_timer);
	loop_job_stop(&s->pump_job);
	s->owner->over(s, ok);
}

/* With graceful restart zebra keeps everything anyway, and waits for the same client to return. */
static bool has_to_part(const struct session *s)
{
	return !s->parted && (!owns_type(s) || s->withdrawing);
}

/* At the very end, since a synchronous client is not told everything. */
static void part(struct session *s)
{
	struct writer w = channel_writer(&s->channel);

	wire_write_parting(&w, s->releases);
	channel_wrote(&s->channel, &w);
	s->finish_barrier = send_barrier(s);
	s->parted = true;
	loop_job_queue(s->loop, &s->pump_job, on_pump);
}

/* Everything was read, and whatever was to be deleted is known gone. */
static void end_if_over(struct session *s)
{
	bool sent = s->finish_barrier && s->barrier_answered >= s->finish_barrier;

	if (!s->finishing || s->phase != SESSION_READY || !sent)
		return;
	if (s->withdrawing && (s->table.counts[COUNT_LEAVING] || s->table.n_dirty))
		return;
	if (has_to_part(s))
		part(s);
	else
		session_end(s, true);
}

void session_finish(struct session *s, bool withdraw)
{
	s->finishing = true;
	s->withdrawing = withdraw;
	table_hurry(&s->table);
	if (withdraw) {
		table_complete(&s->table);
		table_unwant_all(&s->table);
	}
	if (s->phase == SESSION_WAITING && !withdraw)
		session_end(s, false);
	session_kick(s);
}

/* the pump */

static void pump(struct session *s)
{
	struct mono now = loop_now(s->loop);
	struct order order;
	int r;

	if (s->phase == SESSION_READY)
		leave_feed(s);
	while (s->phase == SESSION_READY && channel_has_room(&s->channel, ROOM_FOR_CONTROL + 2) &&
		table_next_order(&s->table, now, s->barrier_sent + 1, &order))
		give_order(s, &order);
	if (s->phase == SESSION_READY && s->table.n_dirty == 0)
		follow_up(s);
	r = channel_is_open(&s->channel) ? channel_flush(&s->channel) : 0;
	if (r < 0)
		lost(s, strerrordesc_np(-r));
	end_if_over(s);
	session_kick(s);
}

void session_push(struct session *s)
{
	session_kick(s);
	if (s->phase == SESSION_READY && s->table.n_dirty >= PUSH_MIN &&
		channel_queued(&s->channel) == 0)
		pump(s);
}

static void on_pump(struct loop_job *job)
{
	pump(container_of(job, struct session, pump_job));
}

static void on_drained(struct channel *channel)
{
	pump(container_of(channel, struct session, channel));
}

static void on_settle(struct loop_timer *timer)
{
	struct session *s = container_of(timer, struct session, settle_timer);
	struct mono now = loop_now(s->loop);

	table_settle(&s->table, now, s->barrier_answered);
	if (!s->subscribed && s->table.counts[COUNT_FRESH] < BURST_END)
		rejoin_feed(s); /* some change is always under way */
	if (s->barrier_answered < s->barrier_sent &&
		mono_before(mono_add(s->waiting_since, mono_s(STALL_S)), now))
		tell_problem(s, &s->stall_told,
			"zebra has not read our messages for more than %d seconds", STALL_S);
	pump(s);
}

/* connecting */

static void on_phase_timer(struct loop_timer *timer);

/* 1, 2, 4 … 30 seconds, and up to a quarter more, so that not all nodes come at once. */
static struct mono backoff(unsigned n_attempts)
{
	int64_t ms = BACKOFF_FIRST_MS;
	uint16_t dice = 0;

	while (n_attempts-- > 0 && ms < BACKOFF_MAX_MS)
		ms *= 2;
	ms = MIN(ms, BACKOFF_MAX_MS);
	if (getrandom(&dice, sizeof(dice), GRND_NONBLOCK) < 0)
		dice = (uint16_t)mono_now().ns;
	return mono_ms(ms + ms / 4 * dice / UINT16_MAX);
}

/* The same reason again and again is told once. */
static void tell_down(struct session *s, bool was_ready, const char *why)
{
	if (!was_ready && strcmp(s->down_text, why) == 0)
		return;
	snprintf(s->down_text, sizeof(s->down_text), "%s", why);
	s->owner->event(s, ZAPI_EVENT_DOWN, why);
}

/* Of one type, if all lines that zebra may be of agree; a 0 would be that of types they lack. */
static enum fact type_of(const struct session *s, uint16_t number)
{
	for (enum fact type = 0; type < N_MESSAGES && number && s->releases.bits; type++) {
		if (releases_with(s->releases, type, number).bits == s->releases.bits)
			return type;
	}
	return N_MESSAGES;
}

void session_count(
	const struct session *s, uint64_t in[N_MESSAGES + 1], uint64_t out[N_MESSAGES + 1])
{
	for (uint16_t i = 0; i < CHANNEL_NUMBERS; i++) {
		if (!s->channel.numbers_in[i] && !s->channel.numbers_out[i])
			continue;
		in[type_of(s, i)] += s->channel.numbers_in[i];
		out[type_of(s, i)] += s->channel.numbers_out[i];
	}
}

/* What the numbers of the connection before meant is forgotten with its release. */
static void close_count(struct session *s)
{
	session_count(s, s->typed_in, s->typed_out);
	memset(s->channel.numbers_in, 0, sizeof(s->channel.numbers_in));
	memset(s->channel.numbers_out, 0, sizeof(s->channel.numbers_out));
}

static void lost(struct session *s, const char *why)
{
	bool was_ready = s->phase == SESSION_READY;
	char text[sizeof(s->down_text)]; /* why may live in what is now torn down */

	snprintf(text, sizeof(text), "%s", why);
	log_debug("zapi", "connection lost", "reason=%s", text);
	channel_close(&s->channel);
	loop_timer_stop(&s->settle_timer);
	loop_job_stop(&s->pump_job);
	table_lost(&s->table);
	close_count(s);
	s->phase = SESSION_WAITING;
	s->releases = (struct releases){0};
	tell_down(s, was_ready, text);
	if (s->finishing && (was_ready || !s->withdrawing))
		session_end(s, false);
	else
		loop_timer_after(
			s->loop, &s->phase_timer, backoff(s->n_attempts++), on_phase_timer);
	session_kick(s);
}

static void on_broken(struct channel *channel, const char *why)
{
	lost(container_of(channel, struct session, channel), why);
}

static void start_detecting(struct session *s)
{
	struct writer w = channel_writer(&s->channel);

	s->phase = SESSION_DETECTING;
	s->barrier_sent = s->barrier_answered = 0;
	s->replay_barrier = s->finish_barrier = s->feed_barrier = 0;
	s->barrier_due = s->restart_completed = s->subscribed = s->parted = false;
	s->vrf_known = !s->vrf;
	s->kind.vrf = 0;
	s->router_id = (struct prefix){0};
	s->stall_told = s->malformed_told = s->error_told = false;
	loop_timer_after(s->loop, &s->phase_timer, mono_s(DETECT_LIMIT_S), on_phase_timer);
	detect_begin(&s->detect, &w);
	channel_wrote(&s->channel, &w);
	pump(s);
}

static void attempt(struct session *s)
{
	int r = channel_connect(&s->channel, s->path);

	if (r < 0) {
		auto_free char *why =
			xasprintf("cannot connect to %s: %s%s", s->path, strerrordesc_np(-r),
				r == -ENOENT ? "; does zebra run, and is this its socket?" : "");

		lost(s, why);
		return;
	}
	start_detecting(s);
}

static void on_phase_timer(struct loop_timer *timer)
{
	struct session *s = container_of(timer, struct session, phase_timer);

	switch (s->phase) {
	case SESSION_WAITING: attempt(s); break;
	case SESSION_DETECTING:
		s->n_unknown += detect_silence(&s->detect);
		lost(s, s->detect.text);
		break;
	case SESSION_LEARNING: lost(s, "zebra did not tell its routes in time"); break;
	case SESSION_READY:
	case SESSION_OVER: break;
	}
}

static void malformed(struct session *s, const struct wire_frame *frame)
{
	s->n_malformed++;
	tell_problem(s, &s->malformed_told, "zebra sent a message %u that could not be read",
		frame->command);
}

/* As nobody: whose the routes of a type are must be known before we say that the type is ours. */
static void subscribe(struct session *s)
{
	struct writer w = channel_writer(&s->channel);

	wire_write_router_id_add(&w, s->releases, s->kind.vrf);
	channel_wrote(&s->channel, &w);
	send_feed_request(s, true);
	send_barrier(s);
	loop_job_queue(s->loop, &s->pump_job, on_pump);
}

/* zebra tells its VRFs right behind the answer to HELLO: once a barrier is back, all are known. */
static void start_learning(struct session *s)
{
	s->phase = SESSION_LEARNING;
	loop_timer_after(s->loop, &s->phase_timer, mono_s(LEARN_LIMIT_S), on_phase_timer);
	if (s->vrf_known)
		subscribe(s);
	else
		send_barrier(s);
}

static void take_vrf_add(struct session *s, const struct wire_frame *frame)
{
	struct wire_vrf vrf;
	char number[16];

	if (!wire_read_vrf(frame->body, &vrf)) {
		malformed(s, frame);
		return;
	}
	snprintf(number, sizeof(number), "%u", (unsigned)frame->vrf);
	if (s->vrf_known || !s->vrf)
		return;
	if (strcmp(s->vrf, vrf.name) == 0 || strcmp(s->vrf, number) == 0) {
		s->vrf_known = true;
		s->kind.vrf = frame->vrf;
		str_set(&s->vrf_name, vrf.name);
	}
}

static void vrf_missing(struct session *s, const char *how)
{
	auto_free char *why = xasprintf("zebra has no VRF \"%s\" %s", s->vrf, how);

	lost(s, why);
}

static void detected(struct session *s, const struct wire_frame *frame)
{
	char text[RELEASES_STRLEN];

	s->releases = s->detect.releases;
	s->kind.type = (uint8_t)releases_fact(s->releases, word_type(s->word));
	log_debug("zapi", "release found", "release=%s", releases_text(s->releases, text));
	if (s->kind.type == 0) {
		auto_free char *why = xasprintf("FRR %s has no route type \"%s\"",
			releases_text(s->releases, text), zapi_word_text(s->word));

		lost(s, why);
		return;
	}
	take_vrf_add(s, frame); /* the default one */
	start_learning(s);
}

static void take_detecting(struct session *s, const struct wire_frame *frame)
{
	struct writer w = channel_writer(&s->channel);
	enum detect_verdict verdict = detect_take(&s->detect, frame, &w);

	channel_wrote(&s->channel, &w);
	switch (verdict) {
	case DETECT_MORE: break;
	case DETECT_FOUND: detected(s, frame); break;
	case DETECT_REFUSED:
		s->n_unknown++;
		lost(s, s->detect.text);
		return;
	}
	pump(s);
}

/* following */

/* false: not one of the kind that we follow. */
static bool read_feed(struct session *s, const struct wire_frame *frame, struct wire_route *out)
{
	if (!wire_read_route(s->releases, frame->body, out)) {
		malformed(s, frame);
		return false;
	}
	return frame->vrf == s->kind.vrf && out->type == s->kind.type &&
	       out->instance == s->kind.instance && !out->by_source;
}

static void take_feed_add(struct session *s, const struct wire_frame *frame)
{
	struct wire_route route;

	if (read_feed(s, frame, &route) && !table_feed_add(&s->table, &route, loop_now(s->loop)))
		lost(s, "zebra's feed holds too many routes to tell ours from others'");
}

static void take_feed_del(struct session *s, const struct wire_frame *frame)
{
	struct wire_route route;

	if (read_feed(s, frame, &route))
		table_feed_del(&s->table, &route.prefix, loop_now(s->loop));
}

static void take_notify(struct session *s, const struct wire_frame *frame)
{
	struct wire_notify notify;

	if (!wire_read_notify(s->releases, frame->body, &notify)) {
		malformed(s, frame);
		return;
	}
	s->releases = notify.fits;
	if (frame->vrf == s->kind.vrf && owns_type(s))
		table_notify(&s->table, &notify, loop_now(s->loop));
}

/* When staticd leaves, zebra drops all static routes, ours and the unselected ones included. */
static void take_close_notify(struct session *s, const struct wire_frame *frame)
{
	struct wire_client client;

	if (!wire_read_close_notify(frame->body, &client))
		malformed(s, frame);
	else if (client.type == s->kind.type && client.instance == s->kind.instance)
		table_doubt(&s->table);
}

static void take_error(struct session *s, const struct wire_frame *frame)
{
	uint32_t code;

	if (!wire_read_error(frame->body, &code))
		malformed(s, frame);
	else
		tell_problem(s, &s->error_told, "zebra refused a message of ours with error %u",
			(unsigned)code);
}

/*
 * From here on zebra takes every route of the type for ours, and keeps or flushes them with us.
 * Graceful restart comes before the first route: switched on later, some releases take that route
 * for a stale one.
 */
static void claim_type(struct session *s)
{
	struct writer w = channel_writer(&s->channel);

	wire_write_hello(&w, s->releases, s->kind.type, s->instance);
	channel_wrote(&s->channel, &w);
	w = channel_writer(&s->channel);
	wire_write_restart_on(&w, s->releases, s->kind.vrf, s->stale_s);
	channel_wrote(&s->channel, &w);
	if (!releases_fact(s->releases, MSG_ROUTE_NOTIFY_REQUEST))
		return;
	w = channel_writer(&s->channel);
	wire_write_notify_request(&w, s->releases);
	channel_wrote(&s->channel, &w);
}

/* All that zebra has of the type is known. */
static void learned(struct session *s)
{
	const struct prefix *stranger = s->observe ? NULL : table_stranger(&s->table);
	char buf[PREFIX_STRLEN];

	if (stranger) {
		auto_free char *why = xasprintf(
			"zebra has routes of type %s that are not ours, %s for one: its own daemon "
			"runs; redistribute another word",
			zapi_word_text(s->word), prefix_text(stranger, buf));

		lost(s, why);
		return;
	}
	if (owns_type(s))
		claim_type(s);
	s->phase = SESSION_READY;
	s->n_attempts = 0;
	s->n_connects++;
	s->down_text[0] = '\0';
	s->barrier_due = true;
	loop_timer_stop(&s->phase_timer);
	table_learned(&s->table, releases_any(s->releases, STATIC_BY_METRIC));
	loop_job_queue(s->loop, &s->pump_job, on_pump);
	s->owner->event(s, ZAPI_EVENT_UP, "");
}

static void take_barrier(struct session *s)
{
	if (s->barrier_answered >= s->barrier_sent)
		return;
	s->barrier_answered++;
	table_answered(&s->table, s->barrier_answered);
	s->waiting_since = loop_now(s->loop);
	if (s->feed_barrier && s->barrier_answered >= s->feed_barrier) {
		s->feed_barrier = 0;
		table_feed_complete(&s->table, loop_now(s->loop));
	}
	if (s->phase != SESSION_LEARNING)
		return;
	if (s->subscribed)
		learned(s);
	else if (s->vrf_known)
		subscribe(s);
	else
		vrf_missing(s, "(yet)");
}

static void take_vrf_delete(struct session *s, const struct wire_frame *frame)
{
	if (s->vrf && s->vrf_known && frame->vrf == s->kind.vrf)
		vrf_missing(s, "any more");
}

static void take_router_id(struct session *s, const struct wire_frame *frame)
{
	struct prefix router_id;

	if (!wire_read_router_id(frame->body, &router_id))
		malformed(s, frame);
	else if (frame->vrf == s->kind.vrf && router_id.family == AF_INET)
		s->router_id = router_id;
}

static void take_capabilities(struct session *s, const struct wire_frame *frame)
{
	if (!wire_read_capabilities(frame->body, &s->detect.capabilities))
		malformed(s, frame);
}

typedef void take_fn(struct session *session, const struct wire_frame *frame);

/* What is of interest; interfaces and the like are passed over. */
static const struct {
	enum fact number;
	take_fn *take;
} takers[] = {
	{MSG_REDISTRIBUTE_ROUTE_ADD, take_feed_add},
	{MSG_REDISTRIBUTE_ROUTE_DEL, take_feed_del},
	{MSG_ROUTE_NOTIFY_OWNER, take_notify},
	{MSG_CLIENT_CLOSE_NOTIFY, take_close_notify},
	{MSG_VRF_ADD, take_vrf_add},
	{MSG_VRF_DELETE, take_vrf_delete},
	{MSG_ROUTER_ID_UPDATE, take_router_id},
	{MSG_CAPABILITIES, take_capabilities},
	{MSG_ERROR, take_error},
};

static void take(struct session *s, const struct wire_frame *frame)
{
	if (wire_is_probe_answer(frame)) {
		take_barrier(s);
		return;
	}
	if (frame->command == 0) /* would match what a line lacks */
		return;
	for (size_t i = 0; i < N_ELEMENTS(takers); i++) {
		if (frame->command == releases_fact(s->releases, takers[i].number)) {
			takers[i].take(s, frame);
			return;
		}
	}
}

/* Sends later, not here: a flood of confirmations shall not become one of writes. */
static void on_frame(struct channel *channel, const struct wire_frame *frame)
{
	struct session *s = container_of(channel, struct session, channel);

	if (s->phase == SESSION_DETECTING) {
		take_detecting(s, frame);
		return;
	}
	take(s, frame);
	session_kick(s);
	end_if_over(s);
}

/* life */

/* With graceful restart, a former life of ours may have died this very moment: see above. */
static struct mono first_wait(const struct session *s)
{
	return mono_ms(owns_type(s) ? BACKOFF_FIRST_MS : 0);
}

void session_init(struct session *s, struct loop *loop, const struct zapi_options *options,
	const struct session_owner *owner)
{
	*s = (struct session){
		.loop = loop,
		.owner = owner,
		.path = xstrdup(options->path),
		.word = options->word,
		.instance = options->instance,
		.stale_s = options->stale_s,
		.vrf = options->vrf && *options->vrf ? xstrdup(options->vrf) : NULL,
		.observe = options->observe,
		.kind = {.instance = options->instance,
			.distance = options->distance,
			.nexthop = options->nexthop},
	};
	if (options->word == ZAPI_TABLE_DIRECT)
		s->kind.table = options->instance;
	channel_init(&s->channel, loop);
	s->channel.on_frame = on_frame;
	s->channel.on_drained = on_drained;
	s->channel.on_broken = on_broken;
	table_init(&s->table, options);
	loop_timer_after(loop, &s->phase_timer, first_wait(s), on_phase_timer);
}

void session_attach(struct session *s, int fd)
{
	if (channel_open(&s->channel, fd) < 0)
		abort();
	start_detecting(s);
}

void session_deinit(struct session *s)
{
	loop_timer_stop(&s->phase_timer);
	loop_timer_stop(&s->settle_timer);
	loop_job_stop(&s->pump_job);
	channel_deinit(&s->channel);
	table_deinit(&s->table);
	free(TAKE(s->path));
	free(TAKE(s->vrf));
	free(TAKE(s->vrf_name));
}
