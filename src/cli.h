/* SPDX-License-Identifier: Apache-2.0 */
/* The command line. */
#pragma once

/* Exit codes; they are promised in --help. */
enum exit_code {
	EXIT_FINE = 0,
	EXIT_FAILED = 1, /* could not start, nobody answers, not announced */
	EXIT_USAGE = 2,  /* the call is wrong */
	EXIT_CONFIG = 3, /* the configuration is refused */
};

int cli_main(int argc, char **argv);
