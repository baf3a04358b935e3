/* test_recall.c - what callers drop comes back where it stood, and nowhere else. */
#include "brokerd/exchange/recall.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "protocol/limits.h"
#include "tests/lib/loop_virtual.h"
#include "tests/lib/tap.h"

#define NOW INT64_C(1795305600)
#define UID 1000

static struct items *store;
static struct arena arena;
static const struct target claude = {
	.provider = {"anthropic", 9},
          .model = {"claude",    6},
          .family = {"anthropic", 9}
};
static const struct target gemini = {
	.provider = {"gemini", 6},
          .model = {"flash",  5},
          .family = {"gemini", 6}
};
static const struct target elsewhere = {
	.provider = {"proxy",     5},
          .model = {"claude",    6},
          .family = {"anthropic", 9}
};

static void is_span(struct span got, const char *want, const char *name)
{
	is_mem(got.p, got.n, want, strlen(want), "%s", name);
}

static struct opaque opaque_of(const struct target *t, const char *data)
{
	return (struct opaque){t->family, t->model, span_str(data)};
}

static void note_opaque(struct recall *r, const struct target *t, const char *data)
{
	const struct llm_event e = {.type = EV_OPAQUE, .opaque = opaque_of(t, data)};
	recall_note(r, store, UID, t, &e, NOW);
}

/* `data` NULL: the call itself has none. */
static void note_call(struct recall *r, const struct target *t, const char *id, const char *data)
{
	struct llm_event e = {.type = EV_TOOL_START};
	e.call.id = span_str(id);
	e.call.name = SPAN("f");
	if (data)
		e.call.opaque = opaque_of(t, data);
	recall_note(r, store, UID, t, &e, NOW);
}

static struct part text_part(const char *text)
{
	return (struct part){.type = PART_TEXT, .text = span_str(text)};
}

static struct part call_part(const char *id)
{
	return (struct part){
		.type = PART_TOOL_CALL, .call = {span_str(id), SPAN("f"), SPAN("{}"), false}
        };
}

/* What a request of one assistant's message becomes. */
static const struct message *restored(
	struct part *parts, size_t n, const struct target *t, uid_t uid, bool *is_same)
{
	static struct message messages[2];
	static struct llm_request r;
	const struct llm_request *out;
	messages[0] = (struct message){.role = ROLE_USER};
	messages[1] = (struct message){.role = ROLE_ASSISTANT, .parts = parts, .n_parts = n};
	r = (struct llm_request){.messages = messages, .n_messages = 2};
	if (recall_restore(store, uid, t, &arena, &r, NOW, &out))
		bail("no memory");
	*is_same = out == &r;
	return &out->messages[1];
}

/* ---- where things come to stand ---- */

/* An answer, and what a caller makes of it: words with a space between, each a letter, a colon and what
 * it is. In an answer: t: text, r: reasoning, s: an item behind it, p: an item of its own, i: an image,
 * c: a call, c:ID=ITEM a call that has one, f: the end. What is sent: the same of a message's parts, and
 * s:ITEM(REASONING); a slash begins another message. a bar one behind the
 * results of a tool. "_" stands for a space, "." for nothing. */
