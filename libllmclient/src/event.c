/* event.c - one copy of each text, and the accessors. */
#include "libllmclient/src/event.h"

#include "protocol/frame.h"
#include "protocol/limits.h"

void step_init(struct step *s)
{
	*s = (struct step){.event = {.type = EV_START}};
	buf_init(&s->text, LIMIT_FRAME_BYTES + 1);
	arena_init(&s->arena, 4 * LIMIT_FRAME_BYTES);
}

void step_done(struct step *s)
{
	buf_done(&s->text);
	arena_done(&s->arena);
}

static enum err own_piece(struct step *s, struct span *text)
{
	buf_clear(&s->text);
	buf_span(&s->text, *text);
	buf_byte(&s->text, '\0');
	*text = span_of(s->text.p, text->n);
	return buf_error(&s->text);
}

static enum err own_all(struct step *s, struct span *const *texts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const enum err err = arena_dup(&s->arena, *texts[i], texts[i]);
		if (err)
			return err;
	}
	return OK;
}

static enum err own_headers(struct step *s, struct reply_head *head)
{
	enum err err = OK;
	for (size_t i = 0; !err && i < head->n_headers; i++) {
		struct string_pair *h = &head->headers[i];
		struct span *const texts[] = {&h->key, &h->value};
		err = own_all(s, texts, COUNT_OF(texts));
	}
	return err;
}

static enum err own_extra(struct step *s, struct extra *extra)
{
	struct span *const family[] = {&extra->family};
	enum err err = own_all(s, family, COUNT_OF(family));
	for (size_t i = 0; !err && i < extra->n; i++) {
		struct span *const texts[] = {&extra->members[i].name, &extra->members[i].json};
		err = own_all(s, texts, COUNT_OF(texts));
	}
	return err;
}

static enum err own_part(struct step *s, struct part *p)
{
	struct span *const texts[] = {&p->text, &p->media.data, &p->media.url, &p->media.file_id,
		&p->media.mime, &p->media.filename, &p->citations};
	const enum err err = own_all(s, texts, COUNT_OF(texts));
	return err ? err : own_extra(s, &p->extra);
}

/* What lies in the frame is gone with it; whatever a program may look at is not. */
static enum err own(struct step *s)
{
	struct llm_event *e = &s->event;
#define OWN(...)                                            \
	do {                                                \
		struct span *const texts[] = {__VA_ARGS__}; \
		return own_all(s, texts, COUNT_OF(texts));  \
	} while (0)
	switch (e->type) {
	case EV_TEXT:
	case EV_REASONING:
	case EV_REFUSAL:
	case EV_TOOL_ARGS:
	case EV_LOGPROBS:
	case EV_RAW:
		return own_piece(s, &e->text);
	case EV_START:
		OWN(&e->start.id, &e->start.model);
	case EV_OPAQUE:
		OWN(&e->opaque.family, &e->opaque.model, &e->opaque.data);
	case EV_TOOL_START:
		OWN(&e->call.id, &e->call.name, &e->call.opaque.family, &e->call.opaque.model,
			&e->call.opaque.data);
	case EV_PART:
		return own_part(s, &e->part);
	case EV_FINISH:
		OWN(&e->finish.native, &e->finish.matched_stop);
	case EV_WARNING:
		OWN(&e->warning.code, &e->warning.param, &e->warning.message);
	case EV_STATUS:
		OWN(&e->status.word, &e->status.detail);
	case EV_HEAD:
		return own_headers(s, &e->head);
	case EV_END:
		OWN(&e->end.provider, &e->end.model, &e->end.request_id);
	case EV_MODERATION:
		OWN(&e->moderation.categories, &e->moderation.scores);
	case EV_MODEL:
		OWN(&e->model.id, &e->model.owner);
	case EV_EMBEDDING:
	case EV_RANK:
	case EV_COUNT:
	case EV_TOOL_END:
	case EV_USAGE:
	case EV_FAULT:
		return OK;
	}
#undef OWN
	return OK;
}

enum err step_read(struct step *s, int frame_type, struct span body, struct fault *why)
{
	arena_done(&s->arena);
	s->tool_id = s->tool_name = s->tool_args = NULL;
	s->account = NULL;
	enum err err = event_unpack(frame_type, pack_from(body), &s->arena, &s->event, why);
	if (err)
		return err;
	err = own(s);
	return err ? fault_set(why, err, "%s", err_info(err)->sentence) : OK;
}

