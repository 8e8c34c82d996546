/* SPDX-License-Identifier: Apache-2.0 */
/* The table of releases against itself, and the words of bgpd. */
#include "unit.h"

#include <string.h>

#include "release.h"
#include "word.h"

/* Relations that hold between the numbers on every line. */
START_TEST(numbers_hang_together)
{
	enum release r = (enum release)_i;
	bool is_new = r >= RELEASE_10_0;

	ck_assert_uint_eq(release_fact(r, MSG_ROUTE_ADD), is_new ? 9 : 8);
	ck_assert_uint_eq(release_fact(r, MSG_ROUTE_DELETE), release_fact(r, MSG_ROUTE_ADD) + 1);
	ck_assert_uint_eq(release_fact(r, MSG_CAPABILITIES), release_fact(r, MSG_HELLO) + 1);
	ck_assert_uint_eq(release_fact(r, MSG_REDISTRIBUTE_ROUTE_DEL),
		release_fact(r, MSG_REDISTRIBUTE_ROUTE_ADD) + 1);
	ck_assert_uint_eq(release_fact(r, MSG_CLIENT_CAPABILITIES), release_fact(r, MSG_ERROR) + 1);
	if (r > RELEASE_7_5) {
		ck_assert_uint_eq(
			release_fact(r, MSG_ROUTE_NOTIFY_REQUEST), release_fact(r, MSG_ERROR) + 6);
		ck_assert_uint_eq(
			release_fact(r, MSG_CLIENT_CLOSE_NOTIFY), release_fact(r, MSG_ERROR) + 7);
	}
	/* The route type LOCAL came in before static with FRR 10. */
	ck_assert_uint_eq(release_fact(r, TYPE_STATIC), is_new ? 4 : 3);
	ck_assert_uint_eq(release_fact(r, TYPE_OPENFABRIC), is_new ? 27 : 26);
	ck_assert_int_eq(release_fact(r, TYPE_TABLE_DIRECT) != 0, is_new);
}
END_TEST

static const enum fact what_identifies[] = {
	MSG_ERROR, MSG_HELLO, SIZE_CAPABILITIES, MSG_VRF_ADD, SIZE_VRF_ADD};

/* The lines that detection cannot tell from this one. */
static struct releases twins_of(enum release r)
{
	struct releases twins = releases_all();

	for (size_t i = 0; i < N_ELEMENTS(what_identifies); i++)
		twins = releases_with(
			twins, what_identifies[i], release_fact(r, what_identifies[i]));
	return twins;
}

/* What lines that look alike may differ in; each is read, or sent, with that in mind. */
static bool may_differ(enum fact fact)
{
	return fact == SIZE_NOTIFY_4 || fact == SIZE_NOTIFY_6 || fact == SIZE_WEIGHT ||
	       fact == FLAG_TABLEID || fact == STATIC_BY_METRIC || fact == SWEEPS_STALE;
}

START_TEST(lines_that_look_alike_are_alike)
{
	struct releases twins = twins_of((enum release)_i);

	for (enum fact fact = 0; fact < N_FACTS; fact++) {
		uint16_t value = release_fact((enum release)_i, fact);

		ck_assert(may_differ(fact) || releases_fact(twins, fact) == value);
		ck_assert_uint_eq(releases_any(twins, fact) & value, value);
	}
}
END_TEST

START_TEST(what_was_seen_names_the_lines)
{
	static const char *const expected[N_RELEASES] = {"7.5", "8.0", "8.1", "8.2-9.0", "8.2-9.0",
		"8.2-9.0", "8.2-9.0", "8.2-9.0", "9.1", "10.0-10.1", "10.0-10.1", "10.2-10.5",
		"10.2-10.5", "10.2-10.5", "10.2-10.5", "10.6-10.7", "10.6-10.7"};
	char text[RELEASES_STRLEN];

	ck_assert_str_eq(releases_text(twins_of((enum release)_i), text), expected[_i]);
	ck_assert_str_eq(releases_text((struct releases){0}, text), "");
}
END_TEST

/* The notification's size tells 10.2 from those after it. */
START_TEST(a_later_fact_narrows_the_lines)
{
	char text[RELEASES_STRLEN];
	struct releases twins = twins_of(RELEASE_10_3);

	releases_text(releases_with(twins, SIZE_NOTIFY_4, 21), text);
	ck_assert_str_eq(text, "10.3-10.5");
	releases_text(releases_with(twins, SIZE_NOTIFY_4, 16), text);
	ck_assert_str_eq(text, "10.2");
	ck_assert(releases_none(releases_with(twins, SIZE_NOTIFY_4, 14)));
}
END_TEST

