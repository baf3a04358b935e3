/* stream_sample.c - a row a family. */
#include "tests/lib/stream_sample.h"

#include "protocol/base/owned.h"
#include "tests/lib/aws_message.h"

/* clang-format off */
static const struct stream_sample samples[] = {
	{"openai-chat", "text/event-stream",
		"data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1760000001,\"model\":\"gpt-5.4\","
		"\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n",
		"data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1760000001,\"model\":\"gpt-5.4\","
		"\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token\"},\"finish_reason\":null}]}\n\n",
		NULL, NULL},
	{"openai-responses", "text/event-stream",
		"event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":"
		"\"resp_1\",\"status\":\"in_progress\",\"output\":[],\"model\":\"gpt-5.6\",\"usage\":null}}\n\n"
		"event: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"sequence_number\":1,"
		"\"output_index\":0,\"item\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[]}}\n\n"
		"event: response.content_part.added\ndata: {\"type\":\"response.content_part.added\",\"sequence_number\":2,"
		"\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,\"part\":{\"type\":\"output_text\",\"text\":\"\"}}"
		"\n\n",
		"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":4,"
		"\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,\"delta\":\" token\",\"logprobs\":[]}\n\n",
		NULL, NULL},
	{"openai-completions", "text/event-stream", "",
		"data: {\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"created\":1760000001,\"model\":\"m\",\"choices\":"
		"[{\"text\":\" token\",\"index\":0,\"logprobs\":null,\"finish_reason\":null}]}\n\n",
		NULL, NULL},
	{"anthropic", "text/event-stream",
		"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":"
		"\"assistant\",\"model\":\"claude\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":9,"
		"\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
		"\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
		"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\","
		"\"text\":\" token\"}}\n\n",
		NULL, NULL},
	{"gemini", "text/event-stream", "",
		"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\" token\"}],\"role\":\"model\"},\"index\":0}],"
		"\"usageMetadata\":{\"promptTokenCount\":9,\"candidatesTokenCount\":12,\"totalTokenCount\":21},"
		"\"modelVersion\":\"gemini-3-flash\",\"responseId\":\"r1\"}\n\n",
		NULL, NULL},
	{"bedrock", "application/vnd.amazon.eventstream", "{\"role\":\"assistant\"}",
		"{\"contentBlockIndex\":0,\"delta\":{\"text\":\" token\"},\"p\":\"abcdefghijklm\"}", "messageStart",
		"contentBlockDelta"},
	{"mistral", "text/event-stream", "",
		"data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1760000001,\"model\":\"mistral-small\","
		"\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token\"},\"finish_reason\":null}]}\n\n",
		NULL, NULL},
	{"cohere", "text/event-stream",
		"event: message-start\ndata: {\"type\":\"message-start\",\"id\":\"c1\",\"delta\":{\"message\":{\"role\":\"assistant\"}}}"
		"\n\nevent: content-start\ndata: {\"type\":\"content-start\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"type\":"
		"\"text\",\"text\":\"\"}}}}\n\n",
		"event: content-delta\ndata: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":"
		"\" token\"}}}}\n\n",
		NULL, NULL},
	{"ollama", "application/x-ndjson", "",
		"{\"model\":\"qwen3:8b\",\"created_at\":\"2026-11-01T10:00:00Z\",\"message\":{\"role\":\"assistant\",\"content\":"
		"\" token\"},\"done\":false}\n",
		NULL, NULL},
};
/* clang-format on */

const struct stream_sample *stream_samples(size_t *n)
{
	*n = COUNT_OF(samples);
	return samples;
}

const struct stream_sample *stream_sample_find(struct span family)
{
	for (size_t i = 0; i < COUNT_OF(samples); i++) {
		if (span_is(family, samples[i].family))
			return &samples[i];
	}
	return NULL;
}

static void put_piece(struct buf *out, const char *event, const char *text)
{
	const struct aws_header headers[] = {
		{":event-type",   7, span_str(event)         },
		{":content-type", 7, SPAN("application/json")},
		{":message-type", 7, SPAN("event")           },
	};
	if (event)
		aws_message_put(out, headers, COUNT_OF(headers), span_str(text));
	else
		buf_text(out, text);
}

void stream_sample_begin(const struct stream_sample *s, struct buf *out)
{
	put_piece(out, s->begin_event, s->begin);
}

void stream_sample_delta(const struct stream_sample *s, struct buf *out)
{
	put_piece(out, s->delta_event, s->delta);
}

struct span stream_sample_json(const struct stream_sample *s)
{
	const struct span text = span_str(s->delta);
	return span_trim(span_skip(text, span_index(text, '{')));
}
