/* run.c - does every story in tests/story go as it is told?
 * Each is one broker from start to end. README.md has the words that a story is written in. */
#include <fnmatch.h>
#include <glob.h>
#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "brokerd/value/http.h"
#include "protocol/base/json.h"
#include "protocol/base/num.h"
#include "tests/lib/loop_virtual.h"
#include "tests/lib/packed.h"
#include "tests/lib/resume_virtual.h"
#include "tests/lib/tap.h"
#include "tests/lib/worker_inline.h"
#include "tests/story/names.h"
#include "tests/story/rows.h"
#include "tests/story/script.h"
#include "tests/story/upstream.h"
#include "tests/story/world.h"

#define TEXT_BYTES ((size_t)128 * 1024 * 1024)
#define REST_US    INT64_C(960000000) /* after so long a broker that is left alone is at rest */
#define OWN_TIMERS ((size_t)1)        /* that it has then: is its socket still there? */

/* The configuration that a story's own is added to. */
static const char standard[] =
	"[provider \"one\"]\ndialect = openai-chat\n"
	"base_url = https://one.test/v1\n"
	"[provider \"two\"]\ndialect = openai-chat\n"
	"base_url = https://two.test/v1\n"
	"[provider \"three\"]\ndialect = openai-chat\n"
	"base_url = https://three.test/v1\n"
	"[model \"all\"]\ntarget = one/m\ntarget = two/m\ntarget = three/m\n"
	"[model \"one/m\"]\nprice_input = 1.00 USD\nprice_output = 2.00 USD\n"
	"[model \"two/m\"]\nprice_input = 3.00 USD\nprice_output = 6.00 USD\n";

struct story {
	const char *path, *base;
	struct world world;
	struct names names;
	const struct command *c;
	char name[256]; /* of the check */
	bool has_ledger;
};

static struct span word(const struct story *s, size_t i)
{
	if (i >= s->c->n)
		bail("%s:%d: a word is missing", s->base, s->c->line);
	return s->c->words[i];
}

/* Does the line fit the shell pattern? */
static bool fits(struct span pattern, struct span line)
{
	OWNED(buf_done) struct buf p = BUF_INIT(TEXT_BYTES), t = BUF_INIT(TEXT_BYTES);
	buf_span(&p, pattern);
	buf_byte(&p, '\0');
	buf_span(&t, line);
	buf_byte(&t, '\0');
	return fnmatch(p.p, t.p, FNM_NOESCAPE) == 0;
}

/* ---- the broker ---- */

static void put_block(struct buf *to, struct span block)
{
	struct span line;
	while (block_next(&block, &line)) {
		buf_span(to, line);
		buf_byte(to, '\n');
	}
}

/* config: what comes beside the standard one; "config only": instead of it. */
static void do_config(struct story *s)
{
	OWNED(buf_done) struct buf text = BUF_INIT(TEXT_BYTES);
	if (s->c->n == 1)
		buf_text(&text, standard);
	put_block(&text, s->c->block);
	world_config(&s->world, buf_view(&text));
}

/* PROVIDER, or PROVIDER/LABEL */
static void add_key(struct story *s, struct span name)
{
	OWNED(buf_done) struct buf json = BUF_INIT(4096), answer = BUF_INIT(4096);
	struct span label = name;
	const struct span provider = span_cut(&label, '/');
	buf_print(&json, "{\"provider\":\"%.*s\",\"label\":\"%.*s\",", SPAN_ARG(provider),
		SPAN_ARG(label));
	buf_print(&json, "\"secret\":\"sk-%.*s%s%.*s-0123456789abcdef\"}", SPAN_ARG(provider),
		label.n > 0 ? "-" : "", SPAN_ARG(label));
	world_admin(&s->world, "key.add", buf_view(&json), &answer);
	if (!span_starts(buf_view(&answer), SPAN("raw {")))
		bail("%s: no key can be added: %.*s", s->base, (int)answer.n, answer.p);
}

/* start PROVIDER[/LABEL]...: a broker with a key for each. */
static void do_start(struct story *s)
{
	struct stat st;
	if (stat(s->world.config_path, &st) != 0)
		world_config(&s->world, span_str(standard));
	world_start(&s->world);
	for (size_t i = 1; i < s->c->n; i++)
		add_key(s, word(s, i));
}

/* A state folder that cannot be one: a file is in its place. */
static void do_no_state(struct story *s)
{
	FILE *f = fopen(s->world.state_dir, "w");
	if (!f || fclose(f) != 0)
		bail("cannot write %s", s->world.state_dir);
}

