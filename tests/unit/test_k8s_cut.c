/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <cosmolet/yaml.h>

#include "cut.h"

/* What came out, one line per piece. */
static char *seen;
static size_t enough_after;

static bool note(void *data, enum cut_piece piece, const char *text, size_t size)
{
	static const char *const words[] = {"object", "metadata", "large"};
	char *longer;

	(void)data;
	ck_assert_uint_eq(strlen(text), size);
	if (piece == CUT_TOO_LARGE)
		text = "";
	longer = xasprintf("%s%s %s\n", seen, words[piece], text);
	free(seen);
	seen = longer;
	return --enough_after != 0;
}

/* Of what this asks for, some stands deeper, in lists, or may begin in any way. */
static const struct cut_wanted labels[] = {{.key = "a.io/", .begins = true}, CUT_LAST};
static const struct cut_wanted metadata[] = {
	CUT_WHOLE("name"), CUT_WHOLE("uid"), CUT_PART("labels", labels), CUT_LAST};
static const struct cut_wanted condition[] = {CUT_WHOLE("type"), CUT_LAST};
static const struct cut_wanted status[] = {
	CUT_PART("conditions", condition), CUT_WHOLE("phase"), CUT_LAST};
static const struct cut_wanted wanted[] = {CUT_PART("metadata", metadata),
	CUT_PART("status", status), CUT_WHOLE("b"), CUT_WHOLE("n"), CUT_LAST};

/* Cuts the body fed in parts of these sizes; the rest follows in one. */
static int cut_in(enum cut_shape shape, size_t max, const char *body, size_t first, size_t second,
	char error[160])
{
	struct cut cut;
	size_t size = strlen(body);
	size_t ends[3] = {MIN(first, size), MIN(first + second, size), size};
	int r = 0;

	free(seen);
	seen = xstrdup("");
	cut_init(&cut, shape, wanted, max, note, NULL);
	for (size_t i = 0, at = 0; i < 3 && !r; at = ends[i++]) {
		/* Memory of exactly the right size, so that a sanitizer sees one octet too far. */
		auto_free char *part = xmemdup(body + at, ends[i] - at);

		r = cut_feed(&cut, part, ends[i] - at);
	}
	if (!r)
		r = cut_end(&cut);
	if (error)
		memcpy(error, cut.error, sizeof(cut.error));
	cut_deinit(&cut);
	return r;
}

