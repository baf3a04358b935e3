/* test_tape.c - what those who come later read of an answer, each in its own words and at its own pace. */
#include "brokerd/exchange/tape.h"

#include <stdio.h>
#include <stdlib.h>

#include "protocol/frame.h"
#include "protocol/limits.h"
#include "tests/lib/tap.h"

static struct llm_event text(enum event_type type, const char *words)
{
	struct llm_event e = {.type = type};
	e.text = span_str(words);
	return e;
}

static void put(struct tape *t, enum tape_track track, enum event_type type, const char *words)
{
	const struct llm_event e = text(type, words);
	is_err(tape_put(t, track, &e, SIZE_MAX), OK, "%s is put", words);
}

static size_t n_news;

static void on_news(struct tape_reader *r)
{
	(void)r;
	n_news++;
}

/* All that it has not had of a track, with spaces between. */
static const char *rest(struct tape_reader *r, enum tape_track track)
{
	static char out[256];
	int type;
	struct span body;
	size_t n = 0;
	out[0] = '\0';
	while (tape_peek(r, track, &type, &body)) {
		OWNED(arena_done) struct arena a;
		struct llm_event e;
		arena_init(&a, MIB);
		is_err(event_unpack(type, pack_from(body), &a, &e, NULL), OK,
			"an entry is an event");
		char word[32];
		fault_text(word, sizeof word, e.text);
		n += (size_t)snprintf(out + n, sizeof out - n, "%s%s", n > 0 ? " " : "", word);
		tape_take(r);
	}
	return out;
}

static void test_tracks(void)
{
	struct tape *t = tape_new();
	struct tape_reader first = {.on_news = on_news}, late = {.on_news = on_news};
	tape_join(t, &first);
	put(t, TAPE_BOTH, EV_TEXT, "warning");
	put(t, TAPE_BYTES, EV_RAW, "{raw}");
	put(t, TAPE_EVENTS, EV_TEXT, "one");
	is_uint(n_news, 3, "who reads it is told of each");
	is_str(rest(&first, TAPE_EVENTS), "warning one", "as events");
	tape_join(t, &late);
	is_str(rest(&late, TAPE_BYTES), "warning {raw}", "as bytes, from the beginning");
	is_str(rest(&late, TAPE_EVENTS), "", "and nothing more");
	put(t, TAPE_EVENTS, EV_TEXT, "two");
	ok(!tape_is_read(t, 0), "both are behind");
	is_str(rest(&late, TAPE_EVENTS), "two", "the late one");
	ok(tape_is_read(t, 0), "one is ahead: nobody need wait");
	tape_leave(&late);
	ok(!tape_is_read(t, 0), "the one that is left is behind");
	tape_leave(&first);
	ok(tape_is_read(t, 0), "nobody is");
	tape_leave(&first);
	tape_unref(t);
}

static void test_held(void)
{
	struct tape *t = tape_new();
	struct tape_reader r = {.on_news = on_news}, own = {.on_news = on_news};
	tape_join(t, &r);
	put(t, TAPE_BOTH, EV_TEXT, "before");
	n_news = 0;
	tape_hold(t);
	put(t, TAPE_EVENTS, EV_TEXT, "held");
	tape_join_end(t, &own);
	is_uint(n_news, 0, "nobody is told of what is held");
	ok(tape_held(t) > 0, "it is there");
	is_str(rest(&r, TAPE_EVENTS), "before", "and nobody sees it");
	tape_withdraw(t);
	put(t, TAPE_EVENTS, EV_TEXT, "other");
	is_str(rest(&r, TAPE_EVENTS), "other", "what takes its place is all there is");
	is_str(rest(&own, TAPE_EVENTS), "other", "for who had joined behind it too");
	tape_hold(t);
	put(t, TAPE_EVENTS, EV_TEXT, "shown");
	n_news = 0;
	tape_show(t);
	is_uint(n_news, 2, "once it is shown they are told");
	is_str(rest(&r, TAPE_EVENTS), "shown", "and have it");
	tape_leave(&r);
	tape_leave(&own);
	tape_unref(t);
}

static void test_most(void)
{
	struct tape *t = tape_new();
	const struct llm_event e = text(EV_TEXT, "0123456789");
	is_err(tape_put(t, TAPE_EVENTS, &e, 64), OK, "what fits");
	const size_t n = t->bytes.n;
	enum err err = OK;
	while (!err)
		err = tape_put(t, TAPE_EVENTS, &e, 64);
	is_err(err, ERR_TOO_BIG, "is no more than so much");
	is_uint(t->bytes.n % n, 0, "and nothing is left of what did not fit");
	tape_unref(t);
}

