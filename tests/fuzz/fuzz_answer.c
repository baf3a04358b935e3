/* fuzz_answer.c - any events, in any order, as an answer to a caller: it is legal in the caller's
 * language, and its own decoder takes it for what it was.
 *
 * The first byte picks the language ('0' is the first of the registry's that callers speak), the second
 * the form ('0' whole, '1' an event stream, '2' a list, which is gemini's), the third has what else the
 * caller asked. Then come the events: a letter a type ('a' is EV_START), a byte that says where ('@' is
 * choice 0 and call 0), and texts that end with a bar. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "protocol/base/utf8.h"
#include "protocol/limits.h"
#include "tests/lib/feed.h"
#include "tests/lib/legal.h"
#include "tests/lib/tally.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SURFACES = 16 };

static const struct dialect *surfaces[SURFACES];
static size_t n_surfaces;

static void find_surfaces(void)
{
	for (const struct dialect *const *d = dialect_all(); *d; d++) {
		const struct dialect_op *op = (*d)->ops[LLM_OP_CHAT];
		if (op && op->encoder_new) {
			assert(n_surfaces < SURFACES);
			surfaces[n_surfaces++] = *d;
		}
	}
}

/* ---- events from bytes ---- */

static int take_byte(struct span *in)
{
	if (in->n == 0)
		return '@';
	const unsigned char c = (unsigned char)in->p[0];
	*in = span_skip(*in, 1);
	return c;
}

/* Texts of events are UTF-8, each on its own. */
static struct span take_text(struct span *in)
{
	const struct span text = span_cut(in, '|');
	return span_is_set(text) && utf8_is_valid(text) ? text : SPAN("");
}

/* What encoders look into: items and citations of all families. */
static const char *const told_before[] = {
	"{\"type\":\"thinking\",\"signature\":\"S\"}",
	"{\"type\":\"thinking\",\"thinking\":\"t\",\"signature\":\"S\"}",
	"{\"type\":\"redacted_thinking\",\"data\":\"D\"}",
	"{\"type\":\"server_tool_use\",\"id\":\"s\",\"name\":\"web_search\",\"input\":{}}",
	"{\"thoughtSignature\":\"UyE=\"}",
	"{\"text\":\"\",\"thoughtSignature\":\"UyE=\"}",
	"{\"executableCode\":{\"language\":\"PYTHON\",\"code\":\"1\"}}",
	"{\"continuationToken\":\"T\"}",
	"{\"type\":\"reasoning\",\"id\":\"r\",\"summary\":[],\"encrypted_content\":\"E\"}",
	"{\"type\":\"web_search_call\",\"id\":\"w\",\"status\":\"completed\"}",
	"[{\"type\":\"reasoning.text\",\"text\":\"t\",\"signature\":\"S\",\"index\":0}]",
	"{\"reasoningContent\":{\"redactedContent\":\"UyE=\"}}",
	"[{\"type\":\"char_location\",\"cited_text\":\"c\"}]",
	"[{\"uri\":\"https://a.no\"},{\"groundingMetadata\":{\"a\":1}}]",
	"[{\"type\":\"url_citation\",\"url\":\"https://a.no\",\"start_index\":0,\"end_index\":1}]",
	"{\"content\":[{\"token\":\"a\",\"logprob\":-1,\"bytes\":null,\"top_logprobs\":[]}]}",
	"{\"type\":\"tool_plan\"}",
	"{\"a\": [1,\n2]}",
	"[]",
	"null",
};

/* A JSON text, or a letter for one of those above. */
static struct span take_json(struct span *in)
{
	struct json v;
	const struct span text = take_text(in);
	if (json_scan(text, JSON_STRICT, &v, NULL) == OK)
		return v.text;
	const size_t which = text.n > 0 ? (unsigned char)text.p[0] - (size_t)'A' : 0;
	return span_str(told_before[which % COUNT_OF(told_before)]);
}

