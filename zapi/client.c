/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The promises of zapi.h: what the owner says goes into the table of routes, what happens comes
 * back as events.
 *
 * The idea: nothing calls the owner from within its own calls, nor from within the session's. All
 * that it may hear of is kept until a deferred job tells it once, and it asks for the rest. So it
 * may do anything in there, even free the client.
 */
#include "client.h"

#include <assert.h>
#include <string.h>

#include "session.h"

#define N_EVENTS     32
#define ORDER_OCTETS 50 /* of a typical route message; from 46 to 61 */

struct zapi {
	struct loop *loop;
	void (*notify)(void *data);
	void *data;
	struct session session;
	struct loop_job notify_job;

	/* Of the connection; those of routes are kept by the table. */
	struct zapi_event events[N_EVENTS];
	size_t first_event;
	size_t n_events;

	void (*done)(void *data, bool ok); /* NULL: not finishing */
	void *done_data;
	bool done_ok;
	struct loop_timer limit_timer;
	struct loop_job done_job;
};

static struct zapi *zapi_of(struct session *session)
{
	return container_of(session, struct zapi, session);
}

static void on_notify(struct loop_job *job)
{
	struct zapi *z = container_of(job, struct zapi, notify_job);

	z->notify(z->data);
}

static void on_news(struct session *session)
{
	struct zapi *z = zapi_of(session);

	loop_job_queue(z->loop, &z->notify_job, on_notify);
}

/* An owner that never pops loses the oldest. */
static void on_event(struct session *session, enum zapi_event_type type, const char *text)
{
	struct zapi *z = zapi_of(session);
	struct zapi_event *event;

	if (z->n_events == N_EVENTS) {
		z->first_event = (z->first_event + 1) % N_EVENTS;
		z->n_events--;
	}
	event = &z->events[(z->first_event + z->n_events++) % N_EVENTS];
	*event = (struct zapi_event){.type = type};
	snprintf(event->text, sizeof(event->text), "%s", text);
	on_news(session);
}

static void on_done(struct loop_job *job)
{
	struct zapi *z = container_of(job, struct zapi, done_job);

	z->done(z->done_data, z->done_ok);
}

static void on_over(struct session *session, bool ok)
{
	struct zapi *z = zapi_of(session);

	loop_timer_stop(&z->limit_timer);
	z->done_ok = ok;
	loop_job_queue(z->loop, &z->done_job, on_done);
}

static void on_limit(struct loop_timer *timer)
{
	session_end(&container_of(timer, struct zapi, limit_timer)->session, false);
}

static const struct session_owner owner = {.event = on_event, .news = on_news, .over = on_over};

struct zapi *zapi_new(struct loop *loop, const struct zapi_options *options,
	void (*notify)(void *data), void *data)
{
	struct zapi *z = xcalloc(1, sizeof(*z));

	z->loop = loop;
	z->notify = notify;
	z->data = data;
	session_init(&z->session, loop, options, &owner);
	return z;
}

void zapi_attach(struct zapi *z, int fd)
{
	session_attach(&z->session, fd);
}

struct zapi *zapi_free(struct zapi *z)
{
	if (!z)
		return NULL;
	session_deinit(&z->session);
	loop_timer_stop(&z->limit_timer);
	loop_job_stop(&z->notify_job);
	loop_job_stop(&z->done_job);
	free(z);
	return NULL;
}

bool zapi_pop_event(struct zapi *z, struct zapi_event *out)
{
	if (z->n_events > 0) {
		*out = z->events[z->first_event];
		z->first_event = (z->first_event + 1) % N_EVENTS;
		z->n_events--;
		return true;
	}
	return table_pop_news(&z->session.table, out);
}

void zapi_route_set(struct zapi *z, const struct zapi_route *route)
{
	table_want(&z->session.table, route);
	session_push(&z->session);
}

void zapi_route_clear(struct zapi *z, const struct prefix *prefix)
{
	table_unwant(&z->session.table, prefix);
	session_push(&z->session);
}

void zapi_complete(struct zapi *z)
{
	table_complete(&z->session.table);
	session_kick(&z->session);
}

size_t zapi_leftovers(const struct zapi *z, struct prefix **out)
{
	return table_leftovers(&z->session.table, out);
}

size_t zapi_feed(const struct zapi *z, struct zapi_feed_route **out)
{
	return table_feed(&z->session.table, out);
}

