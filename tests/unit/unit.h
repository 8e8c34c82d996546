/* SPDX-License-Identifier: Apache-2.0 */
/* What every unit test needs: check, and a main that prints TAP. */
#pragma once

#include <check.h>
#include <string.h>

#include <cosmolet/mem.h>

/* What mkstemp() and mkdtemp() take, in $TMPDIR; for free(). */
static inline char *unit_template(const char *name)
{
	const char *directory = getenv("TMPDIR");

	return xasprintf("%s/%s-XXXXXX", directory && *directory ? directory : "/tmp", name);
}

/* From "" on: the room is the least power of two, or a long text would be copied for each line. */
static inline void unit_append(char **text, const char *more)
{
	size_t n = strlen(*text), n_more = strlen(more), room = 1;

	while (room <= n + n_more)
		room *= 2;
	if (room > 2 * n) /* what it has is no more than that */
		*text = xrealloc(*text, room);
	memcpy(*text + n, more, n_more + 1);
}

/* Runs the suite, each case in a process of its own, and returns main's exit code. */
static inline int unit_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int n_failed;

	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
