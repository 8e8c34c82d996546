/* SPDX-License-Identifier: Apache-2.0 */
/* The rings: the newest are kept, in order, and nothing more. */
#include "journal.h"
#include "unit.h"

static struct journal journal;

static void teardown(void)
{
	journal_deinit(&journal);
}

static void add(unsigned i)
{
	struct prefix address = {.family = AF_INET, .len = 32, .addr = {10, 0, 0, (uint8_t)i}};
	auto_free char *why = xasprintf("%u", i);

	journal_transition(&journal, &address, "down", "pending", i % 2 ? "a/b" : NULL, why);
	journal_latency(&journal, "announce", i);
}

START_TEST(an_empty_one_has_nothing)
{
	ck_assert_ptr_null(journal_transition_at(&journal, 0));
	ck_assert_ptr_null(journal_latency_at(&journal, 0));
}
END_TEST

START_TEST(the_order_is_kept)
{
	add(0);
	add(1);
	ck_assert_str_eq(journal_transition_at(&journal, 0)->why, "0");
	ck_assert_ptr_null(journal_transition_at(&journal, 0)->service);
	ck_assert_str_eq(journal_transition_at(&journal, 1)->service, "a/b");
	ck_assert_ptr_null(journal_transition_at(&journal, 2));
	ck_assert(journal_latency_at(&journal, 1)->ms == 1);
	ck_assert_ptr_null(journal_latency_at(&journal, 2));
}
END_TEST

START_TEST(the_newest_replace_the_oldest)
{
	const unsigned n = 2 * JOURNAL_LATENCIES + 7;

	for (unsigned i = 0; i < n; i++)
		add(i);
	for (unsigned i = 0; i < JOURNAL_TRANSITIONS; i++) {
		auto_free char *why = xasprintf("%u", n - JOURNAL_TRANSITIONS + i);

		ck_assert_str_eq(journal_transition_at(&journal, i)->why, why);
	}
	ck_assert_ptr_null(journal_transition_at(&journal, JOURNAL_TRANSITIONS));
	for (unsigned i = 0; i < JOURNAL_LATENCIES; i++)
		ck_assert(journal_latency_at(&journal, i)->ms == n - JOURNAL_LATENCIES + i);
	ck_assert_ptr_null(journal_latency_at(&journal, JOURNAL_LATENCIES));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("journal");
	TCase *tcase = tcase_create("journal");

	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_test(tcase, an_empty_one_has_nothing);
	tcase_add_test(tcase, the_order_is_kept);
	tcase_add_test(tcase, the_newest_replace_the_oldest);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
