/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "auth.h"
#include "kubeconfig.h"

#define PEM "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
#define PEM_BASE64 \
	"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUIKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQ=="

static char *directory;

static void setup(void)
{
	directory = unit_template("test-auth");
	ck_assert_ptr_nonnull(mkdtemp(directory));
}

static void put(const char *name, const char *text)
{
	auto_free char *path = xasprintf("%s/%s", directory, name);
	auto_file FILE *file = fopen(path, "we");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
}

static void drop(const char *name)
{
	auto_free char *path = xasprintf("%s/%s", directory, name);

	unlink(path);
}

/* By a file that is there beside the old one: another inode, even within a tick of its time. */
static void swap(const char *name, const char *text)
{
	auto_free char *from = xasprintf("%s/new", directory);
	auto_free char *to = xasprintf("%s/%s", directory, name);

	put("new", text);
	ck_assert_int_eq(rename(from, to), 0);
}

static void teardown(void)
{
	static const char *const names[] = {
		"config", "token", "ca.crt", "client.crt", "client.key"};

	for (size_t i = 0; i < N_ELEMENTS(names); i++)
		drop(names[i]);
	rmdir(directory);
	free(directory);
}

static int read_config(const char *text, const char *context, struct auth *out, char **out_error)
{
	auto_free char *path = xasprintf("%s/config", directory);
	struct k8s_options options = {.kubeconfig = path, .context = context};

	put("config", text);
	return auth_init(out, &options, out_error);
}

#define CONFIG(context, cluster, user)            \
	"apiVersion: v1\n"                        \
	"kind: Config\n"                          \
	"current-context: lab\n"                  \
	"contexts:\n"                             \
	"- name: lab\n"                           \
	"  context: " context "\n"                \
	"- name: other\n"                         \
	"  context: {cluster: c, user: nobody}\n" \
	"clusters:\n"                             \
	"- name: c\n"                             \
	"  cluster: " cluster "\n"                \
	"users:\n"                                \
	"- name: u\n"                             \
	"  user: " user "\n"

#define LAB    "{cluster: c, user: u, namespace: x}"
#define SERVER "{server: 'https://10.0.0.1:6443'}"

START_TEST(reads_what_is_given_in_place)
{
	auto_free char *description =
		xasprintf("https://10.0.0.1:6443 (context lab of %s/config", directory);
	struct auth auth;
	char *error = NULL;

	if (read_config(
		    CONFIG(LAB,
			    "{server: 'https://10.0.0.1:6443//', "
			    "certificate-authority-data: " PEM_BASE64
			    ", tls-server-name: kubernetes, proxy-url: 'socks5://127.0.0.1:1080'}",
			    "{token: abc.def, client-certificate-data: " PEM_BASE64
			    ", client-key-data: " PEM_BASE64 "}"),
		    NULL, &auth, &error))
		ck_abort_msg("%s", error);
	ck_assert_str_eq(auth.server, "https://10.0.0.1:6443");
	ck_assert_str_eq(auth.tls_server_name, "kubernetes");
	ck_assert_str_eq(auth.proxy, "socks5h://127.0.0.1:1080"); /* to curl */
	ck_assert_str_eq(auth.token.text, "abc.def");
	ck_assert_str_eq(auth.ca.text, PEM);
	ck_assert_str_eq(auth.certificate.text, PEM);
	ck_assert_str_eq(auth.key.text, PEM);
	ck_assert(!auth.insecure && !auth.warning);
	ck_assert_ptr_nonnull(strstr(auth.description, description));
	auth_deinit(&auth);
}
END_TEST

START_TEST(reads_files_beside_it_and_again_when_they_change)
{
	struct auth auth;
	char *error = NULL;

	put("ca.crt", PEM "\n");
	put("client.crt", PEM);
	put("client.key", PEM);
	put("token", " first\n");
	if (read_config(
		    CONFIG(LAB, "{server: 'https://a', certificate-authority: ca.crt}",
			    "{token: not this, tokenFile: token, client-certificate: client.crt, "
			    "client-key: client.key}"),
		    NULL, &auth, &error))
		ck_abort_msg("%s", error);
	ck_assert_str_eq(auth.ca.text, PEM);
	ck_assert_str_eq(auth.token.text, "first");
	put("token", "second-longer");
	auth_refresh(&auth);
	ck_assert_str_eq(auth.token.text, "second-longer");
	put("token", "\n");
	auth_refresh(&auth);
	ck_assert_str_eq(auth.token.text, "second-longer");
	drop("token");
	auth_refresh(&auth);
	ck_assert_str_eq(auth.token.text, "second-longer");
	auth_deinit(&auth);
}
END_TEST