/* files N: none may grow over so many bytes; "files free": any may. */
static void do_files(struct story *s)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_FSIZE, &limit) != 0)
		bail("getrlimit");
	limit.rlim_cur =
		span_is(word(s, 1), "free") ? limit.rlim_max : span_number(word(s, 1), s->c->line);
	if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
		bail("setrlimit");
}

static int64_t duration(struct story *s, size_t i)
{
	int64_t us;
	if (!num_duration_us(word(s, i), &us) || us <= 0)
		bail("%s:%d: what time is that?", s->base, s->c->line);
	return us;
}

static bool do_command(struct story *s);

/* "after TIME", or "after TIME every TIME COMMAND...": that again and again, at the end of each. */
static void do_after(struct story *s)
{
	const struct command *whole = s->c;
	const int64_t us = duration(s, 1);
	if (whole->n == 2) {
		world_after(&s->world, us);
		return;
	}
	struct command c = *whole;
	const int64_t each_us = duration(s, 3);
	if (whole->n < 5 || !span_is(whole->words[2], "every"))
		bail("%s:%d: what is to be done every so often?", s->base, s->c->line);
	c.n -= 4;
	memmove(c.words, whole->words + 4, c.n * sizeof *c.words);
	c.text = command_rest(whole, 4);
	s->c = &c;
	for (int64_t at_us = each_us; at_us <= us; at_us += each_us) {
		world_after(&s->world, each_us);
		if (!do_command(s))
			bail("%s:%d: what is that? %.*s", s->base, c.line, SPAN_ARG(c.text));
		world_settle(&s->world);
	}
	s->c = whole;
}

/* clock 2026-03-29T00:59:59Z: somebody sets it. */
static void do_clock(struct story *s)
{
	int64_t ms;
	if (!http_rfc3339_ms(word(s, 1), &ms))
		bail("%s:%d: what moment is that?", s->base, s->c->line);
	loop_virtual_set_wall(s->world.loop, ms * 1000);
}

static void do_wakes(struct story *s)
{
	(void)s;
	resume_virtual_wake();
}

static void do_sleeps(struct story *s)
{
	loop_virtual_sleep(s->world.loop, duration(s, 1));
	resume_virtual_wake();
}

static void do_raise(struct story *s)
{
	static const struct {
		const char *word;
		int number;
	} signals[] = {
		{"TERM", SIGTERM},
                {"HUP",  SIGHUP },
                {"USR1", SIGUSR1}
        };
	for (size_t i = 0; i < COUNT_OF(signals); i++) {
		if (span_is(word(s, 1), signals[i].word))
			loop_virtual_raise(s->world.loop, signals[i].number);
	}
}

static void do_stopped(struct story *s)
{
	ok(loop_virtual_is_stopped(s->world.loop), "%s", s->name);
}

static void do_serving(struct story *s)
{
	ok(!loop_virtual_is_stopped(s->world.loop), "%s", s->name);
}

/* admin OP JSON, and what its answer looks like in the block. */
static void do_admin(struct story *s)
{
	OWNED(buf_done) struct buf answer = BUF_INIT(TEXT_BYTES), op = BUF_INIT(256);
	const struct span json = command_rest(s->c, 2);
	struct span block = s->c->block, want = SPAN("raw *");
	buf_span(&op, word(s, 1));
	buf_byte(&op, '\0');
	world_admin(&s->world, op.p, json.n > 0 ? json : SPAN("{}"), &answer);
	block_next(&block, &want);
	if (!ok(fits(want, buf_view(&answer)), "%s", s->name))
		diag("it is: %.*s", (int)answer.n, answer.p);
}

/* How many calls are open in the broker, as its status says; SIZE_MAX: it does not. */
static size_t count_open(struct world *w)
{
	OWNED(buf_done) struct buf answer = BUF_INIT(TEXT_BYTES);
	struct json status;
	int64_t n = -1;
	world_admin(w, "status", SPAN("{}"), &answer);
	const struct span raw = SPAN("raw ");
	if (!span_starts(buf_view(&answer), raw) ||
		json_scan(span_skip(buf_view(&answer), raw.n), JSON_STRICT, &status, NULL) ||
		!json_i64(json_member(status, "calls"), &n))
		diag("no status: %.*s", (int)answer.n, answer.p);
	return (size_t)n;
}

/* open N */
static void do_open(struct story *s)
{
	is_uint(count_open(&s->world), span_number(word(s, 1), s->c->line), "%s", s->name);
}

