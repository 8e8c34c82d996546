/* SPDX-License-Identifier: Apache-2.0 */
/* Delays, damping and anchor, by a clock that the test turns. */
#include "stability.h"
#include "unit.h"

static struct config_class class;
static struct stability address;
static struct mono now;

static void setup(void)
{
	class = (struct config_class){
		.damping_suppress = 2000,
		.damping_reuse = 750,
		.damping_max_seconds = 3600,
	};
	address = (struct stability){0};
	now = mono_s(1000);
}

static bool ask(enum wish wish)
{
	return stability_step(&address, &class, wish, true, now);
}

static void pass(int64_t seconds)
{
	now = mono_add(now, mono_s(seconds));
}

/* One withdrawal for being ill. */
static void flap(void)
{
	ask(WISH_UP);
	ask(WISH_DOWN_ILL);
}

static double penalty(void)
{
	return stability_penalty(&address, &class, now);
}

START_TEST(without_rules_all_is_granted_at_once)
{
	ck_assert(!stability_applies(&class));
	ck_assert(!ask(WISH_DOWN_ILL));
	ck_assert(ask(WISH_UP));
	ck_assert(ask(WISH_STAY));
	ck_assert(!ask(WISH_DOWN));
	ck_assert(!ask(WISH_STAY));
	ck_assert_int_eq(address.hold, HOLD_NONE);
	ck_assert_int_eq(address.until.ns, 0);
}
END_TEST

START_TEST(a_rise_takes_unbroken_health)
{
	class.rise_seconds = 5;
	ck_assert(stability_applies(&class));
	ck_assert(!ask(WISH_UP));
	ck_assert_int_eq(address.hold, HOLD_RISE);
	ck_assert_int_eq(address.until.ns, mono_add(now, mono_s(5)).ns);
	pass(4);
	ck_assert(!ask(WISH_UP));
	ck_assert(!ask(WISH_DOWN_ILL));
	ck_assert_int_eq(address.hold, HOLD_NONE);
	pass(2);
	ck_assert(!ask(WISH_UP));
	pass(5);
	ck_assert(ask(WISH_UP));
	ck_assert_int_eq(address.hold, HOLD_NONE);
	ck_assert(!ask(WISH_DOWN_ILL));
}
END_TEST

START_TEST(a_fall_waits_only_for_what_may_pass)
{
	class.fall_seconds = 3;
	ck_assert(ask(WISH_UP));
	ck_assert(ask(WISH_DOWN_ILL));
	ck_assert_int_eq(address.hold, HOLD_FALL);
	pass(2);
	ck_assert(ask(WISH_UP));
	pass(2);
	ck_assert(ask(WISH_DOWN_ILL));
	pass(3);
	ck_assert(!ask(WISH_DOWN_ILL));
	ck_assert(ask(WISH_UP));
	ck_assert(ask(WISH_DOWN_ILL));
	ck_assert(!ask(WISH_DOWN));
}
END_TEST

START_TEST(flapping_is_suppressed_until_the_penalty_has_decayed)
{
	class.damping_half_life_seconds = 900;
	flap();
	ck_assert_double_eq_tol(penalty(), 1000, 1e-6);
	pass(900);
	ck_assert_double_eq_tol(penalty(), 500, 1e-6);
	flap();
	ck_assert(ask(WISH_UP)); /* 1500 */
	ck_assert(!ask(WISH_DOWN_ILL));
	ck_assert_double_eq_tol(penalty(), 2500, 1e-6);
	ck_assert(!ask(WISH_UP));
	ck_assert_int_eq(address.hold, HOLD_SUPPRESSED);
	/* 900 * log2(2500 / 750) */
	ck_assert_double_eq_tol(mono_to_s(mono_sub(address.until, now)), 1563.3, 0.1);
	pass(1563);
	ck_assert(!ask(WISH_UP));
	pass(1);
	ck_assert(ask(WISH_UP));
	ck_assert_int_eq(address.hold, HOLD_NONE);
}
END_TEST

START_TEST(a_suppressed_address_is_ill_for_no_reason_of_its_own)
{
	class.damping_half_life_seconds = 900;
	for (int i = 0; i < 3; i++)
		flap();
	ck_assert(!ask(WISH_DOWN_ILL));
	ck_assert_int_eq(address.hold, HOLD_NONE);
	ck_assert(!ask(WISH_UP));
	ck_assert_int_eq(address.hold, HOLD_SUPPRESSED);
}
END_TEST

