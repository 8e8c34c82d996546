/* SPDX-License-Identifier: Apache-2.0 */
/* The whole client against a zebra that can be told to misbehave, on a turned clock. */
#include "unit.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include <cosmolet/zapi.h>

#include "fake_zebra.h"
#include "table.h"

static struct loop *loop;
static struct fake_zebra *zebra;
static struct zapi *zapi;
static struct zapi_event last[ZAPI_EVENT_PROBLEM + 1]; /* the last of each type */
static unsigned n_events[ZAPI_EVENT_PROBLEM + 1];
static unsigned n_notified;
static int finished; /* -1: not yet; else the result */

static unsigned n_sends; /* by the client */

static const uint32_t tags[] = {4711, 4712};

/* In the place of libc's, to count. */
ssize_t send(int fd, const void *data, size_t size, int flags)
{
	n_sends += fd != zebra->fd;
	return sendto(fd, data, size, flags, NULL, 0);
}

static void on_events(void *data)
{
	struct zapi_event event;

	(void)data;
	n_notified++;
	while (zapi_pop_event(zapi, &event)) {
		last[event.type] = event;
		n_events[event.type]++;
	}
}

static const char *vrf; /* of the next client */
static bool observe;

static void start_client(enum zapi_word word)
{
	struct zapi_options options = {
		.path = zebra->path,
		.word = word,
		.nexthop = ZAPI_BLACKHOLE,
		.distance = 20,
		.stale_s = 120,
		.tags = tags,
		.n_tags = N_ELEMENTS(tags),
		.vrf = vrf,
		.observe = observe,
	};

	memset(n_events, 0, sizeof(n_events));
	finished = -1;
	zapi = zapi_new(loop, &options, on_events, NULL);
	mono_turn(mono_ms(1000)); /* own types begin with a wait */
}

static void start(enum release release, enum zapi_word word)
{
	mono_stop();
	loop = loop_new();
	zebra = fake_zebra_new(loop, release);
	start_client(word);
}

static void stop(void)
{
	zapi = zapi_free(zapi);
	zebra = fake_zebra_free(zebra);
	loop = loop_free(loop);
}

static void turn(int n)
{
	while (n-- > 0)
		loop_turn(loop, 0);
}

static void turn_clock(int64_t ms)
{
	mono_turn(mono_ms(ms));
	turn(12);
}

static struct zapi_status status(void)
{
	struct zapi_status s;

	zapi_status(zapi, &s);
	return s;
}

static struct prefix parse(const char *text)
{
	struct prefix prefix;

	ck_assert(prefix_parse(text, &prefix));
	return prefix;
}

static void set(const char *prefix, uint32_t tag, uint32_t metric)
{
	zapi_route_set(zapi, &(struct zapi_route){parse(prefix), tag, metric});
}

static void clear(const char *prefix)
{
	struct prefix parsed = parse(prefix);

	zapi_route_clear(zapi, &parsed);
}

static const struct fake_route *in_zebra(const char *prefix)
{
	struct prefix parsed = parse(prefix);

	return fake_zebra_find(zebra, &parsed);
}

static struct fake_route foreign(const char *prefix, enum fact type, uint32_t tag)
{
	return (struct fake_route){
		.kind = {.type = (uint8_t)release_fact(zebra->release, type)},
		.route = {parse(prefix), tag, 0},
	};
}

static void expect_route(const char *prefix, enum zapi_route_state state)
{
	struct prefix parsed = parse(prefix);

	ck_assert_int_eq(prefix_cmp(&last[ZAPI_EVENT_ROUTE].prefix, &parsed), 0);
	ck_assert_str_eq(
		zapi_route_state_text(last[ZAPI_EVENT_ROUTE].state), zapi_route_state_text(state));
}

static void on_finished(void *data, bool ok)
{
	(void)data;
	ck_assert_int_eq(finished, -1);
	finished = ok;
}

#define A "10.0.0.1/32"
#define B "10.0.0.2/32"
#define C "fd00::1/128"

START_TEST(an_own_type_waits_for_a_former_life_to_be_over)
{
	start(RELEASE_10_2, ZAPI_OPENFABRIC);
	mono_turn(mono_ms(-1000));
	turn(12);
	mono_turn(mono_ms(900));
	turn(12);
	ck_assert_int_eq(n_events[ZAPI_EVENT_UP], 0);
	turn_clock(100);
	ck_assert_int_eq(n_events[ZAPI_EVENT_UP], 1);
	stop();
}
END_TEST

/* As it is detected, and as it is known after a notification (own types only). */
static const char *const release_texts[N_RELEASES][2] = {
	{"7.5", "7.5"},
	{"8.0", "8.0"},
	{"8.1", "8.1"},
	{"8.2-9.0", "8.2-9.0"},
	{"8.2-9.0", "8.2-9.0"},
	{"8.2-9.0", "8.2-9.0"},
	{"8.2-9.0", "8.2-9.0"},
	{"8.2-9.0", "8.2-9.0"},
	{"9.1", "9.1"},
	{"10.0-10.1", "10.0-10.1"},
	{"10.0-10.1", "10.0-10.1"},
	{"10.2-10.5", "10.2"},
	{"10.2-10.5", "10.3-10.5"},
	{"10.2-10.5", "10.3-10.5"},
	{"10.2-10.5", "10.3-10.5"},
	{"10.6-10.7", "10.6-10.7"},
	{"10.6-10.7", "10.6-10.7"},
};

