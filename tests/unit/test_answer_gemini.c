/* test_answer_gemini.c - what does a caller who speaks Gemini read where the events come in an order that
 * no reply gives? What replies give is in tests/golden. */
#include "brokerd/dialect/gemini/verdict.h"
#include "brokerd/dialect/pick.h"
#include "protocol/limits.h"
#include "tests/lib/any_order.h"
#include "tests/lib/feed.h"
#include "tests/lib/tally.h"
#include "tests/lib/tap.h"
#include "tests/lib/teller.h"

/* ---- chunks in short ---- */

/* (0 and ) a candidate, .X a text, ;X a thought, /NAME{} a call, #TYPE a medium, @NAME another part, ~X what
 * seals it, * being a carried item; then =WORD its finish, and ^NAME what it rests on. ! an error. */
static void shorten_text(struct json v, const char *sign, struct buf *out)
{
	const size_t before = out->n;
	if (json_kind(v) != JSON_STRING)
		return;
	buf_text(out, sign);
	json_text_to(v, out);
	if (span_starts(span_skip(buf_view(out), before + 1), SPAN("eyJsbG1i"))) {
		buf_cut(out, before + 1);
		buf_byte(out, '*');
	}
}

static void shorten_part(struct json part, struct buf *out)
{
	static const char *const names[] = {
		"text", "thought", "functionCall", "inlineData", "fileData", "thoughtSignature"};
	struct json m[COUNT_OF(names)];
	struct json_walk first = json_each(part);
	PICK(part, names, m);
	if (json_kind(m[0]) == JSON_STRING)
		shorten_text(m[0], json_is_true(m[1]) ? ";" : ".", out);
	else if (json_kind(m[2]) == JSON_OBJECT) {
		shorten_text(json_member(m[2], "name"), "/", out);
		buf_span(out, json_member(m[2], "args").text);
	} else if (json_kind(m[3]) == JSON_OBJECT || json_kind(m[4]) == JSON_OBJECT) {
		shorten_text(json_member(json_kind(m[3]) == JSON_OBJECT ? m[3] : m[4], "mimeType"),
			"#", out);
	} else {
		buf_byte(out, '@');
		if (json_next(&first))
			buf_span(out, first.name);
	}
	shorten_text(m[5], "~", out);
}

static void shorten_candidate(struct json v, struct buf *out)
{
	static const char *const rests[] = {
		"citationMetadata", "groundingMetadata", "urlContextMetadata", "logprobsResult"};
	int64_t index = -1;
	json_i64(json_member(v, "index"), &index);
	buf_print(out, "(%d", (int)index);
	for (struct json_walk w = json_each(json_member(json_member(v, "content"), "parts"));
		json_next(&w);)
		shorten_part(w.value, out);
	shorten_text(json_member(v, "finishReason"), "=", out);
	for (size_t i = 0; i < COUNT_OF(rests); i++) {
		if (json_kind(json_member(v, rests[i])) == JSON_OBJECT)
			buf_print(out, "^%s", rests[i]);
	}
	buf_byte(out, ')');
}

static void shorten_chunk(struct json v, struct buf *out)
{
	const struct json error = json_member(v, "error");
	if (json_kind(error) == JSON_OBJECT)
		shorten_text(json_member(error, "status"), "!", out);
	for (struct json_walk w = json_each(json_member(v, "candidates")); json_next(&w);)
		shorten_candidate(w.value, out);
}

/* Events are a line and an empty one each, as they are written here. */
static void shorten_events(struct span said, struct buf *out)
{
	while (said.n > 0) {
		const struct span data = span_cut(&said, '\n'), end = span_cut(&said, '\n');
		struct json v;
		if (!span_starts(data, SPAN("data: ")) || end.n > 0 ||
			json_scan(span_skip(data, 6), JSON_STRICT, &v, NULL) != OK)
			buf_byte(out, '?');
		else
			shorten_chunk(v, out);
	}
}

