/* test_source.c - do keys that live elsewhere come, stay as long as they are good, and tell nobody? */
#include "brokerd/vault/source.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "brokerd/log/log.h"
#include "brokerd/value/secret_open.h"
#include "brokerd/vault/command.h"
#include "brokerd/vault/source_helper.h"
#include "protocol/limits.h"
#include "tests/lib/tap.h"

#define SECOND   INT64_C(1000000)
#define LIMIT_MS INT64_C(500)

static struct loop *l;
static struct workers *workers;

static void is_part(const char *got, const char *want, const char *name)
{
	if (!ok(strstr(got, want) != NULL, "%s", name))
		diag("%s", got);
}

/* ---- commands ---- */

static struct arena words; /* of all commands */

struct asked {
	struct command_run run;
	bool is_over;
	char line[256];
	struct fault why;
};

static void on_line(struct command_run *run, struct span line, const struct fault *why)
{
	struct asked *a = container_of(run, struct asked, run);
	(void)snprintf(a->line, sizeof a->line, "%.*s", SPAN_ARG(line));
	a->is_over = true;
	a->why = *why;
	loop_stop(l);
}

static void ask(struct commands *c, struct asked *a, const char *text)
{
	struct key_source s;
	char whole[1024];
	struct fault why = FAULT_NONE;
	(void)snprintf(whole, sizeof whole, "command: %s", text);
	*a = (struct asked){.run.on_line = on_line};
	if (key_source_read(span_str(whole), &s, &words, &why) != OK)
		bail("%s: %s", text, why.message);
	if (command_start(c, &a->run, s.what, &why) != OK)
		bail("%s: %s", text, why.message);
	ok(!a->is_over, "the answer does not come before the call returned");
}

static const char *printed(struct commands *c, const char *text)
{
	static struct asked a;
	ask(c, &a, text);
	while (!a.is_over)
		loop_run(l);
	return a.why.err ? a.why.message : a.line;
}

static const struct {
	const char *name, *command, *want; /* want: the line, or a part of what is wrong */
} commands[] = {
	{"a line",		   "/bin/echo sk-1",					     "sk-1"                                    },
	{"the first of two",         "/bin/sh -c 'echo sk-1; echo sk-2'",                          "sk-1"                                    },
	{"one without an end",       "/usr/bin/printf sk-1",                                       "sk-1"                                    },
	{"arguments as they are",    "/bin/echo '$HOME  *' \"`id`\"",                              "$HOME  * `id`"                           },
	{"one that is slow",         "/bin/sh -c 'printf sk-; sleep 0.1; echo 1; exec sleep 0.1'", "sk-1"                                    },
	{"one that talks on stderr", "/bin/sh -c 'echo no >&2; echo sk-1'",                        "sk-1"                                    },
	{"nothing",                  "/bin/true",						  "printed no first line"                   },
	{"an empty line",            "/bin/sh -c 'echo; echo sk-1'",                               "printed no first line"                   },
	{"a failure",                "/bin/sh -c 'echo sk-1; exit 3'",                             "ended with status 3"                     },
	{"one with a reason",        "/bin/sh -c 'echo a >&2; echo b c >&2; exit 1'",              "status 1: b c"                           },
	{"a reason that is no text", "/bin/sh -c 'printf \"a\\001\\377\" >&2; exit 1'",
         "status 1: a??"														     },
	{"one that kills itself",    "/bin/sh -c 'kill -9 $$'",                                    "ended by signal 9"                       },
	{"no such program",          "/nowhere/at/all",                                            "cannot run /nowhere/at/all: No such file"},
	{"a folder",                 "/tmp",						       "cannot run /tmp: Permission denied"      },
	{"one that hangs",           "/bin/sleep 100",					     "took too long"                           },
	{"one whose child hangs",    "/bin/sh -c 'sleep 100 & echo sk-1'",                         "sk-1"                                    },
	{"a long line",              "/bin/sh -c 'head -c 20000 /dev/zero | tr \"\\0\" x'",
         "longer than any key"													       },
	{"a flood",                  "/bin/sh -c 'echo sk-1; head -c 1000000 /dev/zero'",          "sk-1"                                    },
	{"nothing to read",          "/bin/sh -c 'read x; echo \"<$x>\"'",                         "<>"                                      },
	{"no variable of ours",      "/bin/sh -c 'echo $SECRET$LLM_TEST-'",                        "-"                                       },
	{"a few of its own",         "/bin/sh -c 'echo $PATH $LANG'",
         "/usr/local/bin:/usr/bin:/bin C.UTF-8"											      },
	{"no descriptor of ours",    "/bin/sh -c 'echo /proc/self/fd/*'",
         "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2"										   },
};

