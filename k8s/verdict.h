/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer of the API server means for who asked. */
#pragma once

#include <jansson.h>

#include "request.h"

enum verdict {
	VERDICT_FINE,
	VERDICT_RETRY,        /* later, the same */
	VERDICT_HOPELESS,     /* the same would probably fail again: 400, 422, 500, … */
	VERDICT_EXPIRED,      /* 410: that resource version is not known any more */
	VERDICT_AHEAD,        /* 504: that resource version is not known yet */
	VERDICT_UNAUTHORIZED, /* 401 */
	VERDICT_FORBIDDEN,    /* 403 */
	VERDICT_ABSENT,       /* 404: no such API group, version or resource */
};

/* *out_text: "HTTP 403: pods is forbidden: …", for free(); NULL if fine. */
must_check enum verdict verdict_of(const struct request_result *result, char **out_text);
/* Of the Status object in an ERROR event of a watch. */
must_check enum verdict verdict_of_event(const json_t *status, char **out_text);