static void shorten(struct span said, enum answer_form form, struct buf *out)
{
	struct json v;
	if (form == ANSWER_SSE || said.n == 0) {
		shorten_events(said, out);
		return;
	}
	if (json_scan(said, JSON_STRICT, &v, NULL) != OK)
		buf_byte(out, '?');
	else if (form == ANSWER_WHOLE)
		shorten_chunk(v, out);
	else
		for (struct json_walk w = json_each(v); json_next(&w);)
			shorten_chunk(w.value, out);
}

/* `list` has the same chunks as the stream. */
/* clang-format off */
static const struct {
	const char *name, *words, *stream, *whole;
} rows[] = {
	{"nothing but an end", "E", "(0.=STOP)", "(0.=STOP)"},
	{"nothing at all", "", "", ""},
	{"only a start", "S=m", "", ""},
	{"a fault alone", "X", "!INTERNAL", ""},
	{"a text", "S=m t=a t=b F=stop E", "(0.a)(0.b)(0.=STOP)", "(0.ab=STOP)"},
	{"no finish", "t=a E", "(0.a)(0.=STOP)", "(0.a=STOP)"},
	{"text behind the finish", "t=a F=length t=b E", "(0.a)(0.b)(0.=MAX_TOKENS)", "(0.ab=MAX_TOKENS)"},
	{"nothing behind the end", "t=a E t=b X E", "(0.a)(0.=STOP)", "(0.a=STOP)"},
	{"nothing behind a fault", "t=a X t=b E", "(0.a)!INTERNAL", ""},
	{"two starts", "S=m t=a S=n t=b E", "(0.a)(0.b)(0.=STOP)", "(0.ab=STOP)"},
	{"arguments of no call", "0={} -0 E", "(0.=STOP)", "(0.=STOP)"},
	{"calls by turns", "+0=f 0={ +1=g 1={ 0=} 1=} -1 -0 E", "(0/f{})(0/g{})(0.=STOP)",
		"(0/f{}/g{}=STOP)"},
	{"a call that never ends", "+0=f 0={ t=a E", "(0/f{\"_raw\":\"{\"})(0.a)(0.=STOP)",
		"(0/f{\"_raw\":\"{\"}.a=STOP)"},
	{"a call in a fault", "+0=f 0={ X", "!INTERNAL", ""},
	{"arguments that are no object", "+0=f 0=[1, 0=2] -0 E", "(0/f{\"value\":[1,2]})(0.=STOP)",
		"(0/f{\"value\":[1,2]}=STOP)"},
	{"what must come back with a call", "+0=f~{'k':1} 0={} -0 E", "(0/f{}~*)(0.=STOP)", "(0/f{}~*=STOP)"},
	{"a refusal", "t=a f=no F=stop E", "(0.a)(0.no)(0.=STOP)", "(0.a.no=STOP)"},
	{"a thought that nobody sealed", "r=a r=b t=c E", "(0;a)(0;b)(0.c)(0.=STOP)", "(0;ab.c=STOP)"},
	{"a thought that another family sealed", "r=a o={'k':1} t=c E", "(0;a)(0;~*)(0.c)(0.=STOP)",
		"(0;a~*.c=STOP)"},
	{"a thought that its own family sealed", "r=a O={'thoughtSignature':'S'} t=c E",
		"(0;a)(0;~S)(0.c)(0.=STOP)", "(0;a~S.c=STOP)"},
	{"a thought that is not told", "O={'thoughtSignature':'S'} t=c E", "(0;~S)(0.c)(0.=STOP)",
		"(0;~S.c=STOP)"},
	{"another family's item alone", "o={'k':1} t=c E", "(0.~*)(0.c)(0.=STOP)", "(0.~*.c=STOP)"},
	{"an item of ours that seals nothing", "O={'k':1} E", "(0;~*)(0.=STOP)", "(0;~*=STOP)"},
	{"an item of ours that is none", "O=[] E", "(0.~*)(0.=STOP)", "(0.~*=STOP)"},
	{"a sealed text", "t=a P={'thoughtSignature':'S'} t=b E", "(0.a)(0.~S)(0.b)(0.=STOP)",
		"(0.a~S.b=STOP)"},
	{"a sealed image", "i=PNG P={'thoughtSignature':'S'} E",
		"(0#application/octet-stream)(0.~S)(0.=STOP)", "(0#application/octet-stream~S=STOP)"},
	{"a text sealed twice", "t=a P={'thoughtSignature':'S'} P={'thoughtSignature':'T'} E",
		"(0.a)(0.~S)(0.~T)(0.=STOP)", "(0.a~S.~T=STOP)"},
	{"a seal behind a thought, and behind nothing", "P={'thoughtSignature':'S'} r=a P={'thoughtSignature':'T'} E",
		"(0.~S)(0;a)(0.~T)(0.=STOP)", "(0.~S;a.~T=STOP)"},
	{"an empty text that is sealed", "P={'text':'','thoughtSignature':'S'} E", "(0.~S)(0.=STOP)",
		"(0.~S=STOP)"},
	{"our own parts", "t=a P={'executableCode':{}} t=b E", "(0.a)(0@executableCode)(0.b)(0.=STOP)",
		"(0.a@executableCode.b=STOP)"},
	{"what of ours is no part", "t=a P=[] P=x t=b E", "(0.a)(0.b)(0.=STOP)", "(0.ab=STOP)"},
	{"what has no place parts no text", "t=a p={'type':'x'} w=b c=[{'url':'u'}] l=1 t=c E",
		"(0.a)(0.c)(0.=STOP)", "(0.ac=STOP)"},
	{"images", "t=a i=\x89PNG\r\n\x1a\n i<\x89PN i=G\r\n\x1a\n t=b i<P E",
		"(0.a)(0#image/png)(0#image/png)(0.b)(0.=STOP)", "(0.a#image/png#image/png.b=STOP)"},
	{"an image without bytes", "i= t=b E", "(0.b)(0.=STOP)", "(0.b=STOP)"},
	{"what a text rests on",
		"t=a c=[{'uri':'u'},{'groundingMetadata':{}}] t=b c=[{'urlContextMetadata':{}},'x',{'startIndex':1}] E",
		"(0.a)(0.b)(0.=STOP^citationMetadata^groundingMetadata^urlContextMetadata)",
		"(0.ab=STOP^citationMetadata^groundingMetadata^urlContextMetadata)"},
	{"what others cite", "t=a c=[{'type':'x','uri':'u'},{'url':'u'},{'groundingMetadata':1},{'title':'t'}] c={} c=[ E",
		"(0.a)(0.=STOP)", "(0.a=STOP)"},
	{"how sure it was", "t=a l={'content':[{'token':'a','logprob':-1}]} E",
		"(0.a)(0.=STOP^logprobsResult)", "(0.a=STOP^logprobsResult)"},
	{"nobody knows how sure", "t=a l={'content':[{'token':1},2]} l={'refusal':[]} E", "(0.a)(0.=STOP)",
		"(0.a=STOP)"},
	{"two choices", "t=a &t=b t=c &+0=f &0={} &-0 &F=length F=stop E",
		"(0.a)(1.b)(0.c)(1/f{})(0.=STOP)(1.=MAX_TOKENS)", "(0.ac=STOP)(1.b/f{}=MAX_TOKENS)"},
	{"a second choice alone", "&t=b E", "(1.b)(0.=STOP)(1.=STOP)", "(0.=STOP)(1.b=STOP)"},
	{"a call ends", "+0=f 0={} -0 F=tool_calls,tool_use E", "(0/f{})(0.=STOP)", "(0/f{}=STOP)"},
	{"a filter", "t=a F=content_filter,refusal E", "(0.a)(0.=SAFETY)", "(0.a=SAFETY)"},
	{"a filter of ours", "t=a F=content_filter,SPII E", "(0.a)(0.=SPII)", "(0.a=SPII)"},
	{"a pause", "t=a F=pause,pause_turn E", "(0.a)(0.=OTHER)", "(0.a=OTHER)"},
	{"another end", "t=a F=other,eos E", "(0.a)(0.=OTHER)", "(0.a=OTHER)"},
	{"an end of ours that has no word", "t=a F=other,NO_IMAGE E", "(0.a)(0.=NO_IMAGE)", "(0.a=NO_IMAGE)"},
	{"a broken call", "t=a F=other,MALFORMED_FUNCTION_CALL E", "(0.a)(0.=MALFORMED_FUNCTION_CALL)",
		"(0.a=MALFORMED_FUNCTION_CALL)"},
	{"a word that says something else", "t=a F=stop,MAX_TOKENS E", "(0.a)(0.=STOP)", "(0.a=STOP)"},
};
/* clang-format on */

