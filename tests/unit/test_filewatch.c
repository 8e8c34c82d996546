/* SPDX-License-Identifier: Apache-2.0 */
/* A file, and the directory that it is in, may be replaced in any way. */
#include "filewatch.h"

#include "unit.h"

static struct loop *loop;
static struct filewatch *watch;
static char *directory;
static unsigned n_changed;

static void shell(const char *command)
{
	auto_free char *whole = xasprintf("cd %s && %s", directory, command);

	ck_assert_msg(system(whole) == 0, "%s", whole);
}

static void on_change(void *data)
{
	(void)data;
	n_changed++;
}

static void setup(void)
{
	auto_free char *path = NULL;

	directory = unit_template("filewatch");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	shell("mkdir one && ln -s one now && echo 1 >one/file");
	path = xasprintf("%s/now/file", directory);
	loop = loop_new();
	watch = filewatch_new(loop, path, on_change, NULL);
	ck_assert_ptr_nonnull(watch);
}

static void teardown(void)
{
	filewatch_free(watch);
	loop_free(loop);
	shell("rm -r *");
	rmdir(directory);
	free(directory);
}

static void turn_for(struct mono time)
{
	loop_turn(loop, 0);
	mono_turn(time);
	loop_turn(loop, 0);
}

START_TEST(a_file_is_replaced)
{
	turn_for(mono_s(600));
	ck_assert_uint_eq(n_changed, 0);
	shell("echo 2 >new && mv new now/file");
	turn_for(mono_ms(300));
	ck_assert_uint_eq(n_changed, 1);
}
END_TEST

static const char *const replacements[] = {
	"mkdir two && echo 2 >two/file && ln -s two new && mv -T new now",
	"mv one old && mkdir one && echo 2 >one/file",
	"rm -r one && mkdir one && echo 2 >one/file",
};

START_TEST(a_directory_is_replaced)
{
	shell(replacements[_i]);
	turn_for(mono_s(61));
	turn_for(mono_ms(300));
	ck_assert_uint_ge(n_changed, 1);
	turn_for(mono_s(61)); /* the old one's end */
	turn_for(mono_ms(300));
	n_changed = 0;
	shell("echo 3 >now/file");
	turn_for(mono_ms(300));
	ck_assert_uint_eq(n_changed, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("filewatch");
	TCase *tests = tcase_create("filewatch");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, a_file_is_replaced);
	tcase_add_loop_test(tests, a_directory_is_replaced, 0, N_ELEMENTS(replacements));
	suite_add_tcase(suite, tests);
	return unit_run(suite);
}
