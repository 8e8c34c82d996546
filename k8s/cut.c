/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list of 10,000 services is 20 MB of JSON, which as one tree would need ten times as much. So
 * nothing holds it: this tokenizer knows just enough of JSON (strings, escapes and brackets) to
 * tell where each object begins and ends, wherever the network cut the bytes. Only one object at a
 * time is kept as text, and the JSON library judges what is in it.
 *
 * The one hard idea: most of an object's bytes are members that nobody reads, managedFields before
 * all. Whoever reads the objects says which members he wants, as a tree of keys, and all others are
 * left out here, key and value, so that the expensive parser never sees them. A key that is written
 * with an escape could be any, so it stays. What was valid stays so.
 */
#include "cut.h"

#include <errno.h>
#include <string.h>

/* What happens to the bytes: none of ours; kept; left out, in the list or in an object; dropped. */
enum { ENVELOPE, KEEP, SKIP_MEMBER, SKIP_INNER, DROP };

/* What may come next in the envelope. */
enum {
	ROOT,
	KEY_OR_END,
	KEY,
	COLON,
	VALUE,
	COMMA,
	ELEMENT_OR_END,
	ELEMENT,
	ELEMENT_COMMA,
	NOTHING
};

/* The members of a list. */
enum { OTHER, METADATA, ITEMS };

#define LIST_KEY_MAX 64 /* longer ones are none that we know */

/* Bytes outside of strings that mean nothing to us, neither bracket nor quote nor comma. */
static const bool is_structure[256] = {
	['{'] = true, ['}'] = true, ['['] = true, [']'] = true, ['"'] = true, [','] = true};

void cut_init(struct cut *cut, enum cut_shape shape, const struct cut_wanted *wanted, size_t max,
	cut_fn *fn, void *data)
{
	*cut = (struct cut){.shape = shape,
		.wanted = wanted,
		.fn = fn,
		.data = data,
		.max = max ? max : CUT_OBJECT_MAX};
}

void cut_deinit(struct cut *cut)
{
	free(cut->text);
	*cut = (struct cut){0};
}

static int bad(struct cut *cut, const char *what)
{
	snprintf(cut->error, sizeof(cut->error), "no valid JSON: %s", what);
	return -EBADMSG;
}

/* Shows the place by the bytes themselves. They may be anything, so only plain ones are shown. */
static int garbage(struct cut *cut, const char *at, const char *end)
{
	char seen[41];
	size_t n = MIN((size_t)(end - at), sizeof(seen) - 1);

	for (size_t i = 0; i < n; i++)
		seen[i] = at[i] >= ' ' && at[i] <= '~' ? at[i] : '.';
	seen[n] = '\0';
	snprintf(cut->error, sizeof(cut->error), "no valid JSON from here on: %s", seen);
	return -EBADMSG;
}

static void store(struct cut *cut, const char *bytes, size_t n)
{
	if (cut->size + n + 1 > cut->room) {
		cut->room = MAX(2 * cut->room, cut->size + n + 1024);
		cut->text = xrealloc(cut->text, cut->room);
	}
	memcpy(cut->text + cut->size, bytes, n);
	cut->size += n;
	cut->text[cut->size] = '\0';
}

/* A key that is too long is none of ours, and must not look like one by its end. */
static void keep_key(struct cut *cut, const char *bytes, size_t n)
{
	if (n <= LIST_KEY_MAX - cut->size)
		store(cut, bytes, n);
	else
		cut->size = LIST_KEY_MAX;
}

/* Keeps the bytes if they belong to a piece, or to a key of the list. */
static void keep(struct cut *cut, const char *bytes, size_t n)
{
	cut->seen += n;
	if (cut->mode == ENVELOPE)
		keep_key(cut, bytes, n);
	else if (cut->mode == KEEP && n <= cut->max - cut->size)
		store(cut, bytes, n);
	else if (cut->mode == KEEP)
		cut->mode = DROP;
}

/* Looked at after each token, so that it does not depend on how the bytes were split. */
static int check_end(struct cut *cut)
{
	if (cut->mode == ENVELOPE || cut->mode == SKIP_MEMBER ||
		cut->seen / CUT_ENDLESS <= cut->max)
		return 0;
	return bad(cut, "an object does not end");
}

/* What is wanted of a container that begins: what its key says, or in a list what the list does. */
static const struct cut_wanted *wanted_next(const struct cut *cut)
{
	if (cut->mode != KEEP)
		return NULL;
	if (cut->depth == cut->base) /* the piece; of an event only a member is an object */
		return cut->shape == CUT_LIST && cut->base > 1 ? cut->wanted : NULL;
	return cut->stack[cut->depth - 1].bracket == '{' ? cut->next
							 : cut->stack[cut->depth - 1].wanted;
}

static void push(struct cut *cut, char bracket)
{
	if (cut->depth < CUT_DEPTH_MAX)
		cut->stack[cut->depth] = (struct cut_level){wanted_next(cut), bracket};
	else if (cut->mode == KEEP)
		cut->mode = DROP;
	cut->depth++;
	cut->key_next = bracket == '{';
	cut->member_at = cut->size;
}

