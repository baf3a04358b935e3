/* fuzz_broker.c - does a whole broker come to rest, whatever its callers, its providers and the clock do?
 * Each input is a life: a configuration, then one step a few bytes long after the other. Callers call, send a body, stop
 * reading, hang up or send what is no frame; a provider connects, answers, says pieces of a stream or anything, breaks off; time
 * passes, the host sleeps, workers are held up, the administrator asks. A call must end once and be silent behind that, what
 * is sent must be frames, and in the end nobody, no transfer, no timer and no descriptor may be left, and each call that was told
 * its end must have its row. */
#include <signal.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "protocol/base/json.h"
#include "protocol/base/list.h"
#include "protocol/limits.h"
#include "tests/lib/loop_virtual.h"
#include "tests/lib/packed.h"
#include "tests/lib/resume_virtual.h"
#include "tests/lib/transport_scripted.h"
#include "tests/lib/worker_inline.h"
#include "tests/story/rows.h"
#include "tests/story/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define CALLERS    3
#define CALLS      24
#define STEPS      200
#define REST_US    INT64_C(960000000) /* after so long a broker that is left alone is at rest */
#define OWN_TIMERS ((size_t)1)        /* that it has then: is its socket still there? */
#define TEXT_BYTES ((size_t)16 * 1024 * 1024)

/* ---- the input ---- */

struct input {
	const uint8_t *p;
	size_t n;
};

static uint8_t take(struct input *in)
{
	if (in->n == 0)
		return 0;
	in->n--;
	return *in->p++;
}

/* One of `n`. */
static size_t pick(struct input *in, size_t n)
{
	return take(in) % n;
}

#define PICK(in, list) ((list)[pick((in), COUNT_OF(list))])

/* Its next bytes, up to 255. */
static struct span take_some(struct input *in)
{
	size_t n = take(in);
	n = n < in->n ? n : in->n;
	const struct span bytes = span_of((const char *)in->p, n);
	in->p += n;
	in->n -= n;
	return bytes;
}

/* ---- the life ---- */

struct life {
	struct world world;
	struct caller *callers[CALLERS]; /* NULL: not there */
	bool is_over[CALLERS][CALLS];    /* a call, by its number */
	uint32_t next[CALLERS];          /* the number of the next */
	size_t n_ended;                  /* calls that were told so, by an end */
	bool may_stop;                   /* it was asked to */
};

static const char providers[] =
	"[provider \"one\"]\ndialect = openai-chat\nbase_url = https://one.test/v1\n"
	"[provider \"two\"]\ndialect = openai-chat\nbase_url = https://two.test/v1\n"
	"[model \"all\"]\ntarget = one/m\ntarget = two/m\n"
	"[model \"one/m\"]\nprice_input = 1.00 USD\nprice_output = 2.00 USD\nmax_output = 4096\n"
	"[model \"two/m\"]\nprice_input = 3.00 USD\nprice_output = 6.00 USD\nmax_output = 4096\n";

static const char *const more[] = {
	"",
	"[limit \"few\"]\neach = user\nconcurrency = 2\n",
	"[limit \"slow\"]\neach = user\nrequests = 6/minute\n",
	"[limit \"poor\"]\neach = user\nbudget = 0.01/day\n",
	"[limit \"tokens\"]\neach = user\ntokens = 5000/minute\n",
	"[limit \"few\"]\neach = user\nconcurrency = 3\nbudget = 0.10/day\n",
};

static void hear_end(struct life *l, size_t who, const struct heard *h)
{
	const struct span line = span_str(h->line);
	if (span_starts(line, SPAN("BAD FRAME")) || span_starts(line, SPAN("NO FRAME"))) {
		fprintf(stderr, "what came is no frame: %s\n", h->line);
		abort();
	}
	if (h->call == 0 || h->call >= CALLS)
		return;
	bool *is_over = &l->is_over[who][h->call];
	const bool is_end = span_starts(line, SPAN("end"));
	if (*is_over && !span_starts(line, SPAN("credit"))) {
		fprintf(stderr, "behind its end call %u was told: %s\n", (unsigned)h->call,
			h->line);
		abort();
	}
	*is_over = *is_over || is_end || span_starts(line, SPAN("fault"));
	l->n_ended += is_end;
}

