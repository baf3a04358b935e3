/* capability.c - which encoders ask which quirk, and what the catalogue's words mean. */
#include "brokerd/route/capability.h"

enum has {
	HAS, /* it goes out, and the provider says what it thinks of it */
	HAS_BY_QUIRK,
	HAS_NOT, /* the wire has no word for it, and it is refused */
};

#define BY HAS_BY_QUIRK
/* clang-format off */
static const struct {
	const char *family;
	enum has has[CAPABILITY_COUNT];
} families[] = {
	/*                     images   audio    video    files    tools    schema   reasoning */
	{"openai-chat",        {BY,      BY,      BY,      BY,      BY,      BY,      BY     }},
	{"openai-responses",   {HAS,     HAS,     HAS_NOT, BY,      HAS,     BY,      BY     }},
	{"anthropic",          {HAS,     HAS_NOT, HAS_NOT, HAS,     HAS,     BY,      BY     }},
	{"gemini",             {BY,      BY,      BY,      BY,      HAS,     HAS,     BY     }},
	{"bedrock",            {BY,      BY,      BY,      BY,      BY,      BY,      BY     }},
	{"mistral",            {HAS,     HAS,     HAS_NOT, HAS,     HAS,     BY,      BY     }},
	{"cohere",             {HAS,     HAS_NOT, HAS_NOT, HAS_NOT, HAS,     HAS,     BY     }},
	{"ollama",             {HAS,     BY,      HAS_NOT, HAS_NOT, HAS,     HAS,     BY     }},
	{"openai-completions", {HAS_NOT, HAS_NOT, HAS_NOT, HAS_NOT, HAS_NOT, HAS_NOT, HAS_NOT}},
};
/* clang-format on */

/* The quirk of each, and the catalogue's word among what a model reads, or among what it takes. What is soft is done
 * somehow even so. */
static const struct {
	size_t quirk;
	const char *input, *param;
	bool is_soft, is_soft_by_catalogue;
} rows[CAPABILITY_COUNT] = {
	{offsetof(struct quirks, has_images),      "image", NULL,          false, false},
	{offsetof(struct quirks, has_audio_parts), "audio", NULL,          false, false},
	{offsetof(struct quirks, has_video_parts), "video", NULL,          false, false},
	{offsetof(struct quirks, has_file_parts),  "pdf",   NULL,          false, true }, /* there are others */
	{offsetof(struct quirks, has_tools),       NULL,    "tools",       false, false},
	{offsetof(struct quirks, has_json_schema), NULL,    "json_schema", true,  true },
	{offsetof(struct quirks, reasons),         NULL,    "reasoning",   true,  true },
};

static bool is_text_file(const struct part *p)
{
	return span_is_set(p->media.data) ? span_starts(p->media.mime, SPAN("text/"))
					  : span_starts(p->media.url, SPAN("data:text/"));
}

static unsigned need_of(const struct part *p)
{
	switch (p->type) {
	case PART_IMAGE:
		return CAPABILITY_IMAGES;
	case PART_AUDIO:
		return CAPABILITY_AUDIO;
	case PART_VIDEO:
		return CAPABILITY_VIDEO;
	case PART_FILE:
		return is_text_file(p) ? 0 : CAPABILITY_FILES;
	case PART_TEXT:
	case PART_REFUSAL:
	case PART_REASONING:
	case PART_OPAQUE:
	case PART_TOOL_CALL:
		break;
	}
	return 0;
}

unsigned capability_needs(const struct llm_request *r)
{
	const struct reasoning *reasoning = &r->reasoning;
	unsigned needs = 0;
	for (size_t m = 0; m < r->n_messages; m++) {
		for (size_t k = 0; k < r->messages[m].n_parts; k++)
			needs |= need_of(&r->messages[m].parts[k]);
	}
	if (r->n_tools > 0 && r->tool_choice.mode != CHOICE_NONE)
		needs |= CAPABILITY_TOOLS;
	if (r->response_format.type == FORMAT_SCHEMA)
		needs |= CAPABILITY_SCHEMA;
	if (!reasoning->is_wish && (reasoning->budget_tokens.is_set || reasoning->effort.n > 0) &&
		!span_is(reasoning->effort, "none"))
		needs |= CAPABILITY_REASONING;
	return needs;
}

static bool has_quirk(const struct quirks *q, unsigned i)
{
	if (1U << i == CAPABILITY_REASONING)
		return q->reasons != REASONS_NEVER;
	return *(const bool *)((const char *)q + rows[i].quirk);
}

static enum has has_of(struct span family, unsigned i)
{
	for (size_t k = 0; k < COUNT_OF(families); k++) {
		if (span_is(family, families[k].family))
			return families[k].has[i];
	}
	return HAS;
}

/* Does the catalogue know that it is not there? */
static bool is_missing(const struct model_facts *facts, unsigned i)
{
	if (!facts)
		return false;
	const struct span list = rows[i].input ? facts->inputs : facts->params;
	const char *word = rows[i].input ? rows[i].input : rows[i].param;
	return span_is_set(list) && !words_have(list, span_str(word));
}

void capability_note(const struct config *c, const struct provider *p, const struct model *alias,
	const struct model_facts *facts, struct target *t)
{
	size_t quirks[CAPABILITY_COUNT];
	t->lacks = t->poor = 0;
	if (t->is_offline)
		return;
	for (unsigned i = 0; i < CAPABILITY_COUNT; i++)
		quirks[i] = rows[i].quirk;
	const unsigned said = config_says(c, p, t->model, alias, quirks, CAPABILITY_COUNT);
	for (unsigned i = 0; i < CAPABILITY_COUNT; i++) {
		const unsigned bit = 1U << i;
		const enum has has = has_of(t->family, i);
		const bool is_said = said & bit;
		if (has == HAS_NOT)
			t->lacks |= bit;
		else if ((has == HAS_BY_QUIRK || is_said) && !has_quirk(&t->quirks, i))
			*(rows[i].is_soft ? &t->poor : &t->lacks) |= bit;
		else if (!is_said && is_missing(facts, i))
			*(rows[i].is_soft_by_catalogue ? &t->poor : &t->lacks) |= bit;
	}
}

unsigned capability_lacks(const struct target *t, unsigned needs)
{
	return t->lacks & needs;
}