START_TEST(every_release_is_spoken_to)
{
	enum release release = (enum release)(_i / 2);
	bool own = _i % 2;

	start(release, own ? ZAPI_OPENFABRIC : ZAPI_STATIC);
	zebra->chatty = true;
	set(A, 4711, 5);
	turn(20);
	ck_assert_uint_eq(n_events[ZAPI_EVENT_UP], 1);
	ck_assert_str_eq(status().release, release_texts[release][own]);
	ck_assert_uint_eq(status().router_id.len, 32);
	ck_assert_str_eq(status().phase, "ready");
	ck_assert(status().connected);
	expect_route(A, ZAPI_REDISTRIBUTED);
	ck_assert_uint_eq(in_zebra(A)->route.tag, 4711);
	ck_assert_uint_eq(in_zebra(A)->route.metric, 5);
	ck_assert_uint_eq(in_zebra(A)->kind.distance, 20);
	/* HELLO decides whose routes die with the connection: never staticd's. */
	ck_assert_uint_eq(zebra->hello_type, own ? release_fact(release, TYPE_OPENFABRIC) : 0);
	set(C, 4712, 6);
	turn(10);
	expect_route(C, ZAPI_REDISTRIBUTED);
	clear(A);
	turn(10);
	expect_route(A, ZAPI_GONE);
	ck_assert_ptr_null(in_zebra(A));
	ck_assert_uint_eq(status().malformed, 0);
	ck_assert_uint_eq(n_events[ZAPI_EVENT_PROBLEM], 0);
	ck_assert_uint_eq(n_events[ZAPI_EVENT_DOWN], 0);
	stop();
}
END_TEST

/* HELLO would make its routes ours, to keep or to flush with us. */
START_TEST(a_type_that_another_daemon_uses_is_not_claimed)
{
	struct fake_route theirs;

	start(RELEASE_10_2, ZAPI_ISIS);
	theirs = foreign(B, TYPE_ISIS, 0);
	fake_zebra_add(zebra, &theirs);
	set(A, 4711, 0);
	zapi_complete(zapi);
	turn(20);
	ck_assert_int_eq(n_events[ZAPI_EVENT_UP], 0);
	ck_assert_str_eq(last[ZAPI_EVENT_DOWN].text,
		"zebra has routes of type isis that are not ours, " B " for one: its own daemon "
		"runs; redistribute another word");
	ck_assert_uint_eq(zebra->hello_type, 0);
	ck_assert_ptr_null(in_zebra(A));
	ck_assert_ptr_nonnull(in_zebra(B));
	stop();
}
END_TEST

/* On before the first route, completed after the last, and only for types of our own. */
START_TEST(graceful_restart_frames_the_routes)
{
	uint16_t restart, add;
	size_t first_add = SIZE_MAX, first_restart = SIZE_MAX, last_restart = 0;

	start(RELEASE_10_6, ZAPI_OPENFABRIC);
	restart = release_fact(RELEASE_10_6, MSG_CLIENT_CAPABILITIES);
	add = release_fact(RELEASE_10_6, MSG_ROUTE_ADD);
	set(A, 1, 0);
	set(C, 1, 0);
	turn(20);
	ck_assert_uint_eq(fake_zebra_told(zebra, restart), 1);
	zapi_complete(zapi);
	turn(20);
	ck_assert_uint_eq(fake_zebra_told(zebra, restart), 3);
	for (size_t i = 0; i < zebra->n_commands; i++) {
		if (zebra->commands[i] == restart) {
			first_restart = MIN(first_restart, i);
			last_restart = i;
		} else if (zebra->commands[i] == add) {
			first_add = MIN(first_add, i);
			ck_assert_uint_eq(last_restart, first_restart);
		}
	}
	ck_assert_uint_lt(first_restart, first_add);
	stop();
	start(RELEASE_10_6, ZAPI_STATIC);
	set(A, 4711, 0);
	zapi_complete(zapi);
	turn(20);
	ck_assert_uint_eq(fake_zebra_told(zebra, restart), 0);
	stop();
}
END_TEST

/* zebra goes away after each single octet that it sends, at every point of the conversation. */
START_TEST(it_survives_a_close_after_each_octet)
{
	start(RELEASE_10_2, _i ? ZAPI_OPENFABRIC : ZAPI_STATIC);
	set(A, 4711, 5);
	set(C, 4711, 5);
	zebra->close_after = -1;
	do {
		zebra->close_after++;
		turn_clock(60000);
		turn(12);
	} while (!status().connected && zebra->close_after < 1000);
	ck_assert_int_gt(zebra->close_after, 200);
	ck_assert(status().connected);
	ck_assert_int_eq(zebra->n_accepted, zebra->close_after + 1);
	ck_assert_uint_eq(status().n_redistributed, 2);
	ck_assert_uint_eq(status().malformed, 0);
	stop();
}
END_TEST

static const char *const garbage[] = {
	"GET / HTTP/1.0\r\n\r\n",
	"\x40\xff\xfe\x06long",
	"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b",
};

START_TEST(garbage_ends_the_connection)
{
	start(RELEASE_8_2, ZAPI_STATIC);
	zebra->greeting = garbage[_i];
	turn(10);
	ck_assert_uint_eq(n_events[ZAPI_EVENT_DOWN], 1);
	ck_assert_ptr_nonnull(strstr(last[ZAPI_EVENT_DOWN].text, "something else than ZAPI"));
	zebra->greeting = NULL;
	turn_clock(2000);
	ck_assert(status().connected);
	stop();
}
END_TEST

