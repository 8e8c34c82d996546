/* SPDX-License-Identifier: Apache-2.0 */
/* The table of routes: facts in, states and orders out. No socket, and a clock by hand. */
#include "unit.h"

#include <string.h>

#include "table.h"

static struct table table;
static struct mono now;
static uint64_t n_barriers;

static void setup(enum zapi_word word)
{
	static const uint32_t tags[] = {4711, 4712};
	struct zapi_options options = {.word = word, .tags = tags, .n_tags = 2};

	table_init(&table, &options);
	now = mono_s(1000);
}

static void setup_learned(enum zapi_word word)
{
	setup(word);
	table_learned(&table, false);
}

static struct prefix parse(const char *text)
{
	struct prefix prefix;

	ck_assert(prefix_parse(text, &prefix));
	return prefix;
}

static void want(const char *prefix, uint32_t tag, uint32_t metric)
{
	table_want(&table, &(struct zapi_route){parse(prefix), tag, metric});
}

static void unwant(const char *prefix)
{
	struct prefix parsed = parse(prefix);

	table_unwant(&table, &parsed);
}

static void see(const char *prefix, struct wire_route route)
{
	route.prefix = parse(prefix);
	route.readable = true;
	ck_assert(table_feed_add(&table, &route, now));
}

static void seen(const char *prefix, uint32_t tag, uint32_t metric)
{
	see(prefix, (struct wire_route){.tag = tag, .metric = metric});
}

static void seen_at(const char *prefix, uint32_t tag, uint8_t distance)
{
	see(prefix, (struct wire_route){.tag = tag, .distance = distance});
}

/* By a zebra that found it in the kernel. */
static void seen_reread_at(const char *prefix, uint8_t distance)
{
	see(prefix, (struct wire_route){.reread = true, .distance = distance});
}

static void seen_reread(const char *prefix)
{
	seen_reread_at(prefix, 0);
}

static void unseen(const char *prefix)
{
	struct prefix parsed = parse(prefix);

	table_feed_del(&table, &parsed, now);
}

static void notified(enum wire_note note, const char *prefix)
{
	struct wire_notify notify = {.note = note, .prefix = parse(prefix)};

	table_notify(&table, &notify, now);
}

/*
 * All orders as one text: "-PREFIX METRIC" for a delete, with "@DISTANCE" behind where there is
 * one, "+PREFIX TAG METRIC" for an add.
 */
static void expect_orders(const char *expected)
{
	auto_free char *text = NULL;
	size_t size;
	FILE *out = xmemstream(&text, &size);
	struct order order;
	char p[PREFIX_STRLEN];

	while (table_next_order(&table, now, n_barriers + 1, &order)) {
		if (order.remove)
			fprintf(out, "-%s %u ", prefix_text(&order.removed.prefix, p),
				order.removed.metric);
		if (order.removed_distance)
			fprintf(out, "@%u ", order.removed_distance);
		if (order.add)
			fprintf(out, "+%s %u %u ", prefix_text(&order.added.prefix, p),
				order.added.tag, order.added.metric);
		table_answered(&table, n_barriers + 1); /* zebra reads at once */
	}
	fclose(out);
	ck_assert_str_eq(text, expected);
}

/* All news as one text: "PREFIX STATE", reasons in parentheses by their first word's end. */
static void expect_news(const char *expected)
{
	auto_free char *text = NULL;
	size_t size;
	FILE *out = xmemstream(&text, &size);
	struct zapi_event event;
	char p[PREFIX_STRLEN];

	while (table_pop_news(&table, &event)) {
		fprintf(out, "%s %s ", prefix_text(&event.prefix, p),
			zapi_route_state_text(event.state));
		ck_assert_int_eq(event.text[0] != '\0', event.state == ZAPI_REJECTED);
	}
	fclose(out);
	ck_assert_str_eq(text, expected);
}

static void expect_reason(const char *part)
{
	struct zapi_event event;

	ck_assert(table_pop_news(&table, &event));
	ck_assert_int_eq(event.state, ZAPI_REJECTED);
	ck_assert_msg(strstr(event.text, part), "%s", event.text);
}

static bool settle_after(int64_t ms)
{
	now = mono_add(now, mono_ms(ms));
	return table_settle(&table, now, n_barriers);
}

/* zebra has read everything, and nothing is waited for any more. */
static void expect_settled(void)
{
	n_barriers++;
	ck_assert(!settle_after(TABLE_SETTLE_MS));
	n_barriers = 0;
}

#define A "10.0.0.1/32"
#define B "10.0.0.2/32"
#define C "fd00::1/128"

START_TEST(a_route_lives_and_dies)
{
	setup(ZAPI_STATIC);
	want(A, 4711, 5);
	expect_news(A " pending ");
	expect_orders("");
	table_learned(&table, false);
	expect_orders("+" A " 4711 5 ");
	expect_news("");
	seen(A, 4711, 5);
	expect_news(A " redistributed ");
	ck_assert_uint_eq(table.counts[COUNT_REDISTRIBUTED], 1);
	want(A, 4711, 5);
	seen(A, 4711, 5);
	expect_news("");
	expect_orders("");
	unwant(A);
	expect_orders("-" A " 5 ");
	expect_news(A " withdrawing ");
	unseen(A);
	expect_news(A " gone ");
	expect_settled();
	ck_assert_uint_eq(table.routes.n, 0);
	ck_assert_uint_eq(table.counts[COUNT_WANTED], 0);
	table_deinit(&table);
}
END_TEST