static struct opaque take_opaque(struct span *in)
{
	static const char *const families[] = {"anthropic", "gemini", "openai-responses",
		"openai-chat", "bedrock", "cohere", "mistral"};
	const int c = take_byte(in);
	const struct span data = take_json(in);
	if (c == '-')
		return (struct opaque){.family = SPAN_NONE};
	return (struct opaque){
		.family = span_str(families[(size_t)c % COUNT_OF(families)]),
		.model = c & 16 ? SPAN("a-model") : SPAN_NONE,
		.data = data,
	};
}

static struct part take_part(struct span *in)
{
	struct part p = {.type = (enum part_type)(take_byte(in) % (PART_TOOL_CALL + 1))};
	const int c = take_byte(in);
	p.text = take_text(in);
	p.media.mime = c & 1 ? take_text(in) : SPAN_NONE;
	p.media.data = c & 2 ? span_cut(in, '|') : SPAN_NONE;
	p.media.url = c & 4 ? take_text(in) : SPAN_NONE;
	p.media.file_id = c & 8 ? take_text(in) : SPAN_NONE;
	if (c & 16)
		p.citations = take_json(in);
	if (c & 32)
		p.opaque = take_opaque(in);
	return p;
}

static struct llm_usage take_usage(struct span *in)
{
	struct llm_usage u = USAGE_UNKNOWN;
	int64_t *const counts[] = {&u.input, &u.output, &u.cache_read, &u.reasoning,
		&u.cache_write_5m, &u.cache_write_1h, &u.cache_write, &u.audio_input,
		&u.audio_output, &u.image_input, &u.image_output, &u.cost_nusd};
	const struct span digits = take_text(in);
	for (size_t i = 0; i < COUNT_OF(counts) && i < digits.n; i++)
		*counts[i] = digits.p[i] >= '0' ? digits.p[i] - '0' : -1;
	return u;
}

static const struct fault *take_fault(struct span *in, struct fault *f)
{
	size_t n;
	const struct err_info *table = err_table(&n);
	const enum err err = table[(size_t)take_byte(in) % n].err;
	const struct span text = take_text(in);
	(void)fault_set(f, err, "%.*s", SPAN_ARG(text));
	return f;
}

/* What is of the answer as a whole has no choice. */
static bool has_choice(enum event_type type)
{
	return (type >= EV_TEXT && type <= EV_LOGPROBS) || type == EV_FINISH;
}

/* False: there are no more. The fault lives in *f. */
static bool take_event(struct span *in, struct llm_event *e, struct fault *f)
{
	while (in->n > 0 && in->p[0] % (EV_MODEL + 1) == 0)
		*in = span_skip(*in, 1);
	if (in->n == 0)
		return false;
	*e = (struct llm_event){.type = (enum event_type)(take_byte(in) % (EV_MODEL + 1))};
	const int where = take_byte(in);
	e->choice = has_choice(e->type) ? where & 3 : 0;
	e->tool = (uint32_t)where >> 2 & 3;
	e->has_more = where & 16;
	switch (e->type) {
	case EV_START:
		e->start.id = take_text(in);
		e->start.model = take_text(in);
		e->start.created_s = where & 32 ? 1700000000 : 0;
		break;
	case EV_TEXT:
	case EV_REASONING:
	case EV_REFUSAL:
	case EV_TOOL_ARGS:
	case EV_RAW:
		e->text = take_text(in);
		break;
	case EV_LOGPROBS:
		e->text = take_json(in);
		break;
	case EV_OPAQUE:
		e->opaque = take_opaque(in);
		break;
	case EV_TOOL_START:
		e->call.id = take_text(in);
		e->call.name = take_text(in);
		e->call.is_custom = where & 32;
		if (where & 128)
			e->call.opaque = take_opaque(in);
		break;
	case EV_PART:
		e->part = take_part(in);
		break;
	case EV_USAGE:
		e->usage = take_usage(in);
		break;
	case EV_FINISH:
		e->finish.finish = (enum finish)(1 + take_byte(in) % FINISH_OTHER);
		e->finish.native = take_text(in);
		e->finish.matched_stop = where & 32 ? take_text(in) : SPAN_NONE;
		break;
	case EV_WARNING:
		e->warning.code = SPAN("emulated");
		e->warning.message = take_text(in);
		break;
	case EV_STATUS:
		e->status.word = SPAN("waiting");
		break;
	case EV_END:
		e->end.usage = where & 32 ? take_usage(in) : USAGE_UNKNOWN;
		break;
	case EV_FAULT:
		e->fault = take_fault(in, f);
		break;
	case EV_TOOL_END:
	case EV_HEAD:
	case EV_EMBEDDING:
	case EV_RANK:
	case EV_COUNT:
	case EV_MODERATION:
	case EV_MODEL:
		break;
	}
	return true;
}