START_TEST(unknown_releases_are_left_alone)
{
	start(RELEASE_10_6, ZAPI_STATIC);
	zebra->error = 144;
	set(A, 4711, 5);
	for (int i = 0; i < 5; i++)
		turn_clock(60000);
	ck_assert_uint_eq(n_events[ZAPI_EVENT_DOWN], 1); /* not each time anew */
	ck_assert_ptr_nonnull(strstr(last[ZAPI_EVENT_DOWN].text, "ERROR is message 144"));
	ck_assert_uint_ge(zebra->n_accepted, 4);
	ck_assert_uint_eq(zebra->n_commands, fake_zebra_told(zebra, 0xffff));
	stop();
}
END_TEST

START_TEST(a_word_that_the_release_lacks_is_refused)
{
	start(RELEASE_9_1, ZAPI_TABLE_DIRECT);
	turn(20);
	ck_assert_uint_eq(n_events[ZAPI_EVENT_DOWN], 1);
	ck_assert_str_eq(last[ZAPI_EVENT_DOWN].text, "FRR 9.1 has no route type \"table-direct\"");
	stop();
}
END_TEST

START_TEST(silence_is_not_waited_for_in_vain)
{
	start(RELEASE_8_2, ZAPI_STATIC);
	zebra->silent = true;
	turn(10);
	turn_clock(9000);
	ck_assert_uint_eq(n_events[ZAPI_EVENT_DOWN], 0);
	turn_clock(1100);
	ck_assert_uint_eq(n_events[ZAPI_EVENT_DOWN], 1);
	ck_assert_str_eq(last[ZAPI_EVENT_DOWN].text, "zebra did not answer the probe in time");
	zebra->silent = false;
	turn_clock(1300);
	ck_assert(status().connected);
	stop();
}
END_TEST

/* Never less than a second between the end of one connection and the next HELLO. */
START_TEST(it_backs_off)
{
	unsigned accepted;

	start(RELEASE_8_2, ZAPI_STATIC);
	turn(12);
	ck_assert_uint_eq(zebra->n_accepted, 1);
	for (int i = 0; i < 3; i++) {
		fake_zebra_hang_up(zebra);
		turn(5);
		ck_assert(!status().connected);
		accepted = zebra->n_accepted;
		turn_clock(990);
		ck_assert_uint_eq(zebra->n_accepted, accepted);
		turn_clock(270);
		ck_assert_uint_eq(zebra->n_accepted, accepted + 1);
		ck_assert(status().connected);
	}
	ck_assert_uint_eq(n_events[ZAPI_EVENT_UP], 4);
	ck_assert_uint_eq(n_events[ZAPI_EVENT_DOWN], 3);
	/* Without success it waits longer each time, up to half a minute and a quarter of it. */
	zebra->error = 144;
	fake_zebra_hang_up(zebra);
	turn(5);
	accepted = zebra->n_accepted;
	for (int i = 0; i < 200; i++)
		turn_clock(1000);
	ck_assert_uint_ge(zebra->n_accepted - accepted, 7);
	ck_assert_uint_le(zebra->n_accepted - accepted, 10);
	stop();
}
END_TEST

START_TEST(no_zebra_at_all)
{
	start(RELEASE_8_2, ZAPI_STATIC);
	unlink(zebra->path);
	turn(5);
	ck_assert_uint_eq(n_events[ZAPI_EVENT_DOWN], 1);
	ck_assert_ptr_nonnull(strstr(last[ZAPI_EVENT_DOWN].text, "No such file"));
	ck_assert_str_eq(status().phase, "waiting");
	ck_assert_str_eq(status().release, "");
	set(A, 4711, 5);
	turn(2);
	expect_route(A, ZAPI_PENDING);
	clear(A);
	turn(2);
	expect_route(A, ZAPI_GONE);
	stop();
}
END_TEST

START_TEST(everything_is_replayed)
{
	start(RELEASE_8_2, ZAPI_STATIC);
	set(A, 4711, 5);
	set(B, 4711, 5);
	zapi_complete(zapi);
	turn(20);
	ck_assert_uint_eq(status().n_redistributed, 2);
	fake_zebra_hang_up(zebra);
	turn(5);
	ck_assert_uint_eq(status().n_redistributed, 0);
	/* Meanwhile zebra forgot one, one is not wanted any more, and one is new. */
	zebra->n_routes = 1;
	clear(A);
	set(C, 4711, 5);
	turn(5);
	expect_route(C, ZAPI_PENDING);
	turn_clock(1300);
	ck_assert(status().connected);
	ck_assert_ptr_null(in_zebra(A));
	ck_assert_ptr_nonnull(in_zebra(B));
	ck_assert_ptr_nonnull(in_zebra(C));
	ck_assert_uint_eq(status().n_redistributed, 2);
	ck_assert_uint_eq(status().connects, 2);
	stop();
}
END_TEST