static const struct {
	const char *name, *answer, *sent, *want;
} places[] = {
	{"thinking before the text",           "r:hm s:A t:Let_me_look. c:1",           "t:Let_me_look. c:1",
         "s:A(hm) t:Let_me_look. c:1"														 },
	{"a text that was left out",           "r:hm s:A t:Let_me_look. c:1",           "c:1",                    "s:A(hm) c:1"                       },
	{"a text that is another",             "r:hm s:A t:Let_me_look. c:1",           "t:I_look. c:1",
         "s:A(hm) t:I_look. c:1"														      },
	{"each before its call",               "p:A p:B c:1 r:I_ r:wonder s:C c:2",     "t:Look c:1 c:2",
         "p:A p:B t:Look c:1 s:C(I_wonder) c:2"												       },
	{"two signatures",                     "r:one s:A r:two s:B c:1",               "c:1",                    "s:A(one) s:B(two) c:1"             },
	{"none of its words are told",         "s:A c:1",                               "c:1",                    "s:A() c:1"                         },
	{"behind the text that it seals",      "r:hm t:Let_me_look. p:TS c:1=CS",       "t:Let_me_look. c:1",
         "t:Let_me_look. p:TS c:1=CS"														 },
	{"unsigned thoughts stay away",        "r:hm p:CODE p:RESULT c:1=CS",           "c:1",
         "p:CODE p:RESULT c:1=CS"														     },
	{"a signature has its own run",        "r:one t:A r:two s:S c:1",               "t:A c:1",                "t:A s:S(two) c:1"                  },
	{"in the midst of a text",             "t:Let_me_ t:look. p:A p:B t:Well. c:1",
         "t:Let_me_look.Well. c:1",									       "t:Let_me_look. p:A p:B t:Well. c:1"},
	{"twice in the midst",                 "t:A p:1 t:B p:2 t:C c:1",               "t:ABC c:1",              "t:A p:1 t:B p:2 t:C c:1"           },
	{"between two texts",                  "t:A p:1 t:B c:1",                       "t:A t:B c:1",            "t:A p:1 t:B c:1"                   },
	{"blanks do not count",                "t:_A__ p:1 t:B_ p:2 c:1",               "t:A_B c:1",              "t:A_ p:1 t:B p:2 c:1"              },
	{"blank texts do not count",           "t:_ p:1 t:B c:1",                       "t:_ t:B c:1",            "p:1 t:_ t:B c:1"                   },
	{"letters stay whole",                 "t:\xc3\xa9 p:1 t:\xc3\xa9 c:1",         "t:\xc3\xa9\xc3\xa9 c:1",
         "t:\xc3\xa9 p:1 t:\xc3\xa9 c:1"													      },
	{"behind an image",                    "t:A i:. p:1 t:B c:1",                   "t:A i:. t:B c:1",        "t:A i:. p:1 t:B c:1"               },
	{"an image that was left out",         "r:hm s:A i:. p:1 c:1=2",                "c:1",                    "s:A(hm) p:1 c:1=2"                 },
	{"other words: before the call",       "t:A p:1 t:B c:1",                       "t:C c:1",                "t:C p:1 c:1"                       },
	{"all in one message",                 "r:hm s:A c:1 t:B p:2 c:2=3",            "t:B c:1 c:2",
         "s:A(hm) t:B c:1 p:2 c:2=3"														  },
	{"two messages are one turn",          "r:hm s:A t:B c:1",                      "t:B / c:1",              "s:A(hm) t:B / c:1"                 },
	{"in the midst of the first of two",   "t:A p:1 t:B c:1=2",                     "t:AB / c:1",
         "t:A p:1 t:B / c:1=2"															},
	{"behind the last call",               "r:hm c:1 c:2 s:A f:.",                  "c:1 c:2",                "c:1 c:2 s:A(hm)"                   },
	{"behind a call with its own",         "p:1 c:1=2 t:A p:3 f:.",                 "c:1 t:A",                "p:1 c:1=2 t:A p:3"                 },
	{"an end without more",                "p:1 c:1 t:A f:.",                       "c:1 t:A",                "p:1 c:1 t:A"                       },
	{"two of one id",                      "p:A c:1=B c:1 f:.",                     "c:1 c:1",                "p:A c:1=B c:1"                     },
	{"words that are signed now",          "r:I_wonder s:A t:B c:1",                "r:I_wonder t:B c:1",
         "s:A(I_wonder) t:B c:1"														      },
	{"other words of reasoning",           "r:I_wonder s:A t:B c:1",                "r:I_know t:B c:1",
         "s:A(I_wonder) r:I_know t:B c:1"													     },
	{"a caller that has its own",          "r:hm s:A t:B c:1=X",                    "s:A(hm) t:B c:1",        "="                                 },
	{"and in another message of the turn", "r:hm s:A t:B c:1=X",                    "s:A(hm) / t:B c:1",      "="                                 },
	{"an answer without calls",            "r:hm s:A t:B f:.",                      "t:B",                    "="                                 },
	{"an answer without items",            "r:hm t:B c:1 f:.",                      "t:B c:1",                "="                                 },
};

