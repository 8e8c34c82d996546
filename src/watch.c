/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /status again and again. The hard part: whatever ends this, the terminal must be afterwards what
 * it was before. So the signals' handler restores it, with nothing but what is allowed there, and
 * lets the signal then do what it does to everybody.
 */
#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <cosmolet/clock.h>
#include <cosmolet/mem.h>

#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[?25h\033[?1049l"

#define EVERY_MS   1000
#define COST       20 /* of the time goes to asking: one part in so many */
#define FILTER_MAX 60

static struct termios before; /* for the handler; valid while the screen is ours */

struct screen {
	watch_ask_fn *ask;
	void *data;
	bool wide;
	json_t *status;
	char *error; /* why there was no answer to the last question */
	struct mono heard;
	char filter[FILTER_MAX + 1];
	bool typing;
	size_t first, n_lines, n_fit;
	int wait_ms;
};

bool watch_has_colours(void)
{
	const char *no = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && !(no && *no);
}

/* The terminal */

static void leave_screen(void)
{
	(void)!write(STDOUT_FILENO, LEAVE, sizeof(LEAVE) - 1); /* there is no other way to tell */
	tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

static void on_end(int signo)
{
	leave_screen();
	signal(signo, SIG_DFL);
	raise(signo);
}

static void on_resize(int signo)
{
	(void)signo; /* it interrupts the waiting */
}

static void enter_screen(void)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct sigaction end = {.sa_handler = on_end}, resize = {.sa_handler = on_resize};
	struct termios raw;

	tcgetattr(STDIN_FILENO, &before);
	for (size_t i = 0; i < N_ELEMENTS(ends); i++)
		sigaction(ends[i], &end, NULL);
	sigaction(SIGWINCH, &resize, NULL);
	raw = before;
	raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
	raw.c_cc[VSUSP] = _POSIX_VDISABLE;
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	fputs(ENTER, stdout);
	fflush(stdout);
}

static struct winsize terminal_size(void)
{
	struct winsize size = {0};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_col || !size.ws_row)
		return (struct winsize){.ws_row = 24, .ws_col = 80};
	return size;
}

/* Drawing */

static void ask(struct screen *screen)
{
	struct mono began = mono_now();
	json_t *status;

	free(TAKE(screen->error));
	status = screen->ask(screen->data, &screen->error);
	if (status) {
		json_decref(screen->status);
		screen->status = status;
		screen->heard = mono_now();
	}
	screen->wait_ms = MAX(EVERY_MS, (int)(mono_sub(mono_now(), began).ns / 1000000 * COST));
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; (text = strchr(text, '\n')); text++)
		n++;
	return n;
}

/* The last line: what was not shown, or what is wrong. */
static char *foot(const struct screen *screen)
{
	if (screen->error)
		return xasprintf("no answer for %.0f s: %s",
			mono_to_s(mono_sub(mono_now(), screen->heard)), screen->error);
	if (screen->typing || *screen->filter)
		return xasprintf("/%s%s  %zu lines", screen->filter, screen->typing ? "_" : "",
			screen->n_lines);
	return xasprintf("%zu-%zu of %zu   q quit   / filter   arrows scroll",
		MIN(screen->first + 1, screen->n_lines),
		MIN(screen->first + screen->n_fit, screen->n_lines), screen->n_lines);
}

static char *compose(struct screen *screen, struct winsize size, char **out_foot)
{
	struct table_look look = {
		.wide = screen->wide,
		.colour = watch_has_colours(),
		.width = size.ws_col,
		.filter = screen->filter,
		.first = screen->first,
	};
	char *text = NULL;
	size_t n = 0, used;
	FILE *out = xmemstream(&text, &n);

	if (screen->status)
		table_print_head(screen->status, &look, out);
	fflush(out);
	used = count_lines(text) + 2; /* the titles, and the last line */
	screen->n_fit = size.ws_row > used ? size.ws_row - used : 0;
	look.most = MAX(screen->n_fit, 1u);
	if (screen->status && screen->n_fit)
		screen->n_lines = table_print_addresses(screen->status, &look, out);
	fclose(out);
	*out_foot = foot(screen);
	return text;
}

/* Line by line over what is there, each to its end: nothing flickers. */
static void draw(struct screen *screen)
{
	struct winsize size = terminal_size();
	auto_free char *last = NULL;
	auto_free char *text = compose(screen, size, &last);
	unsigned row = 1;

	for (char *line = text, *end; row < size.ws_row && (end = strchr(line, '\n'));
		line = end + 1)
		printf("\033[%u;1H%.*s\033[K", row++, (int)(end - line), line);
	printf("\033[%u;1H\033[J\033[%u;1H\033[7m%.*s\033[0m\033[K", row, size.ws_row,
		(int)size.ws_col, last);
	fflush(stdout);
}

/* Keys */

static void scroll(struct screen *screen, long by)
{
	long most = (long)screen->n_lines - (long)screen->n_fit;
	long first = (long)screen->first + by;

	screen->first = (size_t)MAX(0, MIN(first, most));
}

static void type(struct screen *screen, char key)
{
	size_t n = strlen(screen->filter);

	screen->first = 0;
	if (key == '\r' || key == '\n')
		screen->typing = false;
	else if (key == 0x7f || key == '\b')
		screen->filter[n ? n - 1 : 0] = '\0';
	else if (n < FILTER_MAX && key >= ' ' && key < 0x7f)
		memcpy(screen->filter + n, (const char[]){key, '\0'}, 2);
}