/* An upgrade of FRR under our feet: other numbers on the same socket. */
START_TEST(each_connection_detects_anew)
{
	start(RELEASE_9_1, ZAPI_OPENFABRIC);
	set(A, 1, 5);
	turn(20);
	ck_assert_str_eq(status().release, "9.1");
	zebra->release = RELEASE_10_2;
	zebra->n_routes = 0;
	fake_zebra_hang_up(zebra);
	turn(5);
	turn_clock(1300);
	ck_assert_str_eq(status().release, "10.2");
	ck_assert_uint_eq(in_zebra(A)->kind.type, 27);
	stop();
}
END_TEST

/* By name and by number; everything of ours then travels in it, and what others do elsewhere is
 * nothing to us. */
START_TEST(routes_go_to_a_vrf)
{
	struct fake_route elsewhere;

	vrf = _i / 2 ? "7" : "tenant";
	loop = loop_new();
	zebra = fake_zebra_new(loop, RELEASE_8_4);
	zebra->vrf_name = "tenant";
	zebra->vrf = 7;
	start_client(_i % 2 ? ZAPI_OPENFABRIC : ZAPI_STATIC);
	set(A, 4711, 5);
	turn(20);
	expect_route(A, ZAPI_REDISTRIBUTED);
	ck_assert_uint_eq(status().vrf, 7);
	ck_assert_uint_eq(status().router_id.family, AF_INET);
	ck_assert_uint_eq(in_zebra(A)->kind.vrf, 7);
	elsewhere = foreign(B, _i % 2 ? TYPE_OPENFABRIC : TYPE_STATIC, 4711);
	fake_zebra_add(zebra, &elsewhere);
	turn(4);
	ck_assert_uint_eq(status().n_feed, 1);
	ck_assert_uint_eq(n_events[ZAPI_EVENT_PROBLEM], 0);

	/* It goes away, with the routes, and comes back. */
	fake_zebra_delete_vrf(zebra);
	turn(4);
	ck_assert_str_eq(
		last[ZAPI_EVENT_DOWN].text, _i / 2 ? "zebra has no VRF \"7\" any more"
						   : "zebra has no VRF \"tenant\" any more");
	expect_route(A, ZAPI_PENDING);
	turn_clock(1500);
	ck_assert_ptr_nonnull(strstr(last[ZAPI_EVENT_DOWN].text, "(yet)"));
	ck_assert_uint_eq(status().connected, false);
	zebra->vrf_name = "tenant";
	zebra->n_routes = 0;
	turn_clock(3000);
	turn(20);
	expect_route(A, ZAPI_REDISTRIBUTED);
	stop();
}
END_TEST

/* Wishes are judged, but nothing is sent that changes anything. */
START_TEST(an_observer_only_looks)
{
	struct zapi_feed_route *feed = NULL;
	struct fake_route ours, theirs, stale;

	observe = true;
	loop = loop_new();
	zebra = fake_zebra_new(loop, RELEASE_10_3);
	start_client(_i ? ZAPI_OPENFABRIC : ZAPI_STATIC);
	ours = foreign(A, _i ? TYPE_OPENFABRIC : TYPE_STATIC, 4711);
	ours.kind.distance = 20;
	theirs = foreign("10.0.0.0/8", _i ? TYPE_OPENFABRIC : TYPE_STATIC, 1);
	stale = foreign(B, _i ? TYPE_OPENFABRIC : TYPE_STATIC, 4711);
	fake_zebra_add(zebra, &ours);
	fake_zebra_add(zebra, &theirs);
	fake_zebra_add(zebra, &stale);
	set(A, 4711, 0);
	set(C, 4711, 0);
	zapi_complete(zapi);
	turn(30);
	ck_assert_uint_eq(n_events[ZAPI_EVENT_UP], 1);
	ck_assert_uint_eq(status().n_redistributed, 1);
	ck_assert_uint_eq(status().n_leftovers, 1);
	clear(A);
	clear(B);
	turn_clock(2000);

	ck_assert_uint_eq(zapi_feed(zapi, &feed), 3);
	ck_assert_uint_eq(feed[0].route.prefix.len, 8);
	ck_assert(!feed[0].ours && feed[1].ours && feed[1].readable && feed[1].route.tag == 4711);
	free(feed);
	zapi_finish(zapi, ZAPI_FINISH_WITHDRAW, mono_s(5), on_finished, NULL);
	turn(20);
	ck_assert_int_eq(finished, 1);
	ck_assert_uint_eq(zebra->n_routes, 3);
	ck_assert_uint_eq(zebra->hello_type, 0);
	ck_assert_uint_eq(
		fake_zebra_told(zebra, release_fact(RELEASE_10_3, MSG_CLIENT_CAPABILITIES)), 0);
	stop();
}
END_TEST

static uint64_t messages(const char *type, bool out)
{
	struct zapi_messages all[ZAPI_N_MESSAGES];
	uint64_t n = 0;

	zapi_messages(zapi, all);
	for (size_t i = 0; i < ZAPI_N_MESSAGES; i++)
		n += !type || !strcmp(type, all[i].type) ? out ? all[i].out : all[i].in : 0;
	return n;
}

START_TEST(messages_are_counted_by_type)
{
	start(RELEASE_10_2, ZAPI_STATIC);
	set(A, 4711, 5);
	zapi_complete(zapi);
	turn(20);
	for (uint64_t connections = 1; connections <= 2; connections++) {
		ck_assert(status().connected);
		ck_assert_uint_eq(messages(NULL, true), status().messages_out);
		ck_assert_uint_eq(messages(NULL, false), status().messages_in);
		ck_assert_uint_eq(messages("hello", true), connections);
		ck_assert_uint_ge(messages("route_add", true), 1);
		ck_assert_uint_eq(messages("vrf_add", false), connections);
		ck_assert_uint_eq(
			messages("other", true), fake_zebra_told(zebra, 0xffff)); /* barriers */
		if (connections == 1)
			fake_zebra_hang_up(zebra);
		turn(20);
		for (int i = 0; i < 20 && !status().connected; i++)
			turn_clock(1000);
		turn(20);
	}
	stop();
}
END_TEST

