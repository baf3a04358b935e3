/* marks.c - what is changed is a copy: of the lists, and of the parts of those messages that have a mark more or less. */
#include "brokerd/dialect/marks.h"

#include <stdio.h>

#include "brokerd/dialect/estimate.h"

#define PATH_BYTES 64

/* Anthropic's models keep what is marked, and nothing else. */
static bool keeps_what_is_marked(const struct target *t)
{
	if (span_is(t->family, "anthropic"))
		return true;
	const bool is_theirs = span_find(t->model, SPAN("claude")) < t->model.n ||
			       span_find(t->model, SPAN("anthropic")) < t->model.n;
	return t->quirks.has_cache_marks && is_theirs &&
	       (span_is(t->family, "bedrock") || span_is(t->family, "openai-chat"));
}

bool marks_are_needless(const struct target *t)
{
	static const char *const families[] = {"openai-chat", "openai-responses",
		"openai-completions", "gemini", "mistral", "ollama"};
	for (size_t i = 0; i < COUNT_OF(families); i++) {
		if (span_is(t->family, families[i]))
			return !keeps_what_is_marked(t);
	}
	return false;
}

void marks_read(struct part *p)
{
	for (size_t i = 0; i < p->extra.n; i++) {
		struct extra_member *m = &p->extra.members[i];
		if (!span_is(m->name, "prompt_cache_breakpoint") || span_is(m->json, "null"))
			continue;
		m->is_told = true;
		if (!span_is_set(p->cache)) /* how long is said elsewhere, in other steps */
			p->cache = SPAN("5m");
	}
}

bool marks_are_set(const struct llm_request *r)
{
	bool has_any = span_is_set(r->cache_ttl);
	for (size_t i = 0; !has_any && i < r->n_tools; i++)
		has_any = span_is_set(r->tools[i].cache);
	for (size_t m = 0; !has_any && m < r->n_messages; m++) {
		for (size_t k = 0; !has_any && k < r->messages[m].n_parts; k++)
			has_any = span_is_set(r->messages[m].parts[k].cache);
	}
	return has_any;
}

enum err marks_take(struct scribe *s, struct span ttl, const char *path, struct cache_marks *marks,
	struct span *out)
{
	enum err err = OK;
	*out = SPAN_NONE;
	if (!span_is_set(ttl))
		return OK;
	if (marks->seen++ < marks->first)
		return scribe_drop(
			s, path, "the provider takes four cache marks: the last four were kept");
	*out = span_is(ttl, "5m") ? SPAN("5m") : SPAN("1h");
	if (span_is(*out, "1h") && marks->has_short) {
		*out = SPAN("5m");
		err = scribe_change(s, "clamped_parameter", path,
			"the provider caches nothing for an hour behind what it caches for 5m: 5m "
			"was asked for");
	} else if (!span_eq(*out, ttl)) {
		err = scribe_change(s, "clamped_parameter", path,
			"the provider caches for 5m or 1h: 1h was asked for");
	}
	marks->has_short = marks->has_short || span_is(*out, "5m");
	return err;
}

/* ---- a copy to write in ---- */

static bool own_tools(struct llm_request *r, struct arena *a)
{
	struct tool *copy = arena_array(a, r->n_tools, sizeof *copy);
	if (r->n_tools == 0)
		return true;
	if (copy)
		memcpy(copy, r->tools, r->n_tools * sizeof *copy);
	r->tools = copy;
	return copy != NULL;
}

static bool own_messages(struct llm_request *r, struct arena *a)
{
	struct message *copy = arena_array(a, r->n_messages, sizeof *copy);
	if (r->n_messages == 0)
		return true;
	if (copy)
		memcpy(copy, r->messages, r->n_messages * sizeof *copy);
	r->messages = copy;
	return copy != NULL;
}

static bool own_parts(struct message *m, struct arena *a)
{
	struct part *copy = arena_array(a, m->n_parts, sizeof *copy);
	if (m->n_parts == 0)
		return true;
	if (copy)
		memcpy(copy, m->parts, m->n_parts * sizeof *copy);
	m->parts = copy;
	return copy != NULL;
}

static bool own_all(struct llm_request *r, struct arena *a)
{
	bool is_owned = own_tools(r, a) && own_messages(r, a);
	for (size_t m = 0; is_owned && m < r->n_messages; m++)
		is_owned = own_parts(&r->messages[m], a);
	return is_owned;
}

