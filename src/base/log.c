/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log. The hard part: one call must serve logfmt and JSON alike, checked by the compiler.
 *
 * So the fields are an ordinary printf format, "key=%s key=%u", which the compiler checks; here it
 * is taken apart item by item and each value formatted by itself, so that a value with spaces,
 * quotes or newlines cannot be mistaken for fields, and numbers stay numbers in JSON.
 */
#include <cosmolet/log.h>

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#define VALUE_MAX 2048 /* longer values are cut */

static enum log_level log_level = LOG_INFO;
static enum log_format log_format = LOG_LOGFMT;
static int log_fd = STDERR_FILENO;
static uint64_t n_lines[LOG_DEBUG + 1];
static uint64_t n_suppressed;

static const char *const level_texts[] = {"error", "warn", "info", "debug"};

void log_setup(enum log_level level, enum log_format format)
{
	log_level = level;
	log_format = format;
}

const char *log_level_text(enum log_level level)
{
	return level_texts[level];
}

uint64_t log_lines(enum log_level level)
{
	return n_lines[level];
}

uint64_t log_suppressed(void)
{
	return n_suppressed;
}

bool log_wants(enum log_level level)
{
	return level <= log_level;
}

void log_to(int fd)
{
	log_fd = fd;
}

/* The length of the UTF-8 sequence at s, 0 if it is none (RFC 3629, without the finer rules). */
static size_t utf8_length(const char *s)
{
	unsigned char c = (unsigned char)*s;
	size_t n = c < 0x80 ? 1 : c >= 0xf0 && c < 0xf8 ? 4 : c >= 0xe0 ? 3 : 2;

	if (c >= 0xf8 || (c >= 0x80 && c < 0xc2))
		return 0;
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)s[i] & 0xc0) != 0x80)
			return 0;
	}
	return n;
}

/* Writes s in double quotes; controls and what is no UTF-8 come out as escapes. */
static void put_quoted(FILE *out, const char *s)
{
	fputc('"', out);
	while (*s) {
		unsigned char c = (unsigned char)*s;
		size_t n = utf8_length(s);

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c == '\n')
			fputs("\\n", out);
		else if (c < 0x20 || c == 0x7f || n == 0)
			fprintf(out, "\\u%04x", c);
		else
			fwrite(s, 1, n, out);
		s += MAX(n, (size_t)1);
	}
	fputc('"', out);
}

static bool is_plain(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s <= ' ' ||
			strchr("\"=\\\x7f", *s)) /* beyond ASCII is negative, so not plain */
			return false;
	}
	return true;
}

static void put_field(FILE *out, const char *key, size_t key_len, const char *value, bool number)
{
	if (log_format == LOG_JSON)
		fprintf(out, ",\"%.*s\":", (int)key_len, key);
	else
		fprintf(out, " %.*s=", (int)key_len, key);
	if (log_format == LOG_JSON ? number : is_plain(value))
		fputs(value, out);
	else
		put_quoted(out, value);
}

/* The spec is one conversion, "%5.1f" say, that the compiler has checked against its argument. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static bool format_value(char *buf, const char *spec, char size, char conversion, va_list *args)
{
	switch (conversion) {
	case 's': {
		const char *s = va_arg(*args, const char *);

		snprintf(buf, VALUE_MAX, spec, s ? s : "");
		return false;
	}
	case 'c': snprintf(buf, VALUE_MAX, spec, va_arg(*args, int)); return false;
	case 'f':
	case 'g': snprintf(buf, VALUE_MAX, spec, va_arg(*args, double)); return true;
	default:
		/* NOLINTBEGIN(bugprone-branch-clone): they differ in the type they take */
		switch (size) {
		case 'l': snprintf(buf, VALUE_MAX, spec, va_arg(*args, long)); break;
		case 'L': snprintf(buf, VALUE_MAX, spec, va_arg(*args, long long)); break;
		case 'j': snprintf(buf, VALUE_MAX, spec, va_arg(*args, intmax_t)); break;
		case 'z': snprintf(buf, VALUE_MAX, spec, va_arg(*args, size_t)); break;
		default: snprintf(buf, VALUE_MAX, spec, va_arg(*args, int)); break;
		}
		/* NOLINTEND(bugprone-branch-clone) */
		return conversion != 'x';
	}
}
#pragma GCC diagnostic pop

/* One item, "key=%lu"; returns its end. */
static const char *put_item(FILE *out, const char *item, va_list *args)
{
	const char *equals = strchr(item, '=');
	const char *end = strchrnul(item, ' ');
	char value[VALUE_MAX], spec[16], size = 0;
	size_t n = equals && equals < end ? (size_t)(end - equals - 1) : 0;
	bool number;

	if (n < 2 || n >= sizeof(spec) || equals[1] != '%')
		abort(); /* a malformed call, found by the first test that logs it */
	memcpy(spec, equals + 1, n);
	spec[n] = '\0';
	if (strstr(spec, "ll"))
		size = 'L';
	else if (strpbrk(spec, "ljz"))
		size = *strpbrk(spec, "ljz");
	number = format_value(value, spec, size, spec[n - 1], args);
	put_field(out, item, (size_t)(equals - item), value, number);
	return *end ? end + 1 : end;
}

static void put_time(FILE *out)
{
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	fprintf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", tm.tm_year + 1900, tm.tm_mon + 1,
		tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, now.tv_nsec / 1000000);
}

void log_write(enum log_level level, const char *room, const char *event, const char *fields, ...)
{
	auto_free char *line = NULL;
	int saved_errno = errno;
	size_t size = 0;
	va_list args;
	FILE *out;

	if (!log_wants(level))
		return;
	out = xmemstream(&line, &size);
	fputs(log_format == LOG_JSON ? "{\"time\":\"" : "time=", out);
	put_time(out);
	fputs(log_format == LOG_JSON ? "\"" : "", out);
	put_field(out, "level", 5, level_texts[level], false);
	put_field(out, "room", 4, room, false);
	put_field(out, "msg", 3, event, false);
	va_start(args, fields);
	while (*fields)
		fields = put_item(out, fields, &args);
	va_end(args);
	fputs(log_format == LOG_JSON ? "}\n" : "\n", out);
	fclose(out);
	n_lines[level]++;
	(void)!write(
		log_fd, line, size); /* a log that cannot be written cannot be complained about */
	errno = saved_errno;
}

bool log_allowed(struct log_limit *limit, unsigned *out_suppressed)
{
	const double burst = 10, per_second = 1;
	struct mono now = mono_now();

	limit->used -= mono_to_s(mono_sub(now, limit->last)) * per_second;
	limit->used = MAX(limit->used, 0);
	limit->last = now;
	if (limit->used > burst - 1) {
		limit->suppressed++;
		n_suppressed++;
		return false;
	}
	limit->used += 1;
	*out_suppressed = limit->suppressed;
	limit->suppressed = 0;
	return true;
}
