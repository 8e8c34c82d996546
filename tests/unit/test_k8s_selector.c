/* SPDX-License-Identifier: Apache-2.0 */
/* Label selectors: what they select, and what is none. Both as the API server has it. */
#include <errno.h>
#include <string.h>

#include <cosmolet/k8s.h>

#include "unit.h"

#define LONG_NAME "a23456789-123456789-123456789-123456789-123456789-123456789-123"

static const struct {
	const char *selector;
	const char *labels; /* "key value key value", sorted */
	bool matches;
} cases[] = {
	{"team=shop", "team shop", true},
	{"team=shop", "team shopping", false},
	{"team=shop", "", false},
	{"team==shop", "team shop", true},
	{"team = shop", "team shop", true},
	{"team=", "team ", true},
	{"team=", "team shop", false},
	{"team=,tier", "team  tier x", true},
	{"team!=shop", "team shop", false},
	{"team!=shop", "team web", true},
	{"team!=shop", "", true},
	{"team!=", "team ", false},
	{"zone in (a,b)", "zone a", true},
	{"zone in (a,b)", "zone b", true},
	{" zone  in\t( a , b ) ", "zone b", true},
	{"zone in(a)", "zone a", true},
	{"zone in (a,b)", "zone c", false},
	{"zone in (a,b)", "", false},
	{"zone in (a,)", "zone ", true},
	{"zone in (in,notin)", "zone notin", true},
	{"zone=in", "zone in", true},
	{"zone notin (a,b)", "zone a", false},
	{"zone notin (a,b)", "zone c", true},
	{"zone notin (a,b)", "", true},
	{"private", "private ", true},
	{"private", "", false},
	{"!private", "private false", false},
	{"!private", "", true},
	{"! private", "other x", true},
	{"team=shop,tier!=test,zone in (x,y),!f", "team shop zone x", true},
	{"team=shop,tier!=test,zone in (x,y),!f", "team shop tier test zone x", false},
	{"team=shop,tier!=test,zone in (x,y),!f", "f  team shop zone x", false},
	{"team=shop,tier!=test,zone in (x,y),!f", "team shop zone z", false},
	{"team!=a,team!=b", "team b", false},
	{"team!=a,team!=b", "team c", true},
	{"example.com/team=shop", "example.com/team shop", true},
	{"a-b.c-d.e/F_g.h-1=I_j.k-2", "a-b.c-d.e/F_g.h-1 I_j.k-2", true},
	{LONG_NAME "=" LONG_NAME, LONG_NAME " " LONG_NAME, true},
};

static struct k8s_label_selector *parsed(const char *text)
{
	struct k8s_label_selector *selector = NULL;
	char *error = NULL;

	ck_assert_msg(k8s_label_selector_parse(text, &selector, &error) == 0, "%s", error);
	return selector;
}

static bool selects(const char *text, const char *words)
{
	struct k8s_label_selector *selector = parsed(text);
	auto_free char *copy = xstrdup(words);
	char *rest = *words ? copy : NULL;
	struct k8s_pair pairs[8];
	struct k8s_map labels = {pairs, 0};
	bool matches;

	while (rest) {
		char *key = strsep(&rest, " ");

		pairs[labels.n++] = (struct k8s_pair){key, strsep(&rest, " ")};
	}
	matches = k8s_label_selector_matches(selector, &labels);
	k8s_label_selector_free(selector);
	return matches;
}

START_TEST(selects_as_kubectl_does)
{
	ck_assert_msg(selects(cases[_i].selector, cases[_i].labels) == cases[_i].matches,
		"%s of %s", cases[_i].selector, cases[_i].labels);
}
END_TEST

/* An API server of 1.20 refuses each of these, too. */
static const struct {
	const char *selector;
	const char *error;
} wrong[] = {
	{"", "at character 1: expected the key of a label"},
	{" ", "at character 2: expected the key of a label"},
	{",", "at character 1: expected the key of a label"},
	{"a=b,", "at character 5: expected the key of a label"},
	{"a=b,,c", "at character 5: expected the key of a label"},
	{"=b", "at character 1: expected the key of a label"},
	{"!", "at character 2: expected the key of a label"},
	{"!!a", "at character 2: expected the key of a label"},
	{"in in (a)", "at character 1: expected the key of a label"},
	{"a=b c", "at character 5: expected a comma or the end"},
	{"a=b=c", "at character 4: expected a comma or the end"},
	{"!a=b", "at character 3: expected a comma or the end"},
	{"a b", "at character 3: expected =, ==, !=, in, notin, a comma or the end"},
	{"a In (b)", "at character 3: expected =, ==, !=, in, notin, a comma or the end"},
	{"a in b", "at character 6: expected ( and values"},
	{"a in", "at character 5: expected ( and values"},
	{"a in ()", "at character 7: expected at least one value"},
	{"a in (b", "at character 8: expected , or )"},
	{"a in (b c)", "at character 9: expected , or )"},
	{"a in (b))", "at character 9: expected a comma or the end"},
	{"a=b~c", "at character 3: expected the value of a label"},
	{"a=-b", "at character 3: expected the value of a label"},
	{"a=b,c~d", "at character 5: expected the key of a label"},
	{"a_", "at character 1: expected the key of a label"},
	{"/a", "at character 1: expected the key of a label"},
	{"a/", "at character 1: expected the key of a label"},
	{"a/b/c", "at character 1: expected the key of a label"},
	{"A.b/c", "at character 1: expected the key of a label"},
	{"a..b/c", "at character 1: expected the key of a label"},
	{"a-.b/c", "at character 1: expected the key of a label"},
	{"a.-b/c", "at character 1: expected the key of a label"},
	{"a./c", "at character 1: expected the key of a label"},
	{"\303\274=x", "at character 1: expected the key of a label"},
	{"x=\303\274", "at character 3: expected the value of a label"},
	{LONG_NAME "4", "at character 1: expected the key of a label"},
	{"a=" LONG_NAME "4", "at character 3: expected the value of a label"},
	/* These the server takes, undocumented: the values are numbers. */
	{"a>1", "at character 2: expected a comma or the end"},
	{"a<1", "at character 2: expected a comma or the end"},
};

START_TEST(refuses_what_is_none)
{
	static struct k8s_label_selector *const untouched = (void *)1;
	struct k8s_label_selector *selector = untouched;
	auto_free char *expected =
		xasprintf("\"%s\", %s; write terms like a=b, a!=b, a in (b,c), a notin (b,c), a or "
			  "!a, with commas between them",
			wrong[_i].selector, wrong[_i].error);
	auto_free char *error = NULL;

	ck_assert_int_eq(k8s_label_selector_parse(wrong[_i].selector, &selector, &error), -EINVAL);
	ck_assert_str_eq(error, expected);
	ck_assert_ptr_eq(selector, untouched);
}
END_TEST

START_TEST(a_prefix_may_be_long_but_not_endless)
{
	auto_free char *longest = xasprintf("%0253d/b", 1);
	auto_free char *longer = xasprintf("%0254d/b", 1);
	struct k8s_label_selector *selector = parsed(longest);
	auto_free char *error = NULL;

	k8s_label_selector_free(selector);
	ck_assert_int_eq(k8s_label_selector_parse(longer, &selector, &error), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("k8s_selector");
	TCase *tcase = tcase_create("k8s_selector");

	tcase_add_loop_test(tcase, selects_as_kubectl_does, 0, (int)N_ELEMENTS(cases));
	tcase_add_loop_test(tcase, refuses_what_is_none, 0, (int)N_ELEMENTS(wrong));
	tcase_add_test(tcase, a_prefix_may_be_long_but_not_endless);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
