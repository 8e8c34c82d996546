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

#include <getopt.h>
#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#define DEFAULT_CONFIG "/etc/cosmolet/cosmolet.yaml"
#define DEFAULT_LISTEN "127.0.0.1:9474"

struct call {
	const char *config_path; /* NULL: not given */
	const char *http;        /* NULL: not given */
	const char *output;      /* "table", "json" */
	bool keys;
	bool metrics;
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

/* The configuration of a command that works as the daemon does, or NULL: refused. */
static struct config *load_daemon_config(const struct call *call)
{
	struct config *config = load_config(call->config_path ? call->config_path : DEFAULT_CONFIG);

	if (config)
		log_setup((enum log_level)config->logging_level,
			(enum log_format)config->logging_format);
	return config;
}

static int run_run(const struct call *call)
{
	struct config *config = load_daemon_config(call);

	if (!config)
		return EXIT_CONFIG;
	config->dry_run = call->dry_run;
	return daemon_run(config);
}

static int run_withdraw(const struct call *call)
{
	auto_config struct config *config = load_daemon_config(call);

	return config ? daemon_withdraw(config) : EXIT_CONFIG;
}

static int run_zebra(const struct call *call)
{
	auto_config struct config *config =
		load_config(call->config_path ? call->config_path : DEFAULT_CONFIG);

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

/*
 * Where the daemon listens: --http, else the configuration, else the default. For free(), as is the
 * token that the configuration has for it.
 */
static char *listen_of(const struct call *call, int *out_code, char **out_token)
{
	auto_config struct config *config = NULL;
	auto_free char *error = NULL;

	if (call->http)
		return xstrdup(call->http);
	if (!call->config_path && access(DEFAULT_CONFIG, R_OK) < 0)
		return xstrdup(DEFAULT_LISTEN);
	config = load_config(call->config_path ? call->config_path : DEFAULT_CONFIG);
	*out_code = EXIT_CONFIG;
	if (!config)
		return NULL;
	if (config->http_token_file)
		*out_token = http_read_token(config->http_token_file, &error);
	if (*config->http_listen)
		return xstrdup(config->http_listen);
	fprintf(stderr,
		"cosmolet: http.listen is empty in the configuration: nobody can be asked\n");
	return NULL;
}

/* 0 and *out_body for free(), or an exit code. */
static int ask_daemon(const struct call *call, const char *path, int *out_status, char **out_body)
{
	auto_free char *error = NULL;
	auto_free char *listen = NULL;
	auto_free char *token = NULL;
	int code = EXIT_FAILED;

	listen = listen_of(call, &code, &token);
	if (!listen)
		return code;
	if (http_get(listen, token, path, out_status, out_body, &error) == 0)
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

static const char *string_of(const json_t *json, const char *key, const char *otherwise)
{
	const char *value = json_string_value(json_object_get(json, key));

	return value ? value : otherwise;
}

static void print_age(const json_t *since)
{
	double s = wall_now() - json_number_value(since);

	if (!since)
		printf("%-8s", "-");
	else if (s < 100)
		printf("%-8.0f", s < 0 ? 0 : s);
	else if (s < 6000)
		printf("%-7.0fm", s / 60);
	else if (s < 360000)
		printf("%-7.0fh", s / 3600);
	else
		printf("%-7.0fd", s / 86400);
}

/* To how many of the established neighbours of its family an address is advertised. */
static void print_neighbors(const json_t *json, const json_t *bgp)
{
	const json_t *names = json_object_get(json, "neighbors"), *neighbor;
	auto_free char *text = NULL;
	size_t i, of = 0;

	if (!bgp)
		return;
	json_array_foreach (json_object_get(bgp, "neighbors"), i, neighbor)
		of += json_equal(json_object_get(neighbor, "family"),
			      json_object_get(json, "family")) &&
		      !strcmp(string_of(neighbor, "state", ""), "Established");
	text = names ? xasprintf("%zu/%zu", json_array_size(names), of) : xstrdup("-");
	printf("%-6s ", text);
}

static void print_bgp(const json_t *bgp)
{
	const json_t *neighbors = json_object_get(bgp, "neighbors"), *neighbor;
	const char *error = string_of(bgp, "error", "");
	size_t i, up = 0;

	if (!bgp)
		return;
	json_array_foreach (neighbors, i, neighbor)
		up += !strcmp(string_of(neighbor, "state", ""), "Established");
	if (json_object_get(bgp, "age_seconds"))
		printf("bgp         %zu of %zu sessions established, %.0f s ago%s%s\n", up,
			json_array_size(neighbors),
			json_number_value(json_object_get(bgp, "age_seconds")), *error ? "; " : "",
			error);
	else
		printf("bgp         not known%s%s\n", *error ? ": " : "", error);
}

static void print_address(const json_t *json, int width, const json_t *bgp)
{
	const json_t *services = json_object_get(json, "services");
	const char *note = string_of(json, "note", "");

	printf("%-*s %-12s ", width, string_of(json, "address", ""), string_of(json, "state", ""));
	print_age(json_object_get(json, "since"));
	if (json_object_get(json, "tag"))
		printf(" %-10lld", (long long)json_integer_value(json_object_get(json, "tag")));
	else
		printf(" %-10s", "-");
	printf(" %-14s ", string_of(json, "zebra", "-"));
	print_neighbors(json, bgp);
	for (size_t i = 0; i < json_array_size(services); i++)
		printf("%s%s", i ? "," : "", json_string_value(json_array_get(services, i)));
	printf("  %s%s%s\n", string_of(json, "why", "no service has it"), *note ? "; " : "", note);
}

/* What would be done, where nothing is. */
static void print_would(const json_t *would)
{
	const json_t *withdraw = json_object_get(would, "withdraw"), *prefix;
	size_t i;

	if (!would)
		return;
	printf("dry run     nothing is changed; it would announce %lld and withdraw %zu routes",
		(long long)json_integer_value(json_object_get(would, "announce")),
		json_array_size(withdraw));
	json_array_foreach (withdraw, i, prefix)
		printf("%s %s", i ? "," : ":", json_string_value(prefix));
	putchar('\n');
}

static void print_status(const json_t *json)
{
	const json_t *zebra = json_object_get(json, "zebra");
	const json_t *kubernetes = json_object_get(json, "kubernetes");
	const json_t *bgp = json_object_get(json, "bgp");
	const json_t *addresses = json_object_get(json, "addresses"), *address, *problem;
	int width = 15;
	size_t i;

	printf("node        %s, cosmolet %s", string_of(json, "node", ""),
		string_of(json, "cosmolet", ""));
	if (strcmp(string_of(json, "drain", "none"), "none") != 0)
		printf(", drained (%s): %s", string_of(json, "drain", ""),
			string_of(json, "drained_by", ""));
	else if (json_is_true(json_object_get(json, "draining")))
		printf(", draining");
	putchar('\n');
	printf("kubernetes  %s, %s, %lld services, %lld pods\n", string_of(kubernetes, "from", ""),
		json_is_true(json_object_get(kubernetes, "synced")) ? "synced" : "not synced yet",
		(long long)json_integer_value(json_object_get(kubernetes, "services")),
		(long long)json_integer_value(json_object_get(kubernetes, "pods")));
	printf("zebra       %s, FRR %s, redistribute %s, %lld routes, %lld confirmed\n",
		json_is_true(json_object_get(zebra, "connected")) ? "connected" : "not connected",
		string_of(zebra, "release", "unknown"), string_of(zebra, "redistribute", ""),
		(long long)json_integer_value(json_object_get(zebra, "routes")),
		(long long)json_integer_value(json_object_get(zebra, "redistributed")));
	print_bgp(bgp);
	print_would(json_object_get(json, "would"));
	json_array_foreach (json_object_get(json, "problems"), i, problem)
		printf("problem     %s\n", json_string_value(problem));
	putchar('\n');
	json_array_foreach (addresses, i, address)
		width = MAX(width, (int)strlen(string_of(address, "address", "")));
	printf("%-*s %-12s %-8s %-10s %-14s %s%s\n", width, "ADDRESS", "STATE", "SINCE", "TAG",
		"ZEBRA", bgp ? "BGP    " : "", "SERVICE  WHY");
	json_array_foreach (addresses, i, address)
		print_address(address, width, bgp);
}

static int run_status(const struct call *call)
{
	auto_free char *body = NULL;
	json_auto_t *json = NULL;
	int status = 0, r = ask_daemon(call, "/status", &status, &body);

	if (r)
		return r;
	json = json_loads(body, 0, NULL);
	if (status != 200 || !json) {
		fprintf(stderr, "cosmolet: the answer is no status: %s\n", body);
		return EXIT_FAILED;
	}
	if (!strcmp(call->output, "json")) {
		json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(13));
		putchar('\n');
		return EXIT_FINE;
	}
	print_status(json);
	return EXIT_FINE;
}

/* The table of commands */

static const struct command commands[] = {
	{"run", "[--config FILE] [--dry-run]", "cn", 0, 0, run_run,
		"Announces until SIGTERM. FILE is " DEFAULT_CONFIG
		" unless given; it is read again when it changes, and on SIGHUP. With "
		"--dry-run nothing is changed, in zebra or in the kernel; status shows what "
		"would be."},
	{"check", "[FILE | --keys | --metrics]", "km", 0, 1, run_check,
		"Checks a configuration and prints what it comes to; --keys prints the table of "
		"all keys, --metrics that of all metrics."},
	{"status", "[-o table|json] [--config FILE | --http ADDRESS:PORT]", "coh", 0, 0, run_status,
		"Shows what a running cosmolet announces, and what zebra has confirmed."},
	{"why", "ADDRESS|NAMESPACE/NAME [--config FILE | --http ADDRESS:PORT]", "ch", 1, 1, run_why,
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
		{"keys", no_argument, NULL, 'k'}, {"metrics", no_argument, NULL, 'm'},
		{"dry-run", no_argument, NULL, 'n'}, {"help", no_argument, NULL, '?'}, {0}};
	int option;

	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, "c:o:", long_options, NULL)) != -1) {
		if (option == '?' && !optopt && !strcmp(argv[optind - 1], "--help")) {
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
		else if (option == 'n')
			call->dry_run = true;
		else if (option == 'm')
			call->metrics = true;
		else
			call->keys = true;
	}
	call->n_words = argc - optind;
	call->words = argv + optind;
	if (call->n_words < command->min_words || call->n_words > command->max_words)
		return usage_error(command, "too few or too many arguments");
	if (strcmp(call->output, "table") != 0 && strcmp(call->output, "json") != 0)
		return usage_error(command, "-o takes table or json");
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
