/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer of /status as people read it in a terminal. All columns are had as text first; then
 * those that the width has room for are printed, the most important ones before the others.
 *
 * Names come from a cluster's users: what could steer a terminal is not printed.
 */
#include "table.h"

#include <ctype.h>
#include <string.h>

#include <cosmolet/clock.h>
#include <cosmolet/mem.h>

enum column {
	COLUMN_ADDRESS,
	COLUMN_STATE,
	COLUMN_SINCE,
	COLUMN_FAMILY,
	COLUMN_KIND,
	COLUMN_TAG,
	COLUMN_METRIC,
	COLUMN_BOUND,
	COLUMN_ZEBRA,
	COLUMN_BGP,
	COLUMN_SERVICE,
	COLUMN_WHY,
	N_COLUMNS,
};

static const struct {
	const char *title;
	unsigned rank;  /* the lowest are left out last */
	bool wide;      /* only then */
	unsigned least; /* width to which it may be cut; 0: not at all */
} columns[N_COLUMNS] = {
	[COLUMN_ADDRESS] = {"ADDRESS", 0, false, 0},
	[COLUMN_STATE] = {"STATE", 1, false, 0},
	[COLUMN_SINCE] = {"SINCE", 3, false, 0},
	[COLUMN_FAMILY] = {"FAMILY", 8, true, 0},
	[COLUMN_KIND] = {"KIND", 9, true, 0},
	[COLUMN_TAG] = {"TAG", 6, false, 0},
	[COLUMN_METRIC] = {"METRIC", 10, true, 0},
	[COLUMN_BOUND] = {"BOUND", 11, true, 0},
	[COLUMN_ZEBRA] = {"ZEBRA", 7, false, 0},
	[COLUMN_BGP] = {"BGP", 5, false, 0}, /* where bgpd is asked */
	[COLUMN_SERVICE] = {"SERVICE", 2, false, 12},
	[COLUMN_WHY] = {"WHY", 4, false, 20},
};

#define GAP         2
#define SOURCES_MAX 5 /* that are told of, of those with an error */

struct line {
	const char *state;
	char *cells[N_COLUMNS];
};

static const char *string_of(const json_t *json, const char *key, const char *otherwise)
{
	const char *value = json_string_value(json_object_get(json, key));

	return value ? value : otherwise;
}

static long long number_of(const json_t *json, const char *key)
{
	return (long long)json_integer_value(json_object_get(json, key));
}

static bool is_true(const json_t *json, const char *key)
{
	return json_is_true(json_object_get(json, key));
}

/* Text */

static bool starts_letter(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

static unsigned letters(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += starts_letter(*text);
	return n;
}

/* Takes out what a terminal would obey: the control characters of ASCII, and those of Latin-1. */
static char *harmless(char *text)
{
	for (unsigned char *c = (unsigned char *)text; *c; c++) {
		if (*c < ' ' || *c == 0x7f)
			*c = '?';
		else if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)
			c[0] = c[1] = '?';
	}
	return text;
}

/* At most so many letters of a text; cut off, it ends in "...". most 0: all. */
static void print_cut(const char *text, unsigned most, FILE *out)
{
	bool cut = most && letters(text) > most;
	unsigned left = cut ? most - MIN(most, 3u) : letters(text);

	for (; *text && (left || !starts_letter(*text)); text++) {
		left -= starts_letter(*text);
		fputc(*text, out);
	}
	if (cut)
		fputs(most >= 3 ? "..." : "", out);
}

static char *age_text(const json_t *status, const json_t *since)
{
	double s = json_number_value(json_object_get(status, "now")) - json_number_value(since);

	if (!since)
		return xstrdup("-");
	if (s < 100)
		return xasprintf("%.0fs", s < 0 ? 0 : s);
	if (s < 6000)
		return xasprintf("%.0fm", s / 60);
	return s < 360000 ? xasprintf("%.0fh", s / 3600) : xasprintf("%.0fd", s / 86400);
}

