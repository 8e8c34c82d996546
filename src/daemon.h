/* SPDX-License-Identifier: Apache-2.0 */
/* The root object: everything that runs, built in order and torn down in reverse. */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include <cosmolet/k8s.h>
#include <cosmolet/loop.h>
#include <cosmolet/zapi.h>

#include "announce.h"
#include "bgpd.h"
#include "bgpview.h"
#include "cluster.h"
#include "config.h"
#include "drain.h"
#include "filewatch.h"
#include "gate.h"
#include "http.h"
#include "journal.h"
#include "loopback.h"
#include "metrics.h"
#include "notify.h"
#include "planner.h"
#include "policy.h"
#include "rival.h"
#include "stale.h"
#include "sysctl.h"

#define MAX_STREAMS 256 /* shown, those in trouble first; a directory may have more files */

enum reload_result { RELOAD_APPLIED, RELOAD_UNCHANGED, RELOAD_REFUSED, N_RELOAD_RESULTS };

struct daemon {
	struct config *config;
	struct config *next; /* to be built anew with, once this one has come to its end */
	bool again;          /* to be built anew, with next or with the same */
	bool withdrawing;    /* and everything is withdrawn before */
	struct filewatch *filewatch;
	struct stat file; /* the configuration's, as it was read last */
	struct loop_job reload_job;
	struct loop_job signal_job;
	int later_signal;   /* came amid a rebuilding; the next life obeys */
	char *config_error; /* why the file is not what we run with; NULL: it is */
	struct loop *loop;
	struct metrics metrics;
	struct journal journal;
	struct loopback *loopback;
	struct zapi *zapi;
	struct bgpd *bgpd;
	struct bgpview *bgpview; /* NULL: it is not asked for */
	struct rival *rival;
	struct k8s *k8s;
	struct cluster cluster;
	struct policies policies; /* as decoded for the configuration in use */
	struct announce announce;
	struct steadiness steadiness; /* of the addresses, in all lives of the process */
	struct planner planner;
	struct drain drain;
	struct stale stale;
	struct gate *gate; /* NULL: there is none */
	struct http *http;
	struct notify *notify; /* NULL: nobody wants to know */
	struct loop_timer stop_timer;
	struct loop_timer lock_timer;
	struct loop_timer owner_timer; /* root waits for zebra's socket, to become its owner */
	struct loop_timer advice_timer;
	struct loop_timer trim_timer;
	char *advice[SYSCTL_ADVICE]; /* about sysctls, as it was logged */
	size_t n_advice;
	struct log_limit problem_limit;
	struct log_limit zebra_limit;
	struct log_limit loopback_limit;
	int lock_fd;
	double started;
	bool gate_passed; /* in this life of the process */
	bool stopping;
	bool initialised;
};

/*
 * Runs until SIGTERM or SIGINT; reads its configuration again on SIGHUP. All three must be blocked
 * already. Takes the configuration over. Returns the exit code of the process: 0 after an orderly
 * stop, 1 if it could not start.
 */
int daemon_run(struct config *config);

/* Withdraws and unbinds all that is ours, without a cluster. Exit code. */
int daemon_withdraw(struct config *config);

/* Of the zapi room, as the configuration has it; borrows from it. */
void daemon_zapi_options(const struct config *config, struct zapi_options *out);

/* What is missing, by name, for readiness: "api server, zebra". NULL: nothing. For free(). */
char *daemon_missing(const struct daemon *daemon);