static const enum answer_form forms[] = {ANSWER_SSE, ANSWER_LIST, ANSWER_WHOLE};

static void test_rows(void)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		for (size_t k = 0; k < COUNT_OF(forms); k++) {
			const struct teller teller = {.family = "gemini", .form = forms[k]};
			const char *want =
				forms[k] == ANSWER_WHOLE ? rows[i].whole : rows[i].stream;
			OWNED(buf_done) struct buf said = BUF_INIT(MIB), got = BUF_INIT(MIB);
			is_err(tell(&teller, rows[i].words, &said), OK, "%s", rows[i].name);
			shorten(buf_view(&said), forms[k], &got);
			is_mem(got.p, got.n, want, strlen(want), "%s, form %zu", rows[i].name, k);
		}
	}
}

/* ---- exact answers ---- */

/* clang-format off */
static const struct {
	const char *name;
	enum answer_form form;
	const char *words, *want;
} exact[] = {
	{"a stream", ANSWER_SSE, "S=m t=a\"\n u=5 r=b F=stop u=5,7 E",
		"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\\\"\\n\"}],\"role\":\"model\"},"
		"\"index\":0}],\"modelVersion\":\"m\",\"responseId\":\"r-1\"}\n\n"
		"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"b\",\"thought\":true}],\"role\":"
		"\"model\"},\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":5,\"totalTokenCount\":5},"
		"\"modelVersion\":\"m\",\"responseId\":\"r-1\"}\n\n"
		"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},"
		"\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":5,"
		"\"candidatesTokenCount\":7,\"totalTokenCount\":12},\"modelVersion\":\"m\",\"responseId\":"
		"\"r-1\"}\n\n"},
	{"a list", ANSWER_LIST, "S=m t=a E",
		"[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}],\"role\":\"model\"},\"index\":0}],"
		"\"modelVersion\":\"m\",\"responseId\":\"r-1\"},\r\n"
		"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},\"finishReason\":"
		"\"STOP\",\"index\":0}],\"modelVersion\":\"m\",\"responseId\":\"r-1\"}]"},
	{"a list that fails", ANSWER_LIST, "S=m t=a X E",
		"[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}],\"role\":\"model\"},\"index\":0}],"
		"\"modelVersion\":\"m\",\"responseId\":\"r-1\"},\r\n"
		"{\"error\":{\"code\":502,\"message\":\"it broke\",\"status\":\"INTERNAL\",\"details\":"
		"[{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":\"server_error\",\"domain\":"
		"\"llm-broker\"}]}}]"},
	{"an object", ANSWER_WHOLE, "r=b t=a +0=f 0={} -0 i=PNG E",
		"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"b\",\"thought\":true},{\"text\":\"a\"},"
		"{\"functionCall\":{\"id\":\"id-f\",\"name\":\"f\",\"args\":{}}},{\"inlineData\":{\"mimeType\":"
		"\"application/octet-stream\",\"data\":\"UE5H\"}}],\"role\":\"model\"},\"finishReason\":\"STOP\","
		"\"index\":0}],\"modelVersion\":\"asked\",\"responseId\":\"dysp8v84rftq4esmt93qh3ft\"}"},
	{"what an object rests on", ANSWER_WHOLE,
		"S=m t=a c=[{'uri':'u'}] c=[{'startIndex':1}] c=[{'groundingMetadata':{'a':1}}] "
		"c=[{'groundingMetadata':{'a':2}}] l={'content':[{'token':'a','logprob':-1,'top_logprobs':"
		"[{'token':'b','logprob':-2.50}]}]} l={'content':[{'token':'c','logprob':0}]} E",
		"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}],\"role\":\"model\"},\"finishReason\":"
		"\"STOP\",\"citationMetadata\":{\"citations\":[{\"uri\":\"u\"},{\"startIndex\":1}]},"
		"\"groundingMetadata\":{\"a\":2},\"logprobsResult\":{\"topCandidates\":[{\"candidates\":"
		"[{\"token\":\"b\",\"logProbability\":-2.50}]},{\"candidates\":[]}],\"chosenCandidates\":"
		"[{\"token\":\"a\",\"logProbability\":-1},{\"token\":\"c\",\"logProbability\":0}]},\"index\":0}],"
		"\"modelVersion\":\"m\",\"responseId\":\"r-1\"}"},
	{"an answer that can be gone on with", ANSWER_WHOLE, "S=m t=a P={'continuationToken':'T'} F=length,CONTINUATION E",
		"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}],\"role\":\"model\"},\"finishReason\":"
		"\"CONTINUATION\",\"index\":0}],\"modelVersion\":\"m\",\"responseId\":\"r-1\","
		"\"continuationToken\":\"T\"}"},
};
/* clang-format on */

