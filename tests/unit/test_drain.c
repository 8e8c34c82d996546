/* SPDX-License-Identifier: Apache-2.0 */
/* The ladder, over several lives of a process; node, announcer and time are only played. */
#include "drain.h"
#include "objects.h"
#include "unit.h"

static const char *trigger; /* the node's */
static bool tagged;
static struct config *config;
static struct loop *loop;
static struct cluster cluster;
static struct drain drain;

/* What is played */

char *plan_drain_trigger(const struct config *c, const struct k8s_object *node)
{
	(void)c;
	(void)node;
	return trigger ? xstrdup(trigger) : NULL;
}

const struct k8s_object *cluster_node(const struct cluster *c)
{
	(void)c;
	return NULL;
}

void announce_set_draining(struct announce *announce, bool draining)
{
	(void)announce;
	tagged = draining;
}

static void replan(void *data)
{
	(void)data;
}

static void begin(void)
{
	loop = loop_new();
	cluster = (struct cluster){0};
	tagged = false;
	drain_init(&drain, loop, &cluster, NULL, replan, NULL);
}

static void end(void)
{
	drain_deinit(&drain);
	loop = loop_free(loop);
}

static void setup(void)
{
	log_setup(LOG_ERR, LOG_LOGFMT);
	mono_stop();
	config = config_of("announce: {drain_seconds: 60}");
	begin();
}

static void teardown(void)
{
	end();
	drain_free(&drain);
	config_free(config);
}

static void pass(int64_t seconds)
{
	mono_turn(mono_s(seconds));
	loop_turn(loop, 0);
}

static enum drain_phase look(void)
{
	drain_consider(&drain, config);
	ck_assert_int_eq(tagged, drain.phase == DRAIN_TAGGED);
	ck_assert_ptr_eq(cluster.drained, drain.phase == DRAIN_WITHDRAWN ? drain.why : NULL);
	return drain.phase;
}

static enum drain_phase look_in_next_life(void)
{
	end();
	begin();
	return look();
}

START_TEST(what_a_former_process_drained_stays_withdrawn)
{
	trigger = "a test";
	ck_assert_int_eq(look(), DRAIN_WITHDRAWN);
	ck_assert_int_eq(look_in_next_life(), DRAIN_WITHDRAWN);
	trigger = NULL;
	ck_assert_int_eq(look_in_next_life(), DRAIN_NONE);
	ck_assert_int_eq(look(), DRAIN_NONE);
}
END_TEST

START_TEST(a_ladder_goes_on_in_the_next_life)
{
	ck_assert_int_eq(look(), DRAIN_NONE);
	trigger = "a test";
	ck_assert_int_eq(look(), DRAIN_TAGGED);
	pass(20);
	ck_assert_int_eq(look_in_next_life(), DRAIN_TAGGED);
	pass(20);
	end(); /* one that never knows the cluster, say */
	begin();
	ck_assert_int_eq(look_in_next_life(), DRAIN_TAGGED);
	pass(19);
	ck_assert_int_eq(look(), DRAIN_TAGGED);
	pass(1);
	ck_assert_int_eq(look(), DRAIN_WITHDRAWN);
	ck_assert_int_eq(look_in_next_life(), DRAIN_WITHDRAWN);
}
END_TEST

START_TEST(a_ladder_that_ends_is_none_of_the_next_life)
{
	ck_assert_int_eq(look(), DRAIN_NONE);
	trigger = "a test";
	ck_assert_int_eq(look(), DRAIN_TAGGED);
	pass(40);
	trigger = NULL;
	ck_assert_int_eq(look(), DRAIN_NONE);
	trigger = "a test"; /* it comes while nobody looks */
	ck_assert_int_eq(look_in_next_life(), DRAIN_TAGGED);
	pass(40);
	trigger = NULL; /* and goes so */
	ck_assert_int_eq(look_in_next_life(), DRAIN_NONE);
	trigger = "a test";
	ck_assert_int_eq(look(), DRAIN_TAGGED);
	pass(40);
	ck_assert_int_eq(look(), DRAIN_TAGGED);
	pass(20);
	ck_assert_int_eq(look(), DRAIN_WITHDRAWN);
}
END_TEST

START_TEST(a_signal_drains_in_the_next_life_as_well)
{
	ck_assert_int_eq(look(), DRAIN_NONE);
	drain_signal(&drain, config, true);
	pass(40);
	ck_assert_int_eq(look_in_next_life(), DRAIN_TAGGED);
	pass(20);
	ck_assert_int_eq(look(), DRAIN_WITHDRAWN);
	ck_assert_int_eq(look_in_next_life(), DRAIN_WITHDRAWN);
	drain_signal(&drain, config, false);
	ck_assert_int_eq(look_in_next_life(), DRAIN_NONE);
}
END_TEST

START_TEST(what_was_waited_for_drains_while_it_is_unwell)
{
	config_free(config);
	config = config_of("announce: {drain_seconds: 60, drain_on: [wait_for], "
			   "wait_for: 'http://127.0.0.1:10256/healthz'}");
	ck_assert_int_eq(look(), DRAIN_NONE);
	drain_unwell(&drain, config, "it answers 503");
	ck_assert_int_eq(look(), DRAIN_TAGGED);
	ck_assert_str_eq(
		drain.why, "http://127.0.0.1:10256/healthz: it answers 503 (announce.wait_for)");
	ck_assert_int_eq(look_in_next_life(), DRAIN_TAGGED);
	pass(60);
	ck_assert_int_eq(look(), DRAIN_WITHDRAWN);
	trigger = "a test"; /* as well: the words change, and are those that are told */
	ck_assert_int_eq(look(), DRAIN_WITHDRAWN);
	ck_assert_str_eq(cluster.drained, "a test");
	drain_unwell(&drain, config, NULL);
	ck_assert_int_eq(look(), DRAIN_WITHDRAWN);
	trigger = NULL;
	ck_assert_int_eq(look(), DRAIN_NONE);
}
END_TEST

START_TEST(it_does_not_drain_unless_that_is_asked_for)
{
	ck_assert_int_eq(look(), DRAIN_NONE);
	drain_unwell(&drain, config, "it answers 503");
	ck_assert_int_eq(look(), DRAIN_NONE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("drain");
	TCase *tcase = tcase_create("drain");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, what_a_former_process_drained_stays_withdrawn);
	tcase_add_test(tcase, a_ladder_goes_on_in_the_next_life);
	tcase_add_test(tcase, a_ladder_that_ends_is_none_of_the_next_life);
	tcase_add_test(tcase, a_signal_drains_in_the_next_life_as_well);
	tcase_add_test(tcase, what_was_waited_for_drains_while_it_is_unwell);
	tcase_add_test(tcase, it_does_not_drain_unless_that_is_asked_for);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