static char *number_text(const json_t *address, const char *key)
{
	return json_object_get(address, key) ? xasprintf("%lld", number_of(address, key))
					     : xstrdup("-");
}

static char *services_text(const json_t *services)
{
	const json_t *service;
	char *text = NULL;
	size_t size = 0, i;
	FILE *out = xmemstream(&text, &size);

	json_array_foreach (services, i, service)
		fprintf(out, "%s%s", i ? "," : "", json_string_value(service));
	fclose(out);
	return text;
}

static bool is_established(const json_t *neighbor)
{
	return !strcmp(string_of(neighbor, "state", ""), "Established");
}

/* To how many of the established neighbours of its family, as far as that is known. */
static char *neighbors_text(const json_t *status, const json_t *address)
{
	const json_t *names = json_object_get(address, "neighbors"), *neighbor;
	const json_t *bgp = json_object_get(status, "bgp");
	size_t i, of = 0;

	json_array_foreach (json_object_get(bgp, "neighbors"), i, neighbor)
		of += number_of(neighbor, "family") == number_of(address, "family") &&
		      is_established(neighbor) && json_object_get(neighbor, "advertised");
	return names ? xasprintf("%zu/%zu", json_array_size(names), of) : xstrdup("-");
}

/* Lines */

static void fill_line(struct line *line, const json_t *status, const json_t *address)
{
	const char *note = string_of(address, "note", "");

	line->state = string_of(address, "tagged", string_of(address, "state", ""));
	line->cells[COLUMN_ADDRESS] = xstrdup(string_of(address, "address", ""));
	line->cells[COLUMN_STATE] = xstrdup(line->state);
	line->cells[COLUMN_SINCE] = age_text(status, json_object_get(address, "since"));
	line->cells[COLUMN_FAMILY] = xasprintf("IPv%lld", number_of(address, "family"));
	line->cells[COLUMN_KIND] = xstrdup(string_of(address, "kind", "-"));
	line->cells[COLUMN_TAG] = number_text(address, "tag");
	line->cells[COLUMN_METRIC] = number_text(address, "metric");
	line->cells[COLUMN_BOUND] = xstrdup(is_true(address, "foreign") ? "foreign"
					    : is_true(address, "bound") ? "yes"
									: "no");
	line->cells[COLUMN_ZEBRA] = xstrdup(string_of(address, "zebra", "-"));
	line->cells[COLUMN_BGP] = neighbors_text(status, address);
	line->cells[COLUMN_SERVICE] = services_text(json_object_get(address, "services"));
	line->cells[COLUMN_WHY] = xasprintf(
		"%s%s%s", note, *note ? "; " : "", string_of(address, "why", "no service has it"));
	for (int i = 0; i < N_COLUMNS; i++)
		harmless(line->cells[i]);
}

static void clear_line(struct line *line)
{
	for (int i = 0; i < N_COLUMNS; i++)
		free(TAKE(line->cells[i]));
}

static bool has_word(const struct line *line, const char *word, size_t n)
{
	auto_free char *wanted = xstrndup(word, n);

	for (int i = 0; i < N_COLUMNS; i++) {
		if (strcasestr(line->cells[i], wanted))
			return true;
	}
	return false;
}

static bool passes(const struct line *line, const char *filter)
{
	size_t n;

	for (; filter && *filter; filter += n + strspn(filter + n, " ")) {
		n = strcspn(filter, " ");
		if (n && !has_word(line, filter, n))
			return false;
	}
	return true;
}

/* Columns */

/* How wide each column is; 0: it is left out. */
static void measure(const json_t *status, const struct table_look *look, const struct line *lines,
	size_t n, unsigned widths[N_COLUMNS])
{
	for (int i = 0; i < N_COLUMNS; i++) {
		widths[i] = columns[i].wide && !look->wide ? 0 : letters(columns[i].title);
		if (i == COLUMN_BGP && !json_object_get(status, "bgp"))
			widths[i] = 0;
		for (size_t j = 0; widths[i] && j < n; j++)
			widths[i] = MAX(widths[i], letters(lines[j].cells[i]));
	}
}

