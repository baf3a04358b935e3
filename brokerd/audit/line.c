/* line.c - the members of a record are few and always in the same order. */
#include "brokerd/audit/line.h"

#include <sodium.h>
#include <stdio.h>

#include "protocol/base/json.h"

#define SUBJECT_BYTES 256
#define DETAIL_BYTES  512
#define SEQ_DIGITS    18 /* of a number that no log reaches */

static const char seq_begin[] = "{\"seq\":";
static const char hash_begin[] = ",\"hash\":\"";
static const char mac_begin[] = ",\"mac\":\"";
static const char *const verdicts[] = {"allowed", "denied", "failed"};

const char *audit_verdict_name(enum audit_verdict v)
{
	return verdicts[v];
}

/* ---- an event ---- */

static void put_word(struct json_out *o, struct span name, const char *word)
{
	if (word[0] == '\0')
		return;
	json_key_raw(o, name);
	json_put_str(o, span_str(word));
}

static void put_number(struct json_out *o, struct span name, int64_t v)
{
	json_key_raw(o, name);
	json_put_i64(o, v);
}

/* A text of whoever made it, cut to fit. */
static void put_text(
	struct json_out *o, struct span name, struct span text, char *room, size_t size)
{
	fault_text(room, size, text);
	put_word(o, name, room);
}

static void put_who(struct json_out *o, const struct peer_id *p)
{
	json_key_raw(o, SPAN("who"));
	json_open(o, '{');
	if (p->confidence != PEER_UNKNOWN) {
		put_number(o, SPAN("uid"), (int64_t)p->uid);
		put_number(o, SPAN("pid"), (int64_t)p->pid);
	}
	put_word(o, SPAN("kind"), peer_kind_name(p->kind));
	put_word(o, SPAN("name"), p->name);
	put_word(o, SPAN("instance"), p->instance);
	put_word(o, SPAN("confidence"), peer_confidence_name(p->confidence));
	if (p->is_claim) {
		json_key_raw(o, SPAN("claim"));
		json_put_bool(o, true);
	}
	put_word(o, SPAN("socket"), peer_socket_name(p->socket));
	put_word(o, SPAN("profile"), p->profile);
	put_word(o, SPAN("program"), p->program);
	put_word(o, SPAN("app"), p->app);
	put_word(o, SPAN("via"), p->via);
	json_close(o, '}');
}

void line_event(
	const struct audit_event *e, int64_t at_us, const struct line_fold *fold, struct buf *out)
{
	char text[DETAIL_BYTES];
	struct json_out o = json_to(out);
	put_number(&o, SPAN("at_us"), at_us);
	put_word(&o, SPAN("what"), e->what);
	put_word(&o, SPAN("verdict"), verdicts[e->verdict]);
	if (e->err)
		put_word(&o, SPAN("class"), err_info(e->err)->word);
	put_text(&o, SPAN("subject"), e->subject, text, SUBJECT_BYTES);
	put_text(&o, SPAN("detail"), e->detail, text, DETAIL_BYTES);
	if (fold) {
		put_number(&o, SPAN("count"), (int64_t)fold->count);
		put_number(&o, SPAN("since_us"), fold->since_us);
	}
	if (e->who)
		put_who(&o, e->who);
}

/* ---- a line ---- */

void line_put_hex(struct buf *out, const unsigned char *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	char *room = buf_reserve(out, 2 * n);
	if (!room)
		return;
	for (size_t i = 0; i < n; i++) {
		room[2 * i] = digits[bytes[i] >> 4];
		room[2 * i + 1] = digits[bytes[i] & 15];
	}
	buf_commit(out, 2 * n);
}

void line_seal(struct chain *c, struct span members, struct buf *out)
{
	unsigned char mac[CHAIN_HASH_BYTES];
	const size_t from = out->n;
	buf_text(out, seq_begin);
	buf_i64(out, (int64_t)(c->seq + 1));
	buf_byte(out, ',');
	buf_span(out, members);
	if (buf_error(out))
		return;
	chain_hash(c, span_of(out->p + from, out->n - from), c->head);
	c->seq++;
	buf_text(out, hash_begin);
	line_put_hex(out, c->head, sizeof c->head);
	if (c->epoch.is_keyed) {
		epoch_mac(&c->epoch, c->head, mac);
		buf_byte(out, '"');
		buf_text(out, mac_begin);
		line_put_hex(out, mac, sizeof mac);
	}
	buf_text(out, "\"}\n");
	epoch_turn(&c->epoch);
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool line_hex(struct span digits, unsigned char *to, size_t n)
{
	if (digits.n != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		const int high = digit_of(digits.p[2 * i]), low = digit_of(digits.p[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		to[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

/* Takes BEGIN, the digits of a hash and a quote off the end of *text. */
static bool take_hash(struct span *text, const char *begin, unsigned char *to)
{
	const size_t n = strlen(begin), all = n + 2 * CHAIN_HASH_BYTES + 1;
	if (text->n < all)
		return false;
	const struct span end = span_skip(*text, text->n - all);
	if (memcmp(end.p, begin, n) != 0 || end.p[all - 1] != '"' ||
		!line_hex(
			span_first(span_skip(end, n), 2 * CHAIN_HASH_BYTES), to, CHAIN_HASH_BYTES))
		return false;
	text->n -= all;
	return true;
}

static bool take_seq(struct span text, uint64_t *seq)
{
	size_t n = 0;
	if (!span_starts(text, span_str(seq_begin)))
		return false;
	text = span_skip(text, sizeof seq_begin - 1);
	for (*seq = 0; n < text.n && n < SEQ_DIGITS && text.p[n] >= '0' && text.p[n] <= '9'; n++)
		*seq = *seq * 10 + (uint64_t)(text.p[n] - '0');
	return n > 0 && text.p[0] != '0' && n < text.n && text.p[n] == ',';
}

bool line_parse(struct span line, struct line *out)
{
	*out = (struct line){.text = line};
	if (line.n == 0 || line.n > LINE_BYTES || line.p[line.n - 1] != '}')
		return false;
	out->text.n--;
	out->has_mac = take_hash(&out->text, mac_begin, out->mac);
	return take_hash(&out->text, hash_begin, out->hash) && take_seq(out->text, &out->seq);
}