START_TEST(a_refused_token_is_read_although_it_looks_the_same)
{
	struct auth auth;
	struct stat st;
	struct timespec times[2];
	auto_free char *path = xasprintf("%s/token", directory);
	char *error = NULL;

	put("token", "aaa");
	ck_assert_int_eq(
		read_config(CONFIG(LAB, SERVER, "{tokenFile: token}"), NULL, &auth, &error), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	put("token", "bbb");
	times[0] = times[1] = st.st_mtim;
	ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
	auth_refresh(&auth);
	ck_assert_str_eq(auth.token.text, "aaa");
	auth_refused(&auth);
	auth_refresh(&auth);
	ck_assert_str_eq(auth.token.text, "bbb");
	auth_deinit(&auth);
}
END_TEST

START_TEST(takes_json_and_a_named_context)
{
	struct auth auth;
	char *error = NULL;

	if (read_config(
		    "{\"contexts\":[{\"name\":\"a\",\"context\":{\"cluster\":\"c\"}}],"
		    "\"clusters\":[{\"name\":\"c\",\"cluster\":{\"server\":\"http://10.0.0.1\"}}]}",
		    "a", &auth, &error))
		ck_abort_msg("%s", error);
	ck_assert_str_eq(auth.server, "http://10.0.0.1");
	ck_assert_ptr_null(auth.token.text);
	auth_deinit(&auth);
}
END_TEST

START_TEST(warns_of_no_verification)
{
	struct auth auth;
	char *error = NULL;

	ck_assert_int_eq(
		read_config(CONFIG(LAB, "{server: 'https://a', insecure-skip-tls-verify: true}",
				    "{token: t}"),
			NULL, &auth, &error),
		0);
	ck_assert(auth.insecure);
	ck_assert_ptr_nonnull(
		strstr(auth.warning, "insecure-skip-tls-verify: anyone on the way to https://a can "
				     "pose as the API server"));
	auth_deinit(&auth);
}
END_TEST

static const char *const plain[] = {
	"http://127.0.0.1:8080", "http://[::1]:8080/x", "http://localhost"};

START_TEST(plain_http_with_a_token_is_fine_on_loopback)
{
	auto_free char *text = xasprintf(CONFIG(LAB, "{server: '%s'}", "{token: t}"), plain[_i]);
	struct auth auth;
	char *error = NULL;

	if (read_config(text, NULL, &auth, &error))
		ck_abort_msg("%s", error);
	auth_deinit(&auth);
}
END_TEST

static const struct {
	const char *text;
	const char *context;
	const char *error; /* after "DIRECTORY/config" */
} bad[] = {
	{"a: [", NULL, NULL},
	{"", NULL, ": expected a kubeconfig, which is one YAML object"},
	{"[]", NULL, ": expected a kubeconfig, which is one YAML object"},
	{"{}", NULL, ": no current-context; name one of: none"},
	{"contexts: [{name: a}, {name: b}]", NULL, ": no current-context; name one of: a, b"},
	{CONFIG(LAB, SERVER, "{}"), "none", ": no context named \"none\"; there are: lab, other"},
	{"current-context: x\ncontexts: []", NULL,
		":1:18: no context named \"x\"; there are: none"},
	{"current-context: x\ncontexts: [{name: x}]", NULL,
		":2:12: context \"x\": expected an object in \"context\""},
	{CONFIG("{user: u}", SERVER, "{}"), NULL, ":3:18: context \"lab\" has no \"cluster\""},
	{CONFIG("{cluster: d, user: u}", SERVER, "{}"), NULL,
		":6:22: no cluster named \"d\"; there are: c"},
	{CONFIG(LAB, SERVER, "{}"), "other", ":8:31: no user named \"nobody\"; there are: u"},
	{CONFIG(LAB, "{}", "{}"), NULL, ": the cluster has no \"server\""},
	{CONFIG(LAB, "{server: 3}", "{}"), NULL, ":11:21: server: expected a string"},
	{CONFIG(LAB, "{server: 10.0.0.1}", "{}"), NULL,
		":11:21: server: expected a URL that begins with https://, found \"10.0.0.1\""},
	{CONFIG(LAB, "{server: 'https://user@host'}", "{}"), NULL,
		":11:21: server: expected https://HOST:PORT without user, query or fragment"},
	{CONFIG(LAB, "{server: 'http://10.0.0.1'}", "{token: t}"), NULL,
		":11:21: server: http:// would show the credentials to the network; use https://"},
	{CONFIG(LAB, "{server: 'http://127.0.0.1.example.com'}", "{token: t}"), NULL,
		":11:21: server: http:// would show the credentials to the network; use https://"},
	{CONFIG(LAB, "{server: 'https://a', certificate-authority-data: 'a b*'}", "{}"), NULL,
		":11:62: certificate-authority-data: not valid base64"},
	{CONFIG(LAB, "{server: 'https://a', certificate-authority-data: QUJD}", "{}"), NULL,
		":11:62: certificate-authority-data: expected PEM (-----BEGIN …)"},
	{CONFIG(LAB, "{server: 'https://a', certificate-authority: /none/x}", "{}"), NULL,
		":11:57: certificate-authority: /none/x: No such file or directory"},
	{CONFIG(LAB, "{server: 'https://a', proxy-url: 'ftp://x'}", "{}"), NULL,
		":11:45: proxy-url: expected http://, https:// or socks5://"},
	{CONFIG(LAB, "{server: 'https://a', insecure-skip-tls-verify: 'yes'}", "{}"), NULL,
		":11:60: insecure-skip-tls-verify: expected true or false"},
	{CONFIG(LAB, SERVER, "{tokenFile: /none/token}"), NULL,
		":14:21: tokenFile: /none/token: No such file or directory"},
	{CONFIG(LAB, SERVER, "{token: 'a\\n b'}"), NULL,
		":14:17: token: holds white space or control characters"},
	{CONFIG(LAB, SERVER, "{client-certificate-data: " PEM_BASE64 "}"), NULL,
		": client-certificate without a client-key"},
	{CONFIG(LAB, SERVER, "{client-key-data: " PEM_BASE64 "}"), NULL,
		": client-key without a client-certificate"},
	{CONFIG(LAB, SERVER, "{exec: {command: aws}}"), NULL,
		":14:10: exec: not supported by a daemon; give the user a token, a tokenFile or a "
		"client "
		"certificate, as of a service account"},
	{CONFIG(LAB, SERVER, "{username: a, password: b}"), NULL,
		":14:10: username: not supported by a daemon; give the user a token, a tokenFile "
		"or a "
		"client certificate, as of a service account"},
	{CONFIG(LAB, SERVER, "{token: t, as: admin}"), NULL,
		":14:20: as: not supported by a daemon; give the user a token, a tokenFile or a "
		"client "
		"certificate, as of a service account"},
	{CONFIG(LAB, SERVER, "{auth-provider: {name: gcp}}"), NULL,
		":14:10: auth-provider: not supported by a daemon; give the user a token, a "
		"tokenFile or a "
		"client certificate, as of a service account"},
};

START_TEST(says_what_is_wrong_and_where)
{
	auto_free char *expected =
		bad[_i].error ? xasprintf("%s/config%s", directory, bad[_i].error) : NULL;
	struct auth auth;
	auto_free char *error = NULL;

	ck_assert_int_eq(read_config(bad[_i].text, bad[_i].context, &auth, &error), -EINVAL);
	if (expected)
		ck_assert_str_eq(error, expected);
	else
		ck_assert_ptr_nonnull(strstr(error, "/config:"));
}
END_TEST

START_TEST(a_kubeconfig_that_is_not_there)
{
	struct k8s_options options = {.kubeconfig = "/none/config"};
	struct auth auth;
	auto_free char *error = NULL;

	ck_assert_int_eq(auth_init(&auth, &options, &error), -EINVAL);
	ck_assert_str_eq(error, "/none/config: No such file or directory");
}
END_TEST

static void in_cluster(const char *host, const char *expected)
{
	struct k8s_options options = {.service_account_dir = directory};
	struct auth auth;
	auto_free char *error = NULL;
	int r;

	setenv("KUBERNETES_SERVICE_HOST", host, 1);
	setenv("KUBERNETES_SERVICE_PORT", "443", 1);
	r = auth_init(&auth, &options, &error);
	if (r) {
		ck_assert_str_eq(error, expected);
		return;
	}
	ck_assert_str_eq(auth.description, expected);
	auth_deinit(&auth);
}

START_TEST(in_a_pod)
{
	auto_free char *missing = xasprintf(
		"%s/token: No such file or directory; a pod gets it with a service account "
		"and automountServiceAccountToken, elsewhere give a kubeconfig",
		directory);

	in_cluster("10.96.0.1", missing);
	put("token", "t");
	put("ca.crt", PEM);
	in_cluster("10.96.0.1", "https://10.96.0.1:443 (service account)");
	in_cluster("fd00::1", "https://[fd00::1]:443 (service account)");
	in_cluster("", "no API server: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not "
		       "set, as "
		       "they are in a pod; elsewhere give a kubeconfig");
}
END_TEST

START_TEST(other_servers_are_given)
{
	static const struct {
		const char *server;
		const char *error; /* NULL: fine */
	} cases[] = {
		{"https://10.0.0.1:6443", NULL},
		{"https://[fd00::1]:6443/", NULL},
		{"http://127.0.0.1:8080", NULL},
		{"http://10.0.0.1", "server \"http://10.0.0.1\": http:// would show the "
				    "credentials to the network; use https://"},
		{"10.0.0.1:6443", "server \"10.0.0.1:6443\": expected a URL that begins with "
				  "https://"},
		{"", "server \"\": expected a URL that begins with https://"},
		{"https://me@10.0.0.1", "server \"https://me@10.0.0.1\": expected "
					"https://HOST:PORT without user, query or fragment"},
	};

	put("token", "t");
	put("ca.crt", PEM);
	setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "443", 1);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct k8s_options options = {.service_account_dir = directory,
			.servers = &cases[i].server,
			.n_servers = 1};
		struct auth auth = {0};
		auto_free char *error = NULL;
		int r = auth_init(&auth, &options, &error);

		ck_assert_int_eq(r != 0, cases[i].error != NULL);
		if (cases[i].error)
			ck_assert_str_eq(error, cases[i].error);
		else
			ck_assert_int_eq(
				strncmp(auth.server, cases[i].server, strlen(auth.server)), 0);
		auth_deinit(&auth);
	}
}
END_TEST