/* The column of a rank. */
static int ranked(unsigned rank)
{
	int i = 0;

	while (columns[i].rank != rank)
		i++;
	return i;
}

/* Leaves out what there is no room for even when cut, then spreads what is left over. */
static void fit(unsigned width, unsigned widths[N_COLUMNS])
{
	unsigned wanted[N_COLUMNS], left = width + GAP;

	if (!width)
		return;
	memcpy(wanted, widths, sizeof(wanted));
	for (unsigned rank = 0; rank < N_COLUMNS; rank++) {
		int i = ranked(rank);
		unsigned least = columns[i].least ? MIN(columns[i].least, wanted[i]) : wanted[i];

		widths[i] = rank == 0 ? MIN(least, width) : least;
		if (widths[i] + GAP > left)
			left = widths[i] = 0; /* nor is there room for what matters less */
		left -= widths[i] ? widths[i] + GAP : 0;
	}
	for (unsigned rank = 0; rank < N_COLUMNS; rank++) {
		int i = ranked(rank);
		unsigned more = widths[i] ? MIN(wanted[i] - widths[i], left) : 0;

		widths[i] += more;
		left -= more;
	}
}

static const char *colour_of(const char *state)
{
	if (!strcmp(state, "announced"))
		return "32";
	if (!strcmp(state, "rejected") || !strcmp(state, "unbound"))
		return "31";
	return strcmp(state, "down") != 0 ? "33" : "2";
}

static void print_line(char *const cells[N_COLUMNS], const char *colour,
	const unsigned widths[N_COLUMNS], FILE *out)
{
	int last = N_COLUMNS - 1;

	while (last > 0 && !widths[last])
		last--;
	for (int i = 0; i <= last; i++) {
		bool coloured = colour && i == COLUMN_STATE;
		unsigned n = letters(cells[i]);

		if (!widths[i])
			continue;
		if (coloured)
			fprintf(out, "\033[%sm", colour);
		print_cut(cells[i], widths[i], out);
		if (coloured)
			fputs("\033[0m", out);
		if (i < last)
			fprintf(out, "%*s", (int)(widths[i] - MIN(n, widths[i]) + GAP), "");
	}
	fputc('\n', out);
}

static void print_titles(const unsigned widths[N_COLUMNS], FILE *out)
{
	char *titles[N_COLUMNS];

	for (int i = 0; i < N_COLUMNS; i++)
		titles[i] = xstrdup(columns[i].title);
	print_line(titles, NULL, widths, out);
	for (int i = 0; i < N_COLUMNS; i++)
		free(titles[i]);
}

size_t table_print_addresses(const json_t *status, const struct table_look *look, FILE *out)
{
	const json_t *addresses = json_object_get(status, "addresses"), *address;
	auto_free struct line *lines = xcalloc(json_array_size(addresses) + 1, sizeof(*lines));
	unsigned widths[N_COLUMNS];
	size_t n = 0, end, i;

	json_array_foreach (addresses, i, address) {
		fill_line(&lines[n], status, address);
		if (passes(&lines[n], look->filter))
			n++;
		else
			clear_line(&lines[n]);
	}
	measure(status, look, lines, n, widths);
	fit(look->width, widths);
	print_titles(widths, out);
	end = look->most ? MIN(n, look->first + look->most) : n;
	for (i = look->first; i < end; i++)
		print_line(lines[i].cells, look->colour ? colour_of(lines[i].state) : NULL, widths,
			out);
	for (i = 0; i < n; i++)
		clear_line(&lines[i]);
	return n;
}

/* The head */

static void head_line(const struct table_look *look, const char *name, char *text, FILE *out)
{
	harmless(text);
	if (!look->width) {
		fprintf(out, "%-11s %s\n", name, text);
	} else {
		auto_free char *line = xasprintf("%-11s %s", name, text);

		print_cut(line, look->width, out);
		fputc('\n', out);
	}
	free(text);
}

