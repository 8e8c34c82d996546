/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses on their way, between a loopback and a zebra that are only played. */
#include "announce.h"
#include "objects.h"
#include "unit.h"

#define N_ADDRESSES 4

static struct prefix address[N_ADDRESSES];
static bool bound[N_ADDRESSES], routed[N_ADDRESSES];
static struct zapi_feed_route zebra[N_ADDRESSES]; /* what it has, of us or others */
static enum loopback_state kernel;                /* its answer */
static struct config *config;
static struct loop *loop;
static struct metrics metrics;
static struct journal journal;
static struct steadiness steadiness;
static struct announce announce;

static size_t index_of(const struct prefix *prefix)
{
	return prefix->addr[3];
}

/* What is played */

enum loopback_state loopback_add(struct loopback *loopback, const struct prefix *prefix)
{
	(void)loopback;
	bound[index_of(prefix)] = kernel == LOOPBACK_BOUND;
	return kernel;
}

void loopback_remove(struct loopback *loopback, const struct prefix *prefix)
{
	(void)loopback;
	bound[index_of(prefix)] = false;
}

bool loopback_holder(
	const struct loopback *loopback, const struct prefix *prefix, char out[IF_NAMESIZE])
{
	(void)loopback;
	(void)prefix;
	(void)out;
	return false;
}

size_t loopback_list(const struct loopback *loopback, struct prefix **out)
{
	size_t n = 0;

	(void)loopback;
	*out = xcalloc(N_ADDRESSES, sizeof(**out));
	for (size_t i = 0; i < N_ADDRESSES; i++) {
		if (bound[i])
			(*out)[n++] = address[i];
	}
	return n;
}

void zapi_route_set(struct zapi *zapi, const struct zapi_route *route)
{
	(void)zapi;
	routed[index_of(&route->prefix)] = true;
	zebra[index_of(&route->prefix)] = (struct zapi_feed_route){.route = *route, .ours = true};
}

void zapi_route_clear(struct zapi *zapi, const struct prefix *prefix)
{
	(void)zapi;
	routed[index_of(prefix)] = false;
	zebra[index_of(prefix)].ours = false;
}

void zapi_complete(struct zapi *zapi)
{
	(void)zapi;
}

size_t zapi_leftovers(const struct zapi *zapi, struct prefix **out)
{
	(void)zapi;
	*out = NULL;
	return 0;
}

size_t zapi_feed(const struct zapi *zapi, struct zapi_feed_route **out)
{
	(void)zapi;
	*out = xmemdup(zebra, sizeof(zebra));
	return N_ADDRESSES;
}

const char *zapi_route_state_text(enum zapi_route_state state)
{
	(void)state;
	return "";
}

void metrics_arrived(struct metrics *m, enum direction direction, const struct trace *trace)
{
	(void)m;
	(void)direction;
	(void)trace;
}

struct trace trace_begin(struct mono came)
{
	return (struct trace){.came = came};
}

void trace_mark(struct trace *trace, enum stage stage)
{
	(void)trace;
	(void)stage;
}

/* Lives */

static void begin(const char *yaml)
{
	config = config_of(yaml);
	loop = loop_new();
	announce_init(&announce, loop, config, NULL, NULL, &metrics, &journal, &steadiness);
	announce_zebra(&announce, &(struct zapi_event){.type = ZAPI_EVENT_UP});
}

static void end(void)
{
	announce_deinit(&announce);
	loop = loop_free(loop);
	config = config_free(config);
}

static void setup(void)
{
	mono_stop();
	for (size_t i = 0; i < N_ADDRESSES; i++)
		address[i] = (struct prefix){AF_INET, 32, {10, 96, 0, (uint8_t)i}};
	kernel = LOOPBACK_BOUND;
}

static void teardown(void)
{
	if (loop)
		end();
	steadiness_deinit(&steadiness);
	journal_deinit(&journal);
}

/* A service of its own for the address. */
static void say(size_t i, enum reason reason)
{
	auto_free char *name = xasprintf("s%zu", i);
	struct verdict verdict = {
		.address = address[i], .reason = reason, .tag = 1, .class = &config->defaults};

	announce_service(&announce, "default", name, &verdict, 1);
}

