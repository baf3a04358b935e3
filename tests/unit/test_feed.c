/* test_feed.c - are recorded bodies cut where it hurts? */
#include "tests/lib/feed.h"
#include "tests/lib/tap.h"

/* A dialect whose decoder writes down its pieces, a bar behind each. */
struct decoder {
	char said[256];
};
static struct decoder the_only;

static struct decoder *decoder_new(struct arena *a, const struct notes *n,
	const struct dialect_env *env, const struct http_head *head)
{
	(void)a, (void)n, (void)env, (void)head;
	the_only = (struct decoder){.said = ""};
	return &the_only;
}

static enum err decode(
	struct decoder *d, struct span bytes, const struct event_sink *sink, struct fault *why)
{
	(void)sink, (void)why;
	strncat(d->said, bytes.p, bytes.n);
	strcat(d->said, "|");
	return OK;
}

static enum err decode_end(struct decoder *d, const struct event_sink *sink, struct fault *why)
{
	(void)d, (void)sink, (void)why;
	return OK;
}

static void decoder_done(struct decoder *d)
{
	(void)d;
}

static const struct dialect_op op = {
	.decoder_new = decoder_new,
	.decode = decode,
	.decode_end = decode_end,
	.decoder_done = decoder_done,
};
static const struct dialect pieces = {.family = "pieces", .ops = {[LLM_OP_CHAT] = &op}};

static void is_cut(const char *way, const char *body, const char *want)
{
	const struct http_reply reply = {
		{200, NULL, 0},
                span_str(body)
        };
	struct cuts cuts;
	struct fault why;
	if (!cuts_read(way, &cuts))
		bail("%s is no way to cut", way);
	is_err(feed_reply(&pieces, NULL, &reply, NULL, cuts, NULL, &why), OK, "%s: fed", way);
	is_str(the_only.said, want, "%s, cut: %s", body, way);
}

int main(void)
{
	struct cuts cuts;
	ok(!cuts_read("", &cuts) && !cuts_read("-1", &cuts) && !cuts_read("7x", &cuts),
		"what is no way to cut");
	is_cut("0", "abcdefg", "abcdefg|");
	is_cut("3", "abcdefg", "abc|def|g|");
	is_cut("9", "abcdefg", "abcdefg|");
	is_cut("special", "abc\ndef", "abc\ndef|");
	is_cut("special", "a\r\n\r\nb", "a\r|\n\r|\nb|");
	is_cut("special", "x\xc3\xa4y\xf0\x9f\x98\x80z", "x\xc3|\xa4y\xf0|\x9f|\x98|\x80z|");
	is_cut("special", "a\\nb\\\\c", "a\\|nb\\|\\c|");
	is_cut("special", "\\u00e4b", "\\|u|0|0|e|4b|");
	is_cut("special", "\\ud83d\\ude00", "\\|u|d|8|3|d|\\|u|d|e|0|0|");
	is_cut("special", "\\\\u00e4b", "\\|\\u00e4b|");
	return tap_done();
}
