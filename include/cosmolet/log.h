/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: one line on stderr per event, as logfmt or JSON.
 *
 *	log_info("zapi", "connected", "release=%s routes=%zu", release, n);
 *
 * First the room, then the event in plain words, then the fields: a format whose items are
 * "key=%conversion", separated by single spaces. Values are quoted as needed, so they may hold
 * anything. Each conversion must be one of %s %c %d %i %u %x %g %f with length h, l, ll, j or z.
 * errno survives. Only src logs above debug; the other rooms return errors or emit events.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <cosmolet/clock.h>
#include <cosmolet/mem.h>

enum log_level { LOG_ERR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_LOGFMT, LOG_JSON };

/* The level and the format hold for the whole process. */
void log_setup(enum log_level level, enum log_format format);
bool log_wants(enum log_level level);
/* "error", …; never NULL. */
const char *log_level_text(enum log_level level);
/* Lines written so far, and lines that log_allowed() did not allow. */
uint64_t log_lines(enum log_level level);
uint64_t log_suppressed(void);
/* For tests: lines go to this descriptor instead of stderr. */
void log_to(int fd);

void log_write(enum log_level level, const char *room, const char *event, const char *fields, ...)
	printf_like(4, 5);

#define log_err(room, event, ...)  log_write(LOG_ERR, room, event, "" __VA_ARGS__)
#define log_warn(room, event, ...) log_write(LOG_WARN, room, event, "" __VA_ARGS__)
#define log_info(room, event, ...) log_write(LOG_INFO, room, event, "" __VA_ARGS__)
#define log_debug(room, event, ...)                                        \
	do {                                                               \
		if (log_wants(LOG_DEBUG))                                  \
			log_write(LOG_DEBUG, room, event, "" __VA_ARGS__); \
	} while (0)

/* A token bucket, for lines that a peer can provoke. Zeroed: full, 10 lines and one per second. */
struct log_limit {
	struct mono last;
	double used;
	unsigned suppressed;
};

/* Whether the line may be written now; *out_suppressed: how many were not since the last. */
must_check bool log_allowed(struct log_limit *limit, unsigned *out_suppressed);