/* ---- clients ---- */

/* What a call of an operation beside chat is given: "input 1", "input 2", ... */
static void put_inputs(struct buf *json, const struct command *c)
{
	const long long n = command_number(c, "inputs", 0);
	if (span_is_set(command_option(c, "query")))
		buf_print(json, ",'query':'%.*s'", SPAN_ARG(command_option(c, "query")));
	if (n == 0)
		return;
	buf_text(json, ",'inputs':[");
	for (long long i = 1; i <= n; i++)
		buf_print(json, "%s'input %lld'", i > 1 ? "," : "", i);
	buf_byte(json, ']');
}

static enum llm_op op_of(const struct command *c)
{
	const struct span word = command_option(c, "op");
	enum llm_op op = LLM_OP_CHAT;
	if (span_is_set(word) && !llm_op_from(word, &op))
		bail("line %d: there is no such operation", c->line);
	return op;
}

static void put_request(struct buf *packed, const struct command *c)
{
	static const char *const numbers[] = {"max_tokens", "n", "top_k", "temperature", "seed"};
	OWNED(buf_done) struct buf json = BUF_INIT(TEXT_BYTES);
	const struct span model = command_option(c, "model");
	const long long prompt = command_number(c, "prompt", 0);
	const enum llm_op op = op_of(c);
	buf_print(&json, "{'stream':%s",
		span_is(command_option(c, "stream"), "yes") ? "true" : "false");
	if (span_is_set(model))
		buf_print(&json, ",'model':'%.*s'", SPAN_ARG(model));
	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		const long long v = command_number(c, numbers[i], -1);
		if (v >= 0)
			buf_print(&json, ",'%s':%lld", numbers[i], v);
	}
	const struct span tier = command_option(c, "tier");
	if (span_is_set(tier))
		buf_print(&json, ",'service_tier':'%.*s'", SPAN_ARG(tier));
	const struct span effort = command_option(c, "effort");
	if (span_is_set(effort))
		buf_print(&json, ",'reasoning':{'effort':'%.*s'}", SPAN_ARG(effort));
	const struct span options = command_option(c, "options");
	if (span_is_set(options))
		buf_print(&json, ",'provider_options':{'*':'%.*s'}", SPAN_ARG(options));
	const struct span stop = command_option(c, "stop");
	if (span_is_set(stop))
		buf_print(&json, ",'stop':['%.*s']", SPAN_ARG(stop));
	put_inputs(&json, c);
	if (op == LLM_OP_CHAT || op == LLM_OP_COUNT) {
		buf_text(&json, ",'messages':[{'role':'user','content':'Say hello.");
		for (long long i = 0; i < prompt; i++)
			buf_byte(&json, 'y');
		buf_text(&json, "'}]");
	}
	buf_byte(&json, '}');
	buf_byte(&json, '\0');
	packed_json(packed, json.p);
}

struct routing {
	struct span tags[8], fallbacks[8];
};

static size_t split(struct span list, struct span to[8])
{
	size_t n = 0;
	while (span_is_set(list) && n < 8)
		to[n++] = span_cut(&list, ',');
	return n;
}

/* [tags=A,B] [fallbacks=M,N] [session=WORD] */
static void put_routing(struct call *call, const struct command *c, struct routing *room)
{
	call->tags = room->tags;
	call->n_tags = split(command_option(c, "tags"), room->tags);
	call->fallbacks = room->fallbacks;
	call->n_fallbacks = split(command_option(c, "fallbacks"), room->fallbacks);
	call->session = command_option(c, "session");
}

/* [cache=WISH] [max_age=S] [ttl=S] [stale=S] [namespace=WORD] */
static void put_cache(struct call *call, const struct command *c)
{
	const struct span wish = command_option(c, "cache");
	if (span_is_set(wish) && !cache_wish_from(wish, &call->cache.wish))
		bail("line %d: there is no such wish for the cache", c->line);
	call->cache.max_age_s = command_number(c, "max_age", -1);
	call->cache.ttl_s = command_number(c, "ttl", -1);
	call->cache.stale_s = command_number(c, "stale", -1);
	call->cache.name_space = command_option(c, "namespace");
}

/* NAME call N model=M [stream=yes] [max_tokens=] [n=] [stop=TEXT] [prompt=BYTES] [timeout=MS] [max_cost=NUSD]
 * [credit=BYTES] [once=yes] [batch=yes] [body=later] [announce=BYTES] [op=OPERATION] [inputs=N] [query=WORD] [tier=WORD]
 * [tags=A,B] [fallbacks=M,N] [session=WORD] [temperature=N] [seed=N] [cache=WISH] [max_age=S] [ttl=S] [stale=S] [namespace=WORD] */