static void test_exact(void)
{
	for (size_t i = 0; i < COUNT_OF(exact); i++) {
		const struct teller teller = {.family = "gemini", .form = exact[i].form};
		OWNED(buf_done) struct buf said = BUF_INIT(MIB);
		is_err(tell(&teller, exact[i].words, &said), OK, "%s", exact[i].name);
		is_mem(said.p, said.n, exact[i].want, strlen(exact[i].want), "%s", exact[i].name);
	}
}

/* More choices than were asked for are left out. */
static void test_choices(void)
{
	const struct llm_request asked = {.model = SPAN("m")};
	const struct teller teller = {.family = "gemini", .form = ANSWER_SSE, .request = &asked};
	OWNED(buf_done) struct buf said = BUF_INIT(MIB), got = BUF_INIT(MIB);
	is_err(tell(&teller, "t=a &t=b &F=length &l={} E", &said), OK, "one was asked for");
	shorten(buf_view(&said), ANSWER_SSE, &got);
	is_mem(got.p, got.n, "(0.a)(0.=STOP)", 14, "and one is told");
}

/* ---- usage ---- */

/* clang-format off */
static const struct {
	const char *name;
	struct llm_usage usage;
	const char *want;
} usages[] = {
	{"nothing is known", {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}, ""},
	{"all is",
		{.input = 1, .cache_read = 2, .cache_write_5m = 4, .cache_write_1h = 8, .cache_write = 16,
			.output = 32, .reasoning = 64, .audio_input = 128, .audio_output = 256,
			.image_input = 512, .image_output = 1024},
		"\"usageMetadata\":{\"promptTokenCount\":671,\"cachedContentTokenCount\":2,"
		"\"candidatesTokenCount\":1312,\"thoughtsTokenCount\":64,\"totalTokenCount\":2047,"
		"\"promptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":31},{\"modality\":\"AUDIO\","
		"\"tokenCount\":128},{\"modality\":\"IMAGE\",\"tokenCount\":512}],\"candidatesTokensDetails\":"
		"[{\"modality\":\"TEXT\",\"tokenCount\":32},{\"modality\":\"AUDIO\",\"tokenCount\":256},"
		"{\"modality\":\"IMAGE\",\"tokenCount\":1024}]}"},
	{"only thoughts", {-1, -1, -1, -1, -1, -1, 5, -1, -1, -1, -1, -1, -1},
		"\"usageMetadata\":{\"thoughtsTokenCount\":5,\"totalTokenCount\":5}"},
	{"more than a number holds",
		{INT64_MAX, -1, -1, -1, -1, INT64_MAX, INT64_MAX, INT64_MAX, -1, INT64_MAX, -1, -1, -1},
		"\"usageMetadata\":{\"promptTokenCount\":9223372036854775807,\"candidatesTokenCount\":"
		"9223372036854775807,\"thoughtsTokenCount\":9223372036854775807,\"totalTokenCount\":"
		"9223372036854775807,\"promptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":0},"
		"{\"modality\":\"AUDIO\",\"tokenCount\":9223372036854775807},{\"modality\":\"IMAGE\","
		"\"tokenCount\":9223372036854775807}]}"},
};
/* clang-format on */

