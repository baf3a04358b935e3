/* test_cache_asked.c - a body is known again byte for byte, for who sent it, and no longer than it may be. */
#include "brokerd/cache/asked.h"

#include <stdio.h>
#include <string.h>

#include "protocol/limits.h"
#include "tests/lib/tap.h"

static const struct opt_i64 no_max = {.is_set = false};

/* A request of one message: `words`, and `padding` more bytes. */
static void pack(struct buf *out, const char *words, size_t padding)
{
	OWNED(buf_done) struct buf text = BUF_INIT(MIB);
	buf_text(&text, words);
	for (size_t i = 0; i < padding; i++)
		buf_byte(&text, (char)('a' + i % 26));
	struct part p = {.type = PART_TEXT, .text = buf_view(&text)};
	struct message m = {.role = ROLE_USER, .parts = &p, .n_parts = 1};
	request_pack(
		&(struct llm_request){.model = SPAN("test/a"), .messages = &m, .n_messages = 1},
		out);
	if (buf_error(&text) || buf_error(out))
		bail("no request");
}

static struct asked_of of(const char *who, const struct buf *body)
{
	return (struct asked_of){.who = span_str(who), .op = LLM_OP_CHAT, .body = buf_view(body)};
}

static bool is_there(struct askeds *a, const struct asked_of *of)
{
	struct asked_body *one = asked_find(a, of);
	asked_unref(one);
	return one != NULL;
}

static void keep(struct askeds *a, const struct asked_of *of)
{
	static const struct cache_core core = {"the core"};
	asked_keep(a, of, no_max, &core);
	asked_keep(a, of, no_max, &core);
}

static void t_is_read_once(void)
{
	struct askeds a = {.most = MIB};
	OWNED(buf_done) struct buf body = BUF_INIT(MIB);
	static const struct cache_core core = {"the core"};
	const struct opt_i64 max = {true, 7};
	pack(&body, "hello", 1000);
	const struct asked_of o = of("app:1000:mail", &body);
	ok(!is_there(&a, &o), "nothing is there at first");
	asked_keep(&a, &o, max, &core);
	ok(!is_there(&a, &o), "what was found once is not kept yet");
	asked_keep(&a, &o, max, &core);
	struct asked_body *one = asked_find(&a, &o);
	ok(one != NULL, "what was found again is");
	if (!one)
		return;
	memset(body.p, 'x', body.n); /* its own bytes are its own */
	askeds_clear(&a);
	ok(a.n == 0 && a.bytes == 0, "all go");
	const struct llm_request *r = &one->request;
	ok(r->n_messages == 1 && r->messages[0].n_parts == 1 &&
			r->messages[0].parts[0].text.n == 1005 &&
			memcmp(r->messages[0].parts[0].text.p, "helloabc", 8) == 0 &&
			span_is(r->model, "test/a"),
		"who holds it still has the request");
	ok(memcmp(&one->core, &core, sizeof core) == 0 && one->max_tokens.is_set &&
			one->max_tokens.v == 7,
		"and the core, and of what");
	asked_unref(one);
	asked_unref(NULL);
}

static void t_nobody_elses(void)
{
	struct askeds a = {.most = MIB};
	OWNED(buf_done) struct buf body = BUF_INIT(MIB);
	pack(&body, "hello", 1000);
	const struct asked_of o = of("app:1000:mail", &body);
	keep(&a, &o);
	struct asked_of other = o;
	other.who = SPAN("app:1000:news");
	ok(is_there(&a, &o) && !is_there(&a, &other), "another has not sent it");
	other = o;
	other.op = LLM_OP_COMPLETE;
	ok(!is_there(&a, &other), "nor was it another operation");
	size_t n_found = 0;
	for (size_t i = 0; i < body.n; i++) {
		body.p[i] ^= 1;
		n_found += is_there(&a, &o);
		body.p[i] ^= 1;
	}
	ok(n_found == 0, "no byte of it may differ, of %zu", body.n);
	other = o;
	other.body.n--;
	ok(!is_there(&a, &other) && is_there(&a, &o), "nor be missing");
	other = o;
	other.name_space = SPAN("tenant");
	ok(!is_there(&a, &other), "what its caller keeps apart is apart");
	const uint64_t before = a.generation;
	askeds_clear(&a);
	ok(!is_there(&a, &o) && a.generation != before, "what was cleared is not there");
}

/* All that calls usually say behind the prompt, so that two of a length differ in their middle alone. */
static void pack_usual(struct buf *out, const char *words)
{
	struct part p = {.type = PART_TEXT, .text = span_str(words)};
	struct message m = {.role = ROLE_USER, .parts = &p, .n_parts = 1};
	request_pack(
		&(struct llm_request){
			.model = SPAN("test/a"),
			.messages = &m,
			.n_messages = 1,
			.max_tokens = {true, 1024},
			.temperature = {true, 0   },
			.is_stream = true
        },
		out);
}

/* Of so many pairs a few may meet in one place by chance. */
#define PAIRS     16
#define MOST_MEET 4

static void t_two_of_a_length(void)
{
	struct askeds a = {.most = MIB};
	static const struct cache_core core = {"the core"};
	OWNED(buf_done) struct buf one = BUF_INIT(MIB), two = BUF_INIT(MIB);
	int n_both = 0;
	pack_usual(&one, "what is one and one?");
	pack_usual(&two, "what is two and two?");
	for (int n = 0; n < PAIRS; n++) {
		char who[32];
		(void)snprintf(who, sizeof who, "app:%d:mail", 1000 + n);
		const struct asked_of o = of(who, &one), t = of(who, &two);
		for (int i = 0; i < 4; i++) {
			asked_keep(&a, &o, no_max, &core);
			asked_keep(&a, &t, no_max, &core);
		}
		n_both += is_there(&a, &o) && is_there(&a, &t);
	}
	ok(one.n == two.n && n_both >= PAIRS - MOST_MEET, "do not take turns: %d of %d", n_both,
		PAIRS);
	askeds_clear(&a);
}

