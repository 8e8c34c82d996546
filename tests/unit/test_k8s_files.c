/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "trace.h"

static struct loop *loop;
static struct trace trace;
static char *root; /* holds the directory, so that this can be renamed */

#define SVC(name) \
	"apiVersion: v1\nkind: Service\nmetadata: {name: " name "}\nspec: {type: LoadBalancer}\n"

static char *path_of(const char *name)
{
	return xasprintf("%s/%s", root, name);
}

static void setup(void)
{
	auto_free char *directory = NULL;

	root = unit_template("test-files");
	ck_assert_ptr_nonnull(mkdtemp(root));
	directory = path_of("m");
	ck_assert_int_eq(mkdir(directory, 0755), 0);
	loop = loop_new();
}

static void teardown(void)
{
	auto_free char *command = xasprintf("rm -rf %s", root);

	trace_end(&trace);
	loop_free(loop);
	ck_assert_int_eq(system(command), 0);
	free(root);
}

static void put(const char *name, const char *text)
{
	auto_free char *path = path_of(name);
	auto_file FILE *file = fopen(path, "we");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
}

static void move(const char *from, const char *to)
{
	auto_free char *old = path_of(from);
	auto_free char *new = path_of(to);

	ck_assert_int_eq(rename(old, new), 0);
}

static void drop(const char *name)
{
	auto_free char *path = path_of(name);

	ck_assert_int_eq(remove(path), 0);
}

static void link_to(const char *target, const char *name)
{
	auto_free char *path = path_of(name);

	ck_assert_int_eq(symlink(target, path), 0);
}

static void make_directory(const char *name)
{
	auto_free char *path = path_of(name);

	ck_assert_int_eq(mkdir(path, 0755), 0);
}

static void start(void)
{
	auto_free char *directory = path_of("m");
	struct k8s_options options = {.directory = directory, .node = "n1"};

	trace_start(&trace, loop, &options);
}

static void start_with(const char *name, const char *text)
{
	put(name, text);
	start();
	trace_until(&trace, "synced");
	trace_for(&trace, 20);
	trace_clear(&trace);
}

/* Everything that has happened is seen, and no later than this. The clock must stand. */
static void see(void)
{
	loop_turn(loop, 0);
	mono_turn(mono_ms(50));
	for (int i = 0; i < 10; i++)
		loop_turn(loop, 0);
}

START_TEST(reads_the_directory)
{
	put("m/b.yml", SVC("b") "---\n" SVC("c"));
	put("m/a.yaml",
		"{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Service, metadata: "
		"{name: a, namespace: x}}, {apiVersion: apps/v1, kind: Deployment}]}");
	put("m/c.json", "{\"apiVersion\":\"v1\",\"kind\":\"ServiceList\",\"items\":[{\"metadata\":{"
			"\"name\":\"d\"}}]}");
	put("m/.hidden.yaml", SVC("h"));
	put("m/notes.txt", "no manifest");
	put("m/kustomization.yaml", "resources: [b.yml]");
	make_directory("m/d.yaml");
	start();
	trace_until(&trace, "up c.json");
	trace_is(&trace,
		"begin a.yaml\nobject services x/a\nend a.yaml\nup a.yaml\n"
		"begin b.yml\nobject services default/b\nobject services default/c\nend b.yml\nup "
		"b.yml\n"
		"begin c.json\nobject services default/d\nend c.json\nup c.json\nsynced\n");
}
END_TEST

START_TEST(an_empty_directory_is_synced)
{
	start();
	trace_until(&trace, "synced");
	trace_clear(&trace);
	put("m/a.yaml", SVC("a"));
	trace_until(&trace, "up a.yaml");
	trace_is(&trace, "begin a.yaml\nobject services default/a\nend a.yaml\nup a.yaml\n");
}
END_TEST