/* All that was said is looked at, and let go. */
static void listen_to(struct life *l)
{
	for (size_t i = 0; i < CALLERS; i++) {
		struct caller *c = l->callers[i];
		while (c && c->heard) {
			hear_end(l, i, c->heard);
			caller_take(c, c->heard);
		}
	}
}

static bool is_serving(const struct life *l)
{
	return !loop_virtual_is_stopped(l->world.loop);
}

static void leave(struct life *l, size_t who)
{
	if (!l->callers[who])
		return;
	world_hang_up(&l->world, l->callers[who]);
	l->callers[who] = NULL;
	memset(l->is_over[who], 0, sizeof l->is_over[who]);
}

/* The caller of that number, who comes if he is not there; NULL: nobody is let in any more. */
static struct caller *caller_at(struct life *l, size_t who)
{
	static const char names[][2] = {"a", "b", "c"};
	if (l->callers[who] && l->callers[who]->is_closed)
		leave(l, who);
	if (!l->callers[who] && is_serving(l) && !l->may_stop) {
		l->callers[who] = world_connect(&l->world, span_str(names[who]), true);
		l->next[who] = 1;
	}
	return l->callers[who];
}

static bool admin(struct life *l, const char *op, const char *json, struct buf *answer)
{
	if (!is_serving(l) || l->may_stop)
		return false;
	world_admin(&l->world, op, span_str(json), answer);
	return true;
}

/* ---- what callers do ---- */

static void put_request(struct input *in, struct buf *packed, bool is_stream)
{
	static const char *const texts[] = {
		"Say hello.", "Count to three.", "", "Tell me of \\u00e9t\\u00e9."};
	static const char *const models[] = {"one/m", "one/m", "all", "all", "two/m", "none", ""};
	static const int most[] = {0, 1, 16, 4096, 100000};
	OWNED(buf_done) struct buf json = BUF_INIT(TEXT_BYTES);
	const int max_tokens = PICK(in, most);
	buf_print(
		&json, "{'model':'%s','stream':%s", PICK(in, models), is_stream ? "true" : "false");
	if (max_tokens > 0)
		buf_print(&json, ",'max_tokens':%d", max_tokens);
	if (pick(in, 8) == 0)
		buf_text(&json, ",'stop':['stop']");
	buf_print(&json, ",'messages':[{'role':'user','content':'%s'}]}", PICK(in, texts));
	buf_byte(&json, '\0');
	packed_json(packed, json.p);
}

static void do_call(struct life *l, struct input *in)
{
	static const int64_t timeouts[] = {0, 0, 0, 0, 1000, 60000};
	static const int64_t credits[] = {
		(int64_t)LIMIT_CREDIT_BYTES, (int64_t)LIMIT_CREDIT_BYTES, 1000, 0};
	static const enum cache_wish wishes[] = {
		CACHE_UNSAID, CACHE_ON, CACHE_READ, CACHE_REFRESH, CACHE_ONLY};
	const size_t who = pick(in, CALLERS);
	struct caller *c = caller_at(l, who);
	if (!c || l->next[who] == CALLS)
		return;
	OWNED(buf_done) struct buf body = BUF_INIT(TEXT_BYTES);
	struct call call = CALL_INIT;
	const uint8_t how = take(in);
	put_request(in, &body, how & 1);
	if ((how & 0xe0) == 0xe0) /* and then it is none */
		body.n = pick(in, body.n + 1);
	call.op = LLM_OP_CHAT;
	call.timeout_ms = PICK(in, timeouts);
	call.credit_bytes = PICK(in, credits);
	call.cache.wish = PICK(in, wishes);
	call.is_at_most_once = (how & 6) == 6;
	call.is_batch = (how & 10) == 10;
	call.max_cost_nusd = (how & 12) == 12 ? 100000 : -1;
	const bool is_later = (how & 0x60) == 0x60;
	call.body_bytes = is_later && how & 16 ? (int64_t)body.n : -1;
	const uint32_t number = l->next[who]++;
	caller_call(c, number, &call, buf_view(&body), !is_later);
}

/* A number that was called by, or one that was not. */
static uint32_t number_of(struct life *l, size_t who, struct input *in, bool is_known)
{
	const uint32_t most = l->next[who] - (is_known ? 1 : 0);
	return most < 1 ? 0 : 1 + (uint32_t)pick(in, most);
}