START_TEST(own_types_are_notified)
{
	setup_learned(ZAPI_OPENFABRIC);
	want(A, 1, 5);
	expect_orders("+" A " 1 5 ");
	notified(WIRE_INSTALLED, A);
	expect_news(A " installed ");
	seen(A, 1, 5);
	expect_news(A " redistributed ");
	notified(WIRE_BETTER_ADMIN_WON, A);
	expect_reason("better route");
	unseen(A);
	expect_news("");
	ck_assert_uint_eq(table.n_failures, 1);
	ck_assert_uint_eq(table.failures[ZAPI_BETTER_ROUTE_WON], 1);
	expect_orders("");
	notified(WIRE_INSTALLED, A);
	expect_news(A " installed ");
	seen(A, 1, 5);
	expect_news(A " redistributed ");
	notified(WIRE_FAIL_INSTALL, A);
	expect_reason("kernel");
	seen(A, 1, 5);
	expect_news(A " redistributed ");
	unwant(A);
	expect_orders("-" A " 5 ");
	notified(WIRE_REMOVED, A);
	expect_news(A " withdrawing ");
	unseen(A);
	expect_news(A " gone ");
	table_deinit(&table);
}
END_TEST

START_TEST(only_the_last_state_is_sent)
{
	setup_learned(ZAPI_STATIC);
	for (uint32_t i = 0; i < 100; i++) {
		want(A, 4711, i);
		want(B, 4711, i);
		unwant(B);
	}
	ck_assert_uint_le(table.n_dirty, 2);
	expect_orders("+" A " 4711 99 ");
	/* Told is what is true when asked, and the end of what the owner once named. */
	expect_news(A " pending " B " gone ");
	table_deinit(&table);
}
END_TEST

START_TEST(a_change_waits_for_its_confirmation)
{
	setup_learned(ZAPI_STATIC);
	want(A, 4711, 5);
	expect_orders("+" A " 4711 5 ");
	seen(A, 4711, 5);
	expect_news(A " redistributed ");
	want(A, 4712, 5);
	expect_news(A " pending ");
	expect_orders("+" A " 4712 5 ");
	seen(A, 4711, 5); /* still the old one */
	expect_news("");
	seen(A, 4712, 5);
	expect_news(A " redistributed ");
	table_deinit(&table);
}
END_TEST

START_TEST(a_static_metric_is_a_key_on_late_releases)
{
	setup(ZAPI_STATIC);
	table_learned(&table, true);
	want(A, 4711, 5);
	expect_orders("+" A " 4711 5 ");
	seen(A, 4711, 5);
	want(A, 4711, 50);
	expect_orders("-" A " 5 +" A " 4711 50 ");
	unseen(A); /* zebra may tell of the deletion, or of the change only */
	expect_news(A " pending ");
	seen(A, 4711, 50);
	expect_news(A " redistributed ");
	ck_assert_uint_eq(table.n_failures, 0);
	/* Changed again before the feed shows the first change: that one is to go, too. */
	want(A, 4711, 51);
	expect_orders("-" A " 50 +" A " 4711 51 ");
	want(A, 4711, 52);
	expect_orders("-" A " 51 +" A " 4711 52 ");
	expect_news(A " pending ");
	seen(A, 4711, 52);
	expect_news(A " redistributed ");
	/* A left-over with another metric, from a former life. */
	table_lost(&table);
	seen(B, 4712, 7);
	want(B, 4711, 8);
	table_learned(&table, true);
	expect_orders("-" B " 7 +" B " 4711 8 +" A " 4711 52 ");
	/* The one we delete hid another one. */
	unwant(B);
	expect_orders("-" B " 7 ");
	seen(B, 4711, 8);
	expect_orders("-" B " 8 ");
	unseen(B);
	table_deinit(&table);
}
END_TEST

static void setup_at_20(void)
{
	static const uint32_t tag = 4711;
	struct zapi_options options = {
		.word = ZAPI_STATIC, .distance = 20, .tags = &tag, .n_tags = 1};

	table_init(&table, &options);
	now = mono_s(1000);
}

static void announce_at_20(void)
{
	setup_at_20();
	table_learned(&table, false);
	want(A, 4711, 0);
	expect_orders("+" A " 4711 0 ");
	seen_at(A, 4711, 20);
	expect_news(A " redistributed ");
}

/* What has another one is of a former life, and would stay beside what is sent. */
START_TEST(a_static_distance_is_a_key)
{
	const uint32_t tag = 4711;

	setup_at_20();
	seen_at(A, tag, 60);
	seen_at(B, tag, 20);
	seen_at(C, tag, 60);
	want(A, tag, 0);
	want(B, tag, 0);
	table_learned(&table, false);
	expect_orders("+" B " 4711 0 -" A " 0 @60 +" A " 4711 0 ");
	expect_news(A " pending " B " redistributed ");
	seen_at(A, tag, 20);
	expect_news(A " redistributed ");
	table_complete(&table);
	expect_orders("-" C " 0 @60 ");
	unseen(C);
	unwant(A);
	expect_orders("-" A " 0 @20 ");
	/* It hid another one of ours. */
	seen_at(A, tag, 200);
	expect_orders("-" A " 0 @200 ");
	unseen(A);
	expect_news(C " gone " A " gone ");
	table_deinit(&table);
}
END_TEST