static void do_call(struct story *s, struct caller *from)
{
	const struct command *c = s->c;
	OWNED(buf_done) struct buf body = BUF_INIT(TEXT_BYTES);
	struct routing room;
	size_t first, last;
	command_range(c, 2, &first, &last);
	put_request(&body, c);
	for (size_t i = first; i <= last; i++) {
		const bool is_later = span_is(command_option(c, "body"), "later");
		struct call call = CALL_INIT;
		call.op = op_of(c);
		call.timeout_ms = command_number(c, "timeout", 0);
		call.max_cost_nusd = command_number(c, "max_cost", -1);
		call.credit_bytes = command_number(c, "credit", LIMIT_CREDIT_BYTES);
		call.is_at_most_once = span_is(command_option(c, "once"), "yes");
		call.is_batch = span_is(command_option(c, "batch"), "yes");
		put_routing(&call, c, &room);
		put_cache(&call, c);
		call.body_bytes = command_number(c, "announce", is_later ? (long long)body.n : -1);
		if (call.body_bytes < 0)
			call.body_bytes = -1;
		caller_call(from, (uint32_t)i, &call, buf_view(&body), !is_later);
	}
}

/* NAME relay N SURFACE, or NAME native N PROVIDER, [path=] [query=] [method=] [header=NAME:VALUE] [timeout=MS] [credit=BYTES], the
 * block being the body, or none */
static void do_relay(struct story *s, struct caller *from)
{
	const struct command *c = s->c;
	OWNED(buf_done) struct buf body = BUF_INIT(TEXT_BYTES);
	struct span block = c->block, line;
	struct string_pair header;
	struct routing room;
	struct call call = CALL_INIT;
	const bool is_native = span_is(word(s, 1), "native");
	call.kind = is_native ? CALL_NATIVE : CALL_RELAY;
	*(is_native ? &call.surface.provider : &call.surface.surface) = word(s, 3);
	call.surface.path = command_option(c, "path");
	call.surface.query = command_option(c, "query");
	call.surface.method = command_option(c, "method");
	call.timeout_ms = command_number(c, "timeout", 0);
	call.credit_bytes = command_number(c, "credit", LIMIT_CREDIT_BYTES);
	put_routing(&call, c, &room);
	put_cache(&call, c);
	header.value = command_option(c, "header");
	if (span_is_set(header.value)) {
		header.key = span_cut(&header.value, ':');
		call.surface.headers = &header;
		call.surface.n_headers = 1;
	}
	while (block_next(&block, &line))
		buf_span(&body, line);
	caller_call(from, (uint32_t)span_number(word(s, 2), c->line), &call, buf_view(&body), true);
}

/* NAME data N BYTES|rest [last] */
static void do_data(struct story *s, struct caller *from)
{
	const uint32_t call = (uint32_t)span_number(word(s, 2), s->c->line);
	const size_t n = span_is(word(s, 3), "rest") ? caller_unsent(from, call)
						     : span_number(word(s, 3), s->c->line);
	caller_data(from, call, n, s->c->n > 4 && span_is(word(s, 4), "last"));
}

static void do_cancel(struct story *s, struct caller *from)
{
	size_t first, last;
	command_range(s->c, 2, &first, &last);
	for (size_t i = first; i <= last; i++)
		caller_cancel(from, (uint32_t)i);
}

static void do_credit(struct story *s, struct caller *from)
{
	caller_credit(from, (uint32_t)span_number(word(s, 2), s->c->line),
		(int64_t)span_number(word(s, 3), s->c->line));
}

static void do_deaf(struct story *s, struct caller *from)
{
	(void)s;
	from->is_deaf = true;
}

static void do_listens(struct story *s, struct caller *from)
{
	(void)s;
	from->is_deaf = false;
}

static void do_leaves(struct story *s, struct caller *from)
{
	world_hang_up(&s->world, from);
}

static void do_raw(struct story *s, struct caller *from)
{
	caller_raw(from, command_rest(s->c, 2));
}

/* Takes pieces of text as long as they come, together `n` bytes. */
static bool takes_text(struct caller *from, uint32_t call, size_t n, size_t *got)
{
	struct heard *h;
	*got = 0;
	while ((h = caller_heard(from, call)) && h->text_bytes > 0 && *got < n) {
		*got += h->text_bytes;
		caller_take(from, h);
	}
	return *got == n;
}

