/* SPDX-License-Identifier: Apache-2.0 */
/* The table of releases against a second one and against itself, and the words of bgpd. */
#include "unit.h"

#include <string.h>

#include "release.h"
#include "word.h"

/*
 * The facts a second time: as FRR's own sources have them at each line's tags (lib/zclient.h,
 * lib/route_types.txt, zebra/zapi_msg.c), by the ranges in which they stand. Eleven of the lines
 * run in no test, so nothing else would notice a number that stands in the wrong column.
 */
static const struct {
	enum fact fact;
	enum release from, to;
	uint16_t value; /* 0: they do not have it */
} sheet[] = {
	{MSG_ROUTE_ADD, RELEASE_7_5, RELEASE_9_1, 8},
	{MSG_ROUTE_ADD, RELEASE_10_0, RELEASE_10_7, 9},
	{MSG_ROUTE_DELETE, RELEASE_7_5, RELEASE_9_1, 9},
	{MSG_ROUTE_DELETE, RELEASE_10_0, RELEASE_10_7, 10},
	{MSG_ROUTE_NOTIFY_OWNER, RELEASE_7_5, RELEASE_9_1, 10},
	{MSG_ROUTE_NOTIFY_OWNER, RELEASE_10_0, RELEASE_10_7, 11},
	{MSG_REDISTRIBUTE_ADD, RELEASE_7_5, RELEASE_9_1, 11},
	{MSG_REDISTRIBUTE_ADD, RELEASE_10_0, RELEASE_10_7, 12},
	{MSG_REDISTRIBUTE_DELETE, RELEASE_7_5, RELEASE_9_1, 12},
	{MSG_REDISTRIBUTE_DELETE, RELEASE_10_0, RELEASE_10_7, 13},
	{MSG_ROUTER_ID_ADD, RELEASE_7_5, RELEASE_9_1, 15},
	{MSG_ROUTER_ID_ADD, RELEASE_10_0, RELEASE_10_7, 16},
	{MSG_ROUTER_ID_UPDATE, RELEASE_7_5, RELEASE_9_1, 17},
	{MSG_ROUTER_ID_UPDATE, RELEASE_10_0, RELEASE_10_7, 18},
	{MSG_HELLO, RELEASE_7_5, RELEASE_9_1, 18},
	{MSG_HELLO, RELEASE_10_0, RELEASE_10_7, 19},
	{MSG_CAPABILITIES, RELEASE_7_5, RELEASE_9_1, 19},
	{MSG_CAPABILITIES, RELEASE_10_0, RELEASE_10_7, 20},
	{MSG_REDISTRIBUTE_ROUTE_ADD, RELEASE_7_5, RELEASE_8_1, 33},
	{MSG_REDISTRIBUTE_ROUTE_ADD, RELEASE_8_2, RELEASE_9_1, 30},
	{MSG_REDISTRIBUTE_ROUTE_ADD, RELEASE_10_0, RELEASE_10_7, 31},
	{MSG_REDISTRIBUTE_ROUTE_DEL, RELEASE_7_5, RELEASE_8_1, 34},
	{MSG_REDISTRIBUTE_ROUTE_DEL, RELEASE_8_2, RELEASE_9_1, 31},
	{MSG_REDISTRIBUTE_ROUTE_DEL, RELEASE_10_0, RELEASE_10_7, 32},
	{MSG_VRF_ADD, RELEASE_7_5, RELEASE_8_1, 36},
	{MSG_VRF_ADD, RELEASE_8_2, RELEASE_9_1, 33},
	{MSG_VRF_ADD, RELEASE_10_0, RELEASE_10_1, 34},
	{MSG_VRF_ADD, RELEASE_10_2, RELEASE_10_7, 33},
	{MSG_VRF_DELETE, RELEASE_7_5, RELEASE_8_1, 37},
	{MSG_VRF_DELETE, RELEASE_8_2, RELEASE_9_1, 34},
	{MSG_VRF_DELETE, RELEASE_10_0, RELEASE_10_1, 35},
	{MSG_VRF_DELETE, RELEASE_10_2, RELEASE_10_7, 34},
	{MSG_ERROR, RELEASE_7_5, RELEASE_7_5, 112},
	{MSG_ERROR, RELEASE_8_0, RELEASE_8_0, 117},
	{MSG_ERROR, RELEASE_8_1, RELEASE_8_1, 121},
	{MSG_ERROR, RELEASE_8_2, RELEASE_9_0, 118},
	{MSG_ERROR, RELEASE_9_1, RELEASE_9_1, 117},
	{MSG_ERROR, RELEASE_10_0, RELEASE_10_1, 118},
	{MSG_ERROR, RELEASE_10_2, RELEASE_10_7, 120},
	{MSG_CLIENT_CAPABILITIES, RELEASE_7_5, RELEASE_7_5, 113},
	{MSG_CLIENT_CAPABILITIES, RELEASE_8_0, RELEASE_8_0, 118},
	{MSG_CLIENT_CAPABILITIES, RELEASE_8_1, RELEASE_8_1, 122},
	{MSG_CLIENT_CAPABILITIES, RELEASE_8_2, RELEASE_9_0, 119},
	{MSG_CLIENT_CAPABILITIES, RELEASE_9_1, RELEASE_9_1, 118},
	{MSG_CLIENT_CAPABILITIES, RELEASE_10_0, RELEASE_10_1, 119},
	{MSG_CLIENT_CAPABILITIES, RELEASE_10_2, RELEASE_10_7, 121},
	{MSG_ROUTE_NOTIFY_REQUEST, RELEASE_7_5, RELEASE_7_5, 0},
	{MSG_ROUTE_NOTIFY_REQUEST, RELEASE_8_0, RELEASE_8_0, 123},
	{MSG_ROUTE_NOTIFY_REQUEST, RELEASE_8_1, RELEASE_8_1, 127},
	{MSG_ROUTE_NOTIFY_REQUEST, RELEASE_8_2, RELEASE_9_0, 124},
	{MSG_ROUTE_NOTIFY_REQUEST, RELEASE_9_1, RELEASE_9_1, 123},
	{MSG_ROUTE_NOTIFY_REQUEST, RELEASE_10_0, RELEASE_10_1, 124},
	{MSG_ROUTE_NOTIFY_REQUEST, RELEASE_10_2, RELEASE_10_7, 126},
	{MSG_CLIENT_CLOSE_NOTIFY, RELEASE_7_5, RELEASE_7_5, 0},
	{MSG_CLIENT_CLOSE_NOTIFY, RELEASE_8_0, RELEASE_8_0, 124},
	{MSG_CLIENT_CLOSE_NOTIFY, RELEASE_8_1, RELEASE_8_1, 128},
	{MSG_CLIENT_CLOSE_NOTIFY, RELEASE_8_2, RELEASE_9_0, 125},
	{MSG_CLIENT_CLOSE_NOTIFY, RELEASE_9_1, RELEASE_9_1, 124},
	{MSG_CLIENT_CLOSE_NOTIFY, RELEASE_10_0, RELEASE_10_1, 125},
	{MSG_CLIENT_CLOSE_NOTIFY, RELEASE_10_2, RELEASE_10_7, 127},
	/* The octet that asks for owner notifications went away. */
	{SIZE_HELLO, RELEASE_7_5, RELEASE_9_1, 9},
	{SIZE_HELLO, RELEASE_10_0, RELEASE_10_7, 8},
	{SIZE_CAPABILITIES, RELEASE_7_5, RELEASE_9_0, 10},
	{SIZE_CAPABILITIES, RELEASE_9_1, RELEASE_10_1, 11},
	{SIZE_CAPABILITIES, RELEASE_10_2, RELEASE_10_5, 12},
	{SIZE_CAPABILITIES, RELEASE_10_6, RELEASE_10_7, 9},
	{SIZE_VRF_ADD, RELEASE_7_5, RELEASE_7_5, 56},
	{SIZE_VRF_ADD, RELEASE_8_0, RELEASE_10_7, 76},
	/* AFI and SAFI came, then a source prefix. */
	{SIZE_NOTIFY_4, RELEASE_7_5, RELEASE_7_5, 14},
	{SIZE_NOTIFY_4, RELEASE_8_0, RELEASE_10_2, 16},
	{SIZE_NOTIFY_4, RELEASE_10_3, RELEASE_10_7, 21},
	{SIZE_NOTIFY_6, RELEASE_7_5, RELEASE_7_5, 26},
	{SIZE_NOTIFY_6, RELEASE_8_0, RELEASE_10_2, 28},
	{SIZE_NOTIFY_6, RELEASE_10_3, RELEASE_10_7, 45},
	{SIZE_WEIGHT, RELEASE_7_5, RELEASE_10_0, 4},
	{SIZE_WEIGHT, RELEASE_10_1, RELEASE_10_7, 8},
	/* The type LOCAL came in before static. */
	{TYPE_CONNECTED, RELEASE_7_5, RELEASE_10_7, 2},
	{TYPE_STATIC, RELEASE_7_5, RELEASE_9_1, 3},
	{TYPE_STATIC, RELEASE_10_0, RELEASE_10_7, 4},
	{TYPE_OSPF, RELEASE_7_5, RELEASE_9_1, 6},
	{TYPE_OSPF, RELEASE_10_0, RELEASE_10_7, 7},
	{TYPE_ISIS, RELEASE_7_5, RELEASE_9_1, 8},
	{TYPE_ISIS, RELEASE_10_0, RELEASE_10_7, 9},
	{TYPE_NHRP, RELEASE_7_5, RELEASE_9_1, 12},
	{TYPE_NHRP, RELEASE_10_0, RELEASE_10_7, 13},
	{TYPE_TABLE, RELEASE_7_5, RELEASE_9_1, 15},
	{TYPE_TABLE, RELEASE_10_0, RELEASE_10_7, 16},
	{TYPE_BABEL, RELEASE_7_5, RELEASE_9_1, 22},
	{TYPE_BABEL, RELEASE_10_0, RELEASE_10_7, 23},
	{TYPE_OPENFABRIC, RELEASE_7_5, RELEASE_9_1, 26},
	{TYPE_OPENFABRIC, RELEASE_10_0, RELEASE_10_7, 27},
	{TYPE_TABLE_DIRECT, RELEASE_7_5, RELEASE_9_1, 0},
	{TYPE_TABLE_DIRECT, RELEASE_10_0, RELEASE_10_7, 31},
	/* NHG took the bit of the table id. */
	{BIT_NHG, RELEASE_7_5, RELEASE_7_5, 0},
	{BIT_NHG, RELEASE_8_0, RELEASE_10_7, 0x80},
	{BIT_TABLEID, RELEASE_7_5, RELEASE_7_5, 0x80},
	{BIT_TABLEID, RELEASE_8_0, RELEASE_10_7, 0x100},
	{BIT_SRTE, RELEASE_7_5, RELEASE_7_5, 0x100},
	{BIT_SRTE, RELEASE_8_0, RELEASE_10_7, 0x200},
	{BIT_OPAQUE, RELEASE_7_5, RELEASE_7_5, 0},
	{BIT_OPAQUE, RELEASE_8_0, RELEASE_10_7, 0x400},
	{FLAG_TABLEID, RELEASE_7_5, RELEASE_10_3, 0},
	{FLAG_TABLEID, RELEASE_10_4, RELEASE_10_7, 0x800},
	{STATIC_BY_METRIC, RELEASE_7_5, RELEASE_10_6, 0},
	{STATIC_BY_METRIC, RELEASE_10_7, RELEASE_10_7, 1},
	{SWEEPS_STALE, RELEASE_7_5, RELEASE_8_5, 1},
	{SWEEPS_STALE, RELEASE_9_0, RELEASE_10_4, 0},
	{SWEEPS_STALE, RELEASE_10_5, RELEASE_10_7, 1},
};