/* ---- what is told ---- */

struct told {
	const struct dialect *dialect;
	enum answer_form form;
	int64_t n_choices;
	struct encoder *encoder;
	struct buf out;
	struct tally given; /* what the events said */
	bool has_end, has_fault;
	bool has_calls;  /* the language has them, as many as there are */
	bool is_strange; /* something that no decoder gives, and no language has a place for */
};

static void give(struct told *t, const struct llm_event *e)
{
	const size_t before = t->out.n;
	const bool is_over = t->has_end || t->has_fault;
	const enum err err = t->dialect->ops[LLM_OP_CHAT]->encode(t->encoder, e, &t->out);
	assert(err == OK);
	assert(!is_over || t->out.n == before);
	assert(t->form != ANSWER_WHOLE || e->type == EV_END || t->out.n == before);
	assert(e->type != EV_FAULT || t->form != ANSWER_WHOLE || t->out.n == before);
	if (t->form == ANSWER_SSE)
		assert(t->out.n == 0 || span_ends(buf_view(&t->out), SPAN("\n\n")));
	if (is_over)
		return;
	t->is_strange =
		t->is_strange || (e->type == EV_PART && e->part.text.n > 0) ||
		(e->type == EV_TOOL_START && (e->call.id.n > LIMIT_CALL_NAME_BYTES ||
						     e->call.name.n > LIMIT_CALL_NAME_BYTES));
	t->has_end = e->type == EV_END;
	t->has_fault = e->type == EV_FAULT;
	if (!t->has_end && !t->has_fault)
		(void)tally_event(&t->given, e);
}

static void check_legal(const struct told *t)
{
	const struct span family = span_str(t->dialect->family);
	const enum legal_end end = t->has_fault ? LEGAL_FAILED : LEGAL_WHOLE;
	const char *wrong = NULL;
	struct json v;
	if (t->form == ANSWER_WHOLE)
		assert(t->has_fault || json_scan(buf_view(&t->out), JSON_STRICT, &v, NULL) == OK);
	else if (t->form == ANSWER_LIST)
		wrong = legal_list(buf_view(&t->out), end);
	else
		wrong = legal_stream(family, buf_view(&t->out), end);
	if (wrong)
		(void)fprintf(stderr, "%s\n%.*s\n", wrong, SPAN_ARG(buf_view(&t->out)));
	assert(wrong == NULL);
}

static const struct tally_call *call_of(const struct tally *t, struct span id)
{
	for (size_t i = 0; i < t->n_calls; i++) {
		if (t->calls[i].choice == 0 && span_eq(buf_view(&t->calls[i].id), id))
			return &t->calls[i];
	}
	return NULL;
}

