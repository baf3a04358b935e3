/* test_app_token.c - which tokens are known, for how long, and what is kept of them. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "brokerd/policy/token.h"
#include "tests/lib/loop_virtual.h"
#include "tests/lib/tap.h"
#include "tests/lib/whole_file.h"

#define MIB ((size_t)1024 * 1024)
#define NOW INT64_C(1800000000)

static char dir[] = "/tmp/token-XXXXXX", file[64];
static struct loop *loop;
static struct workers *workers;
static struct app_tokens *tokens;

static void open_them(struct fault *why)
{
	fault_clear(why);
	loop = loop_new(why);
	workers = workers_new(loop, 1, why);
	tokens = app_tokens_new(workers, dir, why);
	if (!tokens)
		bail("%s", why->message);
}

static void close_them(void)
{
	workers_free(workers);
	app_tokens_free(tokens);
	loop_free(loop);
}

static void again(struct fault *why)
{
	close_them();
	open_them(why);
}

struct told {
	int n;
	enum err err;
};

static void on_told(void *context, enum err err, const struct fault *why)
{
	struct told *t = context;
	t->n++;
	t->err = err;
	(void)why;
}

/* Its text; *t lives until the next change. */
static const char *make(
	const char *app, int64_t until_s, uint64_t connection, const struct app_token **t)
{
	static char text[APP_TOKEN_TEXT_BYTES];
	struct fault why = FAULT_NONE;
	struct app_token like = {
		.uid = 1000, .at_s = NOW, .until_s = until_s, .connection = connection};
	(void)snprintf(like.app, sizeof like.app, "%s", app);
	(void)snprintf(like.models, sizeof like.models, "one/* two/\"x\"");
	is_err(app_tokens_make(tokens, &like, text, t, (struct grants_reply){NULL, NULL}, &why), OK,
		"a token for %s: %s", app, why.message);
	return text;
}

static const struct app_token *find(const char *text, int64_t now_s, struct fault *why)
{
	fault_clear(why);
	return app_tokens_find(tokens, span_str(text), now_s, why);
}

static void one(void)
{
	struct fault why;
	const struct app_token *t;
	char text[APP_TOKEN_TEXT_BYTES], other[APP_TOKEN_TEXT_BYTES], id[APP_TOKEN_ID_BYTES];
	OWNED(buf_done) struct buf kept = BUF_INIT(MIB);
	struct stat st;
	open_them(&why);
	(void)snprintf(text, sizeof text, "%s", make("notes", 0, 0, &t));
	ok(strncmp(text, "llmb_", 5) == 0 && strlen(text) == 69, "it is told by its beginning");
	ok(strspn(text + 5, "0123456789abcdef") == 64, "and is 32 bytes");
	(void)snprintf(id, sizeof id, "%s", t->id);
	(void)snprintf(other, sizeof other, "%s", make("notes", 0, 0, &t));
	ok(strcmp(text, other) != 0, "no two are alike");
	t = find(text, NOW, &why);
	ok(t && strcmp(t->id, id) == 0 && t->uid == 1000, "it is known");
	is_str(t->models, "one/* two/\"x\"", "for these models");
	is_int(t->used_s, NOW, "and that it was used is");

	static const char *const wrong[] = {"", "llmb_", "x", "sk-0123456789"};
	for (size_t i = 0; i < COUNT_OF(wrong); i++)
		ok(!find(wrong[i], NOW, &why) && why.err == ERR_DENIED, "\"%s\" is not", wrong[i]);
	other[68] = other[68] == '0' ? '1' : '0';
	ok(!find(other, NOW, &why), "nor one with another end");
	ok(strstr(why.message, "llmb token new") != NULL, "and it says what to do");

	again(&why);
	is_err(why.err, OK, "the file is read");
	t = find(text, NOW, &why);
	ok(t && strcmp(t->id, id) == 0 && strcmp(t->app, "notes") == 0, "and it is known still");
	is_str(t->models, "one/* two/\"x\"", "for the same models");
	ok(whole_file(file, &kept), "what is kept of it");
	ok(span_find(buf_view(&kept), span_str(text + 5)) == kept.n, "is not the token");
	ok(stat(file, &st) == 0 && (st.st_mode & 0777) == 0600, "and nobody else's to read");

	struct told told = {.n = 0};
	ok(app_tokens_revoke(tokens, span_str(id), (struct grants_reply){on_told, &told}),
		"it is revoked");
	ok(!find(text, NOW, &why), "at once");
	ok(!app_tokens_revoke(tokens, span_str(id), (struct grants_reply){on_told, &told}), "once");
	close_them();
	is_int(told.n, 1, "one answer");
	is_err(told.err, OK, "it is written");
	open_them(&why);
	ok(!find(text, NOW, &why), "and stays so");
	close_them();
}

