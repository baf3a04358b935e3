/* test_billed.c - what of a reply's counts is charged for, and at which tier it was served. */
#include "brokerd/dialect/dialect.h"

#include <string.h>

#include "protocol/limits.h"
#include "tests/lib/event_json.h"
#include "tests/lib/feed.h"
#include "tests/lib/tap.h"

#define CHAT                                                                                   \
	"'choices':[{'index':0,'message':{'role':'assistant','content':'a'},'finish_reason':'" \
	"stop'}],"
#define CHUNK                                                                                      \
	"data: {'choices':[{'index':0,'delta':{'role':'assistant','content':'a'},'finish_reason':" \
	"'stop'}]}\n\ndata: {'choices':[],"
#define DONE "}\n\ndata: [DONE]\n\n"
#define MESSAGE                                                                                \
	"'id':'m','type':'message','role':'assistant','model':'c','content':[{'type':'text','" \
	"text':"                                                                               \
	"'a'}],'stop_reason':'end_turn',"
#define TEXT                                                                                       \
	"'candidates':[{'content':{'role':'model','parts':[{'text':'a'}]},'finishReason':'STOP','" \
	"index':0}],"
#define CONVERSE                                                                                \
	"'output':{'message':{'role':'assistant','content':[{'text':'a'}]}},'stopReason':'end_" \
	"turn',"                                                                                \
	"'metrics':{'latencyMs':1},"
#define COHERE                                                                                  \
	"'id':'i','finish_reason':'COMPLETE','message':{'role':'assistant','content':[{'type':" \
	"'text','text':'a'}]},"
#define COMPACTED                                                                                  \
	"'input_tokens':181,'output_tokens':8,'cache_read_input_tokens':0,"                        \
	"'cache_creation_input_tokens':0,'iterations':[{'type':'compaction','input_tokens':100,"   \
	"'output_tokens':83,'cache_read_input_tokens':55096,'cache_creation_input_tokens':7,"      \
	"'cache_creation':{'ephemeral_5m_input_tokens':7,'ephemeral_1h_input_tokens':0}},{'type':" \
	"'message','input_tokens':181,'output_tokens':8,'cache_read_input_tokens':0,"              \
	"'cache_creation_input_tokens':0}]"
#define COMPACTED_SUM                                                                            \
	"{'input':281,'cache_read':55096,'cache_write_5m':7,'cache_write_1h':0,'cache_write':0," \
	"'output':91}"