static char *node_text(const json_t *status)
{
	const char *drain = string_of(status, "drain", "none");
	auto_free char *drained = NULL;

	if (strcmp(drain, "none") != 0)
		drained =
			xasprintf(", drained (%s): %s", drain, string_of(status, "drained_by", ""));
	else if (is_true(status, "draining"))
		drained = xstrdup(", draining");
	return xasprintf("%s, cosmolet %s%s", string_of(status, "node", ""),
		string_of(status, "cosmolet", ""), drained ? drained : "");
}

/* What would be done, where nothing is. */
static char *would_text(const json_t *would)
{
	const json_t *withdraw = json_object_get(would, "withdraw"), *prefix;
	char *text = NULL;
	size_t size = 0, i;
	FILE *out = xmemstream(&text, &size);

	fprintf(out, "nothing is changed; it would announce %lld and withdraw %zu routes",
		number_of(would, "announce"), json_array_size(withdraw));
	json_array_foreach (withdraw, i, prefix)
		fprintf(out, "%s %s", i ? "," : ":", json_string_value(prefix));
	fclose(out);
	return text;
}

static char *bgp_text(const json_t *bgp)
{
	const json_t *neighbors = json_object_get(bgp, "neighbors"), *neighbor;
	const char *error = string_of(bgp, "error", "");
	size_t i, up = 0;

	json_array_foreach (neighbors, i, neighbor)
		up += is_established(neighbor);
	if (!json_object_get(bgp, "age_seconds"))
		return xasprintf("not known%s%s", *error ? ": " : "", error);
	return xasprintf("%zu of %zu sessions established, %.0f s ago%s%s", up,
		json_array_size(neighbors), json_number_value(json_object_get(bgp, "age_seconds")),
		*error ? "; " : "", error);
}

/* Watches that are not open, and manifests that were refused. */
static void print_sources(const json_t *streams, const struct table_look *look, FILE *out)
{
	const json_t *stream;
	size_t n = 0, i;

	json_array_foreach (streams, i, stream) {
		if (is_true(stream, "connected"))
			continue;
		if (++n <= SOURCES_MAX)
			head_line(look, "problem",
				xasprintf("%s: %s%s", string_of(stream, "name", ""),
					string_of(stream, "error", "not connected"),
					is_true(stream, "synced")
						? "; what is known stays announced"
						: ""),
				out);
	}
	if (n > SOURCES_MAX)
		head_line(look, "problem", xasprintf("and %zu sources more", n - SOURCES_MAX), out);
}

void table_print_head(const json_t *status, const struct table_look *look, FILE *out)
{
	const json_t *zebra = json_object_get(status, "zebra");
	const json_t *kubernetes = json_object_get(status, "kubernetes");
	const json_t *would = json_object_get(status, "would"), *problem;
	size_t i;

	head_line(look, "node", node_text(status), out);
	head_line(look, "kubernetes",
		xasprintf("%s, %s, %lld services, %lld pods", string_of(kubernetes, "from", ""),
			is_true(kubernetes, "synced") ? "synced" : "not synced yet",
			number_of(kubernetes, "services"), number_of(kubernetes, "pods")),
		out);
	head_line(look, "zebra",
		xasprintf("%s, FRR %s, redistribute %s, %lld routes, %lld confirmed",
			is_true(zebra, "connected") ? "connected" : "not connected",
			string_of(zebra, "release", "unknown"),
			string_of(zebra, "redistribute", ""), number_of(zebra, "routes"),
			number_of(zebra, "redistributed")),
		out);
	if (json_object_get(status, "bgp"))
		head_line(look, "bgp", bgp_text(json_object_get(status, "bgp")), out);
	if (would)
		head_line(look, "dry run", would_text(would), out);
	print_sources(json_object_get(kubernetes, "streams"), look, out);
	json_array_foreach (json_object_get(status, "problems"), i, problem)
		head_line(look, "problem", xstrdup(json_string_value(problem)), out);
	fputc('\n', out);
}