START_TEST(leftovers_are_shown_and_then_deleted)
{
	struct fake_route ours, operators;
	struct prefix *left;

	start(RELEASE_10_2, ZAPI_STATIC);
	ours = foreign(A, TYPE_STATIC, 4712);
	operators = foreign(B, TYPE_STATIC, 100);
	fake_zebra_add(zebra, &ours);
	fake_zebra_add(zebra, &operators);
	set(B, 4711, 5);
	turn(20);
	ck_assert_uint_eq(zapi_leftovers(zapi, &left), 1);
	free(left);
	ck_assert_uint_eq(status().n_leftovers, 1);
	expect_route(B, ZAPI_REJECTED);
	ck_assert_ptr_nonnull(strstr(last[ZAPI_EVENT_ROUTE].text, "operator"));
	ck_assert_uint_eq(status().route_failures, 1);
	zapi_complete(zapi);
	turn(20);
	ck_assert_ptr_null(in_zebra(A));
	ck_assert_uint_eq(in_zebra(B)->route.tag, 100);
	/* The operator takes his away. */
	fake_zebra_delete(zebra, &operators.route.prefix);
	turn(10);
	ck_assert_uint_eq(in_zebra(B)->route.tag, 4711);
	expect_route(B, ZAPI_REDISTRIBUTED);
	stop();
}
END_TEST

/* A zebra that does not read costs one buffer; whatever changes meanwhile is sent as one. */
START_TEST(a_deaf_zebra_costs_nothing)
{
	char text[PREFIX_STRLEN];
	struct zapi_status s;

	start(RELEASE_8_2, ZAPI_STATIC);
	turn(20);
	zebra->deaf = true;
	for (uint32_t round = 0; round < 4; round++) {
		for (int i = 0; i < 20000; i++) {
			snprintf(text, sizeof(text), "10.1.%d.%d/32", i / 256, i % 256);
			set(text, 4711, round);
			if (i % 1000 == 0)
				turn(2);
		}
		turn(20);
	}
	s = status();
	ck_assert_uint_eq(s.n_routes, 20000);
	ck_assert_uint_gt(s.queue_bytes, 100000);
	ck_assert_uint_lt(s.queue_bytes, 20000 * 60 + 65536);
	turn_clock(31000);
	turn_clock(1000);
	ck_assert_uint_eq(n_events[ZAPI_EVENT_PROBLEM], 1);
	ck_assert(status().connected);
	zebra->deaf = false;
	loop_io_want(&zebra->io, EPOLLIN);
	turn(4000);
	ck_assert_uint_eq(status().queue_bytes, 0);
	for (size_t i = 0; i < zebra->n_routes; i++)
		ck_assert_uint_eq(zebra->routes[i].route.metric, 3);
	stop();
}
END_TEST

static void set_many(int n)
{
	char text[PREFIX_STRLEN];

	for (int i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "10.1.%d.%d/32", i / 256, i % 256);
		set(text, 4711, 0);
	}
}

/* Not one system call for each. */
START_TEST(a_thousand_routes_are_one_write)
{
	uint16_t add = release_fact(RELEASE_8_2, MSG_ROUTE_ADD);

	start(RELEASE_8_2, ZAPI_STATIC);
	turn(20);
	n_sends = 0;
	set_many(1000);
	turn(20);
	ck_assert_uint_eq(fake_zebra_told(zebra, add), 1000);
	ck_assert_uint_eq(n_sends, 1);
	stop();
}
END_TEST

/* Of our own routes: zebra has no feed to write meanwhile, and all of it again afterwards. */
START_TEST(a_burst_does_without_the_feed)
{
	uint16_t off = release_fact(RELEASE_8_2, MSG_REDISTRIBUTE_DELETE);
	uint16_t on = release_fact(RELEASE_8_2, MSG_REDISTRIBUTE_ADD);

	start(RELEASE_8_2, ZAPI_OPENFABRIC);
	turn(20);
	set_many(200); /* no burst */
	turn(20);
	ck_assert_uint_eq(status().n_redistributed, 200);
	ck_assert_uint_eq(fake_zebra_told(zebra, off), 0);
	ck_assert_uint_eq(fake_zebra_told(zebra, on), 2);

	zebra->mute_notes = _i; /* silence ends it as well */
	set_many(500);
	turn(20);
	ck_assert_uint_eq(fake_zebra_told(zebra, off), 2);
	ck_assert_uint_eq(fake_zebra_told(zebra, on), _i ? 2 : 4);
	for (int i = 0; i < 4 && fake_zebra_told(zebra, on) == 2; i++)
		turn_clock(TABLE_SETTLE_MS);
	turn(20);
	ck_assert_uint_eq(status().n_redistributed, 500);
	ck_assert_uint_eq(fake_zebra_told(zebra, on), 4);

	/* From here on the feed tells again. */
	fake_zebra_delete(zebra, &(struct prefix){AF_INET, 32, {10, 1, 0, 7}});
	turn(20);
	ck_assert_uint_eq(status().n_redistributed, 499);
	expect_route("10.1.0.7/32", ZAPI_REJECTED);
	ck_assert_uint_eq(status().failures[ZAPI_NOT_SELECTED], 1);
	stop();
}
END_TEST

