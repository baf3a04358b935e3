/* result.c - events in, totals out; only the first of several choices is added up. */
#include "libllmclient/src/result.h"

#include "libllmclient/src/grow.h"
#include "protocol/base/mem.h"
#include "protocol/limits.h"

void result_init(struct llm_result *a)
{
	*a = (struct llm_result){.account = ACCOUNT_UNKNOWN};
	arena_init(&a->arena, 2 * LIMIT_BODY_BYTES);
	buf_init(&a->text, LIMIT_BODY_BYTES);
	buf_init(&a->reasoning, LIMIT_BODY_BYTES);
	buf_init(&a->refusal, LIMIT_BODY_BYTES);
}

void result_done(struct llm_result *a)
{
	for (size_t i = 0; i < a->n_tools; i++)
		buf_done(&a->tools[i].args);
	buf_done(&a->text);
	buf_done(&a->reasoning);
	buf_done(&a->refusal);
	arena_done(&a->arena);
}

struct llm_result *result_take(struct llm_result *from)
{
	struct llm_result *a = mem_zeroed(sizeof *a);
	if (!a)
		return NULL;
	*a = *from;
	result_init(from);
	return a;
}

/* Appends text and keeps a NUL behind it, which the buffer's length does not count. */
static enum err append(struct buf *to, struct span text)
{
	char *room = buf_reserve(to, text.n + 1);
	if (!room)
		return buf_error(to);
	if (text.n > 0)
		memcpy(room, text.p, text.n);
	room[text.n] = '\0';
	buf_commit(to, text.n);
	return OK;
}

static struct result_part *add_part(struct llm_result *a, enum part_type type)
{
	if (!GROW(&a->arena, a->parts, a->n_parts))
		return NULL;
	struct result_part *part = &a->parts[a->n_parts++];
	*part = (struct result_part){.type = type};
	return part;
}

static struct result_part *last_part(const struct llm_result *a)
{
	return a->n_parts > 0 ? &a->parts[a->n_parts - 1] : NULL;
}

/* What has been sealed, or cited from, is complete. */
static bool is_open(const struct result_part *part)
{
	return !part->is_whole && !span_is_set(part->opaque.family) &&
	       !span_is_set(part->part.citations);
}

/* A piece of text goes on with the part it belongs to, or begins one. */
static enum err add_text(
	struct llm_result *a, enum part_type type, struct buf *to, struct span text)
{
	const size_t at = to->n;
	const enum err err = append(to, text);
	if (err)
		return err;
	struct result_part *part = last_part(a);
	if (!part || part->type != type || !is_open(part)) {
		part = add_part(a, type);
		if (!part)
			return ERR_NO_MEMORY;
		part->at = at;
	}
	part->n += text.n;
	return OK;
}

static enum err dup_opaque(struct llm_result *a, const struct opaque *from, struct opaque *to)
{
	enum err err = arena_dup(&a->arena, from->family, &to->family);
	if (!err)
		err = arena_dup(&a->arena, from->model, &to->model);
	return err ? err : arena_dup(&a->arena, from->data, &to->data);
}

/* A signature belongs to the reasoning before it; anything else stands alone. */
static enum err add_opaque(struct llm_result *a, const struct opaque *opaque)
{
	struct result_part *part = last_part(a);
	if (!part || part->type != PART_REASONING || span_is_set(part->opaque.family)) {
		part = add_part(a, PART_OPAQUE);
		if (!part)
			return ERR_NO_MEMORY;
	}
	return dup_opaque(a, opaque, &part->opaque);
}

/* What has to come back with a text stands before it, and begins it. */
static enum err begin_text(struct llm_result *a, const struct extra *from)
{
	struct result_part *part = add_part(a, PART_TEXT);
	if (!part)
		return ERR_NO_MEMORY;
	part->at = a->text.n;
	struct extra *to = &part->part.extra;
	to->members = arena_array(&a->arena, from->n, sizeof *to->members);
	enum err err =
		to->members ? arena_dup(&a->arena, from->family, &to->family) : ERR_NO_MEMORY;
	for (size_t i = 0; !err && i < from->n; i++) {
		struct extra_member *member = &to->members[to->n++];
		err = arena_dup(&a->arena, from->members[i].name, &member->name);
		if (!err)
			err = arena_dup(&a->arena, from->members[i].json, &member->json);
	}
	return err;
}