static void say_all(enum reason reason)
{
	for (size_t i = 0; i < N_ADDRESSES; i++)
		say(i, reason);
}

/* All that is due happens. */
static void pass(int64_t seconds)
{
	mono_turn(mono_s(seconds));
	for (int i = 0; i < 5; i++)
		loop_turn(loop, 0);
}

static size_t n_routed(void)
{
	size_t n = 0;

	for (size_t i = 0; i < N_ADDRESSES; i++)
		n += routed[i];
	return n;
}

/* The next life in the same process, when it knows the cluster: all services say the same. */
static void live_again(const char *yaml, enum reason reason)
{
	end();
	memset(routed, 0, sizeof(routed)); /* those that this life asks for */
	begin(yaml);
	say_all(reason);
	announce_synced(&announce);
	pass(0);
}

START_TEST(what_is_not_bound_is_not_announced)
{
	begin("");
	announce_synced(&announce);
	kernel = LOOPBACK_PENDING;
	say(0, REASON_READY);
	pass(0);
	ck_assert(!routed[0]);
	announce_bound(&announce, &address[0], LOOPBACK_FAILED, "no room");
	pass(0);
	ck_assert(!routed[0]);
	kernel = LOOPBACK_FAILED;
	say(0, REASON_DEGRADED);
	pass(0);
	ck_assert(!routed[0]);
	announce_bound(&announce, &address[0], LOOPBACK_BOUND, NULL);
	ck_assert(routed[0]);
	kernel = LOOPBACK_FOREIGN;
	say(1, REASON_READY);
	pass(0);
	ck_assert(routed[1]);
}
END_TEST

START_TEST(zebra_hears_nothing_behind_the_last)
{
	begin("");
	announce_synced(&announce);
	say(0, REASON_READY);
	pass(0);
	ck_assert(routed[0]);
	kernel = LOOPBACK_PENDING;
	say(1, REASON_READY);
	pass(0);
	kernel = LOOPBACK_BOUND;
	say(0, REASON_NOT_READY); /* decided in a job */
	say(2, REASON_READY);
	announce_finish(&announce);
	pass(0);
	announce_bound(&announce, &address[1], LOOPBACK_BOUND, NULL);
	pass(4);
	ck_assert_uint_eq(n_routed(), 1);
	ck_assert(routed[0]);
}
END_TEST

#define FALL "stability: {fall_seconds: 60}"

START_TEST(a_delay_goes_on_in_the_next_life)
{
	begin(FALL);
	say_all(REASON_READY);
	announce_synced(&announce);
	pass(0);
	ck_assert_uint_eq(n_routed(), N_ADDRESSES);
	say_all(REASON_NOT_READY);
	pass(0);
	pass(40);
	live_again(FALL, REASON_NOT_READY);
	ck_assert_uint_eq(n_routed(), N_ADDRESSES);
	ck_assert_uint_eq(metrics.holds[HOLD_FALL], N_ADDRESSES);
	pass(19);
	ck_assert_uint_eq(n_routed(), N_ADDRESSES);
	pass(1);
	ck_assert_uint_eq(n_routed(), 0);
}
END_TEST

START_TEST(rules_that_the_next_life_has_not_hold_nothing)
{
	begin(FALL);
	say_all(REASON_READY);
	announce_synced(&announce);
	say_all(REASON_NOT_READY);
	pass(0);
	live_again("", REASON_NOT_READY);
	ck_assert_uint_eq(n_routed(), 0);
	ck_assert_uint_eq(steadiness.addresses.n, 0);
}
END_TEST

#define RISE "stability: {rise_seconds: 60}"

START_TEST(what_rises_goes_on_rising)
{
	begin(RISE);
	announce_synced(&announce);
	say_all(REASON_READY);
	pass(0);
	pass(40);
	live_again(RISE, REASON_READY);
	ck_assert_uint_eq(n_routed(), 0);
	pass(20);
	ck_assert_uint_eq(n_routed(), N_ADDRESSES);
}
END_TEST

#define DAMPING "stability: {damping_half_life_seconds: 900}"