/* false: not the bracket that was opened. Beyond the greatest depth they are only counted. */
static bool pop(struct cut *cut, char bracket)
{
	char open = bracket == '}' ? '{' : '[';

	cut->depth--;
	cut->key_next = false;
	return cut->depth >= CUT_DEPTH_MAX || cut->stack[cut->depth].bracket == open;
}

static bool in_object(const struct cut *cut)
{
	return cut->depth > 0 && cut->depth <= CUT_DEPTH_MAX &&
	       cut->stack[cut->depth - 1].bracket == '{';
}

/* Whether the key just read is this word. What is kept of it includes the closing quote. */
static bool key_is(const struct cut *cut, const char *word)
{
	size_t n = strlen(word);

	return cut->size - cut->key_at == n + 1 && memcmp(cut->text + cut->key_at, word, n) == 0;
}

static bool key_begins(const struct cut *cut, const char *word)
{
	size_t n = strlen(word);

	return cut->size - cut->key_at > n && memcmp(cut->text + cut->key_at, word, n) == 0;
}

static void key_of_list(struct cut *cut)
{
	cut->member = key_is(cut, "items") ? ITEMS : key_is(cut, "metadata") ? METADATA : OTHER;
	cut->size = 0;
	cut->want = COLON;
}

/* Leaves out the member whose key was just read, with the comma before it. */
static void leave_out(struct cut *cut)
{
	cut->size = cut->member_at;
	cut->text[cut->size] = '\0'; /* nothing more may come: what follows may be too large */
	cut->skip = cut->depth;
	cut->mode = SKIP_INNER;
}

static void key_of_piece(struct cut *cut)
{
	const struct cut_wanted *wanted = cut->stack[cut->depth - 1].wanted;
	bool of_event = cut->shape == CUT_WATCH && cut->depth == cut->base + 1;

	cut->next = of_event && key_is(cut, "object") ? cut->wanted : NULL;
	if (!wanted || memchr(cut->text + cut->key_at, '\\', cut->size - cut->key_at))
		return;
	while (wanted->key &&
		!(wanted->begins ? key_begins(cut, wanted->key) : key_is(cut, wanted->key)))
		wanted++;
	cut->next = wanted->members;
	if (!wanted->key)
		leave_out(cut);
}

static void string_begin(struct cut *cut, bool is_key)
{
	cut->in_string = true;
	cut->escaped = false;
	cut->is_key = is_key;
	cut->key_next = false;
	if (cut->mode == ENVELOPE)
		cut->size = 0;
	cut->key_at = cut->size;
}

static void string_end(struct cut *cut)
{
	cut->in_string = false;
	if (cut->is_key && cut->mode == ENVELOPE)
		key_of_list(cut);
	else if (cut->is_key && cut->mode == KEEP)
		key_of_piece(cut);
}

/*
 * Finds the quote that ends the string, from a place that is not escaped: one after an even number
 * of backslashes. NULL: it is not there yet.
 */
static const char *closing_quote(struct cut *cut, const char *at, const char *end)
{
	for (;;) {
		const char *quote = memchr(at, '"', (size_t)(end - at));
		const char *back = quote ? quote : end;

		while (back > at && back[-1] == '\\')
			back--;
		cut->escaped = ((quote ? quote : end) - back) % 2;
		if (!quote || !cut->escaped)
			return quote;
		at = quote + 1;
		cut->escaped = false;
	}
}

static const char *take_string(struct cut *cut, const char *at, const char *end)
{
	const char *quote = NULL;

	if (!cut->escaped)
		quote = closing_quote(cut, at, end);
	else if (at + 1 < end)
		quote = closing_quote(cut, at + 1, end);
	else
		cut->escaped = false;
	keep(cut, at, (size_t)((quote ? quote + 1 : end) - at));
	if (!quote)
		return end;
	string_end(cut);
	return quote + 1;
}

static void piece_begin(struct cut *cut)
{
	cut->mode = KEEP;
	cut->base = cut->depth;
	cut->size = 0;
	cut->seen = 0;
}

static int piece_end(struct cut *cut)
{
	bool is_metadata = cut->shape == CUT_LIST && cut->base == 1;
	enum cut_piece piece = cut->mode == DROP ? CUT_TOO_LARGE
			       : is_metadata     ? CUT_METADATA
						 : CUT_OBJECT;
	bool more = cut->fn(cut->data, piece, cut->text ? cut->text : "", cut->size);

	cut->mode = ENVELOPE;
	cut->want = cut->shape == CUT_WATCH ? ROOT : is_metadata ? COMMA : ELEMENT_COMMA;
	cut->size = 0;
	if (cut->room > 1u << 20) { /* after a giant, do not stay one */
		free(TAKE(cut->text));
		cut->room = 0;
	}
	return more ? 0 : -ECANCELED;
}

static int close_bracket(struct cut *cut, const char *at, const char *end)
{
	if (!pop(cut, *at))
		return garbage(cut, at, end);
	keep(cut, at, 1);
	if (cut->mode != SKIP_MEMBER && cut->depth == cut->base)
		return piece_end(cut);
	return 0;
}