/* A number taken for another message on the same line would be worse than none. */
START_TEST(no_two_messages_share_a_number)
{
	for (enum fact a = 0; a <= MSG_CLIENT_CLOSE_NOTIFY; a++) {
		for (enum fact b = 0; b < a; b++) {
			uint16_t number = release_fact((enum release)_i, a);

			ck_assert(number == 0 || number != release_fact((enum release)_i, b));
		}
	}
}
END_TEST

static const struct {
	const char *text;
	bool ok;
	enum zapi_word word;
	uint16_t instance;
} words[] = {
	{"static", true, ZAPI_STATIC, 0},
	{"openfabric", true, ZAPI_OPENFABRIC, 0},
	{"babel", true, ZAPI_BABEL, 0},
	{"nhrp", true, ZAPI_NHRP, 0},
	{"isis", true, ZAPI_ISIS, 0},
	{"connected", true, ZAPI_CONNECTED, 0},
	{"ospf 1", true, ZAPI_OSPF, 1},
	{"table 255", true, ZAPI_TABLE, 255},
	{"table-direct 100", true, ZAPI_TABLE_DIRECT, 100},
	{"table 254", true, ZAPI_TABLE, 254},
	{"table-direct 254", false, 0, 0}, /* the kernel's main and local tables */
	{"table-direct 255", false, 0, 0},
	{"", false, 0, 0},
	{" static", false, 0, 0},
	{"static ", false, 0, 0},
	{"static 1", false, 0, 0},
	{"stat", false, 0, 0},
	{"statics", false, 0, 0},
	{"Static", false, 0, 0},
	{"ospf", false, 0, 0},
	{"ospf ", false, 0, 0},
	{"ospf 0", false, 0, 0},
	{"ospf 01", false, 0, 0},
	{"ospf 256", false, 0, 0},
	{"ospf 99999999999999999999", false, 0, 0},
	{"ospf -1", false, 0, 0},
	{"ospf 1x", false, 0, 0},
	{"ospf  1", false, 0, 0},
	{"table_direct 1", false, 0, 0},
	{"bgp", false, 0, 0},
};

START_TEST(words_are_parsed)
{
	enum zapi_word word = ZAPI_BABEL;
	uint16_t instance = 77;

	ck_assert_int_eq(zapi_word_parse(words[_i].text, &word, &instance), words[_i].ok);
	ck_assert_int_eq(word, words[_i].ok ? words[_i].word : ZAPI_BABEL);
	ck_assert_uint_eq(instance, words[_i].ok ? words[_i].instance : 77);
	if (words[_i].ok)
		ck_assert(strncmp(words[_i].text, zapi_word_text(word),
				  strlen(zapi_word_text(word))) == 0);
}
END_TEST

/* HELLO static would make zebra delete the operator's static routes when we go. */
START_TEST(types_of_others_are_never_taken_for_our_own)
{
	ck_assert_int_eq(word_kind(ZAPI_STATIC), WORD_SHARED);
	ck_assert_int_eq(word_kind(ZAPI_CONNECTED), WORD_PASSIVE);
	ck_assert_int_eq(word_kind(ZAPI_OPENFABRIC), WORD_OWN);
	ck_assert_int_eq(word_kind(ZAPI_TABLE_DIRECT), WORD_OWN);
}
END_TEST

START_TEST(some_words_reach_ipv4_only)
{
	ck_assert(zapi_word_has_family(ZAPI_STATIC, AF_INET6));
	ck_assert(zapi_word_has_family(ZAPI_TABLE_DIRECT, AF_INET6));
	ck_assert(!zapi_word_has_family(ZAPI_OSPF, AF_INET6));
	ck_assert(!zapi_word_has_family(ZAPI_TABLE, AF_INET6));
	ck_assert(zapi_word_has_family(ZAPI_TABLE, AF_INET));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("zapi/release");
	TCase *tcase = tcase_create("release");

	suite_add_tcase(suite, tcase);
	tcase_add_loop_test(tcase, numbers_hang_together, 0, N_RELEASES);
	tcase_add_loop_test(tcase, lines_that_look_alike_are_alike, 0, N_RELEASES);
	tcase_add_loop_test(tcase, what_was_seen_names_the_lines, 0, N_RELEASES);
	tcase_add_test(tcase, a_later_fact_narrows_the_lines);
	tcase_add_loop_test(tcase, no_two_messages_share_a_number, 0, N_RELEASES);
	tcase_add_loop_test(tcase, words_are_parsed, 0, N_ELEMENTS(words));
	tcase_add_test(tcase, types_of_others_are_never_taken_for_our_own);
	tcase_add_test(tcase, some_words_reach_ipv4_only);
	return unit_run(suite);
}