/* The operator's, of a better distance: ours stays in zebra, unseen, until it is deleted. */
START_TEST(a_route_that_is_hidden_later_is_deleted)
{
	announce_at_20();
	seen_at(A, 100, 1);
	expect_reason("operator");
	unwant(A);
	expect_orders("-" A " 0 @20 ");
	expect_news(A " withdrawing ");
	expect_settled();
	expect_news(A " gone ");
	/* Of the same distance, it has taken our place. */
	want(B, 4711, 0);
	expect_orders("+" B " 4711 0 ");
	seen_at(B, 4711, 20);
	seen_at(B, 100, 20);
	unwant(B);
	expect_orders("");
	expect_news(B " gone ");
	table_deinit(&table);
}
END_TEST

/* The operator's, of a worse distance: a backup, that shows whenever ours is not there. */
START_TEST(the_better_distance_wins)
{
	setup_at_20();
	seen_at(A, 100, 200);
	want(A, 4711, 0);
	table_learned(&table, false);
	expect_orders("+" A " 4711 0 ");
	expect_news(A " pending ");
	seen_at(A, 4711, 20);
	expect_news(A " redistributed ");
	n_barriers++;
	ck_assert(!settle_after(TABLE_SETTLE_MS));
	/* Somebody took ours away, and does it again. */
	seen_at(A, 100, 200);
	expect_orders("+" A " 4711 0 ");
	expect_reason("does not select");
	seen_at(A, 4711, 20);
	expect_news(A " redistributed ");
	seen_at(A, 100, 200);
	expect_orders("");
	expect_reason("does not select");
	n_barriers++;
	(void)settle_after(TABLE_SETTLE_MS);
	expect_orders("+" A " 4711 0 ");
	seen_at(A, 4711, 20);
	expect_news(A " redistributed ");
	unwant(A);
	expect_orders("-" A " 0 @20 ");
	expect_news(A " withdrawing ");
	seen_at(A, 100, 200);
	expect_news(A " gone ");
	expect_orders("");
	/* As good as ours, it would go; a better one wins, until it is none any more. */
	for (uint8_t distance = 20; distance > 0; distance = distance == 20 ? 1 : 0) {
		seen_at(B, 100, distance);
		want(B, 4711, 0);
		expect_orders("");
		expect_reason("operator");
		unwant(B);
		expect_orders("");
		expect_news(B " gone ");
	}
	want(B, 4711, 0);
	expect_reason("operator");
	seen_at(B, 100, 200);
	expect_orders("+" B " 4711 0 ");
	expect_news(B " pending ");
	table_deinit(&table);
	n_barriers = 0;
}
END_TEST

/* An orphan has staticd's distance, 1, whosever it was: a delete of 1 could hit staticd's own. */
START_TEST(an_orphan_is_told_from_staticds)
{
	setup_at_20();
	table_learned(&table, false);
	want(A, 4711, 0);
	want(B, 4711, 0);
	expect_orders("+" A " 4711 0 +" B " 4711 0 ");
	seen_at(A, 4711, 20);
	seen_at(B, 4711, 20);
	expect_news(A " redistributed " B " redistributed ");
	/* The operator's came to hide ours, and is what a new zebra finds in the kernel. */
	seen_at(B, 100, 1);
	expect_reason("operator");
	table_lost(&table);
	expect_news(B " pending " A " pending ");
	seen_reread_at(A, 1);
	seen_reread_at(B, 1);
	unwant(B);
	table_learned(&table, false);
	table_complete(&table);
	expect_orders("-" A " 0 @20 +" A " 4711 0 ");
	expect_news(B " gone ");
	unwant(A);
	expect_orders("-" A " 0 @20 ");
	table_deinit(&table);
}
END_TEST

/* A withdrawal has its end with the delete, not with the operator's route that shows before. */
START_TEST(a_delete_that_waits_is_sent)
{
	announce_at_20();
	unwant(A);
	expect_orders("-" A " 0 @20 ");
	want(A, 4711, 0);
	expect_orders("+" A " 4711 0 ");
	expect_news(A " pending ");
	unwant(A);
	seen_at(A, 100, 1);
	expect_news(A " withdrawing ");
	expect_orders("-" A " 0 @20 ");
	expect_settled();
	expect_news(A " gone ");
	table_deinit(&table);
}
END_TEST

/* From 10.7 another metric is another route, too. */
START_TEST(one_of_another_metric_leaves_ours_there)
{
	setup_at_20();
	table_learned(&table, true);
	want(A, 4711, 5);
	expect_orders("+" A " 4711 5 ");
	seen_at(A, 100, 20);
	expect_reason("operator");
	unwant(A);
	expect_orders("-" A " 5 @20 ");
	table_deinit(&table);
}
END_TEST

START_TEST(the_operators_static_routes_are_sacred)
{
	setup(ZAPI_STATIC);
	table_complete(&table);
	seen(A, 100, 0);
	seen(B, 0, 0);
	want(A, 4711, 5);
	table_learned(&table, false);
	expect_reason("operator");
	expect_orders("");
	unwant(A);
	expect_news(A " gone ");
	unwant(B);
	expect_orders("");
	/* It goes, and ours may come. */
	want(A, 4711, 5);
	expect_orders("");
	unseen(A);
	expect_orders("+" A " 4711 5 ");
	seen(A, 4711, 5);
	expect_news(A " redistributed ");
	/* It comes back over ours. */
	seen(A, 100, 0);
	expect_reason("operator");
	expect_orders("");
	unwant(A);
	expect_orders("");
	expect_news(A " gone ");
	/* While ours is being deleted. */
	want(C, 4711, 5);
	expect_orders("+" C " 4711 5 ");
	seen(C, 4711, 5);
	unwant(C);
	seen(C, 100, 0);
	expect_orders("");
	expect_news(C " gone ");
	table_deinit(&table);
}
END_TEST

