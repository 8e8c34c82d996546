/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/memory.h"
#include "unit.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char constant[] = "as it is in the file";
static char variable[] = "as it is in the file";

/* How much of all code is resident, in KiB; touched: after a look at each page of it. */
static unsigned long resident_code(bool touched)
{
	char line[512], *rest;
	unsigned long begin, end, sum = 0;
	bool code = false;
	FILE *file = fopen("/proc/self/smaps", "r");

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file)) {
		begin = strtoul(line, &rest, 16);
		if (*rest == '-') {
			end = strtoul(rest + 1, &rest, 16);
			code = !strncmp(rest, " r-xp", 5);
			for (; touched && code && begin < end; begin += 4096)
				(void)*(const volatile char *)begin;
		} else if (code && !strncmp(line, "Rss:", 4)) {
			sum += strtoul(line + 4, NULL, 10);
		}
	}
	fclose(file);
	return sum;
}

START_TEST(what_files_have_is_unmapped_and_comes_back)
{
	unsigned long before;

	resident_code(true);
	before = resident_code(false);
	ck_assert_uint_gt(before, 0);
	strcpy(variable, "changed since");
	memory_give_back();
	ck_assert_uint_lt(resident_code(false), before / 2);
	ck_assert_str_eq(constant, "as it is in the file");
	ck_assert_str_eq(variable, "changed since");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("memory");
	TCase *tcase = tcase_create("memory");

	tcase_add_test(tcase, what_files_have_is_unmapped_and_comes_back);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