/* clang-format off */
/* With ' for ". `billed` NULL: just what is counted. */
static const struct {
	const char *name, *family, *reply, *counted, *billed, *tier;
} replies[] = {
	{"what is counted", "openai-chat", "{" CHAT "'usage':{'prompt_tokens':9,'completion_tokens':3,'total_tokens':12}}",
		"{'input':9,'output':3}", NULL, ""},
	{"a tier", "openai-chat", "{" CHAT "'service_tier':'flex','usage':{'prompt_tokens':9,'completion_tokens':3,'total_tokens':12}}",
		"{'input':9,'output':3}", NULL, "flex"},
	{"written to the cache", "openai-chat", CHUNK "'usage':{'prompt_tokens':4020,'completion_tokens':4,'total_tokens':4024,"
		"'prompt_tokens_details':{'cached_tokens':0,'cache_write_tokens':4012}}" DONE,
		"{'input':8,'cache_read':0,'cache_write':4012,'output':4}", NULL, ""},
	{"images that were cached", "openai-chat", "{" CHAT "'usage':{'prompt_tokens':265,'completion_tokens':208,'total_tokens':473,"
		"'prompt_tokens_details':{'cached_tokens':170,'text_tokens':9,'image_tokens':256}}}",
		"{'input':0,'cache_read':170,'output':208,'image_input':95}", NULL, ""},
	{"reasoning that only the total has", "openai-chat", "{" CHAT "'usage':{'prompt_tokens':35,'completion_tokens':12,'total_tokens':109}}",
		"{'input':35,'output':12}", "{'input':35,'output':12,'reasoning':62}", ""},
	{"the same in a stream", "openai-chat", CHUNK "'usage':{'prompt_tokens':35,'completion_tokens':12,'total_tokens':109}" DONE,
		"{'input':35,'output':12}", "{'input':35,'output':12,'reasoning':62}", ""},
	{"reasoning beside the completion", "openai-chat", "{" CHAT "'usage':{'prompt_tokens':12,'completion_tokens':1,'total_tokens':241,"
		"'completion_tokens_details':{'reasoning_tokens':228}}}",
		"{'input':12,'output':1,'reasoning':228}", NULL, ""},
	{"audio beside the prompt", "mistral", "{" CHAT "'usage':{'prompt_audio_seconds':4,'prompt_tokens':9,'total_tokens':585,"
		"'completion_tokens':201,'prompt_tokens_details':{'cached_tokens':0,'audio_tokens':375},'service_tier':'standard'}}",
		"{'input':9,'cache_read':0,'output':201}", "{'input':9,'cache_read':0,'output':201,'audio_input':375}", "standard"},
	{"a compaction", "anthropic", "{" MESSAGE "'usage':{" COMPACTED ",'service_tier':'priority'}}",
		"{'input':181,'cache_read':0,'cache_write':0,'output':8}",
		COMPACTED_SUM, "priority"},
	{"the same in a stream", "anthropic",
		"event: message_start\ndata: {'type':'message_start','message':{'id':'m','type':'message','role':'assistant',"
		"'model':'c','content':[],'usage':{'input_tokens':1,'output_tokens':1}}}\n\n"
		"event: content_block_start\ndata: {'type':'content_block_start','index':0,'content_block':{'type':'text','text':'a'}}\n\n"
		"event: content_block_stop\ndata: {'type':'content_block_stop','index':0}\n\n"
		"event: message_delta\ndata: {'type':'message_delta','delta':{'stop_reason':'end_turn'},'usage':{" COMPACTED "}}\n\n"
		"event: message_stop\ndata: {'type':'message_stop'}\n\n",
		"{'input':181,'cache_read':0,'cache_write':0,'output':8}", COMPACTED_SUM, ""},
	{"another model's advice", "anthropic", "{" MESSAGE "'usage':{'input_tokens':10,'output_tokens':2,'iterations':[{'type':"
		"'message','input_tokens':10,'output_tokens':2},{'type':'advisor_message','model':'d','input_tokens':99,'output_tokens':9}]}}",
		"{'input':10,'output':2}", NULL, ""},
	{"a tier of Gemini's", "gemini", "{" TEXT "'usageMetadata':{'promptTokenCount':8,'candidatesTokenCount':7,"
		"'thoughtsTokenCount':21,'totalTokenCount':36,'serviceTier':'flex'}}",
		"{'input':8,'output':7,'reasoning':21}", NULL, "flex"},
	{"the same in a stream", "gemini", "data: {" TEXT "'usageMetadata':{'promptTokenCount':8,'candidatesTokenCount':7,"
		"'thoughtsTokenCount':21,'totalTokenCount':36,'serviceTier':'flex'}}\n\n",
		"{'input':8,'output':7,'reasoning':21}", NULL, "flex"},
	{"one of Vertex AI's", "gemini", "{" TEXT "'usageMetadata':{'promptTokenCount':8,'candidatesTokenCount':7,"
		"'totalTokenCount':15,'trafficType':'ON_DEMAND_PRIORITY'}}",
		"{'input':8,'output':7}", NULL, "priority"},
	{"what is paid beforehand", "gemini", "{" TEXT "'usageMetadata':{'promptTokenCount':8,'candidatesTokenCount':7,"
		"'totalTokenCount':15,'trafficType':'PROVISIONED_THROUGHPUT'}}",
		"{'input':8,'output':7}", NULL, ""},
	{"the prompt of a tool", "gemini", "{" TEXT "'usageMetadata':{'promptTokenCount':11,'candidatesTokenCount':55,"
		"'toolUsePromptTokenCount':105,'thoughtsTokenCount':187,'totalTokenCount':358}}",
		"{'input':116,'output':55,'reasoning':187}", NULL, ""},
	{"a tier of Bedrock's", "bedrock", "{" CONVERSE "'usage':{'inputTokens':3,'outputTokens':121,'totalTokens':2072,"
		"'cacheReadInputTokens':1712,'cacheWriteInputTokens':236,'cacheDetails':[{'inputTokens':236,'ttl':'5m'}]},"
		"'serviceTier':{'type':'priority'}}",
		"{'input':3,'cache_read':1712,'cache_write_5m':236,'output':121}", NULL, "priority"},
	{"billed units", "cohere", "{" COHERE "'usage':{'billed_units':{'input_tokens':44,'output_tokens':1781},'tokens':{"
		"'input_tokens':1430,'output_tokens':1786,'reasoning_tokens':1516},'cached_tokens':1392}}",
		"{'input':38,'cache_read':1392,'output':1786}", "{'input':44,'output':265,'reasoning':1516}", ""},
	{"billed images", "cohere", "{" COHERE "'usage':{'billed_units':{'input_tokens':267,'output_tokens':52},'tokens':{"
		"'input_tokens':34,'output_tokens':56,'reasoning_tokens':0,'image_tokens':259},'cached_tokens':0}}",
		"{'input':34,'cache_read':0,'output':56}",
		"{'input':8,'cache_read':0,'output':52,'reasoning':0,'image_input':259}", ""},
	{"no billed units", "cohere", "{" COHERE "'usage':{'tokens':{'input_tokens':34,'output_tokens':56},'cached_tokens':4}}",
		"{'input':30,'cache_read':4,'output':56}", NULL, ""},
	{"as counted at home", "ollama", "{'model':'m','created_at':'2026-01-01T00:00:00Z','message':{'role':'assistant','content':'a'},"
		"'done':true,'done_reason':'stop','prompt_eval_count':0,'eval_count':2}",
		"{'input':0,'output':2}", NULL, ""},
};
/* clang-format on */