/* Its tag may be ours of an earlier configuration: only the owner can know. */
START_TEST(the_tag_that_keeps_us_out_is_told)
{
	static const struct {
		enum zapi_word word;
		uint32_t tag;
		uint32_t told;
	} cases[] = {{ZAPI_STATIC, 100, 100}, {ZAPI_STATIC, 0, 0}, {ZAPI_OPENFABRIC, 0, 0}};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct zapi_event event;

		setup_learned(cases[i].word);
		seen(A, cases[i].tag, 0);
		want(A, 4711, 0);
		ck_assert(table_pop_news(&table, &event));
		ck_assert_int_eq(event.state, ZAPI_REJECTED);
		ck_assert_uint_eq(event.holder_tag, cases[i].told);
		want(A, 4999, 0); /* refused for another reason */
		if (cases[i].word == ZAPI_STATIC) {
			ck_assert(table_pop_news(&table, &event));
			ck_assert_uint_eq(event.holder_tag, 0);
		}
		table_deinit(&table);
	}
}
END_TEST

/* zebra died, and its successor found our routes in the kernel, without their tags. */
START_TEST(orphans_may_be_taken_over)
{
	setup_learned(ZAPI_STATIC);
	table_complete(&table);
	want(A, 4711, 5);
	want(B, 4711, 5);
	expect_orders("+" A " 4711 5 +" B " 4711 5 ");
	seen(A, 4711, 5);
	seen(B, 4711, 5);
	expect_news(A " redistributed " B " redistributed ");
	table_lost(&table);
	unwant(B);
	expect_news(B " withdrawing " A " pending ");
	seen_reread(A);
	seen_reread(B);
	seen_reread(C); /* may be the operator's: staticd is not back yet */
	table_learned(&table, false);
	expect_orders("+" A " 4711 5 -" B " 0 ");
	expect_news("");
	seen(A, 4711, 5);
	unseen(B);
	expect_news(A " redistributed " B " gone ");
	/* staticd is back, and C was its own. */
	want(C, 4711, 5);
	expect_orders("+" C " 4711 5 ");
	seen(C, 100, 0);
	expect_reason("operator");
	unwant(C);
	expect_orders("");
	table_deinit(&table);
	/* Where the metric is a key, the orphan would stay beside the new one. */
	setup(ZAPI_STATIC);
	seen_reread(A);
	want(A, 4711, 5);
	table_learned(&table, true);
	expect_orders("-" A " 0 +" A " 4711 5 ");
	table_deinit(&table);
}
END_TEST

START_TEST(an_unreadable_static_route_is_not_ours)
{
	struct wire_route route = {.prefix = parse(A), .readable = false};

	setup(ZAPI_STATIC);
	table_complete(&table);
	ck_assert(table_feed_add(&table, &route, now));
	table_learned(&table, false);
	want(A, 4711, 0);
	expect_orders("");
	expect_reason("operator");
	table_deinit(&table);
}
END_TEST

static const struct {
	const char *prefix;
	bool readable, reread;
	uint32_t tag;
	bool ours;
} own_types[] = {
	{"10.0.0.1/32", true, false, 4711, true},
	{"fd00::1/128", true, false, 5, true},     /* of an earlier configuration */
	{"10.0.0.1/32", true, true, 0, true},      /* read from the kernel by a new zebra */
	{"10.0.0.1/32", true, false, 0, false},    /* ours have a tag */
	{"10.0.0.0/24", true, false, 4711, false}, /* ours are host routes */
	{"10.0.0.1/32", false, false, 0, false},   /* ours are plain */
};

START_TEST(another_daemon_of_an_own_type_is_noticed)
{
	struct wire_route route = {.prefix = parse(own_types[_i].prefix),
		.readable = own_types[_i].readable,
		.reread = own_types[_i].reread,
		.tag = own_types[_i].tag};

	setup(ZAPI_OPENFABRIC);
	table_complete(&table);
	ck_assert(table_feed_add(&table, &route, now));
	ck_assert_int_eq(table_stranger(&table) == NULL, own_types[_i].ours);
	table_learned(&table, false);
	ck_assert_uint_eq(table.n_dirty, own_types[_i].ours);
	table_deinit(&table);
}
END_TEST

START_TEST(leftovers_wait_for_completion)
{
	struct prefix *left;

	setup(ZAPI_STATIC);
	seen(A, 4711, 5);
	seen(B, 4712, 6);
	seen(C, 100, 0);
	want(A, 4711, 5);
	table_learned(&table, false);
	expect_orders("+" A " 4711 5 "); /* once more: nexthop or distance may have changed */
	expect_news(A " redistributed ");
	ck_assert_uint_eq(table_leftovers(&table, &left), 1);
	ck_assert_str_eq(prefix_text(&left[0], (char[PREFIX_STRLEN]){0}), B);
	free(left);
	ck_assert_uint_eq(table.counts[COUNT_LEFTOVERS], 1);
	table_complete(&table);
	expect_orders("-" B " 6 ");
	expect_news(B " withdrawing ");
	unseen(B);
	expect_news(B " gone ");
	/* From now on one that turns up is deleted at once. */
	seen(B, 4712, 6);
	expect_orders("-" B " 6 ");
	table_deinit(&table);
}
END_TEST