static void do_data(struct life *l, struct input *in)
{
	const size_t who = pick(in, CALLERS);
	struct caller *c = l->callers[who];
	const uint32_t number = c ? number_of(l, who, in, true) : 0;
	if (!number)
		return;
	const uint8_t how = take(in);
	caller_data(c, number, how & 64 ? how & 63 : caller_unsent(c, number), how & 128);
}

static void do_cancel(struct life *l, struct input *in)
{
	const size_t who = pick(in, CALLERS);
	if (l->callers[who])
		caller_cancel(l->callers[who], number_of(l, who, in, false));
}

static void do_credit(struct life *l, struct input *in)
{
	static const int64_t amounts[] = {1, 100, 65536, -1, INT64_MAX};
	const size_t who = pick(in, CALLERS);
	if (l->callers[who])
		caller_credit(l->callers[who], number_of(l, who, in, false), PICK(in, amounts));
}

static void do_deaf(struct life *l, struct input *in)
{
	struct caller *c = l->callers[pick(in, CALLERS)];
	if (c)
		c->is_deaf = !c->is_deaf;
}

static void do_leave(struct life *l, struct input *in)
{
	leave(l, pick(in, CALLERS));
}

static void do_raw(struct life *l, struct input *in)
{
	struct caller *c = l->callers[pick(in, CALLERS)];
	if (c)
		caller_raw(c, take_some(in));
}

/* ---- what providers do ---- */

static const char *const pieces[] = {
	"data: "
	"{\"id\":\"x\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{"
	"\"index\":0,\"delta\":{\"role\":"
	"\"assistant\",\"content\":\"\"}}]}\n\n",
	"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello \"}}]}\n\n",
	"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"stop\"}}]}\n\n",
	"data: "
	"{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"t\","
	"\"function\":{\"name\":\"f\","
	"\"arguments\":\"{\"}}]}}]}\n\n",
	"data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
	"data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}]}\n\n",
	"data: "
	"{\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3,\"total_tokens\":"
	"10}}\n\n",
	"data: {\"error\":{\"message\":\"overloaded\",\"code\":503}}\n\n",
	"data: [DONE]\n\n",
	": hum\n\n",
	"{\"id\":\"x\",\"object\":\"chat.completion\",\"model\":\"m\",\"choices\":[{\"index\":0,"
	"\"message\":{\"role\":\"assistant\","
	"\"content\":\"hello\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":7,"
	"\"completion_tokens\":3,"
	"\"total_tokens\":10}}",
	"{\"error\":{\"message\":\"no\",\"code\":\"insufficient_quota\"}}",
	"{\"choices\":[",
};

/* One that is under way, and has its head or not; NULL: none is. */
static struct scripted *running(struct input *in, bool has_head)
{
	struct scripted *found[32];
	size_t n = 0;
	for (size_t i = scripted_count(); i > 0 && n < COUNT_OF(found); i--) {
		struct scripted *s = scripted_at(i - 1);
		if (!s->is_over && !s->has_ended && s->has_head == has_head)
			found[n++] = s;
	}
	return n > 0 ? found[pick(in, n)] : NULL;
}

static void do_head(struct life *l, struct input *in)
{
	static const struct {
		int status;
		const char *headers;
	} heads[] = {
		{200, "content-type: text/event-stream\n"                                  },
		{200, "content-type: text/event-stream\nx-request-id: r\n"                 },
		{200, "content-type: text/event-stream\n"                                  },
		{200, "content-type: application/json\n"                                   },
		{200, ""								   },
		{204, ""								   },
		{301, "location: https://two.test/\n"                                      },
		{400, "content-type: application/json\n"                                   },
		{401, "content-type: application/json\n"                                   },
		{429, "content-type: application/json\nretry-after: 2\n"                   },
		{429, "x-ratelimit-remaining-requests: 0\nx-ratelimit-reset-requests: 1s\n"},
		{500, ""								   },
		{503, "content-type: application/json\nretry-after: 100000\n"              },
		{529, "content-type: text/html\n"                                          },
	};
	struct scripted *s = running(in, false);
	const size_t i = pick(in, COUNT_OF(heads));
	(void)l;
	if (s)
		scripted_head(s, heads[i].status, heads[i].headers);
}