/* Citations come after the text that they belong to; all else stands by itself. */
static enum err add_whole(struct llm_result *a, const struct part *from)
{
	struct result_part *to = last_part(a);
	if (from->type == PART_TEXT && from->text.n == 0 && from->extra.n > 0)
		return begin_text(a, &from->extra);
	const bool is_citation = from->type == PART_TEXT && from->text.n == 0;
	if (is_citation && to && to->type == PART_TEXT && is_open(to))
		return arena_dup(&a->arena, from->citations, &to->part.citations);
	to = add_part(a, from->type);
	if (!to)
		return ERR_NO_MEMORY;
	to->is_whole = true;
	const struct {
		struct span from, *to;
	} texts[] = {
		{from->text,           &to->part.text          },
		{from->media.data,     &to->part.media.data    },
		{from->media.url,      &to->part.media.url     },
		{from->media.file_id,  &to->part.media.file_id },
		{from->media.mime,     &to->part.media.mime    },
		{from->media.filename, &to->part.media.filename},
		{from->media.detail,   &to->part.media.detail  },
		{from->citations,      &to->part.citations     },
	};
	to->part.type = from->type;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		const enum err err = arena_dup(&a->arena, texts[i].from, texts[i].to);
		if (err)
			return err;
	}
	return OK;
}

static enum err add_tool(struct llm_result *a, const struct llm_event *e, struct fault *why)
{
	if (e->tool != a->n_tools || a->n_tools >= LIMIT_TOOLS)
		return fault_set(why, ERR_MALFORMED,
			"the broker began tool call %u after %zu others", (unsigned)e->tool,
			a->n_tools);
	if (!GROW(&a->arena, a->tools, a->n_tools))
		return ERR_NO_MEMORY;
	struct result_tool tool = {.is_custom = e->call.is_custom};
	tool.id = arena_str(&a->arena, e->call.id);
	tool.name = arena_str(&a->arena, e->call.name);
	if (!tool.id || !tool.name)
		return ERR_NO_MEMORY;
	enum err err = dup_opaque(a, &e->call.opaque, &tool.opaque);
	if (err)
		return err;
	struct result_part *part = add_part(a, PART_TOOL_CALL);
	if (!part)
		return ERR_NO_MEMORY;
	part->tool = a->n_tools;
	buf_init(&tool.args, LIMIT_BODY_BYTES);
	a->tools[a->n_tools++] = tool;
	return OK;
}

/* The call that a tool event is about; NULL: there is none, or it is over. */
static struct result_tool *open_tool(
	const struct llm_result *a, const struct llm_event *e, struct fault *why)
{
	if (e->tool < a->n_tools && !a->tools[e->tool].is_whole)
		return &a->tools[e->tool];
	fault_set(why, ERR_MALFORMED, "the broker went on with tool call %u, which is not open",
		(unsigned)e->tool);
	return NULL;
}

/* A call without arguments is one with an empty object of them, however it was said. */
static const char *args_of(const struct result_tool *tool)
{
	return tool->args.n == 0 && !tool->is_custom ? "{}" : tool->args.p;
}

static enum err add_tool_event(struct llm_result *a, struct step *s, struct fault *why)
{
	const struct llm_event *e = &s->event;
	enum err err = OK;
	if (e->type == EV_TOOL_START)
		err = add_tool(a, e, why);
	if (err)
		return err;
	struct result_tool *tool = open_tool(a, e, why);
	if (!tool)
		return ERR_MALFORMED;
	if (e->type != EV_TOOL_START)
		err = append(&tool->args, e->type == EV_TOOL_ARGS ? e->text : SPAN(""));
	if (err)
		return err;
	s->tool_id = tool->id;
	s->tool_name = tool->name;
	if (e->type == EV_TOOL_END) {
		tool->is_whole = true;
		s->tool_args = args_of(tool);
	}
	return OK;
}

static enum err name_it(struct llm_result *a, struct span name, const char **to)
{
	if (name.n == 0)
		return OK;
	*to = arena_str(&a->arena, name);
	return *to ? OK : ERR_NO_MEMORY;
}

