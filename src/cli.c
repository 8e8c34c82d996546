/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line. All commands but run, check, zebra and withdraw ask a running daemon over its
 * status API; where that listens is read from the same configuration.
 */
#include "cli.h"

#include "config.h"
#include "daemon.h"
#include "http.h"
#include "look.h"
#include "metrics.h"
#include "revision.h"
#include "table.h"
#include "watch.h"

#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <string.h>

#define DEFAULT_CONFIG "/etc/cosmolet/cosmolet.yaml"
#define DEFAULT_LISTEN "127.0.0.1:9474"

struct call {
	const char *config_path; /* NULL: not given */
	const char *http;        /* NULL: not given */
	const char *output;      /* "table", "json", "wide" */
	bool watch;
	bool keys;
	bool metrics;
	bool policy;
	bool dry_run;
	int n_words;
	char **words;
};

struct command {
	const char *name;
	const char *arguments;
	const char *options; /* for getopt_long(), as far as the command takes them */
	int min_words, max_words;
	int (*run)(const struct call *call);
	const char *help;
};

/* Configuration for a command; complains by itself. NULL: refused. */
static struct config *load_config(const char *path)
{
	auto_free char *error = NULL;
	struct config *config = NULL;

	if (config_load(path, &config, &error) == 0)
		return config;
	fprintf(stderr, "cosmolet: %s\n", error);
	return NULL;
}

/* For a command to which it does not matter what this node is called: a shell has no $NODE_NAME. */
static struct config *load_config_of_any_node(const char *path)
{
	char name[HOST_NAME_MAX + 1];

	if (gethostname(name, sizeof(name)) == 0)
		(void)setenv("NODE_NAME", name, 0);
	return load_config(path ? path : DEFAULT_CONFIG);
}

/* Of a command that works, and logs, as the daemon does. */
static struct config *with_log(struct config *config)
{
	if (config)
		log_setup((enum log_level)config->logging_level,
			(enum log_format)config->logging_format);
	return config;
}

static int run_run(const struct call *call)
{
	struct config *config =
		with_log(load_config(call->config_path ? call->config_path : DEFAULT_CONFIG));

	if (!config)
		return EXIT_CONFIG;
	config->dry_run = call->dry_run;
	return daemon_run(config);
}

static int run_withdraw(const struct call *call)
{
	auto_config struct config *config = with_log(load_config_of_any_node(call->config_path));

	return config ? daemon_withdraw(config) : EXIT_CONFIG;
}

static int run_zebra(const struct call *call)
{
	auto_config struct config *config = load_config_of_any_node(call->config_path);

	if (!config)
		return EXIT_CONFIG;
	return look_at_zebra(config, !strcmp(call->output, "json"));
}

static int run_check(const struct call *call)
{
	auto_config struct config *config = NULL;
	const char *path = call->n_words ? call->words[0] : DEFAULT_CONFIG;

	if (call->keys) {
		config_print_keys(stdout);
		return EXIT_FINE;
	}
	if (call->metrics) {
		metrics_print_table(stdout);
		return EXIT_FINE;
	}
	if (call->policy) {
		config_print_settings(stdout);
		return EXIT_FINE;
	}
	config = load_config(path);
	if (!config)
		return EXIT_CONFIG;
	for (size_t i = 0; i < config->n_warnings; i++)
		fprintf(stderr, "cosmolet: warning: %s\n", config->warnings[i]);
	config_print(config, stdout);
	return EXIT_FINE;
}

static int run_version(const struct call *call)
{
	(void)call;
	printf("cosmolet %s (%s)\n", COSMOLET_VERSION, cosmolet_revision);
	return EXIT_FINE;
}

/* Asking the daemon */

/* Whom to ask: --http, else the configuration, else the default. A token and TLS are the file's. */
struct whom {
	struct config *config; /* whose strings server.tls has */
	struct http_server server;
};

static void auto_whom_end(struct whom *whom)
{
	config_free(whom->config);
	free(whom->server.listen);
	free(whom->server.token);
}
#define auto_whom AUTO(whom)