/* What follows the colon of a word: a copy, with spaces. */
static struct span said_in(const char *word)
{
	struct span text;
	if (arena_dup(&arena, span_str(word + 2), &text))
		bail("no memory");
	char *to = arena_str(&arena, text);
	for (size_t i = 0; i < text.n; i++)
		to[i] = text.p[i] == '_' ? ' ' : text.p[i];
	return text.n == 1 && *to == '.' ? SPAN("") : span_of(to, text.n);
}

static struct opaque item_of(const struct target *t, struct span word)
{
	char data[64];
	(void)snprintf(data, sizeof data, "\"%.*s\"", SPAN_ARG(word));
	struct opaque o = {t->family, t->model, SPAN_NONE};
	if (arena_dup(&arena, span_str(data), &o.data))
		bail("no memory");
	return o;
}

static struct span before(struct span s, char c, struct span *rest)
{
	const char *at = memchr(s.p, c, s.n);
	*rest = at ? span_skip(s, (size_t)(at - s.p) + 1) : SPAN_NONE;
	return at ? span_first(s, (size_t)(at - s.p)) : s;
}

static struct part part_of(const struct target *t, const char *word)
{
	struct part p = {.type = PART_TEXT};
	struct span rest, first = before(said_in(word), word[0] == 'c' ? '=' : '(', &rest);
	switch (word[0]) {
	case 't':
		p.text = first;
		break;
	case 'i':
		p.type = PART_IMAGE;
		break;
	case 'r':
		p.type = PART_REASONING;
		p.text = first;
		break;
	case 's':
		p.type = PART_REASONING;
		p.text = span_is_set(rest) ? span_first(rest, rest.n - 1) : SPAN("");
		p.opaque = item_of(t, first);
		break;
	case 'p':
		p.type = PART_OPAQUE;
		p.opaque = item_of(t, first);
		break;
	default:
		p.type = PART_TOOL_CALL;
		p.call.id = first;
		p.call.name = SPAN("f");
		p.call.arguments = SPAN("{}");
		if (span_is_set(rest))
			p.opaque = item_of(t, rest);
	}
	return p;
}

static void note_word(struct recall *r, const struct target *t, const char *word)
{
	const struct part p = part_of(t, word);
	struct llm_event e = {.type = EV_PART, .part = p};
	if (word[0] == 't')
		e = (struct llm_event){.type = EV_TEXT, .text = p.text};
	else if (word[0] == 'r')
		e = (struct llm_event){.type = EV_REASONING, .text = p.text};
	else if (word[0] == 's')
		e = (struct llm_event){.type = EV_OPAQUE, .opaque = p.opaque};
	else if (word[0] == 'c')
		e = (struct llm_event){
			.type = EV_TOOL_START,
			.call = {.id = p.call.id, .name = p.call.name, .opaque = p.opaque}
                };
	else if (word[0] == 'f')
		e = (struct llm_event){.type = EV_FINISH};
	recall_note(r, store, UID, t, &e, NOW);
}

static void note_answer(const struct target *t, const char *answer)
{
	char words[256];
	struct recall r;
	(void)snprintf(words, sizeof words, "%s", answer);
	recall_init(&r);
	for (char *rest, *word = strtok_r(words, " ", &rest); word;
		word = strtok_r(NULL, " ", &rest))
		note_word(&r, t, word);
	recall_done(&r);
}

/* A part's words again. */
static void tell(const struct part *p, struct buf *out)
{
	const size_t from = out->n;
	const struct span item = span_is_set(p->opaque.data)
					 ? span_of(p->opaque.data.p + 1, p->opaque.data.n - 2)
					 : SPAN_NONE;
	switch (p->type) {
	case PART_TEXT:
		buf_print(out, "t:%.*s", SPAN_ARG(p->text));
		break;
	case PART_IMAGE:
		buf_text(out, "i:.");
		break;
	case PART_REASONING:
		if (span_is_set(item))
			buf_print(out, "s:%.*s(%.*s)", SPAN_ARG(item), SPAN_ARG(p->text));
		else
			buf_print(out, "r:%.*s", SPAN_ARG(p->text));
		break;
	case PART_OPAQUE:
		buf_print(out, "p:%.*s", SPAN_ARG(item));
		break;
	case PART_TOOL_CALL:
		buf_print(out, "c:%.*s", SPAN_ARG(p->call.id));
		if (span_is_set(item))
			buf_print(out, "=%.*s", SPAN_ARG(item));
		break;
	case PART_REFUSAL:
	case PART_AUDIO:
	case PART_FILE:
	case PART_VIDEO:
		buf_text(out, "?");
	}
	for (size_t i = from; i < out->n; i++)
		out->p[i] = out->p[i] == ' ' ? '_' : out->p[i];
}