/* The calls of the first choice, where each has an id of its own. */
static bool are_calls_same(const struct tally *given, const struct tally *read)
{
	for (size_t i = 0; i < given->n_calls; i++) {
		const struct tally_call *want = &given->calls[i];
		const struct tally_call *got = call_of(read, buf_view(&want->id));
		struct json args;
		if (want->choice > 0 || call_of(given, buf_view(&want->id)) != want)
			continue;
		if (!got || !span_eq(buf_view(&got->name), buf_view(&want->name)))
			return false;
		const bool is_object =
			json_scan(buf_view(&want->args), JSON_STRICT, &args, NULL) == OK &&
			json_kind(args) == JSON_OBJECT;
		if (is_object && !span_eq(buf_view(&got->args), args.text))
			return false;
	}
	return true;
}

/* What its own decoder makes of it: a fault for a fault, and of what came as event.h promises its text. */
static void check_read(const struct told *t)
{
	OWNED(tally_done) struct tally read = {.n_calls = 0};
	OWNED(arena_done) struct arena a = {.chunks = NULL};
	const struct http_reply reply = {.head = {.status = 200}, .body = buf_view(&t->out)};
	const struct target target = {.provider = SPAN("fuzz")};
	const struct event_sink sink = {tally_event, &read};
	struct notes notes;
	struct fault why;
	if (t->form == ANSWER_WHOLE && t->has_fault)
		return;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	notes_init(&notes, &a);
	notes.n_choices = t->n_choices;
	tally_init(&read);
	const enum err err = feed_reply(
		t->dialect, &notes, &reply, &target, (struct cuts){.step = 0}, &sink, &why);
	assert(read.broken[0] == '\0');
	if (t->has_fault)
		assert(err != OK);
	else if (t->given.text.n > 0 && t->given.broken[0] == '\0' && !t->is_strange) {
		assert(err == OK);
		assert(t->given.refusal.n > 0 ||
			span_eq(buf_view(&read.text), buf_view(&t->given.text)));
		assert(!t->has_calls || are_calls_same(&t->given, &read));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	OWNED(arena_done) struct arena a = {.chunks = NULL};
	struct span in = span_of((const char *)data, size);
	struct llm_request request = {.model = SPAN("asked")};
	struct told t = {.out = BUF_INIT(LIMIT_BODY_BYTES)};
	struct notes notes;
	struct llm_event e;
	struct fault f;
	if (n_surfaces == 0)
		find_surfaces();
	if (n_surfaces == 0 || size < 3)
		return 0;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	notes_init(&notes, &a);
	t.dialect = surfaces[(size_t)(take_byte(&in) - '0') % n_surfaces];
	t.form = (enum answer_form)((unsigned)(take_byte(&in) - '0') % 3);
	if (t.form == ANSWER_LIST && strcmp(t.dialect->family, "gemini") != 0)
		t.form = ANSWER_SSE;
	const int more = take_byte(&in);
	notes.form = t.form;
	notes.wants_usage_event = more & 1;
	notes.is_older_call_form = more & 2;
	notes.n_choices = t.n_choices = more & 4 ? 3 : 1;
	t.has_calls =
		strcmp(t.dialect->family, "openai-completions") != 0 && !notes.is_older_call_form;
	notes.wants_reasoning_text = !(more & 8);
	request.is_stream = t.form != ANSWER_WHOLE;
	const struct dialect_env env = FEED_ENV;
	const struct answer_plan plan = {.request = &request,
		.notes = &notes,
		.body = JSON_NONE,
		.env = &env,
		.input_estimate = more & 16 ? 17 : -1,
		.id = more & 32 ? SPAN("resp_kept") : SPAN_NONE};
	t.encoder = t.dialect->ops[LLM_OP_CHAT]->encoder_new(&a, &plan);
	assert(t.encoder);
	tally_init(&t.given);
	while (take_event(&in, &e, &f))
		give(&t, &e);
	e = (struct llm_event){.type = EV_END};
	e.end.usage = t.given.usage;
	give(&t, &e);
	check_legal(&t);
	check_read(&t);
	t.dialect->ops[LLM_OP_CHAT]->encoder_done(t.encoder);
	tally_done(&t.given);
	buf_done(&t.out);
	return 0;
}