/* 0, or an exit code; complains by itself. */
static int find_whom(const struct call *call, struct whom *out)
{
	auto_free char *error = NULL;
	const struct config *config;

	if (!call->config_path && (call->http || access(DEFAULT_CONFIG, R_OK) < 0)) {
		out->server.listen = xstrdup(call->http ? call->http : DEFAULT_LISTEN);
		return 0;
	}
	config = out->config = load_config_of_any_node(call->config_path);
	if (!config)
		return EXIT_CONFIG;
	if (!call->http && !*config->http_listen) {
		fprintf(stderr, "cosmolet: http.listen is empty in the configuration: nobody can "
				"be asked\n");
		return EXIT_CONFIG;
	}
	if (config->http_token_file)
		out->server.token = http_read_token(config->http_token_file, &error);
	out->server.listen = xstrdup(call->http ? call->http : config->http_listen);
	config_tls_files(config, &out->server.tls);
	return 0;
}

/* 0 and *out_body for free(), or an exit code. */
static int ask_daemon(const struct call *call, const char *path, int *out_status, char **out_body)
{
	auto_free char *error = NULL;
	auto_whom struct whom whom = {0};
	int code = find_whom(call, &whom);

	if (code)
		return code;
	if (http_get(&whom.server, path, out_status, out_body, &error) == 0)
		return 0;
	fprintf(stderr, "cosmolet: %s\n", error ? error : "no answer");
	return EXIT_FAILED;
}

static int run_why(const struct call *call)
{
	auto_free char *encoded = http_encode(call->words[0]);
	auto_free char *path = xasprintf("/why?q=%s", encoded);
	auto_free char *body = NULL;
	int status = 0, r = ask_daemon(call, path, &status, &body);

	if (r)
		return r;
	fputs(body, status == 200 ? stdout : stderr);
	return status == 200 ? EXIT_FINE : EXIT_FAILED;
}

/* The daemon's status; NULL and *out_error (for free()) if it does not tell. */
static json_t *ask_status(const struct http_server *server, char **out_error)
{
	auto_free char *body = NULL;
	json_t *json;
	int status = 0;

	if (http_get(server, "/status", &status, &body, out_error) < 0)
		return NULL;
	json = json_loads(body, 0, NULL);
	if (status == 200 && json_is_object(json))
		return json;
	json_decref(json);
	body[strcspn(body, "\n")] = '\0';
	*out_error = xasprintf(status == 200 ? "the answer is no status: %s" : "%s answers: %s",
		status == 200 ? body : server->listen, body);
	return NULL;
}

static json_t *on_watch(void *data, char **out_error)
{
	return ask_status(data, out_error);
}

static void print_status(const json_t *json, bool wide)
{
	struct table_look look = {.wide = wide, .colour = watch_has_colours()};

	table_print_head(json, &look, stdout);
	table_print_addresses(json, &look, stdout);
}

static int run_status(const struct call *call)
{
	bool wide = !strcmp(call->output, "wide"), as_json = !strcmp(call->output, "json");
	auto_free char *error = NULL;
	auto_whom struct whom whom = {0};
	json_auto_t *json = NULL;
	int code = find_whom(call, &whom);

	if (code)
		return code;
	if (call->watch)
		return watch_run(on_watch, &whom.server, wide, as_json);
	json = ask_status(&whom.server, &error);
	if (!json) {
		fprintf(stderr, "cosmolet: %s\n", error);
		return EXIT_FAILED;
	}
	if (as_json) {
		json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(13));
		putchar('\n');
	} else {
		print_status(json, wide);
	}
	return EXIT_FINE;
}

/* The table of commands */