/* What is said of those that are taken back: each word is how many went at once. */
static void note_gone(void *context, const struct app_token_id *ids, size_t n)
{
	struct buf *told = context;
	buf_print(told, "%zu ", n);
	for (size_t i = 0; i < n; i++)
		ok(strncmp(ids[i].text, "tok_", 4) == 0, "with its id");
}

static void taken_back(void)
{
	OWNED(buf_done) struct buf told = BUF_INIT(256);
	const struct grants_reply nobody = {NULL, NULL};
	const struct app_token *t;
	struct fault why;
	char kept[APP_TOKEN_ID_BYTES];
	unlink(file);
	open_them(&why);
	app_tokens_on_gone(tokens, note_gone, &told);
	(void)make("soon", NOW + 1, 0, &t);
	(void)make("here", 0, 7, &t);
	(void)make("here", 0, 7, &t);
	(void)make("kept", 0, 0, &t);
	memcpy(kept, t->id, sizeof kept);
	app_tokens_end(tokens, 8);
	app_tokens_end(tokens, 7);
	ok(app_tokens_revoke(tokens, span_str(kept), nobody), "one is revoked");
	ok(!app_tokens_revoke(tokens, span_str(kept), nobody), "which it can be once");
	is_mem(told.p, told.n, "2 1 ", (size_t)4,
		"those of a connection at once, the revoked by itself");
	close_them();
}

static void how_long(void)
{
	struct fault why;
	const struct app_token *t;
	char soon[APP_TOKEN_TEXT_BYTES], here[APP_TOKEN_TEXT_BYTES];
	unlink(file);
	open_them(&why);
	(void)snprintf(soon, sizeof soon, "%s", make("soon", NOW + 10, 0, &t));
	(void)snprintf(here, sizeof here, "%s", make("here", 0, 7, &t));
	ok(find(soon, NOW + 9, &why) != NULL, "until its day");
	ok(!find(soon, NOW + 10, &why), "and no longer");
	ok(strstr(why.message, "expired") != NULL, "which is said: %s", why.message);
	ok(find(here, NOW, &why) != NULL, "one of a connection");
	app_tokens_end(tokens, 8);
	ok(find(here, NOW, &why) != NULL, "is no other connection's");
	app_tokens_end(tokens, 7);
	ok(!find(here, NOW, &why), "and goes with its own");
	(void)snprintf(here, sizeof here, "%s", make("here", 0, 7, &t));
	again(&why);
	ok(find(soon, NOW, &why) != NULL, "what is to be kept is");
	ok(!find(here, NOW, &why), "what is of a connection is not");
	close_them();
}

static void too_many(void)
{
	struct fault why;
	const struct app_token *t;
	char text[APP_TOKEN_TEXT_BYTES];
	struct app_token like = {.uid = 1000, .app = "many", .at_s = NOW, .connection = 1};
	unlink(file);
	open_them(&why);
	bool is_good = true;
	for (int i = 0; i < APP_TOKENS_MAX; i++) {
		like.until_s = i == 3 ? NOW + 1 : 0;
		is_good = is_good && !app_tokens_make(tokens, &like, text, &t,
					     (struct grants_reply){NULL, NULL}, &why);
	}
	ok(is_good, "as many as there may be");
	is_err(app_tokens_make(tokens, &like, text, &t, (struct grants_reply){NULL, NULL}, &why),
		ERR_INVALID_ARGUMENT, "one more: %s", why.message);
	like.at_s = NOW + 1;
	fault_clear(&why);
	is_err(app_tokens_make(tokens, &like, text, &t, (struct grants_reply){NULL, NULL}, &why),
		OK, "one that is over makes room: %s", why.message);
	app_tokens_end(tokens, 1);
	ok(!app_tokens_at(tokens, 0), "all go with their connection");
	close_them();
}

