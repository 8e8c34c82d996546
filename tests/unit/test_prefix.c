/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <cosmolet/prefix.h>

#include <string.h>

static const struct {
	const char *text;
	const char *printed; /* NULL: refused */
} prefixes[] = {
	{"10.96.0.1/32", "10.96.0.1/32"},
	{"10.0.0.0/8", "10.0.0.0/8"},
	{"0.0.0.0/0", "0.0.0.0/0"},
	{"::/0", "::/0"},
	{"fd00:0:0::1/128", "fd00::1/128"},
	{"2001:db8::/32", "2001:db8::/32"},
	{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"},
	{"10.0.0.1/8", NULL}, /* host bits */
	{"fd00::1/64", NULL},
	{"10.0.0.0/33", NULL},
	{"fd00::/129", NULL},
	{"10.0.0.0/", NULL},
	{"10.0.0.0/+8", NULL},
	{"10.0.0.0/ 8", NULL},
	{"10.0.0.0/8 ", NULL},
	{"10.0.0.0/0008", NULL},
	{"10.0.0.0", NULL},
	{"10.0.0/8", NULL},
	{"/8", NULL},
	{"", NULL},
	{"::ffff:10.0.0.1/128", NULL}, /* an IPv4 address in disguise */
	{"fd00::1%eth0/128", NULL},
	{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", NULL},
};

START_TEST(parses_and_prints)
{
	struct prefix p = {.family = 77};
	char buf[PREFIX_STRLEN];

	if (!prefixes[_i].printed) {
		ck_assert_msg(!prefix_parse(prefixes[_i].text, &p), "%s", prefixes[_i].text);
		ck_assert_uint_eq(p.family, 77);
		return;
	}
	ck_assert_msg(prefix_parse(prefixes[_i].text, &p), "%s", prefixes[_i].text);
	ck_assert_str_eq(prefix_text(&p, buf), prefixes[_i].printed);
}
END_TEST

static struct prefix parsed(const char *text)
{
	struct prefix p;

	ck_assert_msg(prefix_parse(text, &p), "%s", text);
	return p;
}

START_TEST(orders_families_then_addresses_then_lengths)
{
	static const char *const ordered[] = {"0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/32",
		"10.0.0.1/32", "255.0.0.0/32", "::/0", "::1/128", "fd00::/8"};

	for (size_t i = 0; i < N_ELEMENTS(ordered); i++) {
		for (size_t j = 0; j < N_ELEMENTS(ordered); j++) {
			struct prefix a = parsed(ordered[i]), b = parsed(ordered[j]);

			ck_assert_int_eq(prefix_cmp(&a, &b), (i > j) - (i < j));
		}
	}
}
END_TEST

static const struct {
	const char *outer, *inner;
	bool contains;
} pairs[] = {
	{"10.0.0.0/8", "10.255.255.255/32", true},
	{"10.0.0.0/8", "11.0.0.0/32", false},
	{"10.0.0.0/8", "10.0.0.0/7", false},
	{"0.0.0.0/0", "1.2.3.4/32", true},
	{"0.0.0.0/0", "::1/128", false},
	{"10.0.0.128/25", "10.0.0.127/32", false},
	{"10.0.0.128/25", "10.0.0.129/32", true},
	{"fd00::/9", "fd7f::1/128", true},
	{"fd00::/9", "fd80::1/128", false},
	{"10.0.0.1/32", "10.0.0.1/32", true},
};

START_TEST(contains)
{
	struct prefix outer = {0}, inner = {0};
	bool ok = true;

	/* 10.0.0.0/7 has no host bits; all of them parse. */
	ok &= prefix_parse(pairs[_i].outer, &outer) && prefix_parse(pairs[_i].inner, &inner);
	ck_assert(ok);
	ck_assert_int_eq(prefix_contains(&outer, &inner), pairs[_i].contains);
}
END_TEST

static const struct {
	const char *text;
	bool special;
} specials[] = {
	{"10.96.0.1/32", false},
	{"127.0.0.1/32", true},
	{"0.0.0.0/32", true},
	{"169.254.1.1/32", true},
	{"224.0.0.5/32", true},
	{"255.255.255.255/32", true},
	{"223.255.255.255/32", false},
	{"::/128", true},
	{"::1/128", true},
	{"fe80::1/128", true},
	{"ff02::1/128", true},
	{"fd00::1/128", false},
	{"2001:db8::1/128", false},
};

START_TEST(knows_special_addresses)
{
	struct prefix p = parsed(specials[_i].text);

	ck_assert_msg(prefix_is_special(&p) == specials[_i].special, "%s", specials[_i].text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("prefix");
	TCase *tcase = tcase_create("prefix");

	tcase_add_loop_test(tcase, parses_and_prints, 0, (int)N_ELEMENTS(prefixes));
	tcase_add_test(tcase, orders_families_then_addresses_then_lengths);
	tcase_add_loop_test(tcase, contains, 0, (int)N_ELEMENTS(pairs));
	tcase_add_loop_test(tcase, knows_special_addresses, 0, (int)N_ELEMENTS(specials));
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
