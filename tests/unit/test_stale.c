/* SPDX-License-Identifier: Apache-2.0 */
/* How old the knowledge is, by streams that are only told of. */
#include "stale.h"
#include "unit.h"

#define LIMIT 60

static struct k8s_stream_status stream = {.plan = "pods"}; /* the only one */
static struct loop *loop;
static struct stale stale;
static unsigned n_notices;

bool k8s_next_stream(const struct k8s *k8s, struct k8s_stream_status *status)
{
	static const struct stream *const there = (const struct stream *)&stream;

	(void)k8s;
	if (status->of)
		return false;
	*status = stream;
	status->of = there;
	return true;
}

static void notice(void *data)
{
	(void)data;
	n_notices++;
}

static void begin(void)
{
	bool files = !stream.plan;

	mono_stop();
	loop = loop_new();
	stream = (struct k8s_stream_status){.plan = stream.plan};
	stale_init(&stale, loop, NULL, files, notice, NULL);
	stale_consider(&stale, LIMIT);
}

static void end(void)
{
	stale_deinit(&stale);
	loop = loop_free(loop);
}

static void all_told(void)
{
	stream.synced = true;
	stale_synced(&stale);
	stale_consider(&stale, LIMIT);
}

static void lose(void)
{
	stream.error = "gone";
	stale_consider(&stale, LIMIT);
}

/* Whether the limit is over then. */
static bool is_over_after(int64_t seconds)
{
	mono_turn(mono_s(seconds));
	loop_turn(loop, 0);
	return stale.over;
}

START_TEST(a_lost_watch_is_stale)
{
	begin();
	all_told();
	ck_assert(!is_over_after(1000));
	lose();
	ck_assert(!is_over_after(LIMIT - 1));
	ck_assert(is_over_after(1));
	ck_assert_uint_eq(n_notices, 1);
	stream.error = NULL;
	stale_consider(&stale, LIMIT);
	ck_assert(!stale.over && stale_seconds(&stale) == 0);
	ck_assert_uint_eq(n_notices, 2);
	end();
}
END_TEST

START_TEST(what_was_never_known_is_stale_since_the_start)
{
	begin();
	ck_assert(!is_over_after(LIMIT / 2));
	end();
	begin(); /* another configuration, say */
	ck_assert(!is_over_after(LIMIT / 2 - 1));
	lose();
	ck_assert(!stale.over);
	ck_assert(is_over_after(1));
	end();
	begin();
	ck_assert(stale.over);
	lose();
	all_told();
	ck_assert(stale.over); /* lost behind its first list */
	stream.error = NULL;
	stale_consider(&stale, LIMIT);
	ck_assert(!stale.over);
	end();
}
END_TEST

START_TEST(the_next_life_has_its_time_when_this_one_knew)
{
	begin();
	all_told();
	ck_assert(!is_over_after(1000));
	end();
	begin();
	ck_assert(!is_over_after(LIMIT - 1));
	ck_assert(is_over_after(1));
	end();
}
END_TEST

START_TEST(an_outage_goes_on_in_the_next_life)
{
	begin();
	all_told();
	lose();
	ck_assert(!is_over_after(LIMIT / 2));
	end();
	begin();
	ck_assert(!is_over_after(LIMIT / 2 - 1));
	ck_assert(is_over_after(1));
	end();
}
END_TEST

START_TEST(files_and_what_not_everybody_has_do_not_count)
{
	begin();
	all_told();
	stream.optional = true;
	lose();
	ck_assert(!is_over_after(LIMIT));
	end();
	stream.plan = NULL;
	begin();
	ck_assert(!is_over_after(LIMIT));
	lose(); /* one that does not read has no first list */
	ck_assert(!is_over_after(LIMIT));
	end();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stale");
	TCase *tcase = tcase_create("stale");

	tcase_add_test(tcase, a_lost_watch_is_stale);
	tcase_add_test(tcase, what_was_never_known_is_stale_since_the_start);
	tcase_add_test(tcase, the_next_life_has_its_time_when_this_one_knew);
	tcase_add_test(tcase, an_outage_goes_on_in_the_next_life);
	tcase_add_test(tcase, files_and_what_not_everybody_has_do_not_count);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