START_TEST(only_what_this_node_needs)
{
	start_with("m/a.yaml",
		"{apiVersion: v1, kind: PodList, items: [{metadata: {name: a}, spec: {nodeName: "
		"n1}},"
		"{metadata: {name: b}, spec: {nodeName: n2}}, {metadata: {name: c}}]}\n---\n"
		"{apiVersion: v1, kind: Node, metadata: {name: n1}}\n---\n"
		"{apiVersion: v1, kind: Node, metadata: {name: n2}}\n---\n"
		"{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: k}}\n---\n"
		"{apiVersion: v1, kind: Service, metadata: {name: of-another-proxy, labels: "
		"{service.kubernetes.io/service-proxy-name: cilium}}}\n---\n"
		"{apiVersion: v1, kind: Service, metadata: {name: of-none, labels: "
		"{service.kubernetes.io/headless: ''}}}\n---\n"
		"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: s}}\n");
	put("m/a.yaml", SVC("x"));
	trace_until(&trace, "end a.yaml");
	trace_is(&trace, "begin a.yaml\nobject services default/x\nend a.yaml\n");
	put("m/a.yaml",
		"{apiVersion: v1, kind: PodList, items: [{metadata: {name: a}, spec: {nodeName: "
		"n1}},"
		"{metadata: {name: b}, spec: {nodeName: n2}}, {metadata: {name: c}}]}\n---\n"
		"{apiVersion: v1, kind: Node, metadata: {name: n1}}\n---\n"
		"{apiVersion: v1, kind: Node, metadata: {name: n2}}\n---\n"
		"{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: k}}\n---\n"
		"{apiVersion: v1, kind: Service, metadata: {name: of-another-proxy, labels: "
		"{service.kubernetes.io/service-proxy-name: cilium}}}\n---\n"
		"{apiVersion: v1, kind: Service, metadata: {name: of-none, labels: "
		"{service.kubernetes.io/headless: ''}}}\n---\n"
		"{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: s}}\n");
	trace_until(&trace, "endpointslices");
	trace_until(&trace, "end a.yaml\nbegin a.yaml\nobject pods default/a\nobject nodes n1\n"
			    "object endpointslices default/s\nend a.yaml\n");
}
END_TEST

#define OF_PROXY(name, proxy)                                                 \
	"{apiVersion: v1, kind: Service, metadata: {name: " name ", labels: " \
	"{service.kubernetes.io/service-proxy-name: " proxy "}}}\n---\n"

START_TEST(services_of_all_proxies_come_if_some_are_named)
{
	auto_free char *directory = path_of("m");
	const char *proxies[] = {"cilium", "x"};
	struct k8s_options options = {
		.directory = directory, .node = "n1", .proxies = proxies, .n_proxies = 2};

	put("m/a.yaml", OF_PROXY("a", "cilium") OF_PROXY("b", "other"));
	trace_start(&trace, loop, &options);
	trace_until(&trace, "synced");
	trace_is(&trace, "begin a.yaml\nobject services default/a labelled\n"
			 "object services default/b labelled\nend a.yaml\nup a.yaml\nsynced\n");
}
END_TEST

#define NAMESPACE(name, labels)                                                                    \
	"{apiVersion: v1, kind: Namespace, metadata: {name: " name ", labels: {" labels "}}}\n---" \
	"\n"

START_TEST(namespaces_come_by_their_labels)
{
	auto_free char *directory = path_of("m");
	struct k8s_options options = {
		.directory = directory, .node = "n1", .namespace_selector = "team=shop,!private"};

	put("m/a.yaml", NAMESPACE("a", "team: shop") NAMESPACE("b", "team: shop, private: ''")
				NAMESPACE("c", "team: web") NAMESPACE("d", ""));
	trace_start(&trace, loop, &options);
	trace_until(&trace, "synced");
	trace_is(&trace, "begin a.yaml\nobject namespaces a\nend a.yaml\nup a.yaml\nsynced\n");
	trace_clear(&trace);
	put("m/a.yaml", NAMESPACE("a", "team: web") NAMESPACE("b", "team: shop"));
	trace_until(&trace, "end a.yaml");
	trace_is(&trace, "begin a.yaml\nobject namespaces b\nend a.yaml\n");
}
END_TEST

