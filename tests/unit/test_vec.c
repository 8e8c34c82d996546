/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <cosmolet/vec.h>

static int int_cmp(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

START_TEST(keeps_order_against_a_flag_table)
{
	static int numbers[1000];
	bool in[1000] = {false};
	struct vec vec = VEC_INIT(int_cmp);
	unsigned seed = 1;
	size_t n = 0;

	for (int i = 0; i < 1000; i++)
		numbers[i] = i;
	for (int step = 0; step < 20000; step++) {
		int i = (int)((seed = seed * 1103515245 + 12345) >> 16) % 1000;

		if (in[i])
			ck_assert_ptr_eq(vec_remove(&vec, &numbers[i]), &numbers[i]);
		else
			vec_insert(&vec, &numbers[i]);
		n += in[i] ? (size_t)-1 : 1;
		in[i] = !in[i];
		ck_assert_uint_eq(vec.n, n);
	}
	for (int i = 0, at = 0; i < 1000; i++) {
		ck_assert_ptr_eq(vec_find(&vec, &i), in[i] ? &numbers[i] : NULL);
		if (in[i])
			ck_assert_ptr_eq(vec.items[at++], &numbers[i]);
	}
	vec_deinit(&vec, NULL);
}
END_TEST

START_TEST(lower_is_the_first_not_below)
{
	int numbers[] = {10, 20, 30}, key;
	struct vec vec = VEC_INIT(int_cmp);
	bool found;

	for (int i = 0; i < 3; i++)
		vec_append(&vec, &numbers[i]);
	key = 20;
	ck_assert_uint_eq(vec_lower(&vec, &key, &found), 1);
	ck_assert(found);
	key = 21;
	ck_assert_uint_eq(vec_lower(&vec, &key, &found), 2);
	ck_assert(!found);
	key = 31;
	ck_assert_uint_eq(vec_lower(&vec, &key, NULL), 3);
	ck_assert_ptr_null(vec_remove(&vec, &key));
	vec_deinit(&vec, NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vec");
	TCase *tcase = tcase_create("vec");

	tcase_add_test(tcase, keeps_order_against_a_flag_table);
	tcase_add_test(tcase, lower_is_the_first_not_below);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