/* The one of others' making that fell into a burst, and of which no notification told. */
START_TEST(what_a_burst_hid_is_seen_after_it)
{
	start(RELEASE_8_2, ZAPI_OPENFABRIC);
	turn(20);
	set_many(100);
	turn(20);
	zebra->mute_notes = true;
	set_many(500);
	for (int i = 0; i < 20 && zebra->subscribed[0]; i++)
		turn(1);
	ck_assert(!zebra->subscribed[0]);
	fake_zebra_delete(zebra, &(struct prefix){AF_INET, 32, {10, 1, 0, 7}});
	ck_assert_uint_eq(status().failures[ZAPI_NOT_SELECTED], 0);
	for (int i = 0; i < 4 && !zebra->subscribed[0]; i++)
		turn_clock(TABLE_SETTLE_MS);
	turn(20);
	ck_assert_uint_eq(status().n_redistributed, 499);
	expect_route("10.1.0.7/32", ZAPI_REJECTED);
	stop();
}
END_TEST

/* A zebra that does not even read is not silent: whatever it shows then would be out of date. */
START_TEST(the_feed_waits_for_a_deaf_zebra)
{
	uint16_t on = release_fact(RELEASE_8_2, MSG_REDISTRIBUTE_ADD);

	start(RELEASE_8_2, ZAPI_OPENFABRIC);
	turn(20);
	zebra->deaf = true;
	set_many(500);
	for (int i = 0; i < 8; i++)
		turn_clock(TABLE_SETTLE_MS);
	zebra->deaf = false;
	zebra->mute_notes = true;
	loop_io_want(&zebra->io, EPOLLIN);
	turn(20);
	ck_assert_uint_eq(
		fake_zebra_told(zebra, release_fact(RELEASE_8_2, MSG_REDISTRIBUTE_DELETE)), 2);
	ck_assert_uint_eq(fake_zebra_told(zebra, on), 2);
	for (int i = 0; i < 4; i++)
		turn_clock(TABLE_SETTLE_MS);
	turn(20);
	ck_assert_uint_eq(fake_zebra_told(zebra, on), 4);
	ck_assert_uint_eq(status().n_redistributed, 500);
	stop();
}
END_TEST

/* Nor is it left for good where something is always under way, and zebra never silent. */
START_TEST(a_burst_amid_changes_ends)
{
	start(RELEASE_8_2, ZAPI_OPENFABRIC);
	turn(20);
	zebra->mute_notes = true;
	set_many(500);
	turn(20);
	ck_assert(!zebra->subscribed[0]);
	for (uint32_t i = 0; i < 20 && !zebra->subscribed[0]; i++) {
		set(A, 4711, i);
		turn_clock(TABLE_SETTLE_MS);
	}
	turn(20);
	ck_assert(zebra->subscribed[0]);
	ck_assert_uint_eq(status().n_redistributed, 501);
	ck_assert_uint_eq(status().route_failures, 0);
	stop();
}
END_TEST

/* Neither are static routes notified of, nor is there a burst of one route. */
START_TEST(static_routes_keep_the_feed)
{
	start(RELEASE_8_2, ZAPI_STATIC);
	turn(20);
	set_many(500);
	turn(20);
	ck_assert_uint_eq(status().n_redistributed, 500);
	ck_assert_uint_eq(
		fake_zebra_told(zebra, release_fact(RELEASE_8_2, MSG_REDISTRIBUTE_DELETE)), 0);
	stop();
}
END_TEST

/* Of what changes while zebra does not read, only the last state is sent, and that once. */
START_TEST(a_storm_is_one_message)
{
	uint16_t add = release_fact(RELEASE_8_2, MSG_ROUTE_ADD);

	start(RELEASE_8_2, ZAPI_STATIC);
	turn(20);
	set(A, 4711, 1000); /* among those that it keeps */
	turn(10);
	zebra->deaf = true;
	set_many(10000); /* more than the socket and our own buffer take */
	turn(20);
	ck_assert_uint_gt(status().queue_bytes, 65536);
	for (uint32_t i = 0; i < 1000; i++) {
		if (i % 2)
			clear(A);
		set(A, 4711, i);
		turn(1);
	}
	zebra->deaf = false;
	loop_io_want(&zebra->io, EPOLLIN);
	turn(2000);
	ck_assert_uint_eq(status().queue_bytes, 0);
	ck_assert_uint_eq(fake_zebra_told(zebra, add), 10002);
	ck_assert_uint_eq(fake_zebra_told(zebra, release_fact(RELEASE_8_2, MSG_ROUTE_DELETE)), 0);
	ck_assert_uint_eq(in_zebra(A)->route.metric, 999);
	stop();
}
END_TEST