START_TEST(without_a_selector_namespaces_are_passed_over)
{
	start_with("m/a.yaml", SVC("a"));
	put("m/a.yaml", NAMESPACE("a", "team: shop") SVC("b"));
	trace_until(&trace, "end a.yaml");
	trace_is(&trace, "begin a.yaml\nobject services default/b\nend a.yaml\n");
}
END_TEST

/* Elements of a list are taken as they come; what only looks like a list gives nothing. */
START_TEST(lists_of_any_order_and_what_is_none)
{
	start_with("m/a.yaml", SVC("a"));
	put("m/a.yaml",
		"apiVersion: v1\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: b}}\n"
		"- {apiVersion: v1, kind: ServiceList, items: [{metadata: {name: c}}]}\n"
		"kind: List\n---\n"
		"apiVersion: v1\nitems: [{metadata: {name: d}}]\nkind: ServiceList\n---\n"
		"apiVersion: example.com/v1\nitems:\n- {apiVersion: v1, kind: Service, metadata: "
		"{name: e}}\n- {apiVersion: v1, kind: Service, metadata: {}}\nkind: "
		"Basket\n---\n" SVC("f"));
	trace_until(&trace, "end a.yaml");
	trace_is(&trace, "begin a.yaml\nobject services default/b\nobject services default/c\n"
			 "object services default/d\nobject services default/f\nend a.yaml\n");
}
END_TEST

START_TEST(an_edit_is_seen_within_milliseconds)
{
	start_with("m/a.yaml", SVC("a"));
	mono_stop();
	put("m/a.yaml", SVC("b"));
	see();
	trace_is(&trace, "begin a.yaml\nobject services default/b\nend a.yaml\n");
}
END_TEST

START_TEST(only_the_changed_file_is_read_again)
{
	put("m/b.yaml", SVC("b"));
	start_with("m/a.yaml", SVC("a"));
	put("m/b.yaml", SVC("c"));
	trace_until(&trace, "end b.yaml");
	trace_for(&trace, 30);
	trace_is(&trace, "begin b.yaml\nobject services default/c\nend b.yaml\n");
}
END_TEST

START_TEST(editors_rename_over_it)
{
	start_with("m/a.yaml", SVC("a"));
	put("m/.a.yaml.swp", SVC("b"));
	trace_for(&trace, 20);
	trace_is(&trace, "");
	move("m/.a.yaml.swp", "m/a.yaml");
	trace_until(&trace, "end a.yaml");
	trace_for(&trace, 20);
	trace_is(&trace, "begin a.yaml\nobject services default/b\nend a.yaml\n");
}
END_TEST

START_TEST(a_file_being_written_is_left_alone)
{
	auto_free char *path = path_of("m/a.yaml");
	int fd;

	start_with("m/a.yaml", SVC("a"));
	mono_stop();
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	put("m/b.yaml", SVC("b")); /* a scan while it is empty */
	see();
	ck_assert_ptr_nonnull(strstr(trace.text, "up b.yaml"));
	dprintf(fd, "%s---\n", SVC("a"));
	see();
	ck_assert_ptr_null(strstr(trace.text, "a.yaml"));
	dprintf(fd, "%s", SVC("c"));
	close(fd);
	trace_clear(&trace);
	see();
	trace_is(&trace,
		"begin a.yaml\nobject services default/a\nobject services default/c\nend a.yaml\n");
}
END_TEST

START_TEST(but_not_for_ever)
{
	auto_free char *path = path_of("m/a.yaml");

	start_with("m/a.yaml", SVC("a") "---\n" SVC("b"));
	mono_stop();
	ck_assert_int_eq(truncate(path, (off_t)strlen(SVC("a"))), 0);
	see();
	trace_is(&trace, "");
	mono_turn(mono_s(2));
	see();
	trace_is(&trace, "begin a.yaml\nobject services default/a\nend a.yaml\n");
}
END_TEST