/* Whose names end alike. */
static void t_two_who_end_alike(void)
{
	static const char mine[] = "app:1000:flatpak:org.gnome.Builder.Devel",
			  his[] = "app:1001:flatpak:org.gnome.Builder.Devel";
	struct askeds a = {.most = MIB};
	static const struct cache_core core = {"the core"};
	int n_known = 0, n_both = 0;
	for (int n = 0; n < PAIRS; n++) {
		char words[32];
		OWNED(buf_done) struct buf body = BUF_INIT(MIB);
		(void)snprintf(words, sizeof words, "what is %d and one?", n);
		pack_usual(&body, words);
		const struct asked_of i = of(mine, &body), he = of(his, &body);
		asked_keep(&a, &i, no_max, &core);
		asked_keep(&a, &he, no_max, &core);
		n_known += is_there(&a, &he);
		keep(&a, &i);
		keep(&a, &he);
		n_both += is_there(&a, &i) && is_there(&a, &he);
	}
	ok(n_known == 0, "what one found once does not count for the other");
	ok(n_both >= PAIRS - MOST_MEET, "each has his place: %d of %d", n_both, PAIRS);
	askeds_clear(&a);
}

static void t_is_bounded(void)
{
	struct askeds a = {.most = MIB / 2};
	bool is_bounded = true;
	size_t n = 0;
	for (int i = 0; i < 2000; i++) {
		char words[32];
		OWNED(buf_done) struct buf body = BUF_INIT(MIB);
		(void)snprintf(words, sizeof words, "question %d", i);
		pack(&body, words, (size_t)i * 7 % 20000);
		const struct asked_of o = of("app:1000:mail", &body);
		keep(&a, &o);
		n += is_there(&a, &o);
		is_bounded = is_bounded && a.bytes <= a.most && a.n <= ASKED_SLOTS;
	}
	ok(is_bounded, "they never take more than they may");
	ok(n == 2000, "the last one is always there: %zu of 2000", n);
	OWNED(buf_done) struct buf body = BUF_INIT(MIB);
	pack(&body, "long", 300 * KIB);
	const struct asked_of o = of("app:1000:mail", &body);
	const size_t before = a.n;
	keep(&a, &o);
	ok(!is_there(&a, &o) && a.n == before, "one that is too long makes nobody go");
	askeds_clear(&a);
	a.most = 0;
	buf_clear(&body);
	pack(&body, "short", 0);
	const struct asked_of p = of("app:1000:mail", &body);
	keep(&a, &p);
	ok(!is_there(&a, &p), "where none may be kept, none are");
	struct asked_of empty = p;
	empty.body = SPAN("");
	a.most = MIB;
	keep(&a, &empty);
	ok(!is_there(&a, &empty), "an empty body is none");
	askeds_clear(&a);
}

/* What is small when packed, and large when read. */
static void t_is_bounded_as_it_is_read(void)
{
	struct askeds a = {.most = 256 * KIB};
	enum { PARTS = 2000 };
	static struct part parts[PARTS];
	OWNED(buf_done) struct buf body = BUF_INIT(MIB);
	for (size_t i = 0; i < PARTS; i++)
		parts[i] = (struct part){.type = PART_TEXT, .text = SPAN("a")};
	struct message m = {.role = ROLE_USER, .parts = parts, .n_parts = PARTS};
	request_pack(
		&(struct llm_request){.model = SPAN("test/a"), .messages = &m, .n_messages = 1},
		&body);
	struct asked_of o = of("app:1000:mail", &body);
	keep(&a, &o);
	ok(body.n < a.most / 4 && !is_there(&a, &o) && a.n == 0, "%zu bytes that are many more",
		body.n);
	a.most = 64 * MIB;
	o.read_bytes = a.most;
	keep(&a, &o);
	ok(!is_there(&a, &o), "nor where it is known how many");
	o.read_bytes = 0;
	keep(&a, &o);
	ok(is_there(&a, &o), "where there is room for that it is kept");
	askeds_clear(&a);
}

/* Two that meet in one place take turns only where one comes twice. */
static void t_who_comes_twice_stays(void)
{
	struct askeds a = {.most = MIB};
	static const struct cache_core core = {"the core"};
	OWNED(buf_done) struct buf first = BUF_INIT(MIB);
	pack(&first, "first", 0);
	const struct asked_of o = of("app:1000:mail", &first);
	keep(&a, &o);
	size_t n_lost = 0;
	for (int i = 0; i < 4 * ASKED_SLOTS; i++) {
		char words[32];
		OWNED(buf_done) struct buf body = BUF_INIT(MIB);
		(void)snprintf(words, sizeof words, "once %d", i);
		pack(&body, words, 0);
		const struct asked_of once = of("app:1000:mail", &body);
		asked_keep(&a, &once, no_max, &core);
		n_lost += !is_there(&a, &o);
	}
	ok(n_lost == 0 && a.n == 1, "what comes once takes nobody's place");
	askeds_clear(&a);
}

int main(void)
{
	t_is_read_once();
	t_nobody_elses();
	t_two_of_a_length();
	t_two_who_end_alike();
	t_is_bounded();
	t_is_bounded_as_it_is_read();
	t_who_comes_twice_stays();
	return tap_done();
}
