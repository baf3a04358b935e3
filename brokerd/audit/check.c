/* check.c - the hash first: what it does not cover is not read. */
#include "brokerd/audit/check.h"

#include <sodium.h>

#include "brokerd/audit/line.h"
#include "protocol/base/json.h"

#define SEQS_MAX  (UINT64_C(1) << 32) /* that one file is believed to hold */
#define STEPS_MAX (UINT64_C(1) << 24) /* turns of a key that are made to get to a file: seconds */

static const char own_begin[] = ",\"what\":\"audit.";
static const char *const flaws[] = {
	"whole", "changed", "missing", "reordered", "mac", "torn", "unreadable"};

const char *check_flaw_name(enum check_flaw f)
{
	return flaws[f];
}

/* What the log's own records say. */
struct own {
	enum { OWN_NONE, OWN_EPOCH, OWN_FILE, OWN_CLOSE, OWN_OTHER } kind;
	bool has_prev;
	unsigned char prev[CHAIN_HASH_BYTES];
	struct epoch epoch; /* without its key */
};

static bool hex_member(struct json object, const char *name, unsigned char *to, size_t n)
{
	const struct span text = json_member(object, name).text;
	return text.n >= 2 && text.p[0] == '"' && line_hex(span_of(text.p + 1, text.n - 2), to, n);
}

static bool read_epoch(struct json object, struct own *out)
{
	int64_t step;
	const struct json mark = json_member(object, "vault");
	if (!hex_member(object, "epoch", out->epoch.id, sizeof out->epoch.id) ||
		!json_i64(json_member(object, "step"), &step) || step < 0)
		return false;
	out->epoch.step = (uint64_t)step;
	out->epoch.is_keyed = json_kind(mark) != JSON_ABSENT;
	return !out->epoch.is_keyed ||
	       hex_member(object, "vault", out->epoch.mark, sizeof out->epoch.mark);
}

/* False: it is one of the log's own, and cannot be read. */
static bool read_own(struct span text, struct own *out)
{
	char copy[LINE_BYTES + 1];
	struct json object;
	*out = (struct own){.kind = OWN_NONE};
	if (span_find(text, span_str(own_begin)) == text.n)
		return true;
	memcpy(copy, text.p, text.n); /* at most a line */
	copy[text.n] = '}';
	const struct json_rules rules = {.max_depth = 4, .has_unique_names = true};
	if (json_scan(span_of(copy, text.n + 1), rules, &object, NULL) != OK)
		return false;
	const struct json what = json_member(object, "what");
	out->has_prev = hex_member(object, "prev", out->prev, sizeof out->prev);
	out->kind = OWN_OTHER;
	if (json_is(what, "audit.close"))
		out->kind = OWN_CLOSE;
	if (!json_is(what, "audit.epoch") && !json_is(what, "audit.file"))
		return true;
	out->kind = json_is(what, "audit.epoch") ? OWN_EPOCH : OWN_FILE;
	return read_epoch(object, out);
}

/* The first record of all: nothing is known of what was before it but what it says. */
static bool begin(struct check *c, const struct line *l, const struct own *own)
{
	static const unsigned char nothing[CHAIN_HASH_BYTES];
	if (!own->has_prev || (l->seq == 1 && memcmp(own->prev, nothing, sizeof nothing) != 0))
		return false;
	c->chain.seq = l->seq - 1;
	memcpy(c->chain.head, own->prev, sizeof own->prev);
	c->first_seq = l->seq;
	return true;
}

static void enter_epoch(struct check *c, const struct epoch *e)
{
	unsigned char mark[EPOCH_MARK_BYTES] = {0};
	c->chain.epoch = *e;
	c->chain.epoch.step = 0;
	c->in = CHECK_IN_EPOCH;
	c->is_checkable = false;
	if (!e->is_keyed || !c->root)
		return;
	epoch_mark(c->root, mark);
	c->is_checkable = memcmp(mark, e->mark, sizeof mark) == 0;
	if (c->is_checkable)
		epoch_keyed(&c->chain.epoch, c->root, e->id);
	else
		c->has_foreign = true;
}

/* A file begins in the middle of an epoch: the one that is known, or where none is, at that step of it. */
static bool go_on(struct check *c, const struct own *own)
{
	const struct epoch *known = &c->chain.epoch, *said = &own->epoch;
	if (!c->is_begun) {
		if (said->step > STEPS_MAX)
			return false;
		enter_epoch(c, said);
		while (c->chain.epoch.step < said->step) {
			if (!c->is_checkable)
				c->chain.epoch.step = said->step;
			else
				epoch_turn(&c->chain.epoch);
		}
		c->epochs++;
		return true;
	}
	return c->in == CHECK_IN_EPOCH && said->step == known->step &&
	       said->is_keyed == known->is_keyed &&
	       memcmp(said->id, known->id, sizeof known->id) == 0;
}