/* On its way, or sent, but no head. */
static void do_send(struct life *l, struct input *in)
{
	struct scripted *s = running(in, false);
	const size_t how = pick(in, 4);
	(void)l;
	if (!s)
		return;
	if (how == 0 && !s->has_sent_body)
		scripted_connected(s);
	else if (how == 1)
		scripted_sent(s);
	else if (how == 2)
		scripted_nonsense(s);
	else
		scripted_break(s);
}

static void do_end(struct life *l, struct input *in)
{
	struct scripted *s = running(in, true);
	const bool is_broken = pick(in, 3) == 0;
	(void)l;
	if (s && is_broken)
		scripted_break(s);
	else if (s)
		scripted_end(s);
}

static void do_piece(struct life *l, struct input *in)
{
	struct scripted *s = running(in, true);
	const char *const piece = PICK(in, pieces);
	(void)l;
	if (s)
		scripted_text(s, piece);
}

static void do_junk(struct life *l, struct input *in)
{
	struct scripted *s = running(in, true);
	const struct span bytes = take_some(in);
	(void)l;
	if (s)
		scripted_body(s, bytes);
}

/* A whole answer, as it should be. */
static void do_answer(struct life *l, struct input *in)
{
	struct scripted *s = running(in, false);
	(void)l;
	if (!s)
		return;
	const bool is_stream = span_find(s->body, SPAN("\"stream\":true")) < s->body.n;
	scripted_head(s, 200,
		is_stream ? "content-type: text/event-stream\n"
			  : "content-type: application/json\n");
	if (!is_stream && !s->is_over)
		scripted_text(s, pieces[10]);
	static const size_t order[] = {0, 1, 1, 4, 6, 8};
	for (size_t i = 0; is_stream && i < COUNT_OF(order) && !s->is_over; i++)
		scripted_text(s, pieces[order[i]]);
	if (!s->is_over)
		scripted_end(s);
}

/* ---- what happens to all ---- */

static void do_time(struct life *l, struct input *in)
{
	static const int64_t us[] = {1, 1000, 100000, 1000000, 5000000, 10000000, 31000000,
		130000000, 700000000, INT64_C(4000000000)};
	world_after(&l->world, PICK(in, us));
}

static void do_clock(struct life *l, struct input *in)
{
	static const int64_t by_us[] = {INT64_C(-86400000000), -1000000, 1000000,
		INT64_C(3600000000), INT64_C(2678400000000)};
	loop_virtual_set_wall(l->world.loop, loop_wall_us(l->world.loop) + PICK(in, by_us));
}

static void do_sleep(struct life *l, struct input *in)
{
	(void)in;
	loop_virtual_sleep(l->world.loop, INT64_C(3600000000));
	resume_virtual_wake();
}

static void do_hold(struct life *l, struct input *in)
{
	(void)l;
	worker_inline_hold(1 + (unsigned)pick(in, 7));
}

static void do_release(struct life *l, struct input *in)
{
	(void)l;
	(void)in;
	worker_inline_release();
}

static void do_admin(struct life *l, struct input *in)
{
	static const char *const asked[][2] = {
		{"status",        "{}"							   },
		{"metrics",       "{}"							   },
		{"models",        "{}"							   },
		{"usage",         "{}"							   },
		{"usage",         "{\"group\":\"model\",\"since\":\"yesterday\"}"                },
		{"usage.open",    "{}"							   },
		{"budget.list",   "{}"							   },
		{"route.explain", "{\"model\":\"all\"}"                                          },
		{"key.list",      "{}"							   },
		{"key.remove",    "{\"provider\":\"one\"}"                                       },
		{"key.add",       "{\"provider\":\"one\",\"secret\":\"sk-one-0123456789abcdef\"}"},
		{"key.test",      "{\"provider\":\"two\"}"                                       },
		{"vault.status",  "{}"							   },
		{"vault.lock",    "{}"							   },
		{"config.check",  "{}"							   },
		{"config.reload", "{}"							   },
		{"whoami",        "{}"							   },
		{"cache.stats",   "{}"							   },
		{"cache.list",    "{}"							   },
		{"cache.clear",   "{}"							   },
		{"audit.list",    "{}"							   },
		{"no.such",       "{}"							   },
	};
	OWNED(buf_done) struct buf answer = BUF_INIT(TEXT_BYTES);
	const size_t i = pick(in, COUNT_OF(asked));
	(void)admin(l, asked[i][0], asked[i][1], &answer);
}