static const struct {
	enum cut_shape shape;
	const char *body;
	const char *pieces;
} good[] = {
	{CUT_LIST,
		"{\"kind\":\"ServiceList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":"
		"\"7\"},"
		"\"items\":[{\"metadata\":{\"name\":\"a\",\"managedFields\":[{\"x\":\"]}\\\"\"}],"
		"\"uid\":\"u\"}},{\"b\":[1,2,{}]}]}\n",
		"metadata {\"resourceVersion\":\"7\"}\n"
		"object {\"metadata\":{\"name\":\"a\",\"uid\":\"u\"}}\n"
		"object {\"b\":[1,2,{}]}\n"},
	/* any order, white space, values of all types around, items null */
	{CUT_LIST,
		" { \"items\" : [ { \"n\" : 1 } , {} ] "
		",\n\t\"n\":-1.5e3,\"t\":true,\"o\":{\"items\":[{}]},"
		" \"s\" : \"}]\\\\\" , \"metadata\" : { \"continue\" : \"\" } }",
		"object { \"n\" : 1 }\nobject {}\nmetadata { \"continue\" : \"\" }\n"},
	{CUT_LIST, "{\"items\":null,\"metadata\":null}", ""},
	{CUT_LIST, "{\"items\":[]}", ""},
	/* what is wanted in its place: not deeper, nor higher, nor as a value; in lists of any
	   depth */
	{CUT_LIST,
		"{\"items\":[{\"metadata\":{\"labels\":{\"name\":\"no\",\"a.io/x\":{\"type\":1},"
		"\"ba.io/\":2},\"name\":{\"uid\":1,\"x\":[{\"x\":1}]},\"spec\":1},\"name\":1,"
		"\"status\":{\"conditions\":[{\"x\":{\"type\":1},\"type\":\"T\"},[{\"x\":1,"
		"\"type\":[{\"x\":2}]}],\"x\"],\"phase\":\"x\"},\"spec\":{\"metadata\":{\"name\":1}"
		"}}]}",
		"object {\"metadata\":{\"labels\":{\"a.io/x\":{\"type\":1}},\"name\":{\"uid\":1,"
		"\"x\":[{\"x\":1}]}},\"status\":{\"conditions\":[{\"type\":\"T\"},"
		"[{\"type\":[{\"x\":2}]}],\"x\"],\"phase\":\"x\"}}\n"},
	/* left out first, last, alone, many, and of every type */
	{CUT_LIST,
		"{\"items\":[{\"x\":{}},{\"x\":1 ,\"b\":2},{\"b\":1, \"x\":null},"
		"{ \"x\":\"}\",  \"y\" : [\",\\\"{\"] , \"b\" : 3 },"
		"{\"x\":1,\"b\":2,\"y\":-3.5e1,\"z\":true,\"n\":4}]}",
		"object {}\nobject {\"b\":2}\nobject {\"b\":1}\nobject { \"b\" : 3 }\n"
		"object {\"b\":2,\"n\":4}\n"},
	/* keys with escapes could be any */
	{CUT_LIST, "{\"items\":[{\"x\":1,\"\\u0062\":{\"x\":1},\"x\\\\\":2,\"\\\"b\\\"\":3}]}",
		"object {\"\\u0062\":{\"x\":1},\"x\\\\\":2,\"\\\"b\\\"\":3}\n"},
	/* keys that only end like ours, or are too long to be one */
	{CUT_LIST,
		"{\"xitems\":[1],"
		"\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaitems\":[{}],\"items\":[]}",
		""},
	{CUT_WATCH,
		"{\"type\":\"ADDED\",\"x\":{\"x\":1},\"object\":{\"metadata\":{\"managedFields\":[{"
		"}],"
		"\"name\":\"a\"},\"x\":2}}\n"
		"{\"type\":\"BOOKMARK\",\"object\":{}}\n\n "
		"{\"x\":\"\\\\\\\"{\"}{\"y\":\"\\u007b\"}",
		"object "
		"{\"type\":\"ADDED\",\"x\":{\"x\":1},\"object\":{\"metadata\":{\"name\":\"a\"}}}\n"
		"object {\"type\":\"BOOKMARK\",\"object\":{}}\n"
		"object {\"x\":\"\\\\\\\"{\"}\nobject {\"y\":\"\\u007b\"}\n"},
	{CUT_WATCH, "", ""},
	{CUT_WATCH, " \r\n\t", ""},
};

START_TEST(cuts_the_same_wherever_the_bytes_are_split)
{
	const char *body = good[_i].body;

	for (size_t first = 0; first <= strlen(body); first++) {
		for (size_t second = 0; second <= 3; second++) {
			int r = cut_in(good[_i].shape, 0, body, first, second, NULL);

			ck_assert_int_eq(r, 0);
			ck_assert_str_eq(seen, good[_i].pieces);
		}
	}
	free(TAKE(seen));
}
END_TEST

START_TEST(one_octet_at_a_time)
{
	struct cut cut;

	seen = xstrdup("");
	cut_init(&cut, good[_i].shape, wanted, 0, note, NULL);
	for (const char *at = good[_i].body; *at; at++)
		ck_assert_int_eq(cut_feed(&cut, at, 1), 0);
	ck_assert_int_eq(cut_end(&cut), 0);
	ck_assert_str_eq(seen, good[_i].pieces);
	cut_deinit(&cut);
	free(TAKE(seen));
}
END_TEST