START_TEST(leftovers_of_an_own_type_are_kept_from_zebras_sweep)
{
	setup(ZAPI_OPENFABRIC);
	seen(A, 4711, 5);
	seen(B, 4712, 6);
	table_learned(&table, false);
	expect_orders("+" B " 4712 6 +" A " 4711 5 "); /* as they are, for nobody wants them yet */
	expect_news("");
	want(A, 4711, 5);
	ck_assert_uint_eq(table.counts[COUNT_LEFTOVERS], 1);
	table_complete(&table);
	expect_orders("+" A " 4711 5 -" B " 6 ");
	unseen(B);
	table_lost(&table);
	seen(A, 4711, 5);
	seen(B, 4712, 6);
	table_learned(&table, false);
	expect_orders("+" A " 4711 5 -" B " 6 "); /* what is wanted is known */
	table_deinit(&table);
}
END_TEST

START_TEST(a_leftover_may_be_cleared_by_name)
{
	setup(ZAPI_STATIC);
	seen(A, 4711, 5);
	table_learned(&table, false);
	unwant(A);
	expect_orders("-" A " 5 ");
	unseen(A);
	expect_news(A " gone ");
	table_deinit(&table);
}
END_TEST

START_TEST(what_was_withdrawn_without_zebra_is_gone_when_known)
{
	setup_learned(ZAPI_STATIC);
	want(A, 4711, 5);
	want(B, 4711, 5);
	want(C, 4711, 5);
	expect_orders("+" A " 4711 5 +" B " 4711 5 +" C " 4711 5 ");
	seen(A, 4711, 5);
	seen(B, 4711, 5);
	expect_news(A " redistributed " B " redistributed " C " pending ");
	table_lost(&table);
	expect_news(B " pending " A " pending ");
	unwant(A);
	unwant(B);
	unwant(C);
	expect_news(A " withdrawing " B " withdrawing " C " withdrawing ");
	seen(A, 4711, 5);
	seen(B, 100, 0); /* meanwhile the operator's */
	table_learned(&table, false);
	expect_orders("-" C " 5 -" A " 5 ");
	expect_news(B " gone ");
	unseen(A);
	expect_news(A " gone ");
	/* C never showed in the feed: silence tells, once the barrier was answered. */
	ck_assert(settle_after(1000));
	expect_news("");
	n_barriers++;
	ck_assert(!settle_after(1000));
	expect_news(C " gone ");
	n_barriers = 0;
	table_deinit(&table);
}
END_TEST

START_TEST(never_sent_is_gone_at_once)
{
	setup(ZAPI_STATIC);
	want(A, 4711, 5);
	expect_news(A " pending ");
	unwant(A);
	expect_news(A " gone ");
	ck_assert_uint_eq(table.routes.n, 0);
	table_deinit(&table);
}
END_TEST

/* staticd restarts: zebra drops all static routes. */
START_TEST(lost_static_routes_are_sent_again)
{
	setup_learned(ZAPI_STATIC);
	want(A, 4711, 5);
	expect_orders("+" A " 4711 5 ");
	seen(A, 4711, 5);
	expect_news(A " redistributed ");
	unseen(A);
	expect_orders("+" A " 4711 5 ");
	expect_reason("does not select");
	seen(A, 4711, 5);
	expect_news(A " redistributed ");
	/* Again at once: somebody fights us. Not more often than once per look. */
	n_barriers = 1;
	unseen(A);
	expect_orders("");
	settle_after(500);
	expect_orders("+" A " 4711 5 ");
	n_barriers = 0;
	table_deinit(&table);
}
END_TEST

START_TEST(hidden_static_routes_are_sent_again_when_staticd_left)
{
	setup_learned(ZAPI_STATIC);
	want(A, 4711, 5);
	want(B, 4711, 5);
	expect_orders("+" A " 4711 5 +" B " 4711 5 ");
	seen(A, 4711, 5);
	table_doubt(&table);
	expect_orders("+" B " 4711 5 ");
	table_deinit(&table);
}
END_TEST

START_TEST(a_lost_own_route_is_sent_again_when_removed)
{
	setup_learned(ZAPI_OPENFABRIC);
	want(A, 1, 5);
	expect_orders("+" A " 1 5 ");
	seen(A, 1, 5);
	unseen(A); /* beaten, or removed: the notification tells */
	expect_orders("");
	notified(WIRE_REMOVED, A);
	expect_orders("+" A " 1 5 ");
	table_deinit(&table);
}
END_TEST

START_TEST(a_delete_followed_by_an_add_is_no_loss)
{
	setup_learned(ZAPI_STATIC);
	want(A, 4711, 5);
	expect_orders("+" A " 4711 5 ");
	seen(A, 4711, 5);
	expect_news(A " redistributed ");
	unwant(A);
	expect_orders("-" A " 5 ");
	want(A, 4711, 5);
	expect_orders("+" A " 4711 5 ");
	expect_news(A " pending ");
	unseen(A);
	expect_news("");
	expect_orders("");
	seen(A, 4711, 5);
	expect_news(A " redistributed ");
	ck_assert_uint_eq(table.n_failures, 0);
	table_deinit(&table);
}
END_TEST