enum llm_event_type public_type(enum event_type type)
{
	switch (type) {
	case EV_TEXT:
		return LLM_EV_TEXT;
	case EV_REASONING:
		return LLM_EV_REASONING;
	case EV_REFUSAL:
		return LLM_EV_REFUSAL;
	case EV_TOOL_START:
		return LLM_EV_TOOL_START;
	case EV_TOOL_ARGS:
		return LLM_EV_TOOL_ARGS;
	case EV_TOOL_END:
		return LLM_EV_TOOL_END;
	case EV_PART:
		return LLM_EV_PART;
	case EV_USAGE:
		return LLM_EV_USAGE;
	case EV_WARNING:
		return LLM_EV_WARNING;
	case EV_STATUS:
		return LLM_EV_STATUS;
	case EV_RAW:
		return LLM_EV_RAW;
	case EV_HEAD:
		return LLM_EV_HEAD;
	case EV_END:
		return LLM_EV_DONE;
	case EV_EMBEDDING:
	case EV_RANK:
	case EV_COUNT:
	case EV_MODERATION:
	case EV_MODEL:
		return LLM_EV_ITEM;
	case EV_START:
	case EV_OPAQUE:
	case EV_LOGPROBS:
	case EV_FINISH:
	case EV_FAULT:
		return LLM_EV_NONE;
	}
	return LLM_EV_NONE;
}

/* ---- public ---- */

static const struct step *step_of(const llm_event *ev)
{
	return (const struct step *)(const void *)ev;
}

llm_event_type llm_event_type_of(const llm_event *ev)
{
	return ev ? public_type(ev->type) : LLM_EV_NONE;
}

static const char *give(struct span text, size_t *len)
{
	if (len)
		*len = text.n;
	return text.p ? text.p : "";
}

const char *llm_event_text(const llm_event *ev, size_t *len)
{
	return give(ev && ev->type == EV_TEXT ? ev->text : SPAN_NONE, len);
}

/* A part is its bytes, else where they are, else what it says or cites. */
static struct span part_detail(const struct part *p)
{
	const struct span all[] = {
		p->media.data, p->media.url, p->media.file_id, p->text, p->citations};
	for (size_t i = 0; i < COUNT_OF(all); i++) {
		if (all[i].n > 0)
			return all[i];
	}
	return SPAN_NONE;
}

const char *llm_event_detail(const llm_event *ev, size_t *len)
{
	struct span detail = SPAN_NONE;
	if (ev) {
		switch (public_type(ev->type)) {
		case LLM_EV_REASONING:
		case LLM_EV_REFUSAL:
		case LLM_EV_TOOL_ARGS:
		case LLM_EV_RAW:
			detail = ev->text;
			break;
		case LLM_EV_STATUS:
			detail = ev->status.detail;
			break;
		case LLM_EV_WARNING:
			detail = ev->warning.message;
			break;
		case LLM_EV_PART:
			detail = part_detail(&ev->part);
			break;
		case LLM_EV_NONE:
		case LLM_EV_TEXT:
		case LLM_EV_TOOL_START:
		case LLM_EV_TOOL_END:
		case LLM_EV_USAGE:
		case LLM_EV_DONE:
		case LLM_EV_HEAD:
		case LLM_EV_ITEM:
			break;
		}
	}
	return give(detail, len);
}

const char *llm_event_status_word(const llm_event *ev)
{
	return ev && ev->type == EV_STATUS ? ev->status.word.p : NULL;
}

static bool is_tool_event(const llm_event *ev)
{
	return ev &&
	       (ev->type == EV_TOOL_START || ev->type == EV_TOOL_ARGS || ev->type == EV_TOOL_END);
}

size_t llm_event_index(const llm_event *ev)
{
	if (ev && public_type(ev->type) == LLM_EV_ITEM)
		return step_of(ev)->item;
	return is_tool_event(ev) ? ev->tool : 0;
}

const char *llm_event_tool_id(const llm_event *ev)
{
	return is_tool_event(ev) ? step_of(ev)->tool_id : NULL;
}

const char *llm_event_tool_name(const llm_event *ev)
{
	return is_tool_event(ev) ? step_of(ev)->tool_name : NULL;
}

const char *llm_event_tool_args(const llm_event *ev)
{
	return is_tool_event(ev) ? step_of(ev)->tool_args : NULL;
}

const llm_usage *llm_event_usage(const llm_event *ev)
{
	if (!ev || (ev->type != EV_USAGE && ev->type != EV_END))
		return NULL;
	const struct account *account = step_of(ev)->account;
	return account ? &account->usage : NULL;
}

const char *llm_event_warning_code(const llm_event *ev)
{
	return ev && ev->type == EV_WARNING ? ev->warning.code.p : NULL;
}

const char *llm_event_warning_param(const llm_event *ev)
{
	return ev && ev->type == EV_WARNING ? ev->warning.param.p : NULL;
}

int llm_event_status(const llm_event *ev)
{
	return ev && ev->type == EV_HEAD ? ev->head.status : 0;
}

const char *llm_event_header(const llm_event *ev, const char *name)
{
	if (!ev || !name || ev->type != EV_HEAD)
		return NULL;
	for (size_t i = 0; i < ev->head.n_headers; i++) {
		if (span_is_nocase(ev->head.headers[i].key, name))
			return ev->head.headers[i].value.p;
	}
	return NULL;
}

size_t llm_event_headers(const llm_event *ev)
{
	return ev && ev->type == EV_HEAD ? ev->head.n_headers : 0;
}

const char *llm_event_header_at(const llm_event *ev, size_t i, const char **value)
{
	if (i >= llm_event_headers(ev))
		return NULL;
	if (value)
		*value = ev->head.headers[i].value.p;
	return ev->head.headers[i].key.p;
}
