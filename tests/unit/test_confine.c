/* SPDX-License-Identifier: Apache-2.0 */
/* Every way to change a file, tried by root: nothing is changed outside the directory. */
#include "confine.h"
#include "unit.h"

#include <cosmolet/yaml.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char *all, *root;

static int touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	return fd < 0 ? -1 : close(fd);
}

static int overwrite(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -1 : close(fd);
}

static int empty(const char *path)
{
	return truncate(path, 0);
}

static int make_directory(const char *path)
{
	return mkdir(path, 0755);
}

static int make_fifo(const char *path)
{
	return mkfifo(path, 0644);
}

static int make_link(const char *path)
{
	return symlink("elsewhere", path);
}

static int rename_it(const char *path)
{
	auto_free char *to = xasprintf("%s.old", path);

	return rename(path, to);
}

static const struct {
	int (*change)(const char *path);
	const char *what;
} ways[] = {{touch, "new"}, {overwrite, "file"}, {empty, "file"}, {make_directory, "new"},
	{make_fifo, "new"}, {make_link, "new"}, {rename_it, "file"}, {unlink, "file"},
	{rmdir, "directory"}};

static char *path_of(const char *directory, const char *name)
{
	return xasprintf("%s/%s/%s", root, directory, name);
}

/* Of the parent, which is free to tidy up. */
static void setup_all(void)
{
	all = unit_template("confine");
	ck_assert_ptr_nonnull(mkdtemp(all));
}

static void teardown_all(void)
{
	auto_free char *command = xasprintf("rm -r '%s'", all);

	ck_assert_int_eq(system(command), 0);
	free(all);
}

static void setup(void)
{
	static const char *const directories[] = {"in", "out", "in/directory", "out/directory"};

	root = xasprintf("%s/XXXXXX", all);
	ck_assert_ptr_nonnull(mkdtemp(root));
	for (size_t i = 0; i < N_ELEMENTS(directories); i++) {
		auto_free char *path = xasprintf("%s/%s", root, directories[i]);

		ck_assert_int_eq(mkdir(path, 0755), 0);
	}
	for (unsigned i = 0; i < 2; i++) {
		auto_free char *path = path_of(directories[i], "file");

		ck_assert_int_eq(touch(path), 0);
	}
}

/* False where the kernel cannot, or the build must not: then everything stays as it was. */
static bool is_confined(const char *directory)
{
	int r;

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	r = confine(directory);
	ck_assert_msg(
		r == 0 || r == -ENOSYS || r == -EOPNOTSUPP || r == -ENOTSUP, "%s", strerror(-r));
	return r == 0;
}

/* Before Linux 6.2 Landlock does not know of truncate(). */
static bool is_refused(int (*change)(const char *path), const char *directory)
{
	bool confined = is_confined(directory);
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return confined && (change != empty || abi >= 3);
}

START_TEST(nothing_is_changed_outside)
{
	auto_free char *in = xasprintf("%s/in", root);
	bool refused = is_refused(ways[_i].change, in);
	auto_free char *outside = path_of("out", ways[_i].what);
	auto_free char *inside = path_of("in", ways[_i].what);

	errno = 0;
	ck_assert_int_eq(ways[_i].change(outside), refused ? -1 : 0);
	ck_assert_int_eq(errno, refused ? EACCES : 0);
	ck_assert_int_eq(ways[_i].change(inside), 0);
}
END_TEST

START_TEST(nothing_is_changed_anywhere)
{
	bool refused = is_refused(ways[_i].change, NULL);
	auto_free char *inside = path_of("in", ways[_i].what);

	ck_assert_int_eq(ways[_i].change(inside), refused ? -1 : 0);
}
END_TEST

START_TEST(nothing_is_moved_in_or_out)
{
	auto_free char *in = xasprintf("%s/in", root);
	bool confined = is_confined(in);
	auto_free char *inside = path_of("in", "file");
	auto_free char *outside = path_of("out", "moved");

	ck_assert_int_eq(rename(inside, outside), confined ? -1 : 0);
}
END_TEST

START_TEST(no_program_is_started)
{
	bool confined = is_confined(NULL);
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execl("/bin/true", "true", NULL);
		_exit(errno == EACCES ? 1 : 2);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), confined ? 1 : 0);
}
END_TEST

START_TEST(all_is_read_and_what_is_open_is_written)
{
	auto_free char *outside = path_of("out", "file");
	auto_free char *text = NULL;
	size_t size;
	int fd = open(outside, O_WRONLY | O_CLOEXEC);

	(void)is_confined(NULL);
	ck_assert_int_eq(write(fd, "kept", 4), 4);
	ck_assert_int_eq(close(fd), 0);
	ck_assert_int_eq(file_read(outside, 64, &text, &size), 0);
	ck_assert_str_eq(text, "kept");
}
END_TEST

/* A reload is another life of the same process; kernels count how often they are asked, to 16. */
START_TEST(the_first_call_counts)
{
	auto_free char *in = xasprintf("%s/in", root);
	auto_free char *out = xasprintf("%s/out", root);

	if (!is_confined(in))
		return;
	for (unsigned i = 0; i < 100; i++)
		ck_assert_int_eq(confine(in), 0);
	ck_assert_int_eq(confine(NULL), 0);
	ck_assert_int_eq(confine(out), -EBUSY);
}
END_TEST

START_TEST(a_directory_that_is_not_there)
{
	auto_free char *none = xasprintf("%s/none", root);
	auto_free char *inside = path_of("in", "new");
	bool confined = is_confined(none);

	ck_assert_int_eq(touch(inside), confined ? -1 : 0);
	ck_assert_int_eq(mkdir(none, 0755), confined ? -1 : 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("confine");
	TCase *tests = tcase_create("files");

	tcase_add_unchecked_fixture(tests, setup_all, teardown_all);
	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_loop_test(tests, nothing_is_changed_outside, 0, N_ELEMENTS(ways));
	tcase_add_loop_test(tests, nothing_is_changed_anywhere, 0, N_ELEMENTS(ways));
	tcase_add_test(tests, nothing_is_moved_in_or_out);
	tcase_add_test(tests, no_program_is_started);
	tcase_add_test(tests, all_is_read_and_what_is_open_is_written);
	tcase_add_test(tests, the_first_call_counts);
	tcase_add_test(tests, a_directory_that_is_not_there);
	suite_add_tcase(suite, tests);
	return unit_run(suite);
}
