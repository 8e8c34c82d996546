/* SPDX-License-Identifier: Apache-2.0 */
/* Before any library can start a thread: signals are blocked, so that only the loop sees them. */
#include "cli.h"

#include <malloc.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>

/*
 * libcurl brings GnuTLS along for protocols that we never speak. This is its own way to be spared
 * its start, which costs more memory than a thousand services (gnutls.h: GNUTLS_SKIP_GLOBAL_INIT).
 */
int _gnutls_global_init_skip(void);
__attribute__((visibility("default"))) int _gnutls_global_init_skip(void)
{
	return 1;
}

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
	mallopt(M_ARENA_MAX,
		1); /* the threads of HTTP allocate too little for heaps of their own */
	return cli_main(argc, argv);
}
