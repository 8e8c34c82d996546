/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <cosmolet/yaml.h>

#include <errno.h>
#include <string.h>

/* YAML on the left is the JSON on the right, document by document. */
static const struct {
	const char *yaml;
	const char *json; /* documents joined by newlines */
} texts[] = {
	{"", ""},
	{"---\n---\n", ""},
	{"a: 1", "{\"a\":1}"},
	{"{\"a\": [1, \"2\", null, true]}", "{\"a\":[1,\"2\",null,true]}"},
	{"a: ~\nb:\nc: null\nd: 'null'\n", "{\"a\":null,\"b\":null,\"c\":null,\"d\":\"null\"}"},
	{"[true, false, yes, no, on, 'true']", "[true,false,\"yes\",\"no\",\"on\",\"true\"]"},
	{"[1, -2, +3, 0x1f, 1.5, 1e3, '1', 1.2.3.4, 10.0.0.0/8, v1, '', 0o7, 1_000]",
		"[1,-2,3,31,1.5,1000.0,\"1\",\"1.2.3.4\",\"10.0.0.0/"
		"8\",\"v1\",\"\",\"0o7\",\"1_000\"]"},
	{"[99999999999999999999, 2026-01-01, fd00::1, '::']",
		"[\"99999999999999999999\",\"2026-01-01\",\"fd00::1\",\"::\"]"},
	{"a: 1\n---\nb: 2\n...\n---\nc: 3\n", "{\"a\":1}\n{\"b\":2}\n{\"c\":3}"},
	{"---\n---\na: 1\n", "{\"a\":1}"},
	{"base: &x {k: v}\nuse: *x\nagain: [*x, *x]",
		"{\"base\":{\"k\":\"v\"},\"use\":{\"k\":\"v\"},\"again\":[{\"k\":\"v\"},{\"k\":"
		"\"v\"}]}"},
	{"a: |\n  one\n  two\nb: >-\n  one\n  two\n", "{\"a\":\"one\\ntwo\\n\",\"b\":\"one two\"}"},
	{"a: !!str 1", "{\"a\":\"1\"}"},
};

START_TEST(yaml_becomes_json)
{
	auto_ytree struct ytree *yaml = NULL;
	auto_free char *text = NULL;
	struct ytree_error error;
	size_t size = 0;
	FILE *out = xmemstream(&text, &size);
	int r = ytree_parse(texts[_i].yaml, strlen(texts[_i].yaml), &yaml, &error);

	ck_assert_msg(r == 0, "%s: %s", texts[_i].yaml, error.text);
	for (size_t i = 0; i < ytree_documents(yaml); i++) {
		fputs(i ? "\n" : "", out);
		json_dumpf(ytree_document(yaml, i), out, JSON_COMPACT | JSON_ENCODE_ANY);
	}
	fclose(out);
	ck_assert_str_eq(text, texts[_i].json);
}
END_TEST

static const struct {
	const char *yaml;
	unsigned line, column;
	const char *error;
} bad[] = {
	{"a: 1\nb: 2\na: 3\n", 3, 1, "key \"a\" stands here twice"},
	{"a:\n  - {x: 1, x: 2}\n", 2, 12, "key \"x\" stands here twice"},
	{"? [1, 2]\n: x\n", 1, 3, "a key must be a plain word"},
	{"a: *nothing\n", 1, 4, "alias *nothing names nothing finished before it"},
	{"a: &me [*me]\n", 1, 9, "alias *me names nothing finished before it"},
	{"a: !secret x\n", 1, 4, "tag !secret is not supported"},
	{"a: [1, 2\nb: 3\n", 2, 2, NULL},
	{"a: 'open\n", 2, 1, NULL},
	{"\ta: 1\n", 1, 1, NULL},
	{"a: \xff\xfe\n", 1, 1, NULL},
};

START_TEST(errors_say_where)
{
	struct ytree *yaml = NULL;
	struct ytree_error error;

	ck_assert_int_eq(ytree_parse(bad[_i].yaml, strlen(bad[_i].yaml), &yaml, &error), -EBADMSG);
	ck_assert_ptr_null(yaml);
	ck_assert_uint_eq(error.place.line, bad[_i].line);
	ck_assert_uint_eq(error.place.column, bad[_i].column);
	ck_assert_str_ne(error.text, "");
	if (bad[_i].error)
		ck_assert_str_eq(error.text, bad[_i].error);
}
END_TEST

START_TEST(deep_nesting_is_refused)
{
	char text[4096];
	struct ytree *yaml = NULL;
	struct ytree_error error;

	memset(text, '[', 2000);
	ck_assert_int_eq(ytree_parse(text, 2000, &yaml, &error), -EBADMSG);
	ck_assert_str_eq(error.text, "nested deeper than 64");
}
END_TEST

#define PLACE(place, l, c)                       \
	do {                                     \
		struct ytree_place p_ = (place); \
		ck_assert_uint_eq(p_.line, l);   \
		ck_assert_uint_eq(p_.column, c); \
	} while (0)