/* Of the last usage. */
struct seen {
	struct buf counted, billed, tier;
};

static void put(struct buf *to, const struct llm_usage *u)
{
	struct json_out o = json_to(to);
	json_open(&o, '{');
	event_json_usage(&o, u);
	json_close(&o, '}');
	buf_byte(to, '\0');
}

static enum err on_event(void *context, const struct llm_event *e)
{
	struct seen *s = context;
	if (e->type != EV_USAGE)
		return OK;
	buf_clear(&s->counted);
	buf_clear(&s->billed);
	buf_clear(&s->tier);
	put(&s->counted, &e->usage);
	put(&s->billed, e->billed ? e->billed : &e->usage);
	buf_span(&s->tier, e->tier);
	buf_byte(&s->tier, '\0');
	return OK;
}

static struct span quoted(struct arena *a, const char *text)
{
	const size_t n = strlen(text);
	char *copy = arena_alloc(a, n + 1);
	if (!copy)
		bail("out of memory");
	for (size_t i = 0; i <= n; i++)
		copy[i] = text[i] == '\'' ? '"' : text[i];
	return span_of(copy, n);
}

static void try_reply(size_t i, size_t step)
{
	struct seen seen = {BUF_INIT(KIB), BUF_INIT(KIB), BUF_INIT(KIB)};
	const struct event_sink sink = {on_event, &seen};
	const struct target target = {.provider = SPAN("p"), .model = SPAN("m")};
	struct arena a;
	struct notes notes;
	struct fault why;
	arena_init(&a, LIMIT_REQUEST_ARENA);
	notes_init(&notes, &a);
	const struct http_reply reply = {
		.head = {.status = 200}, .body = quoted(&a, replies[i].reply)};
	buf_byte(&seen.counted, '\0');
	buf_byte(&seen.billed, '\0');
	buf_byte(&seen.tier, '\0');
	is_err(feed_reply(dialect_find(span_str(replies[i].family)), &notes, &reply, &target,
		       (struct cuts){.step = step}, &sink, &why),
		OK, "%s, %s: it is read: %s", replies[i].family, replies[i].name, why.message);
	is_str(seen.counted.p, quoted(&a, replies[i].counted).p, "%s: as counted", replies[i].name);
	is_str(seen.billed.p,
		quoted(&a, replies[i].billed ? replies[i].billed : replies[i].counted).p,
		"%s: as charged for", replies[i].name);
	is_str(seen.tier.p, replies[i].tier, "%s: the tier", replies[i].name);
	buf_done(&seen.counted);
	buf_done(&seen.billed);
	buf_done(&seen.tier);
	arena_done(&a);
}

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(replies); i++) {
		try_reply(i, 0);
		try_reply(i, 1);
	}
	return tap_done();
}
