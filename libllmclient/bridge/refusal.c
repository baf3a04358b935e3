/* refusal.c - three envelopes; their words are those of err.def. */
#include "libllmclient/bridge/refusal.h"

#include "protocol/base/json.h"
#include "protocol/base/utf8.h"

#define MESSAGE_BYTES 4096

static void put_openai(struct json_out *o, const struct err_info *info, struct span message)
{
	json_key(o, "error");
	json_open(o, '{');
	json_pair_str(o, "message", message);
	json_pair_str(o, "type", span_str(info->openai_type));
	json_key(o, "param");
	json_put_null(o);
	json_key(o, "code");
	if (info->openai_code[0])
		json_put_str(o, span_str(info->openai_code));
	else
		json_put_null(o);
	json_close(o, '}');
}

static void put_anthropic(struct json_out *o, const struct err_info *info, struct span message)
{
	json_pair_str(o, "type", SPAN("error"));
	json_key(o, "error");
	json_open(o, '{');
	json_pair_str(o, "type", span_str(info->anthropic_type));
	json_pair_str(o, "message", message);
	json_close(o, '}');
}

static void put_gemini(
	struct json_out *o, const struct err_info *info, int status, struct span message)
{
	json_key(o, "error");
	json_open(o, '{');
	json_pair_i64(o, "code", status);
	json_pair_str(o, "message", message);
	json_pair_str(o, "status", span_str(info->gemini_status));
	json_close(o, '}');
}

int refusal_write(
	enum envelope envelope, enum err err, int status, struct span message, struct buf *to)
{
	const struct err_info *info = err_info(err);
	OWNED(buf_done) struct buf text = BUF_INIT(MESSAGE_BYTES);
	struct utf8_repair repair = {.n = 0};
	struct json_out o = json_to(to);
	if (status == 0)
		status =
			envelope == ENVELOPE_ANTHROPIC ? info->anthropic_status : info->http_status;
	if (message.n == 0)
		message = span_str(info->sentence);
	utf8_repair(&repair, message, &text); /* it may tell what a header said */
	utf8_repair_end(&repair, &text);
	message = buf_view(&text);
	json_open(&o, '{');
	switch (envelope) {
	case ENVELOPE_OPENAI:
		put_openai(&o, info, message);
		break;
	case ENVELOPE_ANTHROPIC:
		put_anthropic(&o, info, message);
		break;
	case ENVELOPE_GEMINI:
		put_gemini(&o, info, status, message);
		break;
	}
	json_close(&o, '}');
	return status;
}