START_TEST(the_files_of_a_pod_are_swapped)
{
	struct k8s_options options = {.service_account_dir = directory};
	struct auth auth;
	char *error = NULL;

	setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "443", 1);
	put("token", "old");
	put("ca.crt", PEM);
	ck_assert_int_eq(auth_init(&auth, &options, &error), 0);
	swap("token", "new");
	swap("ca.crt", PEM "\n" PEM);
	auth_refresh(&auth);
	ck_assert_str_eq(auth.token.text, "new");
	ck_assert_str_eq(auth.ca.text, PEM "\n" PEM);
	auth_deinit(&auth);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("k8s auth");
	TCase *tests = tcase_create("auth");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, reads_what_is_given_in_place);
	tcase_add_test(tests, reads_files_beside_it_and_again_when_they_change);
	tcase_add_test(tests, a_refused_token_is_read_although_it_looks_the_same);
	tcase_add_test(tests, takes_json_and_a_named_context);
	tcase_add_test(tests, warns_of_no_verification);
	tcase_add_loop_test(
		tests, plain_http_with_a_token_is_fine_on_loopback, 0, N_ELEMENTS(plain));
	tcase_add_loop_test(tests, says_what_is_wrong_and_where, 0, N_ELEMENTS(bad));
	tcase_add_test(tests, a_kubeconfig_that_is_not_there);
	tcase_add_test(tests, in_a_pod);
	tcase_add_test(tests, other_servers_are_given);
	tcase_add_test(tests, the_files_of_a_pod_are_swapped);
	suite_add_tcase(suite, tests);
	return unit_run(suite);
}