/* One event of so many bytes, as it comes. False: it had no room. */
static bool put_long(struct tape *t, size_t bytes, size_t most)
{
	OWNED(buf_done) struct buf words = BUF_INIT(MIB);
	while (words.n < bytes)
		buf_byte(&words, 'x');
	const struct llm_event e = {.type = EV_TEXT, .text = buf_view(&words)};
	return tape_put(t, TAPE_EVENTS, &e, most) == OK;
}

static void read_all(struct tape_reader *r)
{
	int type;
	struct span body;
	while (tape_peek(r, TAPE_BOTH, &type, &body))
		tape_take(r);
}

/* Together they have no more than so much: who is read by nobody goes first. */
static void test_in_sum(void)
{
	struct tapes all = {.most = 4 * MIB};
	struct tape *lone[8], *shared = tape_new();
	struct tape_reader r = {.on_news = on_news};
	size_t n_lost = 0;
	shared->all = &all;
	tape_join(shared, &r);
	for (size_t i = 0; i < COUNT_OF(lone); i++) {
		lone[i] = tape_new();
		lone[i]->all = &all;
		if (!put_long(lone[i], MIB - 64, 2 * MIB)) {
			tape_drop(lone[i]);
			n_lost++;
		}
	}
	ok(n_lost >= 3 && n_lost < 8, "those that are only to be kept lose what has no room");
	ok(all.bytes <= 4 * MIB, "and are no more together than that");
	is_uint(lone[7]->bytes.n, 0, "nothing is left of one that is lost");
	ok(lone[7]->is_broken, "which nobody reads any more");
	ok(put_long(shared, 100, SIZE_MAX) && !shared->is_broken, "one that is read has room yet");
	for (size_t i = 0; i < COUNT_OF(lone); i++)
		tape_unref(lone[i]);
	read_all(&r);
	tape_leave(&r);
	tape_unref(shared);
	is_uint(all.bytes, 0, "what is gone counts no more");
}

/* One that others read goes on beyond that: at the pace of the slowest, and without what all have read. */
static void test_narrow(void)
{
	struct tapes all = {.most = MIB};
	struct tape *t = tape_new();
	struct tape_reader quick = {.on_news = on_news}, slow = {.on_news = on_news};
	size_t most = 0;
	t->all = &all;
	tape_join(t, &quick);
	tape_join(t, &slow);
	for (size_t i = 0; i < 3; i++)
		ok(put_long(t, MIB - 64, SIZE_MAX), "it goes on");
	ok(t->is_broken, "nobody joins it any more");
	read_all(&quick);
	ok(!tape_is_read(t, MIB), "the slowest is waited for");
	int type;
	struct span body;
	ok(tape_peek(&slow, TAPE_EVENTS, &type, &body) && body.n > MIB - 64,
		"who has all before him");
	read_all(&slow);
	ok(tape_is_read(t, 0) && t->bytes.n == 0, "what all have read is forgotten");
	for (size_t i = 0; i < 100; i++) {
		put_long(t, 100000, SIZE_MAX);
		put(t, TAPE_EVENTS, EV_TEXT, "word");
		tape_peek(&quick, TAPE_EVENTS, &type, &body);
		tape_take(&quick);
		is_str(rest(&quick, TAPE_EVENTS), "word", "the quick one");
		tape_peek(&slow, TAPE_EVENTS, &type, &body);
		tape_take(&slow);
		is_str(rest(&slow, TAPE_EVENTS), "word", "and the slow one have all of it");
		most = all.bytes > most ? all.bytes : most;
	}
	ok(most < MIB, "and it takes little: %zu bytes", most);
	tape_hold(t);
	put(t, TAPE_EVENTS, EV_TEXT, "held");
	read_all(&quick);
	read_all(&slow);
	tape_show(t);
	is_str(rest(&quick, TAPE_EVENTS), "held", "what is held stays");
	tape_leave(&slow);
	tape_leave(&quick);
	tape_unref(t);
	is_uint(all.bytes, 0, "and counts no more");
}

static struct tape *whole(void)
{
	struct tape *t = tape_new();
	const struct fault none = FAULT_NONE;
	put(t, TAPE_BYTES, EV_RAW, "{raw}");
	put(t, TAPE_EVENTS, EV_TEXT, "one");
	t->owner = UINT64_C(0x8000000000000001);
	t->is_forwarded = true;
	t->finish = FINISH_TOOL_CALLS;
	t->warnings = 3;
	t->usage.input = 7;
	t->usage.cost_nusd = 42;
	memset(t->tag, 0x5a, sizeof t->tag);
	is_err(tape_name(t, SPAN("openai"), SPAN("gpt")), OK, "it is named");
	tape_end(t, &none);
	return t;
}