static void test_commands(void)
{
	struct commands *c = commands_new(l, LIMIT_MS);
	(void)setenv("LLM_TEST", "ours", 1);
	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		const char *got = printed(c, commands[i].command);
		if (!ok(strstr(got, commands[i].want) != NULL, "%s", commands[i].name))
			diag("%s", got);
	}
	commands_free(c);
}

static void test_side_by_side(void)
{
	struct commands *c = commands_new(l, 20 * LIMIT_MS);
	struct asked slow, quick, left;
	ask(c, &slow, "/bin/sh -c 'sleep 0.3; echo slow'");
	ask(c, &left, "/bin/sleep 0.1");
	ask(c, &quick, "/bin/echo quick");
	command_leave(&left.run);
	while (!slow.is_over)
		loop_run(l);
	ok(quick.is_over, "one does not wait for another");
	is_str(quick.line, "quick", "each gets its own");
	is_str(slow.line, "slow", "answer");
	ok(!left.is_over, "and who left gets none");
	commands_free(c);
}

/* The process that has that parent and that name; 0: none. */
static pid_t find_child(pid_t of, const char *name)
{
	DIR *proc = opendir("/proc");
	pid_t found = 0;
	for (struct dirent *e = readdir(proc); e; e = readdir(proc)) {
		char path[300], comm[64] = "";
		int parent = 0;
		(void)snprintf(path, sizeof path, "/proc/%s/stat", e->d_name);
		FILE *f = fopen(path, "re");
		if (!f)
			continue;
		if (fscanf(f, "%*d (%63[^)]) %*c %d", comm, &parent) == 2 && parent == of &&
			strcmp(comm, name) == 0)
			found = (pid_t)atoi(e->d_name);
		fclose(f);
	}
	closedir(proc);
	return found;
}

static void test_death(void)
{
	struct commands *c = commands_new(l, 20 * LIMIT_MS);
	struct fault why;
	struct asked a;
	is_err(commands_prepare(c, &why), OK, "the helper starts");
	is_str(printed(c, "/bin/echo sk-1"), "sk-1", "and serves");
	const pid_t first = find_child(getpid(), "llm-key-helper");
	ok(first > 0, "it is a child");
	ask(c, &a, "/bin/sh -c 'sleep 0.3; echo sk-late'");
	is_int(kill(first, SIGKILL), 0, "it is killed");
	while (!a.is_over)
		loop_run(l);
	is_str(a.why.err ? a.why.message : a.line, "sk-late", "who waits is served by another one");
	is_str(printed(c, "/bin/echo sk-2"), "sk-2", "as are all others");
	const pid_t second = find_child(getpid(), "llm-key-helper");
	ok(second > 0 && second != first, "it is not the first");
	const pid_t listener = find_child(second, "llm-key-listen");
	ask(c, &a, "/bin/sh -c 'sleep 0.3; echo sk-later'");
	is_int(kill(listener, SIGKILL), 0, "who listens is killed");
	while (!a.is_over)
		loop_run(l);
	is_str(a.why.err ? a.why.message : a.line, "sk-later", "its parent has another one");
	ok(find_child(getpid(), "llm-key-helper") == second, "and stays");
	ok(find_child(second, "llm-key-listen") != listener, "with it");
	ask(c, &a, "/bin/sh -c 'read a b c d e </proc/$PPID/stat; kill -9 $d; sleep 5'");
	while (!a.is_over)
		loop_run(l);
	is_part(a.why.err ? a.why.message : a.line, "has died",
		"what kills it is not asked a third time");
	is_str(printed(c, "/bin/echo sk-3"), "sk-3", "and the others are served");
	commands_free(c);
	ok(kill(second, 0) != 0 && errno == ESRCH, "it ends with its owner");
}

/* ---- sources ---- */

static char dir[128];

static const char *path(const char *name)
{
	static char paths[4][192];
	static unsigned next;
	char *p = paths[next++ % 4];
	(void)snprintf(p, sizeof paths[0], "%s/%s", dir, name);
	return p;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(path(name), "we");
	if (!f || fputs(text, f) < 0 || fchmod(fileno(f), mode) != 0 || fclose(f) != 0)
		bail("cannot write %s", path(name));
}