START_TEST(what_is_suppressed_stays_so)
{
	begin(DAMPING);
	announce_synced(&announce);
	for (int i = 0; i < 3; i++) {
		say_all(REASON_READY);
		pass(0);
		say_all(REASON_NOT_READY);
		pass(4); /* a withdrawal that zebra does not confirm */
	}
	live_again(DAMPING, REASON_NOT_READY); /* with nothing bound, nothing up */
	say_all(REASON_READY);
	pass(0);
	ck_assert_uint_eq(n_routed(), 0);
	live_again(DAMPING, REASON_READY);
	ck_assert_uint_eq(n_routed(), 0);
	ck_assert_uint_eq(metrics.holds[HOLD_SUPPRESSED], N_ADDRESSES);
	pass(3600);
	ck_assert_uint_eq(n_routed(), N_ADDRESSES);
}
END_TEST

#define ANCHOR "stability: {anchor_percent: 50, anchor_hold_seconds: 60}"

START_TEST(the_anchor_holds_on)
{
	begin(ANCHOR);
	say_all(REASON_READY);
	announce_synced(&announce);
	pass(0);
	say_all(REASON_NOT_READY);
	pass(0);
	pass(40);
	ck_assert_uint_eq(n_routed(), N_ADDRESSES);
	live_again(ANCHOR, REASON_NOT_READY);
	pass(19);
	ck_assert_uint_eq(n_routed(), N_ADDRESSES);
	pass(1);
	ck_assert_uint_eq(n_routed(), 0);
	ck_assert(!steadiness.anchored);
}
END_TEST

START_TEST(what_nobody_has_any_more_is_forgotten)
{
	begin(ANCHOR);
	say_all(REASON_READY);
	announce_synced(&announce);
	say_all(REASON_NOT_READY);
	pass(0);
	ck_assert(steadiness.anchored);
	end();
	memset(bound, 0, sizeof(bound));
	begin(ANCHOR);
	ck_assert(steadiness.anchored); /* it was told of */
	say(0, REASON_NOT_READY);
	announce_synced(&announce);
	pass(4);
	ck_assert_uint_eq(steadiness.addresses.n, 1);
	end();
	memset(bound, 0, sizeof(bound));
	begin(ANCHOR);
	announce_synced(&announce);
	pass(0);
	ck_assert_uint_eq(steadiness.addresses.n, 0);
	ck_assert(!steadiness.anchored);
}
END_TEST

#define DRAIN_TAG 4713

/* What a former process had announced: two, and a third that is bound, and not in zebra. */
static void leave(void)
{
	for (size_t i = 0; i < N_ADDRESSES; i++) {
		zebra[i] = (struct zapi_feed_route){
			.route = {.prefix = address[i], .tag = 7, .metric = 3}, .ours = i < 2};
		bound[i] = i < 3;
	}
}

START_TEST(what_is_left_is_drained_without_a_picture)
{
	leave();
	begin("");
	say_all(REASON_NO_PODS); /* as far as the services are known, and the pods are not */
	pass(0);
	announce_left(&announce);
	pass(0);
	ck_assert_uint_eq(n_routed(), 2);
	ck_assert_uint_eq(zebra[0].route.tag, 7);
	announce_set_draining(&announce, true);
	pass(0);
	for (size_t i = 0; i < 2; i++) {
		ck_assert(zebra[i].ours && bound[i]);
		ck_assert_uint_eq(zebra[i].route.tag, DRAIN_TAG);
		ck_assert_uint_eq(zebra[i].route.metric, 3);
	}
	say(0, REASON_READY);
	say(2, REASON_READY);
	pass(0);
	ck_assert_uint_eq(zebra[0].route.tag, DRAIN_TAG);
	ck_assert(!zebra[2].ours && bound[2]);
	announce_withdraw_left(&announce);
	pass(0);
	ck_assert(!zebra[0].ours && !zebra[1].ours && bound[0] && bound[1]);
	pass(4);
	ck_assert(!bound[0] && !bound[1] && bound[2]);
	announce_set_draining(&announce, false);
	announce_synced(&announce);
	pass(0);
	ck_assert(routed[0] && !routed[1] && routed[2]);
	ck_assert_uint_eq(zebra[0].route.tag, 1);
}
END_TEST