/* Without the feed, in a burst: the notifications are all there is. */
START_TEST(notifications_alone)
{
	setup_learned(ZAPI_OPENFABRIC);
	want(A, 1, 5);
	want(B, 1, 5);
	expect_orders("+" A " 1 5 +" B " 1 5 ");
	seen(A, 1, 5);
	seen(B, 1, 5);
	expect_news(A " redistributed " B " redistributed ");

	table_feed_end(&table);
	notified(WIRE_INSTALLED, A); /* sent again as it was */
	expect_news("");
	want(A, 2, 5);
	expect_orders("+" A " 2 5 ");
	expect_news(A " pending ");
	notified(WIRE_INSTALLED, A);
	expect_news(A " installed ");
	unwant(B);
	expect_orders("-" B " 5 ");
	expect_news(B " withdrawing ");
	notified(WIRE_REMOVED, B);
	expect_news(B " gone ");
	want(C, 1, 5);
	expect_orders("+" C " 1 5 ");
	notified(WIRE_INSTALLED, C);
	expect_news(C " installed ");
	notified(WIRE_BETTER_ADMIN_WON, C);
	expect_reason("better route");

	table_feed_begin(&table);
	seen(A, 2, 5);
	expect_news(A " redistributed ");
	table_feed_complete(&table, now);
	expect_news("");
	unseen(A);
	expect_reason("does not select");
	table_deinit(&table);
}
END_TEST

/* What the feed shows no more when it is back was lost meanwhile. */
START_TEST(what_is_not_shown_again_is_gone)
{
	setup_learned(ZAPI_OPENFABRIC);
	want(A, 1, 5);
	want(B, 1, 5);
	expect_orders("+" A " 1 5 +" B " 1 5 ");
	seen(A, 1, 5);
	seen(B, 1, 5);
	seen(C, 1, 5); /* a left-over */
	expect_news(A " redistributed " B " redistributed ");
	table_feed_end(&table);
	table_feed_begin(&table);
	seen(A, 1, 5);
	expect_news("");
	ck_assert_uint_eq(table.counts[COUNT_LEFTOVERS], 1);
	table_feed_complete(&table, now);
	expect_reason("does not select");
	expect_news("");
	ck_assert_uint_eq(table.counts[COUNT_REDISTRIBUTED], 1);
	ck_assert_uint_eq(table.counts[COUNT_LEFTOVERS], 0);
	ck_assert_uint_eq(table.n_feed, 1);
	table_deinit(&table);
}
END_TEST

/* But not what is under way: zebra may have deleted it, and not selected it anew yet. */
START_TEST(what_is_under_way_is_not_gone)
{
	setup_learned(ZAPI_OPENFABRIC);
	want(A, 1, 5);
	expect_orders("+" A " 1 5 ");
	seen(A, 1, 5);
	expect_news(A " redistributed ");
	table_feed_end(&table);
	unwant(A);
	expect_orders("-" A " 5 ");
	want(A, 1, 5);
	expect_orders("+" A " 1 5 ");
	expect_news(A " pending ");
	n_barriers = 1;
	ck_assert(!settle_after(TABLE_SETTLE_MS)); /* the deletion is not waited for any more */
	expect_news(A " redistributed ");
	want(A, 2, 5);
	expect_orders("+" A " 2 5 ");
	table_feed_begin(&table);
	table_feed_complete(&table, now);
	expect_news(A " pending ");
	ck_assert_uint_eq(table.n_failures, 0);
	seen(A, 2, 5);
	expect_news(A " redistributed ");
	n_barriers = 0;
	table_deinit(&table);
}
END_TEST

/* zebra may have selected a route without a word; that it did not only the feed can show. */
START_TEST(silence_without_the_feed_means_nothing)
{
	setup_learned(ZAPI_OPENFABRIC);
	table_feed_end(&table);
	want(A, 1, 5);
	expect_orders("+" A " 1 5 ");
	expect_news(A " pending ");
	n_barriers = 1;
	for (int i = 0; i < 50; i++) {
		ck_assert(settle_after(TABLE_SETTLE_MS));
		expect_news("");
	}
	table_feed_begin(&table);
	table_feed_complete(&table, now);
	ck_assert(settle_after(TABLE_SETTLE_MS));
	expect_news("");
	ck_assert(settle_after(TABLE_SETTLE_MS));
	expect_reason("does not select");
	n_barriers = 0;
	table_deinit(&table);
}
END_TEST

/* zebra has read it and has nothing to do: two looks tell. While it is busy, ten seconds do. */
START_TEST(silence_is_told_after_a_while)
{
	setup_learned(ZAPI_STATIC);
	want(A, 4711, 5);
	expect_orders("+" A " 4711 5 ");
	expect_news(A " pending ");
	n_barriers = 1;
	ck_assert(settle_after(TABLE_SETTLE_MS));
	expect_news("");
	ck_assert(settle_after(TABLE_SETTLE_MS));
	expect_reason("does not select");
	seen(A, 4711, 5);
	expect_news(A " redistributed ");

	want(B, 4711, 5);
	expect_orders("+" B " 4711 5 ");
	expect_news(B " pending ");
	n_barriers = 2;
	for (int64_t ms = 0; ms < 10000 - TABLE_SETTLE_MS; ms += TABLE_SETTLE_MS) {
		seen(A, 4711, 5);
		ck_assert(settle_after(TABLE_SETTLE_MS));
		expect_news("");
	}
	seen(A, 4711, 5);
	ck_assert(settle_after(TABLE_SETTLE_MS));
	expect_reason("does not select");
	n_barriers = 0;
	table_deinit(&table);
}
END_TEST