/* What becomes of messages of the assistant's, in words; "=" where nothing does. */
static void tell_restored(const struct target *t, const char *sent, struct buf *out)
{
	static struct message messages[8];
	static struct part parts[32];
	struct llm_request r = {.messages = messages, .n_messages = 2};
	const struct llm_request *restored;
	char words[256];
	size_t n = 0;
	(void)snprintf(words, sizeof words, "%s", sent);
	messages[0] = (struct message){.role = ROLE_USER};
	messages[1] = (struct message){.role = ROLE_ASSISTANT, .parts = parts};
	for (char *rest, *word = strtok_r(words, " ", &rest); word;
		word = strtok_r(NULL, " ", &rest)) {
		if (*word == '/' || *word == '|') {
			if (*word == '|')
				messages[r.n_messages++] = (struct message){.role = ROLE_TOOL};
			messages[r.n_messages++] =
				(struct message){.role = ROLE_ASSISTANT, .parts = &parts[n]};
		} else {
			parts[n++] = part_of(t, word);
			messages[r.n_messages - 1].n_parts++;
		}
	}
	if (recall_restore(store, UID, t, &arena, &r, NOW, &restored))
		bail("no memory");
	if (restored == &r) {
		buf_byte(out, '=');
		return;
	}
	for (size_t i = 1; i < restored->n_messages; i++) {
		const struct message *m = &restored->messages[i];
		if (m->role == ROLE_TOOL) {
			buf_text(out, " |");
			continue;
		}
		if (i > 1 && restored->messages[i - 1].role == ROLE_ASSISTANT)
			buf_text(out, " /");
		for (size_t k = 0; k < m->n_parts; k++) {
			buf_text(out, out->n > 0 ? " " : "");
			tell(&m->parts[k], out);
		}
	}
}

static void is_restored(
	const struct target *t, const char *sent, const char *want, const char *name)
{
	OWNED(buf_done) struct buf got = BUF_INIT(4096);
	tell_restored(t, sent, &got);
	is_span(buf_view(&got), want, name);
}

static void test_places(void)
{
	for (size_t i = 0; i < COUNT_OF(places); i++) {
		note_answer(&claude, "c:1 c:2"); /* what the row before it left is gone */
		note_answer(&claude, places[i].answer);
		is_restored(&claude, places[i].sent, places[i].want, places[i].name);
	}
}

static void test_whose(void)
{
	struct part parts[] = {text_part("I look"), call_part("toolu1")};
	bool is_same;
	note_answer(&claude, "r:hm s:A t:I_look c:toolu1");
	const struct message *m = restored(parts, 2, &claude, UID, &is_same);
	ok(!is_same, "something was put back");
	is_span(m->parts[0].opaque.family, "anthropic", "of its family");
	is_span(m->parts[0].opaque.model, "claude", "and model");
	ok(parts[0].type == PART_TEXT && parts[1].type == PART_TOOL_CALL,
		"the caller's request is as it was");
	restored(parts, 2, &claude, UID + 1, &is_same);
	ok(is_same, "another user gets nothing");
	restored(parts, 2, &elsewhere, UID, &is_same);
	ok(is_same, "nor does another provider of the family");
	restored(parts, 2, &gemini, UID, &is_same);
	ok(is_same, "nor another family");
	struct part stranger[] = {call_part("toolu9")};
	restored(stranger, 1, &claude, UID, &is_same);
	ok(is_same, "nor another call");
}

/* Ids that hosts count up from the beginning each time. */
static void test_ids_again(void)
{
	note_answer(&gemini, "c:fc-1=OLD");
	note_answer(&gemini, "c:fc-1");
	is_restored(&gemini, "c:fc-1", "=", "an id that comes again without an item");
	note_answer(&claude, "r:hm s:A c:fc-1");
	note_answer(&gemini, "c:fc-1=B");
	is_restored(&claude, "c:fc-1", "=", "an id that comes again elsewhere");
	is_restored(&gemini, "c:fc-1 | c:fc-1", "c:fc-1 | c:fc-1=B",
		"twice in one conversation: the latest has it");
}