START_TEST(what_is_left_is_as_ever_when_the_picture_comes)
{
	leave();
	begin("");
	announce_set_draining(&announce, true);
	announce_left(&announce);
	pass(0);
	announce_left(&announce); /* zebra was away */
	pass(0);
	ck_assert_uint_eq(zebra[0].route.tag, DRAIN_TAG);
	ck_assert(zebra[0].ours && zebra[1].ours && !zebra[2].ours);
	say(0, REASON_SLICES_UNKNOWN);
	announce_set_draining(&announce, false);
	announce_synced(&announce);
	pass(0);
	ck_assert(zebra[0].ours && !zebra[1].ours);
	ck_assert_uint_eq(zebra[0].route.tag, 1);
	announce_withdraw_left(&announce);
	pass(0);
	ck_assert(zebra[0].ours);
}
END_TEST

START_TEST(what_is_left_can_be_withdrawn_at_once)
{
	leave();
	begin("");
	announce_left(&announce);
	announce_withdraw_left(&announce);
	pass(0);
	ck_assert(!zebra[0].ours && !zebra[1].ours && bound[0]);
	pass(4);
	ck_assert(!bound[0]);
}
END_TEST

static bool is_as_left(size_t i)
{
	return zebra[i].ours && bound[i] && zebra[i].route.tag == 7 && zebra[i].route.metric == 3;
}

/* Another policy, say, while there is still no picture. */
START_TEST(what_is_left_is_restored)
{
	leave();
	begin("");
	announce_set_draining(&announce, true);
	announce_left(&announce);
	pass(0);
	announce_left(&announce); /* zebra was away, and has the drain tag by now */
	announce_set_draining(&announce, false);
	announce_restore_left(&announce);
	pass(0);
	ck_assert(is_as_left(0) && is_as_left(1));
	for (int gone = 0; gone < 2; gone++) {
		announce_set_draining(&announce, true);
		pass(0);
		announce_withdraw_left(&announce);
		pass(0);
		pass(gone ? 4 : 0);
		ck_assert(!zebra[0].ours && !zebra[1].ours && bound[0] == !gone);
		announce_set_draining(&announce, false);
		announce_restore_left(&announce);
		pass(0);
		pass(4);
		ck_assert(is_as_left(0) && is_as_left(1) && !zebra[2].ours);
	}
	announce_synced(&announce); /* and nobody has them */
	pass(0);
	ck_assert(!zebra[0].ours && !zebra[1].ours);
}
END_TEST

START_TEST(addresses_that_are_the_announcement_are_left_too)
{
	bound[0] = true;
	begin("announce: {redistribute: connected}\nloopback: {mode: address}");
	announce_left(&announce);
	pass(0);
	ck_assert(bound[0] && routed[0]);
	announce_withdraw_left(&announce);
	pass(0);
	pass(4);
	ck_assert(!bound[0]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("announce");
	TCase *tcase = tcase_create("announce");

	log_setup(LOG_ERR, LOG_LOGFMT);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, what_is_not_bound_is_not_announced);
	tcase_add_test(tcase, zebra_hears_nothing_behind_the_last);
	tcase_add_test(tcase, a_delay_goes_on_in_the_next_life);
	tcase_add_test(tcase, rules_that_the_next_life_has_not_hold_nothing);
	tcase_add_test(tcase, what_rises_goes_on_rising);
	tcase_add_test(tcase, what_is_suppressed_stays_so);
	tcase_add_test(tcase, the_anchor_holds_on);
	tcase_add_test(tcase, what_nobody_has_any_more_is_forgotten);
	tcase_add_test(tcase, what_is_left_is_drained_without_a_picture);
	tcase_add_test(tcase, what_is_left_is_as_ever_when_the_picture_comes);
	tcase_add_test(tcase, what_is_left_can_be_withdrawn_at_once);
	tcase_add_test(tcase, what_is_left_is_restored);
	tcase_add_test(tcase, addresses_that_are_the_announcement_are_left_too);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
