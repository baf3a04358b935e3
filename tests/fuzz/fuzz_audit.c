/* fuzz_audit.c - any bytes as an audit log: as they are, and as records that are sealed soundly. */
#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

#include "brokerd/audit/check.h"
#include "brokerd/audit/line.h"
#include "protocol/limits.h"

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n);

static const unsigned char root[CHAIN_KEY_BYTES] = "the key of a vault for its audit";

static enum check_flaw check_all(
	struct check *c, struct span file, const unsigned char *key, size_t *line, size_t *good)
{
	*c = (struct check){.root = key};
	*good = 0;
	check_file(c);
	const enum check_flaw flaw = check_bytes(c, file, line, good);
	assert(*good <= file.n && (flaw || *good == file.n));
	return flaw;
}

/* What a broker goes on from after a crash: a prefix of whole lines, whose numbers go up by one. */
static void check_prefix(struct span file)
{
	struct check c, again;
	size_t line, good, line_again, good_again;
	(void)check_all(&c, file, NULL, &line, &good);
	assert(good == 0 || file.p[good - 1] == '\n');
	assert(check_all(&again, span_first(file, good), NULL, &line_again, &good_again) ==
		CHECK_WHOLE);
	assert(again.records == c.records);
	assert(again.records == 0 || again.chain.seq == again.first_seq + again.records - 1);
	assert(again.records == 0 ||
		memcmp(again.chain.head, c.chain.head, sizeof c.chain.head) == 0);
	const struct span rest = span_skip(file, good);
	assert(check_highest_seq(rest, c.chain.seq) >= c.chain.seq);
	(void)check_has_seq(rest, c.chain.seq + 1);
}

static void put_epoch(struct chain *c, struct buf *out)
{
	static const unsigned char id[EPOCH_ID_BYTES] = "sixteen bytes...";
	OWNED(buf_done) struct buf members = BUF_INIT(LINE_BYTES);
	buf_text(&members, "\"at_us\":1,\"what\":\"audit.epoch\",\"prev\":\"");
	line_put_hex(&members, c->head, sizeof c->head);
	epoch_keyed(&c->epoch, root, id);
	buf_text(&members, "\",\"epoch\":\"");
	line_put_hex(&members, id, sizeof id);
	buf_text(&members, "\",\"step\":0,\"vault\":\"");
	line_put_hex(&members, c->epoch.mark, sizeof c->epoch.mark);
	buf_byte(&members, '"');
	line_seal(c, buf_view(&members), out);
}

/* The lines behind an epoch, each sealed: else no fuzzer gets past the hash. What the log itself would not
 * write is refused, and everything before it is whole. */
static void check_sealed(struct span bytes)
{
	struct chain chain = {.seq = 0};
	OWNED(buf_done) struct buf out = BUF_INIT(MIB);
	struct check c;
	size_t line, good, n = 1;
	put_epoch(&chain, &out);
	while (bytes.n > 0) {
		line_seal(&chain, span_cut(&bytes, '\n'), &out);
		n++;
	}
	if (buf_error(&out))
		return;
	const enum check_flaw flaw = check_all(&c, buf_view(&out), root, &line, &good);
	assert(flaw != CHECK_TORN && flaw != CHECK_MISSING && flaw != CHECK_REORDERED);
	assert(c.records >= 1 && (flaw || (c.records == n && c.unchecked == 0) || c.epochs > 1));
	check_done(&c);
	check_prefix(buf_view(&out));
	/* and no bit of the first record can be turned */
	const size_t first = span_index(buf_view(&out), '\n');
	assert(first > 0);
	const size_t at = n % first;
	out.p[at] = (char)(out.p[at] ^ 1);
	assert(check_all(&c, buf_view(&out), root, &line, &good) != CHECK_WHOLE && line == 1);
}

/* What an event says ends up as JSON, whatever is in it. */
static void check_event(struct span bytes)
{
	OWNED(buf_done) struct buf out = BUF_INIT(LINE_BYTES);
	struct chain chain = {.seq = 0};
	struct line l;
	const struct audit_event e = {.what = "denied.call",
		.verdict = AUDIT_DENIED,
		.err = ERR_DENIED,
		.subject = bytes,
		.detail = bytes};
	OWNED(buf_done) struct buf members = BUF_INIT(LINE_BYTES);
	line_event(&e, 1, NULL, &members);
	assert(!buf_error(&members));
	line_seal(&chain, buf_view(&members), &out);
	assert(span_index(buf_view(&out), '\n') == out.n - 1);
	assert(line_parse(span_of(out.p, out.n - 1), &l) && l.seq == 1);
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n)
{
	const struct span all = span_of((const char *)bytes, n);
	struct check c;
	size_t line, good;
	(void)check_all(&c, all, root, &line, &good);
	check_done(&c);
	check_prefix(all);
	check_sealed(all);
	check_event(all);
	return 0;
}
