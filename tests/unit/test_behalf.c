/* test_behalf.c - who may be named by a handle of his process, whose account it is then, and what all may. */
#include "brokerd/front/behalf.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/loop_virtual.h"
#include "tests/lib/tap.h"

static char dir[] = "/tmp/behalf-XXXXXX";
static struct organs organs;
static struct closer *closer;

static void configure(const char *text)
{
	struct fault why = FAULT_NONE;
	config_unref(organs.config);
	organs.config = config_parse(span_str(text), "test", &why);
	if (!organs.config)
		bail("%s", why.message);
}

static void begin(void)
{
	struct fault why = FAULT_NONE;
	organs.ailment = FAULT_NONE;
	organs.loop = loop_new(&why);
	organs.workers = workers_new(organs.loop, 1, &why);
	organs.grants = mkdtemp(dir) ? grants_new(organs.workers, dir, &why) : NULL;
	organs.app_tokens = app_tokens_new(organs.workers, dir, &why);
	organs.own_uid = geteuid();
	closer = closer_new();
	if (!organs.grants || !closer)
		bail("%s", why.message);
	organs.config = config_parse(SPAN(""), "test", &why);
}

static void end(void)
{
	workers_free(organs.workers);
	app_tokens_free(organs.app_tokens);
	grants_free(organs.grants);
	config_unref(organs.config);
	loop_free(organs.loop);
	closer_free(closer);
	(void)rmdir(dir);
}