/* Somebody may have deleted it, and zebra would not tell: it is sent again, ever more seldom. */
START_TEST(what_is_rejected_is_sent_again)
{
	unsigned n_sent = 0, n_late = 0;
	struct order order;

	setup_learned(ZAPI_OPENFABRIC);
	want(A, 4711, 5);
	expect_orders("+" A " 4711 5 ");
	seen(A, 4711, 5);
	unseen(A);
	notified(WIRE_BETTER_ADMIN_WON, A);
	expect_reason("better route");
	n_barriers = 1;
	for (int i = 0; i < 1024; i++) {
		settle_after(TABLE_SETTLE_MS);
		while (table_next_order(&table, now, n_barriers, &order)) {
			n_sent++;
			n_late += i >= 512;
			notified(WIRE_BETTER_ADMIN_WON, A); /* as releases from 10.0 on do */
		}
	}
	ck_assert_uint_ge(n_sent, 10);
	ck_assert_uint_le(n_sent, 16);
	ck_assert_uint_eq(n_late, 4);
	expect_news("");
	seen(A, 4711, 5);
	ck_assert(!settle_after(TABLE_SETTLE_MS));
	expect_news(A " redistributed ");
	n_barriers = 0;
	table_deinit(&table);
}
END_TEST

/* What changes faster than zebra reads, or all the time, is sent as it is in the end. */
START_TEST(of_a_storm_only_the_end_is_sent)
{
	unsigned n_sent = 0;
	struct order order;

	setup_learned(ZAPI_STATIC);
	want(A, 4711, 1);
	ck_assert(table_next_order(&table, now, 1, &order));
	for (unsigned i = 2; i <= 100; i++) { /* not read yet */
		want(A, 4711, i);
		ck_assert(!table_next_order(&table, now, 2, &order));
	}
	unwant(A);
	want(B, 4711, 1);
	ck_assert(table_next_order(&table, now, 2, &order) && order.add && !order.remove);
	table_unwant_all(&table);
	ck_assert(!table_next_order(&table, now, 2, &order));
	n_barriers = 1;
	table_answered(&table, n_barriers); /* at once, and not at the next look */
	expect_orders("-" A " 1 -" B " 1 ");
	n_barriers = 2;
	settle_after(TABLE_SETTLE_MS);
	expect_news(A " gone " B " gone ");

	for (unsigned i = 0; i < 1000; i++) { /* read at once, and changed each millisecond */
		want(A, 4711, i);
		while (table_next_order(&table, now, n_barriers, &order))
			n_sent++;
		settle_after(1);
	}
	ck_assert_uint_ge(n_sent, 3);
	ck_assert_uint_le(n_sent, 32);
	settle_after(TABLE_SETTLE_MS);
	settle_after(TABLE_SETTLE_MS);
	expect_news(A " pending ");

	n_sent = 0;
	for (unsigned i = 0; i < 1000; i++) { /* gone each time: not even that makes it a new one */
		if (i % 2)
			unwant(A);
		else
			want(A, 4711, 1);
		while (table_next_order(&table, now, n_barriers, &order)) {
			n_sent++;
			if (order.add)
				seen(A, 4711, 1);
			else
				unseen(A);
		}
		settle_after(1);
		while (table_pop_news(&table, &(struct zapi_event){0}))
			;
	}
	ck_assert_uint_le(n_sent, 32);
	want(A, 4711, 5);
	table_hurry(&table);
	expect_orders("+" A " 4711 5 ");
	unseen(A);
	unwant(A);
	expect_orders("-" A " 5 ");
	n_barriers++;
	for (int i = 0; i < 20 && table.routes.n; i++) {
		settle_after(TABLE_SETTLE_MS);
		expect_orders("");
		while (table_pop_news(&table, &(struct zapi_event){0}))
			;
	}
	ck_assert_uint_eq(table.routes.n, 0);
	n_barriers = 0;
	table_deinit(&table);
}
END_TEST

START_TEST(a_delete_without_effect_is_repeated)
{
	int n = 0;

	setup_learned(ZAPI_STATIC);
	seen(A, 4711, 5);
	unwant(A);
	expect_orders("-" A " 5 ");
	n_barriers = 1;
	for (; settle_after(TABLE_SETTLE_MS) && n < 100; n++)
		;
	ck_assert_int_eq(n, 19);
	expect_orders("-" A " 5 ");
	unseen(A);
	ck_assert(!settle_after(TABLE_SETTLE_MS));
	n_barriers = 0;
	table_deinit(&table);
}
END_TEST