/* A cache's mark stays at the end of what it was behind, and members with their beginning. */
static void test_parted_text(void)
{
	struct extra_member member = {SPAN("x"), SPAN("1"), false};
	struct part parts[] = {text_part("AB"), call_part("1")};
	bool is_same;
	parts[0].cache = SPAN("5m");
	parts[0].extra = (struct extra){SPAN("openai-chat"), &member, 1};
	note_answer(&claude, "t:A p:1 t:B c:1");
	const struct message *m = restored(parts, 2, &claude, UID, &is_same);
	is_uint(m->n_parts, 4, "in two pieces");
	ok(!span_is_set(m->parts[0].cache), "no mark in the midst");
	is_uint(m->parts[0].extra.n, 1, "members at the beginning");
	is_span(m->parts[2].text, "B", "the rest");
	is_span(m->parts[2].cache, "5m", "the mark at the end");
	is_uint(m->parts[2].extra.n, 0, "no members again");
}

/* What an earlier version kept says nothing of places. */
static void test_earlier_form(void)
{
	items_put(store, UID, SPAN("early"),
		SPAN("[{\"family\":\"anthropic\",\"provider\":\"anthropic\",\"model\":\"claude\","
		     "\"data\":{\"signature\":\"a\"},\"on_call\":false}]"),
		NOW);
	is_restored(&claude, "c:early", "=", "the form without places is passed over");
}

static void test_what_is_not_kept(void)
{
	struct recall r;
	bool is_same;
	struct llm_event e = {.type = EV_TOOL_START, .choice = 1};
	recall_init(&r);
	note_call(&r, &claude, "plain", NULL);
	note_opaque(&r, &claude, "{\"of\":\"an attempt that failed\"}");
	recall_rewind(&r);
	note_call(&r, &claude, "retried", NULL);
	note_opaque(&r, &claude, "{}");
	e.call.id = SPAN("second choice");
	recall_note(&r, store, UID, &claude, &e, NOW);
	recall_note(&r, NULL, UID, &claude, &e, NOW);
	recall_done(&r);
	static const char *const ids[] = {"plain", "retried", "second choice"};
	for (size_t i = 0; i < COUNT_OF(ids); i++) {
		struct part parts[] = {call_part(ids[i])};
		restored(parts, 1, &claude, UID, &is_same);
		ok(is_same, "%s", ids[i]);
	}
	/* more than one answer may hold */
	OWNED(buf_done) struct buf big = BUF_INIT(2 * MIB);
	buf_byte(&big, '"');
	for (size_t i = 0; i < MIB; i++)
		buf_byte(&big, 'x');
	buf_byte(&big, '"');
	buf_byte(&big, '\0');
	recall_init(&r);
	note_opaque(&r, &claude, big.p);
	note_call(&r, &claude, "huge", NULL);
	note_opaque(&r, &claude, "{}");
	note_call(&r, &claude, "after", NULL);
	recall_done(&r);
	struct part huge[] = {call_part("huge")}, after[] = {call_part("after")};
	restored(huge, 1, &claude, UID, &is_same);
	ok(is_same, "what is too large is not kept");
	restored(after, 1, &claude, UID, &is_same);
	ok(!is_same, "and does not spoil what comes after");
}

int main(void)
{
	struct fault why;
	struct loop *loop = loop_new(&why);
	struct workers *workers = loop ? workers_new(loop, 1, &why) : NULL;
	if (!workers || sodium_init() < 0)
		bail("cannot begin");
	store = items_new(workers, "/nowhere/items", ITEMS_LIMITS);
	arena_init(&arena, LIMIT_REQUEST_ARENA);
	test_places();
	test_whose();
	test_ids_again();
	test_parted_text();
	test_earlier_form();
	test_what_is_not_kept();
	arena_done(&arena);
	items_free(store);
	workers_free(workers);
	loop_free(loop);
	return tap_done();
}