struct waiter {
	struct source_wait wait;
	bool is_over;
	char key[256];
	struct secret *secret;
	struct fault why;
};

static void keep(struct waiter *w, struct secret *key)
{
	const struct span bytes = secret_open(key);
	(void)snprintf(w->key, sizeof w->key, "%.*s", SPAN_ARG(bytes));
	secret_close(key);
	w->secret = secret_ref(key);
}

static void on_key(struct source_wait *wait, struct secret *key, const struct fault *why)
{
	struct waiter *w = container_of(wait, struct waiter, wait);
	w->is_over = true;
	w->why = *why;
	if (key)
		keep(w, key);
	loop_stop(l);
}

/* Where the key is at once, nobody waits. */
static void get(struct sources *s, struct config *c, struct waiter *w)
{
	struct secret *key = NULL;
	*w = (struct waiter){.wait.on_key = on_key, .why = FAULT_NONE};
	const enum err err =
		source_get(s, c, config_provider(c, SPAN("p")), &w->wait, &key, &w->why);
	if (err == ERR_MORE)
		return;
	w->is_over = true;
	if (key)
		keep(w, key);
	secret_unref(key);
}

static void await(struct waiter *w)
{
	while (!w->is_over)
		loop_run(l);
}

static void done(struct waiter *w)
{
	secret_unref(w->secret);
}

static struct config *config_with(const char *source, const char *more)
{
	char text[1024];
	struct fault why = FAULT_NONE;
	(void)snprintf(text, sizeof text,
		"[provider \"p\"]\ndialect = openai-chat\nbase_url = https://p.test/v1\n"
		"key_source = %s\n%s",
		source, more);
	struct config *c = config_parse(span_str(text), "f", &why);
	if (!c)
		bail("%s", why.message);
	return c;
}

/* What is read there, or what is wrong. */
static const char *read_once(const char *source, const char *more)
{
	static struct waiter w;
	struct sources *s = sources_new(l, workers, dir);
	struct config *c = config_with(source, more);
	get(s, c, &w);
	await(&w);
	if (w.secret && !span_is(secret_origin(w.secret), "https://p.test:443"))
		bail("it may go to %.*s", SPAN_ARG(secret_origin(w.secret)));
	done(&w);
	sources_free(s);
	config_unref(c);
	return w.why.err ? w.why.message : w.key;
}

static void test_files(void)
{
	char source[256];
	(void)snprintf(source, sizeof source, "file: %s", path("key"));
	write_file("key", "sk-1\n", 0600);
	is_str(read_once(source, ""), "sk-1", "a file is read");
	write_file("key", "sk-1", 0400);
	is_str(read_once(source, ""), "sk-1", "without a line break too");
	write_file("key", "sk-1\r\n", 0400);
	is_str(read_once(source, ""), "sk-1", "or with another");
	write_file("key", "sk-1\nsk-2\n", 0600);
	is_part(read_once(source, ""), "line break in it at byte 4", "two lines are no key");
	write_file("key", "", 0600);
	is_part(read_once(source, ""), "is empty", "an empty file");
	write_file("key", "sk-1", 0640);
	is_part(read_once(source, ""), "others have access", "one that the group reads");
	write_file("key", "sk-1", 0604);
	is_part(read_once(source, ""), "chmod 600", "or everybody");
	if (geteuid() == 0 && chown(path("key"), 12345, 0) == 0 && chmod(path("key"), 0600) == 0)
		is_part(read_once(source, ""), "belongs to user 12345", "somebody else's");
	if (unlink(path("key")) || symlink("other", path("key")))
		bail("symlink");
	is_part(read_once(source, ""), "symbolic link", "a link");
	if (unlink(path("key")) || mkfifo(path("key"), 0600))
		bail("mkfifo");
	is_part(read_once(source, ""), "not a regular file", "a pipe");
	if (unlink(path("key")))
		bail("unlink");
	is_part(read_once(source, ""), "no key for p from its key_source (file: /", "no file");
	is_part(read_once(source, ""), "No such file", "and why");
	write_file("cred", "sk-3\n", 0440);
	is_str(read_once("credential: cred", ""), "sk-3", "a credential, as systemd leaves it");
	write_file("cred", "sk-3\n", 0444);
	is_part(read_once("credential: cred", ""), "others have access", "open to all it is none");
	is_part(read_once("credential: nothing", ""), "No such file", "nor where it is not");
	is_str(read_once("command: /bin/echo sk-4", ""), "sk-4", "a command");
	is_part(read_once("command: /bin/echo ' sk-4'", ""), "begins or ends with a space",
		"is held to what a key is");
	write_file("key", "AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", 0600);
	is_part(read_once(source, "auth = sigv4\nregion = r\n"), "wJalr",
		"a key of more than a word");
}