START_TEST(places_are_kept)
{
	static const char text[] = "---\n---\nannounce:\n  tag: true\n  list: [a, b]\n---\n- x\n";
	auto_ytree struct ytree *yaml = NULL;
	struct ytree_error error;
	json_t *root, *announce, *list;

	ck_assert_int_eq(ytree_parse(text, strlen(text), &yaml, &error), 0);
	ck_assert_uint_eq(ytree_documents(yaml), 2);
	root = ytree_document(yaml, 0);
	announce = json_object_get(root, "announce");
	list = json_object_get(announce, "list");
	PLACE(ytree_place_root(yaml, 0), 3, 1);
	PLACE(ytree_place_root(yaml, 1), 7, 1);
	PLACE(ytree_place_key(yaml, root, "announce"), 3, 1);
	PLACE(ytree_place_value(yaml, root, "announce"), 4, 3);
	PLACE(ytree_place_key(yaml, announce, "tag"), 4, 3);
	PLACE(ytree_place_value(yaml, announce, "tag"), 4, 8);
	PLACE(ytree_place_element(yaml, list, 1), 5, 13);
	PLACE(ytree_place_value(yaml, announce, "none"), 0, 0);
}
END_TEST

/* What a reader gets, as text with its place; elements that are wanted are not in the document. */
static bool wants_elements;
static char *read_text;

static void note(const char *what, const json_t *json, struct ytree_place place)
{
	auto_free char *dump = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
	auto_free char *before = read_text;

	read_text = xasprintf("%s%s %u:%u %s\n", before, what, place.line, place.column, dump);
}

static bool on_element(
	void *data, const struct ytree *yaml, json_t *element, struct ytree_place place)
{
	struct ytree_place key = ytree_place_key(yaml, element, "b");

	ck_assert_ptr_eq(data, &wants_elements);
	note("element", element, place);
	if (json_object_get(element, "b"))
		PLACE(key, place.line, place.column + 1);
	return wants_elements;
}

static void on_document(
	void *data, const struct ytree *yaml, json_t *document, struct ytree_place place)
{
	json_t *items = json_object_get(document, "items");

	ck_assert_ptr_eq(data, &wants_elements);
	note("document", document, place);
	if (json_array_size(items) == 2)
		PLACE(ytree_place_element(yaml, items, 1), 4, 4);
}

static int read_with(bool wants, const char *text)
{
	const struct ytree_reader reader = {on_element, on_document, &wants_elements};
	struct ytree_error error;

	wants_elements = wants;
	str_set(&read_text, "");
	return ytree_read(text, strlen(text), &reader, &error);
}

START_TEST(a_reader_gets_it_part_by_part)
{
	static const char text[] = "a: {items: [{b: 1}]}\n"
				   "---\n"
				   "items: [{b: &x [2]}, {c: *x}]\n"
				   "items2: [{}]\n"
				   "---\n"
				   "---\n"
				   "items: {b: 1}\n"
				   "--- [[[7]]]\n"
				   "---\n"
				   "{items: [3, [4], {b: 5}], z: 6}\n";

	ck_assert_int_eq(read_with(true, text), 0);
	ck_assert_str_eq(read_text, "document 1:1 {\"a\":{\"items\":[{\"b\":1}]}}\n"
				    "element 3:9 {\"b\":[2]}\n"
				    "element 3:22 {\"c\":[2]}\n"
				    "document 3:1 {\"items\":[],\"items2\":[{}]}\n"
				    "document 7:1 {\"items\":{\"b\":1}}\n"
				    "document 8:5 [[[7]]]\n"
				    "element 10:13 [4]\n"
				    "element 10:18 {\"b\":5}\n"
				    "document 10:1 {\"items\":[3],\"z\":6}\n");
	ck_assert_int_eq(read_with(false, "# kept\nitems:\n - {b: 1}\n - {b: 2}\n"), 0);
	ck_assert_str_eq(read_text, "element 3:4 {\"b\":1}\nelement 4:4 {\"b\":2}\n"
				    "document 2:1 {\"items\":[{\"b\":1},{\"b\":2}]}\n");
	ck_assert_int_eq(read_with(true, "items: [{b: 1}, {b: 2"), -EBADMSG);
	ck_assert_str_eq(read_text, "element 1:9 {\"b\":1}\n");
	free(TAKE(read_text));
}
END_TEST

START_TEST(files_are_bounded)
{
	auto_free char *path = unit_template("test-yaml");
	int fd = mkstemp(path);
	char *text = NULL;
	size_t size = 0;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "12345", 5), 5);
	ck_assert_int_eq(file_read(path, 5, &text, &size), 0);
	ck_assert_str_eq(text, "12345");
	ck_assert_uint_eq(size, 5);
	free(TAKE(text));
	ck_assert_int_eq(file_read(path, 4, &text, &size), -EFBIG);
	ck_assert_int_eq(write(fd, "\0x", 2), 2);
	ck_assert_int_eq(file_read(path, 100, &text, &size), -EFBIG);
	close(fd);
	unlink(path);
	ck_assert_int_eq(file_read(path, 100, &text, &size), -ENOENT);
	ck_assert_ptr_null(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("yaml");
	TCase *tcase = tcase_create("yaml");

	tcase_add_loop_test(tcase, yaml_becomes_json, 0, (int)N_ELEMENTS(texts));
	tcase_add_loop_test(tcase, errors_say_where, 0, (int)N_ELEMENTS(bad));
	tcase_add_test(tcase, deep_nesting_is_refused);
	tcase_add_test(tcase, places_are_kept);
	tcase_add_test(tcase, a_reader_gets_it_part_by_part);
	tcase_add_test(tcase, files_are_bounded);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