/* One line of what is expected against what came. "TEXT of N bytes" adds pieces up. */
static bool expect(struct story *s, struct caller *from, uint32_t call, struct span line)
{
	struct span n = line;
	const struct span of = SPAN("text of ");
	struct heard *h = caller_heard(from, call);
	if (span_starts(line, of) && span_ends(line, SPAN(" bytes"))) {
		size_t got;
		n = span_skip(n, of.n);
		n.n -= strlen(" bytes");
		if (takes_text(from, call, span_number(n, s->c->line), &got))
			return true;
		diag("wanted: %.*s, and it was %zu", SPAN_ARG(line), got);
		return false;
	}
	if (h && fits(line, span_str(h->line))) {
		names_hear(&s->names, call, span_str(h->line));
		caller_take(from, h);
		return true;
	}
	diag("wanted: %.*s", SPAN_ARG(line));
	diag("   got: %.400s", h ? h->line : "nothing");
	return false;
}

static bool gets_all(struct story *s, struct caller *from, uint32_t call)
{
	struct span block = s->c->block, line;
	bool held = true, may_more = false;
	while (held && block_next(&block, &line)) {
		may_more = span_is(line, "...");
		held = may_more || expect(s, from, call, line);
	}
	struct heard *more = caller_heard(from, call);
	if (held && more && !may_more) {
		held = false;
		diag("more came: %.400s", more->line);
	}
	while (!may_more && (more = caller_heard(from, call)))
		caller_take(from, more);
	return held;
}

/* NAME gets N, and in the block all that came of that call, in order; "..." at the end: more may.
 * Without a block: nothing came. */
static void do_gets(struct story *s, struct caller *from)
{
	size_t first, last, i;
	bool held = true;
	command_range(s->c, 2, &first, &last);
	for (i = first; held && i <= last; i++)
		held = gets_all(s, from, (uint32_t)i);
	if (!ok(held, "%s", s->name))
		diag("of call %zu", i - 1);
}

static const struct {
	const char *word;
	void (*act)(struct story *s, struct caller *from);
} caller_verbs[] = {
	{"call",    do_call   },
	{"relay",   do_relay  },
	{"native",  do_relay  },
	{"data",    do_data   },
	{"cancel",  do_cancel },
	{"credit",  do_credit },
	{"deaf",    do_deaf   },
	{"listens", do_listens},
	{"leaves",  do_leaves },
	{"raw",     do_raw    },
	{"gets",    do_gets   },
};

/* connect NAME [mute]: with a hello, or without a word. */
static void do_connect(struct story *s)
{
	const struct span how = s->c->n < 3 ? SPAN("") : s->c->words[2];
	if (span_is(how, "app"))
		world_connect_app(&s->world, word(s, 1));
	else
		world_connect(&s->world, word(s, 1), !span_is(how, "mute"));
}

/* ---- the end ---- */

static void is_at_rest(struct story *s)
{
	struct world *w = &s->world;
	struct caller *c;
	const bool is_serving = w->loop && !loop_virtual_is_stopped(w->loop);
	if (is_serving)
		is_uint(count_open(w), (size_t)0, "%s: no call is left", s->base);
	is_uint(upstream_open(), (size_t)0, "%s: no transfer is left", s->base);
	for (c = w->callers; c; c = c->next) {
		const struct heard *h = c->heard;
		if (!ok(!h, "%s: all that %s got was expected", s->base, c->name))
			diag("call %u: %.400s", (unsigned)h->call, h->line);
	}
	while (w->callers)
		world_hang_up(w, w->callers);
	if (!is_serving)
		return;
	world_settle(w);
	world_after(w, REST_US);
	is_uint(loop_virtual_timers(w->loop), OWN_TIMERS, "%s: no timer is left", s->base);
	is_uint(loop_virtual_descriptors(w->loop), (size_t)1, "%s: only the listener is watched",
		s->base);
}

/* "40x PATTERN" stands for forty such rows. */
static size_t take_count(struct span *pattern)
{
	struct span rest = *pattern;
	const struct span count = span_cut(&rest, 'x');
	int64_t n = 0;
	if (!span_is_set(rest) || !span_starts(rest, SPAN(" ")) || !num_i64(count, &n))
		return 1;
	*pattern = span_skip(rest, 1);
	return (size_t)n;
}

