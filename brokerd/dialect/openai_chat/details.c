/* details.c - entries of one type and index, one after the other, are one entry. */
#include "brokerd/dialect/openai_chat/details.h"

#include "protocol/limits.h"

#define DETAILS_MAX ((size_t)4096)
#define MEMBERS_MAX 12

struct detail {
	struct detail *next;
	struct span raw; /* an entry that is whole as it came, or */
	struct {
		struct span name, json;
	} members[MEMBERS_MAX];
	size_t n;
	struct span text_member; /* "text" or "summary", which is gathered in: */
	struct buf text;
};

void details_init(struct details *d, struct arena *a)
{
	*d = (struct details){.arena = a};
}

void details_done(struct details *d)
{
	for (struct detail *e = d->first; e; e = e->next)
		buf_done(&e->text);
}

static struct span member_of(const struct detail *e, const char *name)
{
	for (size_t i = 0; i < e->n; i++) {
		if (json_name_is(e->members[i].name, name))
			return e->members[i].json;
	}
	return SPAN_NONE;
}

/* Is `entry` the next piece of `e`? */
static bool goes_on(const struct detail *e, struct json entry)
{
	return e && !span_is_set(e->raw) &&
	       span_eq(member_of(e, "type"), json_member(entry, "type").text) &&
	       span_eq(member_of(e, "index"), json_member(entry, "index").text);
}

/* Takes a member over; a later value replaces an earlier one, but null does not. */
static enum err put_member(struct details *d, struct detail *e, struct span name, struct json v)
{
	size_t i = 0;
	while (i < e->n && !span_eq(e->members[i].name, name))
		i++;
	if (i < e->n && (json_kind(v) == JSON_NULL || span_eq(e->members[i].json, v.text)))
		return OK;
	if (i == MEMBERS_MAX)
		return ERR_SERVER_ERROR;
	if (i == e->n) {
		const enum err err = arena_dup(d->arena, name, &e->members[i].name);
		if (err)
			return err;
		e->n++;
	}
	return arena_dup(d->arena, v.text, &e->members[i].json);
}

static enum err add_entry(struct details *d, struct json entry)
{
	struct detail *e = d->last;
	struct span text_member = SPAN_NONE;
	size_t n = 0;
	for (struct json_walk w = json_each(entry); json_next(&w); n++) {
		if (json_kind(w.value) == JSON_STRING &&
			(json_name_is(w.name, "text") || json_name_is(w.name, "summary")))
			text_member = w.name;
	}
	if (!span_is_set(text_member) || n > MEMBERS_MAX || !goes_on(e, entry)) {
		if (d->n++ == DETAILS_MAX)
			return ERR_SERVER_ERROR;
		e = arena_alloc(d->arena, sizeof *e);
		if (!e)
			return ERR_NO_MEMORY;
		buf_init(&e->text, LIMIT_REPLY_BYTES);
		if (d->last)
			d->last->next = e;
		else
			d->first = e;
		d->last = e;
		if (!span_is_set(text_member) || n > MEMBERS_MAX)
			return arena_dup(d->arena, entry.text, &e->raw);
		const enum err err = arena_dup(d->arena, text_member, &e->text_member);
		if (err)
			return err;
	}
	for (struct json_walk w = json_each(entry); json_next(&w);) {
		if (span_eq(w.name, e->text_member) && json_text_to(w.value, &e->text))
			continue;
		const enum err err = put_member(d, e, w.name, w.value);
		if (err)
			return err;
	}
	return buf_error(&e->text);
}

enum err details_add(struct details *d, struct json array)
{
	enum err err = OK;
	if (json_kind(array) != JSON_ARRAY)
		return OK;
	for (struct json_walk w = json_each(array); !err && json_next(&w);) {
		if (json_kind(w.value) == JSON_OBJECT)
			err = add_entry(d, w.value);
	}
	return err == ERR_TOO_BIG ? ERR_SERVER_ERROR : err;
}

bool details_write(const struct details *d, struct buf *out)
{
	struct json_out o = json_to(out);
	if (!d->first)
		return false;
	json_open(&o, '[');
	for (const struct detail *e = d->first; e; e = e->next) {
		if (span_is_set(e->raw)) {
			json_put_raw(&o, e->raw);
			continue;
		}
		json_open(&o, '{');
		for (size_t i = 0; i < e->n; i++) {
			json_key_raw(&o, e->members[i].name);
			json_put_raw(&o, e->members[i].json);
		}
		json_key_raw(&o, e->text_member);
		json_put_str(&o, buf_view(&e->text));
		json_close(&o, '}');
	}
	json_close(&o, ']');
	return true;
}
