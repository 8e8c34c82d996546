/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/memory.h"
#include "unit.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char constant[] = "as it is in the file";
static char variable[] = "as it is in the file";

static struct range {
	uintptr_t begin, end;
} code[64];
static size_t n_code;

static bool is_libm(const char *mapping)
{
	return strstr(mapping, "/libm.so") || strstr(mapping, "/libm-");
}

/*
 * The code of libm, each page of it looked at once. Of what runs meanwhile the kernel maps again,
 * at a touch, as much as it likes.
 */
static void find_code(void)
{
	char line[512], *rest;
	FILE *file = fopen("/proc/self/maps", "r");

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file)) {
		uintptr_t begin = strtoul(line, &rest, 16), end = strtoul(rest + 1, &rest, 16);

		if (strncmp(rest, " r-xp", 5) != 0 || !is_libm(rest))
			continue;
		ck_assert_uint_lt(n_code, N_ELEMENTS(code));
		code[n_code++] = (struct range){begin, end};
		for (; begin < end; begin += 4096)
			(void)*(const volatile char *)begin;
	}
	fclose(file);
}

/* How many pages of it are resident; -1 if nobody knows. */
static int resident_code(int pagemap)
{
	static uint64_t pages[512];
	int sum = 0;

	for (size_t i = 0; i < n_code; i++) {
		uintptr_t page = code[i].begin / 4096, end = code[i].end / 4096;

		while (page < end) {
			size_t n = MIN(end - page, N_ELEMENTS(pages));

			if (pread(pagemap, pages, n * 8, page * 8) != (ssize_t)(n * 8))
				return -1;
			for (size_t k = 0; k < n; k++)
				sum += pages[k] >> 63 != 0; /* present: proc_pid_pagemap(5) */
			page += n;
		}
	}
	return sum;
}

START_TEST(what_files_have_is_unmapped_and_comes_back)
{
	int before, after, pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(pagemap, 0);
	find_code();
	before = resident_code(pagemap);
	ck_assert_int_gt(before, 0);
	strcpy(variable, "changed since");
	memory_give_back();
	after = resident_code(pagemap);
	ck_assert_int_eq(after, 0);
	close(pagemap);
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