/* Another one of us with the same tag: we insist for a while, then say so. */
START_TEST(a_route_that_stays_different_is_rejected)
{
	unsigned n_sent = 0;
	struct order order;

	setup_learned(ZAPI_STATIC);
	want(A, 4711, 5);
	seen(A, 4712, 9);
	n_barriers = 1;
	table_answered(&table, n_barriers);
	for (int i = 0; i < 100; i++) {
		while (table_next_order(&table, now, n_barriers, &order))
			n_sent++;
		seen(A, 4712, 9);
		settle_after(500);
	}
	expect_reason("another tag, metric or distance");
	ck_assert_uint_le(n_sent, 100);
	n_barriers = 0;
	table_deinit(&table);
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
	setup_learned(ZAPI_TABLE);
	want(C, 4711, 5);
	expect_orders("");
	expect_reason("IPv4 only");
	table_deinit(&table);
	setup_learned(ZAPI_STATIC);
	want(A, 4713, 5);
	expect_orders("");
	expect_reason("one of our tags");
	table_deinit(&table);
}
END_TEST

START_TEST(connected_only_watches)
{
	setup(ZAPI_CONNECTED);
	table_complete(&table);
	seen(A, 0, 0);
	seen(B, 0, 0);
	table_learned(&table, false);
	want(A, 4711, 7);
	want(C, 0, 0);
	expect_orders("");
	expect_news(A " redistributed " C " pending ");
	unseen(A);
	expect_reason("connected");
	seen(A, 0, 0);
	expect_news(A " redistributed ");
	/* The address is taken away after we said so, not before. */
	unwant(A);
	unwant(B);
	expect_news(A " gone ");
	expect_orders("");
	ck_assert_uint_eq(table.counts[COUNT_LEFTOVERS], 0);
	table_deinit(&table);
}
END_TEST

START_TEST(the_feed_is_bounded)
{
	struct wire_route route = {.prefix = {.family = AF_INET, .len = 32}, .readable = true};
	size_t n = 0;

	setup(ZAPI_STATIC);
	while (n < TABLE_FEED_MAX) {
		uint32_t address = (uint32_t)n++;

		for (int i = 3; i >= 0; i--, address >>= 8)
			route.prefix.addr[i] = (uint8_t)address;
		ck_assert(table_feed_add(&table, &route, now));
	}
	ck_assert(table_feed_add(&table, &route, now));
	route.prefix.addr[0] = 200;
	ck_assert(!table_feed_add(&table, &route, now));
	table_lost(&table);
	ck_assert_uint_eq(table.routes.n, 0);
	ck_assert_uint_eq(table.n_feed, 0);
	table_deinit(&table);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zapi/table");
	TCase *tcase = tcase_create("table");
	TCase *bounds = tcase_create("bounds");

	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, a_route_lives_and_dies);
	tcase_add_test(tcase, own_types_are_notified);
	tcase_add_test(tcase, only_the_last_state_is_sent);
	tcase_add_test(tcase, a_change_waits_for_its_confirmation);
	tcase_add_test(tcase, a_static_metric_is_a_key_on_late_releases);
	tcase_add_test(tcase, a_static_distance_is_a_key);
	tcase_add_test(tcase, a_route_that_is_hidden_later_is_deleted);
	tcase_add_test(tcase, the_better_distance_wins);
	tcase_add_test(tcase, an_orphan_is_told_from_staticds);
	tcase_add_test(tcase, a_delete_that_waits_is_sent);
	tcase_add_test(tcase, one_of_another_metric_leaves_ours_there);
	tcase_add_test(tcase, the_operators_static_routes_are_sacred);
	tcase_add_test(tcase, the_tag_that_keeps_us_out_is_told);
	tcase_add_test(tcase, orphans_may_be_taken_over);
	tcase_add_test(tcase, an_unreadable_static_route_is_not_ours);
	tcase_add_loop_test(
		tcase, another_daemon_of_an_own_type_is_noticed, 0, N_ELEMENTS(own_types));
	tcase_add_test(tcase, leftovers_wait_for_completion);
	tcase_add_test(tcase, leftovers_of_an_own_type_are_kept_from_zebras_sweep);
	tcase_add_test(tcase, a_leftover_may_be_cleared_by_name);
	tcase_add_test(tcase, what_was_withdrawn_without_zebra_is_gone_when_known);
	tcase_add_test(tcase, never_sent_is_gone_at_once);
	tcase_add_test(tcase, lost_static_routes_are_sent_again);
	tcase_add_test(tcase, hidden_static_routes_are_sent_again_when_staticd_left);
	tcase_add_test(tcase, a_lost_own_route_is_sent_again_when_removed);
	tcase_add_test(tcase, a_delete_followed_by_an_add_is_no_loss);
	tcase_add_test(tcase, notifications_alone);
	tcase_add_test(tcase, what_is_not_shown_again_is_gone);
	tcase_add_test(tcase, what_is_under_way_is_not_gone);
	tcase_add_test(tcase, silence_without_the_feed_means_nothing);
	tcase_add_test(tcase, silence_is_told_after_a_while);
	tcase_add_test(tcase, what_is_rejected_is_sent_again);
	tcase_add_test(tcase, of_a_storm_only_the_end_is_sent);
	tcase_add_test(tcase, a_delete_without_effect_is_repeated);
	tcase_add_test(tcase, a_route_that_stays_different_is_rejected);
	tcase_add_test(tcase, what_cannot_be_is_refused);
	tcase_add_test(tcase, connected_only_watches);
	/* 250,000 routes: seconds under a sanitizer. */
	suite_add_tcase(suite, bounds);
	tcase_set_timeout(bounds, 60);
	tcase_add_test(bounds, the_feed_is_bounded);
	return unit_run(suite);
}
