/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <cosmolet/log.h>

#include <errno.h>
#include <jansson.h>
#include <string.h>

static int fds[2];

static void setup(void)
{
	ck_assert_int_eq(pipe(fds), 0);
	log_to(fds[1]);
}

static void teardown(void)
{
	log_to(STDERR_FILENO);
	close(fds[0]);
	close(fds[1]);
}

/* The line that was logged. */
static const char *logged(void)
{
	static char line[8192];
	ssize_t n = read(fds[0], line, sizeof(line) - 1);

	ck_assert_int_gt(n, 0);
	line[n] = '\0';
	return line;
}

/* The same of logfmt, without the time in front. */
static const char *logged_fields(void)
{
	return strchr(logged(), ' ') + 1;
}

START_TEST(logfmt_quotes_what_needs_it)
{
	log_setup(LOG_INFO, LOG_LOGFMT);
	errno = EPERM;
	log_info("zapi", "it is up", "path=%s n=%zu ratio=%.1f empty=%s", "/run/x", (size_t)7, 0.5,
		"");
	ck_assert_int_eq(errno, EPERM);
	ck_assert_str_eq(logged_fields(),
		"level=info room=zapi msg=\"it is up\" path=/run/x n=7 ratio=0.5 empty=\"\"\n");
	log_err("k8s", "bad", "a=%s b=%s", "x=1 level=info\n", "say \"hi\"\\");
	ck_assert_str_eq(logged_fields(), "level=error room=k8s msg=bad a=\"x=1 level=info\\n\" "
					  "b=\"say \\\"hi\\\"\\\\\"\n");
	log_warn("src", "nothing to add");
	ck_assert_str_eq(logged_fields(), "level=warn room=src msg=\"nothing to add\"\n");
}
END_TEST

START_TEST(json_is_json_whatever_the_values_hold)
{
	json_t *json;

	log_setup(LOG_INFO, LOG_JSON);
	log_info("k8s", "got \"it\"", "bad=%s n=%d big=%llu hex=%x", "\x01\xff\xc3\xa4\n\"", -3,
		1ULL << 40, 255U);
	json = json_loads(logged(), 0, NULL);
	ck_assert_ptr_nonnull(json);
	ck_assert_str_eq(json_string_value(json_object_get(json, "msg")), "got \"it\"");
	ck_assert_str_eq(
		json_string_value(json_object_get(json, "bad")), "\x01\xc3\xbf\xc3\xa4\n\"");
	ck_assert_int_eq(json_integer_value(json_object_get(json, "n")), -3);
	ck_assert_int_eq(json_integer_value(json_object_get(json, "big")), 1LL << 40);
	ck_assert_str_eq(json_string_value(json_object_get(json, "hex")), "ff");
	json_decref(json);
}
END_TEST

START_TEST(levels_are_kept)
{
	log_setup(LOG_WARN, LOG_LOGFMT);
	log_info("src", "not this");
	log_debug("src", "nor this", "x=%d", 1);
	log_warn("src", "this");
	ck_assert_str_eq(logged_fields(), "level=warn room=src msg=this\n");
	log_setup(LOG_DEBUG, LOG_LOGFMT);
	log_debug("src", "and this", "x=%d", 1);
	ck_assert_str_eq(logged_fields(), "level=debug room=src msg=\"and this\" x=1\n");
}
END_TEST

START_TEST(a_flood_is_limited_and_counted)
{
	struct log_limit limit = {0};
	unsigned allowed = 0, suppressed = 0;

	for (int i = 0; i < 100; i++)
		allowed += log_allowed(&limit, &suppressed);
	ck_assert_uint_eq(allowed, 10);
	ck_assert_uint_eq(suppressed, 0);
	mono_turn(mono_s(3));
	ck_assert(log_allowed(&limit, &suppressed));
	ck_assert_uint_eq(suppressed, 90);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log");
	TCase *tcase = tcase_create("log");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, logfmt_quotes_what_needs_it);
	tcase_add_test(tcase, json_is_json_whatever_the_values_hold);
	tcase_add_test(tcase, levels_are_kept);
	tcase_add_test(tcase, a_flood_is_limited_and_counted);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