START_TEST(a_new_file_is_left_alone_until_it_is_closed)
{
	auto_free char *path = path_of("m/b.yaml");
	int fd;

	start_with("m/a.yaml", SVC("a"));
	mono_stop();
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	see();
	trace_is(&trace, "");
	dprintf(fd, "%s", SVC("b"));
	see();
	trace_is(&trace, "");
	close(fd);
	see();
	trace_is(&trace, "begin b.yaml\nobject services default/b\nend b.yaml\nup b.yaml\n");
}
END_TEST

START_TEST(a_hard_link_is_there_at_once)
{
	auto_free char *from = path_of("x");
	auto_free char *to = path_of("m/b.yaml");

	put("x", SVC("b"));
	start_with("m/a.yaml", SVC("a"));
	ck_assert_int_eq(link(from, to), 0);
	trace_until(&trace, "up b.yaml");
}
END_TEST

START_TEST(removed_is_an_empty_list)
{
	start_with("m/a.yaml", SVC("a"));
	drop("m/a.yaml");
	trace_until(&trace, "end a.yaml");
	trace_is(&trace, "begin a.yaml\nend a.yaml\n");
	trace_clear(&trace);
	put("m/a.yaml", SVC("b"));
	trace_until(&trace, "up a.yaml");
}
END_TEST

START_TEST(renamed_is_removed_and_added)
{
	start_with("m/a.yaml", SVC("a"));
	move("m/a.yaml", "m/b.yaml");
	trace_until(&trace, "up b.yaml");
	trace_is(&trace,
		"begin a.yaml\nend a.yaml\nbegin b.yaml\nobject services default/a\nend b.yaml\n"
		"up b.yaml\n");
}
END_TEST

static const struct {
	const char *text;
	const char *where; /* after "DIRECTORY/a.yaml" */
} bad[] = {
	{"apiVersion: v1\nkind: Service\nmetadata: {name: a\n", NULL},
	{SVC("a") "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: b\nspec:\n  externalIPs: "
		  "1.2.3.4\n",
		":11:16: Service default/b: spec.externalIPs: expected a list, found a string"},
	{"apiVersion: v1\nkind: Service\nmetadata: {}\n",
		":1:1: Service default/(no name): metadata.name: missing"},
	{"apiVersion: v1\nkind: ServiceList\nitems:\n- metadata: {name: x}\n- metadata: {name: y, "
	 "labels: {a: 1}}\n",
		":5:35: Service default/y: metadata.labels[a]: expected a string, found a number"},
	{"- 3\n", ":1:1: expected a Kubernetes object, with apiVersion and kind"},
	{"kind: Service\n", ":1:1: expected a Kubernetes object, with apiVersion and kind"},
	{"apiVersion: v1\nkind: List\nitems: x\n", ":3:8: items: expected a list"},
	/* kubectl writes the kind of a list behind its items */
	{"apiVersion: v1\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: a}}\n"
	 "- {apiVersion: v1, kind: Service, metadata: {name: b}, spec: {type: 7}}\nkind: List\n",
		":4:69: Service default/b: spec.type: expected a string, found a number"},
	{"apiVersion: v1\nitems:\n- {metadata: {name: x}, spec: {type: 7}}\nkind: ServiceList\n",
		":3:38: Service default/x: spec.type: expected a string, found a number"},
	{"apiVersion: v1\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: a}}\n- 7\n"
	 "kind: List\n",
		":4:3: expected a Kubernetes object, with apiVersion and kind"},
	{"apiVersion: v1\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: a}}\n",
		":1:1: expected a Kubernetes object, with apiVersion and kind"},
};