static void escape(struct screen *screen, const char *rest)
{
	const long page = (long)screen->n_fit;

	if (!*rest) {
		screen->typing = false;
		screen->filter[0] = '\0';
		screen->first = 0;
	} else if (!strcmp(rest, "[A")) {
		scroll(screen, -1);
	} else if (!strcmp(rest, "[B")) {
		scroll(screen, 1);
	} else if (!strcmp(rest, "[5~")) {
		scroll(screen, -page);
	} else if (!strcmp(rest, "[6~")) {
		scroll(screen, page);
	}
}

/* false: quit. */
static bool take_keys(struct screen *screen)
{
	char keys[32];
	ssize_t n = read(STDIN_FILENO, keys, sizeof(keys) - 1);

	if (n == 0 || (n < 0 && errno != EINTR))
		return false; /* the terminal has gone */
	keys[MAX(n, 0)] = '\0';
	if (n > 0 && keys[0] == '\033') {
		escape(screen, keys + 1);
		return true;
	}
	for (ssize_t i = 0; i < n; i++) {
		if (screen->typing)
			type(screen, keys[i]);
		else if (keys[i] == 'q')
			return false;
		else if (keys[i] == '/')
			screen->typing = true;
		else if (keys[i] == 'j' || keys[i] == 'k')
			scroll(screen, keys[i] == 'j' ? 1 : -1);
	}
	return true;
}

static int run_screen(watch_ask_fn *ask_fn, void *data, bool wide)
{
	struct screen screen = {.ask = ask_fn, .data = data, .wide = wide, .heard = mono_now()};
	struct pollfd keys = {.fd = STDIN_FILENO, .events = POLLIN};
	struct mono next = mono_now();
	sigset_t resize, none;
	bool goes_on = true;

	sigemptyset(&none);
	sigemptyset(&resize);
	sigaddset(&resize, SIGWINCH);
	sigprocmask(SIG_BLOCK, &resize, NULL); /* it interrupts the waiting for keys alone */
	enter_screen();
	while (goes_on) {
		int64_t left = mono_sub(next, mono_now()).ns / 1000000;

		if (left <= 0) {
			ask(&screen);
			next = mono_add(mono_now(), mono_ms(screen.wait_ms));
			left = screen.wait_ms;
		}
		draw(&screen);
		if (ppoll(&keys, 1, &(struct timespec){left / 1000, left % 1000 * 1000000}, &none) >
			0)
			goes_on = take_keys(&screen);
	}
	leave_screen();
	json_decref(screen.status);
	free(screen.error);
	return EXIT_SUCCESS;
}

/* A pipe */

/* Without the sentence that counts down, of those that are held. */
static json_t *standing_addresses(const json_t *status)
{
	json_t *list = json_deep_copy(json_object_get(status, "addresses")), *address;
	size_t i;

	json_array_foreach (list, i, address) {
		if (json_object_get(address, "hold"))
			json_object_del(address, "why");
	}
	return list;
}

/* What counts as a change: not the passing of time. */
static char *essence(const json_t *status)
{
	static const char *const moving[] = {
		"now", "kubernetes", "zebra", "loopback", "bgp", "transitions", "latencies"};
	json_auto_t *copy = json_copy((json_t *)(uintptr_t)status);
	json_auto_t *zebra =
		json_deep_copy(json_object_get(json_object_get(status, "zebra"), "connected"));

	for (size_t i = 0; i < N_ELEMENTS(moving); i++)
		json_object_del(copy, moving[i]);
	json_object_set(copy, "zebra", zebra);
	json_object_set_new(copy, "addresses", standing_addresses(status));
	json_object_set_new(copy, "problems",
		json_integer((json_int_t)json_array_size(json_object_get(status, "problems"))));
	return json_dumps(copy, JSON_COMPACT);
}

static void print_change(const json_t *status, bool wide, bool json, bool first)
{
	const struct table_look look = {.wide = wide};

	if (json) {
		json_dumpf(status, stdout, JSON_COMPACT | JSON_REAL_PRECISION(13));
		putchar('\n');
	} else {
		if (!first)
			putchar('\n');
		table_print_head(status, &look, stdout);
		table_print_addresses(status, &look, stdout);
	}
	fflush(stdout);
}

static int run_pipe(watch_ask_fn *ask_fn, void *data, bool wide, bool json)
{
	auto_free char *last = NULL;
	bool away = false;

	for (; !ferror(stdout); poll(NULL, 0, EVERY_MS)) {
		auto_free char *error = NULL;
		json_auto_t *status = ask_fn(data, &error);
		char *now;

		if (!status && !away)
			fprintf(stderr, "cosmolet: %s\n", error);
		away = !status;
		if (away)
			continue;
		now = essence(status);
		if (!last || strcmp(last, now) != 0)
			print_change(status, wide, json, !last);
		free(last);
		last = now;
	}
	return EXIT_FAILURE; /* nobody takes it any more */
}

/* The daemon's signals are blocked from the start of the program. */
static void unblock_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

int watch_run(watch_ask_fn *ask_fn, void *data, bool wide, bool json)
{
	unblock_signals();
	if (!json && isatty(STDOUT_FILENO) && isatty(STDIN_FILENO))
		return run_screen(ask_fn, data, wide);
	return run_pipe(ask_fn, data, wide, json);
}