static void test_usage(void)
{
	for (size_t i = 0; i < COUNT_OF(usages); i++) {
		OWNED(buf_done) struct buf got = BUF_INIT(MIB);
		struct json_out o = json_to(&got);
		verdict_put_usage(&o, &usages[i].usage);
		is_mem(got.p, got.n, usages[i].want, strlen(usages[i].want), "%s", usages[i].name);
	}
}

/* ---- any order ---- */

static const char *const words[] = {"S=m", "t=a", "t=b", "r=c", "f=d", "+0=f", "+1=g", "+2=h~{}",
	"0={'k':", "0=1}", "1={}", "2=[]", "-0", "-1", "-2", "o={'k':1}",
	"O={'thoughtSignature':'S'}", "P={'thoughtSignature':'S'}", "P={'executableCode':{}}",
	"p={'type':'x'}", "c=[{'uri':'u'}]", "i=P", "i<N", "l={'content':[]}", "u=5", "u=5,7",
	"F=stop", "F=length", "F=tool_calls", "&t=z", "&+0=z", "&-0"};

static void read_back(struct span said, struct tally *t)
{
	const struct http_reply reply = {.head = {.status = 200}, .body = said};
	OWNED(arena_done) struct arena a;
	const struct target target = {.provider = SPAN("own")};
	struct notes notes;
	struct fault why;
	arena_init(&a, MIB);
	notes_init(&notes, &a);
	notes.wants_reasoning_text = true;
	notes.n_choices = 2;
	tally_init(t);
	is_err(feed_reply(dialect_find(SPAN("gemini")), &notes, &reply, &target, (struct cuts){0},
		       &(struct event_sink){tally_event, t}, &why),
		OK, "what is said can be read");
	is_str(t->broken, "", "and its events are in order");
}

