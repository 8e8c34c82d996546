/* SPDX-License-Identifier: Apache-2.0 */
/* What every unit test needs: check, and a main that prints TAP. */
#pragma once

#include <check.h>

#include <cosmolet/mem.h>

/* What mkstemp() and mkdtemp() take, in $TMPDIR; for free(). */
static inline char *unit_template(const char *name)
{
	const char *directory = getenv("TMPDIR");

	return xasprintf("%s/%s-XXXXXX", directory && *directory ? directory : "/tmp", name);
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