START_TEST(malformed_messages_are_counted_and_skipped)
{
	static const char *const messages[] = {
		"000afe0600000000000a",   /* NOTIFY without a body */
		"000bfe0600000000001e1a", /* feed, one octet */
		"000bfe0600000000001f1a",
		"000bfe0600000000007700",   /* CLIENT_CAPABILITIES: not for us, unknown */
		"000cfe060000000000761a00", /* ERROR, half a code */
	};

	start(RELEASE_8_2, ZAPI_STATIC);
	turn(20);
	for (size_t i = 0; i < N_ELEMENTS(messages); i++) {
		uint8_t data[32];

		fake_zebra_send(zebra, data, unhex(messages[i], data, sizeof(data)));
	}
	turn(5);
	ck_assert_uint_eq(status().malformed, 4);
	ck_assert_uint_eq(n_events[ZAPI_EVENT_PROBLEM], 1);
	ck_assert(status().connected);
	set(A, 4711, 5);
	turn(10);
	expect_route(A, ZAPI_REDISTRIBUTED);
	stop();
}
END_TEST

/* As `ipv6 route fd00::1/128 from fd00:5::/64`: zebra holds it beside the one for all packets. */
START_TEST(a_route_by_source_is_another_one)
{
	static const char *const messages[] = {
		"0043 fe 06 00000000 001e 03 0000 00000008 0000002f 01 0a 80"
		"fd000000000000000000000000000001 40 fd00000500000000"
		"0001 00000000 06 00 01 01 00000000 00000064",
		"0043 fe 06 00000000 001f 03 0000 00000008 0000002f 01 0a 80"
		"fd000000000000000000000000000001 40 fd00000500000000"
		"0001 00000000 06 00 01 01 00000000 00000064",
	};
	uint8_t data[96];

	start(RELEASE_8_2, ZAPI_STATIC);
	set(C, 4711, 5);
	zapi_complete(zapi);
	turn(20);
	expect_route(C, ZAPI_REDISTRIBUTED);
	for (size_t i = 0; i < N_ELEMENTS(messages); i++) {
		n_events[ZAPI_EVENT_ROUTE] = 0;
		fake_zebra_send(zebra, data, unhex(messages[i], data, sizeof(data)));
		turn(10);
		ck_assert_uint_eq(n_events[ZAPI_EVENT_ROUTE], 0);
		ck_assert_uint_eq(status().n_redistributed, 1);
	}
	ck_assert_uint_eq(status().malformed, 0);
	/* Amid the two, ours can still be taken back. */
	fake_zebra_send(zebra, data, unhex(messages[0], data, sizeof(data)));
	turn(5);
	clear(C);
	turn(10);
	ck_assert_ptr_null(in_zebra(C));
	stop();
}
END_TEST

START_TEST(staticd_leaving_is_noticed)
{
	uint8_t data[32];
	size_t n, before;

	start(RELEASE_8_2, ZAPI_STATIC);
	zebra->mute_feed = true; /* something better hides our route */
	set(A, 4711, 5);
	turn(20);
	before = fake_zebra_told(zebra, release_fact(RELEASE_8_2, MSG_ROUTE_ADD));
	/* CLIENT_CLOSE_NOTIFY: type static, instance 0, session 0 */
	n = unhex("0011fe0600000000007d 03 0000 00000000", data, sizeof(data));
	fake_zebra_send(zebra, data, n);
	turn(10);
	ck_assert_uint_eq(
		fake_zebra_told(zebra, release_fact(RELEASE_8_2, MSG_ROUTE_ADD)), before + 1);
	stop();
}
END_TEST

START_TEST(keeping_waits_until_zebra_has_read_all)
{
	start(RELEASE_10_2, ZAPI_OPENFABRIC);
	turn(20);
	set(A, 1, 5);
	zapi_finish(zapi, ZAPI_FINISH_KEEP, mono_s(5), on_finished, NULL);
	ck_assert_int_eq(finished, -1);
	turn(20);
	ck_assert_int_eq(finished, 1);
	ck_assert_ptr_nonnull(in_zebra(A));
	/* The last thing it was told is the barrier. */
	ck_assert_uint_eq(zebra->commands[zebra->n_commands - 1], 0xffff);
	ck_assert(!zebra->synchronous); /* it is to come back, by graceful restart */
	ck_assert_int_eq(zebra->fd, -1);
	turn_clock(60000);
	ck_assert_uint_eq(zebra->n_accepted, 1);
	stop();
}
END_TEST

START_TEST(withdrawing_takes_all_of_ours)
{
	struct fake_route left, operators;

	start(RELEASE_10_2, _i ? ZAPI_OPENFABRIC : ZAPI_STATIC);
	left = foreign(B, _i ? TYPE_OPENFABRIC : TYPE_STATIC, 4711);
	operators = foreign(C, TYPE_STATIC, 100);
	fake_zebra_add(zebra, &left);
	fake_zebra_add(zebra, &operators);
	set(A, 4711, 5);
	/* Half of the times from the very beginning, as a command by hand would do. */
	if (_i < 2)
		turn(20);
	zapi_finish(zapi, ZAPI_FINISH_WITHDRAW, mono_s(5), on_finished, NULL);
	turn(30);
	ck_assert_int_eq(finished, 1);
	ck_assert_ptr_null(in_zebra(A));
	ck_assert_ptr_null(in_zebra(B));
	ck_assert_ptr_nonnull(in_zebra(C));
	ck_assert_uint_eq(
		fake_zebra_told(zebra, release_fact(RELEASE_10_2, MSG_CLIENT_CAPABILITIES)),
		_i ? 2 : 0);
	/* So that zebra does not throw away what is on its way for others. */
	ck_assert(zebra->synchronous);
	ck_assert_uint_eq(
		zebra->commands[zebra->n_commands - 2], release_fact(RELEASE_10_2, MSG_HELLO));
	stop();
}
END_TEST