START_TEST(what_does_not_parse_changes_nothing)
{
	auto_free char *expected =
		xasprintf("down a.yaml: %s/m/a.yaml%s", root, bad[_i].where ? bad[_i].where : ":");

	start_with("m/a.yaml", SVC("a"));
	put("m/a.yaml", bad[_i].text);
	trace_until(&trace, "down a.yaml");
	if (strncmp(trace.text, expected, strlen(expected)) != 0)
		ck_assert_str_eq(trace.text, expected);
	ck_assert_ptr_null(strstr(trace.text, "begin"));
	trace_clear(&trace);
	put("m/a.yaml", SVC("b"));
	trace_until(&trace, "up a.yaml");
	trace_is(&trace, "begin a.yaml\nobject services default/b\nend a.yaml\nup a.yaml\n");
}
END_TEST

START_TEST(a_bad_file_holds_synced_back)
{
	put("m/b.yaml", "x: [");
	put("m/a.yaml", SVC("a"));
	start();
	trace_until(&trace, "down b.yaml");
	trace_until(&trace, "up a.yaml");
	trace_for(&trace, 30);
	ck_assert_ptr_null(strstr(trace.text, "synced"));
	drop("m/b.yaml");
	trace_until(&trace, "synced");
	ck_assert_ptr_null(strstr(trace.text, "begin b.yaml"));
}
END_TEST

START_TEST(single_addresses_are_a_problem)
{
	start_with("m/a.yaml", SVC("a"));
	put("m/a.yaml", SVC("a") "---\napiVersion: v1\nkind: Service\nmetadata: {name: b}\n"
				 "spec: {externalIPs: [192.0.2.1, 192.0.2.999]}\n");
	trace_until(&trace, "problem");
	ck_assert_ptr_nonnull(strstr(trace.text,
		"/m/a.yaml:6:1: Service default/b: spec.externalIPs: \"192.0.2.999\" "
		"is not an IP address\n"));
	ck_assert_ptr_nonnull(strstr(trace.text, "object services default/b\nend a.yaml\n"));
}
END_TEST

START_TEST(what_is_too_long_or_binary_is_refused)
{
	auto_free char *path = path_of("m/a.yaml");
	auto_free char *too_long =
		xasprintf("down a.yaml: %s/m/a.yaml: longer than 16 MiB\n", root);
	auto_free char *binary =
		xasprintf("down a.yaml: %s/m/a.yaml: not text, it holds a NUL\n", root);
	int fd;

	start_with("m/a.yaml", SVC("a"));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(ftruncate(fd, 17 << 20), 0);
	close(fd);
	trace_until(&trace, "down");
	trace_is(&trace, too_long);
	trace_clear(&trace);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(ftruncate(fd, 1000), 0);
	close(fd);
	trace_until(&trace, "down");
	trace_is(&trace, binary);
}
END_TEST

/* As the kubelet does it: file → ..data/file, ..data → ..1, and the latter is replaced. */
START_TEST(a_config_map_is_swapped)
{
	make_directory("m/..1");
	make_directory("m/..2");
	put("m/..1/a.yaml", SVC("a"));
	put("m/..2/a.yaml", SVC("b"));
	link_to("..1", "m/..data");
	link_to("..data/a.yaml", "m/a.yaml");
	start();
	trace_until(&trace, "synced");
	trace_for(&trace, 20);
	trace_clear(&trace);
	link_to("..2", "m/..data_tmp");
	move("m/..data_tmp", "m/..data");
	trace_until(&trace, "end a.yaml");
	trace_is(&trace, "begin a.yaml\nobject services default/b\nend a.yaml\n");
	trace_clear(&trace);
	drop("m/..1/a.yaml");
	drop("m/..1");
	trace_for(&trace, 50);
	trace_is(&trace, "");
}
END_TEST