/* A value that is left out ends before the comma or the bracket of what is around it. */
static bool skip_ends(const struct cut *cut, char c)
{
	return (cut->mode == SKIP_MEMBER || cut->mode == SKIP_INNER) && cut->depth == cut->skip &&
	       (c == ',' || c == '}');
}

/* Where everything before it was left out, so is the comma. */
static int take_comma(struct cut *cut, const char *at)
{
	cut->key_next = in_object(cut);
	cut->member_at = cut->size;
	if (cut->mode != KEEP || cut->text[cut->size - 1] != '{')
		keep(cut, at, 1);
	return 0;
}

/* One byte that means something: inside of a piece, or of a member of the list that is left out. */
static int take_structure(struct cut *cut, const char *at, const char *end)
{
	if (*at == '}' || *at == ']')
		return close_bracket(cut, at, end);
	if (*at == ',')
		return take_comma(cut, at);
	keep(cut, at, 1);
	if (*at == '"')
		string_begin(cut, cut->key_next && in_object(cut));
	else
		push(cut, *at);
	return 0;
}

static int take_inner(struct cut *cut, const char **pos, const char *end)
{
	const char *at = *pos;

	while (at < end && !is_structure[(uint8_t)*at])
		at++;
	keep(cut, *pos, (size_t)(at - *pos));
	*pos = at;
	if (at == end || check_end(cut))
		return check_end(cut);
	if (skip_ends(cut, *at)) {
		bool is_member = cut->mode == SKIP_MEMBER;

		cut->mode = is_member ? ENVELOPE : KEEP;
		cut->want = COMMA;
		if (is_member)
			return 0;
	}
	*pos = at + 1;
	return take_structure(cut, at, end);
}

/* The value of a member of the list begins. */
static int take_value(struct cut *cut, const char **pos, const char *end)
{
	char c = **pos;

	if (cut->member == ITEMS && c == '[') {
		push(cut, c);
		cut->items = true;
		cut->want = ELEMENT_OR_END;
		(*pos)++;
	} else if (cut->member == METADATA && c == '{') {
		piece_begin(cut);
	} else if ((cut->member == ITEMS && c != 'n') || strchr(":,]}", c)) {
		return garbage(cut, *pos, end);
	} else {
		cut->items = cut->items || cut->member == ITEMS; /* null: none */
		cut->mode = SKIP_MEMBER;
		cut->skip = cut->depth;
	}
	return 0;
}

/* Goes from one state of the envelope to the next, if it may. */
static bool step(struct cut *cut, char c)
{
	uint8_t want = cut->want;
	bool list = cut->shape == CUT_LIST;

	if (c == '{' && ((want == ROOT && !list) || want == ELEMENT || want == ELEMENT_OR_END)) {
		piece_begin(cut);
		keep(cut, &c, 1);
		push(cut, c);
	} else if (c == '{' && want == ROOT) {
		push(cut, c);
		cut->want = KEY_OR_END;
	} else if (c == '"' && (want == KEY || want == KEY_OR_END)) {
		string_begin(cut, true);
	} else if (c == ':' && want == COLON) {
		cut->want = VALUE;
	} else if (c == ',' && (want == COMMA || want == ELEMENT_COMMA)) {
		cut->want = want == COMMA ? KEY : ELEMENT;
	} else if (c == '}' && (want == COMMA || want == KEY_OR_END)) {
		cut->want = NOTHING;
		return pop(cut, c);
	} else if (c == ']' && (want == ELEMENT_COMMA || want == ELEMENT_OR_END)) {
		cut->want = COMMA;
		return pop(cut, c);
	} else {
		return false;
	}
	return true;
}

static int take_envelope(struct cut *cut, const char **pos, const char *end)
{
	char c = **pos;

	if (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
		(*pos)++;
		return 0;
	}
	if (cut->want == VALUE)
		return take_value(cut, pos, end);
	if (!step(cut, c))
		return garbage(cut, *pos, end);
	(*pos)++;
	return 0;
}

int cut_feed(struct cut *cut, const char *bytes, size_t n)
{
	const char *at = bytes;
	const char *end = bytes + n;
	int r = 0;

	while (at < end && !r) {
		if (cut->in_string) {
			at = take_string(cut, at, end);
			r = check_end(cut);
		} else if (cut->mode == ENVELOPE) {
			r = take_envelope(cut, &at, end);
		} else {
			r = take_inner(cut, &at, end);
		}
	}
	return r;
}

bool cut_amid(const struct cut *cut)
{
	return cut->depth > 0 || cut->mode != ENVELOPE;
}

int cut_end(struct cut *cut)
{
	if (cut_amid(cut))
		return bad(cut, "it ends in the middle of an object");
	if (cut->shape == CUT_LIST && cut->want == ROOT)
		return bad(cut, "it is empty");
	if (cut->shape == CUT_LIST && !cut->items)
		return bad(cut, "it is an object without items");
	return 0;
}
