/* event_line.c - a row a word. */
#include "tests/lib/event_line.h"

#include "protocol/base/num.h"
#include "protocol/limits.h"

static const struct fault overloaded = {
	.err = ERR_OVERLOADED, .retry_after_ms = -1, .message = "Overloaded"};

static bool number(struct span *rest, uint32_t *out)
{
	int64_t n = 0;
	const bool is_one = rest->n == 0 || num_i64(span_cut(rest, ' '), &n);
	*out = (uint32_t)n;
	return is_one && n >= 0 && n <= 1000;
}

static bool read_words(struct span rest, struct llm_event *e)
{
	e->text = span_is_set(rest) ? rest : SPAN("");
	return true;
}

static bool read_args(struct span rest, struct llm_event *e)
{
	return number(&rest, &e->tool) && read_words(rest, e);
}

static bool read_call(struct span rest, struct llm_event *e)
{
	const bool is_one = number(&rest, &e->tool);
	e->call.id = rest;
	e->call.name = SPAN("f");
	return is_one;
}

static bool read_custom(struct span rest, struct llm_event *e)
{
	e->call.is_custom = true;
	return read_call(rest, e);
}

static bool read_signed(struct span rest, struct llm_event *e)
{
	e->call.opaque = (struct opaque){
		.family = SPAN("gemini"), .data = SPAN("{\"thoughtSignature\":\"QQ==\"}")};
	return read_call(rest, e);
}

static struct opaque read_item(struct span rest)
{
	const struct span family = rest.n > 0 ? span_cut(&rest, ' ') : SPAN_NONE;
	return (struct opaque){.family = family, .data = span_is_set(rest) ? rest : SPAN("{}")};
}

static bool read_seal(struct span rest, struct llm_event *e)
{
	e->opaque = read_item(rest);
	return true;
}

static bool read_block(struct span rest, struct llm_event *e)
{
	e->part.type = PART_OPAQUE;
	e->part.opaque = read_item(rest);
	return true;
}

static bool read_medium(struct span rest, struct llm_event *e, enum part_type type)
{
	e->part.type = type;
	e->has_more = span_ends(rest, SPAN("+"));
	e->part.media.data = span_first(rest, rest.n - e->has_more);
	return true;
}

static bool read_image(struct span rest, struct llm_event *e)
{
	e->part.media.mime = SPAN("image/png");
	return read_medium(rest, e, PART_IMAGE);
}

static bool read_audio(struct span rest, struct llm_event *e)
{
	return read_medium(rest, e, PART_AUDIO);
}

static bool read_video(struct span rest, struct llm_event *e)
{
	return read_medium(rest, e, PART_VIDEO);
}

static bool read_said(struct span rest, struct llm_event *e)
{
	e->part = (struct part){.type = PART_TEXT, .text = rest};
	return true;
}

static bool read_cites(struct span rest, struct llm_event *e)
{
	e->part = (struct part){.type = PART_TEXT, .text = SPAN(""), .citations = rest};
	return true;
}

static bool read_finish(struct span rest, struct llm_event *e)
{
	return finish_from(rest, &e->finish.finish);
}

static bool read_start(struct span rest, struct llm_event *e)
{
	(void)rest;
	e->start.id = SPAN("a");
	e->start.model = SPAN("m");
	e->start.created_s = 1760000000;
	return true;
}

static bool read_usage(struct span rest, struct llm_event *e)
{
	(void)rest;
	e->usage = USAGE_UNKNOWN;
	e->usage.input = e->usage.output = 5;
	return true;
}

static bool read_cached(struct span rest, struct llm_event *e)
{
	(void)rest;
	e->usage = USAGE_UNKNOWN;
	e->usage.cache_read = 5;
	return true;
}

static bool read_end(struct span rest, struct llm_event *e)
{
	(void)rest;
	e->end.usage = USAGE_UNKNOWN;
	return true;
}

static bool read_fault(struct span rest, struct llm_event *e)
{
	(void)rest;
	e->fault = &overloaded;
	return true;
}

static bool read_nothing(struct span rest, struct llm_event *e)
{
	(void)rest;
	(void)e;
	return true;
}

static const struct {
	const char *word;
	enum event_type type;
	bool (*read)(struct span rest, struct llm_event *e);
} words[] = {
	{"start",   EV_START,      read_start  },
	{"text",    EV_TEXT,       read_words  },
	{"think",   EV_REASONING,  read_words  },
	{"refusal", EV_REFUSAL,    read_words  },
	{"probs",   EV_LOGPROBS,   read_words  },
	{"said",    EV_PART,       read_said   },
	{"call",    EV_TOOL_START, read_call   },
	{"custom",  EV_TOOL_START, read_custom },
	{"signed",  EV_TOOL_START, read_signed },
	{"args",    EV_TOOL_ARGS,  read_args   },
	{"called",  EV_TOOL_END,   read_args   },
	{"seal",    EV_OPAQUE,     read_seal   },
	{"block",   EV_PART,       read_block  },
	{"image",   EV_PART,       read_image  },
	{"audio",   EV_PART,       read_audio  },
	{"video",   EV_PART,       read_video  },
	{"cites",   EV_PART,       read_cites  },
	{"finish",  EV_FINISH,     read_finish },
	{"usage",   EV_USAGE,      read_usage  },
	{"cached",  EV_USAGE,      read_cached },
	{"warning", EV_WARNING,    read_nothing},
	{"status",  EV_STATUS,     read_nothing},
	{"head",    EV_HEAD,       read_nothing},
	{"count",   EV_COUNT,      read_nothing},
	{"end",     EV_END,        read_end    },
	{"fault",   EV_FAULT,      read_fault  },
};

/* None that a decoder gives is longer. */
static bool is_held(const struct llm_event *e)
{
	return e->type != EV_TOOL_START ||
	       (e->call.id.n <= LIMIT_CALL_NAME_BYTES && e->call.name.n <= LIMIT_CALL_NAME_BYTES);
}

bool event_line_read(struct span line, struct llm_event *out)
{
	const struct span word = span_cut(&line, ' ');
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		if (!span_is(word, words[i].word))
			continue;
		*out = (struct llm_event){.type = words[i].type};
		return number(&line, &out->choice) && out->choice < EVENT_LINE_CHOICES &&
		       words[i].read(line, out) && is_held(out);
	}
	return false;
}