static const struct command commands[] = {
	{"run", "[--config FILE] [--dry-run]", "cn", 0, 0, run_run,
		"Announces until SIGTERM. FILE is " DEFAULT_CONFIG
		" unless given; it is read again when it changes, and on SIGHUP. With "
		"--dry-run nothing is changed, in zebra or in the kernel; status shows what "
		"would be."},
	{"check", "[FILE | --keys | --metrics | --policy]", "kmp", 0, 1, run_check,
		"Checks a configuration and prints what it comes to; --keys prints the table of "
		"all keys, --metrics that of all metrics, --policy the schema of an "
		"AnnouncementPolicy's settings."},
	{"status", "[-w] [-o table|wide|json] [--config FILE] [--http ADDRESS:PORT]", "cohw", 0, 0,
		run_status,
		"Shows what a running cosmolet announces, and what zebra has confirmed. -w "
		"(--watch) goes on: on a terminal as a screen that follows, else with a table, or "
		"one line of JSON, for each change."},
	{"why", "ADDRESS|NAMESPACE/NAME [--config FILE] [--http ADDRESS:PORT]", "ch", 1, 1, run_why,
		"Tells why an address or a service is announced, or is not."},
	{"zebra", "[-o table|json] [--config FILE]", "co", 0, 0, run_zebra,
		"Asks zebra itself what it is, and which routes of our word it has. Changes "
		"nothing."},
	{"withdraw", "[--config FILE]", "c", 0, 0, run_withdraw,
		"Withdraws and unbinds everything that cosmolet left on this node. None may be "
		"running."},
	{"version", "", "", 0, 0, run_version, "Prints the version."},
};

static void print_usage(FILE *out)
{
	fputs("usage: cosmolet COMMAND ...\n\n", out);
	for (size_t i = 0; i < N_ELEMENTS(commands); i++)
		fprintf(out, "  cosmolet %s %s\n      %s\n", commands[i].name,
			commands[i].arguments, commands[i].help);
	fputs("\nExit codes: 0 fine; 1 could not start, nobody answers, or the subject is unknown; "
	      "2 wrong call; 3 configuration refused.\n",
		out);
}

static int usage_error(const struct command *command, const char *what)
{
	fprintf(stderr, "cosmolet: %s; usage: cosmolet %s %s\n", what, command->name,
		command->arguments);
	return EXIT_USAGE;
}

/* One option for which the command may not have a place. */
static bool takes(const struct command *command, int option)
{
	return strchr(command->options, option) != NULL;
}

static int parse(const struct command *command, int argc, char **argv, struct call *call)
{
	static const struct option long_options[] = {{"config", required_argument, NULL, 'c'},
		{"http", required_argument, NULL, 'h'}, {"output", required_argument, NULL, 'o'},
		{"keys", no_argument, NULL, 'k'}, {"policy", no_argument, NULL, 'p'},
		{"watch", no_argument, NULL, 'w'}, {"metrics", no_argument, NULL, 'm'},
		{"dry-run", no_argument, NULL, 'n'}, {"help", no_argument, NULL, '?'}, {0}};
	int option;

	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, "c:o:w", long_options, NULL)) != -1) {
		if (option == '?' && (!strcmp(argv[optind - 1], "-h") ||
					     (!optopt && !strcmp(argv[optind - 1], "--help")))) {
			printf("usage: cosmolet %s %s\n%s\n", command->name, command->arguments,
				command->help);
			exit(EXIT_FINE);
		}
		if (option == '?' || !takes(command, option))
			return usage_error(
				command, "an option that is not known here, or lacks its value");
		if (option == 'c')
			call->config_path = optarg;
		else if (option == 'h')
			call->http = optarg;
		else if (option == 'o')
			call->output = optarg;
		else if (option == 'w')
			call->watch = true;
		else if (option == 'n')
			call->dry_run = true;
		else if (option == 'm')
			call->metrics = true;
		else if (option == 'p')
			call->policy = true;
		else
			call->keys = true;
	}
	call->n_words = argc - optind;
	call->words = argv + optind;
	if (call->n_words < command->min_words || call->n_words > command->max_words)
		return usage_error(command, "too few or too many arguments");
	if (strcmp(call->output, "table") != 0 && strcmp(call->output, "json") != 0 &&
		!(takes(command, 'w') && !strcmp(call->output, "wide")))
		return usage_error(command, takes(command, 'w') ? "-o takes table, wide or json"
								: "-o takes table or json");
	return 0;
}

int cli_main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	struct call call = {.output = "table"};

	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
		print_usage(stdout);
		return EXIT_FINE;
	}
	if (!strcmp(name, "--version"))
		name = "version";
	for (size_t i = 0; i < N_ELEMENTS(commands); i++) {
		int r;

		if (strcmp(commands[i].name, name) != 0)
			continue;
		r = parse(&commands[i], argc - 1, argv + 1, &call);
		return r ? r : commands[i].run(&call);
	}
	print_usage(stderr);
	return EXIT_USAGE;
}