/* A program that does nothing, until it is killed. */
static pid_t start(void)
{
	const pid_t pid = fork();
	if (pid == 0) {
		for (;;)
			pause();
	}
	return pid;
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int handle_of(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

static struct peer_id connection(enum peer_kind kind, const char *name)
{
	struct peer_id p = {.uid = geteuid(), .pid = 1, .kind = kind, .confidence = PEER_PROC};
	(void)snprintf(p.name, sizeof p.name, "%s", name);
	return p;
}

/* Names a descriptor, which is taken over. */
static enum err name(const struct peer_id *who, int fd, struct behalf *b, struct fault *why)
{
	struct passed passed = {.n = 0};
	struct call c = CALL_INIT;
	c.kind = CALL_TYPED;
	c.behalf.fd_index = 0;
	if (fd >= 0)
		passed = (struct passed){.fds = {fd}, .n = 1};
	fault_clear(why);
	enum err err = behalf_find(&organs, who, &passed, closer, &c, b, why);
	if (!err)
		err = behalf_admit(&organs, who, &c, b, why);
	passed_close(&passed, closer);
	return err;
}

/* ---- who may be named ---- */

static void whom(void)
{
	const struct peer_id bridge = connection(PEER_KIND_HOST, "bridge");
	struct behalf b;
	struct fault why;
	const pid_t pid = start();
	int ends[2];

	is_err(name(&bridge, handle_of(pid), &b, &why), OK, "a program that runs: %s", why.message);
	is_int(b.who->pid, pid, "is on whose account it is");
	is_int(b.who->uid, geteuid(), "its user");
	is_int(b.who->kind, PEER_KIND_HOST, "it is where we are");
	is_int(b.who->socket, PEER_SOCKET_MAIN, "as if it had come itself");
	is_str(b.who->via, "host:bridge", "and somebody stood between");
	is_uint(b.n, 1, "one is named");

	is_err(name(&bridge, -1, &b, &why), ERR_INVALID_REQUEST, "no descriptor came along");
	is_str(why.param, "behalf.fd", "and it says of which member that is");
	ok(b.who == &bridge && !b.allowance->also, "nobody is named then");
	if (pipe(ends) != 0)
		bail("no pipe");
	is_err(name(&bridge, ends[0], &b, &why), ERR_INVALID_REQUEST, "a pipe is no process");
	close(ends[1]);
	FILE *file = fopen("/proc/self/stat", "r");
	is_err(name(&bridge, dup(fileno(file)), &b, &why), ERR_INVALID_REQUEST, "nor is a file");
	fclose(file);

	const int zombie = handle_of(pid), reaped = dup(zombie);
	kill(pid, SIGKILL);
	siginfo_t info;
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	is_err(name(&bridge, zombie, &b, &why), ERR_DENIED, "one that has ended: %s", why.message);
	waitpid(pid, NULL, 0);
	is_err(name(&bridge, reaped, &b, &why), ERR_DENIED, "and is forgotten: %s", why.message);
	is_str(why.param, "behalf.fd", "which member");
}

static void another_user(void)
{
	struct peer_id bridge = connection(PEER_KIND_HOST, "bridge");
	struct behalf b;
	struct fault why;
	const pid_t pid = start();
	bridge.uid = geteuid() + 1;
	configure("[policy \"all\"]\nuser = *\noperation = use\n");
	is_err(name(&bridge, handle_of(pid), &b, &why), ERR_DENIED, "another user's: %s",
		why.message);
	ok(strstr(why.message, "another user") != NULL, "is said to be that");
	configure("");
	stop(pid);
}

/* ---- who may name ---- */

static void by_whom(void)
{
	struct behalf b;
	struct fault why;
	const pid_t pid = start();
	struct peer_id p = connection(PEER_KIND_SANDBOX, "");
	is_err(name(&p, handle_of(pid), &b, &why), ERR_DENIED, "a sandbox names nobody");
	ok(b.who == &p, "and stays who it is");
	p = connection(PEER_KIND_UNKNOWN, "");
	is_err(name(&p, handle_of(pid), &b, &why), ERR_DENIED, "nor one of whom nothing is known");
	p = connection(PEER_KIND_HOST, "x");
	p.socket = PEER_SOCKET_SANDBOX;
	is_err(name(&p, handle_of(pid), &b, &why), ERR_DENIED, "nor on the sandboxes' socket");
	p = connection(PEER_KIND_HOST, "x");
	memcpy(p.profile, "ci", 3);
	is_err(name(&p, handle_of(pid), &b, &why), ERR_DENIED, "nor with a profile");
	p = connection(PEER_KIND_SERVICE, "web.service");
	is_err(name(&p, handle_of(pid), &b, &why), OK, "a service may: %s", why.message);
	ok(b.who == &p, "but its account stays its own");
	ok(b.allowance == &b.own && b.own.also == &b.parties[0].allowance, "both are asked");
	stop(pid);
}

/* ---- what they may ---- */

static void both(void)
{
	const struct peer_id bridge = connection(PEER_KIND_HOST, "bridge");
	OWNED(arena_done) struct arena arena;
	struct allowance copy;
	struct behalf b;
	struct fault why;
	int64_t most = -1;
	const pid_t pid = start();
	arena_init(&arena, MIB);
	configure("[policy \"bridge\"]\nkind = host\nname = bridge\nmodel = one/*\nmodel = two/a\n"
		  "max_output = 100\nmax_input = 5\nmax_cost = 3\nnative = one GET /v1/a\n"
		  "operation = use\noperation = native\n"
		  "[policy \"test\"]\nkind = host\nmodel = two/*\nmodel = one/b\nmax_output = 50\n"
		  "max_input = 7\nresend = deny\nnative = one GET,POST /v1\n"
		  "operation = use\noperation = native\n");
	is_err(name(&bridge, handle_of(pid), &b, &why), OK, "both may chat: %s", why.message);
	is_err(allowance_copy(&arena, b.allowance, &copy), OK, "copied");
	const struct allowance *all[] = {b.allowance, &copy};
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		const struct allowance *a = all[i];
		is_err(allowance_model(a, SPAN("x"), SPAN("one"), SPAN("b"), &why), OK,
			"a model of both");
		is_err(allowance_model(a, SPAN("x"), SPAN("two"), SPAN("a"), &why), OK,
			"and another");
		is_err(allowance_model(a, SPAN("x"), SPAN("one"), SPAN("a"), &why), ERR_DENIED,
			"one of the connection's alone");
		is_err(allowance_model(a, SPAN("x"), SPAN("two"), SPAN("b"), &why), ERR_DENIED,
			"one of the program's alone");
		ok(allowance_shows(a, SPAN("one/b")) && !allowance_shows(a, SPAN("one/a")),
			"what is listed");
		ok(allowance_limits_models(a), "something is said of models");
		ok(allowance_has_any(a, SPAN("one")) && !allowance_has_any(a, SPAN("three")),
			"whose models there are");
		const struct policy_rule *r = allowance_ceiling(a, CEILING_OUTPUT, &most);
		ok(r && most == 50 && span_is(r->name, "test"), "the program's is the stricter");
		r = allowance_ceiling(a, CEILING_INPUT, &most);
		ok(r && most == 5 && span_is(r->name, "bridge"), "the connection's is");
		r = allowance_ceiling(a, CEILING_COST, &most);
		ok(r && most == INT64_C(3000000000), "the only one");
		ok(allowance_denies_resend(a), "one says it");
		is_err(allowance_native(a, SPAN("one"), SPAN("GET"), SPAN("/v1/a"), &why), OK,
			"an endpoint of both");
		is_err(allowance_native(a, SPAN("one"), SPAN("POST"), SPAN("/v1/a"), &why),
			ERR_DENIED, "a method of one");
		ok(a->also && !a->also->also, "two in all");
	}
	stop(pid);
}

static void not_both(void)
{
	struct peer_id bridge = connection(PEER_KIND_HOST, "bridge");
	struct behalf b;
	struct fault why;
	const pid_t pid = start();
	configure("[policy \"bridge\"]\nkind = host\nname = bridge\noperation = *\n"
		  "[policy \"no\"]\nkind = host\noperation = embed\n");
	is_err(name(&bridge, handle_of(pid), &b, &why), ERR_DENIED, "the program may not chat");
	ok(strstr(why.message, "\"no\"") != NULL, "by its own rule: %s", why.message);
	is_int(b.who->pid, pid, "and the audit log names it");
	configure("[policy \"bridge\"]\nkind = host\nname = bridge\noperation = embed\n");
	is_err(name(&bridge, handle_of(pid), &b, &why), ERR_DENIED, "the connection may not");
	configure("[policy \"bridge\"]\nkind = host\nname = bridge\nallow = ask\n");
	is_err(name(&bridge, handle_of(pid), &b, &why), ERR_CONSENT,
		"nobody was asked about the connection: %s", why.message);
	configure("[policy \"bridge\"]\nkind = host\nname = bridge\n"
		  "[policy \"rest\"]\nkind = host\nallow = ask\n");
	is_err(name(&bridge, handle_of(pid), &b, &why), OK,
		"the one whose account it is can be asked about later");
	bridge = connection(PEER_KIND_SERVICE, "web.service");
	is_err(name(&bridge, handle_of(pid), &b, &why), ERR_CONSENT, "and nobody else");
	configure("");
	stop(pid);
}

static void administration(void)
{
	const struct peer_id bridge = connection(PEER_KIND_HOST, "bridge");
	struct behalf b;
	struct fault why = FAULT_NONE;
	struct call c = CALL_INIT;
	const pid_t pid = start();
	static const struct {
		const char *op;
		enum err want;
	} ops[] = {
		{"key.list", ERR_DENIED},
		{"whoami",   OK        },
		{"usage",    ERR_DENIED},
	};
	c.kind = CALL_ADMIN;
	c.behalf.fd_index = 0;
	for (size_t i = 0; i < COUNT_OF(ops); i++) {
		struct passed passed = {.fds = {handle_of(pid)}, .n = 1};
		c.admin_op = span_str(ops[i].op);
		enum err err = behalf_find(&organs, &bridge, &passed, closer, &c, &b, &why);
		if (!err)
			err = behalf_admit(&organs, &bridge, &c, &b, &why);
		is_err(err, ops[i].want, "%s on another's behalf", ops[i].op);
		is_uint(passed.n, 0, "its descriptor is taken");
	}
	stop(pid);
}

/* ---- tokens ---- */

/* For all that connections of that user do; kept in memory. */
static void make_token(uid_t uid, const char *models, char text[APP_TOKEN_TEXT_BYTES])
{
	struct app_token like = {.uid = uid, .app = "notes", .connection = 1};
	const struct app_token *made;
	struct fault why = FAULT_NONE;
	(void)snprintf(like.models, sizeof like.models, "%s", models);
	if (app_tokens_make(
		    organs.app_tokens, &like, text, &made, (struct grants_reply){NULL, NULL}, &why))
		bail("%s", why.message);
}

static enum err show(const struct peer_id *who, const char *token, int fd, enum call_kind kind,
	struct behalf *b, struct fault *why)
{
	struct passed passed = {.n = 0};
	struct call c = CALL_INIT;
	c.kind = kind;
	c.admin_op = kind == CALL_ADMIN ? SPAN("status") : SPAN_NONE;
	c.behalf.token = span_str(token);
	c.behalf.fd_index = fd >= 0 ? 0 : -1;
	if (fd >= 0)
		passed = (struct passed){.fds = {fd}, .n = 1};
	fault_clear(why);
	enum err err = behalf_find(&organs, who, &passed, closer, &c, b, why);
	if (!err)
		err = behalf_admit(&organs, who, &c, b, why);
	passed_close(&passed, closer);
	return err;
}

static void by_token(void)
{
	const struct peer_id bridge = connection(PEER_KIND_HOST, "bridge");
	struct peer_id boxed = connection(PEER_KIND_SANDBOX, "");
	char text[APP_TOKEN_TEXT_BYTES], other[APP_TOKEN_TEXT_BYTES];
	struct behalf b;
	struct fault why;
	const pid_t pid = start();
	make_token(geteuid(), "one/* fast", text);
	make_token(geteuid() + 1, "", other);

	is_err(show(&bridge, text, -1, CALL_TYPED, &b, &why), OK, "a token: %s", why.message);
	is_int(b.who->kind, PEER_KIND_TOKEN, "is an application of its own");
	is_str(b.who->name, "notes", "with its name");
	is_str(b.who->via, "host:bridge", "by whom it came");
	ok(b.allowance->rule && span_is(b.allowance->rule->name, "token"), "by its own rule");
	is_err(allowance_model(b.allowance, SPAN("x"), SPAN("one"), SPAN("a"), &why), OK,
		"its models");
	is_err(allowance_model(b.allowance, SPAN("fast"), SPAN("two"), SPAN("a"), &why), OK,
		"by the name that was asked for");
	is_err(allowance_model(b.allowance, SPAN("x"), SPAN("two"), SPAN("a"), &why), ERR_DENIED,
		"and no others: %s", why.message);
	ok(!allowance_has_any(b.allowance, SPAN("two")), "of whom nothing is listed");
	is_err(show(&bridge, text, -1, CALL_ADMIN, &b, &why), ERR_DENIED, "it administers nothing");
	is_err(show(&bridge, text, handle_of(pid), CALL_TYPED, &b, &why), OK, "with a program");
	is_int(b.who->pid, pid, "it is that program");
	is_int(b.who->kind, PEER_KIND_TOKEN, "and that application");
	ok(b.allowance->also && b.allowance->also->also, "and all three are asked");

	is_err(show(&bridge, "llmb_0", -1, CALL_TYPED, &b, &why), ERR_DENIED, "an unknown one");
	ok(b.who == &bridge, "is nobody's");
	is_err(show(&bridge, other, -1, CALL_TYPED, &b, &why), ERR_DENIED, "another user's: %s",
		why.message);

	is_err(show(&boxed, text, -1, CALL_TYPED, &b, &why), OK,
		"a sandbox that shows one is asked about: %s", why.message);
	ok(b.who == &boxed && !b.own.grant, "as the sandbox that it is");
	ok(b.allowance == &b.own && b.own.also->models.n > 0, "with less than it had");
	configure("[policy \"small\"]\nkind = token\nname = notes\noperation = embed\n");
	is_err(show(&bridge, text, -1, CALL_TYPED, &b, &why), ERR_DENIED, "a rule for it: %s",
		why.message);
	configure("[policy \"none\"]\nkind = token\nallow = no\n");
	is_err(show(&bridge, text, -1, CALL_TYPED, &b, &why), ERR_DENIED, "or for all of them");
	configure("");
	app_tokens_end(organs.app_tokens, 1);
	is_err(show(&bridge, text, -1, CALL_TYPED, &b, &why), ERR_DENIED, "and then it is gone");
	stop(pid);
}

int main(void)
{
	begin();
	whom();
	another_user();
	by_whom();
	both();
	not_both();
	administration();
	by_token();
	end();
	return tap_done();
}