/* What a record does to the epoch, before its MAC is looked at. */
static bool follow(struct check *c, const struct own *own)
{
	switch (own->kind) {
	case OWN_EPOCH:
		if (own->epoch.step != 0)
			return false;
		c->broken_off += c->in == CHECK_IN_EPOCH;
		c->epochs++;
		enter_epoch(c, &own->epoch);
		return true;
	case OWN_FILE:
		return go_on(c, own);
	case OWN_NONE:
	case OWN_CLOSE:
	case OWN_OTHER:
		break;
	}
	return c->in == CHECK_IN_EPOCH;
}

static enum check_flaw check_mac(struct check *c, const struct line *l)
{
	struct epoch *e = &c->chain.epoch;
	unsigned char mac[CHAIN_HASH_BYTES];
	if (l->has_mac != e->is_keyed)
		return CHECK_CHANGED;
	c->keyed += e->is_keyed;
	if (e->is_keyed && !c->is_checkable) {
		c->unchecked++;
		e->step++;
		return CHECK_WHOLE;
	}
	if (e->is_keyed) {
		epoch_mac(e, l->hash, mac);
		if (sodium_memcmp(mac, l->mac, sizeof mac) != 0)
			return CHECK_FORGED;
	}
	epoch_turn(e);
	return CHECK_WHOLE;
}

static enum check_flaw check_place(struct check *c, const struct line *l)
{
	unsigned char hash[CHAIN_HASH_BYTES];
	if (l->seq != c->chain.seq + 1)
		return l->seq > c->chain.seq ? CHECK_MISSING : CHECK_REORDERED;
	chain_hash(&c->chain, l->text, hash);
	return memcmp(hash, l->hash, sizeof hash) == 0 ? CHECK_WHOLE : CHECK_CHANGED;
}

enum check_flaw check_line(struct check *c, struct span line)
{
	struct line l;
	struct own own;
	if (!line_parse(line, &l) || !read_own(l.text, &own))
		return CHECK_CHANGED;
	if (!c->is_begun && !begin(c, &l, &own))
		return CHECK_CHANGED;
	enum check_flaw flaw = check_place(c, &l);
	if (flaw)
		return flaw;
	if (c->is_at_top != own.has_prev || !follow(c, &own))
		return CHECK_CHANGED;
	flaw = check_mac(c, &l);
	if (flaw)
		return flaw;
	c->is_begun = true;
	c->is_at_top = false;
	c->records++;
	c->chain.seq = l.seq;
	memcpy(c->chain.head, l.hash, sizeof l.hash);
	if (own.kind == OWN_CLOSE)
		c->in = CHECK_CLOSED;
	if (c->sought && memcmp(l.hash, c->sought, sizeof l.hash) == 0)
		c->sought_seq = l.seq;
	return CHECK_WHOLE;
}

void check_file(struct check *c)
{
	c->is_at_top = true;
}

enum check_flaw check_bytes(struct check *c, struct span bytes, size_t *line, size_t *good)
{
	struct span rest = bytes;
	for (*line = 0; rest.n > 0;) {
		const size_t n = span_index(rest, '\n');
		*good = bytes.n - rest.n;
		++*line;
		if (n == rest.n)
			return CHECK_TORN;
		const enum check_flaw flaw = check_line(c, span_first(rest, n));
		if (flaw)
			return flaw;
		rest = span_skip(rest, n + 1);
	}
	*good = bytes.n;
	return CHECK_WHOLE;
}

bool check_has_seq(struct span bytes, uint64_t seq)
{
	struct line l;
	while (bytes.n > 0) {
		const struct span line = span_cut(&bytes, '\n');
		if (line_parse(line, &l) && l.seq == seq)
			return true;
	}
	return false;
}

uint64_t check_highest_seq(struct span bytes, uint64_t seq)
{
	const uint64_t from = seq;
	struct line l;
	while (bytes.n > 0) {
		const struct span line = span_cut(&bytes, '\n');
		if (line_parse(line, &l) && l.seq > seq && l.seq - from < SEQS_MAX)
			seq = l.seq;
	}
	return seq;
}

void check_done(struct check *c)
{
	sodium_memzero(&c->chain.epoch, sizeof c->chain.epoch);
}
