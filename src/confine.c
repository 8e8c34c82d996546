/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Landlock. The user that we become may own more than the socket: on a host frr.conf is his. We
 * write nothing but the ledger and start nothing, so that is all we keep. What we read is not
 * narrowed: certificates, tokens and manifests come by symbolic links that turn elsewhere.
 */
#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (UINT64_C(1) << 14)
#endif
#define ABI_TRUNCATE 3 /* Linux 6.2 */

#define WRITING                                                                 \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |        \
		LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | \
		LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |     \
		LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |   \
		LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

/* A sanitizer writes its report into a file of its own, when all is lost. */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define REPORTS_LAST 1
#endif
#endif
#ifndef REPORTS_LAST
#define REPORTS_LAST 0
#endif

/* One that is not there cannot be written to either, which is told when that is tried. */
static int allow(int rules, const char *directory, uint64_t what)
{
	auto_close int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct landlock_path_beneath_attr below = {.allowed_access = what, .parent_fd = fd};

	if (fd < 0)
		return 0;
	return (int)syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &below, 0);
}

static int restrict_to(const char *directory)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	uint64_t writing = WRITING | (abi >= ABI_TRUNCATE ? LANDLOCK_ACCESS_FS_TRUNCATE : 0);
	struct landlock_ruleset_attr all = {
		.handled_access_fs = writing | LANDLOCK_ACCESS_FS_EXECUTE};
	auto_close int rules = -1;

	if (abi < 0)
		return -errno;
	rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
	if (rules < 0 || (directory && allow(rules, directory, writing) < 0) ||
		syscall(SYS_landlock_restrict_self, rules, 0) < 0)
		return -errno;
	return 0;
}

int confine(const char *directory)
{
	static char *confined_to;
	static bool confined;
	int r;

	if (confined && directory && (!confined_to || strcmp(directory, confined_to) != 0))
		return -EBUSY;
	if (confined)
		return 0;
	r = REPORTS_LAST ? -ENOTSUP : restrict_to(directory);
	if (r < 0)
		return r;
	confined = true;
	confined_to = directory ? xstrdup(directory) : NULL;
	return 0;
}
