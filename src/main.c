/* SPDX-License-Identifier: Apache-2.0 */
/* Before any library can start a thread: signals are blocked, so that only the loop sees them. */
#include "cli.h"

#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>

int main(int argc, char **argv)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN); /* a peer that is gone is an error of write(), not our death */
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return cli_main(argc, argv);
}
