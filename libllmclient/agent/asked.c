/* asked.c - the broker's words for a caller become a person's. */
#include "libllmclient/agent/ask.h"

#include <inttypes.h>
#include <string.h>

#include "protocol/base/arena.h"

#define TEXT_BYTES ((size_t)16 * 1024)

/* Names come from strangers: what could turn a line around, hide in it or clear a screen is shown as a question
 * mark, one a character. It stands between quotes, which it cannot end: else it could go on with our sentence. */
static void put_quoted(struct buf *to, struct span text)
{
	buf_byte(to, '"');
	for (size_t i = 0; i < text.n; i++) {
		const unsigned char c = (unsigned char)text.p[i];
		if (c == '"')
			buf_byte(to, '\'');
		else if ((c & 0xc0) != 0x80)
			buf_byte(to, c >= 0x20 && c < 0x7f ? (char)c : '?');
	}
	buf_byte(to, '"');
}

static void put_name(struct buf *to, struct json v)
{
	OWNED(buf_done) struct buf text = BUF_INIT(TEXT_BYTES);
	(void)json_text_to(v, &text);
	put_quoted(to, buf_view(&text));
}

/* One that is a single plain word, as most are, needs no quotes. */
static void put_who(struct buf *to, struct json v)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:";
	OWNED(buf_done) struct buf text = BUF_INIT(TEXT_BYTES);
	(void)json_text_to(v, &text);
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] && strchr(plain, text.p[i]))
			continue;
		put_quoted(to, buf_view(&text));
		return;
	}
	buf_span(to, buf_view(&text));
}

static const char *how(struct json peer)
{
	static const struct {
		const char *word, *text;
	} list[] = {
		{"proc",     "the kernel shows where it runs"           },
		{"cgroup",   "the system's service manager put it there"},
		{"label",    "by a security label of the kernel's"      },
		{"listener", "by a socket that it alone was given"      },
	};
	if (json_is_true(json_member(peer, "claim")))
		return "by its own word alone";
	for (size_t i = 0; i < COUNT_OF(list); i++) {
		if (json_is(json_member(peer, "confidence"), list[i].word))
			return list[i].text;
	}
	return "by its user alone";
}

void asked_init(struct asked *a, struct json question)
{
	const struct json peer = json_member(question, "peer");
	int64_t uid = -1, pid = -1;
	buf_init(&a->title, TEXT_BYTES);
	buf_init(&a->detail, TEXT_BYTES);
	(void)json_i64(json_member(peer, "uid"), &uid);
	(void)json_i64(json_member(peer, "pid"), &pid);
	buf_text(&a->title, "May ");
	put_who(&a->title, json_member(question, "who"));
	buf_text(&a->title, " use language models with your keys?");
	buf_print(&a->detail, "It is known %s. Program ", how(peer));
	put_name(&a->detail, json_member(peer, "program"));
	buf_text(&a->detail, ", calls itself ");
	put_name(&a->detail, json_member(peer, "app"));
	buf_print(&a->detail, ", user %" PRId64 ", process %" PRId64 ".", uid, pid);
	buf_byte(&a->title, '\0');
	buf_byte(&a->detail, '\0');
}

void asked_done(struct asked *a)
{
	buf_done(&a->title);
	buf_done(&a->detail);
}
