/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words that bgpd takes after "redistribute", and what each means for a client of zebra.
 *
 * The idea to keep in mind: the type of HELLO decides whose routes zebra deletes when the
 * connection ends. So a type that others use as well is never said in HELLO, only in the routes.
 */
#include "word.h"

#include <ctype.h>
#include <string.h>

/* FRR keeps the instance of a route in 8 bits but that of a client in 16. */
#define INSTANCE_MAX 255

/* Kernel tables that are not for the taking: main and local. */
#define TABLE_MAIN  254
#define TABLE_LOCAL 255

struct word {
	const char *text;
	enum word_kind kind;
	enum fact type;
	bool has_instance;
	bool only_ipv4;
};

static const struct word words[] = {
	[ZAPI_STATIC] = {"static", WORD_SHARED, TYPE_STATIC, false, false},
	[ZAPI_OPENFABRIC] = {"openfabric", WORD_OWN, TYPE_OPENFABRIC, false, false},
	[ZAPI_BABEL] = {"babel", WORD_OWN, TYPE_BABEL, false, false},
	[ZAPI_NHRP] = {"nhrp", WORD_OWN, TYPE_NHRP, false, false},
	[ZAPI_ISIS] = {"isis", WORD_OWN, TYPE_ISIS, false, false},
	[ZAPI_OSPF] = {"ospf", WORD_OWN, TYPE_OSPF, true, true},
	[ZAPI_TABLE] = {"table", WORD_OWN, TYPE_TABLE, true, true},
	[ZAPI_TABLE_DIRECT] = {"table-direct", WORD_OWN, TYPE_TABLE_DIRECT, true, false},
	[ZAPI_CONNECTED] = {"connected", WORD_PASSIVE, TYPE_CONNECTED, false, false},
};

const char *zapi_word_text(enum zapi_word word)
{
	return words[word].text;
}

bool zapi_word_has_family(enum zapi_word word, uint8_t family)
{
	return family == AF_INET || (family == AF_INET6 && !words[word].only_ipv4);
}

/* " 100", with nothing behind it. */
static bool parse_instance(const char *text, uint16_t *out)
{
	unsigned value = 0;

	if (*text++ != ' ' || !isdigit((unsigned char)*text) || *text == '0')
		return false;
	for (; isdigit((unsigned char)*text); text++) {
		value = value * 10 + (unsigned)(*text - '0');
		if (value > INSTANCE_MAX)
			return false;
	}
	if (*text != '\0')
		return false;
	*out = (uint16_t)value;
	return true;
}

bool zapi_word_parse(const char *text, enum zapi_word *out, uint16_t *out_instance)
{
	size_t len = strcspn(text, " ");

	for (size_t i = 0; i < N_ELEMENTS(words); i++) {
		uint16_t instance = 0;

		if (strlen(words[i].text) != len || memcmp(words[i].text, text, len) != 0)
			continue;
		if (words[i].has_instance ? !parse_instance(text + len, &instance) : text[len])
			return false;
		if (i == ZAPI_TABLE_DIRECT && (instance == TABLE_MAIN || instance == TABLE_LOCAL))
			return false;
		*out = (enum zapi_word)i;
		*out_instance = instance;
		return true;
	}
	return false;
}

enum word_kind word_kind(enum zapi_word word)
{
	return words[word].kind;
}

enum fact word_type(enum zapi_word word)
{
	return words[word].type;
}