static bool is_same(const struct tally *a, const struct tally *b)
{
	bool is_same = span_eq(buf_view(&a->text), buf_view(&b->text)) &&
		       span_eq(buf_view(&a->reasoning), buf_view(&b->reasoning)) &&
		       a->finish == b->finish && a->n_calls == b->n_calls;
	for (size_t i = 0; is_same && i < a->n_calls; i++)
		is_same = a->calls[i].choice == b->calls[i].choice &&
			  span_eq(buf_view(&a->calls[i].name), buf_view(&b->calls[i].name)) &&
			  span_eq(buf_view(&a->calls[i].args), buf_view(&b->calls[i].args));
	return is_same;
}

static void try_order(const char *order)
{
	struct tally tallies[COUNT_OF(forms)];
	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		const struct teller teller = {.family = "gemini", .form = forms[i]};
		OWNED(buf_done) struct buf said = BUF_INIT(MIB), brief = BUF_INIT(MIB);
		is_err(tell(&teller, order, &said), OK, "%s", order);
		read_back(buf_view(&said), &tallies[i]);
		shorten(buf_view(&said), forms[i], &brief);
		ok(brief.n > 0 && span_index(buf_view(&brief), '?') == brief.n, "%s", order);
	}
	ok(tallies[0].n_events == tallies[1].n_events && is_same(&tallies[0], &tallies[1]),
		"a list is as a stream: %s", order);
	ok(tallies[2].n_calls == tallies[0].n_calls && tallies[2].finish == tallies[0].finish &&
			span_eq(buf_view(&tallies[2].text), buf_view(&tallies[0].text)),
		"and so is one object: %s", order);
	for (size_t i = 0; i < COUNT_OF(forms); i++)
		tally_done(&tallies[i]);
}

static void test_any_order(void)
{
	uint64_t seed = 1;
	for (int round = 0; round < 300; round++) {
		OWNED(buf_done) struct buf order = BUF_INIT(MIB);
		any_order(&seed, words, COUNT_OF(words), 14, &order);
		buf_put(&order, "E", 2);
		try_order(order.p);
	}
}

int main(void)
{
	test_rows();
	test_exact();
	test_choices();
	test_usage();
	test_any_order();
	return tap_done();
}