START_TEST(finishing_is_cut_short)
{
	/* By the limit. */
	start(RELEASE_10_2, ZAPI_STATIC);
	turn(20);
	set(A, 4711, 5);
	turn(5);
	zebra->silent = true;
	zapi_finish(zapi, ZAPI_FINISH_WITHDRAW, mono_s(5), on_finished, NULL);
	turn_clock(4900);
	ck_assert_int_eq(finished, -1);
	turn_clock(200);
	ck_assert_int_eq(finished, 0);
	stop();
	/* By zebra. */
	start(RELEASE_10_2, ZAPI_STATIC);
	turn(20);
	zebra->silent = true;
	zapi_finish(
		zapi, _i ? ZAPI_FINISH_WITHDRAW : ZAPI_FINISH_KEEP, mono_s(5), on_finished, NULL);
	turn(5);
	fake_zebra_hang_up(zebra);
	turn(5);
	ck_assert_int_eq(finished, 0);
	stop();
	/* There was no connection to begin with. */
	start(RELEASE_10_2, ZAPI_STATIC);
	unlink(zebra->path);
	turn(5);
	zapi_finish(
		zapi, _i ? ZAPI_FINISH_WITHDRAW : ZAPI_FINISH_KEEP, mono_s(5), on_finished, NULL);
	turn(5);
	ck_assert_int_eq(finished, _i ? -1 : 0);
	turn_clock(5100);
	ck_assert_int_eq(finished, 0);
	stop();
}
END_TEST

/* A route that zebra never selected is gone once it was deleted and read. */
START_TEST(a_withdrawn_route_that_never_showed)
{
	start(RELEASE_10_2, ZAPI_STATIC);
	zebra->mute_feed = true;
	set(A, 4711, 5);
	turn(20);
	clear(A);
	turn(10);
	expect_route(A, ZAPI_WITHDRAWING);
	turn_clock(600);
	expect_route(A, ZAPI_GONE);
	stop();
}
END_TEST

START_TEST(a_burst_is_told_in_one_go)
{
	char text[PREFIX_STRLEN];

	start(RELEASE_8_2, ZAPI_STATIC);
	turn(20);
	n_notified = 0;
	for (int i = 0; i < 50; i++) {
		snprintf(text, sizeof(text), "10.1.0.%d/32", i);
		set(text, 4711, 0);
	}
	turn(20);
	ck_assert_uint_eq(status().n_redistributed, 50);
	ck_assert_uint_le(n_notified, 3);
	stop();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zapi/client");
	TCase *tcase = tcase_create("client");

	signal(SIGPIPE, SIG_IGN);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, an_own_type_waits_for_a_former_life_to_be_over);
	tcase_add_loop_test(tcase, every_release_is_spoken_to, 0, N_RELEASES * 2);
	tcase_add_test(tcase, a_type_that_another_daemon_uses_is_not_claimed);
	tcase_add_test(tcase, graceful_restart_frames_the_routes);
	tcase_add_loop_test(tcase, it_survives_a_close_after_each_octet, 0, 2);
	tcase_add_loop_test(tcase, garbage_ends_the_connection, 0, N_ELEMENTS(garbage));
	tcase_add_test(tcase, unknown_releases_are_left_alone);
	tcase_add_test(tcase, a_word_that_the_release_lacks_is_refused);
	tcase_add_test(tcase, silence_is_not_waited_for_in_vain);
	tcase_add_test(tcase, it_backs_off);
	tcase_add_test(tcase, no_zebra_at_all);
	tcase_add_test(tcase, everything_is_replayed);
	tcase_add_test(tcase, each_connection_detects_anew);
	tcase_add_loop_test(tcase, routes_go_to_a_vrf, 0, 4);
	tcase_add_loop_test(tcase, an_observer_only_looks, 0, 2);
	tcase_add_test(tcase, messages_are_counted_by_type);
	tcase_add_test(tcase, leftovers_are_shown_and_then_deleted);
	tcase_add_test(tcase, a_deaf_zebra_costs_nothing);
	tcase_add_test(tcase, a_thousand_routes_are_one_write);
	tcase_add_loop_test(tcase, a_burst_does_without_the_feed, 0, 2);
	tcase_add_test(tcase, what_a_burst_hid_is_seen_after_it);
	tcase_add_test(tcase, the_feed_waits_for_a_deaf_zebra);
	tcase_add_test(tcase, a_burst_amid_changes_ends);
	tcase_add_test(tcase, static_routes_keep_the_feed);
	tcase_add_test(tcase, a_storm_is_one_message);
	tcase_add_test(tcase, malformed_messages_are_counted_and_skipped);
	tcase_add_test(tcase, a_route_by_source_is_another_one);
	tcase_add_test(tcase, staticd_leaving_is_noticed);
	tcase_add_test(tcase, keeping_waits_until_zebra_has_read_all);
	tcase_add_loop_test(tcase, withdrawing_takes_all_of_ours, 0, 4);
	tcase_add_loop_test(tcase, finishing_is_cut_short, 0, 2);
	tcase_add_test(tcase, a_withdrawn_route_that_never_showed);
	tcase_add_test(tcase, a_burst_is_told_in_one_go);
	return unit_run(suite);
}