START_TEST(no_suppression_is_longer_than_the_maximum)
{
	class.damping_half_life_seconds = 900;
	for (int i = 0; i < 1000; i++)
		flap();
	ck_assert_double_eq_tol(penalty(), 750 * 16, 1e-6);
	ck_assert(!ask(WISH_UP));
	pass(3599);
	ck_assert(!ask(WISH_UP));
	pass(2);
	ck_assert(ask(WISH_UP));
}
END_TEST

START_TEST(a_drained_address_is_not_punished)
{
	class.damping_half_life_seconds = 900;
	for (int i = 0; i < 10; i++) {
		ask(WISH_UP);
		ask(WISH_DOWN);
	}
	ck_assert_double_eq_tol(penalty(), 0, 1e-6);
	ck_assert(ask(WISH_UP));
}
END_TEST

START_TEST(what_a_fall_delay_kept_away_is_not_punished)
{
	class.damping_half_life_seconds = 900;
	class.fall_seconds = 3;
	for (int i = 0; i < 10; i++)
		flap();
	ck_assert_double_eq_tol(penalty(), 0, 1e-6);
	ck_assert(ask(WISH_UP));
}
END_TEST

START_TEST(rules_that_are_gone_hold_nothing)
{
	class.damping_half_life_seconds = 900;
	for (int i = 0; i < 3; i++)
		flap();
	class.damping_half_life_seconds = 0;
	ck_assert(ask(WISH_UP));
	ck_assert_double_eq_tol(penalty(), 0, 1e-6);
}
END_TEST

START_TEST(what_is_anchored_stays_and_is_not_punished)
{
	class.damping_half_life_seconds = 900;
	ck_assert(ask(WISH_UP));
	for (int i = 0; i < 5; i++) {
		ck_assert(stability_step(&address, &class, WISH_DOWN_ILL, false, now));
		ck_assert_int_eq(address.hold, HOLD_ANCHOR);
		pass(1);
	}
	ck_assert(ask(WISH_UP));
	ck_assert_int_eq(address.hold, HOLD_NONE);
	ck_assert_double_eq_tol(penalty(), 0, 1e-6);
	ck_assert(!stability_step(&address, &class, WISH_DOWN, false, now));
}
END_TEST

START_TEST(the_anchor_counts_what_went_lately)
{
	static const struct {
		struct anchor_tally tally;
		int64_t percent;
		bool holds;
	} rows[] = {
		{{.up = 10, .going = 5}, 50, false}, {{.up = 10, .going = 6}, 50, true},
		{{.up = 10, .going = 10}, 0, false},
		{{.up = 2, .going = 2}, 50, false}, /* too few to tell */
		{{.up = 3, .going = 3}, 50, true}, {{.up = 3, .going = 3}, 100, false},
		{{.up = 6, .going = 2, .gone = 4}, 50, true},
		{{.up = 6, .going = 1, .gone = 4}, 50, false},
		{{.up = 6, .going = 0, .gone = 40}, 50, false}, /* nothing is left to hold */
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		ck_assert_msg(anchor_holds(&rows[i].tally, rows[i].percent) == rows[i].holds,
			"row %zu", i);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stability");
	TCase *tcase = tcase_create("stability");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, without_rules_all_is_granted_at_once);
	tcase_add_test(tcase, a_rise_takes_unbroken_health);
	tcase_add_test(tcase, a_fall_waits_only_for_what_may_pass);
	tcase_add_test(tcase, flapping_is_suppressed_until_the_penalty_has_decayed);
	tcase_add_test(tcase, a_suppressed_address_is_ill_for_no_reason_of_its_own);
	tcase_add_test(tcase, no_suppression_is_longer_than_the_maximum);
	tcase_add_test(tcase, a_drained_address_is_not_punished);
	tcase_add_test(tcase, what_a_fall_delay_kept_away_is_not_punished);
	tcase_add_test(tcase, rules_that_are_gone_hold_nothing);
	tcase_add_test(tcase, what_is_anchored_stays_and_is_not_punished);
	tcase_add_test(tcase, the_anchor_counts_what_went_lately);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
