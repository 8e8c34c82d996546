/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts the JSON of a list or of a watch into its objects while it arrives. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cosmolet/mem.h>

#define CUT_OBJECT_MAX (16u << 20) /* etcd takes 1.5 MiB; JSON may be several times as large */
#define CUT_ENDLESS    8           /* as many times too large: it is not meant to end */
#define CUT_DEPTH_MAX  96          /* of a Pod: about 15 */

enum cut_shape {
	CUT_LIST,  /* one object whose "items" are the objects */
	CUT_WATCH, /* objects one after the other */
};

enum cut_piece {
	CUT_OBJECT,   /* an element of items, or an object of the watch */
	CUT_METADATA, /* the metadata of the list */
	CUT_TOO_LARGE /* an object was passed over; text: how it began */
};

/* The members of an object that are of interest, to the first one without a key. */
struct cut_wanted {
	const char *key;
	const struct cut_wanted *members; /* of it, or of each one in a list; NULL: all */
	bool begins;                      /* all keys that begin so */
};

#define CUT_WHOLE(word)       \
	{                     \
		.key = (word) \
	}
#define CUT_PART(word, of_them)                     \
	{                                           \
		.key = (word), .members = (of_them) \
	}
#define CUT_LAST            \
	{                   \
		.key = NULL \
	}

/*
 * Gets each piece, its text borrowed and followed by a NUL. Of an object, only what is wanted is in
 * it. false: enough, which ends the feeding.
 */
typedef bool cut_fn(void *data, enum cut_piece piece, const char *text, size_t size);

struct cut_level {
	const struct cut_wanted *wanted; /* of its members; NULL: all */
	char bracket;
};

struct cut {
	enum cut_shape shape;
	const struct cut_wanted *wanted;
	cut_fn *fn;
	void *data;
	size_t max;
	/* where we are */
	unsigned depth;
	struct cut_level stack[CUT_DEPTH_MAX];
	const struct cut_wanted *next; /* of the value of this key */
	uint8_t mode;                  /* what happens to the bytes */
	uint8_t want;                  /* what may come next outside of pieces */
	uint8_t member;                /* the one of the list whose value comes */
	bool in_string;
	bool escaped;
	bool key_next;    /* the next string of this object is a key */
	bool is_key;      /* this string is one */
	bool items;       /* the list had them */
	unsigned base;    /* the depth around the piece */
	unsigned skip;    /* the depth around the value that is left out */
	size_t key_at;    /* where in text the key begins */
	size_t member_at; /* where its member does, with the comma before it */
	/* the piece so far */
	char *text;
	size_t size;
	size_t room;
	size_t seen; /* octets of the piece, kept or not */
	char error[160];
};

/*
 * wanted: of each object, borrowed; NULL: all. max: octets of one object that are kept; 0:
 * CUT_OBJECT_MAX.
 */
void cut_init(struct cut *cut, enum cut_shape shape, const struct cut_wanted *wanted, size_t max,
	cut_fn *fn, void *data);
/* Zeroed is fine. */
void cut_deinit(struct cut *cut);

/*
 * Takes the next bytes. 0; -ECANCELED: the function had enough; -EBADMSG: no JSON of this shape,
 * see error. After a failure nothing more may be fed.
 */
must_check int cut_feed(struct cut *cut, const char *bytes, size_t n);
/* More must come: what there is ends within an object. */
bool cut_amid(const struct cut *cut);
/* After the last byte: 0, or -EBADMSG if something is missing, see error. */
must_check int cut_end(struct cut *cut);