/* ---- where one may stand ---- */

/* Behind it a mark stands in every family that takes marks. */
static bool takes_mark(const struct part *p)
{
	switch (p->type) {
	case PART_TEXT:
		return span_trim(p->text).n > 0;
	case PART_IMAGE:
	case PART_FILE:
		return true;
	case PART_REFUSAL:
	case PART_AUDIO:
	case PART_VIDEO:
	case PART_TOOL_CALL:
	case PART_REASONING:
	case PART_OPAQUE:
		return false;
	}
	return false;
}

#define NOWHERE SIZE_MAX

static size_t last_part(const struct message *m)
{
	for (size_t k = m->n_parts; k > 0; k--) {
		if (takes_mark(&m->parts[k - 1]))
			return k - 1;
	}
	return NOWHERE;
}

static bool is_system(const struct message *m)
{
	return m->role == ROLE_SYSTEM || m->role == ROLE_DEVELOPER;
}

/* What its caller says: a result is one. */
static bool is_users(const struct message *m)
{
	return m->role == ROLE_USER || m->role == ROLE_TOOL;
}

/* ---- those of the caller's ---- */

static enum err take_all(struct scribe *s, struct llm_request *r, struct cache_marks *marks)
{
	char path[PATH_BYTES];
	enum err err = OK;
	for (size_t i = 0; !err && i < r->n_tools; i++) {
		(void)snprintf(path, sizeof path, "tools[%zu]", scribe_tool_at(s, i));
		err = marks_take(s, r->tools[i].cache, path, marks, &r->tools[i].cache);
	}
	for (size_t m = 0; !err && m < r->n_messages; m++) {
		for (size_t k = 0; !err && k < r->messages[m].n_parts; k++) {
			struct part *p = &r->messages[m].parts[k];
			(void)snprintf(path, sizeof path, "messages[%zu].content[%zu]", m, k);
			err = marks_take(s, p->cache, path, marks, &p->cache);
		}
	}
	return err;
}

static size_t count(const struct llm_request *r)
{
	size_t n = 0;
	for (size_t i = 0; i < r->n_tools; i++)
		n += span_is_set(r->tools[i].cache);
	for (size_t m = 0; m < r->n_messages; m++) {
		for (size_t k = 0; k < r->messages[m].n_parts; k++)
			n += span_is_set(r->messages[m].parts[k].cache);
	}
	return n;
}

/* One of the whole stands behind its last part. */
static void mark_whole(struct llm_request *r)
{
	for (size_t m = r->n_messages; span_is_set(r->cache_ttl) && m > 0; m--) {
		struct message *last = &r->messages[m - 1];
		const size_t k = last_part(last);
		if (k == NOWHERE)
			continue;
		if (!span_is_set(last->parts[k].cache))
			last->parts[k].cache = r->cache_ttl;
		r->cache_ttl = SPAN_NONE;
	}
}

enum err marks_fit(
	struct llm_request *r, const struct target *t, struct notes *notes, struct fault *why)
{
	struct scribe s = {.r = r, .target = t, .notes = notes, .why = why};
	struct cache_marks marks = {.seen = 0};
	if (!span_is(t->family, "openai-chat") || !t->quirks.has_cache_marks || !marks_are_set(r))
		return OK;
	if (!own_all(r, notes->arena))
		return ERR_NO_MEMORY;
	mark_whole(r);
	const size_t all = count(r);
	marks.first = all > MARKS_MAX ? all - MARKS_MAX : 0;
	return take_all(&s, r, &marks);
}

/* ---- those of ours ---- */

static int64_t tokens_of_tools(const struct llm_request *r)
{
	int64_t n = 0;
	for (size_t i = 0; i < r->n_tools; i++) {
		const struct tool *t = &r->tools[i];
		n += estimate_text(t->name) + estimate_text(t->description) +
		     estimate_text(t->parameters) + estimate_text(t->raw);
	}
	return n;
}

static int64_t tokens_of(const struct message *m)
{
	int64_t n = 0;
	for (size_t k = 0; k < m->n_parts; k++) {
		const struct part *p = &m->parts[k];
		n += estimate_text(p->text) + estimate_text(p->call.arguments);
		if (p->type == PART_IMAGE || p->type == PART_FILE)
			n += estimate_medium(p);
	}
	return n;
}