START_TEST(a_link_to_elsewhere_is_followed)
{
	make_directory("else");
	put("else/real", SVC("a"));
	link_to("../else/real", "m/a.yaml");
	start();
	trace_until(&trace, "synced");
	trace_for(&trace, 20);
	trace_clear(&trace);
	put("else/real", SVC("b"));
	trace_until(&trace, "end a.yaml");
	put("else/new", SVC("c"));
	move("else/new", "else/real");
	trace_until(&trace, "default/c");
	trace_clear(&trace);
	drop("else/real");
	trace_until(&trace, "down a.yaml");
	ck_assert_ptr_null(strstr(trace.text, "begin"));
	put("else/real", SVC("d"));
	trace_until(&trace, "up a.yaml");
	ck_assert_ptr_nonnull(strstr(trace.text, "default/d"));
}
END_TEST

START_TEST(a_directory_that_is_away_changes_nothing)
{
	start_with("m/a.yaml", SVC("a"));
	move("m", "gone");
	trace_until(&trace, "down a.yaml: ");
	ck_assert_ptr_nonnull(strstr(trace.text, "/m: No such file or directory\n"));
	ck_assert_ptr_null(strstr(trace.text, "begin"));
	trace_clear(&trace);
	make_directory("new");
	put("new/a.yaml", SVC("b"));
	move("new", "m");
	trace_until(&trace, "up a.yaml");
	trace_is(&trace, "begin a.yaml\nobject services default/b\nend a.yaml\nup a.yaml\n");
}
END_TEST

START_TEST(a_directory_that_is_deleted_with_its_files)
{
	start_with("m/a.yaml", SVC("a"));
	drop("m/a.yaml");
	drop("m");
	trace_until(&trace, "end a.yaml");
	trace_is(&trace, "begin a.yaml\nend a.yaml\n");
	trace_clear(&trace);
	make_directory("m");
	put("m/a.yaml", SVC("b"));
	trace_until(&trace, "up a.yaml");
}
END_TEST

START_TEST(the_directory_itself_may_be_a_link_that_is_swapped)
{
	auto_free char *directory = path_of("current");
	struct k8s_options options = {.directory = directory, .node = "n1"};

	make_directory("next");
	put("m/a.yaml", SVC("a"));
	put("next/a.yaml", SVC("b"));
	link_to("m", "current");
	trace_start(&trace, loop, &options);
	trace_until(&trace, "synced");
	trace_for(&trace, 20);
	trace_clear(&trace);
	link_to("next", "current.new");
	move("current.new", "current");
	trace_until(&trace, "end a.yaml");
	trace_is(&trace, "begin a.yaml\nobject services default/b\nend a.yaml\n");
}
END_TEST

/* Nothing tells of that, so it is seen when it is looked at again. */
START_TEST(a_link_above_it_is_swapped)
{
	auto_free char *directory = path_of("now/m");
	struct k8s_options options = {.directory = directory, .node = "n1"};

	make_directory("one");
	make_directory("two");
	make_directory("two/m");
	move("m", "one/m");
	put("one/m/a.yaml", SVC("a"));
	put("two/m/a.yaml", SVC("b"));
	link_to("one", "now");
	trace_start(&trace, loop, &options);
	trace_until(&trace, "synced");
	link_to("two", "new");
	move("new", "now");
	trace_for(&trace, 200);
	trace_clear(&trace);
	mono_turn(mono_s(60));
	trace_until(&trace, "end a.yaml");
	trace_is(&trace, "begin a.yaml\nobject services default/b\nend a.yaml\n");
}
END_TEST

START_TEST(many_files_at_once)
{
	char name[40];

	start_with("m/a.yaml", SVC("a"));
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "m/s%03d.yaml", i);
		put(name, SVC("s"));
	}
	trace_until(&trace, "up s299.yaml");
	trace_for(&trace, 100);
	for (int i = 0; i < 300; i++) {
		auto_free char *line = xasprintf("begin s%03d.yaml\n", i);
		const char *first = strstr(trace.text, line);

		ck_assert_ptr_nonnull(first);
		ck_assert_ptr_null(strstr(first + 1, line));
	}
}
END_TEST