void zapi_finish(struct zapi *z, enum zapi_finish how, struct mono limit,
	void (*done)(void *data, bool ok), void *data)
{
	assert(!z->done);
	z->done = done;
	z->done_data = data;
	loop_timer_after(z->loop, &z->limit_timer, limit, on_limit);
	session_finish(&z->session, how == ZAPI_FINISH_WITHDRAW);
}

/* Lines that look alike may differ in it. */
static enum zapi_answer sweeps_stale(struct releases releases)
{
	struct releases do_not = releases_with(releases, SWEEPS_STALE, 0);

	if (releases_none(do_not))
		return releases_none(releases) ? ZAPI_MAYBE : ZAPI_YES;
	return do_not.bits == releases.bits ? ZAPI_NO : ZAPI_MAYBE;
}

void zapi_messages(const struct zapi *z, struct zapi_messages out[ZAPI_N_MESSAGES])
{
	static const char *const types[] = {
		[MSG_ROUTE_ADD] = "route_add",
		[MSG_ROUTE_DELETE] = "route_delete",
		[MSG_ROUTE_NOTIFY_OWNER] = "route_notify_owner",
		[MSG_REDISTRIBUTE_ADD] = "redistribute_add",
		[MSG_REDISTRIBUTE_DELETE] = "redistribute_delete",
		[MSG_ROUTER_ID_ADD] = "router_id_add",
		[MSG_ROUTER_ID_UPDATE] = "router_id_update",
		[MSG_HELLO] = "hello",
		[MSG_CAPABILITIES] = "capabilities",
		[MSG_REDISTRIBUTE_ROUTE_ADD] = "redistribute_route_add",
		[MSG_REDISTRIBUTE_ROUTE_DEL] = "redistribute_route_del",
		[MSG_VRF_ADD] = "vrf_add",
		[MSG_VRF_DELETE] = "vrf_delete",
		[MSG_ERROR] = "error",
		[MSG_CLIENT_CAPABILITIES] = "client_capabilities",
		[MSG_ROUTE_NOTIFY_REQUEST] = "route_notify_request",
		[MSG_CLIENT_CLOSE_NOTIFY] = "client_close_notify",
		[N_MESSAGES] = "other",
	};
	const struct session *s = &z->session;
	uint64_t in[N_MESSAGES + 1], n_out[N_MESSAGES + 1];

	_Static_assert(N_ELEMENTS(types) == ZAPI_N_MESSAGES, "each type has a name");
	memcpy(in, s->typed_in, sizeof(in));
	memcpy(n_out, s->typed_out, sizeof(n_out));
	if (s->phase != SESSION_DETECTING)
		session_count(s, in, n_out);
	for (size_t i = 0; i < ZAPI_N_MESSAGES; i++)
		out[i] = (struct zapi_messages){types[i], in[i], n_out[i]};
}

void zapi_status(const struct zapi *z, struct zapi_status *out)
{
	static const char *const phases[] = {
		[SESSION_WAITING] = "waiting",
		[SESSION_DETECTING] = "detecting",
		[SESSION_LEARNING] = "learning",
		[SESSION_READY] = "ready",
		[SESSION_OVER] = "waiting",
	};
	const struct session *s = &z->session;
	const struct table *t = &s->table;
	const struct wire_capabilities *c = &s->detect.capabilities;

	*out = (struct zapi_status){
		.connected = s->phase == SESSION_READY,
		.sweeps_stale = sweeps_stale(s->releases),
		.vrf_backend = c->vrf_backend == 0   ? "VRF devices"
			       : c->vrf_backend == 1 ? "network namespaces"
						     : "",
		.ecmp = c->ecmp,
		.mpls = c->mpls,
		.v6_nexthops = c->v6_nexthops,
		.restarted = c->restart,
		.vrf = s->kind.vrf,
		.vrf_name = s->vrf_name,
		.router_id = s->router_id,
		.n_feed = t->n_feed,
		.phase = phases[s->phase],
		.n_routes = t->counts[COUNT_WANTED],
		.n_redistributed = t->counts[COUNT_REDISTRIBUTED],
		.n_leftovers = t->counts[COUNT_LEFTOVERS],
		.queue_bytes = channel_queued(&s->channel) + t->n_dirty * ORDER_OCTETS,
		.connects = s->n_connects,
		.messages_in = s->channel.n_in,
		.messages_out = s->channel.n_out,
		.malformed = s->n_malformed,
		.unknown_releases = s->n_unknown,
		.route_failures = t->n_failures,
	};
	memcpy(out->failures, t->failures, sizeof(out->failures));
	releases_text(s->releases, out->release);
}