/* ---- a file that is not as it was written ---- */

static void put_file(struct span text)
{
	FILE *f = fopen(file, "w");
	if (!f || fwrite(text.p, 1, text.n, f) != text.n || fclose(f) != 0)
		bail("%s", file);
	chmod(file, 0600);
}

static void check_damaged(const char *name, const char *text)
{
	struct fault why;
	const struct app_token *t;
	struct app_token like = {.uid = 1000, .app = "x", .at_s = NOW};
	char made[APP_TOKEN_TEXT_BYTES];
	OWNED(buf_done) struct buf before = BUF_INIT(MIB), after = BUF_INIT(MIB);
	const bool was_read = whole_file(file, &before);
	open_them(&why);
	is_err(why.err, ERR_MISCONFIGURED, "%s: it is said: %s", name, why.message);
	ok(!app_tokens_at(tokens, 0), "%s: none is known", name);
	ok(!find(text, NOW, &why) && why.err == ERR_DENIED, "%s: nor a good one", name);
	ok(strstr(why.message, "tokens") != NULL, "%s: which is why", name);
	is_err(app_tokens_make(tokens, &like, made, &t, (struct grants_reply){NULL, NULL}, &why),
		ERR_MISCONFIGURED, "%s: nor is one made", name);
	app_tokens_write(tokens);
	close_them();
	ok(was_read && whole_file(file, &after), "%s: the file is there", name);
	is_mem(after.p, after.n, before.p, before.n, "%s: the file is left alone", name);
}

static void damaged(void)
{
	struct fault why;
	const struct app_token *t;
	char text[APP_TOKEN_TEXT_BYTES];
	OWNED(buf_done) struct buf good = BUF_INIT(MIB);
	unlink(file);
	open_them(&why);
	(void)snprintf(text, sizeof text, "%s", make("one", 0, 0, &t));
	(void)make("two", 0, 0, &t);
	close_them();
	if (!whole_file(file, &good))
		bail("no file");
	size_t n_known = 0;
	/* each byte of the first line, one bit over; sampled, so that it is over soon */
	const size_t line = span_index(buf_view(&good), '\n');
	for (size_t i = 0; i < line; i += 7) {
		good.p[i] ^= 1;
		put_file(buf_view(&good));
		open_them(&why);
		n_known += app_tokens_at(tokens, 0) != NULL;
		close_them();
		good.p[i] ^= 1;
	}
	is_uint(n_known, 0, "no bit of a line may change");
	good.p[20] ^= 4;
	put_file(buf_view(&good));
	check_damaged("a changed byte", text);
	good.p[20] ^= 4;
	put_file(span_first(buf_view(&good), good.n - 9));
	check_damaged("an end that is missing", text);
	put_file(SPAN("{}\n"));
	check_damaged("another's", text);
	put_file(buf_view(&good));
	chmod(file, 0666);
	check_damaged("a file that others may write", text);
	chmod(file, 0600);
	open_them(&why);
	ok(find(text, NOW, &why) != NULL, "whole again");
	close_them();
}

static void unwritable(void)
{
	struct fault why;
	const struct app_token *t;
	struct told told = {.n = 0};
	struct app_token like = {.uid = 1000, .app = "x", .at_s = NOW};
	char text[APP_TOKEN_TEXT_BYTES];
	unlink(file);
	open_them(&why);
	if (mkdir(file, 0700) != 0) /* nothing can be put in its place */
		bail("%s", file);
	is_err(app_tokens_make(
		       tokens, &like, text, &t, (struct grants_reply){on_told, &told}, &why),
		OK, "it is tried");
	workers_free(workers);
	is_int(told.n, 1, "one answer");
	ok(told.err != OK, "it cannot be written");
	ok(!app_tokens_at(tokens, 0), "so there is none");
	app_tokens_free(tokens);
	loop_free(loop);
	rmdir(file);
}

int main(void)
{
	if (!mkdtemp(dir))
		bail("no folder");
	(void)snprintf(file, sizeof file, "%s/tokens", dir);
	one();
	how_long();
	taken_back();
	too_many();
	damaged();
	unwritable();
	unlink(file);
	rmdir(dir);
	return tap_done();
}