static const struct {
	enum cut_shape shape;
	const char *body;
	const char *error;
} bad[] = {
	{CUT_LIST, "", "no valid JSON: it is empty"},
	{CUT_LIST, "<html>no</html>\n", "no valid JSON from here on: <html>no</html>."},
	{CUT_LIST, "[]", "no valid JSON from here on: []"},
	{CUT_LIST, "{}", "no valid JSON: it is an object without items"},
	{CUT_LIST, "{\"kind\":\"Status\",\"items\":{}}", "no valid JSON from here on: {}}"},
	{CUT_LIST, "{\"items\":[{}", "no valid JSON: it ends in the middle of an object"},
	{CUT_LIST, "{\"items\":[{\"a\":\"", "no valid JSON: it ends in the middle of an object"},
	{CUT_LIST, "{\"items\":[{}}", "no valid JSON from here on: }"},
	{CUT_LIST, "{\"items\":[{} {}]}", "no valid JSON from here on: {}]}"},
	{CUT_LIST, "{\"items\":[{},]}", "no valid JSON from here on: ]}"},
	{CUT_LIST, "{\"items\":[3]}", "no valid JSON from here on: 3]}"},
	{CUT_LIST, "{\"items\":[{\"a\":[}]}]}", "no valid JSON from here on: }]}]}"},
	{CUT_LIST, "{\"items\":[],}", "no valid JSON from here on: }"},
	{CUT_LIST, "{\"items\" []}", "no valid JSON from here on: []}"},
	{CUT_LIST, "{\"items\":,}", "no valid JSON from here on: ,}"},
	{CUT_LIST, "{\"items\":[]}x", "no valid JSON from here on: x"},
	{CUT_WATCH, "{\"a\":1}\ngarbage", "no valid JSON from here on: garbage"},
	{CUT_WATCH, "{\"a\":1}]", "no valid JSON from here on: ]"},
	{CUT_WATCH, "{\"type\":\"ADD", "no valid JSON: it ends in the middle of an object"},
};

START_TEST(refuses_what_is_no_list_or_watch)
{
	char error[160];

	ck_assert_int_eq(cut_in(bad[_i].shape, 0, bad[_i].body, SIZE_MAX / 2, 0, error), -EBADMSG);
	ck_assert_str_eq(error, bad[_i].error);
	for (size_t first = 0; first <= strlen(bad[_i].body); first++)
		ck_assert_int_eq(cut_in(bad[_i].shape, 0, bad[_i].body, first, 1, NULL), -EBADMSG);
	free(TAKE(seen));
}
END_TEST

START_TEST(passes_over_what_is_too_large)
{
	static const char body[] =
		"{\"items\":[{\"n\":1},{\"n\":\"0123456789012345678901234567890123456789\"},"
		"{\"metadata\":{\"managedFields\":\"0123456789012345678901234567890123456789\"}},"
		"{\"b\":{\"c\":[]}}]}";

	for (size_t first = 0; first < sizeof(body); first++) {
		ck_assert_int_eq(cut_in(CUT_LIST, 44, body, first, 1, NULL), 0);
		ck_assert_str_eq(seen, "object {\"n\":1}\nlarge \n"
				       "object {\"metadata\":{}}\n"
				       "object {\"b\":{\"c\":[]}}\n");
	}
	free(TAKE(seen));
}
END_TEST

static bool on_endless(void *data, enum cut_piece piece, const char *text, size_t size)
{
	(void)data;
	ck_abort_msg("piece %d of %zu octets: %s", (int)piece, size, text);
	return false;
}

START_TEST(what_never_ends_is_refused)
{
	struct cut cut;
	int r, n = 0;

	cut_init(&cut, CUT_WATCH, NULL, 100, on_endless, NULL);
	r = cut_feed(&cut, "{\"a\":\"", 6);
	while (!r && n++ < 1000)
		r = cut_feed(&cut, "xxxxxxxxxx", 10);
	ck_assert_int_eq(r, -EBADMSG);
	ck_assert_int_eq(n, 81);
	ck_assert_str_eq(cut.error, "no valid JSON: an object does not end");
	cut_deinit(&cut);
}
END_TEST