/* Whoever shows only some of the streams shows those that are in trouble. */
START_TEST(the_one_in_trouble_is_the_first)
{
	struct k8s_stream_status first = {0};

	start_with("m/a.yaml", SVC("a"));
	put("m/b.yaml", SVC("b"));
	trace_until(&trace, "up b.yaml");
	put("m/c.yaml", "kind: [");
	trace_until(&trace, "down c.yaml");
	ck_assert(k8s_next_stream(trace.k8s, &first));
	ck_assert_str_eq(first.name, "c.yaml");
	ck_assert(!first.connected);
	put("m/b.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: b}\n"
			"spec: {externalIPs: [192.0.2.999]}\n");
	trace_until(&trace, "problem b.yaml");
	first = (struct k8s_stream_status){0};
	ck_assert(k8s_next_stream(trace.k8s, &first));
	ck_assert_str_eq(first.name, "b.yaml");
}
END_TEST

START_TEST(a_name_of_any_octets)
{
	start_with("m/\xff\x01.yaml", SVC("a"));
	put("m/b\xc3.yaml", SVC("b"));
	trace_until(&trace, "up b?.yaml");
	drop("m/\xff\x01.yaml");
	trace_until(&trace, "end ??.yaml");
}
END_TEST

START_TEST(no_directory_is_an_error)
{
	struct k8s_options options = {.directory = "/none/of/this", .node = "n1"};
	struct k8s *k8s = NULL;
	auto_free char *error = NULL;

	ck_assert_int_lt(k8s_new(loop, &options, NULL, NULL, &k8s, &error), 0);
	ck_assert_str_eq(error, "/none/of/this: No such file or directory");
	ck_assert_ptr_null(k8s);
	start();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("k8s files");
	TCase *tests = tcase_create("files");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 30);
	tcase_add_test(tests, reads_the_directory);
	tcase_add_test(tests, an_empty_directory_is_synced);
	tcase_add_test(tests, only_what_this_node_needs);
	tcase_add_test(tests, an_edit_is_seen_within_milliseconds);
	tcase_add_test(tests, lists_of_any_order_and_what_is_none);
	tcase_add_test(tests, services_of_all_proxies_come_if_some_are_named);
	tcase_add_test(tests, namespaces_come_by_their_labels);
	tcase_add_test(tests, without_a_selector_namespaces_are_passed_over);
	tcase_add_test(tests, only_the_changed_file_is_read_again);
	tcase_add_test(tests, editors_rename_over_it);
	tcase_add_test(tests, a_file_being_written_is_left_alone);
	tcase_add_test(tests, but_not_for_ever);
	tcase_add_test(tests, a_new_file_is_left_alone_until_it_is_closed);
	tcase_add_test(tests, a_hard_link_is_there_at_once);
	tcase_add_test(tests, removed_is_an_empty_list);
	tcase_add_test(tests, renamed_is_removed_and_added);
	tcase_add_loop_test(tests, what_does_not_parse_changes_nothing, 0, N_ELEMENTS(bad));
	tcase_add_test(tests, a_bad_file_holds_synced_back);
	tcase_add_test(tests, single_addresses_are_a_problem);
	tcase_add_test(tests, what_is_too_long_or_binary_is_refused);
	tcase_add_test(tests, a_config_map_is_swapped);
	tcase_add_test(tests, a_link_to_elsewhere_is_followed);
	tcase_add_test(tests, a_directory_that_is_away_changes_nothing);
	tcase_add_test(tests, a_directory_that_is_deleted_with_its_files);
	tcase_add_test(tests, the_directory_itself_may_be_a_link_that_is_swapped);
	tcase_add_test(tests, a_link_above_it_is_swapped);
	tcase_add_test(tests, many_files_at_once);
	tcase_add_test(tests, the_one_in_trouble_is_the_first);
	tcase_add_test(tests, a_name_of_any_octets);
	tcase_add_test(tests, no_directory_is_an_error);
	suite_add_tcase(suite, tests);
	return unit_run(suite);
}