START_TEST(every_fact_is_as_in_the_sources)
{
	enum release r = (enum release)_i;

	for (enum fact fact = 0; fact < N_FACTS; fact++) {
		unsigned n_found = 0;

		for (size_t i = 0; i < N_ELEMENTS(sheet); i++) {
			if (sheet[i].fact != fact || r < sheet[i].from || r > sheet[i].to)
				continue;
			n_found++;
			ck_assert_msg(release_fact(r, fact) == sheet[i].value,
				"fact %d of line %d is %u, not %u", (int)fact, _i,
				release_fact(r, fact), sheet[i].value);
		}
		ck_assert_msg(n_found == 1, "fact %d of line %d stands in %u ranges", (int)fact, _i,
			n_found);
	}
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
	ck_assert_str_eq(releases_text((struct releases){0}, text), "");
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
	tcase_add_loop_test(tcase, every_fact_is_as_in_the_sources, 0, N_RELEASES);
	tcase_add_loop_test(tcase, lines_that_look_alike_are_alike, 0, N_RELEASES);
	tcase_add_test(tcase, a_later_fact_narrows_the_lines);
	tcase_add_loop_test(tcase, no_two_messages_share_a_number, 0, N_RELEASES);
	tcase_add_loop_test(tcase, words_are_parsed, 0, N_ELEMENTS(words));
	tcase_add_test(tcase, types_of_others_are_never_taken_for_our_own);
	tcase_add_test(tcase, some_words_reach_ipv4_only);
	return unit_run(suite);
}