START_TEST(passes_over_what_is_too_deep)
{
	char deep[2 * 5000 + 1] = "";
	auto_free char *body = NULL;

	memset(deep, '[', 5000);
	memset(deep + 5000, ']', 5000);
	body = xasprintf("{\"a\":%s}{\"b\":1}{\"object\":{\"metadata\":{\"managedFields\":%s}}}",
		deep, deep);
	ck_assert_int_eq(cut_in(CUT_WATCH, 0, body, 4000, 4000, NULL), 0);
	ck_assert_str_eq(seen, "large \nobject {\"b\":1}\n"
			       "object {\"object\":{\"metadata\":{}}}\n");
	free(TAKE(seen));
}
END_TEST

START_TEST(stops_when_the_owner_has_enough)
{
	enough_after = 2;
	ck_assert_int_eq(cut_in(CUT_WATCH, 0, "{}{}{}", 1, 1, NULL), -ECANCELED);
	ck_assert_str_eq(seen, "object {}\nobject {}\n");
	free(TAKE(seen));
}
END_TEST

/* Recorded from a real API server: of the seeds, the first octet is not part of it. */
static const struct {
	const char *name;
	enum cut_shape shape;
} records[] = {
	{"recorded-list-services", CUT_LIST},
	{"recorded-list-pods", CUT_LIST},
	{"recorded-list-nodes", CUT_LIST},
	{"recorded-list-endpointslices", CUT_LIST},
	{"recorded-watch", CUT_WATCH},
	{"recorded-expired", CUT_WATCH},
};

/* Cut off after each of its octets: what came is as it is in the whole, and a list has no end. */
START_TEST(recorded_and_cut_off_anywhere)
{
	auto_free char *path = xasprintf("%s/k8s_cut/%s", CORPUS, records[_i].name);
	auto_free char *text = NULL;
	auto_free char *whole = NULL;
	size_t size, end;

	ck_assert_int_eq(file_read(path, 1 << 20, &text, &size), 0);
	ck_assert_int_eq(cut_in(records[_i].shape, 0, text + 1, 0, 0, NULL), 0);
	whole = TAKE(seen);
	ck_assert_str_ne(whole, "");
	end = size;
	while (text[end - 1] == '\n')
		end--;
	for (size_t n = 1; n < end; n++) {
		char octet = text[n];
		int r;

		text[n] = '\0';
		r = cut_in(records[_i].shape, 0, text + 1, n / 2, 1, NULL);
		text[n] = octet;
		if (records[_i].shape == CUT_LIST)
			ck_assert_int_eq(r, -EBADMSG);
		ck_assert_int_eq(strncmp(seen, whole, strlen(seen)), 0);
	}
	free(TAKE(seen));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("k8s cut");
	TCase *tests = tcase_create("cut");

	tcase_add_loop_test(tests, cuts_the_same_wherever_the_bytes_are_split, 0, N_ELEMENTS(good));
	tcase_add_loop_test(tests, one_octet_at_a_time, 0, N_ELEMENTS(good));
	tcase_add_loop_test(tests, refuses_what_is_no_list_or_watch, 0, N_ELEMENTS(bad));
	tcase_add_test(tests, passes_over_what_is_too_large);
	tcase_add_test(tests, what_never_ends_is_refused);
	tcase_add_test(tests, passes_over_what_is_too_deep);
	tcase_add_test(tests, stops_when_the_owner_has_enough);
	tcase_add_loop_test(tests, recorded_and_cut_off_anywhere, 0, N_ELEMENTS(records));
	suite_add_tcase(suite, tests);
	return unit_run(suite);
}
