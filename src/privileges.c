/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Least privilege. zebra's socket is FRR's user's alone (mode 0700), and that user's number differs
 * from package to package, so nobody can write it into a manifest. Root with CAP_SETUID and
 * CAP_SETGID can find out who it is and become him, with CAP_NET_ADMIN alone for the loopback.
 *
 * Capabilities belong to threads. That of all but the calling one are lost when root becomes
 * another user, since only the calling one asks to keep any; the rest must be had before there are
 * others.
 */
#include "privileges.h"

#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <linux/capability.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define BIT(capability) (UINT64_C(1) << (capability))
#define BECOMING        (BIT(CAP_SETUID) | BIT(CAP_SETGID))

static uint64_t permitted(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &header, data) < 0)
		return 0;
	return data[0].permitted | (uint64_t)data[1].permitted << 32;
}

/* Lets go of what could come back by an exec of root; where the container has not done so. */
static void limit_bounding_set(uint64_t keep)
{
	for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++) {
		if (!(keep & BIT(capability)))
			(void)prctl(PR_CAPBSET_DROP, capability, 0, 0, 0); /* takes CAP_SETPCAP */
	}
}

/* Giving up what one has cannot be refused. */
static void limit(uint64_t keep)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	keep &= permitted();
	for (unsigned i = 0; i < N_ELEMENTS(data); i++)
		data[i].effective = data[i].permitted = (uint32_t)(keep >> 32 * i);
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
		syscall(SYS_capset, &header, data) < 0)
		abort();
}

/* The directory stands for a socket that it hides: FRR owns both. -errno: there is none. */
static int look(const char *socket, struct stat *out)
{
	auto_free char *copy = xstrdup(socket);

	if (stat(socket, out) == 0 || (errno == EACCES && stat(dirname(copy), out) == 0))
		return 0;
	return -errno;
}

/* What a pod's fsGroup gives for its files stays; root's own group does not. */
static int keep_groups(void)
{
	int room = MAX(getgroups(0, NULL), 0);
	auto_free gid_t *groups = xcalloc((size_t)room + 1, sizeof(*groups));
	int n = getgroups(room, groups);
	size_t kept = 0;

	for (int i = 0; i < n; i++) {
		if (groups[i] != 0)
			groups[kept++] = groups[i];
	}
	return n < 0 ? -1 : setgroups(kept, groups);
}

/* By the group, which takes no capability. What goes wrong here shows when it is written to. */
static void hand_over(const char *directory, gid_t gid)
{
	if (!directory)
		return;
	(void)mkdir(directory, 0755);
	if (chown(directory, (uid_t)-1, gid) == 0)
		(void)chmod(directory, 0775);
}

static int become(const char *socket, const struct stat *owner, uint64_t keep,
	const char *directory, char **out_error)
{
	uid_t uid = owner->st_uid;
	gid_t gid = owner->st_gid;
	int error = 0;

	limit_bounding_set(keep);
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || keep_groups() < 0 ||
		setresgid(gid, gid, gid) < 0)
		error = errno;
	else
		hand_over(directory, gid);
	if (!error && setresuid(uid, uid, uid) < 0)
		error = errno;
	(void)prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
	if (error) {
		*out_error = xasprintf("cannot become uid %u gid %u, which %s belongs to: %s", uid,
			gid, socket, strerror(error));
		return -EPERM;
	}
	limit(keep);
	return 0;
}

char *privileges_fault(const char *socket)
{
	struct stat owner;

	if (look(socket, &owner) < 0 || access(socket, W_OK) == 0 || errno != EACCES)
		return NULL;
	return xasprintf("%s belongs to uid %u gid %u, and this process is uid %u gid %u: start "
			 "cosmolet as root with CAP_SETUID and CAP_SETGID, then it becomes that "
			 "user by itself, or start it as that user",
		socket, owner.st_uid, owner.st_gid, geteuid(), getegid());
}

static int stay(const char *socket, char **out_error)
{
	*out_error = privileges_fault(socket);
	return *out_error ? -EPERM : 0;
}

int privileges_drop(const char *socket, bool net_admin, const char *directory, char **out_error)
{
	uint64_t keep = net_admin ? BIT(CAP_NET_ADMIN) : 0, have = permitted();
	struct stat owner;

	if (keep & ~have) {
		*out_error = xstrdup("binding addresses takes CAP_NET_ADMIN, which this process "
				     "has not: add it, or set loopback.mode: none");
		return -EPERM;
	}
	if (geteuid() != 0 || (have & BECOMING) != BECOMING) {
		/* Given to root, it is the other way to the socket. */
		keep |= geteuid() == 0 ? BIT(CAP_DAC_OVERRIDE) : 0;
		limit_bounding_set(keep);
		limit(keep);
		return stay(socket, out_error);
	}
	if (look(socket, &owner) < 0) {
		keep |= BECOMING | BIT(CAP_SETPCAP);
		limit_bounding_set(keep);
		limit(keep);
		return 1;
	}
	return become(socket, &owner, keep, directory, out_error);
}