static bool take_rows(struct span *rows, struct span pattern)
{
	for (size_t n = take_count(&pattern); n > 0; n--) {
		const struct span row = rows->n > 0 ? span_cut(rows, '\n') : SPAN("nothing");
		if (fits(pattern, row))
			continue;
		diag("wanted: %.*s", SPAN_ARG(pattern));
		diag("   got: %.*s", SPAN_ARG(row));
		return false;
	}
	return true;
}

/* ledger: all rows there are, in the block. The broker ends here. */
static void do_ledger(struct story *s)
{
	OWNED(buf_done) struct buf rows = BUF_INIT(TEXT_BYTES);
	struct span want = s->c->block, pattern;
	bool held = true;
	is_at_rest(s);
	world_stop(&s->world);
	rows_read(s->world.state_dir, &rows);
	struct span left = buf_view(&rows);
	s->has_ledger = true;
	while (block_next(&want, &pattern))
		held = take_rows(&left, pattern) && held;
	if (left.n > 0) {
		held = false;
		diag("more rows: %.*s", (int)(left.n < 2000 ? left.n : 2000), left.p);
	}
	ok(held, "%s", s->name);
}

/* hold LANE: jobs of that lane of the workers wait. */
static void do_hold(struct story *s)
{
	int64_t lane = 0;
	if (s->c->n != 2 || !num_i64(s->c->words[1], &lane) || lane < 1 || lane > 7)
		bail("%s:%d: which lane?", s->base, s->c->line);
	worker_inline_hold((unsigned)lane);
}

static void do_release(struct story *s)
{
	(void)s;
	worker_inline_release();
}

static const struct {
	const char *word;
	void (*act)(struct story *s);
} verbs[] = {
	{"config",   do_config  },
	{"start",    do_start   },
	{"no-state", do_no_state},
	{"files",    do_files   },
	{"connect",  do_connect },
	{"after",    do_after   },
	{"clock",    do_clock   },
	{"raise",    do_raise   },
	{"sleeps",   do_sleeps  },
	{"wakes",    do_wakes   },
	{"stopped",  do_stopped },
	{"serving",  do_serving },
	{"admin",    do_admin   },
	{"open",     do_open    },
	{"hold",     do_hold    },
	{"release",  do_release },
	{"ledger",   do_ledger  },
};

static bool do_command(struct story *s)
{
	const struct command *c = s->c;
	for (size_t i = 0; i < COUNT_OF(verbs); i++) {
		if (span_is(c->words[0], verbs[i].word)) {
			verbs[i].act(s);
			return true;
		}
	}
	struct caller *from = world_caller(&s->world, c->words[0]);
	for (size_t i = 0; from && c->n > 1 && i < COUNT_OF(caller_verbs); i++) {
		if (span_is(c->words[1], caller_verbs[i].word)) {
			caller_verbs[i].act(s, from);
			return true;
		}
	}
	return upstream_command(c, s->name);
}

static void show_log(const struct world *w)
{
	char line[1024];
	FILE *f = fopen(w->log_path, "r");
	while (f && fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = '\0';
		diag("%s", line);
	}
	if (f)
		fclose(f);
}

static void tell(const char *path)
{
	struct story s = {.path = path};
	struct script script;
	struct command c;
	const char *slash = strrchr(path, '/');
	s.base = slash ? slash + 1 : path;
	script_open(&script, path);
	world_open(&s.world);
	names_init(&s.names);
	while (script_next(&script, &c)) {
		names_put(&s.names, &c);
		s.c = &c;
		snprintf(s.name, sizeof s.name, "%s:%d %.*s", s.base, c.line,
			(int)(c.text.n < 120 ? c.text.n : 120), c.text.p);
		if (!do_command(&s))
			bail("%s:%d: what is that? %.*s", path, c.line, SPAN_ARG(c.text));
		if (s.world.loop)
			world_settle(&s.world);
	}
	if (!s.has_ledger)
		is_at_rest(&s);
	if (getenv("STORY_LOG"))
		show_log(&s.world);
	world_close(&s.world);
	names_done(&s.names);
	script_close(&script);
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	umask(077);
	if (sodium_init() < 0)
		bail("sodium_init");
	if (argc > 1) {
		for (int i = 1; i < argc; i++)
			tell(argv[i]);
		return tap_done();
	}
	glob_t all;
	if (glob("tests/story/*.story", 0, NULL, &all) != 0)
		bail("no stories: run it from the top folder");
	for (size_t i = 0; i < all.gl_pathc; i++)
		tell(all.gl_pathv[i]);
	globfree(&all);
	return tap_done();
}