static void on_rested(struct loop_timer *t)
{
	(void)t;
	loop_stop(l);
}

static void rest(int64_t us)
{
	struct loop_timer t = {.on_fire = on_rested};
	loop_timer_set(l, &t, us);
	loop_run(l);
	loop_timer_stop(&t);
}

static void test_kept(void)
{
	struct waiter a, b, c, d;
	char source[256];
	(void)snprintf(source, sizeof source, "file: %s", path("kept"));
	struct config *conf = config_with(source, "key_refresh = 1s\n");
	struct sources *s = sources_new(l, workers, NULL);
	write_file("kept", "sk-1", 0600);
	get(s, conf, &a);
	get(s, conf, &b);
	get(s, conf, &d);
	ok(!a.is_over && !b.is_over, "who asks waits");
	source_leave(&d.wait);
	await(&a);
	await(&b);
	ok(a.secret == b.secret && !d.is_over, "for one reading");
	ok(source_read_s(s, SPAN("p")) > 0, "which has its time");
	done(&b);
	write_file("kept", "sk-2", 0600);
	get(s, conf, &b);
	ok(b.is_over && b.secret == a.secret, "then it is there at once");
	done(&b);

	ok(source_may_renew(s, a.secret), "it may be read anew");
	source_refused(s, a.secret);
	is_int(source_read_s(s, SPAN("p")), 0, "a refused one is not kept");
	get(s, conf, &b);
	await(&b);
	is_str(b.key, "sk-2", "when it is refused");
	ok(source_may_renew(s, a.secret), "who has the former one yet gets the new one too");
	ok(source_may_renew(s, b.secret), "the new one may be refused as well");
	source_refused(s, b.secret);
	get(s, conf, &c);
	await(&c);
	ok(c.secret == b.secret, "the same is the same");
	ok(!source_may_renew(s, c.secret), "and not read again at once");
	done(&a);
	done(&b);
	done(&c);

	write_file("kept", "sk-3", 0600);
	const int64_t read_s = source_read_s(s, SPAN("p"));
	rest(SECOND * 11 / 10);
	get(s, conf, &a);
	ok(a.is_over, "an old one serves");
	is_str(a.key, "sk-2", "while the next is read");
	while (source_read_s(s, SPAN("p")) == read_s)
		rest(SECOND / 100);
	get(s, conf, &b);
	is_str(b.key, "sk-3", "and then that");
	done(&b);
	done(&a);
	sources_forget(s);
	is_int(source_read_s(s, SPAN("p")), 0, "forgotten, none is kept");
	get(s, conf, &a);
	await(&a);
	is_str(a.key, "sk-3", "and the next one reads it");
	done(&a);
	get(s, conf, &a);
	sources_forget(s);
	done(&a);
	get(s, conf, &b);
	sources_forget(s);
	await(&b);
	is_str(b.key, "sk-3", "forgetting ends no reading");
	is_int(source_read_s(s, SPAN("p")), 0, "but keeps nothing of it");
	done(&b);
	get(s, conf, &a);
	source_leave(&a.wait);
	sources_free(s);
	config_unref(conf);
}

int main(int argc, char **argv)
{
	struct fault why = FAULT_NONE;
	if (argc == 2 && strcmp(argv[1], SOURCE_HELPER_OPTION) == 0)
		return source_helper_main();
	if (sodium_init() < 0)
		bail("libsodium does not start");
	log_init(LOG_LEVEL_ERROR, -1);
	(void)snprintf(dir, sizeof dir, "%s/test_source.XXXXXX", P_tmpdir);
	if (!mkdtemp(dir))
		bail("cannot make %s", dir);
	arena_init(&words, 1 << 20);
	l = loop_new(&why);
	workers = workers_new(l, 1, &why);
	test_commands();
	test_side_by_side();
	test_death();
	test_files();
	test_kept();
	workers_free(workers);
	loop_free(l);
	arena_done(&words);
	char command[256];
	(void)snprintf(command, sizeof command, "rm -rf '%s'", dir);
	if (system(command) != 0)
		bail("cannot remove %s", dir);
	return tap_done();
}