static void do_signal(struct life *l, struct input *in)
{
	const bool is_term = pick(in, 32) == 0;
	l->may_stop = l->may_stop || is_term;
	loop_virtual_raise(l->world.loop, is_term ? SIGTERM : SIGHUP);
}

/* As often as they stand here. */
static void (*const steps[])(struct life *l, struct input *in) = {do_call, do_call, do_call,
	do_call, do_call, do_call, do_answer, do_answer, do_answer, do_head, do_head, do_piece,
	do_piece, do_piece, do_piece, do_end, do_end, do_send, do_time, do_time, do_time, do_junk,
	do_data, do_data, do_cancel, do_credit, do_deaf, do_leave, do_raw, do_clock, do_sleep,
	do_hold, do_release, do_release, do_admin, do_admin, do_signal};

/* ---- the end ---- */

static void is(size_t found, size_t wanted, const char *what)
{
	if (found == wanted)
		return;
	fprintf(stderr, "in the end there are %zu %s, not %zu\n", found, what, wanted);
	abort();
}

static size_t count_running(void)
{
	size_t n = 0;
	for (size_t i = 0; i < scripted_count(); i++)
		n += !scripted_at(i)->is_over;
	return n;
}

static void comes_to_rest(struct life *l)
{
	OWNED(buf_done) struct buf answer = BUF_INIT(TEXT_BYTES);
	struct json status;
	int64_t n = -1;
	worker_inline_release();
	for (size_t i = 0; i < CALLERS; i++)
		leave(l, i);
	world_after(&l->world, REST_US);
	is(count_running(), 0, "transfers under way");
	if (!admin(l, "cache.clear", "{}", &answer))
		return;
	buf_clear(&answer);
	world_after(&l->world, REST_US);
	(void)admin(l, "status", "{}", &answer);
	if (json_scan(span_skip(buf_view(&answer), strlen("raw ")), JSON_STRICT, &status, NULL) ||
		!json_i64(json_member(status, "calls"), &n))
		abort();
	is((size_t)n, 0, "calls open");
	is(loop_virtual_timers(l->world.loop), OWN_TIMERS, "timers");
	is(loop_virtual_descriptors(l->world.loop), 1, "descriptors watched");
}

/* Each call that was told its end has its row, which has one too. */
static void has_rows(const struct life *l)
{
	OWNED(buf_done) struct buf rows = BUF_INIT(TEXT_BYTES);
	size_t n = 0;
	rows_read(l->world.state_dir, &rows);
	struct span left = buf_view(&rows);
	while (left.n > 0)
		n += span_starts(span_cut(&left, '\n'), SPAN("exchange "));
	if (n >= l->n_ended)
		return;
	fprintf(stderr, "%zu calls were told their end, and %zu have a row\n", l->n_ended, n);
	abort();
}

static void add_key(struct life *l, const char *json)
{
	OWNED(buf_done) struct buf answer = BUF_INIT(TEXT_BYTES);
	if (admin(l, "key.add", json, &answer) && span_starts(buf_view(&answer), SPAN("raw {")))
		return;
	fprintf(stderr, "no key can be added: %.*s\n", (int)answer.n, answer.p);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct input in = {data, n};
	struct life l = {.n_ended = 0};
	OWNED(buf_done) struct buf config = BUF_INIT(TEXT_BYTES);
	world_open(&l.world);
	buf_text(&config, providers);
	buf_text(&config, PICK(&in, more));
	world_config(&l.world, buf_view(&config));
	world_start(&l.world);
	add_key(&l, "{\"provider\":\"one\",\"secret\":\"sk-one-0123456789abcdef\"}");
	add_key(&l, "{\"provider\":\"two\",\"secret\":\"sk-two-0123456789abcdef\"}");
	for (size_t i = 0; in.n > 0 && i < STEPS; i++) {
		steps[pick(&in, COUNT_OF(steps))](&l, &in);
		world_settle(&l.world);
		listen_to(&l);
	}
	comes_to_rest(&l);
	world_stop(&l.world);
	has_rows(&l);
	world_close(&l.world);
	return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	signal(SIGPIPE, SIG_IGN);
	umask(077);
	return sodium_init() < 0;
}
