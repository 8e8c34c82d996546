/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An API server says no in several ways: an HTTP status with a Status object, the same with a text
 * or a page of some balancer on the way, or HTTP 200 and an ERROR event with a Status in it. Here
 * all become one of a few verdicts, and one line for people.
 *
 * The hard idea is to trust only the number: the body explains, but may be anything.
 */
#include "verdict.h"

#include <string.h>

#include "text.h"

#define TEXT_MAX 400

static const char *string_in(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* The server tells two kinds of 504 apart by a cause: one is just a timeout. */
static bool is_ahead(const json_t *status)
{
	const json_t *causes = json_object_get(json_object_get(status, "details"), "causes");
	const json_t *cause;
	size_t i;

	json_array_foreach (causes, i, cause)
		if (strcmp(string_in(cause, "reason"), "ResourceVersionTooLarge") == 0)
			return true;
	return strstr(string_in(status, "message"), "Too large resource version") != NULL;
}

static enum verdict judge(json_int_t code, const json_t *status)
{
	const char *reason = string_in(status, "reason");

	if (code == 410 || strcmp(reason, "Expired") == 0 || strcmp(reason, "Gone") == 0)
		return VERDICT_EXPIRED;
	if (code == 504 && is_ahead(status))
		return VERDICT_AHEAD;
	switch (code) {
	case 401: return VERDICT_UNAUTHORIZED;
	case 403: return VERDICT_FORBIDDEN;
	case 404: return VERDICT_ABSENT;
	case 408:
	case 429: return VERDICT_RETRY;
	default: return code > 500 ? VERDICT_RETRY : VERDICT_HOPELESS;
	}
}

/* The first line of a body, for free(). */
static char *first_line(const char *body)
{
	return text_clean(xstrndup(body, MIN(strcspn(body, "\r\n"), (size_t)200)));
}

static char *explain(json_int_t code, const json_t *status, const char *body)
{
	auto_free char *line = first_line(body);
	const char *message = string_in(status, "message");

	if (!*message)
		message = json_is_object(status) ? string_in(status, "reason") : line;
	return text_shorten(
		xasprintf("HTTP %" JSON_INTEGER_FORMAT "%s%s", code, *message ? ": " : "", message),
		TEXT_MAX);
}

enum verdict verdict_of(const struct request_result *result, char **out_text)
{
	json_auto_t *status = NULL;

	if (result->failure) {
		*out_text = xstrdup(result->failure);
		return VERDICT_RETRY;
	}
	if (result->status == 200) {
		*out_text = NULL;
		return VERDICT_FINE;
	}
	status = json_loads(result->body, 0, NULL);
	*out_text = explain(result->status, status, result->body);
	return judge(result->status, status);
}

enum verdict verdict_of_event(const json_t *status, char **out_text)
{
	json_int_t code = json_integer_value(json_object_get(status, "code"));

	*out_text = explain(code, status, "");
	return judge(code, status);
}