static enum err add_end(struct llm_result *a, const struct reply_end *end)
{
	a->account = (struct account){
		end->usage, end->ttft_us, end->total_us, end->cached, end->is_kept};
	enum err err = name_it(a, end->provider, &a->provider);
	if (!err)
		err = name_it(a, end->model, &a->model);
	return err ? err : name_it(a, end->request_id, &a->request_id);
}

static enum err add_item(struct llm_result *a, struct step *s, struct fault *why)
{
	const enum err err = results_add(&a->results, &a->arena, &s->event, why);
	if (!err)
		s->item = results_index(&s->event, &a->results);
	return err;
}

static enum err add(struct llm_result *a, struct step *s, bool is_raw_text, struct fault *why)
{
	const struct llm_event *e = &s->event;
	switch (e->type) {
	case EV_START:
		return name_it(a, e->start.model, &a->model);
	case EV_TEXT:
		return add_text(a, PART_TEXT, &a->text, e->text);
	case EV_REASONING:
		return add_text(a, PART_REASONING, &a->reasoning, e->text);
	case EV_REFUSAL:
		return add_text(a, PART_REFUSAL, &a->refusal, e->text);
	case EV_OPAQUE:
		return add_opaque(a, &e->opaque);
	case EV_TOOL_START:
	case EV_TOOL_ARGS:
	case EV_TOOL_END:
		return add_tool_event(a, s, why);
	case EV_PART:
		return add_whole(a, &e->part);
	case EV_RAW:
		return is_raw_text ? append(&a->text, e->text) : OK;
	case EV_USAGE:
		a->account.usage = e->usage;
		s->account = &a->account;
		return OK;
	case EV_FINISH:
		a->finish = e->finish.finish;
		return OK;
	case EV_END:
		s->account = &a->account;
		return add_end(a, &e->end);
	case EV_EMBEDDING:
	case EV_RANK:
	case EV_COUNT:
	case EV_MODERATION:
	case EV_MODEL:
		return add_item(a, s, why);
	case EV_LOGPROBS:
	case EV_WARNING:
	case EV_STATUS:
	case EV_HEAD:
	case EV_FAULT:
		return OK;
	}
	return OK;
}

enum err result_add(struct llm_result *a, struct step *s, bool is_raw_text, struct fault *why)
{
	if (s->event.choice > 0)
		return OK;
	const enum err err = add(a, s, is_raw_text, why);
	if (err && !why->err)
		return fault_set(why, err, "%s", err_info(err)->sentence);
	return err;
}

/* ---- public ---- */

static const char *text_or_null(const struct buf *b)
{
	return b->n > 0 ? b->p : NULL;
}

const char *llm_result_text(const llm_result *a)
{
	return a && a->text.n > 0 ? a->text.p : "";
}

const char *llm_result_reasoning(const llm_result *a)
{
	return a ? text_or_null(&a->reasoning) : NULL;
}

const char *llm_result_refusal(const llm_result *a)
{
	return a ? text_or_null(&a->refusal) : NULL;
}

const char *llm_result_model(const llm_result *a)
{
	return a ? a->model : NULL;
}

const char *llm_result_provider(const llm_result *a)
{
	return a ? a->provider : NULL;
}

const char *llm_result_stop_reason(const llm_result *a)
{
	return a && a->finish ? finish_name(a->finish) : NULL;
}

size_t llm_result_tool_calls(const llm_result *a)
{
	return a ? a->n_tools : 0;
}

static const struct result_tool *tool_at(const llm_result *a, size_t i)
{
	return a && i < a->n_tools ? &a->tools[i] : NULL;
}

const char *llm_result_tool_id(const llm_result *a, size_t i)
{
	const struct result_tool *tool = tool_at(a, i);
	return tool ? tool->id : NULL;
}

const char *llm_result_tool_name(const llm_result *a, size_t i)
{
	const struct result_tool *tool = tool_at(a, i);
	return tool ? tool->name : NULL;
}

/* Complete JSON, or NULL where the answer broke off before it was. */
const char *llm_result_tool_args(const llm_result *a, size_t i)
{
	const struct result_tool *tool = tool_at(a, i);
	return tool && tool->is_whole ? args_of(tool) : NULL;
}

const llm_usage *llm_result_usage(const llm_result *a)
{
	return a ? &a->account.usage : NULL;
}

void llm_result_free(llm_result *a)
{
	if (!a)
		return;
	result_done(a);
	mem_free(a);
}