static void test_kept(void)
{
	OWNED(buf_done) struct buf kept = BUF_INIT(MIB);
	struct tape *t = whole();
	struct tape_reader r = {.on_news = on_news};
	tape_pack(t, &kept);
	struct tape *again = tape_unpack(buf_view(&kept), NULL);
	ok(again != NULL, "what was kept is read");
	tape_join(again, &r);
	is_str(rest(&r, TAPE_EVENTS), "one", "its events");
	tape_leave(&r);
	tape_join(again, &r);
	is_str(rest(&r, TAPE_BYTES), "{raw}", "its bytes");
	tape_leave(&r);
	ok(again->is_over && !again->why && again->has_content && again->is_forwarded,
		"it is whole");
	is_uint(again->owner, t->owner, "whose it is");
	is_err(again->finish, FINISH_TOOL_CALLS, "how it ended");
	is_uint(again->warnings, 3, "with how many warnings");
	is_int(again->usage.input, 7, "what it used");
	is_int(again->usage.output, -1, "as far as that is known");
	is_int(again->usage.cost_nusd, 42, "what it cost");
	ok(span_is(again->provider, "openai") && span_is(again->model, "gpt"), "who gave it");
	is_mem(again->tag, sizeof again->tag, t->tag, sizeof t->tag, "to which body");
	tape_unref(again);
	tape_unref(t);
}

/* It lies in the cache's copy, which stays for as long, though the cache has let it go. */
static void test_lies_in_a_copy(void)
{
	OWNED(buf_done) struct buf kept = BUF_INIT(MIB);
	const struct cache_key key = {{0}};
	struct tape *t = whole();
	tape_pack(t, &kept);
	tape_unref(t);
	struct cache_copy *c = cache_copy_new(&key, 0, kept.n);
	if (!c)
		bail("no memory");
	memcpy(c->bytes, kept.p, kept.n);
	struct tape *again = tape_unpack(cache_copy_entry(c).body, c);
	cache_copy_drop(c);
	struct tape_reader r = {.on_news = on_news};
	ok(again != NULL && tape_bytes(again).p > c->bytes &&
			tape_bytes(again).p < c->bytes + kept.n,
		"nothing of it is copied");
	tape_join(again, &r);
	tape_unref(again);
	is_str(rest(&r, TAPE_EVENTS), "one", "who reads it keeps it");
	tape_leave(&r);
}

static void test_failed(void)
{
	struct fault why = FAULT_NONE;
	struct tape *t = tape_new();
	fault_set(&why, ERR_TIMEOUT, "too late");
	ok(!t->why, "it has not failed yet");
	tape_end(t, &why);
	ok(t->is_over && t->why && t->why->err == ERR_TIMEOUT, "it has failed");
	is_str(t->why ? t->why->message : "", "too late", "and says why");
	tape_unref(t);
}

/* What is not as it was written is no answer, and nothing is read beyond it. */
static void test_damaged(void)
{
	OWNED(buf_done) struct buf kept = BUF_INIT(MIB);
	struct tape *t = whole();
	tape_pack(t, &kept);
	size_t n_read = 0;
	for (size_t n = 0; n < kept.n; n++) {
		char *cut = malloc(n ? n : 1);
		memcpy(cut, kept.p, n);
		struct tape *again = tape_unpack(span_of(cut, n), NULL);
		/* an end between two entries is one that only the seal around it can tell */
		n_read += again != NULL;
		tape_unref(again);
		free(cut);
	}
	is_uint(n_read, 2, "cut anywhere but between entries it is none");
	for (size_t i = 0; i < kept.n * 8; i++) {
		kept.p[i / 8] ^= (char)(1 << (i % 8));
		struct tape *again = tape_unpack(buf_view(&kept), NULL);
		struct tape_reader r = {.on_news = on_news};
		int type;
		struct span body;
		if (again) {
			tape_join(again, &r);
			while (tape_peek(&r, TAPE_BOTH, &type, &body))
				tape_take(&r);
			tape_leave(&r);
		}
		tape_unref(again);
		kept.p[i / 8] ^= (char)(1 << (i % 8));
	}
	tape_unref(t);
}

int main(void)
{
	test_tracks();
	test_held();
	test_most();
	test_in_sum();
	test_narrow();
	test_kept();
	test_lies_in_a_copy();
	test_failed();
	test_damaged();
	return tap_done();
}
