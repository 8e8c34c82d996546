/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Label selectors in the words of kubectl: "team=shop,tier!=test,zone in (a,b),!private".
 *
 * The hard idea is to take exactly what an API server takes. A selector that it refuses would be a
 * watch that is refused for ever; here it is an error of the configuration, with its place. Only
 * the comparisons of numbers ("a>1"), which no page of Kubernetes' promises, are left out.
 */
#include <cosmolet/k8s.h>

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define NAME_MAX_OCTETS   63
#define PREFIX_MAX_OCTETS 253

/* What a term says of the key's value. */
enum operation { IS_THERE, IS_NOT_THERE, IS_AMONG, IS_NOT_AMONG };

struct term {
	enum operation operation;
	char *key;
	char **values;
	size_t n_values;
};

struct k8s_label_selector {
	struct term *terms;
	size_t n;
};

struct parse {
	const char *text;
	const char *at;
	char **out_error;
};

struct k8s_label_selector *k8s_label_selector_free(struct k8s_label_selector *selector)
{
	if (!selector)
		return NULL;
	for (size_t i = 0; i < selector->n; i++) {
		struct term *term = &selector->terms[i];

		for (size_t j = 0; j < term->n_values; j++)
			free(term->values[j]);
		free(term->values);
		free(term->key);
	}
	free(selector->terms);
	free(selector);
	return NULL;
}

static bool is_among(const struct term *term, const char *value)
{
	for (size_t i = 0; i < term->n_values; i++)
		if (strcmp(term->values[i], value) == 0)
			return true;
	return false;
}

bool k8s_label_selector_matches(
	const struct k8s_label_selector *selector, const struct k8s_map *labels)
{
	for (size_t i = 0; i < selector->n; i++) {
		const struct term *term = &selector->terms[i];
		const char *value = k8s_map_get(labels, term->key);
		bool holds =
			value && (term->operation == IS_THERE || term->operation == IS_NOT_THERE ||
					 is_among(term, value));

		if (holds != (term->operation == IS_THERE || term->operation == IS_AMONG))
			return false;
	}
	return true;
}

/* Reading */

static int refuse(struct parse *parse, const char *at, const char *expected)
{
	*parse->out_error =
		xasprintf("\"%s\", at character %zu: expected %s; write terms like a=b, a!=b, "
			  "a in (b,c), a notin (b,c), a or !a, with commas between them",
			parse->text, (size_t)(at - parse->text) + 1, expected);
	return -EINVAL;
}

static void skip_blanks(struct parse *parse)
{
	parse->at += strspn(parse->at, " \t\r\n");
}

/* Goes past the mark, if it is what comes next. */
static bool take(struct parse *parse, const char *mark)
{
	skip_blanks(parse);
	if (strncmp(parse->at, mark, strlen(mark)) != 0)
		return false;
	parse->at += strlen(mark);
	return true;
}

/* The word that comes next, perhaps an empty one; and where it began. */
static size_t take_word(struct parse *parse, const char **out)
{
	size_t n;

	skip_blanks(parse);
	*out = parse->at;
	n = strcspn(parse->at, " \t\r\n=!(),<>");
	parse->at += n;
	return n;
}

static bool word_is(const char *word, size_t n, const char *text)
{
	return n == strlen(text) && strncmp(word, text, n) == 0;
}

static bool is_alnum(char c)
{
	return isalnum((unsigned char)c) && (unsigned char)c < 0x80;
}

/* The part of a key behind the slash, or a value that is not empty. */
static bool is_name(const char *name, size_t n)
{
	if (n == 0 || n > NAME_MAX_OCTETS || !is_alnum(name[0]) || !is_alnum(name[n - 1]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_alnum(name[i]) && !strchr("-_.", name[i]))
			return false;
	return true;
}

/* A DNS subdomain: labels of small letters, digits and inner hyphens. */
static bool is_prefix(const char *prefix, size_t n)
{
	char before = '.';

	for (size_t i = 0; i < n; before = prefix[i++]) {
		char c = prefix[i];
		bool may_end = before != '.' && before != '-';

		if (c == '.' ? !may_end : c == '-' ? before == '.' : !is_alnum(c) || isupper(c))
			return false;
	}
	return n <= PREFIX_MAX_OCTETS && before != '.' && before != '-';
}

static bool is_key(const char *key, size_t n)
{
	const char *slash = memchr(key, '/', n);
	size_t n_prefix = slash ? (size_t)(slash - key) : 0;

	if (!slash)
		return is_name(key, n);
	return is_prefix(key, n_prefix) && is_name(slash + 1, n - n_prefix - 1);
}

static int take_key(struct parse *parse, struct term *term)
{
	const char *word;
	size_t n = take_word(parse, &word);

	if (!is_key(word, n) || word_is(word, n, "in") || word_is(word, n, "notin"))
		return refuse(parse, word, "the key of a label");
	term->key = xstrndup(word, n);
	return 0;
}

/* One may be empty: "a=" are those whose label a has no value. */
static int take_value(struct parse *parse, struct term *term)
{
	const char *word;
	size_t n = take_word(parse, &word);

	if (n && !is_name(word, n))
		return refuse(parse, word, "the value of a label");
	term->values = xrealloc(term->values, (term->n_values + 1) * sizeof(*term->values));
	term->values[term->n_values++] = xstrndup(word, n);
	return 0;
}

static int take_set(struct parse *parse, struct term *term)
{
	int r;

	if (!take(parse, "("))
		return refuse(parse, parse->at, "( and values");
	skip_blanks(parse);
	if (*parse->at == ')')
		return refuse(parse, parse->at, "at least one value");
	do
		r = take_value(parse, term);
	while (r == 0 && take(parse, ","));
	if (r == 0 && !take(parse, ")"))
		r = refuse(parse, parse->at, ", or )");
	return r;
}

/* What stands behind the key. */
static int take_operation(struct parse *parse, struct term *term)
{
	const char *word;
	size_t n;

	term->operation = IS_AMONG;
	if (take(parse, "==") || take(parse, "="))
		return take_value(parse, term);
	term->operation = IS_NOT_AMONG;
	if (take(parse, "!="))
		return take_value(parse, term);
	n = take_word(parse, &word);
	if (word_is(word, n, "notin"))
		return take_set(parse, term);
	term->operation = IS_AMONG;
	if (word_is(word, n, "in"))
		return take_set(parse, term);
	term->operation = IS_THERE;
	return n ? refuse(parse, word, "=, ==, !=, in, notin, a comma or the end") : 0;
}

static int take_term(struct parse *parse, struct k8s_label_selector *selector)
{
	struct term *term;
	int r;

	selector->terms = xrealloc(selector->terms, (selector->n + 1) * sizeof(*selector->terms));
	term = &selector->terms[selector->n++];
	*term = (struct term){.operation = IS_NOT_THERE};
	if (take(parse, "!"))
		return take_key(parse, term);
	r = take_key(parse, term);
	return r ? r : take_operation(parse, term);
}

int k8s_label_selector_parse(const char *text, struct k8s_label_selector **out, char **out_error)
{
	struct parse parse = {text, text, out_error};
	struct k8s_label_selector *selector = xcalloc(1, sizeof(*selector));
	int r;

	do
		r = take_term(&parse, selector);
	while (r == 0 && take(&parse, ","));
	skip_blanks(&parse);
	if (r == 0 && *parse.at)
		r = refuse(&parse, parse.at, "a comma or the end");
	if (r)
		k8s_label_selector_free(selector);
	else
		*out = selector;
	return r;
}