/* The tool that the mark of all of them stands behind. */
static size_t last_tool(const struct llm_request *r)
{
	return r->n_tools > 0 && r->tools[r->n_tools - 1].type != TOOL_PROVIDER ? r->n_tools - 1
										: NOWHERE;
}

/* The messages behind whose last part marks stand, the later first: the user's last, his last before that, the system's. */
#define PLACES_MAX 3
struct places {
	size_t messages[PLACES_MAX];
	size_t n;
};

static void add_place(struct places *p, const struct llm_request *r, size_t m)
{
	if (m != NOWHERE && last_part(&r->messages[m]) != NOWHERE)
		p->messages[p->n++] = m;
}

/* The last message of the user's before `end`; the ones right before it are of the same turn. */
static size_t users_before(const struct llm_request *r, size_t end)
{
	while (end > 0 && !is_users(&r->messages[end - 1]))
		end--;
	return end > 0 ? end - 1 : NOWHERE;
}

static size_t turn_of(const struct llm_request *r, size_t m)
{
	while (m > 0 && is_users(&r->messages[m - 1]))
		m--;
	return m;
}

static void find_places(const struct llm_request *r, struct places *out)
{
	size_t n_system = 0;
	*out = (struct places){.n = 0};
	const size_t last = users_before(r, r->n_messages);
	add_place(out, r, last);
	if (last != NOWHERE)
		add_place(out, r, users_before(r, turn_of(r, last)));
	while (n_system < r->n_messages && is_system(&r->messages[n_system]))
		n_system++;
	add_place(out, r, n_system > 0 ? n_system - 1 : NOWHERE);
}

/* Leaves out the places before which there is too little: `tokens` of tools, and what of messages comes behind them. */
static void leave_early(struct places *p, const struct llm_request *r, int64_t tokens)
{
	for (size_t m = 0; m < r->n_messages && p->n > 0; m++) {
		tokens += tokens_of(&r->messages[m]);
		if (tokens >= MARKS_LEAST_TOKENS)
			return;
		if (p->messages[p->n - 1] == m) /* the earliest is the last of them */
			p->n--;
	}
}

enum err marks_set(const struct llm_request *r, const struct target *t, struct span ttl,
	struct arena *a, const struct llm_request **out)
{
	struct places places;
	*out = r;
	if (!keeps_what_is_marked(t) || marks_are_set(r))
		return OK;
	const int64_t tools = tokens_of_tools(r);
	const size_t tool = tools >= MARKS_LEAST_TOKENS ? last_tool(r) : NOWHERE;
	find_places(r, &places);
	leave_early(&places, r, tools);
	if (tool == NOWHERE && places.n == 0)
		return OK;
	struct llm_request *marked = arena_array(a, 1, sizeof *marked);
	if (!marked)
		return ERR_NO_MEMORY;
	*marked = *r;
	if (!own_messages(marked, a) || (tool != NOWHERE && !own_tools(marked, a)))
		return ERR_NO_MEMORY;
	if (tool != NOWHERE)
		marked->tools[tool].cache = ttl;
	for (size_t i = 0; i < places.n; i++) {
		struct message *m = &marked->messages[places.messages[i]];
		if (!own_parts(m, a))
			return ERR_NO_MEMORY;
		m->parts[last_part(m)].cache = ttl;
	}
	*out = marked;
	return OK;
}

enum err marks_remove(const struct llm_request *r, struct arena *a, const struct llm_request **out)
{
	*out = r;
	if (!marks_are_set(r))
		return OK;
	struct llm_request *plain = arena_array(a, 1, sizeof *plain);
	if (!plain)
		return ERR_NO_MEMORY;
	*plain = *r;
	if (!own_all(plain, a))
		return ERR_NO_MEMORY;
	plain->cache_ttl = SPAN_NONE;
	for (size_t i = 0; i < plain->n_tools; i++)
		plain->tools[i].cache = SPAN_NONE;
	for (size_t m = 0; m < plain->n_messages; m++) {
		for (size_t k = 0; k < plain->messages[m].n_parts; k++)
			plain->messages[m].parts[k].cache = SPAN_NONE;
	}
	*out = plain;
	return OK;
}
